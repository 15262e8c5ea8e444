"""Relative changes with paired intervals, against numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorescore.nprr import nprr
from lorescore.wer import resampling
from lorescore.wer.resampling import (
    NUM_REPLICATIONS,
    Counts,
    Estimate,
    estimate,
    percentile_interval,
    relative_changes,
    resampled_totals,
)


def relative_change(errors: Counts, other_errors: Counts) -> Estimate:
    """From the other system's errors to these."""
    return estimate(np.stack([other_errors, errors]), relative_changes)


def test_by_hand() -> None:
    change = relative_change(np.array([3, 0, 1]), np.array([4, 0, 1]))  # 4 errors after 5
    assert change.value == pytest.approx(-20.0)
    # A resample may draw the first utterance alone, 100 x (3 - 4) / 4, or not at all; all-zero ones are left out.
    assert (change.low, change.high) == (-25.0, 0.0)


def test_the_interval_leaves_two_and_a_half_percent_out_at_each_end() -> None:
    replicates = np.array([*range(1001), np.nan])  # the undefined one is left out
    assert percentile_interval(replicates) == pytest.approx((25, 975))


def test_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = np.arange(6).reshape(2, 3)
    whole = resampled_totals(errors)
    monkeypatch.setattr(resampling, "CHUNK_CELLS", 33)  # 11 resamples at a time, and the last 9
    assert len(whole) == NUM_REPLICATIONS
    assert np.array_equal(resampled_totals(errors), whole)


def test_every_resample_of_a_constant_change_is_the_change() -> None:
    assert relative_change(np.array([2, 4, 6]), np.array([1, 2, 3])) == Estimate(100.0, 100.0, 100.0)


def test_no_errors_before() -> None:
    assert relative_change(np.array([1, 0]), np.array([0, 0])) == Estimate(None, None, None)


@given(pairs=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8), data=st.data())
def test_order_does_not_matter_and_nprr_is_the_same_bootstrap(
    pairs: list[tuple[int, int]], data: st.DataObject
) -> None:
    after, before = (np.array(column) for column in zip(*pairs, strict=True))
    change = relative_change(after, before)
    order = data.draw(st.permutations(range(len(pairs))))
    assert relative_change(after[order], before[order]) == change
    same = nprr(before, after[None], np.full(len(pairs), 5))
    assert (same.value, same.low, same.high) == (change.value, change.low, change.high)
