"""N-best directories: round trips, the order of ranks, and what is wrong with a directory."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorescore.errors import InputError
from lorescore.files import read_yaml
from lorescore.nbest import Hypothesis, NbestList, NbestSet, read_costs, read_nbest_dir, write_costs, write_nbest_dir
from lorescore.nbest.costs import costs_by_list
from lorescore.nbest.directory import content_checksum
from lorescore.nbest.info import is_nbest_dir
from lorescore.nbest.lists import CostParts

REFS = {"utt-1": "the cat sat", "utt-2": "on the mat"}
NBEST = NbestSet(
    (
        NbestList("utt-1", (Hypothesis("the cat sat", -1.5), Hypothesis("", -2.25), Hypothesis("a cat", -3.0))),
        NbestList("utt-2", (Hypothesis("on a mat", -0.5),)),
    ),
    REFS,
    {"source": "test"},
)


@pytest.fixture
def nbest_dir(tmp_path: Path) -> Path:
    write_nbest_dir(tmp_path / "set", NBEST)
    return tmp_path / "set"


def replace(path: Path, old: str, new: str) -> None:
    """Put something else into a file where `old` stands; it must stand there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_files_are_kaldis(nbest_dir: Path) -> None:
    content = {path.name: path.read_text() for path in nbest_dir.iterdir() if path.name != "nbest.yaml"}
    assert content == {
        "words_text": "utt-1-1 the cat sat\nutt-1-2\nutt-1-3 a cat\nutt-2-1 on a mat\n",
        "acwt": "utt-1-1 1.5000\nutt-1-2 2.2500\nutt-1-3 3.0000\nutt-2-1 0.5000\n",
        "text": "utt-1 the cat sat\nutt-2 on the mat\n",
    }
    info = read_yaml(nbest_dir / "nbest.yaml")
    assert {key: info[key] for key in ("source", "utterances", "hypotheses", "n")} == {
        "source": "test",
        "utterances": 2,
        "hypotheses": 4,
        "n": 3,
    }


words = st.text(st.characters(codec="utf-8", exclude_characters=" \t\n\r\f\v"), min_size=1, max_size=5)
texts = st.lists(words | st.sampled_from(["a\u00a0b", "a\u2028b", "\u3000", "-1", "żółw"]), max_size=3).map(" ".join)
# A byte-order mark at the start of a file is no part of its first record.
utts = st.sampled_from(["utt", "utt-1", "utt-1-10", "utt-10", "-", "1"]) | words.filter(lambda utt: utt[0] != "\ufeff")
scores = st.integers(-(10**8), 10**8).map(lambda number: number / 10**4)
hypotheses = st.lists(st.builds(Hypothesis, texts, scores), min_size=1, max_size=12).map(tuple)


@st.composite
def nbest_sets(draw: st.DrawFn) -> NbestSet:
    lists = draw(st.dictionaries(utts, hypotheses, min_size=1, max_size=4))
    refs = {utt: draw(texts) for utt in lists} if draw(st.booleans()) else {}
    return NbestSet(tuple(NbestList(utt, lists[utt]) for utt in sorted(lists)), refs, {"source": "drawn"})


@settings(deadline=None, max_examples=60)
@given(nbest_sets())
def test_a_directory_reads_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, nbest: NbestSet) -> None:
    nbest_dir = tmp_path_factory.getbasetemp() / "nbest_round_trip"  # whatever stood there before
    write_nbest_dir(nbest_dir, nbest)
    read = read_nbest_dir(nbest_dir)
    assert (read.lists, read.refs) == (nbest.lists, nbest.refs)
    assert read.lists_checksum == nbest.lists_checksum
    assert dict(read.info) == read_yaml(nbest_dir / "nbest.yaml")
    for name in ("words_text", "acwt"):
        subprocess.run(["sort", "-c", "-k1,1", nbest_dir / name], env={"LC_ALL": "C", "PATH": "/usr/bin"}, check=True)


