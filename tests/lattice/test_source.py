"""What stands beside lattices, and the times of words in them."""

import gzip
from pathlib import Path

import pytest

from lorescore.errors import InputError
from lorescore.lattice.lattices import Arc, Cost, Final
from lorescore.lattice.source import FRAME_SHIFT_S, LatticeSource
from lorescore.lattice.word_paths import AlignedPath
from lorescore.lattice.words import WordTable

SLF = "N=2 L=1\nI=0\nI=1\nJ=0 S=0 E=1 W=the\n"
TOKENS = WordTable({0: "<eps>", 1: "<blank>", 2: "▁the", 3: "▁s", 4: "un", 5: "▁set"})


def source_of(tokens: WordTable | None) -> LatticeSource:
    return LatticeSource(Path("lat"), 0.04, WordTable({0: "<eps>"}), tokens)


def path_of(*words: tuple[str, tuple[int, ...]], final: tuple[int, ...] = ()) -> AlignedPath:
    """A path from words and what stands on their arcs."""
    arcs = (Arc(state, state + 1, word, Cost(), alignment) for state, (word, alignment) in enumerate(words))
    return AlignedPath(tuple(arcs), Final(Cost(), final))


# `set` is known before it is spoken, so that its arc is empty and the arc of `sun` has frames of both.
PUSHED = path_of(("the", (1, 2, 2, 1)), ("sun", (3, 1, 4, 1, 5)), ("set", ()), final=(5, 1, 1))


def test_a_word_is_where_its_arc_is() -> None:
    assert source_of(None).word_spans(PUSHED) == [(0, 4), (4, 9), (9, 9)]


def test_a_word_begins_with_its_first_token_and_the_last_one_ends_with_its_last() -> None:
    assert source_of(TOKENS).word_spans(PUSHED) == [(1, 4), (4, 8), (8, 10)]


def test_silence_on_arcs_of_its_own_is_no_part_of_a_word() -> None:
    """What lattice-align-words makes of `sil the sil sun sil`: 3 + 2 + 4 + 3 + 2 frames."""
    aligned = path_of(("", (9,) * 3), ("the", (7, 8)), ("", (9,) * 4), ("sun", (5, 6, 6)), ("", (9, 9)))
    assert source_of(None).word_spans(aligned) == [(3, 5), (9, 12)]
    # The rescored lattice has nowhere else to put them.
    assert list(map(len, aligned.word_alignments())) == [9, 5, 0]


def test_a_raw_lattice_has_a_word_on_the_first_of_its_frames() -> None:
    raw = path_of(("", (9,)), ("the", (7,)), ("", (8,)), ("sun", (5,)), ("", (6,)), ("", (6,)))
    assert source_of(None).word_spans(raw) == [(0, 3), (3, 6)]
    # As where words come late: they have no frames of their own.
    late = path_of(("", (9, 7, 8)), ("the", ()), ("sun", (5, 6)))
    assert source_of(None).word_spans(late) == [(0, 3), (3, 5)]


def test_a_token_after_a_blank_is_another_one() -> None:
    again = path_of(("the", (2, 2, 1)), ("the", (2,)))
    assert source_of(TOKENS).word_spans(again) == [(0, 3), (3, 4)]


def test_tokens_that_begin_another_number_of_words_do_not_count() -> None:
    odd = path_of(("the", (2, 1)), ("sun", (4, 4)))
    assert source_of(TOKENS).word_spans(odd) == source_of(None).word_spans(odd) == [(0, 2), (2, 4)]
    assert source_of(TOKENS).word_spans(path_of(final=(1, 1))) == []


PHONES = WordTable(dict(enumerate(["<eps>", "<blank>", "AH", "B", "D", "EH", "IY", "R", "<space>"])))
PRONUNCIATIONS = {
    "a": {("AH",): 0.0},
    "read": {("R", "EH", "D"): 0.0, ("R", "IY", "D"): 0.0},
    "bed": {("B", "EH", "D"): 0.0},
    "ebb": {("EH",): 0.0, ("EH", "B"): 0.0},
    "be": {("B", "IY"): 0.0, ("IY",): 0.0},
}


@pytest.mark.parametrize(
    ("words", "emitted", "spans"),
    [
        ("read a bed", "- R EH EH D AH - B EH D -", [(1, 5), (5, 7), (7, 10)]),
        ("read a bed", "- R IY D <space> AH <space> <space> - B EH D -", [(1, 5), (5, 9), (9, 12)]),
        ("a a", "AH AH - AH", [(0, 3), (3, 4)]),
        ("ebb be", "EH B IY", [(0, 1), (1, 3)]),  # two ways: the last word is the longest that it can be
        ("ebb be", "EH B <space> IY -", [(0, 3), (3, 4)]),
    ],
)
def test_the_lexicon_says_which_phones_a_word_is_of(words: str, emitted: str, spans: list[tuple[int, int]]) -> None:
    tokens = tuple(PHONES.ids.get(token, 1) for token in emitted.split())
    first, *others = words.split()
    source = LatticeSource(Path("lat"), 0.04, WordTable({0: "<eps>"}), PHONES, PRONUNCIATIONS)
    assert source.word_spans(path_of((first, tokens), *((word, ()) for word in others))) == spans
    # As it is where the words come late.
    assert source.word_spans(path_of(("", tokens), (first, ()), *((word, ()) for word in others))) == spans


