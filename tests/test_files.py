"""Kaldi tables and YAML files: what is read, what is refused, and that no file is ever half-written."""

import gzip
import hashlib
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorescore.errors import InputError
from lorescore.files import (
    atomic_write,
    checksum,
    read_lines,
    read_table,
    read_yaml,
    single_spaced,
    split_words,
    table_checksum,
    write_table,
    write_yaml,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "text"


def test_words_are_separated_by_ascii_white_space_alone() -> None:
    assert split_words(" a\tb  c\r\n\v\fd ") == ["a", "b", "c", "d"]
    # A no-break space, line separators, an ideographic space and a unit separator are letters to Kaldi and sclite.
    for char in "\u00a0\u2028\u2029\u0085\u3000\u001f":
        assert split_words(f"a{char}b c") == [f"a{char}b", "c"]
    assert split_words("  ") == []


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8")))
def test_words_are_those_of_awk_and_bytes_split(text: str) -> None:
    assert [word.encode() for word in split_words(text)] == text.encode().split()


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8") | st.sampled_from(" \t\u00a0"), max_size=8))
def test_single_spaced(text: str) -> None:
    assert single_spaced(text) == " ".join(split_words(text))


def test_a_table_in_the_order_of_the_file(path: Path) -> None:
    path.write_bytes("utt-2 the  cat\tsat \nutt-10\nutt-1 żółw\u00a0morski x\n".encode())
    assert list(read_table(path).items()) == [("utt-2", "the cat sat"), ("utt-10", ""), ("utt-1", "żółw\u00a0morski x")]


def test_windows_line_ends_and_byte_order_mark_are_no_part_of_a_record(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbfutt-1 the cat\r\nutt-2\r\nutt-3 \xef\xbb\xbfx")
    assert read_table(path) == {"utt-1": "the cat", "utt-2": "", "utt-3": "\ufeffx"}


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"a x\nb y\na z\n", 3, "key a for the second time"),
        (b"a x\n\nb y\n", 2, "empty line, expected `key value`"),
        (b"a x\n \t\n", 2, "empty line, expected `key value`"),
        (b"a x\nb caf\xe9\n", 2, "byte 6 of the line is not UTF-8"),
        (b"\xff\xfea\x00", 1, "byte 1 of the line is not UTF-8"),
    ],
)
def test_a_bad_line_is_named(path: Path, content: bytes, line: int, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_table(path)
    assert str(error.value).startswith(f"{path}:{line}: {message}")
    assert error.value.mend


def test_what_is_missing_or_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a b\n")
    for path in (tmp_path / "nowhere", tmp_path, tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        with pytest.raises(InputError, match="cannot be read: .* \\(stage 9 makes it\\)") as error:
            read_table(path, mend="stage 9 makes it")
        assert error.value.path == path
        with pytest.raises(InputError, match="cannot be read"):
            checksum([path])


def test_a_compressed_file_is_no_matter_of_encodings(path: Path) -> None:
    path.write_bytes(gzip.compress(b"a b\n"))
    with pytest.raises(InputError) as error:
        read_table(path)
    assert str(error.value) == f"{path}: a gzip file, expected text (gunzip it first)"


def test_lines_are_numbered_and_end_at_newlines_alone(path: Path) -> None:
    path.write_bytes("a\u2028b\r\nc\x0cd\u0085e\n\nlast".encode())
    assert list(read_lines(path)) == [(1, "a\u2028b"), (2, "c\x0cd\u0085e"), (3, ""), (4, "last")]


def test_a_table_is_sorted_as_in_the_c_locale(path: Path) -> None:
    write_table(path, {"utt-2": "b", "utt-10": "", "Utt": "c d", "utt-1": "a", "ütt": "e", "utt": "f"})
    assert path.read_text(encoding="utf-8") == "Utt c d\nutt f\nutt-1 a\nutt-10\nutt-2 b\nütt e\n"
    subprocess.run(["sort", "-c", "-k1,1", path], env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}, check=True)


words = st.text(st.characters(codec="utf-8", exclude_characters=" \t\n\r\f\v\ufeff"), min_size=1, max_size=6)


@settings(deadline=None)
@given(st.dictionaries(words, st.lists(words, max_size=4).map(" ".join), max_size=6))
def test_a_table_reads_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, table: dict[str, str]) -> None:
    path = tmp_path_factory.getbasetemp() / "table_round_trip"
    write_table(path, table)
    assert list(read_table(path).items()) == sorted(table.items())


