"""The area under the NPRR curve against numbers worked out by hand, its bootstrap and its differences."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lorescore.errors import InputError
from lorescore.nprr import Curve, nprr, nprr_area, nprr_area_difference
from lorescore.nprr.area import nprr_area_p_by_exchanges, rate_weights
from lorescore.wer.resampling import Estimate

CLEAN = [1, 0, 2, 1]  # 4 errors
AT_01 = [[1, 1, 2, 1], [2, 1, 2, 1]]  # 5 and 6 errors: NPRR 25 and 50, mean 37.5
AT_03 = [[2, 1, 3, 2]]  # 8 errors: NPRR 100
CURVE = Curve.of(CLEAN, {0.3: AT_03, 0.1: AT_01})


def test_by_hand() -> None:
    # Trapezoids from (0, 0): 0.1 x (0 + 37.5) / 2 = 1.875; 0.2 x (37.5 + 100) / 2 = 13.75; their sum over 0.3.
    area = nprr_area(CURVE)
    assert area.value == pytest.approx(15.625 / 0.3)
    assert area.low is not None
    assert area.high is not None
    assert 0 <= area.low < 15.625 / 0.3 < area.high


def test_a_straight_line_has_half_of_its_end() -> None:
    # NPRR 100 x rate / 0.5 at rates that are not evenly spaced.
    clean = np.full(10, 10)
    curve = {rate: [clean + added] for rate, added in ((0.1, 2), (0.2, 4), (0.5, 10))}
    area = nprr_area(Curve.of(clean, curve))
    assert area.value == area.low == area.high == pytest.approx(50)


def test_one_rate_is_half_of_its_nprr() -> None:
    assert nprr_area(Curve.of(CLEAN, {0.3: AT_03})).value == pytest.approx(50)


def test_rate_0_adds_nothing_and_unchanged_errors_give_exactly_0() -> None:
    assert nprr_area(Curve.of(CLEAN, {0.0: [CLEAN], 0.3: AT_03})) == nprr_area(Curve.of(CLEAN, {0.3: AT_03}))
    assert nprr_area(Curve.of(CLEAN, {0.1: [CLEAN] * 3, 0.3: [CLEAN] * 3})) == Estimate(0, 0, 0)


def test_no_clean_errors_is_undefined() -> None:
    undefined = Curve.of([0, 0], {0.1: [[1, 0]]})
    assert nprr_area(undefined) == Estimate(None, None, None)
    one_error = Curve.of([1, 0], {0.1: [[1, 1]]})
    assert nprr_area(one_error).value == 50
    difference = nprr_area_difference(undefined, one_error)
    assert (difference.value, difference.p) == (None, None)
    assert nprr_area_p_by_exchanges(undefined, one_error) is None


@settings(deadline=None, max_examples=30)
@given(rates=st.lists(st.integers(1, 100), min_size=1, max_size=6, unique=True))
def test_weights_are_those_of_the_trapezoid_rule(rates: list[int]) -> None:
    points = sorted(rate / 100 for rate in rates)
    values = np.sin(points)
    expected = np.trapezoid([0.0, *values], [0.0, *points]) / points[-1]
    assert rate_weights(points) @ values == pytest.approx(expected)


@settings(deadline=None, max_examples=20)
@given(order=st.permutations(range(4)))
def test_order_of_utterances_does_not_matter(order: list[int]) -> None:
    shuffled = Curve.of(np.array(CLEAN)[order], {0.1: np.array(AT_01)[:, order], 0.3: np.array(AT_03)[:, order]})
    assert nprr_area(shuffled) == nprr_area(CURVE)


def test_area_is_the_weighted_sum_of_nprr() -> None:
    words = [5] * 4
    values = [nprr(CLEAN, errors, words).value for errors in (AT_01, AT_03)]
    assert nprr_area(CURVE).value == pytest.approx(rate_weights([0.1, 0.3]) @ values)


def test_difference_by_hand_and_of_a_model_to_itself() -> None:
    same = nprr_area_difference(CURVE, CURVE)
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)
    # The other model is not moved: the difference is the area.
    other = nprr_area_difference(CURVE, Curve.of(CLEAN, {0.1: [CLEAN], 0.3: [CLEAN]}))
    assert other.value == pytest.approx(15.625 / 0.3)


def test_difference_is_paired() -> None:
    rng = np.random.default_rng(1)
    clean = rng.poisson(2, size=300)
    perturbed = {rate: clean + rng.poisson(5 * rate, size=(2, 300)) for rate in (0.1, 0.3)}
    curve = Curve.of(clean, perturbed)
    worse = Curve.of(clean, {rate: errors + rng.poisson(0.1, size=300) for rate, errors in perturbed.items()})
    there, back = nprr_area_difference(worse, curve), nprr_area_difference(curve, worse)
    assert there.value == pytest.approx(-(back.value or 0))
    assert (nprr_area(worse).low or 0) < (nprr_area(curve).high or 0)  # the two intervals overlap
    assert there.low is not None
    assert there.low > 0
    assert there.p == pytest.approx(2 / 2001)


@settings(deadline=None, max_examples=50)
@example([[1, 2, 0, 3, 2, 3], [1, 2, 0, 3, 2, 3]])  # all differences are 0, but for rounding
@given(st.lists(st.lists(st.integers(0, 3), min_size=6, max_size=6), min_size=1, max_size=4))
def test_p_by_exchanges_counts_all_ways_to_exchange_the_speakers(by_speaker: list[list[int]]) -> None:
    """The errors of two models, each on clean lists and at two rates, speaker by speaker."""
    columns = np.array(by_speaker).T
    num_seeds = np.array([2, 1])

    def apart(exchanged: tuple[bool, ...]) -> float:
        pair = np.where(exchanged, columns[3:], columns[:3]), np.where(exchanged, columns[:3], columns[3:])
        areas = [nprr_area(Curve((0.1, 0.3), num_seeds, errors)).value for errors in pair]
        return np.nan if None in areas else abs(areas[0] - areas[1])

    ways = np.array([apart(exchanged) for exchanged in itertools.product((False, True), repeat=len(by_speaker))])
    p = nprr_area_p_by_exchanges(*(Curve((0.1, 0.3), num_seeds, part) for part in (columns[:3], columns[3:])))
    assert p == (None if np.isnan(ways[0]) else (ways[~np.isnan(ways)] > ways[0] - 1e-6).mean())


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        ({}, "no rate above 0"),
        ({0.0: [CLEAN]}, "no rate above 0"),
        ({1.5: [CLEAN]}, "rate 1.5, expected a number from 0 to 1"),
        ({-0.1: [CLEAN]}, "rate -0.1, expected"),
        ({0.1: [[1, 2]]}, "4 utterances on clean lists, of 2"),
    ],
)
def test_bad_curves(curve: dict[float, list[list[int]]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Curve.of(CLEAN, curve)


def test_models_at_different_rates_are_not_compared() -> None:
    with pytest.raises(InputError, match="measured at the rates"):
        nprr_area_difference(Curve.of(CLEAN, {0.1: AT_01}), Curve.of(CLEAN, {0.3: AT_03}))