def test_phones_that_are_not_those_of_the_words_do_not_count() -> None:
    source = LatticeSource(Path("lat"), 0.04, WordTable({0: "<eps>"}), PHONES, PRONUNCIATIONS)
    odd = path_of(("a", (1, 2, 2)), ("bed", (3, 3, 4)))  # B D
    assert source.word_spans(odd) == [(0, 3), (3, 6)]
    assert source.word_spans(path_of(("a", (1, 2)), ("abed", (3, 5, 4)))) == [(0, 2), (2, 5)]


def test_what_stands_beside_the_lattices(tmp_path: Path) -> None:
    (tmp_path / "u1.slf").write_text(SLF)
    bare = LatticeSource.read(tmp_path)
    assert (bare.frame_shift, dict(bare.words.words), bare.tokens) == (FRAME_SHIFT_S, {0: "<eps>"}, None)
    (tmp_path / "words.txt").write_text("<eps> 0\nthe 7\n")
    (tmp_path / "tokens.txt").write_text("<eps> 0\n<blank> 1\n▁the 2\n")
    (tmp_path / "lexicon.txt").write_text("the ▁the\n")
    (tmp_path / "frame_shift").write_text("0.03\n")
    source = LatticeSource.read(tmp_path)
    assert (source.frame_shift, source.words.ids["the"]) == (0.03, 7)
    assert source.tokens is not None
    assert source.tokens.words[2] == "▁the"
    assert source.lexicon == {"the": {("▁the",): 0.0}}
    assert LatticeSource.read(tmp_path, 0.01).frame_shift == 0.01


def test_tokens_of_icefall_begin_with_the_blank(tmp_path: Path) -> None:
    """Alignments have 1 for the blank all the same, as `LatticeWriter` writes k2's labels."""
    (tmp_path / "u1.slf").write_text(SLF)
    (tmp_path / "tokens.txt").write_text("<blk> 0\n<sos/eos> 1\n<unk> 2\n▁the 3\n▁ca 4\nt 5\n")
    path = path_of(("the", (1, 4, 4, 1)), ("cat", (1, 5, 1, 6)))
    assert LatticeSource.read(tmp_path, 0.04).word_spans(path) == [(1, 5), (5, 8)]


def test_what_cannot_be_read_is_known_before_anything_is_scored(tmp_path: Path) -> None:
    lat_dir, words = tmp_path / "decode_dev", tmp_path / "words.txt"
    with pytest.raises(InputError, match="decode_dev: no such directory"):
        LatticeSource.read(lat_dir)
    lat_dir.mkdir()
    with pytest.raises(InputError, match="decode_dev: no lattices here, expected lat.JOB.gz or .slf files"):
        LatticeSource.read(lat_dir)
    (lat_dir / "lat.1.gz").write_bytes(gzip.compress(b""))  # a job without a lattice
    (lat_dir / "lat.2.gz").write_bytes(gzip.compress(b"u1\n0 1 7 1,2,3\n1 0,0,\n\n"))
    with pytest.raises(InputError, match="lat.2.gz: a file, expected the directory of the lattices"):
        LatticeSource.read(lat_dir / "lat.2.gz")
    with pytest.raises(InputError, match="decode_dev: lattices have word ids, and there is no words.txt") as error:
        LatticeSource.read(lat_dir)
    assert error.value.mend == "give the words.txt of their decoding graph with --words"
    with pytest.raises(InputError, match="words.txt: cannot be read"):
        LatticeSource.read(lat_dir, words_path=words)
    words.write_text("<eps> 0\nthe 7\n")
    source = LatticeSource.read(lat_dir, words_path=words)
    assert [arc.word for one in source.lattices() for arc in one.arcs] == ["the"]
    before = source.made_from
    words.write_text("<eps> 0\na 7\n")
    assert LatticeSource.read(lat_dir, words_path=words).made_from != before


@pytest.mark.parametrize("said", ["", "10 ms", "0", "-0.01", "nan", "inf"])
def test_a_frame_shift_that_is_none(tmp_path: Path, said: str) -> None:
    (tmp_path / "frame_shift").write_text(said)
    with pytest.raises(InputError, match="frame_shift:1: expected seconds|frame shift .*, expected a finite"):
        LatticeSource.read(tmp_path)


def test_a_table_keeps_its_ids_and_gets_what_it_lacks() -> None:
    table = WordTable({0: "<eps>", 1: "the", 5: "#0"})
    assert dict(table.extended(["żółw", "the", "a"]).words) == {0: "<eps>", 1: "the", 5: "#0", 6: "a", 7: "żółw"}
    assert table.extended(["the"]) == table
