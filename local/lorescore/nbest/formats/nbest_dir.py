"""This project's N-best directory as a format: `lorescore.nbest.directory` reads and writes it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import checksum, read_table
from lorescore.nbest.directory import CONTENT, read_nbest_dir, require_references, write_nbest_dir
from lorescore.nbest.formats.format import COSTS, Format, FormatOptions
from lorescore.nbest.lists import NbestSet

NAME = "nbest-dir"


def looks_like(path: Path) -> str | None:
    """nbest.yaml, which is written last."""
    return "nbest.yaml" if (path / "nbest.yaml").is_file() else None


def read(path: Path, options: FormatOptions) -> NbestSet:
    """The lists of a directory, with what nbest.yaml records of them; raises as `read_nbest_dir`."""
    nbest = read_nbest_dir(path)
    inputs = [one for one in (path / name for name in CONTENT) if one.is_file()]
    refs = nbest.refs
    if options.ref is not None:
        refs = read_table(options.ref, mend="correct --ref")
        words_path = path / "words_text"
        lines: dict[str, tuple[Path, int]] = {}
        for number, key in enumerate(read_table(words_path), start=1):
            lines.setdefault(key.rpartition("-")[0], (words_path, number))
        require_references(lines, refs, words_path, options.ref)
        inputs.append(options.ref)
    return replace(nbest, refs=refs, info={**nbest.info, "input_checksum": checksum(inputs)})


def write(path: Path, nbest: NbestSet, options: FormatOptions) -> None:
    """Write a directory, over an N-best directory where there is one.

    Raises:
        InputError: There is something else; or as `write_nbest_dir` raises it.
    """
    if looks_like(path) is None and path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise InputError("is there already and no N-best directory", path=path, mend="choose another name or delete it")
    write_nbest_dir(path, nbest)


def drops(nbest: NbestSet) -> list[str]:
    """What the format has no room for."""
    return (
        ["decimals of the costs beyond the fourth"]
        if any(value != float(f"{value:.4f}") for value in _costs(nbest))
        else []
    )


def _costs(nbest: NbestSet) -> Iterator[float]:
    """Every number that is written."""
    for one in nbest:
        for hypothesis in one.hypotheses:
            if hypothesis.parts is None:
                yield hypothesis.score
            else:
                yield from (hypothesis.parts.acoustic, hypothesis.parts.nolm, hypothesis.parts.lmonly)


FORMAT = Format(
    NAME,
    "words_text, acwt and nbest.yaml, keys utt-rank: what stage 4 writes",
    COSTS,
    looks_like,
    read,
    write,
    drops,
    ("",),
    "costs of scorers (lmwt.TAG)",
)
