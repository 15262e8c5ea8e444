"""A re-ranked N-best list: every hypothesis with its scores, the highest combined score first (`lorescore.combine`).

    combined score = first-pass score + lm_weight x PLM score + word_bonus x number of words

>>> from lorescore.combine import Weights
>>> best = rerank(as_nbest_list([("eye see", -0.5), ("i see", -0.75)]), [-9.0, -5.0], Weights(lm_weight=0.5)).best
>>> best.text, best.rank, best.combined
('i see', 2, -3.25)
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from lorescore.combine import SCORE_DECIMALS, Weights
from lorescore.errors import InputError
from lorescore.files import is_encodable, single_spaced
from lorescore.nbest.lists import Hypothesis, NbestList
from lorescore.wer.units import split_units

# A list as a caller has it: ours, or (text, first-pass log score) with the first pass's best first.
ListLike: TypeAlias = NbestList | Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class RescoredHypothesis:
    """A hypothesis with all its scores; of each, higher is better.

    Attributes:
        text: Its words, joined by single spaces.
        score: First-pass log score.
        plm_score: PLM score.
        combined: Combined score, rounded to nine decimals.
        rank: Its rank in the first pass, from 1.
    """

    text: str
    score: float
    plm_score: float
    combined: float
    rank: int


@dataclass(frozen=True, slots=True)
class RescoredList:
    """The hypotheses of an utterance, the highest combined score first.

    Attributes:
        utt: The utterance's id; empty where the caller gave none.
        hypotheses: As many as the list had; none only where the list was empty.
    """

    utt: str
    hypotheses: tuple[RescoredHypothesis, ...]

    @property
    def best(self) -> RescoredHypothesis:
        """The hypothesis with the highest combined score; of equal ones the better first-pass rank.

        Raises:
            LookupError: The list is empty.
        """
        if not self.hypotheses:
            raise LookupError(f"the list of utterance {self.utt!r} is empty")
        return self.hypotheses[0]


def as_nbest_list(one: ListLike) -> NbestList:
    """A list in the project's own type; the id of its utterance is empty where it has none.

    Args:
        one: The list; it may be empty.

    Raises:
        InputError: It is no list, an item is no pair of text and score, a text has half a surrogate pair in it, or a
            score is not a finite number.
    """
    if not isinstance(one, Iterable | NbestList):
        raise InputError(f"{one!r:.60} is no list of (text, score)")
    items = one.hypotheses if isinstance(one, NbestList) else one
    hypotheses = tuple(_as_hypothesis(rank, item) for rank, item in enumerate(items, start=1))
    return replace(one, hypotheses=hypotheses) if isinstance(one, NbestList) else NbestList("", hypotheses)


def _as_hypothesis(rank: int, item: Any) -> Hypothesis:
    """An item of a list, its words joined by single spaces."""
    parts = None
    if isinstance(item, Hypothesis):
        item, parts = (item.text, item.score), item.parts
    pair: Any = () if isinstance(item, str | Mapping) else item  # two characters or two keys are no pair
    try:
        text, score = pair
    except (TypeError, ValueError) as error:
        raise InputError(f"hypothesis {rank} is {item!r:.60}, expected (text, score)") from error
    if not isinstance(text, str):
        raise InputError(f"the text of hypothesis {rank} is {text!r:.60}, expected a string")
    _require_characters(rank, text)
    _require_finite(rank, score)
    return Hypothesis(single_spaced(text), float(score), parts)


def _require_characters(rank: int, text: str) -> None:
    """Check that the text of a hypothesis is one that a tokenizer can take."""
    if not is_encodable(text):
        raise InputError(f"half a surrogate pair in the text of hypothesis {rank}, {text!r:.60}")


def _require_finite(rank: int, score: Any) -> None:
    """Check that the score of a hypothesis is a number that is neither infinite nor NaN."""
    try:
        is_finite = not isinstance(score, bool) and math.isfinite(score)
    except (TypeError, ValueError, OverflowError):
        is_finite = False
    if not is_finite:
        raise InputError(f"the score of hypothesis {rank} is {score!r:.60}, expected a finite number")


def rerank(one: NbestList, plm_scores: Sequence[float], weights: Weights) -> RescoredList:
    """The hypotheses of a list by combined score; equal ones stay in the order of the first pass.

    Args:
        one: The list, in the order of the first pass.
        plm_scores: PLM score of each hypothesis, higher is better.
        weights: Of the combined score.

    Raises:
        InputError: A combined score is not finite.
    """
    scored = []
    for rank, (hypothesis, plm) in enumerate(zip(one.hypotheses, plm_scores, strict=True), start=1):
        num_units = len(split_units(hypothesis.text, weights.metric))
        combined = hypothesis.score + weights.lm_weight * plm + weights.word_bonus * num_units
        if not math.isfinite(combined):
            message = f"the combined score of hypothesis {rank} is {combined}: {hypothesis.score:g}, {plm:g} of the PLM"
            raise InputError(f"{message}, {num_units} words or characters", mend="lower its scores or the weights")
        scored.append(RescoredHypothesis(hypothesis.text, hypothesis.score, plm, round(combined, SCORE_DECIMALS), rank))
    return RescoredList(one.utt, tuple(sorted(scored, key=lambda hypothesis: (-hypothesis.combined, hypothesis.rank))))
