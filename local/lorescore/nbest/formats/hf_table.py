"""A Hugging Face `datasets` table; the columns are those of `lorescore.nbest.formats.records`.

A directory of `save_to_disk`, a Parquet or an Arrow file, or CSV. In CSV, which has no lists, a cell of `hyps`,
`scores`, `context` or a part of the costs is a JSON list: what `Dataset.to_csv` makes of a list cannot be read back.

CSV needs no package; Parquet and Arrow need pyarrow, a directory needs `datasets`, which brings pyarrow.
"""

import csv
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from lorescore.errors import InputError
from lorescore.files import atomic_write, read_lines, whole_directory, whole_file
from lorescore.nbest.formats.collect import Collector, parse_rank, parse_score
from lorescore.nbest.formats.format import (
    LOG_SCORES,
    Format,
    FormatOptions,
    first_bytes,
    head_lines,
    lost_record,
)
from lorescore.nbest.formats.json_values import parse_json
from lorescore.nbest.formats.records import PARTS, add_record, is_record, records
from lorescore.nbest.lists import NbestSet

NAME = "datasets"
SAVED_FILES = ("state.json", "dataset_info.json")
SPLITS_FILE = "dataset_dict.json"
# The first bytes of a Parquet file, of an Arrow file and of an Arrow stream, which `datasets` calls .arrow too.
PARQUET, ARROW_FILE, ARROW_STREAM = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"
TEXT_LISTS = ("hyps", "context")
LIST_COLUMNS = (*TEXT_LISTS, "scores", *PARTS)
INSTALL = "pip install datasets, or use CSV or JSON Lines"
MEND_LIST = 'write lists as JSON, ["a", "b"]; or save the table as Parquet or JSON Lines'


def looks_like(path: Path) -> str | None:
    """The files of save_to_disk, the first bytes of Parquet or Arrow, or a CSV header with the columns of a record."""
    if path.is_dir():
        if (path / SPLITS_FILE).is_file():
            return SPLITS_FILE
        return " and ".join(SAVED_FILES) if all((path / name).is_file() for name in SAVED_FILES) else None
    kind = _binary_kind(path)
    if kind is not None:
        return kind
    try:
        header = next(csv.reader(head_lines(path)[:1]), [])
    except csv.Error:  # a carriage return or NUL in a line, or 128 KiB without a comma: another format, or none
        return None
    return "a CSV header with " + " ".join(header) if is_record(header) else None


def _binary_kind(path: Path) -> str | None:
    """Which binary file it is by its first bytes; None for text, and for what cannot be read, as its reader says."""
    begin = first_bytes(path)
    kinds = {PARQUET: "a Parquet file", ARROW_FILE: "an Arrow file", ARROW_STREAM: "an Arrow stream"}
    return next((kind for magic, kind in kinds.items() if begin.startswith(magic)), None)


def read(path: Path, options: FormatOptions) -> NbestSet:
    """The lists of a table.

    Raises:
        InputError: `datasets` or pyarrow is not installed; the file cannot be read; several splits; or as
            `records.add_record` and `Collector` raise it.
    """
    lists = Collector(path)
    inputs = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    if not path.is_dir() and _binary_kind(path) is None:
        for line, record in _csv_records(path):
            add_record(lists, record, line)
    else:
        for number, record in enumerate(_saved_rows(path) if path.is_dir() else _binary_rows(path), start=1):
            add_record(lists, record, number)
    return lists.nbest_set(NAME, options, inputs)


def _saved_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a directory of save_to_disk."""
    datasets = _package("datasets", path)
    try:
        table = datasets.load_from_disk(str(path))
        if isinstance(table, datasets.DatasetDict):
            if len(table) != 1:
                mend = f"give one of its directories: {' '.join(sorted(table))}"
                raise InputError(f"{len(table)} splits, expected one", path=path, mend=mend)
            (table,) = table.values()
        columns = [name for name in table.column_names if name in _COLUMNS]  # audio is not decoded
        yield from table.select_columns(columns)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # the last two: JSON of another form
        raise _unreadable(path, error) from error


def _binary_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet or Arrow file."""
    parquet, ipc = _package("pyarrow.parquet", path), _package("pyarrow.ipc", path)
    kind = _binary_kind(path)
    try:
        if kind == "a Parquet file":
            table = parquet.read_table(path)
        else:
            with (ipc.open_file if kind == "an Arrow file" else ipc.open_stream)(path.read_bytes()) as reader:
                table = reader.read_all()
        yield from table.select([name for name in table.column_names if name in _COLUMNS]).to_pylist()
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(path, error) from error


