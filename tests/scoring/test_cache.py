"""The score cache: what is kept, several real processes at once, a killed one, and files and disks that fail."""

import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorescore.errors import InputError
from lorescore.scoring import cache as cache_module
from lorescore.scoring.cache import ScoreCache, cache_version, writing

LOCAL = Path(__file__).resolve().parents[2] / "local"
VERSION = cache_version("weights", "lower", "float32")
SCORES = {"the cat sat": -12.25, "": 0.0, "the cat": -7.5}
TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=8)  # lone surrogates and NUL too

# What a process of its own does after this.
PREAMBLE = """
import os, signal, sys
from pathlib import Path
from lorescore.scoring import cache
from lorescore.scoring.cache import ScoreCache
path, version, journal = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
if journal == "delete":
    cache.LOCAL_FILE_SYSTEMS = frozenset()
print("ready", flush=True)
sys.stdin.readline()
"""
# Ten transactions of 50 texts, half of which every process has, and a look at them after each.
WRITES_AND_READS = """
name = sys.argv[4]
for number in range(10):
    scores = {f"{who} {number} {text}": -float(text) for who in (name, "all") for text in range(25)}
    with ScoreCache.open(path) as scored:
        scored.store(version, scores)
        assert scored.lookup(version, list(scores)) == scores, number
"""
KILLED_AT_THE_HUNDREDTH_ROW = """
class Deadly(dict):
    def items(self):
        for number, item in enumerate(super().items()):
            if number == 100:
                os.kill(os.getpid(), signal.SIGKILL)
            yield item
with ScoreCache.open(path) as scored:
    scored.store(version, {"kept": -1.0})
    scored.store(version, Deadly({f"lost {number}": -2.0 for number in range(200)}))
"""
FILLS_THE_DISK = """
import logging
logging.basicConfig(format="%(message)s")
for again in range(2):
    with ScoreCache.open(path) as scored:
        for number in range(20):
            scored.store(version, {f"{number} {text}": -1.0 for text in range(500)})
            scored.lookup(version, ["0 0"])
print("done")
"""


def start(program: str, path: Path, *arguments: str, **options: object) -> subprocess.Popen[str]:
    """A process that waits for a line before it does anything."""
    process = subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + program, str(path), VERSION, *arguments],
        env=os.environ | {"PYTHONPATH": str(LOCAL)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )
    assert process.stdout.readline() == "ready\n"
    return process


def lookup(path: Path | None, texts: list[str], version: str = VERSION) -> dict[str, float]:
    with ScoreCache.open(path) as cache:
        return cache.lookup(version, texts)


def store(path: Path | None, scores: Mapping[str, float], version: str = VERSION) -> None:
    with ScoreCache.open(path) as cache:
        cache.store(version, scores)


def journal_of(path: Path) -> str:
    connection = sqlite3.connect(path)
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    connection.close()
    return mode


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "exp" / "score_cache.sqlite"


def test_what_is_stored_is_found_again(path: Path) -> None:
    store(path, SCORES)
    assert lookup(path, [*SCORES, "a dog"]) == SCORES
    assert lookup(path, ["a dog", "the cat"]) == {"the cat": -7.5}


@settings(max_examples=40, deadline=None)
@given(scores=st.dictionaries(TEXTS, st.floats(allow_nan=False, allow_infinity=False)))
def test_any_text_and_every_bit_of_a_score(tmp_path_factory: pytest.TempPathFactory, scores: dict[str, float]) -> None:
    path = tmp_path_factory.mktemp("cache") / "cache.sqlite"
    store(path, scores)
    assert lookup(path, [*scores, "\ud800 of none"]) == scores
    assert lookup(path, list(scores), cache_version("other", "lower", "float32")) == {}


def test_texts_that_look_alike_are_different(path: Path) -> None:
    scores = {"caf\u00e9": -1.0, "cafe\u0301": -2.0, "caf\u00e9 ": -3.0, "Caf\u00e9": -4.0, "a\0b": -5.0, "a": -6.0}
    store(path, scores)
    assert lookup(path, list(scores)) == scores


def test_nothing_asked_and_nothing_given(path: Path) -> None:
    assert lookup(path, []) == {}
    store(path, {})
    assert lookup(path, ["the cat"]) == {}


