"""Silence for C++ libraries that write lines of their own, past Python. What goes wrong comes as exceptions."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STDOUT, STDERR = 1, 2  # their file descriptors


@contextmanager
def silent(descriptor: int) -> Iterator[None]:
    """Without one of the process's outputs, on the level of the operating system."""
    kept = os.dup(descriptor)
    try:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), descriptor)
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
