"""Open lattices of whatever kind lies there, told by the bytes, and write Kaldi's archives.

Read: Kaldi's archives (Lattice or CompactLattice, text or binary) and HTK's SLF files, plain or gzip, one file or a
directory of them: `lat.JOB.gz` as Kaldi's decoding scripts leave them, or one `.slf` or `.lat` file an utterance.
Lattices are read one at a time, so that a corpus larger than memory streams.
"""

import gzip
import io
import re
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from lorescore.errors import InputError
from lorescore.files import CHECK_PATH, GZIP, atomic_write, behind_link, read_lines
from lorescore.lattice.kaldi import read_text, text_lines
from lorescore.lattice.kaldi_binary import BINARY_MARK, MAGIC, read_binary
from lorescore.lattice.lattices import Lattice
from lorescore.lattice.pieces import joined
from lorescore.lattice.slf import read_slf
from lorescore.lattice.words import WordTable, is_natural, read_words

GZIP_LEVEL = 6  # gzip's own
HEAD_BYTES = 8192  # enough to tell what a file is
# An utterance id and what follows it.
BINARY_HEAD = re.compile(rb"\s*[^\s\0]+[ \t](?:%b)?%b" % (re.escape(BINARY_MARK), re.escape(MAGIC)))
SLF_LINE = re.compile(rb"[ \t]*[A-Za-z]\w*=")
TEXT_HEAD = re.compile(rb"\s*[^\s\0]+[ \t\r]*\n")
JOB_FILE = re.compile(r"lat\.([1-9][0-9]*)(?:\.gz)?")
SLF_FILE = re.compile(r"([^.].*)\.(?:slf|lat)(?:\.gz)?")
WORDS_FILE = "words.txt"
MAKE_AGAIN = "make the lattices again"


def read_lattices(path: Path, words: WordTable | Path | None = None, *, require_path: bool = True) -> Iterator[Lattice]:
    """The lattices of a file or directory, one at a time, in the order of the files.

    Args:
        path: An archive, an SLF file, or a directory with `lat.JOB.gz` archives or SLF files. The utterance of an SLF
            file is the file's name without its ending. In a directory, gzip files without content are passed over.
        words: The words of Kaldi's archives; None: the words.txt beside the archive. Where they are SentencePiece's
            pieces, the lattices come with the words that these spell.
        require_path: Check that every lattice is acyclic and has a path. False: the caller checks, who has something
            better to do with such an utterance than to stop.

    Raises:
        InputError: Nothing to read, an unknown format, an archive that is missing, cut off or damaged, a lattice with
            a cycle or without a path, an utterance that stands twice, or what the formats' readers refuse.
    """
    directory = path if path.is_dir() else path.parent
    table = words if isinstance(words, WordTable) else None
    seen: dict[str, Path] = {}
    for named_path in _lattice_files(path) if path.is_dir() else [path]:
        file_path = behind_link(named_path)
        with _opened(file_path) as file:
            head = _head(file)
            if _is_slf(head):
                match = SLF_FILE.fullmatch(named_path.name)
                lattices = iter((read_slf(file, file_path, match[1] if match else named_path.name),))
            elif (is_binary := bool(BINARY_HEAD.match(head))) or TEXT_HEAD.match(head):
                table = table or (read_words(words) if isinstance(words, Path) else words_beside(directory))
                lattices = (read_binary if is_binary else read_text)(file, file_path, table)
                if table.are_pieces:
                    lattices = map(joined, lattices)
            elif not head and path.is_dir() and file_path.stat().st_size:
                continue  # gzip without content: a job none of whose utterances has a lattice
            elif head.strip():
                message = "no lattices, expected a Kaldi archive or an HTK SLF file"
                raise InputError(message, path=file_path, mend=CHECK_PATH)
            else:
                raise InputError("empty, expected lattices", path=file_path, mend=MAKE_AGAIN)
            for lattice in lattices:
                if lattice.utt in seen:
                    message = f"utterance {lattice.utt} for the second time, first in {seen[lattice.utt]}"
                    raise InputError(message, path=file_path, mend="keep one lattice an utterance")
                seen[lattice.utt] = file_path
                if require_path:
                    _require_path(lattice, file_path)
                yield lattice
    if not seen:
        raise InputError("empty, expected lattices: no file here has one", path=path, mend=MAKE_AGAIN)


def words_beside(directory: Path) -> WordTable:
    """The words of the archives in a directory.

    Raises:
        InputError: There is no words.txt, or it is not of its format.
    """
    path = directory / WORDS_FILE
    if not path.is_file():
        message = "lattices have word ids, and there is no words.txt beside them"
        raise InputError(message, path=directory, mend="give the words.txt of their decoding graph with --words")
    return read_words(path)


