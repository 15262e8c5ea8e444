"""The N-best directory as a format, written here or made elsewhere: `lorescore.nbest.directory` reads and writes it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lorescore.files import checksum, read_table
from lorescore.nbest.checks import require_references
from lorescore.nbest.directory import CONTENT, PART_FILES, read_nbest_dir, write_nbest_dir
from lorescore.nbest.formats.format import COSTS, Format, FormatOptions
from lorescore.nbest.info import INFO
from lorescore.nbest.lists import COST_DECIMALS, NbestSet

NAME = "nbest-dir"


def looks_like(path: Path) -> str | None:
    """nbest.yaml, or the lists and their costs, which are not in parts there (those are Kaldi's archives)."""
    if (path / INFO).is_file():
        return INFO
    has_lists = all((path / name).is_file() for name in ("words_text", "acwt"))
    return "words_text and acwt" if has_lists and not (path / PART_FILES[0]).is_file() else None


def read(path: Path, options: FormatOptions) -> NbestSet:
    """The lists of a directory, with what nbest.yaml records of them, if any; raises as `read_nbest_dir`."""
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
    return replace(nbest, refs=refs, info={"source": NAME, **nbest.info, "input_checksum": checksum(inputs)})


def write(path: Path, nbest: NbestSet, options: FormatOptions) -> None:
    """Write a directory, over one that was written before; raises as `write_nbest_dir`."""
    write_nbest_dir(path, nbest)


def drops(nbest: NbestSet) -> list[str]:
    """What the format has no room for."""
    return (
        ["decimals of the costs beyond the fourth"]
        if any(value != float(f"{value:.{COST_DECIMALS}f}") for value in _costs(nbest))
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
    "words_text and acwt, keys utt-rank, and from stage 4 nbest.yaml",
    COSTS,
    looks_like,
    read,
    write,
    drops,
    ("",),
    "costs of scorers (lmwt.TAG)",
)
