"""Combined scores, and the hypotheses that they choose."""

from pathlib import Path

import pytest
from two_lists import NBEST, PLM_COSTS

from lorescore.combine import (
    ScoredLists,
    Weights,
    best_ranks,
    error_count,
    first_pass,
    oracle,
    oracle_ranks,
    read_weights,
    select,
    wer,
)
from lorescore.errors import InputError
from lorescore.nbest.lists import Hypothesis, NbestList, NbestSet
from lorescore.tuning import tune


def test_flat_arrays() -> None:
    lists = ScoredLists.build(NBEST, PLM_COSTS)
    assert lists.utts == ("u1", "u2")
    assert lists.offsets.tolist() == [0, 3, 5]
    assert lists.first_pass.tolist() == [-1, -2, -3, -1, -1.5]
    assert lists.plm.tolist() == [-8, -7, -4, -3, -1]
    assert lists.num_words.tolist() == [2, 3, 2, 1, 0]
    assert lists.errors.tolist() == [1, 1, 0, 0, 1]
    assert lists.ref_words.tolist() == [2, 1]


def test_word_errors_are_counted_once_for_all_rescorers_of_a_set() -> None:
    first, second = ScoredLists.build(NBEST, None), ScoredLists.build(NBEST, PLM_COSTS)
    assert second.errors is first.errors


def test_without_costs_and_references() -> None:
    lists = ScoredLists.build(NbestSet(NBEST.lists), None)
    assert not lists.plm.any() and not lists.errors.any() and not lists.ref_words.any()
    with pytest.raises(InputError, match="no reference words"):
        wer(lists, Weights())
    with pytest.raises(InputError, match="no reference words"):
        tune(lists)


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ([[8.0, 7.0, 4.0]], "1 lists, expected 2"),
        ([[8.0, 7.0, 4.0], [3.0]], "1 PLM costs for the 2 hypotheses of utterance u2"),
        ([[8.0, 7.0, 4.0], [3.0, float("nan")]], "PLM cost of utterance u2 is not a finite number"),
        ([[8.0, 7.0, 4.0], [float("nan"), 1.0]], "PLM cost of utterance u2 is not a finite number"),
        ([[8.0, 7.0, float("inf")], [3.0, 1.0]], "PLM cost of utterance u1 is not a finite number"),
    ],
)
def test_costs_that_do_not_fit(costs: list[list[float]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ScoredLists.build(NBEST, costs)


def test_combined_score() -> None:
    lists = ScoredLists.build(NBEST, PLM_COSTS)
    assert best_ranks(lists, Weights()).tolist() == [0, 0]
    assert best_ranks(lists, Weights(lm_weight=1.0)).tolist() == [2, 1]  # -9 -9 -7 and -4 -2.5
    assert best_ranks(lists, Weights(lm_weight=0.5, word_bonus=1.0)).tolist() == [1, 0]  # -3 -2.5 -3 and -1.5 -2
    assert wer(lists, Weights()) == pytest.approx(100 / 3)


def test_a_tie_goes_to_the_better_rank() -> None:
    lists = ScoredLists.build(NBEST, PLM_COSTS)
    assert best_ranks(lists, Weights(lm_weight=0.5)).tolist() == [0, 1]  # -5 -5.5 -5 and -2.5 -2
    assert best_ranks(lists, Weights(lm_weight=1.0, word_bonus=2.0)).tolist() == [1, 0]  # -5 -3 -3 and -2 -2.5


def test_rounding_errors_do_not_break_a_tie() -> None:
    # In floats, 0.1 + 0.2 is more than 0.3; the two hypotheses have the same combined score.
    nbest = NbestSet((NbestList("u", (Hypothesis("a", 0.3), Hypothesis("b", 0.1))),), {"u": "a"})
    lists = ScoredLists.build(nbest, [[0.0, -0.2]])
    assert best_ranks(lists, Weights(lm_weight=1.0)).tolist() == [0]


def test_oracle_and_first_pass() -> None:
    lists = ScoredLists.build(NBEST, PLM_COSTS)
    assert oracle_ranks(lists).tolist() == [2, 0]
    assert oracle(NBEST) == {"u1": "the cat", "u2": "yes"}
    assert first_pass(NBEST) == {"u1": "the hat", "u2": "yes"}
    assert select(NBEST, [1, 1]) == {"u1": "the cat sat", "u2": ""}
    assert error_count(lists, oracle_ranks(lists)) == 0


def test_oracle_of_equal_errors_is_the_better_rank() -> None:
    nbest = NbestSet((NbestList("u", (Hypothesis("a x", -1.0), Hypothesis("a y", -2.0))),), {"u": "a b"})
    assert oracle_ranks(ScoredLists.build(nbest, None)).tolist() == [0]


def test_read_weights(tmp_path: Path) -> None:
    path = tmp_path / "weights.yaml"
    path.write_text("lm_weight: 0.25\nword_bonus: -1\ndev_wer: 5.9\n")
    assert read_weights(path) == Weights(0.25, -1.0)
    path.write_text("word_bonus: 0.5\n")
    assert read_weights(path) == Weights(0.0, 0.5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("lm_weight: high\n", "lm_weight is 'high', expected a number (correct it, or tune the weights again"),
        ("lm_weight: 1e-3\n", "lm_weight is '1e-3', expected a number (for YAML it is a word: write 1.0e-3)"),
        ("lm_weight: .nan\n", "lm_weight is nan, expected a finite number, at least 0 (correct it"),
        ("word_bonus: true\n", "word_bonus is True, expected a number (correct it"),
        ("lm_weight: -1\n", "lm_weight is -1, expected a finite number, at least 0 (correct it"),
        ("lm_wieght: 0.5\n", "neither lm_weight nor word_bonus, expected weights (write `lm_weight: 0.5`, or name "),
        ("{}\n", "neither lm_weight nor word_bonus, expected weights"),
    ],
)
def test_weights_that_are_none(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "weights.yaml").write_text(content)
    with pytest.raises(InputError) as error:
        read_weights(tmp_path / "weights.yaml")
    assert str(error.value).startswith(f"{tmp_path}/weights.yaml: {message}")
