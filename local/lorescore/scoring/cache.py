"""Scores that were given before, on disk: one SQLite file for every rescorer, set, perturbation and rerun.

A row is a 16-byte BLAKE2b digest of (version, text) and a score. The version (`cache_version`) says which weights give
the score, and how; the text is taken as it is put to the PLM. A row is never changed: the first score of a text stays.

Several processes may read and write at once, and a killed one loses only what it had not committed. SQLite's
write-ahead log, with which a reader never waits for a writer, needs memory that all of them share, which a network
file system does not give (https://sqlite.org/wal.html): there SQLite's rollback journal takes its place.

A cache must not cost a run what it scored. Where the file cannot be opened, read or written, it is left out with one
warning. Only a file that holds something else, or is damaged, is an error: that the user has to mend.
"""

import functools
import hashlib
import logging
import math
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from lorescore.errors import InputError

logger = logging.getLogger(__name__)

SCORE_RULES = 2  # raise it when the code gives the same text under the same weights another score
DIGEST_BYTES = 16  # of a thousand million texts, two have the same one with a chance of 1e-21
APPLICATION_ID = 0x6C6F7265  # `lore`, in the file's header: whose file it is
LAYOUT = 1  # of the tables, in the header too
BUSY_SECONDS = 20.0  # that a process waits for others; a transaction takes milliseconds
ROWS_PER_TRANSACTION = 512
KEYS_PER_QUERY = 500  # SQLite before 3.32 takes 999 parameters
# Where the write-ahead log is known to work. What is not listed, or cannot be told, has the rollback journal.
LOCAL_FILE_SYSTEMS = frozenset(("bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"))
MOUNTS = Path("/proc/self/mounts")


