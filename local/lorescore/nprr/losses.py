"""What the lists lost apart from what the rescorer lost: where the WER on perturbed lists comes from.

A perturbation does two things. It makes the lists worse: the first pass's 1-best and the best hypothesis of each list
(the oracle) have more errors, whichever rescorer chooses. And it may mislead the rescorer, which then recovers a
smaller share of what can be recovered. With the WER f of the 1-best, o of the oracle and m of the model on the same
lists, the share of the oracle gap that is recovered is

    share = (f - m) / (f - o)

on clean and on perturbed lists. The change of the model's WER is the sum of two parts, exactly:

    list loss      what it would be if the model still recovered its clean share: f' - share x (f' - o') - m
    rescorer loss  the rest, m' - (f' - share x (f' - o')) = (share - share') x (f' - o')

(the prime marks perturbed lists, share without it is the clean one). Over seeds the errors are summed. All of this is
this project's own definition. Where clean lists have no gap, there is no share and no such sum; where perturbed lists
have none, their share alone is undefined. Undefined is None.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lorescore.nprr.counts import clean_and_perturbed, require_words
from lorescore.wer.resampling import PERCENT, Counts, Floats, defined_value, percentile_interval, resampled_totals


@dataclass(frozen=True)
class Losses:
    """The two losses of a model for a perturbation, a kind and a rate; WER in percent.

    Attributes:
        clean_first_pass: WER of the 1-best of the clean lists.
        clean_oracle: WER of the best hypothesis of each clean list.
        perturbed_first_pass: WER of the 1-best of the perturbed lists, the mean over seeds.
        perturbed_oracle: Of the best hypotheses.
        clean_share: Share of the gap between the two that the model recovers on clean lists, in percent; negative
            where it is worse than the 1-best; None where there is no gap (undefined).
        perturbed_share: The same on perturbed lists, of the errors summed over seeds.
        change: Perturbed minus clean share in percentage points; None where either is undefined.
        change_low: Lower end of the change's 95 % interval, by paired bootstrap over utterances.
        change_high: Upper end.
        list_loss: WER points that the model loses if it recovers the clean share of the perturbed lists' gap; None
            where the clean share is undefined.
        rescorer_loss: WER points that it loses besides.
    """

    clean_first_pass: float
    clean_oracle: float
    perturbed_first_pass: float
    perturbed_oracle: float
    clean_share: float | None
    perturbed_share: float | None
    change: float | None
    change_low: float | None
    change_high: float | None
    list_loss: float | None
    rescorer_loss: float | None

    @property
    def first_pass_loss(self) -> float:
        """WER points by which the 1-best moved."""
        return self.perturbed_first_pass - self.clean_first_pass

    @property
    def oracle_loss(self) -> float:
        """WER points by which the oracle moved."""
        return self.perturbed_oracle - self.clean_oracle


def losses_of(clean_errors: npt.ArrayLike, perturbed_errors: npt.ArrayLike, ref_words: npt.ArrayLike) -> Losses:
    """What the lists and what the rescorer lost. A resample without a gap is left out of the interval.

    Args:
        clean_errors: Word errors of each utterance on the clean lists of the 1-best, the model and the oracle, in this
            order, shape (3, U).
        perturbed_errors: The same on the perturbed lists of each seed, shape (S, 3, U).
        ref_words: Reference words of each utterance, shape (U,).

    Raises:
        InputError: The shapes disagree, a count is negative, or there is nothing to count.
    """
    by_system = [
        clean_and_perturbed(clean, perturbed)
        for clean, perturbed in zip(
            np.asarray(clean_errors), np.moveaxis(np.asarray(perturbed_errors), 1, 0), strict=True
        )
    ]
    num_seeds = len(by_system[0]) - 1
    num_words = require_words(ref_words, by_system[0].shape[1])
    # Clean 1-best, model, oracle; then the same on perturbed lists, summed over seeds.
    rows = np.stack([*(errors[0] for errors in by_system), *(errors[1:].sum(axis=0) for errors in by_system)])
    totals = rows.sum(axis=1)
    wers = PERCENT * totals / num_words / np.array([1, 1, 1, num_seeds, num_seeds, num_seeds])
    first, model, oracle, perturbed_first, perturbed_model, perturbed_oracle = wers.tolist()
    clean_share, perturbed_share = (defined_value(_shares(part[None])) for part in (totals[:3], totals[3:]))
    change, low, high = None, None, None
    if clean_share is not None and perturbed_share is not None:
        resampled = resampled_totals(rows)
        change = perturbed_share - clean_share
        low, high = percentile_interval(_shares(resampled[:, 3:]) - _shares(resampled[:, :3]))
    list_loss, rescorer_loss = None, None
    if clean_share is not None:
        expected = perturbed_first - clean_share / PERCENT * (perturbed_first - perturbed_oracle)
        list_loss, rescorer_loss = expected - model, perturbed_model - expected
    return Losses(
        clean_first_pass=first,
        clean_oracle=oracle,
        perturbed_first_pass=perturbed_first,
        perturbed_oracle=perturbed_oracle,
        clean_share=clean_share,
        perturbed_share=perturbed_share,
        change=change,
        change_low=low,
        change_high=high,
        list_loss=list_loss,
        rescorer_loss=rescorer_loss,
    )


def _shares(totals: Counts) -> Floats:
    """Share of the gap that is recovered, in percent.

    Args:
        totals: Errors of 1-best, model and oracle, shape (N, 3).

    Returns:
        Shape (N,); NaN where there is no gap.
    """
    gap = (totals[:, 0] - totals[:, 2]).astype(np.float64)
    gap[gap == 0] = np.nan
    shares: Floats = PERCENT * (totals[:, 0] - totals[:, 1]) / gap
    return shares
