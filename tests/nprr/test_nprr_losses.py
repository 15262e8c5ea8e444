"""What the lists lost and what the rescorer lost: by hand, exact sums, undefined shares."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorescore.errors import InputError
from lorescore.nprr import losses_of

# Two utterances of 10 words: errors of 1-best, model and oracle.
CLEAN = [[3, 3], [2, 2], [1, 1]]  # 6, 4, 2 of 20 words: share (6 - 4) / (6 - 2) = 50 %
WORDS = [10, 10]


def test_by_hand() -> None:
    # Two seeds: 8, 7, 4 and 8, 5, 2 errors. Summed: 16, 12, 6: share (16 - 12) / (16 - 6) = 40 %. In WER, means over
    # the seeds: 40, 30, 15. At the clean share the model would have 40 - 0.5 x 25 = 27.5.
    result = losses_of(CLEAN, [[[4, 4], [4, 3], [2, 2]], [[4, 4], [3, 2], [1, 1]]], WORDS)
    assert (result.clean_first_pass, result.clean_oracle) == (30, 10)
    assert (result.perturbed_first_pass, result.perturbed_oracle) == (40, 15)
    assert (result.first_pass_loss, result.oracle_loss) == (10, 5)
    assert (result.clean_share, result.perturbed_share) == pytest.approx((50, 40))
    assert result.change == pytest.approx(-10)
    assert (result.list_loss, result.rescorer_loss) == pytest.approx((7.5, 2.5))  # of 20 -> 30


def test_lists_that_get_worse_under_a_rescorer_that_holds_up() -> None:
    result = losses_of(CLEAN, [[[5, 5], [3, 3], [1, 1]]], WORDS)  # share (10 - 6) / (10 - 2) = 50 %
    assert (result.change, result.change_low, result.change_high) == (0, 0, 0)
    assert (result.list_loss, result.rescorer_loss) == pytest.approx((10, 0))


def test_lists_that_stay_as_good_under_a_rescorer_that_is_misled() -> None:
    # As with inserted competitors: 1-best and oracle stay, all that is lost is the rescorer's.
    result = losses_of(CLEAN, [[[3, 3], [3, 3], [1, 1]]], WORDS)
    assert (result.first_pass_loss, result.oracle_loss) == (0, 0)
    assert (result.list_loss, result.rescorer_loss) == pytest.approx((0, 10))
    assert result.perturbed_share == 0


def test_interval_is_a_paired_bootstrap() -> None:
    # The first utterance keeps its share of 50 %, the second falls to 0 %. A resample draws the first twice (1/4),
    # change 0, one of each (1/2), change -25, or the second twice (1/4), change -50.
    result = losses_of(CLEAN, [[[3, 3], [2, 3], [1, 1]]], WORDS)
    assert (result.change, result.change_low, result.change_high) == pytest.approx((-25, -50, 0))


def test_unchanged_lists_lose_exactly_nothing() -> None:
    result = losses_of(CLEAN, [CLEAN, CLEAN, CLEAN], WORDS)
    assert (result.first_pass_loss, result.oracle_loss, result.change) == (0, 0, 0)
    assert (result.list_loss, result.rescorer_loss) == (0, 0)


def test_no_gap_has_no_share() -> None:
    clean_without = losses_of([[1, 1], [2, 1], [1, 1]], [CLEAN], WORDS)
    assert (clean_without.clean_share, clean_without.change, clean_without.change_low) == (None, None, None)
    assert (clean_without.list_loss, clean_without.rescorer_loss) == (None, None)
    assert clean_without.perturbed_share == pytest.approx(50)
    assert losses_of([[1, 1], [1, 1], [1, 0]], [CLEAN], WORDS).clean_share == 0  # a gap of one error
    # Perturbed lists without a gap: 4 errors whichever is chosen but one that is worse; the sum is defined still.
    perturbed_without = losses_of(CLEAN, [[[2, 2], [3, 2], [2, 2]]], WORDS)
    assert (perturbed_without.perturbed_share, perturbed_without.change) == (None, None)
    assert (perturbed_without.list_loss, perturbed_without.rescorer_loss) == pytest.approx((0, 5))


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_the_two_losses_add_up_to_the_change_of_the_wer(data: st.DataObject) -> None:
    def systems(size: int) -> np.ndarray:
        errors = np.array(data.draw(st.lists(st.integers(0, 9), min_size=3 * size, max_size=3 * size)))
        return np.sort(errors.reshape(3, size), axis=0)[::-1]  # no oracle is worse than what is chosen

    size = data.draw(st.integers(1, 4))
    clean, perturbed = systems(size), np.stack([systems(size) for _ in range(data.draw(st.integers(1, 3)))])
    result = losses_of(clean, perturbed, [10] * size)
    if clean[0].sum() == clean[2].sum():
        assert result.list_loss is None
        return
    wers = [100 * errors.sum() / (10 * size) for errors in (clean[1], perturbed[:, 1].mean(axis=0))]
    assert result.list_loss is not None
    assert result.rescorer_loss is not None
    assert result.list_loss + result.rescorer_loss == pytest.approx(wers[1] - wers[0], abs=1e-9)


def test_no_reference_words() -> None:
    with pytest.raises(InputError, match="no words"):
        losses_of(CLEAN, [CLEAN], [0, 0])
