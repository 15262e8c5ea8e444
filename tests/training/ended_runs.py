"""Runs that are ended before their time, by an exception or by SIGKILL, and the weights that they come to."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from lorescore.scoring.rescorer import Rescorer

Item = TypeVar("Item")
ROOT = Path(__file__).resolve().parents[2]


class EndedError(Exception):
    """Stands for what ends a process."""


def ending_after(steps: int, end: Callable[[], None]) -> Callable[[Sequence[Item], str], Iterator[Item]]:
    """A progress that calls `end` when so many steps are done."""

    def watch(items: Sequence[Item], part: str) -> Iterator[Item]:
        for done, item in enumerate(items):
            if part == "training" and done == steps:
                end()
            yield item

    return watch


def raise_ended() -> None:
    raise EndedError


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run_until_killed(module: str, folder: Path) -> None:
    """Call `train_and_die(folder)` of a test module in a process of its own, which it must kill."""
    code = f"import sys, pathlib, {module}; {module}.train_and_die(pathlib.Path(sys.argv[1]))"
    paths = [str(ROOT / "local"), str(ROOT / "tests"), str(ROOT / "tests" / "training")]
    process = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr


def saved(rescorer: Rescorer, directory: Path) -> dict[str, bytes]:
    """The files of weights."""
    rescorer.save(directory)
    return {path.name: path.read_bytes() for path in sorted(directory.rglob("*.safetensors"))}
