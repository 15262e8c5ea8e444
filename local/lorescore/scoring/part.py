"""The part of a set's lists that one of several jobs scores: `--part 2/4`, the second of four jobs.

What a job scores goes into the score cache; once all have ended, a call without `--part` finds every score there.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from lorescore.errors import InputError

T = TypeVar("T")
FORM = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class Part:
    """One of several equal parts.

    Attributes:
        number: Which one, from 1.
        count: How many there are.
    """

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "Part":
        """From `2/4`; empty: the whole.

        Raises:
            InputError: It has another form, or there is no such part.
        """
        if not text:
            return WHOLE
        found = FORM.fullmatch(text)
        part = cls(*map(int, found.groups())) if found else None
        if part is None or not 1 <= part.number <= part.count:
            raise InputError(f"--part {text!r}, expected which of how many jobs", mend="such as 2/4")
        return part

    def of(self, items: Sequence[T]) -> Sequence[T]:
        """Every `count`-th of some items: neighbours, which are of one speaker and length, go to different jobs."""
        return items[self.number - 1 :: self.count]


WHOLE = Part()
