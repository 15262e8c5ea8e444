"""Text files as Kaldi keeps them: UTF-8, one record a line, `key value`, sorted, and never half-written."""

import codecs
import glob
import hashlib
import json
import math
import os
import platform
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import yaml

from lorescore.errors import InputError

CHUNK_BYTES = 1 << 20
CHECK_PATH = "check the path"
GZIP = b"\x1f\x8b"  # the first bytes of a gzip file (RFC 1952)
GUNZIP = "gunzip it first"
MACHINE = re.sub(r"[^A-Za-z0-9]", "-", platform.node())
# Kaldi, sclite and awk split at ASCII white space alone; str.split() would also split at a no-break space (U+00A0).
WORD = re.compile(r"[^ \t\n\r\f\v]+")


def split_words(text: str) -> list[str]:
    """The words of a text as Kaldi and sclite see them: what ASCII white space separates."""
    # The space is the only white space that is printable: in nearly all texts str.split() does the same, in a third of
    # the time.
    return text.split() if text.isprintable() else WORD.findall(text)


def single_spaced(text: str) -> str:
    """The words of a text joined by single spaces."""
    # Nearly all texts are so already, which is seen sooner than it is done.
    if text.isprintable() and "  " not in text and text == text.strip(" "):
        return text
    return " ".join(split_words(text))


def as_number(text: str) -> float:
    """The number that a text is; NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def is_encodable(text: str) -> bool:
    """Whether all of a text are characters: half a surrogate pair (`\\ud83d` alone in JSON) is none."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[str]]:
    """Open a text file for writing that appears under its name only when it is complete; see `whole_file`."""
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary name for a file, which takes its own name when it is complete.

    Args:
        path: Where the file will be; its folder is made.

    Raises:
        InputError: The disk is full or the folder cannot be written.
    """
    temporary = temporary_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):  # the folder itself may be what could not be made
            temporary.unlink(missing_ok=True)


@contextmanager
def whole_directory(path: Path) -> Iterator[Path]:
    """A temporary directory, which takes its own name when it is complete.

    Raises:
        InputError: There is something under that name already, or it cannot be written.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise InputError("is there already", path=path, mend="choose another name or delete it")
    temporary = temporary_beside(path)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def give_usual_mode(paths: Iterable[Path]) -> None:
    """Give files the mode that the umask gives: safetensors writes its own for their owner alone."""
    umask = os.umask(0o077)  # there is no way to read it but to set it
    os.umask(umask)
    for path in paths:
        path.chmod(0o666 & ~umask)


def temporary_beside(path: Path) -> Path:
    """A name of this process's own in the same folder, until what is written is complete.

    Raises:
        InputError: The path has no last part to name anything.
    """
    if not path.name:
        raise InputError(f"{path} names no file", mend=CHECK_PATH)
    return path.with_name(f".{path.name}.{process_name()}.tmp")


def process_name(process: int | None = None) -> str:
    """What names a process, by default this one, in the names of what it has half-written.

    The machine is part of it: the jobs of a cluster share their files, and two may have the same id.
    """
    return f"{MACHINE}-{os.getpid() if process is None else process}"


def remove_left_behind(folder: Path, before: str, after: str = "") -> None:
    """Remove what processes that were killed have half-written.

    Args:
        folder: Where it is.
        before: What its names have before the `process_name`.
        after: What they have after it.
    """
    before += f"{MACHINE}-"  # what runs elsewhere is not known here
    for path in folder.glob(f"{glob.escape(before)}*{glob.escape(after)}"):
        process = path.name[len(before) : len(path.name) - len(after)]
        if process.isdecimal() and not _runs(int(process)):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    """Whether there is a process of this id."""
    try:
        os.kill(process, 0)
    except PermissionError:  # another user's
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def unwritable(path: Path, error: OSError) -> InputError:
    """The error for a file or directory that cannot be written."""
    in_the_way = isinstance(error, FileExistsError)  # a file, or a link to nothing
    mend = "choose another name or delete it" if in_the_way else "free some space or choose another directory"
    return InputError(f"cannot be written: {error.strerror or error}", path=path, mend=mend)


def behind_link(path: Path) -> Path:
    """The file that a link leads to, for messages: the link may be one of our own. Other paths stay as they are."""
    return path.resolve() if path.is_symlink() else path


def read_lines(path: Path, *, mend: str = CHECK_PATH) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 text file with their numbers, counted from 1, without line ends and byte-order mark.

    Args:
        path: The file.
        mend: What the user can do where it is missing.

    Raises:
        InputError: The file is missing or compressed, or a line is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                line = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
                try:
                    yield number, line.decode("utf-8").rstrip("\r\n")
                except UnicodeDecodeError as error:
                    if number == 1 and raw.startswith(GZIP):
                        raise InputError("a gzip file, expected text", path=path, mend=GUNZIP) from error
                    raise InputError(
                        f"byte {error.start + 1} of the line is not UTF-8",
                        path=path,
                        line=number,
                        mend="convert the file with iconv -t UTF-8",
                    ) from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path, mend=mend) from error


def read_table(path: Path, *, mend: str = CHECK_PATH) -> dict[str, str]:
    """A Kaldi table, `key value...`, as a dictionary in the file's order.

    A value is its words joined by single spaces; it may be empty.

    Args:
        path: The file.
        mend: What the user can do where it is missing.

    Raises:
        InputError: A line has no key, a key stands twice, or the file cannot be read.
    """
    table: dict[str, str] = {}
    for number, line in read_lines(path, mend=mend):
        key, _, value = single_spaced(line).partition(" ")
        if not key:
            raise InputError("empty line, expected `key value`", path=path, line=number, mend="delete the line")
        if key in table:
            raise InputError(f"key {key} for the second time", path=path, line=number, mend="keep one line a key")
        table[key] = value
    return table


def write_table(path: Path, table: Mapping[str, str] | Iterable[tuple[str, str]]) -> None:
    """Write a Kaldi table, sorted by key in the C locale; an empty value leaves the key alone."""
    items = table.items() if isinstance(table, Mapping) else table
    with atomic_write(path) as file:
        for key, value in sorted(items):
            file.write(f"{key} {value}\n" if value else f"{key}\n")


def table_checksum(table: Mapping[str, str]) -> str:
    """SHA-256 over what a Kaldi table says, whatever the order and the white space of its file."""
    content = "".join(f"{key} {single_spaced(value)}\n" for key, value in sorted(table.items()))
    return hashlib.sha256(content.encode()).hexdigest()


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping.

    Raises:
        InputError: The file is missing, is not YAML, or is not a mapping.
    """
    text = "\n".join(line for _, line in read_lines(path))
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"not YAML: {' '.join(str(error).split())}", path=path) from error
    if not isinstance(content, dict):
        raise InputError("expected a YAML mapping (`key: value` lines)", path=path)
    return content


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as YAML, in its own order."""
    with atomic_write(path) as file:
        yaml.safe_dump(dict(content), file, sort_keys=False, allow_unicode=True)


def write_json(path: Path, content: Any) -> None:
    """Write JSON, a value a line."""
    with atomic_write(path) as file:
        json.dump(content, file, indent=1, ensure_ascii=False, allow_nan=False)
        file.write("\n")


def checksum(paths: Iterable[Path]) -> str:
    """SHA-256 over the contents of files, in the given order, as hexadecimal digits.

    Raises:
        InputError: A file cannot be read.
    """
    digest = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    digest.update(chunk)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", path=path, mend=CHECK_PATH) from error
    return digest.hexdigest()
