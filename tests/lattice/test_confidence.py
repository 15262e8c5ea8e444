"""Confidences: right as often as they say on the lists that they are tuned on, whatever the posteriors are."""

import math
from pathlib import Path

import numpy as np
import pytest

from lorescore.combine import ScoredLists, Weights
from lorescore.errors import InputError
from lorescore.files import write_yaml
from lorescore.lattice.confidence import Calibration, tune_confidences
from lorescore.nbest import Hypothesis, NbestList, NbestSet

FIRST_PASS_ALONE = Weights(0.0)


def tuned(lists: list[tuple[str, dict[str, float]]], metric: str = "wer") -> Calibration:
    """The calibration on lists of (reference, {text: probability})."""
    nbest = NbestSet(
        tuple(
            NbestList(f"u{utt:04d}", tuple(Hypothesis(text, math.log(chance)) for text, chance in texts.items()))
            for utt, (_, texts) in enumerate(lists)
        ),
        {f"u{utt:04d}": ref for utt, (ref, _) in enumerate(lists)},
        {"metric": metric},
    )
    scored = ScoredLists.build(nbest, [[0.0] * len(one.hypotheses) for one in nbest])
    return tune_confidences(nbest, scored, FIRST_PASS_ALONE)[0]


def posterior(calibration: Calibration, *chances: float) -> float:
    """Of the first hypothesis of a list with these probabilities."""
    powers = [chance**calibration.scale for chance in chances]
    return powers[0] / sum(powers)


def test_words_are_right_as_often_as_their_confidences_say() -> None:
    sure = [("a", {"a": 0.9, "b": 0.1})] * 140 + [("b", {"a": 0.9, "b": 0.1})] * 60
    unsure = [("a", {"a": 0.6, "b": 0.4})] * 80 + [("b", {"a": 0.6, "b": 0.4})] * 120
    calibration = tuned(sure + unsure)
    found = calibration.confidences([posterior(calibration, 0.9, 0.1), posterior(calibration, 0.6, 0.4)])
    assert found == pytest.approx([0.7, 0.4], abs=0.005)


@pytest.mark.parametrize(("num_right", "expected"), [(100, 101 / 102), (75, 0.75), (0, 1 / 102)])
def test_words_on_which_a_list_agrees(num_right: int, expected: float) -> None:
    """Their posterior is 1, and they are wrong now and then; where they never are, they may be."""
    calibration = tuned([("a", {"a": 0.5})] * num_right + [("b", {"a": 0.5})] * (100 - num_right))
    assert calibration.confidences([1.0]) == pytest.approx([expected], abs=0.01)


def test_lists_without_words() -> None:
    calibration = tuned([("a", {"": 0.5})])
    assert calibration == Calibration(calibration.scale) and calibration.confidences([]) == []


def test_characters_count_one_by_one() -> None:
    """Of the word of four, three are right, and of the other word none."""
    calibration = tuned([("abcd", {"abcx": 0.5}), ("ab", {"cd": 0.5})] * 50, metric="cer")
    assert calibration.confidences([1.0]) == pytest.approx([0.5], abs=0.01)


def test_uncalibrated_they_are_the_posteriors() -> None:
    assert Calibration(0.5).confidences(np.array([0.0, 0.3, 1.0])) == [0.0, 0.3, 1.0]


def test_extreme_ones_stay_inside() -> None:
    low, high = Calibration(1.0, 500.0, 0.0).confidences([0.0, 1.0])
    assert (low, high) == (0.0, 1.0)


def test_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "weights.yaml"
    write_yaml(path, {"lm_weight": 0.5} | Calibration(0.7, 0.5, -0.25).to_dict())
    assert Calibration.read(path) == Calibration(0.7, 0.5, -0.25)
    write_yaml(path, {"lm_weight": 0.5})
    assert Calibration.read(path) == Calibration.read(None) == Calibration()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("confidence_scale: 0", "confidence_scale is 0, expected a finite number above 0 (correct it, or tune"),
        ("confidence_scale: .inf", "confidence_scale is inf, expected a finite number above 0"),
        ("confidence_slope: steep", "confidence_slope is 'steep', expected a number (correct"),
        ("confidence_intercept: true", "confidence_intercept is True, expected a number (correct"),
        ("confidence_intercept: .nan", "confidence_intercept is nan, expected a finite number (correct"),
    ],
)
def test_what_is_no_calibration(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "weights.yaml"
    path.write_text(f"{line}\n")
    with pytest.raises(InputError) as error:
        Calibration.read(path)
    assert str(error.value).startswith(f"{path}: {message}")