def test_more_than_nine_ranks_read_back_in_their_order(tmp_path: Path) -> None:
    """Sorted in the C locale, `utt-1-10` stands between `utt-1-1` and `utt-1-2`, and `utt-1` is another utterance."""
    ten = tuple(Hypothesis(f"word {rank}", -float(rank)) for rank in range(1, 12))
    nbest = NbestSet((NbestList("utt", ten[:3]), NbestList("utt-1", ten)))
    write_nbest_dir(tmp_path, nbest)
    keys = [line.split()[0] for line in (tmp_path / "words_text").read_text().splitlines()]
    assert keys == [
        "utt-1",
        "utt-1-1",
        "utt-1-10",
        "utt-1-11",
        *(f"utt-1-{rank}" for rank in range(2, 10)),
        "utt-2",
        "utt-3",
    ]
    assert read_nbest_dir(tmp_path).lists == nbest.lists


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("text", "no N-best directory"),
        ("wav.scp", "no N-best directory"),
        ("words_text", "holds lists from elsewhere"),
    ],
)
def test_what_is_of_somebody_else_is_not_overwritten(nbest_dir: Path, tmp_path: Path, name: str, what: str) -> None:
    """A data directory, lists that were made by hand, an archive of Kaldi."""
    other = tmp_path / "other"
    other.mkdir()
    (other / name).write_text("u1 a reference\n")
    with pytest.raises(InputError, match=rf"other: is there already and {what} \(choose another name or delete it\)"):
        write_nbest_dir(other, read_nbest_dir(nbest_dir))
    assert [(path.name, path.read_text()) for path in other.iterdir()] == [(name, "u1 a reference\n")]


def test_unsorted_files_are_read_as_well(nbest_dir: Path) -> None:
    for name in ("words_text", "acwt", "text"):
        lines = (nbest_dir / name).read_text().splitlines(keepends=True)
        (nbest_dir / name).write_text("".join(reversed(lines)))
    read = read_nbest_dir(nbest_dir)
    assert (read.lists, read.refs) == (NBEST.lists, REFS)


def test_references_of_another_set_do_not_stay(nbest_dir: Path) -> None:
    write_nbest_dir(nbest_dir, NbestSet(NBEST.lists))
    assert read_nbest_dir(nbest_dir).refs == {}


def test_lists_changed_by_hand_are_other_lists(nbest_dir: Path) -> None:
    written = read_nbest_dir(nbest_dir).info["checksum"]
    replace(nbest_dir / "acwt", "1.5000", "1.6000")
    assert read_nbest_dir(nbest_dir).info["checksum"] != written
    replace(nbest_dir / "acwt", "1.6000", "1.5000")
    assert read_nbest_dir(nbest_dir).info["checksum"] == written


def test_the_checksum_of_the_lists_alone(nbest_dir: Path) -> None:
    def changed(name: str, content: str) -> bool:
        before = read_nbest_dir(nbest_dir).lists_checksum
        (nbest_dir / name).write_text(content)
        return read_nbest_dir(nbest_dir).lists_checksum != before

    assert not changed("text", "utt-1 the dog\nutt-2 on the mat\n")
    assert changed("context", "utt-2 the dog\n")
    assert changed("context", "utt-2 the <s> dog\n")
    assert changed("words_text", "utt-1-1 the cat sat\nutt-1-2\nutt-1-3 a cat\nutt-2-1 on the mat\n")


def test_a_directory_from_elsewhere_has_no_nbest_yaml(nbest_dir: Path) -> None:
    checksum = read_nbest_dir(nbest_dir).info["checksum"]
    (nbest_dir / "nbest.yaml").unlink()
    assert is_nbest_dir(nbest_dir)
    read = read_nbest_dir(nbest_dir)
    assert (read.lists, read.refs, read.metric) == (NBEST.lists, REFS, "wer")
    assert read.info == {"checksum": checksum}
    (nbest_dir / "nbest.yaml").write_text("metric: cer\n")
    assert read_nbest_dir(nbest_dir).info == {"metric": "cer", "checksum": checksum}


