"""`lorescore train` that was killed or that diverged: nothing is lost, and what can be used lies where it says."""

import json
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from train_verb import QUICK, Train, error_line, make_exp, training_in
from transformers import AutoModelForCausalLM

from lorescore import locks
from lorescore.cli.rescore import require_rescorers
from lorescore.errors import InputError
from lorescore.files import read_yaml
from lorescore.locks import lock_beside
from lorescore.nbest import read_nbest_dir
from lorescore.scoring.clm import CausalScorer
from lorescore.scoring.rescorer import Rescorer
from lorescore.training.data import TrainingList
from lorescore.training.evaluation import tuned_on
from lorescore.training.step import StepGradients
from lorescore.training.trainer import Trainer


@pytest.fixture(scope="module")
def exp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    exp_dir = tmp_path_factory.mktemp("exp")
    make_exp(exp_dir)
    return exp_dir


@pytest.fixture
def train(exp: Path, capsys: pytest.CaptureFixture[str]) -> Train:
    return training_in(exp, capsys, "--tensorboard", "false")


class _KilledError(Exception):
    """Stands for what ends a process."""


def _killed(*_: object) -> None:
    raise _KilledError


def _ending_at(step: int) -> Callable[..., str]:
    """A Trainer's update that ends the process at a step."""
    update = Trainer._update

    def ended(self: Trainer, at: int, *arguments: Any) -> str:
        if at == step:
            raise _KilledError
        return update(self, at, *arguments)

    return ended


