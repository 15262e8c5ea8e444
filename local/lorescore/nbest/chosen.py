"""Texts that were chosen from N-best lists, exp/rescore/<system>/<set>/text, and of which lists they are.

Every decode of a set has the same utterances, so that the texts themselves do not tell. `.text.stamp` beside them does.
"""

from collections.abc import Mapping
from pathlib import Path

from lorescore.files import read_yaml, write_table
from lorescore.nbest.info import INFO
from lorescore.stamp import Stamp

TEXT = "text"


def write_chosen(set_dir: Path, texts: Mapping[str, str], lists_checksum: str) -> None:
    """Write the text of each utterance.

    Args:
        set_dir: Where they go.
        texts: By utterance.
        lists_checksum: Of the lists, as their `info` has it.
    """
    stamp = _stamp(set_dir, lists_checksum)
    stamp.remove()
    write_table(set_dir / TEXT, texts)
    stamp.write()


def are_of_other_lists(set_dir: Path, nbest_dir: Path) -> bool:
    """Whether texts were chosen from other lists than an N-best directory has now; False where that is not known."""
    info = read_yaml(nbest_dir / INFO) if (nbest_dir / INFO).is_file() else {}
    stamp = _stamp(set_dir, str(info.get("checksum")))
    return "checksum" in info and stamp.path.is_file() and not stamp.is_current()


def _stamp(set_dir: Path, lists_checksum: str) -> Stamp:
    return Stamp(set_dir / f".{TEXT}.stamp", lists_checksum)
