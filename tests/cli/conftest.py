"""A small ESPnet decode, an experiment directory made from it, and the command line as a user calls it."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lorescore.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
# Utterance: reference, hypotheses by rank with their scores as ESPnet writes them.
UTTERANCES = {
    "84-1-0": ("the sun set", [("the son set", "tensor(-1.5)"), ("the sun set", "tensor(-2.5)")]),
    "84-1-1": ("i see", [("eye see", "-0.5"), ("i see", "-0.75")]),
    "174-2-10": ("yes", [("", "tensor(-3.25, device='cuda:0')")]),
}


@pytest.fixture
def decode(tmp_path: Path) -> Path:
    """decode/logdir/output.{1,2}, two utterances in the first job and one in the second, and decode/ref_text."""
    decode_dir = tmp_path / "decode"
    for utt, (_, hypotheses) in UTTERANCES.items():
        job = "output.1" if utt.startswith("84") else "output.2"
        for rank, (text, score) in enumerate(hypotheses, start=1):
            folder = decode_dir / "logdir" / job / f"{rank}best_recog"
            folder.mkdir(parents=True, exist_ok=True)
            for name, value in (("text", text), ("score", score)):
                with (folder / name).open("a") as file:
                    file.write(f"{utt} {value}\n")
    (decode_dir / "ref_text").write_text("".join(f"{utt} {ref}\n" for utt, (ref, _) in UTTERANCES.items()))
    return decode_dir


@dataclass(frozen=True)
class Outcome:
    """What a call of the command line gave: exit status, standard output, standard error."""

    status: int
    out: str
    err: str

    def error_line(self) -> str:
        """The one line of an error: status 1, nothing on standard output."""
        assert (self.status, self.out, self.err.count("\n")) == (1, "", 1), self
        return self.err.rstrip("\n")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Call the command line in this process."""

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    return run


def python_m_lorescore(*arguments: object, **options: object) -> Outcome:
    """Call the real command line in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "lorescore", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "local"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        **options,  # type: ignore[call-overload]
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def real_call() -> Callable[..., Outcome]:
    """Call the real command line in a process of its own; options as those of subprocess.run."""
    return python_m_lorescore


@pytest.fixture
def nbest_dir(decode: Path, tmp_path: Path, call: Callable[..., Outcome]) -> Path:
    """exp/nbest/test, made from the decode."""
    out = tmp_path / "exp" / "nbest" / "test"
    assert call("import-nbest", "--decode_dir", decode, "--ref", decode / "ref_text", "--out", out).status == 0
    return out
