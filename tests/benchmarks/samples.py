"""The lists that are measured: a seeded sample of an N-best directory, and what there is to compute in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lorescore.combine import ScoredLists, Weights
from lorescore.errors import InputError
from lorescore.nbest import NbestList, NbestSet, read_nbest_dir
from lorescore.plm.settings import PlmSettings
from lorescore.scoring.text import plm_text
from lorescore.tuning import tune

SEED = 1

TokenLists = Sequence[Sequence[int]]  # [hypothesis][token], of one list


@dataclass(frozen=True)
class NamedLists:
    """An N-best directory under a short name.

    Attributes:
        name: What the tables call it.
        nbest: Its lists.
    """

    name: str
    nbest: NbestSet

    @classmethod
    def read(cls, option: str) -> "NamedLists":
        """From NAME=DIR.

        Raises:
            InputError: It has another form, or there is no finished N-best directory.
        """
        name, separator, directory = option.partition("=")
        if not separator or not name:
            raise InputError(f"--lists {option!r}, expected NAME=NBEST_DIR", mend="such as demo=exp/nbest/test")
        return cls(name, read_nbest_dir(Path(directory)))

    @property
    def longest(self) -> int:
        """Hypotheses of the longest list."""
        return max(len(one.hypotheses) for one in self.nbest)


def shuffled(nbest: NbestSet) -> list[NbestList]:
    """The lists in a seeded random order."""
    return [nbest.lists[index] for index in np.random.default_rng(SEED).permutation(len(nbest))]


def subset(nbest: NbestSet, lists: Sequence[NbestList]) -> NbestSet:
    """A set of these lists with their references, in the order of the utterances' ids."""
    refs = {one.utt: nbest.refs[one.utt] for one in lists} if nbest.refs else {}
    return replace(nbest, lists=tuple(sorted(lists, key=lambda one: one.utt)), refs=refs)


def sample(nbest: NbestSet, count: int) -> NbestSet:
    """`count` utterances at random (all, where there are fewer)."""
    return subset(nbest, shuffled(nbest)[:count])


def sample_by_words(nbest: NbestSet, words: int) -> NbestSet:
    """Utterances at random until their distinct word prefixes are `words`; at least two utterances.

    The cost of a list is about its distinct prefixes, so that samples of different sets take about as long.
    """
    kept: list[NbestList] = []
    total = 0
    for one in shuffled(nbest):
        if total >= words and len(kept) >= 2:
            break
        kept.append(one)
        total += len({tuple(hyp.words[:end]) for hyp in one.hypotheses for end in range(len(hyp.words) + 1)})
    return subset(nbest, kept)


def truncated(one: NbestList, size: int) -> NbestList:
    """The best `size` hypotheses of a list."""
    return NbestList(one.utt, one.hypotheses[:size])


def cased_texts(nbest: NbestSet, plm: PlmSettings) -> list[list[str]]:
    """The texts of each list in the case that the PLM reads, [list][text]."""
    return [[plm_text(text, plm.plm_text) for text in one.texts] for one in nbest]


def context_lengths(sequences: TokenLists) -> list[int]:
    """The length of each distinct prefix of a list from which a token is predicted, the first token included."""
    prefixes = {tuple(sequence[:end]) for sequence in sequences for end in range(1, len(sequence))}
    return [len(prefix) for prefix in prefixes]


def flat_tokens(sequences: TokenLists) -> int:
    """Tokens that are predicted where each hypothesis is scored by itself."""
    return sum(len(sequence) - 1 for sequence in sequences)


def largest_difference(scores: Sequence[Sequence[float]], others: Sequence[Sequence[float]]) -> float:
    """The largest difference of two scores of the same hypothesis, in nats; scores are [list][text]."""
    return max(
        abs(one - other)
        for values, other_values in zip(scores, others, strict=True)
        for one, other in zip(values, other_values, strict=True)
    )


def tuned(nbest: NbestSet, scores: Sequence[Sequence[float]]) -> tuple[ScoredLists, Weights]:
    """The lists with their scores, and weights tuned on them.

    Args:
        nbest: Lists with references.
        scores: PLM scores, [list][text].
    """
    lists = ScoredLists.build(nbest, [[-score for score in one] for one in scores])
    return lists, tune(lists)