def have_word_ids(directory: Path) -> bool:
    """Whether the lattices of a directory have ids for words, as Kaldi's have: the first that has content tells.

    Raises:
        InputError: There are no lattices, a job's archive is missing, or a file cannot be read.
    """
    for path in _lattice_files(directory):
        with _opened(behind_link(path)) as file:
            if (head := _head(file)).strip():
                return not _is_slf(head)
    return False


def write_lattices(path: Path, lattices: Iterable[Lattice], words: WordTable) -> int:
    """Write a Kaldi text archive of CompactLattices, which appears under its name only when it is complete.

    The same lattices give the same bytes. What Kaldi or this function wrote is written again as it was, provided that
    its start state is 0 and its last state is not one that nothing enters or leaves.

    Args:
        path: The archive; gzip where its name ends in `.gz`.
        lattices: The lattices, in the order in which they are written (Kaldi wants them sorted by utterance).
        words: The words and their ids.

    Returns:
        The number of lattices.

    Raises:
        InputError: A word is not in the table, a cost is not finite, an utterance stands twice, or the file cannot be
            written.
    """
    seen: set[str] = set()
    with atomic_write(path) as text:
        plain = cast(TextIO, text).buffer
        # Without name and time of writing in its header, so that equal content is equal bytes.
        packed = gzip.GzipFile("", "wb", GZIP_LEVEL, plain, mtime=0) if path.suffix == ".gz" else nullcontext(plain)
        with packed as file:
            for lattice in lattices:
                if lattice.utt in seen:
                    message = f"utterance {lattice.utt} for the second time"
                    raise InputError(message, path=path, mend="keep one lattice an utterance")
                seen.add(lattice.utt)
                file.write("".join(text_lines(lattice, words)).encode("utf-8"))
    return len(seen)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, uncompressed where it is gzip.

    Raises:
        InputError: It cannot be read, or the gzip file is cut off or damaged.
    """
    try:
        with path.open("rb") as raw:
            if raw.peek(len(GZIP)).startswith(GZIP):
                with gzip.GzipFile(fileobj=raw) as packed, io.BufferedReader(cast(io.RawIOBase, packed)) as file:
                    yield file
            else:
                yield raw
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        message = f"the gzip file is cut off or damaged: {error}"
        raise InputError(message, path=path, mend="make or copy it again") from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path=path, mend=CHECK_PATH) from error


def _head(file: BinaryIO) -> bytes:
    """The beginning of a file, which is then to be read from there: without a byte-order mark."""
    head = file.read(HEAD_BYTES)
    file.seek(len(BOM_UTF8) if head.startswith(BOM_UTF8) else 0)
    return head.removeprefix(BOM_UTF8)


def _is_slf(head: bytes) -> bool:
    """Whether a file begins as SLF: the first two lines that are no comments are fields.

    One line would not do: an utterance id may have an equals sign; the line after it begins with a state.
    """
    lines = [line for line in head.split(b"\n") if line.strip() and not line.startswith(b"#")]
    return len(lines) > 1 and all(map(SLF_LINE.match, lines[:2]))


def _lattice_files(directory: Path) -> list[Path]:
    """The archives of a directory by job, then its SLF files by name.

    Raises:
        InputError: There are none, or a job's archive is missing.
    """
    names = [path.name for path in directory.iterdir() if path.is_file()]
    jobs = sorted((int(match[1]), name) for name in names if (match := JOB_FILE.fullmatch(name)))
    found = [name for _, name in jobs] + sorted(
        name for name in names if SLF_FILE.fullmatch(name) and not JOB_FILE.fullmatch(name)
    )
    if not found:
        raise InputError("no lattices here, expected lat.JOB.gz or .slf files", path=directory, mend=CHECK_PATH)
    num_jobs = max((job for job, _ in jobs), default=0)
    num_jobs_path = behind_link(directory / "num_jobs")  # Kaldi's decoding scripts write it
    if jobs and num_jobs_path.is_file():
        said = next((line.strip() for _, line in read_lines(num_jobs_path)), "")
        if not is_natural(said):
            raise InputError(f"expected a number, found {said!r:.60}", path=num_jobs_path, line=1, mend="correct it")
        num_jobs = int(said)
    missing = set(range(1, num_jobs + 1)) - {job for job, _ in jobs}
    if missing:
        message = f"no lattices of job {min(missing)} of {num_jobs} here"
        place = behind_link(directory / found[0]).parent
        raise InputError(message, path=place, mend="decode this job again, or copy its archive here")
    return [directory / name for name in found]


def _require_path(lattice: Lattice, path: Path) -> None:
    """Check a lattice, with the archive in the error."""
    try:
        lattice.require_path()
    except InputError as error:
        raise InputError(error.message, path=path, mend=error.mend) from error
