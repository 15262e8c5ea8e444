"""All formats by name, and which of them a file or directory is, found by looking at its content."""

import os
from pathlib import Path

from lorescore.choices import require_choice
from lorescore.errors import InputError
from lorescore.files import GUNZIP, GZIP
from lorescore.nbest.formats import espnet_decode, hf_table, icefall, jsonl, kaldi, mlm_scoring, nbest_dir, nemo, tsv
from lorescore.nbest.formats.format import Format, first_bytes

MODULES = (espnet_decode, nbest_dir, kaldi, mlm_scoring, nemo, icefall, tsv, jsonl, hf_table)
FORMATS: dict[str, Format] = {module.FORMAT.name: module.FORMAT for module in MODULES}
LATTICES = ("lat.*", "*.lat", "*.slf", "*.slf.gz", "*.lat.gz")


def format_named(name: str, option: str) -> Format:
    """A format by its name, which the user gave for an option.

    Raises:
        InputError: There is none; the error names the nearest.
    """
    return FORMATS[require_choice(option, name, FORMATS)]


def find_format(path: Path) -> tuple[Format, str]:
    """The format of a file or directory by its content, and what in it speaks for that.

    The end of its name decides where the content looks like nothing that is known.

    Raises:
        InputError: There is nothing, it cannot be read, it looks like no format, or like several.
    """
    if not path.exists():
        raise InputError("no such file or directory", path=path, mend="check the path")
    if not os.access(path, os.R_OK):  # it would look like nothing that is known
        raise InputError("cannot be read: Permission denied", path=path, mend="check its permissions")
    try:
        found = {form.name: why for form in FORMATS.values() if (why := form.looks_like(path)) is not None}
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path, mend="check its permissions") from error
    if len(found) == 1:
        ((name, why),) = found.items()
        return FORMATS[name], why
    if found:
        candidates = ", ".join(f"{name} ({why})" for name, why in found.items())
        raise InputError(f"looks like {candidates}", path=path, mend="choose one: --format FORMAT")
    mend = f"give it with --format: {' '.join(FORMATS)}"
    if path.is_dir() and any(True for pattern in LATTICES for _ in path.glob(pattern)):
        mend = "for lattices: python -m lorescore import-nbest --lattice_dir"
    what = "an empty file" if path.is_file() and path.stat().st_size == 0 else "no format that is known"
    if first_bytes(path).startswith(GZIP):
        what, mend = "a gzip file", GUNZIP
    elif path.is_file() and path.stat().st_size and (form := _by_suffix(path)):  # its reader says what is wrong
        return form, f"as the name ends in {path.suffix}"
    raise InputError(f"looks like {what}", path=path, mend=mend)


def _by_suffix(path: Path) -> Format | None:
    """The format that the end of a name stands for, if any."""
    return next((form for form in FORMATS.values() if path.suffix in form.suffixes and path.suffix), None)


def format_for_writing(path: Path) -> tuple[Format, str]:
    """The format that a name to be written stands for.

    Raises:
        InputError: Its end says nothing.
    """
    for form in FORMATS.values():
        if path.suffix in form.suffixes:
            return form, f"as the name ends in {path.suffix}" if path.suffix else "as the name has no suffix"
    mend = f"give it with --to: {' '.join(FORMATS)}"
    raise InputError(f"no format for names that end in {path.suffix}", path=path, mend=mend)
