"""Kaldi's text archives and words.txt: what is read, that it is written again as it was, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
from archived_lattices import TABLE, corpora, expanded, write_expanded
from hypothesis import given, settings
from hypothesis import strategies as st

from lorescore.errors import InputError
from lorescore.lattice.archives import read_lattices, write_lattices
from lorescore.lattice.lattices import Arc, Cost, Final, Lattice
from lorescore.lattice.words import WordTable, read_words, write_words

WORDS = WordTable({0: "<eps>", 3: "the", 4: "a", 5: "cat"})

# Printed by Kaldi itself from the lattices below, as is every archive here that a test writes again unchanged.
COMPACT = """\
utt1 
0	1	3	1.5,2.25,1_2_3
0	1	4	-0.125,0.5,
1	2	0
1	3	5	0,0,7
2	1e+10,3,4_5
3

utt-2 
0

utt3 
0	1	3
0	2	3
1
2	Infinity,Infinity,

"""  # noqa: W291 (Kaldi writes a space after an utterance id)

# What Kaldi's ConvertLattice makes of it.
EXPANDED = """\
utt1 
0	4	1	3	1.5,2.25
0	1	0	4	-0.125,0.5
1	2	0	0
1	3	7	5
2	6	4	0	1e+10,3
3
4	5	2	0
5	1	3	0
6	7	5	0
7

utt-2 
0

utt3 
0	1	0	3
0	2	0	3
1
2	Infinity,Infinity

"""  # noqa: W291

LATTICES = [
    Lattice(
        "utt1",
        (
            Arc(0, 1, "the", Cost(1.5, 2.25), (1, 2, 3)),
            Arc(0, 1, "a", Cost(-0.125, 0.5)),
            Arc(1, 2, "", Cost()),
            Arc(1, 3, "cat", Cost(), (7,)),
        ),
        {2: Final(Cost(1e10, 3.0), (4, 5)), 3: Final()},
    ),
    Lattice("utt-2", (), {0: Final()}),
    Lattice("utt3", (Arc(0, 1, "the", Cost()), Arc(0, 2, "the", Cost())), {1: Final()}),
]


@pytest.fixture
def archive(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a text archive."""

    def write(content: str) -> Path:
        path = tmp_path / "lat.1"
        path.write_text(content, encoding="utf-8")
        return path

    return write


def test_compact_lattices_as_kaldi_prints_them(archive: Callable[[str], Path], tmp_path: Path) -> None:
    assert list(read_lattices(archive(COMPACT), WORDS)) == LATTICES
    assert write_lattices(tmp_path / "again", LATTICES, WORDS) == 3
    assert (tmp_path / "again").read_text() == COMPACT


def test_lattices_as_kaldi_prints_them(archive: Callable[[str], Path], tmp_path: Path) -> None:
    found = list(read_lattices(archive(EXPANDED), WORDS))
    assert found[0].arcs[0] == Arc(0, 4, "the", Cost(1.5, 2.25), (1,))
    assert found == [expanded(lattice) for lattice in LATTICES]
    for content in (found, LATTICES):
        write_expanded(tmp_path / "again", content, WORDS)
        assert (tmp_path / "again").read_text() == EXPANDED


@pytest.mark.parametrize("cost", ["1.23457", "123457", "1.23457e+06", "1e-05", "0.0001", "-3.40282e+38", "1.40130e-45"])
def test_six_and_nine_digits_are_written_again(archive: Callable[[str], Path], tmp_path: Path, cost: str) -> None:
    nine = {"1.40130e-45": "1.40129846e-45", "-3.40282e+38": "-3.40282347e+38"}.get(cost, "16777.2168")
    text = f"u \n0\t1\t3\t{float(cost):.6g},{nine},\n1\t{nine},-0,\n\n"
    write_lattices(tmp_path / "again", read_lattices(archive(text), WORDS), WORDS)
    assert (tmp_path / "again").read_text() == text


@settings(deadline=None)
@given(corpora())
def test_compact_lattices_read_back(tmp_path_factory: pytest.TempPathFactory, corpus: list[Lattice]) -> None:
    path, again = (tmp_path_factory.getbasetemp() / name for name in ("compact.gz", "compact_again.gz"))
    write_lattices(path, corpus, TABLE)
    found = list(read_lattices(path, TABLE))
    assert [one.utt for one in found] == [one.utt for one in corpus]
    for read, written in zip(found, corpus, strict=True):
        assert [shape(arc) for arc in read.arcs] == [shape(arc) for arc in written.arcs]
        assert read.finals.keys() == written.finals.keys()
        assert read.num_states == written.num_states
    write_lattices(again, found, TABLE)
    assert again.read_bytes() == path.read_bytes()


def shape(arc: Arc) -> tuple[object, ...]:
    """An arc with its costs to the nine digits that are on disk."""
    costs = (f"{arc.cost.graph:.9g}", f"{arc.cost.acoustic:.9g}")
    return arc.source, arc.target, arc.word, arc.alignment, [float(cost) for cost in costs]


