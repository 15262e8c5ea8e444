"""NPRR against numbers worked out by hand, and its bootstrap."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorescore.errors import InputError
from lorescore.nprr import Nprr, nprr, nprr_difference

# Ten utterances, 100 reference words.
REF_WORDS = [12, 8, 10, 5, 15, 10, 14, 9, 7, 10]
CLEAN = [1, 0, 2, 0, 1, 0, 3, 1, 0, 2]  # 10 errors: WER 10 %
PERTURBED = [
    [1, 1, 2, 0, 2, 0, 3, 1, 0, 2],  # seed 1, 12 errors: WER 12 %, NPRR 100 x (12 - 10) / 10 = 20
    [2, 1, 2, 1, 1, 0, 3, 2, 0, 3],  # seed 2, 15 errors: WER 15 %, NPRR 100 x (15 - 10) / 10 = 50
]


def test_by_hand() -> None:
    result = nprr(CLEAN, PERTURBED, REF_WORDS)
    assert result.value == pytest.approx(35)  # (20 + 50) / 2
    assert result.per_seed == pytest.approx((20, 50))
    assert result.clean_wer == pytest.approx(10)
    assert result.perturbed_wer == pytest.approx(13.5)  # (12 + 15) / 2
    assert result.low is not None
    assert result.high is not None
    # No utterance loses errors with either seed, so that no resample does.
    assert 0 <= result.low < 35 < result.high


def test_interval_by_hand() -> None:
    # Two utterances, 1 -> 1 and 1 -> 3 errors: a resample draws the first twice (1/4), NPRR 0; one of each (1/2),
    # 2 -> 4 errors, NPRR 100; the second twice (1/4), 2 -> 6 errors, NPRR 200. The 2.5 % and 97.5 % points are 0, 200.
    result = nprr([1, 1], [[1, 3]], [5, 5])
    assert (result.value, result.low, result.high) == (100, 0, 200)


def test_errors_that_perturbation_does_not_change_give_exactly_0() -> None:
    result = nprr(CLEAN, [CLEAN, CLEAN, CLEAN], REF_WORDS)
    assert (result.value, result.low, result.high, result.per_seed) == (0, 0, 0, (0, 0, 0))


def test_equal_utterances_give_an_interval_of_no_width() -> None:
    result = nprr([3] * 7, [[4] * 7, [5] * 7, [3] * 7], [10] * 7)
    assert result.value == result.low == result.high == pytest.approx(100 / 3)  # 3 -> 4 errors, the mean of 4, 5 and 3


def test_no_clean_errors_is_undefined() -> None:
    result = nprr([0, 0], [[1, 0]], [5, 5])
    assert result == Nprr(None, None, None, (None,), clean_wer=0, perturbed_wer=10)


def test_resamples_without_clean_errors_are_left_out() -> None:
    # Of two utterances the first alone has clean errors: a quarter of the resamples has none. The others draw it once,
    # 1 -> 3 errors, or twice, 2 -> 4 errors.
    result = nprr([1, 0], [[2, 1]], [5, 5])
    assert (result.value, result.low, result.high) == (200, 100, 200)


def test_the_interval_covers_the_true_value_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    num_sets, covered = 300, 0
    for _ in range(num_sets):
        # 1.0 clean errors an utterance and on average 0.25 more when perturbed: the true NPRR is 25.
        clean = rng.poisson(1.0, size=150)
        result = nprr(clean, clean + rng.poisson(0.25, size=(2, 150)), np.full(150, 10))
        assert result.low is not None
        assert result.high is not None
        covered += result.low <= 25 <= result.high
    # Nominal 95 %; four standard deviations of 300 draws are 5 %.
    assert 0.90 <= covered / num_sets <= 1.0


@settings(deadline=None, max_examples=30)
@given(order=st.permutations(range(10)))
def test_order_of_utterances_does_not_matter(order: list[int]) -> None:
    shuffled = nprr(np.array(CLEAN)[order], np.array(PERTURBED)[:, order], np.array(REF_WORDS)[order])
    assert shuffled == nprr(CLEAN, PERTURBED, REF_WORDS)


def test_difference_by_hand() -> None:
    # The first model as in test_interval_by_hand, 0, 100 or 200; the second is not moved. A quarter of the resamples is
    # on the far side of zero: p = 2 x 1/4, give or take 4 x sqrt(1/4 x 3/4 / 2000) x 2 = 0.08.
    result = nprr_difference([1, 1], [[1, 3]], [1, 1], [[1, 1]])
    assert (result.value, result.low, result.high) == (100, 0, 200)
    assert result.p == pytest.approx(0.5, abs=0.08)


def test_difference_of_a_model_to_itself() -> None:
    result = nprr_difference(CLEAN, PERTURBED, CLEAN, PERTURBED)
    assert (result.value, result.low, result.high, result.p) == (0, 0, 0, 1)


def test_difference_is_antisymmetric_and_paired() -> None:
    rng = np.random.default_rng(1)
    clean = rng.poisson(2, size=400)
    perturbed = clean + rng.poisson(0.5, size=(2, 400))
    worse = perturbed + rng.poisson(0.1, size=400)
    there, back = nprr_difference(clean, worse, clean, perturbed), nprr_difference(clean, perturbed, clean, worse)
    assert there.value == pytest.approx(-(back.value or 0))
    assert there.low is not None
    assert there.high is not None
    assert there.value == pytest.approx(
        (nprr(clean, worse, clean + 1).value or 0) - (nprr(clean, perturbed, clean + 1).value or 0)
    )
    # The two intervals overlap, but paired the difference is beyond doubt: the worse model never does better.
    assert there.low > 0
    assert there.p == back.p == pytest.approx(2 / 2001)


def test_difference_of_other_utterances() -> None:
    with pytest.raises(InputError, match="the first model has 10 utterances, the second 2"):
        nprr_difference(CLEAN, PERTURBED, CLEAN[:2], [CLEAN[:2]])


def test_difference_to_an_undefined_value() -> None:
    result = nprr_difference(CLEAN, PERTURBED, [0] * 10, PERTURBED)
    assert (result.value, result.low, result.high, result.p) == (None, None, None, None)


@pytest.mark.parametrize(
    ("clean", "perturbed", "ref_words", "message"),
    [
        ([1, 2], [[1, 2, 3]], [5, 5], "2 utterances on clean lists, of 3"),
        ([1, 2], [1, 2], [5, 5], r"expected \(S, U\)"),
        ([1, 2], [[1, 2]], [5], "1 utterances, errors of 2"),
        ([1, -2], [[1, 2]], [5, 5], "whole numbers from 0"),
        ([1.5, 2], [[1, 2]], [5, 5], "whole numbers from 0"),
        ([], [[]], [], "at least one"),
        ([1, 2], [[1, 2]], [0, 0], "no words"),
    ],
)
def test_bad_counts(clean: list[int], perturbed: list[list[int]], ref_words: list[int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        nprr(clean, perturbed, ref_words)
