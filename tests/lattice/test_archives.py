"""Opening whatever lies there, streaming it, and writing archives that are whole, packed and always the same."""

import codecs
import gzip
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from archived_lattices import write_bytes
from test_kaldi import COMPACT, EXPANDED, LATTICES, WORDS
from test_kaldi_binary import KALDI_COMPACT, KALDI_LATTICE
from test_slf import HTK

from lorescore.errors import InputError
from lorescore.lattice.archives import have_word_ids, read_lattices, write_lattices
from lorescore.lattice.lattices import Arc, Cost, Final, Lattice
from lorescore.lattice.words import write_words


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("content", [COMPACT.encode(), EXPANDED.encode(), KALDI_COMPACT, KALDI_LATTICE])
def test_a_file_is_what_its_bytes_say(tmp_path: Path, content: bytes, ending: str) -> None:
    path = write_bytes(tmp_path / f"any_name{ending}", content)
    write_words(tmp_path / "words.txt", WORDS)
    found = list(read_lattices(path, WORDS))
    assert [lattice.utt for lattice in found] == ["utt1", "utt-2", "utt3"]
    assert list(read_lattices(path, tmp_path / "words.txt")) == found
    assert list(read_lattices(path)) == found  # the words.txt beside it
    packed = path.rename(tmp_path / "packed_by_bytes_not_by_name")
    assert list(read_lattices(packed)) == found


@pytest.mark.parametrize("name", ["utt.7.slf", "utt.7.lat", "utt.7.lat.gz", "utt.7"])
def test_an_slf_file_needs_no_word_table(tmp_path: Path, name: str) -> None:
    path = write_bytes(tmp_path / name, HTK.encode())
    (lattice,) = read_lattices(path)
    assert lattice.utt == "utt.7"
    assert [arc.word for arc in lattice.arcs] == ["", "the", "THE", ""]


def test_an_utterance_id_may_look_like_a_field(tmp_path: Path) -> None:
    path = write_bytes(tmp_path / "lat.1", b"spk=1\n0 1 3\n1\n\nspk=2\n0\n\n")
    assert [lattice.utt for lattice in read_lattices(path, WORDS)] == ["spk=1", "spk=2"]


@pytest.mark.parametrize("content", [COMPACT.encode(), HTK.encode()])
def test_a_byte_order_mark_is_passed_over(tmp_path: Path, content: bytes) -> None:
    path = write_bytes(tmp_path / "lat.1.gz", content)
    plain = list(read_lattices(path, WORDS))
    write_bytes(path, codecs.BOM_UTF8 + content)
    assert list(read_lattices(path, WORDS)) == plain
    assert have_word_ids(tmp_path) == (content != HTK.encode())


def one(utt: str) -> bytes:
    return f"{utt} \n0\n\n".encode()


def test_a_directory_of_jobs_in_the_order_of_the_jobs(tmp_path: Path) -> None:
    for job in range(1, 12):
        write_bytes(tmp_path / f"lat.{job}.gz", one(f"utt{job}"))
    for name in (".lat.3.gz.77.tmp", "lat.3.gz.bak", "log", "num_jobs"):
        (tmp_path / name).write_text("11\n")
    write_words(tmp_path / "words.txt", WORDS)
    assert [lattice.utt for lattice in read_lattices(tmp_path)] == [f"utt{job}" for job in range(1, 12)]


def test_a_directory_of_slf_files(tmp_path: Path) -> None:
    for name in ("b.slf", "a.lat", "c.lat.gz", "ref.txt", "hyp"):
        write_bytes(tmp_path / name, HTK.encode())
    assert [lattice.utt for lattice in read_lattices(tmp_path)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no lattices here, expected lat.JOB.gz or .slf files"),
        ({"words.txt": b"a 1\n"}, "no lattices here"),
        ({"lat.1.gz": one("a"), "lat.3.gz": one("c")}, "no lattices of job 2 of 3 here"),
        ({"lat.1.gz": one("a"), "num_jobs": b"2\n"}, "no lattices of job 2 of 2 here"),
        ({"lat.1.gz": one("a"), "num_jobs": b"two\n"}, "num_jobs:1: expected a number, found 'two'"),
        ({"lat.1.gz": one("a"), "lat.2.gz": one("a")}, "lat.2.gz: utterance a for the second time, first in "),
        ({"lat.1.gz": one("a"), "lat.2": b""}, "lat.2: empty, expected lattices"),
        ({"lat.1.gz": one("a"), "lat.2": gzip.compress(b"")[:-4]}, "lat.2: the gzip file is cut off"),
        ({"lat.1.gz": one("a"), "lat.2.gz": b"\n"}, "lat.2.gz: empty, expected lattices"),
        ({"lat.1.gz": b"", "lat.2.gz": b""}, ": empty, expected lattices: no file here"),
        ({"a.slf": HTK.encode(), "a.lat": HTK.encode()}, "a.slf: utterance a for the second time, first in "),
    ],
)
def test_a_directory_that_lacks_something(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    for name, content in files.items():
        write_bytes(tmp_path / name, content)
    with pytest.raises(InputError) as error:
        list(read_lattices(tmp_path, WORDS))
    assert str(error.value).startswith(str(tmp_path)) and message in str(error.value)
    assert error.value.mend and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty, expected lattices"),
        (b" \n\n", "empty, expected lattices"),
        (b"utt1 the cat sat\n", "no lattices, expected a Kaldi archive or an HTK SLF file"),
        (b"utt1 \0BFM \4\0\0\0", "no lattices, expected"),  # a matrix
        (bytes(range(256)), "no lattices, expected"),
    ],
)
def test_what_is_no_archive(tmp_path: Path, content: bytes, message: str) -> None:
    path = write_bytes(tmp_path / "lat.1", content)
    with pytest.raises(InputError) as error:
        list(read_lattices(path, WORDS))
    assert str(error.value).startswith(f"{path}: {message}") and error.value.mend