def test_an_unfinished_training_outlives_a_call_with_other_settings(
    exp: Path, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--seed", "11", "--lists_per_step", "2", "--checkpoint_minutes", "0")
    checkpoint = exp / "plm" / ".llama_clm_vanilla_mwer_s11.checkpoint"
    with monkeypatch.context() as patch, pytest.raises(_KilledError):
        patch.setattr(Trainer, "_update", _ending_at(6))
        train("llama", "clm", *options)
    before = {path.name: path.read_bytes() for path in checkpoint.iterdir()}
    assert json.loads(before["state.json"])["step"] == 5
    line = error_line(train("llama", "clm", *options, "--epochs", "3"))
    assert line == (
        f"lorescore train: {checkpoint}: holds an unfinished training with another training_settings.epochs "
        f"(give this one another name, --suffix NAME, or move {checkpoint} away)\n"
    )
    assert {path.name: path.read_bytes() for path in checkpoint.iterdir()} == before
    # `auto` on a GPU was another precision than here.
    record = json.loads(before["state.json"])
    elsewhere = record | {"run": record["run"] | {"precision": "bfloat16 products"}}
    (checkpoint / "state.json").write_text(json.dumps(elsewhere), encoding="utf-8")
    assert "holds an unfinished training with another precision (" in error_line(train("llama", "clm", *options))
    (checkpoint / "state.json").write_bytes(before["state.json"])
    # A program that did not have a setting yet left none of it.
    record = json.loads(before["state.json"])
    del record["run"]["training_settings"]["consistency_margin"]
    (checkpoint / "state.json").write_text(json.dumps(record))
    with monkeypatch.context() as patch, pytest.raises(_KilledError):
        patch.setattr(Trainer, "_update", _ending_at(8))
        train("llama", "clm", *options)
    assert json.loads((checkpoint / "state.json").read_text())["step"] == 7
    assert train("llama", "clm", *options)[0] == 0
    assert not checkpoint.exists()


@pytest.mark.parametrize("own", [True, False])
def test_a_checkpoint_that_a_finished_run_has_left_is_removed(
    exp: Path, train: Train, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    """Killed between the two; another run's checkpoint stays."""
    options = ("--suffix", f"own-{own}", *QUICK)
    checkpoint = exp / "plm" / f".llama_clm_vanilla_mwer_s1_own-{own}.checkpoint"
    with monkeypatch.context() as patch, pytest.raises(_KilledError):
        patch.setattr("lorescore.cli.train._save_trained", _killed)
        train("llama", "clm", *options)
    left = {path.name: path.read_bytes() for path in checkpoint.iterdir()}
    assert train("llama", "clm", *options)[0] == 0
    checkpoint.mkdir()
    for name, content in left.items():
        (checkpoint / name).write_bytes(content)
    lock = checkpoint.with_suffix(".lock")
    lock.touch()
    if not own:
        record = json.loads(left["state.json"])
        record["run"]["training_settings"]["epochs"] = 7
        (checkpoint / "state.json").write_text(json.dumps(record), encoding="utf-8")
    assert "finished before" in train("llama", "clm", *options)[1]
    assert checkpoint.exists() is not own and not lock.exists()


def test_two_calls_do_not_train_the_same(exp: Path, train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "WAIT_SECONDS", 0.2)
    out = exp / "plm" / "llama_clm_vanilla_mwer_s15"
    with lock_beside(out, "trains"):
        line = error_line(train("llama", "clm", "--seed", "15", *QUICK))
    assert line == f"lorescore train: {out}: another process trains this (wait until it has finished)\n"
    assert train("llama", "clm", "--seed", "15", *QUICK)[0] == 0
    with lock_beside(out, "trains"):
        assert "finished before" in train("llama", "clm", "--seed", "15", *QUICK)[1]


def test_a_run_that_took_too_much_memory_goes_on_with_less(
    exp: Path, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--seed", "14", "--lists_per_step", "2", "--checkpoint_minutes", "0")
    tag = "llama_clm_vanilla_mwer_s14"
    record = exp / "plm" / f".{tag}.checkpoint" / "state.json"
    for step, budget in ((4, 2048), (6, 64)):
        with monkeypatch.context() as patch, pytest.raises(_KilledError):
            patch.setattr(Trainer, "_update", _ending_at(step))
            train("llama", "clm", *options, "--token_budget", budget)
        content = json.loads(record.read_text())
        assert (content["step"], content["state"]["token_budget"]) == (step - 1, budget)
    steps: list[int] = []
    update = Trainer._update

    def watched(self: Trainer, step: int, rate: float, gradients: StepGradients, lists: Sequence[TrainingList]) -> str:
        steps.append(step)
        assert (gradients.token_budget, self.settings.gradient_checkpointing) == (64, True)  # a larger one is not taken
        return update(self, step, rate, gradients, lists)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_update", watched)
        assert train("llama", "clm", *options, "--token_budget", "128", "--gradient_checkpointing", "true")[0] == 0
    assert steps == [6, 7, 8]
    assert "finished before" in train("llama", "clm", *options)[1]
    line = error_line(train("llama", "clm", *options, "--token_budget", "64", "--patience", "1", "--lm_loss", "0.5"))
    assert "a rescorer trained with another training_settings.lm_loss, training_settings.patience (" in line


@pytest.mark.filterwarnings("ignore:The following rank_pattern keys")
@pytest.mark.parametrize("lora", ["vanilla", "adalora", "full"])
def test_a_training_that_diverges_leaves_a_rescorer_and_can_be_repeated(
    exp: Path, train: Train, monkeypatch: pytest.MonkeyPatch, lora: str
) -> None:
    options = ("--lora", lora, "--seed", "12", "--lists_per_step", "2", "--evaluations", "8")
    tag = f"llama_clm_{lora}_mwer_s12"
    kept, checkpoint = exp / "diverged" / tag, exp / "plm" / f".{tag}.checkpoint"
    accumulate = StepGradients.accumulate
    steps = count(1)

    def diverging(self: StepGradients, lists: Sequence[TrainingList]) -> float:
        loss = accumulate(self, lists)
        return float("nan") if next(steps) == 7 else loss

    with monkeypatch.context() as patch:
        patch.setattr(StepGradients, "accumulate", diverging)
        status, _, err = train("llama", "clm", *options, "--learning_rate", "2e-2")
    assert status == 1 and err.count("\n") == 1
    assert "training diverged: loss nan" in err and "at step 7 (learning rate " in err
    config = read_yaml(kept / "config.yaml")
    assert f"(lower --learning_rate; the best weights so far, of step {config['training']['best_step']}, are in" in err
    assert err.endswith(f" are in {kept})\n")
    assert config["diverged"].startswith("training diverged: loss nan")
    assert config["strategy"]["learning_rate"] == 2e-2
    assert len(read_yaml(kept / "history.yaml")["evaluations"]) == 7
    assert not (exp / "plm" / tag).exists()
    with pytest.raises(InputError, match="no finished rescorer"):
        require_rescorers([tag], exp / "plm")

    # It has the weights that were best: with its rescorer's scores dev is as it was then.
    dev = read_nbest_dir(exp / "nbest" / "dev")
    rescorer = Rescorer.load(kept)
    _, dev_wer = tuned_on(dev, [[-score for score in one] for one in rescorer.score_lists(dev)])
    assert round(dev_wer, 4) == config["training"]["dev_wer_best"]
    if lora != "full":
        base = AutoModelForCausalLM.from_pretrained(config["plm_dir"], dtype=torch.float32)
        stock = CausalScorer(PeftModel.from_pretrained(base, kept).eval(), rescorer.scorer.tokenizer, rescorer.plm)
        lists = [one.texts for one in dev]
        scores = [torch.tensor(Rescorer(one, rescorer.plm, {}).score(lists)) for one in (stock, rescorer.scorer)]
        torch.testing.assert_close(*scores, rtol=0, atol=1e-4)

    # The same again goes on from the last checkpoint; another rate begins anew, and leaves what was kept.
    before = {path.name: path.read_bytes() for path in kept.iterdir() if path.is_file()}
    with monkeypatch.context() as patch, pytest.raises(_KilledError):
        patch.setattr(Trainer, "_update", _ending_at(7))
        train("llama", "clm", *options, "--learning_rate", "2e-2")
    assert json.loads((checkpoint / "state.json").read_text())["step"] == 6
    status, out, _ = train("llama", "clm", *options, "--learning_rate", "1e-3")
    assert status == 0 and f"{exp / 'plm' / tag}: dev WER " in out
    assert read_yaml(exp / "plm" / tag / "config.yaml")["training"]["steps"] == 8
    assert {path.name: path.read_bytes() for path in kept.iterdir() if path.is_file()} == before
    assert not checkpoint.exists()


def test_the_weights_of_several_divergences_are_kept_apart(
    exp: Path, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StepGradients, "accumulate", lambda self, lists: float("nan"))
    options = ("--seed", "13", *QUICK, "--learning_rate")
    folders = [(rate, train("llama", "clm", *options, rate)[2].split()[-1]) for rate in ("1.0", "0.1", "1.0", "0.1")]
    first = f"{exp}/diverged/llama_clm_vanilla_mwer_s13"
    assert folders == [("1.0", f"{first})"), ("0.1", f"{first}.2)"), ("1.0", f"{first})"), ("0.1", f"{first}.2)")]
    assert [read_yaml(Path(one) / "config.yaml")["strategy"]["learning_rate"] for one in (first, f"{first}.2")] == [
        1,
        0.1,
    ]
