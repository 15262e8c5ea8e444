"""A lock that a process holds on what it is to write, so that no other one writes it meanwhile."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from lorescore.errors import InputError

WAIT_SECONDS = 10.0  # what was just killed may still be ending
POLL_SECONDS = 0.1


@contextmanager
def lock_beside(path: Path, does: str) -> Iterator[None]:
    """Hold the lock file `.<name>.lock` beside a path. A killed process leaves the file, but no lock.

    Where the file cannot be made, or the file system has no locks, nothing is held.

    Args:
        path: What is to be written; its folder is made.
        does: What a process does that holds the lock, for the error: `trains`.

    Raises:
        InputError: Another process holds it, and goes on for more than a few seconds.
    """
    lock, file = path.with_name(f".{path.name}.lock"), None
    with suppress(OSError):
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = _locked(lock)
        if file is None:
            raise InputError(f"another process {does} this", path=path, mend="wait until it has finished")
    try:
        yield
    finally:
        if file:
            with suppress(OSError):
                lock.unlink()  # while it is held: who waits for it finds that it has gone
            file.close()


def _locked(lock: Path) -> IO[bytes] | None:
    """The file, locked where there are locks; None where another process holds it.

    Raises:
        OSError: It cannot be opened.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() <= deadline:
        file = lock.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(POLL_SECONDS)
        except OSError:
            return file
        else:
            if _is_at(lock, file):
                return file
        file.close()
    return None


def _is_at(path: Path, file: IO[bytes]) -> bool:
    """Whether an open file is still the one of this name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
