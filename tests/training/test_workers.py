"""Processes that share a training (`lorescore train --nj`): what one comes to; and how they end."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from ended_runs import ROOT
from safetensors.torch import load_file
from test_step import assert_close, gradients, step_of
from train_verb import Train, arguments, error_line, make_exp, training_in
from waiting import wait_for

from lorescore.errors import InputError
from lorescore.files import read_yaml
from lorescore.nbest import NbestSet
from lorescore.scoring.rescorer import NotFiniteError, Rescorer
from lorescore.training import workers
from lorescore.training.evaluation import evaluate
from lorescore.training.workers import ALONE, Workers

FreshRescorer = Callable[..., Rescorer]
ROBUST = ("--perturb_train", "homophone:0.5", "--consistency", "1", "--perturb_share", "1")
LEARNING = ("--learning_rate", "0.02", "--epochs", "2", "--lists_per_step", "5", "--evaluations", "2")


class Part(Workers):
    """One of several processes, whose sums are left to the test."""

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        return values

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        pass


@pytest.mark.parametrize("count", [2, 3, 8])  # of eight some have nothing to do: the step has six lists
@pytest.mark.parametrize("correlation", [0.0, 2.0])
def test_the_parts_of_a_step_add_up_to_it(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, correlation: float, count: int
) -> None:
    rescorer = fresh_rescorer()
    step, lists = step_of(rescorer, train_lists, correlation=correlation)
    loss = step.accumulate(lists)
    whole = gradients(rescorer.scorer)
    rescorer.scorer.zero_grad(set_to_none=True)
    losses = []
    for number in range(count):  # into the same gradients
        step.workers = Part(number, count)
        losses.append(step.accumulate(lists))
    assert sum(losses) == pytest.approx(loss, abs=1e-4)
    assert_close(gradients(rescorer.scorer), whole)


def test_the_parts_of_dev_add_up_to_it(
    fresh_rescorer: FreshRescorer, dev_lists: NbestSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    rescorer = fresh_rescorer()
    costs: list[torch.Tensor] = []
    monkeypatch.setattr(Part, "sum", lambda self, values: costs.append(values) or values)
    for number in range(3):
        evaluate(rescorer, dev_lists, 1, {}, workers=Part(number, 3))
    assert all((one != 0).any() for one in costs)
    expected = [-score for one in rescorer.score_lists(dev_lists) for score in one]
    assert sum(costs).tolist() == pytest.approx(expected, abs=1e-4)  # type: ignore[union-attr]


def test_a_score_of_another_part_that_is_no_number(
    fresh_rescorer: FreshRescorer, dev_lists: NbestSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Part, "sum", lambda self, values: values + torch.nan)
    with pytest.raises(NotFiniteError):
        evaluate(fresh_rescorer(), dev_lists, 1, {}, workers=Part(1, 2))


def test_one_process_alone_has_everything() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    ALONE.sum_gradients([parameter])
    assert parameter.grad is None and ALONE.is_leader
    assert ALONE.of([1, 2, 3]) == [1, 2, 3]


def test_what_lies_by_columns_is_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    """`torch.distributed` takes it by rows alone."""

    def twice(tensor: torch.Tensor) -> None:
        assert tensor.is_contiguous()
        tensor.mul_(2)

    monkeypatch.setattr(workers.distributed, "all_reduce", twice)
    parameter = torch.nn.Parameter(torch.ones(2, 3).T)
    parameter.grad = torch.arange(6.0).reshape(2, 3).T
    Workers(0, 2).sum_gradients([parameter])
    assert not parameter.grad.is_contiguous()
    assert parameter.grad.tolist() == [[0, 6], [2, 8], [4, 10]]


def test_more_processes_than_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "default_device", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(InputError, match="--nj 3, but there are 2 GPUs"), workers.started(3, print):
        raise AssertionError


@pytest.fixture
def exp(tmp_path: Path) -> Path:
    make_exp(tmp_path / "exp")
    (tmp_path / "exp/words").write_text("sea\nsee\nrain\nreign\nplain\nplane\n")
    return tmp_path / "exp"


@pytest.fixture
def train(exp: Path, capsys: pytest.CaptureFixture[str]) -> Train:
    return training_in(exp, capsys, "--tensorboard", "false")


def test_none_is_no_number_of_processes(train: Train) -> None:
    assert "--nj is 0, expected 1 or more" in error_line(train("llama", "clm", "--nj", "0"))


def trained(exp: Path, train: Train, nj: int, *options: object) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The weights that were trained, and the record of dev."""
    status, out_lines, _ = train(*options, "--nj", nj, "--vocab", exp / "words")
    assert (status, len(out_lines.splitlines())) == (0, 2), out_lines
    out = Path(out_lines.splitlines()[-1].partition(": ")[0])
    tensors = {
        f"{path.name} {name}": tensor
        for path in sorted(out.rglob("*.safetensors"))
        for name, tensor in load_file(path).items()
    }
    history = read_yaml(out / "history.yaml")
    out.rename(exp / f"trained_by_{nj}")
    return tensors, history


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ("llama", "clm", "--lora", "adalora", *ROBUST, "--correlation", "0.1"),
        ("bert", "cls", "--lora", "mixed", *ROBUST, "--objective", "mwer+distill"),
    ],
    ids=["clm", "cls"],
)
def test_two_come_to_what_one_comes_to(exp: Path, train: Train, options: tuple[str, ...]) -> None:
    if "cls" in options:
        assert train("llama", "clm", "--lora", "none")[0] == 0
        options = (*options, "--teacher", str(exp / "plm" / "llama_clm_none"))
    (one, of_one), (two, of_two) = (trained(exp, train, nj, *options[:2], *LEARNING, *options[2:]) for nj in (1, 3))
    assert one.keys() == two.keys() and len(one) > 3
    for name, tensor in one.items():
        if name != "head.safetensors bias":  # which changes no choice: its gradient is nothing but rounding errors
            torch.testing.assert_close(two[name], tensor, rtol=0, atol=1e-4, msg=lambda m, n=name: f"{n}: {m}")
    wers = [[step["dev_wer"] for step in history["evaluations"]] for history in (of_one, of_two)]
    assert wers[0] == wers[1]


