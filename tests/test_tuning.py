"""The exact tuning of the weights of the combined score."""

import itertools
from dataclasses import replace
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from two_lists import NBEST, PLM_COSTS

from lorescore.combine import ScoredLists, Weights, best_ranks, error_count, wer
from lorescore.nbest.lists import Hypothesis, NbestList, NbestSet
from lorescore.tuning import line_search, tune, tune_members


@st.composite
def scored_lists(draw: st.DrawFn) -> ScoredLists:
    """Small lists with integer scores, so that ties are frequent."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    total = sum(sizes)

    def column(low: int, high: int) -> list[int]:
        return draw(st.lists(st.integers(low, high), min_size=total, max_size=total))

    return ScoredLists(
        utts=tuple(f"u{number}" for number in range(len(sizes))),
        offsets=np.cumsum([0, *sizes]),
        first_pass=np.array(column(-9, 0), dtype=np.float64),
        plm=np.array(column(-9, 0), dtype=np.float64),
        num_words=np.array(column(0, 4), dtype=np.float64),
        errors=np.array(column(0, 5)),
        ref_words=np.full(len(sizes), 3),
    )


def exact(weight: float) -> Fraction:
    """The number that the nearest float stands for: corners and decimals of these lists have small denominators."""
    return Fraction(weight).limit_denominator(10**6)


def errors_at(lists: ScoredLists, lm_weight: Fraction, word_bonus: Fraction) -> int:
    """Word errors at these weights, list by list in exact arithmetic."""
    columns = (column.astype(int).tolist() for column in (lists.first_pass, lists.plm, lists.num_words))
    scores = [first + lm_weight * plm + word_bonus * words for first, plm, words in zip(*columns, strict=True)]
    best = [max(range(*span), key=scores.__getitem__) for span in itertools.pairwise(lists.offsets.tolist())]
    return int(lists.errors[best].sum())


def brute_force(lists: ScoredLists, axis: int, other: Fraction) -> int:
    """The fewest errors along one weight, over all intervals between the crossings of any two lines."""
    slopes, constants = (column.astype(int).tolist() for column in (lists.plm, lists.num_words)[:: 1 - 2 * axis])
    base = [
        first + other * constant
        for first, constant in zip(lists.first_pass.astype(int).tolist(), constants, strict=True)
    ]
    corners = {Fraction(0)}
    for span in itertools.pairwise(lists.offsets.tolist()):
        for i, j in itertools.combinations(range(*span), 2):
            if slopes[i] != slopes[j]:
                corners.add((base[i] - base[j]) / Fraction(slopes[j] - slopes[i]))
    ordered = sorted(corner for corner in corners if axis == 1 or corner >= 0)
    points = [(left + right) / 2 for left, right in itertools.pairwise(ordered)] + [ordered[-1] + 1]
    points += [ordered[0] - 1] if axis == 1 else []
    return min(errors_at(lists, t, other) if axis == 0 else errors_at(lists, other, t) for t in points)


def test_line_search_by_hand() -> None:
    # u1: rank 3 (no error) is best from lm_weight 0.5 on; u2: rank 2 (one error) from 0.25 on.
    lists = ScoredLists.build(NBEST, PLM_COSTS)
    # 1 error below 0.25, 2 up to 0.5, 1 above: the bounded interval is preferred.
    assert line_search(lists, Weights(), (1.0, 0.0)) == Weights(0.125, 0.0)
    # With a word bonus of 2, u2 changes at 1.25 only, u1 goes from rank 2 to 3 at 1.0: no error in between.
    assert line_search(lists, Weights(0.0, 2.0), (1.0, 0.0)) == Weights(1.125, 2.0)


def test_line_search_without_corners_stays() -> None:
    lists = ScoredLists.build(NBEST, None)
    assert line_search(lists, Weights(0.5, 0.0), (1.0, 0.0)) == Weights(0.5, 0.0)


def test_ties_of_the_first_pass_are_decided_by_the_plm() -> None:
    """Lists without scores: at lm_weight 0 rank 1 is chosen, at any other the PLM's best."""
    nbest = NbestSet((NbestList("u", (Hypothesis("a b", 0.0), Hypothesis("a c", 0.0))),), {"u": "a c"})
    lists = ScoredLists.build(nbest, [[2.0, 1.0]])
    assert line_search(lists, Weights(), (1.0, 0.0)) == Weights(1.0, 0.0)
    assert line_search(lists, Weights(0.0, 1.0), (2.0, 0.5)) == Weights(2.0, 1.5)
    assert line_search(lists, Weights(), (0.0, 1.0)) == Weights()
    assert line_search(lists, Weights(0.5, 0.0), (1.0, 0.0)) == Weights(0.5, 0.0)
    wrong = ScoredLists.build(nbest, [[1.0, 2.0]])
    assert line_search(wrong, Weights(), (1.0, 0.0)) == Weights()