def cache_version(checksum: str, plm_text: str, numerics: str) -> str:
    """What decides a text's score besides the text, as hexadecimal digits.

    Args:
        checksum: Of the rescorer's weights and settings, with its PLM's (`rescorer_checksum`).
        plm_text: How text is put to the PLM (`PlmSettings.plm_text`).
        numerics: The numbers that it is scored with, such as `float32` or `int8` (`ScoringOptions.describe`).
    """
    parts = (str(SCORE_RULES), checksum, plm_text, numerics)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class ScoreCache:
    """An open cache, from `ScoreCache.open`.

    Attributes:
        path: The file; None: a cache that keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None

    @classmethod
    @contextmanager
    def open(cls, path: Path | None) -> Iterator["ScoreCache"]:
        """Open a cache, made where there is none, and close it at the end.

        Args:
            path: The file; its folder is made. None: a cache that keeps nothing.

        Raises:
            InputError: The file is damaged or is something else.
        """
        cache = cls(path)
        try:
            with cache._guarded():
                cache._connect()
            yield cache
        finally:
            cache._close()

    def lookup(self, version: str, texts: Sequence[str]) -> dict[str, float]:
        """The scores of those texts that the cache has.

        Args:
            version: From `cache_version`.
            texts: Texts as they are put to the PLM.

        Raises:
            InputError: The file is damaged.
        """
        found: dict[str, float] = {}
        connection = self._connection
        if connection is None:
            return found
        with self._guarded():
            for start in range(0, len(texts), KEYS_PER_QUERY):
                chunk = texts[start : start + KEYS_PER_QUERY]
                by_key = dict(zip(_keys(version, chunk), chunk, strict=True))
                query = f"SELECT key, score FROM scores WHERE key IN ({','.join('?' * len(by_key))})"
                found.update((by_key[key], score) for key, score in connection.execute(query, [*by_key]))
        return found

    def store(self, version: str, scores: Mapping[str, float]) -> None:
        """Keep scores, all or none of them; a text that has one keeps that. What is not a finite number is left out.

        Args:
            version: From `cache_version`.
            scores: By text as it is put to the PLM.

        Raises:
            InputError: The file is damaged.
        """
        if self._connection is None or not scores:
            return
        rows = (
            (key, score)
            for (_, score), key in zip(scores.items(), _keys(version, scores), strict=True)
            if math.isfinite(score)
        )
        with self._guarded(), self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO scores VALUES (?, ?) ON CONFLICT DO NOTHING", rows)

    def _connect(self) -> None:
        """Open the file and see that it is a cache."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Absolute, as SQLite gives names such as :memory: a meaning. No isolation level: transactions begin where the
        # code says so.
        self._connection = connection = sqlite3.connect(
            self.path.absolute(), timeout=BUSY_SECONDS, isolation_level=None
        )
        # The tables first: another process makes them and the header at one stroke, perhaps at this moment.
        is_new = _number(connection, "SELECT count(*) FROM sqlite_master") == 0
        if not is_new and _number(connection, "PRAGMA application_id") != APPLICATION_ID:
            raise self._unusable("a database that is no score cache")
        if not is_new and _number(connection, "PRAGMA user_version") != LAYOUT:
            raise self._unusable("of another version of lorescore")
        if _is_local(self.path.parent):
            with suppress(sqlite3.OperationalError):  # another process may be about the same; any journal will do
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")  # a power failure may take the last rows, nothing else
        else:
            connection.execute("PRAGMA journal_mode = DELETE")
        if is_new:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                # In the order of the keys, without an index beside it: 33 bytes a row.
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS scores (key BLOB PRIMARY KEY, score REAL NOT NULL) WITHOUT ROWID"
                )
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {LAYOUT}")

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Leave the cache out from here on where the system does not let it work.

        Raises:
            InputError: The file is damaged or is no database.
        """
        try:
            yield
        except (sqlite3.OperationalError, OSError) as error:  # no space, no permission, locked for too long
            self._close()
            _warn_once(f"{self.path}: the score cache is left out: {getattr(error, 'strerror', None) or error}")
        except sqlite3.DatabaseError as error:
            raise self._unusable(str(error)) from error

    def _unusable(self, what: str) -> InputError:
        return InputError(
            f"not usable as a score cache: {what}", path=self.path, mend="delete it or name another file: --score_cache"
        )

    def _close(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


class ScoreWriter:
    """Gathers scores and stores them in transactions of a useful size, from `writing`.

    Args:
        cache: Where they go.
        version: From `cache_version`.
    """

    def __init__(self, cache: ScoreCache, version: str) -> None:
        self._cache, self._version = cache, version
        self._waiting: dict[str, float] = {}

    def add(self, scores: Mapping[str, float]) -> None:
        """Take scores, by text as it is put to the PLM."""
        self._waiting.update(scores)

    def flush(self, at_least: int = 1) -> None:
        """Store what was added, where it is at least so many scores."""
        if len(self._waiting) >= at_least:
            self._cache.store(self._version, self._waiting)
            self._waiting = {}


@contextmanager
def writing(cache: ScoreCache, version: str) -> Iterator[ScoreWriter]:
    """A writer that stores all that was added to it even where the block is left by an exception or Ctrl-C."""
    writer = ScoreWriter(cache, version)
    try:
        yield writer
    finally:
        writer.flush()


def _number(connection: sqlite3.Connection, query: str) -> int:
    """The one number that a query gives."""
    return int(connection.execute(query).fetchone()[0])


def _keys(version: str, texts: Iterable[str]) -> Iterator[bytes]:
    """The key of each text."""
    key = hashlib.blake2b(version.encode(), digest_size=32).digest()
    for text in texts:
        # A lone surrogate is no character, but as good a key as any.
        yield hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES, key=key).digest()


def _is_local(directory: Path) -> bool:
    """Whether a directory is known to be on a file system of this machine alone."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:  # not Linux
        return False
    mounts = (line.split(" ") for line in lines)  # device, mount point, type, ...; a later mount covers an earlier one
    types = {Path(_unescaped(point)): kind for _, point, kind, *_ in mounts}
    directory = directory.resolve()
    kind = next((types[place] for place in (directory, *directory.parents) if place in types), "")
    return kind in LOCAL_FILE_SYSTEMS


def _unescaped(mount_point: str) -> str:
    """A mount point whose white space the kernel has written as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), mount_point)


@functools.cache
def _warn_once(message: str) -> None:
    logger.warning("%s", message)
