"""Plain TSV, a line a hypothesis: utt, rank, log score, text.

    utt	rank	score	text          a header line names the columns, in any order; `rank` may be left out
    utt	1	-1.25	the cat sat

Without a header the columns are utt, score, text, or utt, rank, score, text. Without ranks the order of an utterance's
lines counts. There is no quoting: a quotation mark is a character. The layout is this project's own.
"""

from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import atomic_write, read_lines
from lorescore.nbest.formats.collect import Collector, parse_rank, parse_score, words_of
from lorescore.nbest.formats.format import (
    LOG_SCORES,
    Format,
    FormatOptions,
    decimal,
    head_lines,
    is_number,
    lost_contexts,
    lost_parts,
    lost_record,
    lost_references,
    mostly,
)
from lorescore.nbest.lists import Hypothesis, NbestSet

NAME = "tsv"
COLUMNS = ("utt", "rank", "score", "text")
WITHOUT_RANK = ("utt", "score", "text")
HEADER_HINT = f"begin the file with a header line: {' '.join(COLUMNS)}, separated by tabs"


def looks_like(path: Path) -> str | None:
    """A header line, or three or four columns with numbers where the score has to be."""
    lines = head_lines(path)
    if not lines:
        return None
    if _is_header(lines[0]):
        return "a header line with " + " ".join(lines[0].split("\t"))
    for columns in (COLUMNS, WITHOUT_RANK):
        if mostly(lines, lambda line, columns=columns: _fits(line.split("\t"), columns)):  # type: ignore[misc]
            return f"{len(columns)} columns as {' '.join(columns)}"
    return None


def _is_header(line: str) -> bool:
    """Whether a line names columns."""
    names = line.split("\t")
    return set(WITHOUT_RANK) <= set(names) and not is_number(names[names.index("score")])


def _fits(fields: list[str], columns: tuple[str, ...]) -> bool:
    """Whether the fields of a line may stand under these columns."""
    if len(fields) != len(columns):
        return False
    values = dict(zip(columns, fields, strict=True))
    return is_number(values["score"]) and values.get("rank", "1").isdigit()


def read(path: Path, options: FormatOptions) -> NbestSet:
    """The lists of a file.

    Raises:
        InputError: Another number of columns than in the first line (a tab in a text), an unknown or doubled column, a
            rank or a score that is none, a rank that is taken or missing; columns of which it is not clear whether
            they are ranks or scores.
    """
    lists = Collector(path)
    columns: tuple[str, ...] = ()
    unclear = 0  # lines without a header that could as well be utt, rank, score and an empty text without its tab
    for number, line in read_lines(path):
        fields = line.split("\t")
        if not columns:
            columns = _columns(fields, path, number)
            if _is_header(line):
                continue
        if len(fields) != len(columns):
            message = f"{len(fields)} columns, expected {len(columns)}: {' '.join(columns)}"
            mend = "no tab within a text, and one before an empty text"
            raise InputError(message, path=path, line=number, mend=mend)
        values = dict(zip(columns, fields, strict=True))
        rank = parse_rank(values["rank"], path, number) if "rank" in values else None
        hypothesis = Hypothesis(words_of(values["text"], path, number), parse_score(values["score"], path, number))
        lists.add(values["utt"], rank, hypothesis, line=number)
        unclear += values["score"].isdigit() and is_number(values["text"])
    nbest = lists.nbest_set(NAME, options, [path])
    if unclear == nbest.num_hypotheses and columns == WITHOUT_RANK:
        raise InputError("is the second column ranks or scores?", path=path, line=1, mend=HEADER_HINT)
    return nbest


def _columns(fields: list[str], path: Path, line: int) -> tuple[str, ...]:
    """The columns of a file by its first line."""
    if _is_header("\t".join(fields)):
        for name in fields:
            if name not in COLUMNS or fields.count(name) > 1:
                mend = f"name each of {' '.join(COLUMNS)} once; rank may be left out"
                raise InputError(f"column {name!r:.40} in the header", path=path, line=line, mend=mend)
        return tuple(fields)
    for columns in (COLUMNS, WITHOUT_RANK):
        if len(fields) == len(columns):
            return columns
    message = f"{len(fields)} columns, expected {' '.join(COLUMNS)}, separated by tabs"
    raise InputError(message, path=path, line=line, mend=HEADER_HINT)


def write(path: Path, nbest: NbestSet, options: FormatOptions) -> None:
    """Write a header line and a line a hypothesis."""
    with atomic_write(path) as file:
        file.write("\t".join(COLUMNS) + "\n")
        for one in nbest:
            for rank, hypothesis in enumerate(one.hypotheses, start=1):
                file.write(f"{one.utt}\t{rank}\t{decimal(hypothesis.score)}\t{hypothesis.text}\n")


def drops(nbest: NbestSet) -> list[str]:
    """What the format has no room for."""
    return lost_references(nbest) + lost_parts(nbest) + lost_contexts(nbest) + lost_record(nbest)


FORMAT = Format(
    NAME,
    "a line a hypothesis: utt, rank, score, text, separated by tabs",
    LOG_SCORES,
    looks_like,
    read,
    write,
    drops,
    (".tsv",),
)