@settings(deadline=None)
@given(scored_lists(), st.sampled_from([0.0, 0.5, 2.0]), st.sampled_from([0.5, 1.0, 2.0]))
def test_line_search_equals_brute_force_along_lm_weight(lists: ScoredLists, word_bonus: float, step: float) -> None:
    found = line_search(lists, Weights(1.0, word_bonus), (step, 0.0))
    assert found.lm_weight >= 0 and found.word_bonus == word_bonus
    assert errors_at(lists, exact(found.lm_weight), exact(word_bonus)) == brute_force(lists, 0, exact(word_bonus))


@settings(deadline=None)
@given(scored_lists(), st.sampled_from([0.0, 0.5, 2.0]))
def test_line_search_equals_brute_force_along_word_bonus(lists: ScoredLists, lm_weight: float) -> None:
    found = line_search(lists, Weights(lm_weight, 1.0), (0.0, 1.0))
    assert found.lm_weight == lm_weight
    assert errors_at(lists, exact(lm_weight), exact(found.word_bonus)) == brute_force(lists, 1, exact(lm_weight))


@settings(deadline=None)
@given(scored_lists())
def test_best_ranks_and_wer_equal_plain_python(lists: ScoredLists) -> None:
    weights = Weights(0.5, 0.25)
    errors = errors_at(lists, Fraction(1, 2), Fraction(1, 4))
    assert error_count(lists, best_ranks(lists, weights)) == errors
    assert wer(lists, weights) == pytest.approx(100 * errors / (3 * len(lists.utts)))


@settings(deadline=None)
@given(scored_lists())
@example(
    ScoredLists(
        utts=("u0", "u1", "u2"),
        offsets=np.array([0, 3, 7, 11]),
        first_pass=np.zeros(11),
        plm=np.array([0.0, 0, 0, -1, 0, 0, 0, -1, 0, 0, 0]),
        num_words=np.array([0.0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]),
        errors=np.array([0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0]),
        ref_words=np.array([3, 3, 3]),
    )
)
def test_tuning_never_loses_and_beats_each_axis(lists: ScoredLists) -> None:
    weights = tune(lists)
    assert weights.lm_weight >= 0
    tuned = error_count(lists, best_ranks(lists, weights))
    assert tuned <= error_count(lists, best_ranks(lists, Weights()))
    assert tuned <= brute_force(lists, 0, Fraction(0))


@settings(deadline=None)
@given(scored_lists(), st.randoms(use_true_random=False))
def test_tuning_does_not_depend_on_the_order(lists: ScoredLists, random: Random) -> None:
    order = list(range(len(lists.utts)))
    random.shuffle(order)
    indices = [index for one in order for index in range(lists.offsets[one], lists.offsets[one + 1])]
    shuffled = ScoredLists(
        utts=tuple(lists.utts[one] for one in order),
        offsets=np.cumsum([0, *(lists.sizes[one] for one in order)]),
        first_pass=lists.first_pass[indices],
        plm=lists.plm[indices],
        num_words=lists.num_words[indices],
        errors=lists.errors[indices],
        ref_words=lists.ref_words[order],
    )
    assert tune(shuffled) == tune(lists)


