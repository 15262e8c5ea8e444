"""Numbers as tables and messages show them."""

import re

NEGATIVE_ZERO = re.compile(r"-[0.]+")


def rounded(value: float, spec: str) -> str:
    """A number in one of Python's formats; one that rounds to zero has no minus.

    >>> rounded(-0.004, "+.2f"), rounded(-0.004, ".2f"), rounded(-0.006, "+.2f")
    ('+0.00', '0.00', '-0.01')
    """
    text = format(value, spec)
    return format(0.0, spec) if NEGATIVE_ZERO.fullmatch(text) else text