def test_more_texts_than_a_query_takes(path: Path) -> None:
    scores = {f"text {number}": -number / 7 for number in range(2 * cache_module.KEYS_PER_QUERY + 3)}
    store(path, scores)
    assert lookup(path, [*scores, *scores]) == scores


def test_a_score_stays_as_it_was_first(path: Path) -> None:
    store(path, {"the cat": -7.5})
    store(path, {"the cat": -7.50001, "a dog": -3.0})
    assert lookup(path, ["the cat", "a dog"]) == {"the cat": -7.5, "a dog": -3.0}


def test_what_is_no_finite_number_is_left_out(path: Path) -> None:
    store(path, {"the cat": float("nan"), "a dog": float("-inf"), "a mat": -1.0})
    assert lookup(path, ["the cat", "a dog", "a mat"]) == {"a mat": -1.0}


def test_versions_do_not_mix(path: Path) -> None:
    versions = [
        VERSION,
        cache_version("other", "lower", "float32"),
        cache_version("weights", "upper", "float32"),
        cache_version("weights", "lower", "bfloat16"),
        cache_version("weights", "lower", "int8"),
    ]
    for number, version in enumerate(versions):
        assert lookup(path, ["the cat"], version) == {}
        store(path, {"the cat": -float(number)}, version)
    assert [lookup(path, ["the cat"], version)["the cat"] for version in versions] == [0, -1, -2, -3, -4]


def test_without_a_file_nothing_is_kept() -> None:
    store(None, SCORES)
    assert lookup(None, list(SCORES)) == {}


@pytest.mark.parametrize("name", [":memory:", "file:x?mode=memory", "a b'c"])
def test_a_file_name_is_a_file_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    store(Path(name), SCORES)
    assert (tmp_path / name).is_file()
    assert lookup(Path(name), list(SCORES)) == SCORES


@pytest.mark.parametrize("error", [InputError, KeyboardInterrupt])
def test_a_writer_that_is_cut_off_stores_what_it_has(path: Path, error: type[BaseException]) -> None:
    with ScoreCache.open(path) as cache, pytest.raises(error), writing(cache, VERSION) as writer:
        writer.add({"the cat": -7.5})
        writer.flush(at_least=2)
        assert lookup(path, ["the cat"]) == {}
        writer.add({"a dog": -3.0})
        writer.flush(at_least=2)
        assert lookup(path, ["the cat", "a dog"]) == {"the cat": -7.5, "a dog": -3.0}
        writer.add({"a mat": -2.0})
        raise error("cut off")
    assert lookup(path, ["the cat", "a dog", "a mat"]) == {"the cat": -7.5, "a dog": -3.0, "a mat": -2.0}


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_processes_that_write_at_once(path: Path, journal: str) -> None:
    processes = [start(WRITES_AND_READS, path, journal, name) for name in "abcd"]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        assert process.communicate() == ("", "")
        assert process.returncode == 0
    scores = {
        f"{who} {one} {text}": -float(text) for who in (*"abcd", "all") for one in range(10) for text in range(25)
    }
    assert journal_of(path) == journal
    assert lookup(path, list(scores)) == scores


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_a_process_that_is_killed_in_a_transaction(path: Path, journal: str) -> None:
    process = start(KILLED_AT_THE_HUNDREDTH_ROW, path, journal)
    assert process.communicate("\n") == ("", "")
    assert process.returncode == -9
    assert lookup(path, ["kept", *(f"lost {number}" for number in range(200))]) == {"kept": -1.0}
    store(path, {"lost 0": -3.0})
    assert lookup(path, ["lost 0"]) == {"lost 0": -3.0}


@pytest.mark.parametrize("local", [True, False])
def test_who_reads_does_not_wait_for_who_writes(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, local: bool
) -> None:
    monkeypatch.setattr(cache_module, "BUSY_SECONDS", 0.0)
    if not local:
        monkeypatch.setattr(cache_module, "LOCAL_FILE_SYSTEMS", frozenset())
    store(path, SCORES)
    writing_process = sqlite3.connect(path, isolation_level=None)
    writing_process.execute("BEGIN IMMEDIATE")
    writing_process.execute("DELETE FROM scores")
    assert lookup(path, list(SCORES)) == SCORES
    assert caplog.messages == []
    store(path, {"a dog": -3.0})  # who writes does wait; this one has no patience
    assert caplog.messages == [f"{path}: the score cache is left out: database is locked"]
    writing_process.rollback()
    writing_process.close()
    assert lookup(path, [*SCORES, "a dog"]) == SCORES


