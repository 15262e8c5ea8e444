"""Expanded lists: more hypotheses than the first pass's own join their list, for the PLM to choose from.

They are combinations of what the first pass's hypotheses have (`lorescore.nbest.recombine`), homophone versions of
these, or both; of combinations there are no versions.

What sounds alike the first pass tells apart by what it knows of language alone, and a PLM knows more. So each
hypothesis gets versions with words replaced by their homophones: a recogniser with a pronunciation lexicon has them in
its graph for the same reason. As they sound the same, a version has the first-pass score of its source, less a cost for
each replaced word, as the first pass does know something of spelling. The best choice from a list gets better by it,
and a list whose words were perturbed gets the original words back. This is this project's own; arXiv 2401.10447, whose
question it answers for homophones, measures rescorers of the lists as they are.

All that is added stands at the end of its list: the first pass's hypotheses keep their ranks and their keys, and its
best stays the best. A text that the list has already is not added, as a decoder gives each text once. Of a hypothesis
come the likeliest versions, as many as are asked for, by the product of the frequencies of their words in what the
first pass puts out (one half added to each): what a rare homophone stands for is most often the frequent one. Of 374
1-bests of LibriSpeech's dev-other in which homophones were put in at rate 0.3, 89 % get the original text back by the
first eight versions in this order, and 39 % by those with the fewest replaced words. A list depends on itself, the
homophones with their frequencies, and the settings alone.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from lorescore.errors import InputError
from lorescore.files import read_table, table_checksum, write_table
from lorescore.nbest import Hypothesis, NbestList, NbestSet
from lorescore.nbest.cheapest import Chosen, cheapest
from lorescore.nbest.given import ListLike, as_nbest_list
from lorescore.nbest.info import read_info
from lorescore.nbest.recombine import Recombination
from lorescore.perturb.punctuation import bare, looked_up
from lorescore.perturb.sites import Site, change, in_case_of, is_upper_case
from lorescore.wer.cleaning import INFO_KEY as CLEANER
from lorescore.wer.units import WER

INFO_KEY = "expansion"
HOMOPHONES_FILE = "homophones"
NUM_VERSIONS = 8
COST = 1.0  # chosen on the dev lists of the demo and of LibriSpeech
EXPAND_AGAIN = "expand the lists again: stage 4 with --expand or --recombine"


class _Spelling(NamedTuple):
    """A word that a sound may be written as; its cost is minus the logarithm of its frequency."""

    cost: float
    word: str


@dataclass(frozen=True)
class Expansion:
    """How lists are expanded.

    Attributes:
        homophones: Word in lower case -> its homophones, as `HomophoneLexicon.homophones` has them.
        counts: Word in lower case -> how often the first pass puts it out; 0 where it is not there.
        num_versions: Versions of a hypothesis at most, at least 1; 0 where the lists are only recombined.
        cost: How much lower the first-pass log score of a version is for each replaced word, at least 0.
        recombination: Of the first pass's hypotheses, where they are recombined.

    Raises:
        InputError: Nothing is to be added, or the cost is negative or not a finite number.
    """

    homophones: Mapping[str, tuple[str, ...]]
    counts: Mapping[str, int]
    num_versions: int = NUM_VERSIONS
    cost: float = COST
    recombination: Recombination | None = None

    def __post_init__(self) -> None:
        if self.num_versions < (0 if self.recombination else 1):
            raise InputError(f"{self.num_versions} homophone versions of a hypothesis, expected at least 1")
        if not 0 <= self.cost < math.inf:
            raise InputError(f"the cost of a replaced word is {self.cost:g}, expected a finite number, at least 0")

    def expand(self, nbest: NbestSet) -> NbestSet:
        """The lists of a set with what is added to them; what was added before is made anew.

        Raises:
            InputError: As `Recombination.recombine`.
        """
        info = {**nbest.info, INFO_KEY: self.to_dict()}
        return replace(nbest, lists=tuple(map(self.expand_list, nbest)), info=info)

    def expand_list(self, one: ListLike) -> NbestList:
        """The list of an utterance with what is added to it; an empty one stays empty.

        Raises:
            InputError: As `lorescore.nbest.given.as_nbest_list` and `Recombination.recombine`.
        """
        one = as_nbest_list(one).first_pass
        longer = self.recombination.recombine(one) if self.recombination else one
        texts = set(longer.texts)
        versions: dict[str, Hypothesis] = {}  # by text; of two sources the one that gives the better score counts
        for hypothesis in one.hypotheses if self.num_versions else ():
            others = (each for each in self._versions(hypothesis) if each.text != hypothesis.text)
            for version in islice(others, self.num_versions):
                known = versions.get(version.text)
                if version.text not in texts and (known is None or version.score > known.score):
                    versions[version.text] = version
        hypotheses = (*longer.hypotheses, *versions.values())
        return replace(one, hypotheses=hypotheses, added=len(hypotheses) - len(one.hypotheses))

    def _versions(self, hypothesis: Hypothesis) -> Iterator[Hypothesis]:
        """All versions of a hypothesis, the likeliest first; it is one of them itself."""
        words, places = hypothesis.words, list(self._places(hypothesis.words))

        def cost(chosen: Chosen) -> float:
            return math.fsum(spellings[chosen.get(place, 0)].cost for place, (_, spellings) in enumerate(places))

        # A version is one spelling for each place; the likeliest has the first of all of them.
        for _, chosen in cheapest([len(spellings) for _, spellings in places], cost):
            found = [(at, spellings[chosen.get(place, 0)].word) for place, (at, spellings) in enumerate(places)]
            sites = [Site(at, 1, 0.0, (word,)) for at, word in found if word != words[at]]
            yield self._dearer(change(hypothesis, sites), len(sites))

    def _dearer(self, version: Hypothesis, replaced: int) -> Hypothesis:
        """A version with its cost; where costs are in parts it is one of the graph."""
        cost = self.cost * replaced
        parts = version.parts and replace(version.parts, nolm=version.parts.nolm + cost)
        return replace(version, score=version.score - cost, parts=parts)

    def _places(self, words: Sequence[str]) -> Iterator[tuple[int, list[_Spelling]]]:
        """The positions of words that have homophones, with the spellings there in the case of the word."""
        upper = is_upper_case(words)
        for at, written in enumerate(words):
            apart, spellings = looked_up(written, lambda word: self._spellings.get(word.lower(), ()))
            if spellings:
                there = (apart.word,)
                cased = (
                    there if one.word == apart.word.lower() else in_case_of(there, (one.word,), upper)
                    for one in spellings
                )
                yield at, [one._replace(word=apart.around(new)[0]) for one, new in zip(spellings, cased, strict=True)]

    @cached_property
    def _spellings(self) -> Mapping[str, tuple[_Spelling, ...]]:
        """Word -> itself and its homophones, the most frequent first, of equal ones by the alphabet."""
        return {
            word: tuple(sorted(_Spelling(-math.log(self.counts.get(one, 0) + 0.5), one) for one in (word, *others)))
            for word, others in self.homophones.items()
        }

    @property
    def _table(self) -> dict[str, str]:
        """A line for each word: how often it is put out, and its homophones, which have lines of their own."""
        return {
            word: f"{self.counts.get(word, 0)} {' '.join(others)}" for word, others in sorted(self.homophones.items())
        }

    def to_dict(self) -> dict[str, Any]:
        """What the lists depend on besides the first pass's, as `nbest.yaml` has it."""
        recorded: dict[str, Any] = {}
        if self.num_versions:
            recorded |= {"versions": self.num_versions, "cost": self.cost}
            recorded |= {"homophones_checksum": table_checksum(self._table)}
        if self.recombination:
            recorded |= {"recombine": self.recombination.num_hyps}
        return recorded

    def write(self, nbest_dir: Path) -> None:
        """Write the homophones beside lists, so that what is made from these can be expanded in the same way.

        Raises:
            InputError: The folder cannot be written.
        """
        if self.num_versions:
            write_table(nbest_dir / HOMOPHONES_FILE, self._table)

    @classmethod
    def read(cls, nbest_dir: Path | str) -> "Expansion":
        """How the lists of a directory were expanded, for lists that come later to be expanded in the same way.

        Raises:
            InputError: They were not, or the homophones are not those that they were expanded by.
        """
        nbest_dir = Path(nbest_dir)
        found = cls._recorded(read_info(nbest_dir), nbest_dir)
        if found is None:
            mend = "expand them: stage 4 with --expand or --recombine"
            raise InputError("these lists are not expanded", path=nbest_dir, mend=mend)
        return found

    @classmethod
    def of(cls, nbest: NbestSet, nbest_dir: Path) -> "Expansion | None":
        """How the lists of a directory were expanded; None where they were not.

        Raises:
            InputError: The homophones are not there, or are not those that the lists were expanded by.
        """
        return cls._recorded(nbest.info, nbest_dir)

    @classmethod
    def _recorded(cls, info: Mapping[str, Any], nbest_dir: Path) -> "Expansion | None":
        """The expansion that `nbest.yaml` tells of, with the homophones beside it."""
        recorded = info.get(INFO_KEY)
        if recorded is None:
            return None
        path = nbest_dir / HOMOPHONES_FILE
        other = InputError("not the homophones that these lists were expanded by", path=path, mend=EXPAND_AGAIN)
        try:
            size, counted_in = recorded.get("recombine"), (info.get("metric", WER), info.get(CLEANER))
            recombination = None if size is None else Recombination(int(size), *counted_in)
            if "versions" in recorded:
                table = {word: line.split() for word, line in read_table(path, mend=EXPAND_AGAIN).items()}
                counts = {word: int(count) for word, (count, *_) in table.items()}
                homophones = {word: tuple(others) for word, (_, *others) in table.items()}
                versions = int(recorded["versions"]), recorded["cost"]
            else:
                counts, homophones, versions = {}, {}, (0, COST)
            found = cls(MappingProxyType(homophones), MappingProxyType(counts), *versions, recombination)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise other from error
        if found.to_dict() != recorded:
            raise other
        return found


def word_counts(sets: Iterable[NbestSet]) -> Counter[str]:
    """How often the first pass's best hypotheses have each word, in lower case, with and without its punctuation."""
    words = (word for nbest in sets for one in nbest for word in one.hypotheses[0].words)
    return Counter(each.lower() for word in words for each in {word, bare(word).word})