def test_a_file_appears_when_it_is_complete(path: Path) -> None:
    path.write_text("old")
    with path.open() as reader:
        with atomic_write(path) as file:
            file.write("new")
            file.flush()
            assert path.read_text() == "old"
        assert reader.read() == "old"  # who has the old file open sees no half of the new one
    assert path.read_text() == "new"


def test_a_failed_write_leaves_what_was_there(path: Path) -> None:
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as file:
        file.write("new")
        raise ZeroDivisionError
    assert [(one.name, one.read_text()) for one in path.parent.iterdir()] == [("text", "old")]


def test_folders_are_made_and_a_file_in_their_place_is_named(path: Path) -> None:
    write_table(path.parent / "a" / "b" / "text", {"utt": "x"})
    assert (path.parent / "a" / "b" / "text").read_text() == "utt x\n"
    path.write_text("a file")
    with pytest.raises(InputError, match="cannot be written") as error:
        write_table(path / "below", {"utt": "x"})
    assert error.value.path == path / "below"
    assert path.read_text() == "a file"


def test_a_full_disk_is_one_error_and_leaves_no_file(path: Path) -> None:
    """A limit on the size of files fails as a full disk does, at the write or at the close."""
    path.write_text("old")
    program = (
        "import sys\nfrom pathlib import Path\nfrom lorescore.errors import InputError\n"
        "from lorescore.files import write_table\n"
        "try:\n    write_table(Path(sys.argv[1]), {str(n): 'x' * 100 for n in range(int(sys.argv[2]))})\n"
        "except InputError as error:\n    sys.exit(str(error))\n"
    )
    for records in (50, 5000):
        done = subprocess.run(
            [sys.executable, "-c", program, str(path), str(records)],
            env={"PYTHONPATH": str(Path(__file__).parents[1] / "local"), "PYTHONDONTWRITEBYTECODE": "1"},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
            capture_output=True,
            text=True,
        )
        expected = f"{path}: cannot be written: File too large (free some space or choose another directory)\n"
        assert (done.returncode, done.stderr) == (1, expected)
        assert [(one.name, one.read_text()) for one in path.parent.iterdir()] == [("text", "old")]


def test_yaml_keeps_its_order_and_its_letters(path: Path) -> None:
    content = {"source": "żółw", "n": 10, "rates": [0.1, 0.3], "nested": {"b": None, "a": True}}
    write_yaml(path, content)
    assert list(read_yaml(path).items()) == list(content.items())
    assert path.read_text(encoding="utf-8").startswith("source: żółw\nn: 10\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [1, 2", "not YAML: "),
        ("", "expected a YAML mapping"),
        ("- a\n", "expected a YAML mapping"),
        ("!!python/object/apply:os.getcwd []", "not YAML: "),  # a file can't run code
    ],
)
def test_what_is_no_yaml_mapping(path: Path, content: str, message: str) -> None:
    path.write_text(content)
    with pytest.raises(InputError) as error:
        read_yaml(path)
    assert str(error.value).startswith(f"{path}: {message}")
    assert "\n" not in str(error.value)


def test_checksum_is_sha256_over_the_contents_in_order(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    (tmp_path / "b").write_bytes(b"y")
    assert checksum([tmp_path / "a", tmp_path / "b"]) == hashlib.sha256(b"x" * 3_000_000 + b"y").hexdigest()


def test_the_checksum_of_a_table_is_of_what_it_says(path: Path) -> None:
    tables = {"a": "the  cat ", "b": ""}, {"b": "", "a": "the cat"}, {"a": "the", "b": "cat"}, {"a": "the cat"}
    of_same, again, *of_others = map(table_checksum, tables)
    assert of_same == again
    assert len({of_same, *of_others}) == 3
    write_table(path, tables[0])
    assert table_checksum(read_table(path)) == of_same


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    """No space would help."""
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written: File exists \(choose another name or delete it\)"):
        write_yaml(tmp_path / "file" / "a.yaml", {})
