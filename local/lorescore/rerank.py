"""A re-ranked N-best list: every hypothesis with its scores, the highest combined score first (`lorescore.combine`).

    combined score = first-pass score + lm_weight x PLM score + word_bonus x number of words

>>> from lorescore.combine import Weights
>>> from lorescore.nbest.given import as_nbest_list
>>> best = rerank(as_nbest_list([("eye see", -0.5), ("i see", -0.75)]), [-9.0, -5.0], Weights(lm_weight=0.5)).best
>>> best.text, best.rank, best.combined
('i see', 2, -3.25)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lorescore.combine import SCORE_DECIMALS, Weights
from lorescore.errors import InputError
from lorescore.nbest.lists import NbestList
from lorescore.wer.units import split_units


@dataclass(frozen=True, slots=True)
class RescoredHypothesis:
    """A hypothesis with all its scores; of each, higher is better.

    Attributes:
        text: Its words, joined by single spaces.
        score: First-pass log score.
        plm_score: PLM score.
        combined: Combined score, rounded to nine decimals.
        rank: Its rank in the list that was rescored, from 1: the first pass's, but for what an expansion has added.
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