def test_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file or directory"):
        list(read_lattices(tmp_path / "lat.1.gz", WORDS))
    path = write_bytes(tmp_path / "lat.1.gz", one("u"))
    with pytest.raises(InputError, match="lattices have word ids, and there is no words.txt beside them"):
        list(read_lattices(path))
    with pytest.raises(InputError, match="words: cannot be read"):
        list(read_lattices(path, tmp_path / "words"))


@pytest.mark.parametrize("content", [COMPACT.encode(), KALDI_COMPACT])
def test_a_gzip_file_that_was_cut_off_or_damaged(tmp_path: Path, content: bytes) -> None:
    """Wherever that is: also in the checksum behind the last lattice."""
    packed = gzip.compress(content)
    damaged = [packed[:length] for length in range(2, len(packed))]
    damaged += [packed[:-6] + bytes([packed[-6] ^ 1]) + packed[-5:], packed + b"garbage"]
    for one in damaged:
        path = tmp_path / "lat.1.gz"
        path.write_bytes(one)
        with pytest.raises(InputError) as error:
            list(read_lattices(path, WORDS))
        assert str(error.value).startswith(f"{path}: the gzip file is cut off or damaged: ")
        assert error.value.mend and "\n" not in str(error.value)


def test_the_same_lattices_are_the_same_bytes(tmp_path: Path) -> None:
    """Under another name, at another time; plain gzip tools read it."""
    first, second, plain = tmp_path / "lat.1.gz", tmp_path / "a" / "lat.2.gz", tmp_path / "lat.1"
    for path in (first, second, plain):
        assert write_lattices(path, iter(LATTICES), WORDS) == len(LATTICES)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes()[4:8] == bytes(4)  # no time of writing
    assert gzip.decompress(first.read_bytes()) == plain.read_bytes() == COMPACT.encode()


def test_an_archive_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "lat.1.gz"

    def interrupted() -> Iterator[Lattice]:
        yield LATTICES[0]
        assert not path.exists()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_lattices(path, interrupted(), WORDS)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_without_lattices(tmp_path: Path) -> None:
    """A job may have had nothing to decode; that is written, and noticed by who reads."""
    assert write_lattices(tmp_path / "lat.1.gz", [], WORDS) == 0
    with pytest.raises(InputError, match="empty, expected lattices"):
        list(read_lattices(tmp_path / "lat.1.gz", WORDS))


def test_a_job_without_lattices_is_passed_over_in_its_directory(tmp_path: Path) -> None:
    for job, lattices in enumerate(([], LATTICES[:1], [], LATTICES[1:]), start=1):
        write_lattices(tmp_path / f"lat.{job}.gz", lattices, WORDS)
    assert [lattice.utt for lattice in read_lattices(tmp_path, WORDS)] == [lattice.utt for lattice in LATTICES]


def test_who_has_a_fallback_reads_on(tmp_path: Path) -> None:
    path = write_bytes(tmp_path / "lat.1", b"a \n\nb \n0 1 3\n1 0 3\n0\n\nc \n0\n\n")
    found = list(read_lattices(path, WORDS, require_path=False))
    assert found[0] == Lattice("a", (), {})
    assert [lattice.utt for lattice in found] == ["a", "b", "c"]
    for lattice in found[:2]:
        with pytest.raises(InputError):
            lattice.require_path()


def test_a_corpus_streams(tmp_path: Path) -> None:
    """Of an archive that would be some 10 MB in memory, one lattice at a time is there, read or written."""
    arcs = tuple(Arc(state, state + 1, "the", Cost(1.5, state), (1, 2, 3)) for state in range(200))

    def corpus() -> Iterator[Lattice]:
        return (Lattice(f"utt{number}", arcs, {200: Final()}) for number in range(100))

    path = tmp_path / "lat.1.gz"
    tracemalloc.start()
    write_lattices(path, corpus(), WORDS)
    assert sum(lattice.arcs == arcs for lattice in read_lattices(path, WORDS)) == 100
    peak = tracemalloc.get_traced_memory()[1]
    whole = list(read_lattices(path, WORDS))
    all_of_it = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(whole) == 100
    assert peak < all_of_it / 5
