"""What a perturbation is: which hypotheses, how, at what rate, from which seed (DESIGN section 3, this project's own).

arXiv 2401.10447 perturbs N-best lists, and its abstract names 1-best and N-best perturbation; how words are drawn is
this project's own choice.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

import numpy as np

from lorescore.choices import require_choice
from lorescore.errors import InputError

KINDS = ("1best", "nbest")
HOMOPHONE, NEAR, SPLIT, TIED, INSERT, WORST = "homophone", "near", "split", "tied", "insert", "worst"
PERTURBATIONS: Mapping[str, str] = MappingProxyType(
    {
        HOMOPHONE: "words with the same pronunciation",
        NEAR: "words one phone apart, similar phones likelier",
        SPLIT: "other word boundaries, the same phones",
        TIED: "homophone, but a word has the same replacement in the whole list",
        INSERT: "homophone, but the changed hypotheses are added to the list",
        WORST: "of several homophone versions the one that the rescorer likes best",
    }
)
# The parts of a name: perturbation, tag, kind, rate, seed.
NAME = re.compile(
    rf"(?:({'|'.join(PERTURBATIONS)})_)?(?:(.+)_)?({'|'.join(KINDS)})_p([0-9]+(?:\.[0-9]+)?)_s([0-9]{{1,20}})", re.ASCII
)
SEED_BYTES = 8  # the seed is the key of the hash that draws (draws.py)


@dataclass(frozen=True)
class Perturbation:
    """Settings of one perturbation.

    Attributes:
        kind: `1best` perturbs the rank-1 hypothesis alone, `nbest` every hypothesis.
        rate: The chance, 0 to 1, that a replaceable word is replaced.
        seed: Which draw of the words; not negative.
        perturbation: What replaces a word; one of `PERTURBATIONS`.
        tag: `worst`: the rescorer whose liking counts; else empty.

    Raises:
        InputError: A kind, rate, seed or perturbation that does not exist, or a tag for another than `worst`.
    """

    kind: str
    rate: float
    seed: int = 1
    perturbation: str = HOMOPHONE
    tag: str = ""

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
        require_choice("perturbation", self.perturbation, PERTURBATIONS)
        if (self.perturbation == WORST) != bool(self.tag):
            what = "needs a rescorer's tag" if self.perturbation == WORST else f"has no use for the tag {self.tag}"
            raise InputError(f"the perturbation {self.perturbation} {what}")
        object.__setattr__(self, "rate", abs(float(self.rate)))  # so that 0, 0.0 and -0.0 have one name

    @classmethod
    def parse(cls, text: str) -> "Perturbation":
        """A perturbation as a user writes it in one word, `NAME:RATE` or `NAME:KIND:RATE`; seed 1, every hypothesis.

        >>> Perturbation.parse("near:0.1").spec
        'near:nbest:0.1'

        Raises:
            InputError: It is not of this form, it does not exist, or it is `worst`, which needs a rescorer's scores.
        """
        name, *kind, rate = text.strip().split(":") if ":" in text else (text, "")
        try:
            number = float(rate)
        except ValueError:
            number = None
        if number is None or len(kind) > 1:
            message = f"perturbation {text!r:.60}, expected NAME:RATE or NAME:KIND:RATE"
            raise InputError(message, mend="for example homophone:0.2 or near:1best:0.1, commas between several")
        if name == WORST:
            raise InputError(f"the perturbation {WORST} needs a rescorer's scores", mend="choose another one")
        return cls(kind[0] if kind else "nbest", number, perturbation=name)

    @property
    def spec(self) -> str:
        """The inverse of `parse`, with the kind."""
        return f"{self.perturbation}:{self.kind}:{_shortest(self.rate)}"

    @property
    def name(self) -> str:
        """The settings as a part of a directory's name; different settings have different names.

        `1best_p0.1_s1` for homophones, with the perturbation and the tag before it for others: `near_1best_p0.1_s1`,
        `worst_<tag>_1best_p0.1_s1`.
        """
        how = [] if self.perturbation == HOMOPHONE else [self.perturbation]
        return "_".join(
            [*how, *([self.tag] if self.tag else []), self.kind, f"p{_shortest(self.rate)}", f"s{self.seed}"]
        )

    @classmethod
    def from_name(cls, name: str) -> "Perturbation | None":
        """The inverse of `name`; None where no perturbation has this name.

        >>> Perturbation.from_name("near_1best_p0.1_s2").spec
        'near:1best:0.1'
        """
        match = NAME.fullmatch(name)
        if match is None:
            return None
        how, tag, kind, rate, seed = match.groups(default="")
        try:
            return cls(kind, float(rate), int(seed), how or HOMOPHONE, tag)
        except InputError:
            return None

    def to_dict(self) -> dict[str, Any]:
        """As plain YAML types; no tag where there is none."""
        return {key: value for key, value in asdict(self).items() if key != "tag" or value}


def _shortest(number: float) -> str:
    """The fewest digits that are this number and no other, never with an exponent: 0.1, 1, 0.00001."""
    return np.format_float_positional(number, trim="-")
