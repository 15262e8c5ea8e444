"""Text files as Kaldi keeps them: UTF-8, one record a line, `key value`, sorted, and never half-written."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import yaml

from lorescore.errors import InputError

CHUNK_BYTES = 1 << 20


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[str]]:
    """Open a text file for writing that appears under its name only when it is complete.

    Args:
        path: Where the file will be; its folder is made.

    Raises:
        InputError: The disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise InputError(
            f"cannot be written: {error.strerror}", path=path, mend="free some space or choose another directory"
        ) from error
    finally:
        with suppress(OSError):  # the folder itself may be what could not be made
            temporary.unlink(missing_ok=True)


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 text file with their numbers, counted from 1, without their line ends.

    Raises:
        InputError: The file is missing or a line is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                try:
                    yield number, raw.decode("utf-8").rstrip("\r\n")
                except UnicodeDecodeError as error:
                    raise InputError(
                        f"byte {error.start + 1} of the line is not UTF-8",
                        path=path,
                        line=number,
                        mend="convert the file with iconv -t UTF-8",
                    ) from error
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path) from error


def read_table(path: Path) -> dict[str, str]:
    """A Kaldi table, `key value...`, as a dictionary in the file's order. The value may be empty.

    Raises:
        InputError: A line has no key, a key stands twice, or the file cannot be read.
    """
    table: dict[str, str] = {}
    for number, line in read_lines(path):
        key, *rest = line.split(maxsplit=1)[:2] or [""]
        if not key:
            raise InputError("empty line, expected `key value`", path=path, line=number, mend="delete the line")
        if key in table:
            raise InputError(f"key {key} for the second time", path=path, line=number, mend="keep one line a key")
        table[key] = " ".join(rest[0].split()) if rest else ""
    return table


def write_table(path: Path, table: Mapping[str, str] | Iterable[tuple[str, str]]) -> None:
    """Write a Kaldi table, sorted by key in the C locale; an empty value leaves the key alone."""
    items = table.items() if isinstance(table, Mapping) else table
    with atomic_write(path) as file:
        for key, value in sorted(items):
            file.write(f"{key} {value}\n" if value else f"{key}\n")


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping.

    Raises:
        InputError: The file is missing, is not YAML, or is not a mapping.
    """
    text = "\n".join(line for _, line in read_lines(path))
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"not YAML: {' '.join(str(error).split())}", path=path) from error
    if not isinstance(content, dict):
        raise InputError("expected a YAML mapping (`key: value` lines)", path=path)
    return content


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as YAML, in its own order."""
    with atomic_write(path) as file:
        yaml.safe_dump(dict(content), file, sort_keys=False, allow_unicode=True)


def checksum(paths: Iterable[Path]) -> str:
    """SHA-256 over the contents of files, in the given order, as hexadecimal digits."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()