@pytest.mark.parametrize(
    ("mounts", "journal"),
    [
        ("server:/ / nfs4 rw 0 0\n/dev/sda1 {folder} ext4 rw 0 0\n", "wal"),
        ("/dev/sda1 / ext4 rw 0 0\nserver:/exp {folder} nfs4 rw 0 0\n", "delete"),
        ("/dev/sda1 {folder} ext4 rw 0 0\nserver:/exp {folder} fuse.sshfs rw 0 0\n", "delete"),
        ("/dev/sda1 {folder}/elsewhere ext4 rw 0 0\n", "delete"),
        (None, "delete"),
    ],
)
def test_the_journal_of_a_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mounts: str | None, journal: str
) -> None:
    folder = tmp_path / "my exp"
    if mounts is not None:
        (tmp_path / "mounts").write_text(mounts.format(folder=str(folder).replace(" ", "\\040")))
    monkeypatch.setattr(cache_module, "MOUNTS", tmp_path / "mounts")
    store(folder / "cache.sqlite", SCORES)
    assert journal_of(folder / "cache.sqlite") == journal
    assert lookup(folder / "cache.sqlite", list(SCORES)) == SCORES


def test_a_cache_that_comes_to_a_network_file_system(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(path, SCORES)
    assert journal_of(path) == "wal"
    monkeypatch.setattr(cache_module, "LOCAL_FILE_SYSTEMS", frozenset())
    assert lookup(path, list(SCORES)) == SCORES
    assert journal_of(path) == "delete"


def write_text(path: Path) -> None:
    path.write_text("utt1-1 the cat sat\n" * 100)


def cut_off(path: Path) -> None:
    store(path, {f"text {number}": -1.0 for number in range(2000)})
    path.write_bytes(path.read_bytes()[:10_000])


def overwrite(path: Path) -> None:
    store(path, {f"text {number}": -1.0 for number in range(2000)})
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


def another_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE scores (key BLOB PRIMARY KEY, score REAL)")
    connection.close()


def another_layout(path: Path) -> None:
    store(path, SCORES)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


@pytest.mark.parametrize("spoil", [write_text, cut_off, overwrite, another_database, another_layout])
def test_a_file_that_is_damaged_or_something_else(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    path = tmp_path / "cache.sqlite"
    spoil(path)
    content = path.read_bytes()
    with pytest.raises(InputError, match=r"cache.sqlite: not usable as a score cache: .* \(delete it or name another"):
        lookup(path, [f"text {number}" for number in range(2000)])
    assert path.read_bytes() == content
    path.unlink()
    store(path, SCORES)
    assert lookup(path, list(SCORES)) == SCORES


@pytest.mark.parametrize("folder", ["{tmp}/file", "/proc"])
def test_where_nothing_can_be_written_the_run_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, folder: str
) -> None:
    (tmp_path / "file").touch()
    path = Path(folder.format(tmp=tmp_path)) / "cache.sqlite"
    for _ in range(3):
        store(path, SCORES)
        assert lookup(path, list(SCORES)) == {}
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(f"{path}: the score cache is left out: ")


def test_a_cache_that_can_only_be_read(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    store(path, SCORES)
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        for _ in range(2):
            store(path, {"a dog": -3.0})
    finally:
        path.parent.chmod(0o700)
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_a_full_disk_costs_the_run_nothing(path: Path, journal: str) -> None:
    store(path, SCORES)
    limit = 100_000  # bytes of a file; the program would store 300,000
    process = start(
        FILLS_THE_DISK, path, journal, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )
    out, err = process.communicate("\n")
    assert (process.returncode, out) == (0, "done\n")
    assert err.startswith(f"{path}: the score cache is left out: ")
    assert err.count("\n") == 1
    assert lookup(path, [*SCORES, "0 0"]) == SCORES | {"0 0": -1.0}
