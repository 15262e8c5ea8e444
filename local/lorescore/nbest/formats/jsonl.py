"""JSON Lines: one object an utterance or a hypothesis; the columns are those of `lorescore.nbest.formats.records`.

{"utt": "utt", "ref": "the cat sat", "hyps": ["the cat sat", "a cat sat"], "scores": [-1.25, -2.5]}
"""

import json
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import atomic_write, read_lines
from lorescore.nbest.formats.collect import Collector
from lorescore.nbest.formats.format import LOG_SCORES, Format, FormatOptions, head_lines, lost_record, mostly
from lorescore.nbest.formats.json_values import parse_json, require_kind
from lorescore.nbest.formats.records import add_record, is_record, records
from lorescore.nbest.lists import NbestSet

NAME = "jsonl"


def looks_like(path: Path) -> str | None:
    """Lines that are JSON objects with the columns of a record."""
    lines = head_lines(path)
    if not lines or not mostly(lines, lambda line: line.lstrip().startswith("{")) or not mostly(lines, _is_record):
        return None
    return "a JSON object a line with utt and hyps or text"


def _is_record(line: str) -> bool:
    """Whether a line is an utterance's or a hypothesis's; a line with an error in it is not."""
    try:
        record = parse_json(line, Path(), None)
    except InputError:
        return False
    return isinstance(record, dict) and is_record(record)


def read(path: Path, options: FormatOptions) -> NbestSet:
    """The lists of a file.

    Raises:
        InputError: A line is no JSON object; or as `records.add_record` and `Collector` raise it.
    """
    lists = Collector(path)
    for number, line in read_lines(path):
        if line.strip():
            add_record(lists, require_kind(parse_json(line, path, number), dict, "the line", path, number), number)
    return lists.nbest_set(NAME, options, [path])


def write(path: Path, nbest: NbestSet, options: FormatOptions) -> None:
    """Write an object an utterance."""
    with atomic_write(path) as file:
        for record in records(nbest):
            file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")


FORMAT = Format(
    NAME,
    "a JSON object a line: {utt, ref, hyps, scores} an utterance, or {utt, rank, score, text, ref} a hypothesis",
    LOG_SCORES,
    looks_like,
    read,
    write,
    lost_record,
    (".jsonl", ".ndjson"),
)
