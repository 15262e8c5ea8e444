"""The combined score of a hypothesis, and which hypothesis of a list it chooses.

    combined score = first-pass score + lm_weight x PLM score + word_bonus x number of words

For lists whose metric is `cer`, words are characters throughout (`lorescore.wer.units`): the bonus is one a character,
and the errors are those of characters. The weights are tuned in `lorescore.tuning`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lorescore.choices import require_kind
from lorescore.errors import InputError
from lorescore.files import read_yaml
from lorescore.nbest.lists import NbestSet
from lorescore.wer.alignment import word_error_rate
from lorescore.wer.units import METRICS, WER, require_metric

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Names of the systems that choose without a rescorer, where a rescorer's tag would stand.
FIRST_PASS, ORACLE = "first_pass", "oracle"

GIVE_TUNED = "give those that were tuned on a clean development set"
CORRECT_WEIGHT = "correct it, or tune the weights again: stage 6"
SCORE_DECIMALS = 9  # scores that are equal so far are equal: rounding errors do not decide between hypotheses


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of the combined score.

    Attributes:
        lm_weight: Of the PLM score, at least 0.
        word_bonus: Of the number of words; negative values favour short hypotheses.
        metric: What the bonus counts: words (`wer`), or characters (`cer`).
    """

    lm_weight: float = 0.0
    word_bonus: float = 0.0
    metric: str = WER

    def are_usable(self) -> bool:
        """Whether they are finite numbers, `lm_weight` not negative, and the metric a known one."""
        try:
            are_numbers = math.isfinite(self.lm_weight) and math.isfinite(self.word_bonus)
            return are_numbers and self.lm_weight >= 0 and self.metric in METRICS
        except TypeError:  # a word
            return False


@dataclass(frozen=True)
class ScoredLists:
    """The N-best lists of a set as flat arrays: U utterances, H hypotheses over all of them, each list in rank order.

    Attributes:
        utts: Utterance ids, U of them.
        offsets: Where each list begins, and H at the end, (U + 1,); no list is empty.
        first_pass: First-pass log scores, (H,).
        plm: PLM scores, higher is better, (H,).
        num_words: Words of each hypothesis, (H,).
        errors: Word errors of each hypothesis, (H,); zeros where there are no references.
        ref_words: Words of each reference, (U,); zeros where there are no references.
        metric: What is counted: words (`wer`), or characters (`cer`).
    """

    utts: tuple[str, ...]
    offsets: Ints
    first_pass: Floats
    plm: Floats
    num_words: Floats
    errors: Ints
    ref_words: Ints
    metric: str = WER

    @classmethod
    def build(cls, nbest: NbestSet, plm_costs: Sequence[Sequence[float]] | None) -> "ScoredLists":
        """Flatten a set.

        Args:
            nbest: The lists. Without references all errors are 0.
            plm_costs: PLM cost (negative score) of each list's hypotheses by rank; None: all 0.

        Raises:
            InputError: The costs are not of these lists, or a score is not a finite number.
        """
        if plm_costs is not None and len(plm_costs) != len(nbest):
            raise InputError(f"PLM costs of {len(plm_costs)} lists, expected {len(nbest)}")
        sizes = [len(one.hypotheses) for one in nbest]
        costs: list[float] = [] if plm_costs is not None else [0.0] * sum(sizes)
        for one, list_costs in zip(nbest, plm_costs or (), strict=plm_costs is not None):
            if len(list_costs) != len(one.hypotheses):
                raise InputError(
                    f"{len(list_costs)} PLM costs for the {len(one.hypotheses)} hypotheses of utterance {one.utt}"
                )
            costs.extend(list_costs)
        counts = nbest.word_counts
        lists = cls(
            utts=tuple(one.utt for one in nbest),
            offsets=np.concatenate(([0], np.cumsum(sizes, dtype=np.int64))),
            first_pass=np.array([score for one in nbest for score in one.scores], dtype=np.float64),
            plm=0.0 - np.array(costs, dtype=np.float64),
            num_words=counts.hyp_words.astype(np.float64),
            errors=counts.errors,
            ref_words=counts.ref_words,
            metric=nbest.metric,
        )
        for name, scores in (("first-pass score", lists.first_pass), ("PLM cost", lists.plm)):
            if not np.isfinite(scores).all():
                index = int(np.flatnonzero(~np.isfinite(scores))[0])
                utt = lists.utts[int(np.searchsorted(lists.offsets, index, side="right")) - 1]
                raise InputError(f"a {name} of utterance {utt} is not a finite number", mend="score the set again")
        return lists

    @cached_property
    def plm_costs(self) -> dict[str, list[float]]:
        """The PLM cost of each utterance's hypotheses by rank, as `build` takes them."""
        per_list = np.split(0.0 - self.plm, self.offsets[1:-1])
        return {utt: costs.tolist() for utt, costs in zip(self.utts, per_list, strict=True)}

    @cached_property
    def sizes(self) -> Ints:
        """Hypotheses of each list, (U,)."""
        return np.diff(self.offsets)

    @cached_property
    def owners(self) -> Ints:
        """Which list each hypothesis is of, (H,)."""
        return np.repeat(np.arange(len(self.utts)), self.sizes)


