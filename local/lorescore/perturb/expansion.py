"""Expanded lists: homophone versions of the hypotheses join their list, for the PLM to choose from.

What sounds alike the first pass tells apart by what it knows of language alone, and a PLM knows more. So each
hypothesis gets versions with words replaced by their homophones, at the first-pass score of their source, which hold
for them as well: a recogniser with a pronunciation lexicon has them in its graph for the same reason. The best choice
from a list gets better by it, and a list whose words were perturbed gets the original words back. This is this
project's own; arXiv 2401.10447, whose question it answers for homophones, measures rescorers of the lists as they are.

The versions stand at the end of their list: the first pass's hypotheses keep their ranks and their keys, and its best
stays the best. A text that the list has already is not added, as a decoder gives each text once. Of a hypothesis come
those with one replaced word before those with two and so on, each number from left to right, as many as are asked for.
A list depends on itself, the homophones and the settings alone.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations, islice, product
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lorescore.errors import InputError
from lorescore.files import read_table, write_table
from lorescore.nbest import Hypothesis, NbestList, NbestSet
from lorescore.perturb.sites import Site, change

INFO_KEY = "expansion"
HOMOPHONES_FILE = "homophones"
NUM_VERSIONS = 16
EXPAND_AGAIN = "expand the lists again: stage 4 with --expand"


@dataclass(frozen=True)
class Expansion:
    """How lists are expanded.

    Attributes:
        homophones: Word in lower case -> its homophones, as `HomophoneLexicon.homophones` has them.
        num_versions: Versions of a hypothesis at most, at least 1.

    Raises:
        InputError: Fewer than one version.
    """

    homophones: Mapping[str, tuple[str, ...]]
    num_versions: int = NUM_VERSIONS

    def __post_init__(self) -> None:
        if self.num_versions < 1:
            raise InputError(f"{self.num_versions} homophone versions of a hypothesis, expected at least 1")

    def expand(self, nbest: NbestSet) -> NbestSet:
        """The lists of a set with versions of what the first pass has; versions that were there are made anew."""
        info = {**nbest.info, INFO_KEY: self.to_dict()}
        return replace(nbest, lists=tuple(map(self.expand_list, nbest)), info=info)

    def expand_list(self, one: NbestList) -> NbestList:
        """The list of an utterance with versions of what the first pass has."""
        one = one.first_pass
        texts = set(one.texts)
        added: list[Hypothesis] = []
        for hypothesis in one.hypotheses:
            for version in islice(self._versions(hypothesis), self.num_versions):
                if version.text not in texts:
                    texts.add(version.text)
                    added.append(version)
        return replace(one, hypotheses=(*one.hypotheses, *added), added=len(added))

    def _versions(self, hypothesis: Hypothesis) -> Iterator[Hypothesis]:
        """All versions of a hypothesis, those with the fewest replaced words first."""
        found = [
            [Site(position, 1, 0.0, (other,)) for other in self.homophones.get(word.lower(), ())]
            for position, word in enumerate(hypothesis.words)
        ]
        sites = [alternatives for alternatives in found if alternatives]
        for count in range(1, len(sites) + 1):
            for some in combinations(sites, count):
                for chosen in product(*some):
                    yield change(hypothesis, chosen)

    def to_dict(self) -> dict[str, Any]:
        """What the lists depend on besides the first pass's, as `nbest.yaml` has it."""
        lines = (f"{word} {' '.join(others)}\n" for word, others in sorted(self.homophones.items()))
        checksum = hashlib.sha256("".join(lines).encode()).hexdigest()
        return {"versions": self.num_versions, "homophones_checksum": checksum}

    def write(self, nbest_dir: Path) -> None:
        """Write the homophones beside lists, so that what is made from these can be expanded in the same way.

        Raises:
            InputError: The folder cannot be written.
        """
        write_table(nbest_dir / HOMOPHONES_FILE, {word: " ".join(others) for word, others in self.homophones.items()})

    @classmethod
    def of(cls, nbest: NbestSet, nbest_dir: Path) -> "Expansion | None":
        """How the lists of a directory were expanded; None where they were not.

        Raises:
            InputError: The homophones are not there, or are not those that the lists were expanded by.
        """
        recorded = nbest.info.get(INFO_KEY)
        if recorded is None:
            return None
        path = nbest_dir / HOMOPHONES_FILE
        table = read_table(path, mend=EXPAND_AGAIN)
        homophones = MappingProxyType({word: tuple(others.split()) for word, others in table.items()})
        found = cls(homophones, int(recorded["versions"]))
        if found.to_dict() != recorded:
            raise InputError("not the homophones that these lists were expanded by", path=path, mend=EXPAND_AGAIN)
        return found
