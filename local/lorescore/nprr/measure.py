"""NPRR of a model for one perturbation, kind and rate, and the difference between two models.

This project's own definition (DESIGN section 3):

    NPRR = 100 x (WER_perturbed - WER_clean) / WER_clean

in percent, the mean over seeds of the perturbation; lower is more robust, negative is better on perturbed lists. Its
interval is a bootstrap over utterances, paired: one resample of the utterances gives the errors of the clean lists and
of every seed's perturbed lists (`lorescore.wer.resampling`). Seeds are held fixed, so that the interval says what other
utterances would have given.

Where the clean lists have no errors NPRR is undefined: its value, interval and per-seed values are None, never NaN.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lorescore.errors import InputError
from lorescore.nprr.counts import clean_and_perturbed, require_words
from lorescore.wer.resampling import (
    PERCENT,
    Counts,
    Floats,
    Measure,
    defined_value,
    estimate,
    percentile_interval,
    relative_changes,
    resampled_totals,
)


@dataclass(frozen=True)
class Nprr:
    """NPRR of a model for a kind and a rate, in percent.

    Attributes:
        value: The mean over seeds; None where the clean lists have no errors (undefined).
        low: Lower end of the 95 % interval; None where undefined.
        high: Upper end.
        per_seed: The value of each seed, in the order given; each None where undefined.
        clean_wer: WER on the clean lists, in percent.
        perturbed_wer: WER on the perturbed lists in percent, the mean over seeds.
    """

    value: float | None
    low: float | None
    high: float | None
    per_seed: tuple[float | None, ...]
    clean_wer: float
    perturbed_wer: float


@dataclass(frozen=True)
class NprrDifference:
    """NPRR (or the area under its curve) of one model minus that of another, in percentage points.

    Attributes:
        value: Negative where the first model is the more robust; None where either is undefined.
        low: Lower end of the 95 % interval; None where undefined.
        high: Upper end.
        p: Two-sided bootstrap p-value of no difference: twice the share of resamples on the far side of zero.
    """

    value: float | None
    low: float | None
    high: float | None
    p: float | None


def nprr(clean_errors: npt.ArrayLike, perturbed_errors: npt.ArrayLike, ref_words: npt.ArrayLike) -> Nprr:
    """NPRR of a model from the word errors of its rescored lists.

    The utterances may come in any order, as long as it is the same in all arrays: the result is the same. A resample
    that draws no clean errors has no NPRR and is left out of the interval.

    Args:
        clean_errors: Word errors of each utterance on the clean lists, shape (U,).
        perturbed_errors: The same on the perturbed lists of each seed, shape (S, U).
        ref_words: Reference words of each utterance, shape (U,).

    Raises:
        InputError: The shapes disagree, a count is negative, or there is nothing to count.
    """
    errors = clean_and_perturbed(clean_errors, perturbed_errors)
    num_words = require_words(ref_words, errors.shape[1])
    totals = errors.sum(axis=1)
    clean_wer, *perturbed_wers = (PERCENT * totals / num_words).tolist()
    perturbed_wer = float(np.mean(perturbed_wers))
    if not totals[0]:
        return Nprr(None, None, None, (None,) * len(perturbed_wers), clean_wer, perturbed_wer)
    per_seed = PERCENT * (totals[1:] - totals[0]) / totals[0]
    found = estimate(errors, relative_changes)
    return Nprr(found.value, found.low, found.high, tuple(per_seed.tolist()), clean_wer, perturbed_wer)


def nprr_difference(
    clean_errors: npt.ArrayLike,
    perturbed_errors: npt.ArrayLike,
    other_clean_errors: npt.ArrayLike,
    other_perturbed_errors: npt.ArrayLike,
) -> NprrDifference:
    """NPRR of a model minus NPRR of another, with the same resamples of the utterances for both.

    Args:
        clean_errors: Word errors of the first model on the clean lists, shape (U,).
        perturbed_errors: On the perturbed lists of each seed, shape (S, U).
        other_clean_errors: Of the second model, the same utterances in the same order, shape (U,).
        other_perturbed_errors: Of the second model, shape (S', U); paired seeds (S' = S) give the narrowest interval.

    Raises:
        InputError: The shapes disagree, a count is negative, or there is nothing to count.
    """
    first = clean_and_perturbed(clean_errors, perturbed_errors)
    second = clean_and_perturbed(other_clean_errors, other_perturbed_errors)
    return paired_difference(first, relative_changes, second, relative_changes)


def paired_difference(first: Counts, measure: Measure, second: Counts, other_measure: Measure) -> NprrDifference:
    """A figure of one model minus that of another, with the same resamples of the utterances for both.

    Args:
        first: Errors of the first model, shape (N, U).
        measure: Gives its figure from total errors, (R, N) -> (R,); NaN where undefined.
        second: Errors of the second model on the same utterances, shape (M, U).
        other_measure: Gives the second one's figure, (R, M) -> (R,).

    Raises:
        InputError: The models have different numbers of utterances.
    """
    if first.shape[1] != second.shape[1]:
        raise InputError(f"the first model has {first.shape[1]} utterances, the second {second.shape[1]}")
    errors, split = np.concatenate([first, second]), len(first)

    def difference(totals: Counts) -> Floats:
        return measure(totals[:, :split]) - other_measure(totals[:, split:])

    value = defined_value(difference(errors.sum(axis=1)[None]))
    if value is None:
        return NprrDifference(None, None, None, None)
    replicates = difference(resampled_totals(errors))
    low, high = percentile_interval(replicates)
    defined = replicates[np.isfinite(replicates)]
    # The observed sample counts as one more resample, so that p is never 0 (Davison and Hinkley 1997, 4.2).
    tail = 1 + min(int((defined <= 0).sum()), int((defined >= 0).sum()))
    return NprrDifference(value, low, high, min(1.0, 2 * tail / (len(defined) + 1)))
