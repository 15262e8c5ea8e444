"""Training settings: what they may be, and how they come from YAML."""

from pathlib import Path

import pytest

from lorescore.errors import InputError
from lorescore.training.settings import TrainingSettings


@pytest.mark.parametrize("name", ["epochs", "lists_per_step", "texts_per_step", "evaluations", "token_budget"])
def test_settings_below_one(name: str) -> None:
    with pytest.raises(InputError, match=f"--{name} is 0"):
        TrainingSettings(**{name: 0})


@pytest.mark.parametrize(
    "name", ["distill_weight", "lm_loss", "correlation", "checkpoint_minutes", "grad_clip", "weight_decay"]
)
@pytest.mark.parametrize("value", [-0.5, float("nan")])
def test_settings_below_zero(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"--{name} is {value}, expected 0 or more"):
        TrainingSettings(**{name: value})


@pytest.mark.parametrize(
    "name", ["distill_weight", "lm_loss", "correlation", "consistency", "consistency_margin", "weight_decay"]
)
def test_weights_are_finite(name: str) -> None:
    with pytest.raises(InputError, match=f"--{name} is inf, expected a finite number"):
        TrainingSettings(**{name: float("inf")})


def test_no_limit_and_never() -> None:
    settings = TrainingSettings(grad_clip=float("inf"), checkpoint_minutes=float("inf"))
    assert (settings.grad_clip, settings.checkpoint_minutes) == (float("inf"), float("inf"))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("score_scale", 0.0, "a number above 0"),
        ("score_scale", -0.5, "a number above 0"),
        ("score_scale", float("inf"), "a number above 0"),
        ("warmup_share", -0.1, "a number from 0 to 1"),
        ("warmup_share", 1.5, "a number from 0 to 1"),
        ("warmup_share", float("nan"), "a number from 0 to 1"),
    ],
)
def test_settings_out_of_their_range(name: str, value: float, expected: str) -> None:
    with pytest.raises(InputError, match=f"--{name} is {value}, expected {expected}"):
        TrainingSettings(**{name: value})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"grad_clip": -1}, "conf/train.yaml: --grad_clip is -1, expected 0 or more"),
        (
            {"weight_decay": "1e-2"},
            "conf/train.yaml: --weight_decay is '1e-2', expected a number (for YAML it is a word: write 1.0e-2)",
        ),
        ({"epoch": 3}, "conf/train.yaml: training setting 'epoch' is not known (did you mean epochs?"),
    ],
)
def test_a_setting_is_named_with_its_file(content: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        TrainingSettings.from_dict(content, Path("conf/train.yaml"))
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "word", "nearest"),
    [
        ("objective", "distil", "did you mean distill"),
        ("teacher_norm", "lists", "did you mean list"),
        ("decay", "cosinus", "did you mean cosine"),
        ("precision", "fp16", "did you mean bf16|did you mean fp32"),
    ],
)
def test_misspelt_words(name: str, word: str, nearest: str) -> None:
    with pytest.raises(InputError, match=f"--{name} '{word}' is not known.*({nearest})"):
        TrainingSettings(**{name: word})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("epochs", "three", "a whole number"),
        ("epochs", 1.5, "a whole number"),
        ("lm_loss", "much", "a number"),
        ("gradient_checkpointing", 1, "true or false"),
        ("decay", True, "a word"),
        ("epochs", True, "a whole number"),
    ],
)
def test_values_of_another_kind(name: str, value: object, expected: str) -> None:
    with pytest.raises(InputError, match=f"--{name} is {value!r}, expected {expected}"):
        TrainingSettings.from_dict({name: value})


def test_a_whole_number_stands_for_a_number() -> None:
    assert TrainingSettings.from_dict({"lm_loss": 1}).lm_loss == 1.0


def test_a_setting_that_is_not_known() -> None:
    with pytest.raises(InputError, match="training setting 'epoch' is not known.*did you mean epochs"):
        TrainingSettings.from_dict({"epoch": 3})


def test_what_the_weights_depend_on() -> None:
    assert "checkpoint_minutes" not in TrainingSettings().to_dict()
    assert TrainingSettings.from_dict(TrainingSettings(epochs=3).to_dict()) == TrainingSettings(epochs=3)