def test_a_plm_that_does_not_help_gets_no_weight() -> None:
    worse = NbestSet((NbestList("u", (Hypothesis("a", -1.0), Hypothesis("b", -2.0))),), {"u": "a"})
    assert tune(ScoredLists.build(worse, [[9.0, 1.0]])) == Weights(0.0, 0.0)


def test_tuned_weights_have_four_decimals() -> None:
    lists = ScoredLists.build(NBEST, PLM_COSTS)
    lists = replace(lists, first_pass=lists.first_pass / 7)  # whose corners are at sevenths
    weights = tune(lists)
    assert error_count(lists, best_ranks(lists, weights)) == 0
    assert weights == Weights(round(weights.lm_weight, 4), round(weights.word_bonus, 4))


def test_tuned_weights_have_more_decimals_where_four_would_cost_errors() -> None:
    texts = ("a b", "a c", "b d")
    nbest = NbestSet((NbestList("u", tuple(map(Hypothesis, texts, (0.0, -4.0, -9.0)))),), {"u": "a c"})
    # The second is best from 0.00004 to 0.00005.
    assert tune(ScoredLists.build(nbest, [[0.0, -1e5, -2e5]])) == Weights(4.5e-5)


def together(members: list[ScoredLists], factors: list[float], word_bonus: float) -> int:
    """Word errors at the weights of several PLM scores."""
    plm = sum(factor * one.plm for factor, one in zip(factors, members, strict=True))
    summed = replace(members[0], plm=np.asarray(plm))
    return error_count(summed, best_ranks(summed, Weights(1.0, word_bonus)))


@settings(deadline=None, max_examples=60)
@given(st.data(), st.integers(1, 3))
def test_a_sum_of_plm_scores_is_no_worse_than_the_best_of_them(data: st.DataObject, num_members: int) -> None:
    lists = data.draw(scored_lists())
    columns = st.lists(st.integers(-9, 0), min_size=len(lists.plm), max_size=len(lists.plm))
    members = [replace(lists, plm=np.array(data.draw(columns), dtype=np.float64)) for _ in range(num_members)]
    found = together(members, *tune_members(members))
    assert found <= min(error_count(one, best_ranks(one, tune(one))) for one in members)


def test_a_sum_of_plm_scores_by_hand() -> None:
    """Each PLM is right about one utterance, where its weight is from 4/7 to 5/7, and has no say in the other."""
    lists = ScoredLists(
        utts=("u1", "u2"),
        offsets=np.array([0, 3, 6]),
        first_pass=np.array([0.0, -4, -9] * 2) / 7,
        plm=np.zeros(6),
        num_words=np.full(6, 2.0),
        errors=np.array([1, 0, 1] * 2),
        ref_words=np.array([2, 2]),
    )
    members = [replace(lists, plm=np.array(plm)) for plm in ([0.0, 1, 2, 0, 0, 0], [0.0, 0, 0, 0, 1, 2])]
    assert [error_count(one, best_ranks(one, tune(one))) for one in members] == [1, 1]
    assert tune_members(members) == ([0.6429, 0.6429], 0.0)
    assert together(members, [0.6429, 0.6429], 0.0) == 0


def test_of_the_weights_that_are_found_from_several_starts_the_best_are_taken() -> None:
    """The first PLM alone is right from 1 to 2. The second misleads in u1, and is right in u2 from 3 on alone."""
    lists = ScoredLists(
        utts=("u1", "u2"),
        offsets=np.array([0, 4, 6]),
        first_pass=np.array([0.0, -1, -1, -9, 0, -6]),
        plm=np.zeros(6),
        num_words=np.full(6, 2.0),
        errors=np.array([1, 0, 1, 1, 1, 0]),
        ref_words=np.array([2, 2]),
    )
    members = [replace(lists, plm=np.array(plm)) for plm in ([0.0, 2, 0, 6, 0, 6], [0.0, 0, 2, 0, 0, 2])]
    assert tune_members(members) == ([1.5, 0.0], 0.0)
    assert tune_members(members[::-1]) == ([0.0, 1.5], 0.0)
