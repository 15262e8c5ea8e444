"""`nbest.yaml`, what an N-best directory says of itself, and how a finished directory is told from a half-written one.

`nbest.yaml` is written last here, and while the files of a directory are replaced `.unfinished` lies beside them: with
it and without `nbest.yaml` a directory is half-written. Without both it was made elsewhere: its errors are those of
words, and nothing is known of where its lists are from.
"""

from pathlib import Path
from typing import Any

from lorescore.errors import InputError
from lorescore.files import read_yaml

INFO = "nbest.yaml"
UNFINISHED = ".unfinished"
WORDS = "words_text"
MISSING_DIR = "stage 4 makes N-best directories: ./run.sh --stage 4 --stop_stage 4"
MAKE_AGAIN = "make it again: stage 4, or stage 8 for perturbed lists"


def is_nbest_dir(nbest_dir: Path) -> bool:
    """Whether a directory holds lists, from here or from elsewhere, that are not half-written."""
    return any((nbest_dir / name).is_file() for name in (INFO, WORDS)) and not is_unfinished(nbest_dir)


def is_unfinished(nbest_dir: Path) -> bool:
    """Whether the writing of a directory was cut off."""
    return (nbest_dir / UNFINISHED).exists() and not (nbest_dir / INFO).is_file()


def read_info(nbest_dir: Path) -> dict[str, Any]:
    """What `nbest.yaml` says; nothing where lists from elsewhere have none.

    Raises:
        InputError: There are no lists, they are half-written, or `nbest.yaml` cannot be read.
    """
    if is_unfinished(nbest_dir):
        raise InputError("no finished N-best directory: nbest.yaml is missing", path=nbest_dir, mend=MAKE_AGAIN)
    if not is_nbest_dir(nbest_dir):
        raise InputError(f"no N-best directory: {WORDS} is missing", path=nbest_dir, mend=MISSING_DIR)
    return read_yaml(nbest_dir / INFO) if (nbest_dir / INFO).is_file() else {}


def begin_writing(nbest_dir: Path) -> None:
    """Let a directory count as half-written from now on."""
    nbest_dir.mkdir(parents=True, exist_ok=True)
    (nbest_dir / UNFINISHED).touch()
    (nbest_dir / INFO).unlink(missing_ok=True)


def end_writing(nbest_dir: Path) -> None:
    """Let a directory that has its `nbest.yaml` again count as finished."""
    (nbest_dir / UNFINISHED).unlink(missing_ok=True)
