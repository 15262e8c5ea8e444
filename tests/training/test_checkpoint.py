"""Checkpoints on disk, and runs that go on from them: they come to the bytes of a run that nothing disturbed."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from ended_runs import EndedError, ending_after, kill_itself, raise_ended, run_until_killed, saved
from plm_models import new_rescorer
from safetensors.torch import load_file
from toy_nbest import toy_nbest

from lorescore.errors import InputError
from lorescore.plm.strategy import Strategy
from lorescore.scoring.rescorer import Rescorer
from lorescore.training.checkpoint import Checkpoint
from lorescore.training.evaluation import tuned_on
from lorescore.training.loop import train_rescorer
from lorescore.training.result import DivergedError, TrainingResult
from lorescore.training.settings import TrainingSettings

# A checkpoint after every step, and a dev WER that goes up and down.
SETTINGS = TrainingSettings(
    epochs=2, lists_per_step=4, evaluations=4, score_scale=1.0, texts_per_step=2, checkpoint_minutes=0
)
TEXTS = ["the cat sat on the sea", "a mat saw the cat", "rain in the plain"]
STRATEGIES = {
    "full": Strategy("full", learning_rate=1e-2),
    "vanilla": Strategy("vanilla", rank=2, learning_rate=5e-2),
    "adalora": Strategy("adalora", rank=2, init_rank=4, alpha=8, learning_rate=1e-1),
    "warmup": Strategy("warmup", rank=2, init_rank=4, learning_rate=5e-2),
    "mixed": Strategy("mixed", rank=4, learning_rate=5e-2),
}


def train(
    folder: Path, strategy: str, checkpoint: Checkpoint | None = None, family: str = "llama", **options: Any
) -> tuple[Rescorer, TrainingResult]:
    scorer = "cls" if family == "bert" else "clm"
    rescorer = new_rescorer(folder / "plms", family, scorer, plm_text="lower")
    texts = TEXTS if scorer == "clm" else []
    settings = options.pop("settings", SETTINGS)
    result = train_rescorer(
        rescorer,
        toy_nbest(24, seed=1),
        toy_nbest(10, seed=2),
        STRATEGIES[strategy],
        settings,
        texts=texts,
        checkpoint=checkpoint,
        **options,
    )
    return rescorer, result


@pytest.mark.parametrize(
    ("strategy", "family", "steps"),
    [
        ("full", "llama", 9),
        ("vanilla", "bert", 2),
        ("adalora", "llama", 2),
        ("adalora", "llama", 9),  # its budget is met at step 8
        ("warmup", "llama", 9),  # its updates are truncated at step 4
        ("mixed", "llama", 5),
    ],
)
def test_a_run_that_goes_on_comes_to_the_same_bytes(tmp_path: Path, strategy: str, family: str, steps: int) -> None:
    undisturbed, expected = train(tmp_path, strategy, family=family)
    checkpoint = Checkpoint(tmp_path / ".checkpoint", {"seed": 1})
    with pytest.raises(EndedError):
        train(tmp_path, strategy, checkpoint, family, progress=ending_after(steps, raise_ended))
    assert json.loads((checkpoint.directory / "state.json").read_text())["step"] == steps
    taken: list[int] = []
    resumed, result = train(
        tmp_path,
        strategy,
        checkpoint,
        family,
        curves=lambda step, values: taken.extend([step] * ("train/loss" in values)),
    )
    assert taken == list(range(steps + 1, 13))
    assert result.evaluations == expected.evaluations
    assert (result.best, result.steps) == (expected.best, expected.steps)
    assert result.best.step > 0
    assert saved(resumed, tmp_path / "resumed") == saved(undisturbed, tmp_path / "undisturbed")


def test_a_run_that_was_killed_goes_on(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / ".checkpoint", {"seed": 1})
    run_until_killed("test_checkpoint", tmp_path)
    assert json.loads((checkpoint.directory / "state.json").read_text())["step"] == 5
    resumed, result = train(tmp_path, "vanilla", checkpoint)
    undisturbed, expected = train(tmp_path, "vanilla")
    assert result.evaluations == expected.evaluations
    assert saved(resumed, tmp_path / "resumed") == saved(undisturbed, tmp_path / "undisturbed")


def train_and_die(folder: Path) -> None:
    """What the test before runs in a process of its own."""
    checkpoint = Checkpoint(folder / ".checkpoint", {"seed": 1})
    train(folder, "vanilla", checkpoint, progress=ending_after(5, kill_itself))


def test_what_is_written_has_the_mode_that_the_umask_gives(tmp_path: Path) -> None:
    Checkpoint(tmp_path / "checkpoint", {"seed": 1}).write(1, {"weights": torch.ones(2)})
    assert len({path.stat().st_mode for path in (tmp_path / "checkpoint").iterdir()}) == 1


def test_another_runs_checkpoint_is_neither_used_nor_lost(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / ".checkpoint", {"seed": 1, "epochs": 2})
    with pytest.raises(EndedError):
        train(tmp_path, "vanilla", checkpoint, progress=ending_after(4, raise_ended))
    before = {path.name: path.read_bytes() for path in checkpoint.directory.iterdir()}
    with pytest.raises(InputError) as error:
        train(tmp_path, "vanilla", Checkpoint(checkpoint.directory, {"seed": 2, "epochs": 3}))
    assert str(error.value) == (
        f"{checkpoint.directory}: holds an unfinished training with another seed, epochs "
        f"(give this one another name, --suffix NAME, or move {checkpoint.directory} away)"
    )
    assert {path.name: path.read_bytes() for path in checkpoint.directory.iterdir()} == before
    resumed, _ = train(tmp_path, "vanilla", checkpoint)
    undisturbed, _ = train(tmp_path, "vanilla")
    assert saved(resumed, tmp_path / "resumed") == saved(undisturbed, tmp_path / "undisturbed")


def test_a_setting_that_did_not_exist_yet_was_what_its_default_is(tmp_path: Path) -> None:
    settings = {"training_settings": TrainingSettings().to_dict(), "strategy": Strategy("vanilla").to_dict()}
    checkpoint = Checkpoint(tmp_path / "checkpoint", settings)
    checkpoint.write(3, {"weight": torch.ones(2)})
    path = checkpoint.directory / "state.json"
    record = json.loads(path.read_text())
    del record["run"]["training_settings"]["consistency_margin"], record["run"]["strategy"]["orthogonality"]
    path.write_text(json.dumps(record))
    found = checkpoint.read()
    assert found is not None and found[0] == 3
    other = settings | {"training_settings": TrainingSettings(consistency_margin=2.0).to_dict()}
    with pytest.raises(InputError, match="an unfinished training with another training_settings"):
        Checkpoint(checkpoint.directory, other).require_this_run()
    assert checkpoint.read() is not None


def spoil(rescorer: Rescorer) -> None:
    """Let the next loss be no number."""
    with torch.no_grad():
        for parameter in rescorer.scorer.parameters():
            if parameter.requires_grad:
                parameter.fill_(float("nan"))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_run_that_diverges_leaves_its_best_weights(tmp_path: Path, strategy: str) -> None:
    checkpoint = Checkpoint(tmp_path / ".checkpoint", {})
    rescorer = new_rescorer(tmp_path / "plms", "llama", plm_text="lower")
    lists = [one.texts for one in toy_nbest(10, seed=2)]
    with pytest.raises(
        DivergedError, match=r"^training diverged: loss nan.* at step 11 .*\(lower --learning_rate\)$"
    ) as error:
        train_rescorer(
            rescorer,
            toy_nbest(24, seed=1),
            toy_nbest(10, seed=2),
            STRATEGIES[strategy],
            SETTINGS,
            progress=ending_after(10, lambda: spoil(rescorer)),
            checkpoint=checkpoint,
        )
    best, evaluations = error.value.result.best, error.value.result.evaluations
    assert [one.step for one in evaluations] == [0, 3, 6, 9]
    assert best.dev_wer == min(
        one.dev_wer for one in evaluations if one.step == 0 or one.step >= rescorer_first_choice(strategy)
    )
    rescorer.save(tmp_path / "kept")
    loaded = Rescorer.load(tmp_path / "kept")
    weights, dev_wer = tuned_on(toy_nbest(10, seed=2), [[-score for score in one] for one in loaded.score(lists)])
    assert (weights, dev_wer) == (best.weights, best.dev_wer)
    found = checkpoint.read()
    assert found is not None and found[0] == 10


@pytest.mark.parametrize("steps", [1, 4])  # before the first pruning, and before the budget is met at step 8
def test_adalora_that_diverges_while_it_prunes_says_what_is_saved(tmp_path: Path, steps: int) -> None:
    rescorer = new_rescorer(tmp_path / "plms", "llama", plm_text="lower")
    with pytest.raises(DivergedError) as error:
        train_rescorer(
            rescorer,
            toy_nbest(24, seed=1),
            toy_nbest(10, seed=2),
            STRATEGIES["adalora"],
            SETTINGS,
            progress=ending_after(steps, lambda: spoil(rescorer)),
        )
    result = error.value.result
    rescorer.save(tmp_path / "kept")
    tensors = load_file(tmp_path / "kept" / "adapter_model.safetensors")
    assert result.trainable_parameters == sum(tensor.numel() for tensor in tensors.values())
    saved_ranks = {name: len(tensor) for name, tensor in tensors.items() if name.endswith(".lora_E")}
    assert result.rank_history.final == {
        name.removeprefix("base_model.model.").removesuffix(".lora_E"): rank for name, rank in saved_ranks.items()
    }
    assert sum(saved_ranks.values()) == STRATEGIES["adalora"].rank * len(saved_ranks)


def rescorer_first_choice(strategy: str) -> int:
    """The first of the twelve steps at which the ranks are final."""
    return {"adalora": 8, "warmup": 4}.get(strategy, 0)


def test_a_run_that_diverged_makes_way_for_other_settings_alone(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "checkpoint", {"strategy": {"learning_rate": 1.0}})
    lower = Checkpoint(checkpoint.directory, {"strategy": {"learning_rate": 0.1}})
    checkpoint.write(3, {"weight": torch.ones(2)})
    with pytest.raises(InputError, match="an unfinished training with another strategy"):
        lower.read()
    checkpoint.mark_diverged()
    lower.require_this_run()
    assert lower.read() is None
    found = checkpoint.read()  # the same again goes on, and comes to its end sooner
    assert found is not None and found[0] == 3
    checkpoint.write(4, {"weight": torch.ones(2)})  # it got further this time
    with pytest.raises(InputError, match="an unfinished training with another strategy"):
        lower.read()


def test_tensors_and_plain_types_come_back(tmp_path: Path) -> None:
    state = {
        "tensors": {"a.b/c": torch.arange(6).reshape(2, 3).T, "empty": torch.zeros(0, 2), "number": torch.tensor(3.5)},
        "list": [1, 0.1, None, True, "word", torch.tensor([1], dtype=torch.int64)],
        "nothing": {},
    }
    checkpoint = Checkpoint(tmp_path / "checkpoint", {"settings": {"targets": ("a", "b")}})
    checkpoint.write(3, state)
    found = checkpoint.read()
    assert found is not None
    step, content = found
    assert step == 3
    for name, tensor in state["tensors"].items():
        assert torch.equal(content["tensors"][name], tensor)
    assert content["list"][:-1] == state["list"][:-1] and torch.equal(content["list"][-1], state["list"][-1])
    assert content["nothing"] == {}


def test_one_checkpoint_takes_the_place_of_another(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "checkpoint", {})
    for step in (1, 2):
        checkpoint.write(step, {"weight": torch.full((2,), float(step))})
    assert {path.name for path in checkpoint.directory.iterdir()} == {"state.json", "state-2.safetensors"}
    checkpoint.remove()
    assert checkpoint.read() is None
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_that_was_being_written_is_not_missed(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "checkpoint", {})
    checkpoint.write(1, {"weight": torch.ones(2)})
    (checkpoint.directory / "state-2.safetensors").write_bytes(b"half")  # killed before state.json named it
    found = checkpoint.read()
    assert found is not None and found[0] == 1
    assert torch.equal(found[1]["weight"], torch.ones(2))


@pytest.mark.parametrize(
    ("name", "content"),
    [("state.json", b"{"), ("state.json", b'{"version": 0}'), ("state-1.safetensors", b"half"), ("state.json", b"[]")],
)
def test_a_damaged_checkpoint_is_said_and_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, content: bytes
) -> None:
    checkpoint = Checkpoint(tmp_path / "checkpoint", {})
    checkpoint.write(1, {"weight": torch.ones(2)})
    (checkpoint.directory / name).write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert checkpoint.read() is None
    assert "cannot be read, not used" in caplog.text


def test_a_checkpoint_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        Checkpoint(tmp_path / "file" / "checkpoint", {}).write(1, {"weight": torch.ones(2)})