@settings(deadline=None)
@given(corpora(max_frames=1))
def test_lattices_read_back(tmp_path_factory: pytest.TempPathFactory, corpus: list[Lattice]) -> None:
    path, again = (tmp_path_factory.getbasetemp() / name for name in ("lattice", "lattice_again"))
    write_expanded(path, corpus, TABLE)
    found = list(read_lattices(path, TABLE))
    assert [list(map(shape, one.arcs)) for one in found] == [list(map(shape, one.arcs)) for one in corpus]
    write_expanded(again, found, TABLE)
    assert again.read_bytes() == path.read_bytes()


def test_the_start_becomes_state_0(archive: Callable[[str], Path]) -> None:
    """Kaldi prints the start first, whatever its number."""
    text = "u \n2\t0\t3\t1,0,\n0\t1\t4\t2,0,\n1\t3\t5\t3,0,\n3\n\n"
    (lattice,) = read_lattices(archive(text), WORDS)
    assert [(arc.source, arc.target, arc.word) for arc in lattice.arcs] == [(0, 1, "the"), (1, 2, "a"), (2, 3, "cat")]
    assert list(lattice.finals) == [3]


def test_what_people_write_by_hand(archive: Callable[[str], Path]) -> None:
    """Spaces, no space after the id, Windows line ends, arcs in any order, more than one empty line."""
    text = "\nu\r\n0 1 3 1,2,\r\n1 2 4\r\n0 2 5 +1.50e0,.5,7_8\r\n2 0,0,\r\n\r\n\n\nv\n0 1.,2,\n\n"
    found = list(read_lattices(archive(text), WORDS))
    assert found == [
        Lattice(
            "u",
            (Arc(0, 1, "the", Cost(1, 2)), Arc(0, 2, "cat", Cost(1.5, 0.5), (7, 8)), Arc(1, 2, "a", Cost())),
            {2: Final()},
        ),
        Lattice("v", (), {0: Final(Cost(1, 2))}),
    ]


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        ("0 1 3 1,2,\n1 2 3 4 5 6\n", 3, "utterance u: expected `source target word weight` or `state weight`, found"),
        ("-1 1 3 1,2,\n", 2, "utterance u: expected `source target word weight`"),
        ("0 -1 3 1,2,\n", 2, "utterance u: expected `source target word weight`"),
        ("0 1 -3 1,2,\n", 2, "utterance u: expected `source target word weight`"),
        ("0 1 the 1,2,\n", 2, "utterance u: expected `source target word weight`"),
        ("0 1_0 3 1,2,\n", 2, "utterance u: expected `source target word weight`"),
        (f"0 1 {'9' * 5000}\n", 2, "utterance u: expected `source target word weight`"),
        ("0 1 3 x,2,\n", 2, "utterance u: expected a weight `graph,acoustic,transition-ids` with finite costs"),
        ("0 1 3 nan,2,\n", 2, "utterance u: expected a weight"),
        ("0 1 3 BadNumber,2,\n", 2, "utterance u: expected a weight"),
        ("0 1 3 1e999,2,\n", 2, "utterance u: expected a weight"),
        ("0 1 3 1_0,2,\n", 2, "utterance u: expected a weight"),
        ("0 1 3 1,2,3_\n", 2, "utterance u: expected a weight"),
        ("0 1 3 1,2,-3\n", 2, "utterance u: expected a weight"),
        ("0 1 3 1,2\n", 2, "utterance u: expected a weight"),
        ("0 1 3 Infinity,Infinity,\n", 2, "utterance u: expected a weight"),
        ("0 1 0 3 1,2,\n", 2, "utterance u: expected a weight `graph,acoustic` with finite costs"),
        ("0 1 3\n1 1\n", 3, "utterance u: expected all lines of a CompactLattice or all of a Lattice, found '1 1'"),
        ("0 1 3\n1 Infinity,2,\n", 3, "utterance u: expected a weight"),
        ("0 1 3 1,2,\n1 2 0 3 1,2\n2\n", 3, "utterance u: expected all lines of a CompactLattice or all of a Lattice"),
        ("0 1 3\n1\n1 2,3,\n", 4, "utterance u: expected one line for a final state, found '1 2,3,'"),
        ("0 1 7 1,2,\n1\n", 2, "word id 7 of utterance u is not in the word table"),
        ("0 1 3 1,2,\n3\n", 1, "state 2 of utterance u is left out, the last is 3"),
        ("0 999999999999 3 1,2,\n1\n", 1, "state 2 of utterance u is left out, the last is 999999999999"),
    ],
)
def test_a_bad_line_is_named(archive: Callable[[str], Path], lines: str, line: int, message: str) -> None:
    path = archive(f"u \n{lines}\nv \n0\n\n")
    with pytest.raises(InputError) as error:
        list(read_lattices(path, WORDS))
    assert str(error.value).startswith(f"{path}:{line}: {message}")
    assert error.value.mend and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("u \n0\n\nv w\n0\n\n", 4, "expected an utterance id alone, found 'v w'"),
        ("u \n0\n\n0 1 3 1,2,\n1\n\n", 4, "expected an utterance id alone, found '0 1 3 1,2,'"),
        ("u \n0\n\nv \n0 1 3\n", None, "the file ends within the lattice of utterance v: no empty line after it"),
        ("u \n0\n\nv \n0\n\nu \n0\n\n", None, "utterance u for the second time"),
        ("u \n0\n\nv \n\n", None, "the lattice of utterance v has no path"),
        ("u \n0 1 3\n1 Infinity,Infinity,\n\n", None, "the lattice of utterance u has no path"),
        ("u \n0 1 3\n1 2 4\n2 1 4\n1\n\n", None, "the lattice of utterance u has a cycle"),
        ("u \n0 0 3\n0\n\n", None, "the lattice of utterance u has a cycle"),
    ],
)
def test_a_bad_archive_is_named(archive: Callable[[str], Path], content: str, line: int | None, message: str) -> None:
    path = archive(content)
    with pytest.raises(InputError) as error:
        list(read_lattices(path, WORDS))
    assert str(error.value).startswith(f"{path}:{line}: {message}" if line else f"{path}: {message}")
    assert error.value.mend and "\n" not in str(error.value)