@contextmanager
def started(exp: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A training in a process of its own, which does not outlive the block."""
    command = [sys.executable, "-m", "lorescore", "train", *arguments(exp, "llama", "clm"), *options]
    process = subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": str(ROOT / "local"), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As at a terminal: tests that run in the background, or by nohup, have been started with it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def children(pid: int) -> list[int]:
    """The processes that share a training, without Python's tracker of resources."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, path.read_text().split()):
            if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text():
                found.append(child)
    return sorted(found)


def has_begun(process: subprocess.Popen[str], exp: Path) -> bool:
    """Whether the checkpoint of step 0 is there, while the training runs."""
    assert process.poll() is None, process.communicate()
    return bool(list(exp.glob("plm/.*.checkpoint/state.json")))


LONG = ("--epochs", "2000", "--evaluations", "1", "--nj", "2")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="Linux tells which processes there are")
def test_a_process_that_is_killed_ends_all_with_one_line(exp: Path) -> None:
    with started(exp, *LONG) as process:
        assert wait_for(lambda: has_begun(process, exp), 120)
        others = children(process.pid)
        assert len(others) == 1
        os.kill(others[0], signal.SIGKILL)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    expected = "one of the processes that share the training has ended (what it said stands above, if anything; "
    assert said.splitlines()[-1] == f"lorescore train: {expected}start it again to go on)"
    assert "Traceback" not in said
    assert wait_for(lambda: not any(is_running(one) for one in others))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="Linux tells which processes there are")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_none_outlives_the_leader(exp: Path, number: signal.Signals) -> None:
    with started(exp, *LONG) as process:
        assert wait_for(lambda: has_begun(process, exp), 120)
        others = children(process.pid)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert "Traceback" not in said
    assert wait_for(lambda: not any(is_running(one) for one in others))


LEADER = """
import multiprocessing, os, signal
from lorescore.training import workers

def end(*place):
    print(*(one.pid for one in multiprocessing.active_children()), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

workers._join = end
with workers.started(3, print):
    pass
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="Linux tells which processes there are")
def test_a_leader_that_ends_while_the_others_start() -> None:
    """They would wait for it, and for each other."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "local"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", LEADER]
    leader = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert leader.stdout is not None
    with leader.stdout as said:  # the others hold it open
        others = [int(pid) for pid in said.readline().split()]
    assert leader.wait() == -signal.SIGKILL
    try:
        assert len(others) == 2
        assert wait_for(lambda: not any(is_running(one) for one in others))
    finally:
        for one in filter(is_running, others):
            os.kill(one, signal.SIGKILL)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_another_number_of_processes_goes_on(exp: Path, train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the checkpoint that three have left."""
    whole = trained(exp, train, 1, "llama", "clm", *LEARNING)[0]
    from lorescore.training.trainer import Trainer

    update = Trainer._update

    def ending(self: Trainer, at: int, *given: Any) -> str:
        if at == 5:
            raise KeyboardInterrupt
        return update(self, at, *given)

    monkeypatch.setattr(Trainer, "_update", ending)
    monkeypatch.setattr(Trainer, "_is_time_to_save", lambda self: True)
    options = ("llama", "clm", *LEARNING, "--vocab", exp / "words")
    assert train(*options, "--nj", 3)[0] == 130
    assert list(exp.glob("plm/.*.checkpoint/state-4.safetensors"))
    monkeypatch.undo()
    resumed = trained(exp, train, 2, "llama", "clm", *LEARNING)[0]
    for name, tensor in whole.items():
        torch.testing.assert_close(resumed[name], tensor, rtol=0, atol=1e-4)