@pytest.mark.parametrize("stands", [True, False], ids=["over others", "anew"])
def test_half_written_work_is_never_taken_for_a_directory_from_elsewhere(
    nbest_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stands: bool
) -> None:
    """Whichever file the writing is cut off before; written again it is whole."""
    other = NbestSet((NbestList("utt-9", (Hypothesis("a dog", -1.0),)),), {"utt-9": "the dog"})
    place = Path.replace
    for moves in range(4):  # of words_text, acwt, text, nbest.yaml
        out = tmp_path / f"{moves}"
        if stands:
            write_nbest_dir(out, other)
        left = [moves]

        def cut_off(self: Path, target: Path, out: Path = out, left: list[int] = left) -> Path:
            if target.parent == out:
                left[0] -= 1
                if left[0] < 0:
                    raise KeyboardInterrupt
            return place(self, target)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Path, "replace", cut_off)
            write_nbest_dir(out, NBEST)
        assert (out / "words_text").is_file() == (stands or moves > 0)
        assert not is_nbest_dir(out)
        with pytest.raises(InputError) as error:
            read_nbest_dir(out)
        assert str(error.value) == (
            f"{out}: no finished N-best directory: nbest.yaml is missing "
            "(make it again: stage 4, or stage 8 for perturbed lists)"
        )
        write_nbest_dir(out, NBEST)
        assert read_nbest_dir(out) == read_nbest_dir(nbest_dir)
        assert {path.name for path in out.iterdir()} == {path.name for path in nbest_dir.iterdir()}


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (
        lambda d: [path.unlink() for path in d.iterdir()],
        "{d}: no N-best directory: words_text is missing",
    ),
    "no words_text": (lambda d: (d / "words_text").unlink(), "{d}/words_text: cannot be read: No such file"),
    "no acwt": (lambda d: (d / "acwt").unlink(), "{d}/acwt: cannot be read: No such file"),
    "empty": (lambda d: (d / "words_text").write_text(""), "{d}/words_text: empty, expected `<utt>-<rank> words`"),
    "key without score": (
        lambda d: replace(d / "acwt", "utt-1-2 2.2500\n", ""),
        "{d}/words_text:2: utt-1-2 has a text but no score in {d}/acwt",
    ),
    "score without text": (
        lambda d: replace(d / "words_text", "utt-1-2\n", ""),
        "{d}/acwt:2: utt-1-2 has a score but no text in {d}/words_text",
    ),
    "NaN": (lambda d: replace(d / "acwt", "2.2500", "nan"), "{d}/acwt:2: utt-1-2 has the cost nan, expected a finite"),
    "infinity": (lambda d: replace(d / "acwt", "2.2500", "inf"), "{d}/acwt:2: utt-1-2 has the cost inf, expected a"),
    "no number": (lambda d: replace(d / "acwt", "2.2500", "2,25"), "{d}/acwt:2: utt-1-2 has the cost 2,25, expected a"),
    "two numbers": (lambda d: replace(d / "acwt", "2.2500", "2 25"), "{d}/acwt:2: expected `<utt>-<rank> cost`, found"),
    "key twice": (
        lambda d: replace(d / "words_text", "utt-1-2\n", "utt-1-2\nutt-1-2 x\n"),
        "{d}/words_text:3: key utt-1-2 for the second time",
    ),
    "cost twice": (
        lambda d: replace(d / "acwt", "utt-1-2 2.2500\n", "utt-1-2 2.2500\nutt-1-2 2.2500\n"),
        "{d}/acwt:3: key utt-1-2 for the second time",
    ),
    "unknown utterance": (
        lambda d: replace(d / "text", "utt-2 on the mat\n", ""),
        "{d}/words_text:4: a hypothesis for utterance utt-2, which is not in {d}/text",
    ),
    "utterance without hypotheses": (
        lambda d: replace(d / "text", "utt-2 ", "utt-15 x\nutt-2 "),
        "{d}/text:2: utterance utt-15 has a reference but no hypothesis in {d}/words_text",
    ),
    "not UTF-8": (
        lambda d: (d / "words_text").write_bytes(b"utt-1-1 caf\xe9\n"),
        "{d}/words_text:1: byte 12 of the line is not UTF-8",
    ),
    "not YAML": (lambda d: (d / "nbest.yaml").write_text("[1"), "{d}/nbest.yaml: not YAML"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_bad_directories(nbest_dir: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(nbest_dir)
    with pytest.raises(InputError) as error:
        read_nbest_dir(nbest_dir)
    assert str(error.value).startswith(message.format(d=nbest_dir))
    assert error.value.mend or "YAML" in message
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", ["utt", "utt-", "utt-0", "utt-01", "utt--1-x", "-1", "utt-1.0", "utt-²", "utt_1"])
def test_keys_that_are_not_utterance_and_rank(nbest_dir: Path, key: str) -> None:
    for name in ("words_text", "acwt"):
        replace(nbest_dir / name, "utt-1-2", key)
    with pytest.raises(InputError) as error:
        read_nbest_dir(nbest_dir)
    expected = f"{nbest_dir / 'words_text'}:2: key {key}, expected <utt>-<rank> with ranks from 1"
    assert str(error.value).startswith(expected)


def test_a_missing_rank(nbest_dir: Path) -> None:
    for name in ("words_text", "acwt"):
        replace(nbest_dir / name, "utt-1-2", "utt-1-4")
    with pytest.raises(InputError, match="utterance utt-1 has no hypothesis of rank 2, but one of rank 4"):
        read_nbest_dir(nbest_dir)


def test_costs_by_list(nbest_dir: Path) -> None:
    path = nbest_dir / "lmwt.tag"
    keyed = [("utt-2-1", 4.0), ("utt-1-3", 3.0), ("utt-1-1", 1.00004), ("utt-1-2", -2.0)]
    write_costs(path, keyed)
    assert path.read_text() == "utt-1-1 1.0000\nutt-1-2 -2.0000\nutt-1-3 3.0000\nutt-2-1 4.0000\n"
    assert list(costs_by_list(read_costs(path), NBEST, path)) == [[1.0, -2.0, 3.0], [4.0]]
    write_costs(path, keyed[1:])
    with pytest.raises(InputError, match="no cost for utt-2-1"):
        list(costs_by_list(read_costs(path), NBEST, path))
    write_costs(path, [*keyed, ("utt-3-1", 0.0)])
    with pytest.raises(InputError, match="utt-3-1 is in no list of this set"):
        list(costs_by_list(read_costs(path), NBEST, path))


def with_parts(text: str, acoustic: float, nolm: float, lmonly: float) -> Hypothesis:
    return Hypothesis.from_parts(text, CostParts(acoustic, nolm, lmonly), 0.5)


IN_PARTS = NbestSet(
    (
        NbestList("utt-1", (with_parts("the cat sat", 10.0, 1.0, 2.5), with_parts("", 12.0, -0.25, 3.0))),
        NbestList("utt-2", (with_parts("on a mat", 4.0, 0.0, 2.0),)),
    ),
    REFS,
    {"source": "test", "acoustic_scale": 0.5},
)


@pytest.fixture
def parts_dir(tmp_path: Path) -> Path:
    write_nbest_dir(tmp_path / "parts", IN_PARTS)
    return tmp_path / "parts"


def test_costs_in_parts(parts_dir: Path) -> None:
    """0.5 x 10 + 1 + 2.5 is 8.5; 0.5 x 12 - 0.25 + 3 is 8.75."""
    assert [one.scores for one in IN_PARTS] == [[-8.5, -8.75], [-4.0]]
    assert {name: (parts_dir / name).read_text() for name in ("acwt", "lmwt.nolm", "lmwt.lmonly")} == {
        "acwt": "utt-1-1 10.0000\nutt-1-2 12.0000\nutt-2-1 4.0000\n",
        "lmwt.nolm": "utt-1-1 1.0000\nutt-1-2 -0.2500\nutt-2-1 0.0000\n",
        "lmwt.lmonly": "utt-1-1 2.5000\nutt-1-2 3.0000\nutt-2-1 2.0000\n",
    }
    read = read_nbest_dir(parts_dir)
    assert (read.lists, read.lists_checksum) == (IN_PARTS.lists, IN_PARTS.lists_checksum)
    replace(parts_dir / "nbest.yaml", "acoustic_scale: 0.5", "acoustic_scale: 1")
    assert read_nbest_dir(parts_dir).lists_checksum != read.lists_checksum
    assert [one.scores for one in read_nbest_dir(parts_dir)] == [[-13.5, -14.75], [-6.0]]


@pytest.mark.parametrize("name", ["acwt", "lmwt.nolm", "lmwt.lmonly"])
def test_parts_changed_by_hand_are_other_lists(parts_dir: Path, name: str) -> None:
    written, lists = content_checksum(parts_dir), read_nbest_dir(parts_dir).lists_checksum
    replace(parts_dir / name, ".0000", ".0001")
    assert content_checksum(parts_dir) != written
    assert read_nbest_dir(parts_dir).lists_checksum != lists


def test_parts_of_other_lists_do_not_stay(parts_dir: Path, nbest_dir: Path) -> None:
    write_nbest_dir(parts_dir, NBEST)
    assert {path.name: path.read_bytes() for path in parts_dir.iterdir()} == {
        path.name: path.read_bytes() for path in nbest_dir.iterdir()
    }


PART_DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no nolm": (lambda d: (d / "lmwt.nolm").unlink(), "{d}/lmwt.nolm: cannot be read: No such file"),
    "no lmonly": (lambda d: (d / "lmwt.lmonly").unlink(), "{d}/lmwt.lmonly: cannot be read: No such file"),
    "key without part": (
        lambda d: replace(d / "lmwt.nolm", "utt-1-2 -0.2500\n", ""),
        "{d}/words_text:2: utt-1-2 has a text but no score in {d}/lmwt.nolm",
    ),
    "part without text": (
        lambda d: replace(d / "lmwt.lmonly", "utt-2-1", "utt-3-1"),
        "{d}/words_text:3: utt-2-1 has a text but no score in {d}/lmwt.lmonly",
    ),
    "no scale": (
        lambda d: replace(d / "nbest.yaml", "acoustic_scale: 0.5", "scale: 0.5"),
        "{d}/nbest.yaml: acoustic_scale is None, expected a finite number: the costs are in parts",
    ),
    "from elsewhere": (
        lambda d: (d / "nbest.yaml").unlink(),
        "{d}/nbest.yaml: acoustic_scale is None, expected a finite number: the costs are in parts (make the lists "
        "again, stage 4; to lists from elsewhere add this file with `acoustic_scale: X`)",
    ),
    "scale is no number": (
        lambda d: replace(d / "nbest.yaml", "acoustic_scale: 0.5", "acoustic_scale: .nan"),
        "{d}/nbest.yaml: acoustic_scale is nan, expected a finite number: the costs are in parts",
    ),
}


@pytest.mark.parametrize(("damage", "message"), PART_DAMAGES.values(), ids=PART_DAMAGES)
def test_bad_parts(parts_dir: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(parts_dir)
    with pytest.raises(InputError) as error:
        read_nbest_dir(parts_dir)
    assert str(error.value).startswith(message.format(d=parts_dir))
    assert error.value.mend


def test_sets_with_parts_that_cannot_be_written(parts_dir: Path) -> None:
    """Nothing is lost: the directory that stood there stays as it was."""
    mixed = NbestSet((IN_PARTS.lists[0], NBEST.lists[1]), REFS, IN_PARTS.info)
    with pytest.raises(InputError, match="2 of 3 hypotheses have their cost in parts, expected all or none"):
        write_nbest_dir(parts_dir, mixed)
    with pytest.raises(InputError, match="acoustic_scale is None, expected a finite number"):
        write_nbest_dir(parts_dir, NbestSet(IN_PARTS.lists, REFS))
    assert read_nbest_dir(parts_dir).lists == IN_PARTS.lists