def test_text_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "lat.1"
    path.write_bytes(b"u \n0\n\nv\xff \n0\n\n")
    with pytest.raises(InputError, match="not UTF-8 text") as error:
        list(read_lattices(path, WORDS))
    assert error.value.line == 4


@pytest.mark.parametrize(
    ("lattice", "message"),
    [
        (Lattice("u", (Arc(0, 1, "dog", Cost()),), {1: Final()}), "word dog of utterance u is not in the word table"),
        (Lattice("u", (), {0: Final(Cost(float("nan"), 0))}), "a cost of nan,0 in the lattice of utterance u"),
        (Lattice("u", (Arc(0, 1, "", Cost(0, float("inf"))),), {1: Final()}), "a cost of 0,inf in the lattice"),
        (Lattice("u v", (), {0: Final()}), "utterance id 'u v' is empty or has white space"),
        (Lattice("", (), {0: Final()}), "utterance id '' is empty or has white space"),
        (LATTICES[1], "utterance utt-2 for the second time"),
    ],
)
def test_what_is_not_written(tmp_path: Path, lattice: Lattice, message: str) -> None:
    """And what stood there stays."""
    path = tmp_path / "lat.1"
    path.write_text("old")
    with pytest.raises(InputError) as error:
        write_lattices(path, [LATTICES[1], lattice], WORDS)
    assert error.value.message.startswith(message)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("lat.1", "old")]


def test_words_are_numbered_in_the_order_of_the_c_locale(tmp_path: Path) -> None:
    table = WordTable({0: "<eps>"}).extended(["the", "żółw", "Cat", "the", "", "<eps>"])
    write_words(tmp_path / "words.txt", table)
    assert (tmp_path / "words.txt").read_text(encoding="utf-8") == "<eps> 0\nCat 1\nthe 2\nżółw 3\n"
    assert read_words(tmp_path / "words.txt").words == table.words


def test_a_word_table_is_written_again_as_it_was(tmp_path: Path) -> None:
    """Kaldi's: disambiguation symbols and sentence marks last; some toolkits give id 0 another name."""
    path = tmp_path / "words.txt"
    for content in ("<eps> 0\n!SIL 1\nA 2\n#0 3\n<s> 4\n</s> 5\n", "- 0\nx\u00a0y 7\n"):
        path.write_text(content, encoding="utf-8")
        write_words(tmp_path / "again", read_words(path))
        assert (tmp_path / "again").read_text(encoding="utf-8") == content


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("<eps> 0\na x\n", 2, "expected `word id` with an id of at least 0, found 'a x'"),
        ("<eps> 0\na -1\n", 2, "expected `word id`"),
        ("<eps> 0\na\n", 2, "expected `word id`"),
        ("<eps> 0\na 1 2\n", 2, "expected `word id`"),
        ("<eps> 0\na 1\nb 1\n", 3, "id 1 for the second time"),
        ("<eps> 0\na 1\na 2\n", 3, "key a for the second time"),
        ("", None, "empty, expected `word id`"),
    ],
)
def test_a_bad_word_table_is_named(tmp_path: Path, content: str, line: int | None, message: str) -> None:
    path = tmp_path / "words.txt"
    path.write_text(content)
    with pytest.raises(InputError) as error:
        read_words(path)
    assert str(error.value).startswith(f"{path}:{line}: {message}" if line else f"{path}: {message}")
    assert error.value.mend


@settings(deadline=None, max_examples=300)
@given(st.text(st.sampled_from("u01 \t\n,_-.eInf\0\u00e9"), max_size=60))
def test_any_text_is_read_or_refused_with_one_line(tmp_path_factory: pytest.TempPathFactory, rest: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any_text"
    path.write_text(f"u \n0\t1\t3\n1\n\n{rest}", encoding="utf-8")
    try:
        assert next(iter(read_lattices(path, WORDS))).utt == "u"
        list(read_lattices(path, WORDS))
    except InputError as error:
        assert "\n" not in str(error) and error.path == path
