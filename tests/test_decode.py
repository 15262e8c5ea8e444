"""MAP and minimum Bayes risk over N-best lists, against enumeration and by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorescore.combine import ScoredLists, Weights, best_ranks, error_count
from lorescore.decode import (
    MAP_SCALE,
    POSTERIOR_SCALES,
    chosen_ranks,
    pairwise_errors,
    posteriors,
    read_posterior_scale,
    tune_confidence_scale,
    tune_posterior_scale,
)
from lorescore.errors import InputError
from lorescore.nbest import Hypothesis, NbestList, NbestSet
from lorescore.wer import edit_counts

AT = Weights(1.0, 0.5)
texts = st.lists(st.sampled_from(["a", "b", "c", "żółw"]), max_size=5).map(" ".join)
scored_hypotheses = st.tuples(texts, st.integers(-12, 0).map(float), st.integers(0, 12).map(float))


def scored(*lists: dict[str, float], refs: tuple[str, ...] = ()) -> tuple[NbestSet, ScoredLists]:
    """Lists of texts with their probabilities, up to a common factor; the PLM has no say."""
    nbest = NbestSet(
        tuple(
            NbestList(f"u{number}", tuple(Hypothesis(text, math.log(value)) for text, value in one.items()))
            for number, one in enumerate(lists)
        ),
        {f"u{number}": ref for number, ref in enumerate(refs)},
    )
    return nbest, ScoredLists.build(nbest, None)


@st.composite
def scored_sets(draw: st.DrawFn) -> tuple[NbestSet, ScoredLists]:
    """Small sets with references; integer scores, so that ties are frequent, and repeated texts."""
    drawn = draw(st.lists(st.lists(scored_hypotheses, min_size=1, max_size=5), min_size=1, max_size=4))
    utts = [f"u{number}" for number in range(len(drawn))]
    nbest = NbestSet(
        tuple(
            NbestList(utt, tuple(Hypothesis(text, score) for text, score, _ in one))
            for utt, one in zip(utts, drawn, strict=True)
        ),
        {utt: draw(texts.filter(bool)) for utt in utts},
    )
    return nbest, ScoredLists.build(nbest, [[cost for _, _, cost in one] for one in drawn])


def brute_force(one: NbestList, costs: np.ndarray, posterior_scale: float) -> int:
    """The MBR choice of a list from its costs, hypothesis by hypothesis."""
    weights = [math.exp(-posterior_scale * (cost - min(costs))) for cost in costs]

    def key(rank: int) -> tuple[float, float, int]:
        risk = sum(
            weight * edit_counts(other, one.texts[rank]).errors
            for weight, other in zip(weights, one.texts, strict=True)
        )
        return round(risk / sum(weights), 9), costs[rank], rank

    return min(range(len(costs)), key=key)


@settings(deadline=None)
@given(st.lists(texts, max_size=6))
def test_pairwise_errors_are_edit_distances(some: list[str]) -> None:
    expected = [[edit_counts(ref, hyp).errors for hyp in some] for ref in some]
    assert pairwise_errors(some).tolist() == expected


def test_pairwise_errors_of_a_long_list() -> None:
    # More pairs than go through the dynamic programme at a time.
    rng = np.random.default_rng(1)
    some = [" ".join(map(str, rng.integers(4, size=rng.integers(12)))) for _ in range(300)]
    errors = pairwise_errors(some)
    assert (errors == errors.T).all() and not errors.diagonal().any()
    for first, second in rng.integers(300, size=(200, 2)):
        assert errors[first, second] == edit_counts(some[first], some[second]).errors


def test_posteriors_by_hand() -> None:
    _, lists = scored({"a": 3, "b": 1}, {"c": 5})
    assert posteriors(lists, Weights(), 1.0) == pytest.approx([0.75, 0.25, 1.0])
    assert posteriors(lists, Weights(), 2.0) == pytest.approx([0.9, 0.1, 1.0])
    assert posteriors(lists, Weights(), 0.5) == pytest.approx([3**0.5 / (3**0.5 + 1), 1 / (3**0.5 + 1), 1.0])


def test_scores_of_any_size_have_posteriors() -> None:
    nbest = NbestSet((NbestList("u", (Hypothesis("a", -1e6), Hypothesis("b", -1e6 - 1), Hypothesis("c", -2e6))),))
    found = posteriors(ScoredLists.build(nbest, None), Weights(), 1.0)
    assert found == pytest.approx([1 / (1 + math.exp(-1)), 1 / (1 + math.exp(1)), 0.0])


def test_mbr_by_hand() -> None:
    # Expected errors: a b 0.3 + 2 x 0.3, a c 0.4 + 0.3, d c 2 x 0.4 + 0.3; in the second list the first is the best.
    nbest, lists = scored({"a b": 4, "a c": 3, "d c": 3}, {"x": 3, "y": 2})
    assert chosen_ranks(lists, nbest, Weights(), MAP_SCALE).tolist() == [0, 0]
    assert chosen_ranks(lists, nbest, Weights(), 1.0).tolist() == [1, 0]
    assert chosen_ranks(lists, nbest, Weights(), 20.0).tolist() == [0, 0]


def test_of_equal_risks_map_decides() -> None:
    # Equally likely, and each one error away from the other: the combined score and then the rank decide.
    nbest, lists = scored({"a": 2, "b": 2, "c": 2})
    assert chosen_ranks(lists, nbest, Weights(), 1.0).tolist() == [0]
    # Copies of one text add up: at equal risk the best scored of them is taken, at rank 3.
    nbest = NbestSet((NbestList("u", (Hypothesis("x", 0.0), Hypothesis("a", -0.1), Hypothesis("a", -0.05))),))
    assert chosen_ranks(ScoredLists.build(nbest, None), nbest, Weights(), 1.0).tolist() == [2]


@settings(deadline=None)
@given(scored_sets(), st.sampled_from([0.1, 0.5, 1.0, 3.0]))
def test_mbr_equals_enumeration(data: tuple[NbestSet, ScoredLists], posterior_scale: float) -> None:
    nbest, lists = data
    costs = -(lists.first_pass + AT.lm_weight * lists.plm + AT.word_bonus * lists.num_words)
    expected = [
        brute_force(one, part, posterior_scale)
        for one, part in zip(nbest, np.split(costs, lists.offsets[1:-1]), strict=True)
    ]
    assert chosen_ranks(lists, nbest, AT, posterior_scale).tolist() == expected


@settings(deadline=None)
@given(scored_sets())
def test_a_high_scale_is_map(data: tuple[NbestSet, ScoredLists]) -> None:
    nbest, lists = data
    # Scores that differ do so by at least a half; MBR may still prefer one of several equally good ones.
    chosen, best = chosen_ranks(lists, nbest, AT, 1e3), best_ranks(lists, AT)
    scores = lists.first_pass + AT.lm_weight * lists.plm + AT.word_bonus * lists.num_words
    assert scores[lists.offsets[:-1] + chosen].tolist() == scores[lists.offsets[:-1] + best].tolist()


@settings(deadline=None)
@given(scored_sets())
def test_tuned_mbr_is_never_worse_than_map(data: tuple[NbestSet, ScoredLists]) -> None:
    nbest, lists = data
    tuned = tune_posterior_scale(lists, nbest, AT)
    errors = {scale: error_count(lists, chosen_ranks(lists, nbest, AT, scale)) for scale in POSTERIOR_SCALES}
    assert errors[tuned] == min(errors.values()) <= error_count(lists, best_ranks(lists, AT))
    assert tuned == max(scale for scale in POSTERIOR_SCALES if errors[scale] == errors[tuned])


def test_tuning_by_hand() -> None:
    # MBR takes `a c` where the posteriors are flat enough: where (4/3)^scale is below 2, from 2.0 down.
    nbest, lists = scored({"a b": 4, "a c": 3, "d c": 3}, refs=("a c",))
    assert tune_posterior_scale(lists, nbest, Weights()) == 2.0
    nbest, lists = scored({"a b": 4, "a c": 3, "d c": 3}, refs=("a b",))
    assert tune_posterior_scale(lists, nbest, Weights()) == MAP_SCALE
    nbest, lists = scored({"a b": 4})
    with pytest.raises(InputError, match="no reference words"):
        tune_posterior_scale(lists, nbest, Weights())


def test_read_posterior_scale(tmp_path: Path) -> None:
    path = tmp_path / "weights.yaml"
    for content, expected in (("lm_weight: 0.5\n", MAP_SCALE), ("posterior_scale: .inf\n", MAP_SCALE)):
        path.write_text(content)
        assert read_posterior_scale(path) == expected
    path.write_text("posterior_scale: 0.5\n")
    assert read_posterior_scale(path) == 0.5


@pytest.mark.parametrize("value", ["0", "-1", ".nan", "high", "true"])
def test_posterior_scales_that_are_none(tmp_path: Path, value: str) -> None:
    (tmp_path / "weights.yaml").write_text(f"posterior_scale: {value}\n")
    with pytest.raises(InputError, match=r"weights.yaml: posterior_scale is .*, expected a number"):
        read_posterior_scale(tmp_path / "weights.yaml")


def test_confidences_are_of_the_scale_at_which_they_are_right_as_often_as_they_say() -> None:
    """0.8 against 0.2, and right in four lists of five, or in three or all of them."""
    for refs, expected in (("aaaab", 1.0), ("aaabb", 0.25), ("aaaaa", 4.0)):
        _, lists = scored(*[{"a": 0.8, "b": 0.2}] * 5, refs=tuple(refs))
        assert tune_confidence_scale(lists, AT) == expected


def test_lists_that_say_nothing_about_confidences_leave_the_highest_finite_scale() -> None:
    _, lists = scored({"a": 1.0}, {"a": 0.9, "b": 0.1}, refs=("a", "c"))
    assert tune_confidence_scale(lists, AT) == 4.0
