"""Relative changes of word errors, with percentile intervals by bootstrap over utterances.

The bootstrap is paired: one resample of the utterances gives the errors of all systems that are compared (Bisani and
Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation", ICASSP 2004). The draws have a fixed
seed, and the order of the utterances does not matter. The systems' errors are counted against the same references, so
that the number of reference words cancels in a relative change.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

PERCENT = 100.0
NUM_REPLICATIONS = 2000
CONFIDENCE = 0.95
SEED = 1
CHUNK_CELLS = 1 << 22  # utterances x replications resampled at a time: 32 MB for each of the few arrays

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Measure: TypeAlias = Callable[[Counts], Floats]


@dataclass(frozen=True)
class Estimate:
    """A figure in percent with its 95 % interval, such as a change, or an area under the curve of NPRR.

    Attributes:
        value: None where it is undefined: there are no errors to take a percentage of.
        low: Lower end of the interval; None where undefined.
        high: Upper end.
    """

    value: float | None
    low: float | None
    high: float | None


def estimate(errors: Counts, measure: Measure) -> Estimate:
    """A figure and its interval; resamples of which it is undefined are left out of that.

    Args:
        errors: Word errors of each utterance, at least one, shape (rows, U).
        measure: Gives the figure from total errors, (R, rows) -> (R,); NaN where it is undefined.
    """
    low, high = percentile_interval(measure(resampled_totals(errors)))
    return Estimate(defined_value(measure(errors.sum(axis=1)[None])), low, high)


def relative_changes(totals: Counts) -> Floats:
    """The change from column 0 to the mean of the others, in percent of column 0.

    Args:
        totals: Total errors, shape (R, 1 + S).

    Returns:
        Shape (R,); NaN where column 0 has no errors.
    """
    before = totals[:, 0].astype(np.float64)
    before[before == 0] = np.nan
    after: Floats = totals[:, 1:].mean(axis=1)
    return PERCENT * (after - before) / before


def resampled_totals(errors: Counts, num_replications: int = NUM_REPLICATIONS, seed: int = SEED) -> Counts:
    """Errors over each resample of the utterances, shape (num_replications, rows of `errors`).

    The columns are sorted first: a resample draws positions, and only so does the order of the utterances not matter.
    """
    # Sums of whole numbers far below 2^53 are exact in floating point, whose matrix product is many times faster.
    ordered = errors[:, np.lexsort(errors)].T.astype(np.float64)
    resamples = _resamples(errors.shape[1], num_replications, seed)
    return np.concatenate([draws.astype(np.float64) @ ordered for draws in resamples]).astype(np.int64)


def percentile_interval(replicates: Floats) -> tuple[float | None, float | None]:
    """The percentile interval of the resamples that are defined; None where none is."""
    defined = replicates[np.isfinite(replicates)]
    if not len(defined):
        return None, None
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def defined_value(one: Floats) -> float | None:
    """The only number of an array of shape (1,), None if it is undefined."""
    return float(one[0]) if np.isfinite(one[0]) else None


def _resamples(num_utts: int, num_replications: int, seed: int) -> Iterator[Counts]:
    """How often each resample draws each utterance, shape (replications of the chunk, U), some at a time."""
    rng = np.random.default_rng(seed)
    rows = max(1, CHUNK_CELLS // num_utts)
    for start in range(0, num_replications, rows):
        size = min(rows, num_replications - start)
        drawn = rng.integers(num_utts, size=(size, num_utts))
        cells = (drawn + num_utts * np.arange(size)[:, None]).ravel()
        yield np.bincount(cells, minlength=size * num_utts).reshape(size, num_utts)