def combined_scores(lists: ScoredLists, weights: Weights) -> Floats:
    """Combined score of each hypothesis, rounded to nine decimals, (H,).

    Raises:
        InputError: The bonus is one a word and the lists' metric is `cer`, or the other way round.
    """
    if weights.word_bonus and weights.metric != lists.metric:
        message = f"word_bonus was tuned for the metric {weights.metric}, the metric of these lists is {lists.metric}"
        raise InputError(message, mend="make all lists with one --metric (stage 4), and tune again (stage 6)")
    scores = lists.first_pass + weights.lm_weight * lists.plm + weights.word_bonus * lists.num_words
    return np.round(scores, SCORE_DECIMALS)


def first_best(offsets: Ints, *keys: Floats) -> Ints:
    """In each list the first hypothesis whose keys are highest, an earlier key before a later one.

    Args:
        offsets: Where each list begins, and H at the end, (U + 1,).
        keys: Finite numbers of the hypotheses, (H,).

    Returns:
        Index into all hypotheses, (U,).
    """
    begins, sizes = offsets[:-1], np.diff(offsets)
    first, *others = keys
    best = first == np.repeat(np.maximum.reduceat(first, begins), sizes)
    for key in others:
        masked = np.where(best, key, -np.inf)
        best = masked == np.repeat(np.maximum.reduceat(masked, begins), sizes)
    indices = np.flatnonzero(best)
    return indices[np.searchsorted(indices, begins)]


def best_ranks(lists: ScoredLists, weights: Weights) -> Ints:
    """The hypothesis with the highest combined score; of equal ones the better first-pass rank.

    Returns:
        Index into each list, from 0, (U,).
    """
    return first_best(lists.offsets, combined_scores(lists, weights)) - lists.offsets[:-1]


def oracle_ranks(lists: ScoredLists) -> Ints:
    """The hypothesis with the fewest word errors; of equal ones the better first-pass rank.

    Returns:
        Index into each list, from 0, (U,).
    """
    return first_best(lists.offsets, -lists.errors.astype(np.float64)) - lists.offsets[:-1]


def error_count(lists: ScoredLists, ranks: Ints) -> int:
    """Word errors of the hypotheses at `ranks` (index into each list, from 0, (U,))."""
    return int(lists.errors[lists.offsets[:-1] + ranks].sum())


def wer(lists: ScoredLists, weights: Weights) -> float:
    """Word error rate in percent of the best hypotheses at these weights; see `wer_of`."""
    return wer_of(lists, best_ranks(lists, weights))


def wer_of(lists: ScoredLists, ranks: Ints) -> float:
    """Word error rate in percent of the hypotheses at `ranks` (index into each list, from 0, (U,)).

    Raises:
        InputError: There are no reference words.
    """
    return word_error_rate(error_count(lists, ranks), int(lists.ref_words.sum()))


def select(nbest: NbestSet, ranks: Sequence[int] | Ints) -> dict[str, str]:
    """The text of one hypothesis an utterance, at `ranks` (index into each list, from 0)."""
    return {one.utt: one.hypotheses[int(rank)].text for one, rank in zip(nbest, ranks, strict=True)}


def first_pass(nbest: NbestSet) -> dict[str, str]:
    """The text of each utterance's rank-1 hypothesis."""
    return {one.utt: one.hypotheses[0].text for one in nbest}


def oracle(nbest: NbestSet) -> dict[str, str]:
    """The text of each utterance's hypothesis with the fewest word errors."""
    return select(nbest, oracle_ranks(ScoredLists.build(nbest, None)))


def read_weights(path: Path) -> Weights:
    """Read `weights.yaml`: `lm_weight` and `word_bonus`, 0 where one is left out, and `metric`, else `wer`.

    Raises:
        InputError: The file cannot be read, has neither weight, a weight is not a finite number, `lm_weight` is
            negative, or there is no such metric.
    """
    content = read_yaml(path)
    if not any(name in content for name in ("lm_weight", "word_bonus")):
        mend = "write `lm_weight: 0.5`, or name another file"
        raise InputError("neither lm_weight nor word_bonus, expected weights", path=path, mend=mend)
    return Weights(
        number_in(content, "lm_weight", 0.0, path, lambda value: 0 <= value < math.inf, "a finite number, at least 0"),
        number_in(content, "word_bonus", 0.0, path),
        require_metric(content, path),
    )


def number_in(
    content: Mapping[str, Any],
    key: str,
    default: float,
    path: Path | None,
    fits: Callable[[float], bool] = math.isfinite,
    expected: str = "a finite number",
) -> float:
    """A number of `weights.yaml`; the default where it is left out.

    Raises:
        InputError: It is no number, or does not fit: the error says what was expected.
    """
    value = content.get(key, default)
    try:
        require_kind(key, value, float)
    except InputError as error:
        raise InputError(error.message, path=path, mend=error.mend or CORRECT_WEIGHT) from error
    if not fits(value):
        raise InputError(f"{key} is {value}, expected {expected}", path=path, mend=CORRECT_WEIGHT)
    return float(value)