def _csv_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a CSV file with their lines, lists and numbers taken out of their cells."""
    usual_limit = csv.field_size_limit(sys.maxsize)  # a hundred long hypotheses are more than its 128 KiB
    try:
        rows = csv.reader((line + "\n" for _, line in read_lines(path)), strict=True)
        header = next(rows, [])
        for row in rows:
            line = rows.line_num
            if len(row) != len(header):
                message = f"{len(row)} cells, expected {len(header)}: {' '.join(header)}"
                raise InputError(message, path=path, line=line, mend="quote cells that have commas in them")
            yield line, {name: _cell(name, cell, path, line) for name, cell in zip(header, row, strict=True)}
    except csv.Error as error:
        raise InputError(f"not CSV: {error}", path=path, line=rows.line_num, mend="quote cells") from error
    finally:
        csv.field_size_limit(usual_limit)


def _cell(name: str, cell: str, path: Path, line: int) -> Any:
    """The value of a cell; None for an empty one that is not text."""
    if name in LIST_COLUMNS and cell:
        try:
            return parse_json(cell, path, line)
        except InputError as error:
            raise InputError(f"{name}: {error.message}", path=path, line=line, mend=MEND_LIST) from error
    if name in ("score", "acoustic_scale", "rank") and cell:
        return parse_rank(cell, path, line) if name == "rank" else parse_score(cell, path, line)
    return cell if name in ("utt", "text", "ref") else cell or None


def write(path: Path, nbest: NbestSet, options: FormatOptions) -> None:
    """Write a table: .csv, .parquet or .arrow by the name, else a directory as save_to_disk makes it.

    Raises:
        InputError: `datasets` or pyarrow is not installed, or it cannot be written.
    """
    if path.suffix == ".csv":
        _write_csv(path, nbest)
        return
    rows = list(records(nbest))
    arrow = _package("pyarrow", path)
    fields = [(name, _arrow_type(arrow, name)) for name in (rows[0] if rows else ())]
    table = arrow.Table.from_pylist(rows, schema=arrow.schema(fields))
    if path.suffix == ".parquet":
        parquet = _package("pyarrow.parquet", path)
        with whole_file(path) as temporary:
            parquet.write_table(table, temporary)
    elif path.suffix == ".arrow":
        ipc = _package("pyarrow.ipc", path)
        with whole_file(path) as temporary, ipc.new_stream(str(temporary), table.schema) as stream:
            stream.write_table(table)
    else:
        datasets = _package("datasets", path)
        with whole_directory(path) as temporary, _quiet(datasets):
            datasets.Dataset(datasets.table.InMemoryTable(table)).save_to_disk(str(temporary))


def _arrow_type(arrow: Any, name: str) -> Any:
    """The type of a column."""
    if name in LIST_COLUMNS:
        return arrow.list_(arrow.string() if name in TEXT_LISTS else arrow.float64())
    return arrow.float64() if name == "acoustic_scale" else arrow.string()


def _write_csv(path: Path, nbest: NbestSet) -> None:
    """Write CSV, lists as JSON."""
    with atomic_write(path) as file:
        rows = csv.writer(file, lineterminator="\n")
        for number, record in enumerate(records(nbest)):
            if number == 0:
                rows.writerow(record)
            rows.writerow(
                [json.dumps(cell, ensure_ascii=False) if isinstance(cell, list) else cell for cell in record.values()]
            )


def _package(name: str, path: Path) -> Any:
    """A package that not everyone has.

    Raises:
        InputError: It is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise InputError(f"needs the package {name.split('.')[0]}", path=path, mend=INSTALL) from error


@contextmanager
def _quiet(datasets: Any) -> Iterator[None]:
    """Without the package's progress bars, which would stand between ours."""
    hidden = datasets.utils.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if not hidden:
            datasets.enable_progress_bars()


def _unreadable(path: Path, error: Exception) -> InputError:
    """The error for a table that its package cannot read."""
    return InputError(f"cannot be read: {' '.join(str(error).split()):.200}", path=path, mend="is the table whole?")


_COLUMNS = {"utt", "ref", "text", "score", "rank", "acoustic_scale", *LIST_COLUMNS}

FORMAT = Format(
    NAME,
    "a Hugging Face table with utt, hyps, scores, ref: save_to_disk, Parquet, Arrow or CSV",
    LOG_SCORES,
    looks_like,
    read,
    write,
    lost_record,
    (".parquet", ".arrow", ".csv"),
)
