"""What a perturbation is: which hypotheses, at what rate, from which seed (DESIGN section 3, this project's own).

arXiv 2401.10447 perturbs N-best lists, and its abstract names 1-best and N-best perturbation; how words are drawn is
this project's own choice.
"""

from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from lorescore.errors import InputError

KINDS = ("1best", "nbest")
SEED_BYTES = 8  # the seed is the key of the hash that draws (replacement.py)


@dataclass(frozen=True)
class Perturbation:
    """Settings of one perturbation.

    Attributes:
        kind: `1best` perturbs the rank-1 hypothesis alone, `nbest` every hypothesis.
        rate: The chance, 0 to 1, that a replaceable word is replaced.
        seed: Which draw of the words; not negative.

    Raises:
        InputError: A kind, rate or seed that does not exist.
    """

    kind: str
    rate: float
    seed: int = 1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            nearest = get_close_matches(self.kind.lower(), KINDS, n=1, cutoff=0.3)
            raise InputError(
                f"unknown kind of perturbation {self.kind!r}, expected {' or '.join(KINDS)}",
                mend=f"did you mean {nearest[0]}?" if nearest else "",
            )
        if not 0 <= self.rate <= 1:  # also refuses NaN
            percent = 1 < self.rate <= 100
            raise InputError(
                f"perturbation rate {self.rate:g}, expected a number from 0 to 1",
                mend=f"for {self.rate:g} % give {_shortest(self.rate / 100)}" if percent else "",
            )
        if not 0 <= self.seed < 2 ** (8 * SEED_BYTES):
            raise InputError(f"seed {self.seed}, expected 0 or more, below 2^{8 * SEED_BYTES}")
        object.__setattr__(self, "rate", abs(float(self.rate)))  # so that 0, 0.0 and -0.0 have one name

    @property
    def name(self) -> str:
        """The settings as a part of a directory's name: `1best_p0.1_s1`. Different settings have different names."""
        return f"{self.kind}_p{_shortest(self.rate)}_s{self.seed}"


def _shortest(number: float) -> str:
    """The fewest digits that are this number and no other, never with an exponent: 0.1, 1, 0.00001."""
    return np.format_float_positional(number, trim="-")
