"""Locks between processes: one holds it, the others are told, and nothing is left."""

import errno
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lorescore import locks
from lorescore.errors import InputError
from lorescore.locks import lock_beside

LOCAL = Path(__file__).resolve().parents[1] / "local"
# Adds a line to a file that only one process is to write: without a lock lines are lost.
ADD = """
import sys
from pathlib import Path
from lorescore.locks import lock_beside
path = Path(sys.argv[1])
for _ in range(20):
    with lock_beside(path, "writes"):
        path.write_text(path.read_text() + "x")
"""


def test_the_second_one_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "WAIT_SECONDS", 0.2)
    out = tmp_path / "plm" / "tag"
    with lock_beside(out, "trains"):
        with pytest.raises(InputError) as error, lock_beside(out, "trains"):
            pass
        assert str(error.value) == f"{out}: another process trains this (wait until it has finished)"
        with lock_beside(tmp_path / "plm" / "other", "trains"):
            pass
    with lock_beside(out, "trains"):
        assert [path.name for path in out.parent.iterdir()] == [".tag.lock"]
    assert list(out.parent.iterdir()) == []


def test_several_processes_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    (tmp_path / ".file.lock").touch()  # left by one that was killed
    environment = os.environ | {"PYTHONPATH": str(LOCAL)}
    processes = [subprocess.Popen([sys.executable, "-c", ADD, path], env=environment) for _ in range(4)]
    deadline = time.monotonic() + 60
    assert [process.wait(max(0.0, deadline - time.monotonic())) for process in processes] == [0] * 4
    assert path.read_text() == "x" * 80
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    with lock_beside(tmp_path / "tag", "trains"), lock_beside(tmp_path / "tag", "trains"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """What is written there fails with an error of its own."""
    (tmp_path / "file").touch()
    with lock_beside(tmp_path / "file" / "tag", "trains"):
        pass
