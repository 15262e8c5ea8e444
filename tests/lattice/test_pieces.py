"""Lattices of SentencePiece's pieces as lattices of words, against their paths one by one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from archived_lattices import lattices
from hypothesis import given
from hypothesis import strategies as st

from lorescore.errors import InputError
from lorescore.lattice.archives import read_lattices
from lorescore.lattice.lattices import Arc, Cost, Final, Lattice
from lorescore.lattice.nbest import PathSettings, lists_from_lattices
from lorescore.lattice.pieces import joined
from lorescore.lattice.source import LatticeSource
from lorescore.lattice.word_paths import WordPaths
from lorescore.lattice.words import WordTable, write_words

PIECES = ("▁the", "▁", "▁un", "s", "der", "▁cat", "'")


def paths(lattice: Lattice, state: int = 0) -> Iterator[tuple[list[Arc], Final]]:
    """Every path."""
    if final := lattice.finals.get(state):
        yield [], final
    for arc in lattice.leaving[state]:
        for rest, final in paths(lattice, arc.target):
            yield [arc, *rest], final


def seen(words: list[str], arcs: list[Arc], final: Final) -> tuple[object, ...]:
    """What a path is: its words, the costs on its way, and what it emits."""
    costs = [arc.cost for arc in arcs if arc.cost != Cost()]
    return words, costs, [frame for arc in arcs for frame in arc.alignment], final


@given(lattice=lattices(), pieces=st.lists(st.sampled_from(("", *PIECES)), min_size=12, max_size=12))
def test_the_paths_are_those_of_the_pieces(lattice: Lattice, pieces: list[str]) -> None:
    arcs = (
        Arc(arc.source, arc.target, piece, arc.cost, arc.alignment)
        for arc, piece in zip(lattice.arcs, pieces, strict=False)
    )
    of_pieces = Lattice(lattice.utt, tuple(arcs), lattice.finals)
    expected = [
        seen("".join(arc.word for arc in way).replace("▁", " ").split(), way, final) for way, final in paths(of_pieces)
    ]
    found = [seen([arc.word for arc in way if arc.word], way, final) for way, final in paths(joined(of_pieces))]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


def lattice_of(*ways: str) -> Lattice:
    """The ways as chains of pieces from the start to an end each, a frame and an acoustic cost of 1 for each piece."""
    arcs, finals, last = [], {}, 0
    for way in ways:
        state = 0
        for frame, piece in enumerate(way.split()):
            last += 1
            arcs.append(Arc(state, last, piece, Cost(0.0, 1.0), (frame + 1,)))
            state = last
        finals[state] = Final()
    return Lattice("utt", tuple(sorted(arcs, key=lambda arc: arc.source)), finals)


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("▁the ▁c at s", "the cats"),
        ("the ▁cat", "the cat"),
        ("▁ ▁ cat ▁", "cat"),
        ("▁a <unk> s ▁b", "a <unk>s b"),
        ("▁ <0xE4> <0xBD> <0xA0> 好", "你好"),
        ("▁x <0xE4> <0xBD> ▁y", "x\N{REPLACEMENT CHARACTER} y"),
        ("▁<b> ▁a<b>", "<b> a<b>"),
    ],
)
def test_words_of_pieces(way: str, words: str) -> None:
    ((arcs, _),) = paths(joined(lattice_of(way)))
    assert " ".join(arc.word for arc in arcs if arc.word) == words


def test_a_word_stands_where_its_first_piece_stood() -> None:
    ways = "▁the ▁c at s ▁sat", "▁the ▁c up ▁sat"
    path = WordPaths(joined(lattice_of(*ways))).find(("the", "cats", "sat"))
    assert path is not None and path.word_alignments() == [(1,), (2, 3, 4), (5,), ()]


ARCHIVE = """utt
0 1 1 0,1,1
0 1 5 0,3.5,2
1 2 2 0,0.5,1
2 3 3 0,1,1
2 3 4 0,2,1
2 0,0,
3 0,0,

"""


def test_lists_of_a_transducer_have_words(tmp_path: Path) -> None:
    (tmp_path / "lat.1").write_text(ARCHIVE)
    tokens = WordTable(dict(enumerate(("<blk>", "▁the", "▁ca", "t", "p", "▁a"))))
    write_words(tmp_path / "lang_tokens.txt", tokens)
    made = lists_from_lattices(read_lattices(tmp_path / "lat.1", tmp_path / "lang_tokens.txt"), PathSettings(3))
    (one,) = made.nbest
    assert [(hyp.text, hyp.score) for hyp in one.hypotheses] == [("the ca", -1.5), ("the cat", -2.5), ("the cap", -3.5)]
    source = LatticeSource.read(tmp_path, words_path=tmp_path / "lang_tokens.txt")
    (lattice,) = source.lattices()
    path = WordPaths(lattice).find(("the", "cat"))
    assert path is not None and source.word_spans(path) == [(0, 1), (1, 3)]


def test_a_lattice_without_a_path_and_one_with_a_cycle_are_refused_as_others_are(tmp_path: Path) -> None:
    tokens = WordTable({0: "<blk>", 1: "▁the"})
    for number, text in enumerate(("utt \n0 1 1\n1 0 1\n1\n\n", "utt \n0 1 1\n1 Infinity,Infinity,\n\n"), start=1):
        (tmp_path / f"lat.{number}").write_text(text)
        with pytest.raises(InputError, match="has a cycle" if number == 1 else "has no path"):
            list(read_lattices(tmp_path / f"lat.{number}", tokens))
        assert len(list(read_lattices(tmp_path / f"lat.{number}", tokens, require_path=False))) == 1


def test_pieces_that_begin_no_words_are_refused_before_they_fill_the_memory() -> None:
    arcs = [Arc(state, state + 1, piece, Cost()) for state in range(40) for piece in "ab"]
    with pytest.raises(InputError, match="the pieces of utterance utt spell too many words"):
        joined(Lattice("utt", tuple(arcs), {40: Final()}))
