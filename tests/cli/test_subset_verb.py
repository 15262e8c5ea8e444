"""The verb `subset`: which utterances it takes, and what it refuses."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lorescore.nbest import CostParts, Hypothesis, NbestList, NbestSet, read_nbest_dir, write_nbest_dir
from lorescore.perturb.expansion import Expansion

Call = Callable[..., object]


@pytest.fixture
def sets(tmp_path: Path) -> list[Path]:
    """Two sets of five utterances of two speakers."""
    for name, speakers in (("one", "ab"), ("two", "bc")):
        utts = sorted(f"{spk}-{name}-{number}" for spk in speakers for number in range(5))
        lists = tuple(NbestList(utt, (Hypothesis(f"words of {utt}", -1.0), Hypothesis("", -2.0))) for utt in utts)
        write_nbest_dir(tmp_path / name, NbestSet(lists, {utt: f"ref {utt}" for utt in utts}))
    return [tmp_path / "one", tmp_path / "two"]


@pytest.fixture
def speakers(tmp_path: Path) -> Path:
    (tmp_path / "spk").write_text("b\nc\nnobody\n")
    return tmp_path / "spk"


def test_the_utterances_of_the_speakers_with_their_references(sets: list[Path], speakers: Path, call: Call) -> None:
    out = speakers.parent / "out"
    done = call("subset", "--nbest_dir", *sets, "--spk_list", speakers, "--out", out)
    assert done.out.splitlines()[0] == f"{out}: 15 utterances"
    nbest = read_nbest_dir(out)
    utts = sorted(
        [*(f"b-{name}-{number}" for name in ("one", "two") for number in range(5)), *(f"c-two-{n}" for n in range(5))]
    )
    assert [one.utt for one in nbest] == utts
    assert nbest.refs == {utt: f"ref {utt}" for utt in utts}
    assert nbest.lists[0].hypotheses == (Hypothesis("words of b-one-0", -1.0), Hypothesis("", -2.0))


def test_speakers_without_an_utterance_are_counted(sets: list[Path], speakers: Path, call: Call) -> None:
    def said() -> list[str]:
        options = ("--nbest_dir", *sets, "--spk_list", speakers, "--out", speakers.parent / "out")
        return call("subset", *options).out.splitlines()[1:]

    absent = "speakers have no utterance in the N-best directories, the first is"
    assert said() == [f"{speakers}: 1 of 3 {absent} nobody"]
    speakers.write_text("b\n\nsomebody\nnobody\nsomebody\n")
    assert said() == [f"{speakers}: 2 of 3 {absent} somebody"]
    speakers.write_text("b\nc\n")
    assert said() == []


def test_at_most_so_many_evenly_and_whatever_the_order_of_the_sets(
    sets: list[Path], speakers: Path, call: Call
) -> None:
    out = speakers.parent / "out"
    for order in (sets, sets[::-1]):
        assert call("subset", "--nbest_dir", *order, "--spk_list", speakers, "--max_utts", 3, "--out", out).status == 0
        assert [one.utt for one in read_nbest_dir(out)] == ["b-one-0", "b-two-0", "c-two-0"]
    call("subset", "--nbest_dir", *sets, "--spk_list", speakers, "--max_utts", 100, "--out", out)
    assert len(read_nbest_dir(out)) == 15


def test_a_set_does_not_become_its_own_subset(sets: list[Path], speakers: Path, call: Call) -> None:
    before = (sets[0] / "words_text").read_bytes()
    done = call("subset", "--nbest_dir", *sets, "--spk_list", speakers, "--out", sets[0])
    assert "--out is one of --nbest_dir (give the subset a name of its own)" in done.error_line()
    assert (sets[0] / "words_text").read_bytes() == before


def test_what_is_refused(sets: list[Path], speakers: Path, call: Call) -> None:
    one, two = sets
    out = speakers.parent / "out"

    def line(*nbest_dirs: Path, spk_list: Path = speakers, max_utts: int = 5) -> str:
        options = ("--spk_list", spk_list, "--max_utts", max_utts, "--out", out)
        text = call("subset", "--nbest_dir", *nbest_dirs, *options).error_line()
        assert not out.exists()
        return text.removeprefix("lorescore subset: ")

    assert line(one, max_utts=0).startswith("--max_utts 0, expected 1 or more")
    assert line(one, max_utts=-1).startswith("--max_utts -1, expected 1 or more")
    assert line(one, one.parent / "three").startswith(f"{one.parent}/three: no N-best directory: words_text is missing")
    assert line(one, spk_list=one / "spk").startswith(f"{one}/spk: cannot be read: No such file")
    assert line(one, one).startswith(f"{one}: utterance a-one-0 is also in {one}")
    speakers.write_text("nobody\n")
    assert line(one, two).startswith(f"{speakers}: none of these speakers has an utterance")
    write_nbest_dir(two, NbestSet(read_nbest_dir(two).lists))
    assert line(one, two).startswith(f"{two}: no references, but {one} has them")
    assert line(two, one).startswith(f"{two}: no references, but {one} has them")


def test_lists_stay_expanded(sets: list[Path], speakers: Path, call: Call) -> None:
    """So that what is perturbed of a subset is expanded as the subset is: NPRR would be of other lists else."""
    expansion, out = Expansion({"b": ("bee",), "bee": ("b",)}, {"b": 2, "bee": 0}, 1), speakers.parent / "out"

    def expand(nbest_dir: Path, by: Expansion) -> None:
        write_nbest_dir(nbest_dir, by.expand(read_nbest_dir(nbest_dir)))
        by.write(nbest_dir)

    one, two = sets
    expand(one, expansion)
    subset = ("subset", "--nbest_dir", *sets, "--spk_list", speakers, "--out", out)
    refused = f"lorescore subset: {two}: not expanded as the lists of {one} are (take the subset of the lists"
    assert call(*subset).error_line().startswith(refused)
    expand(two, replace(expansion, cost=2.0))
    assert call(*subset).error_line().startswith(refused)
    expand(two, expansion)
    assert call(*subset).status == 0
    assert Expansion.read(out) == expansion


def test_perturbed_lists_are_refused(sets: list[Path], speakers: Path, call: Call) -> None:
    """A subset of them would be taken for a clean set."""
    one, _ = sets
    info = {"perturbation": {"kind": "nbest", "rate": 0.1, "seed": 1}}
    write_nbest_dir(one, replace(read_nbest_dir(one), info=info))
    line = call("subset", "--nbest_dir", *sets, "--spk_list", speakers, "--out", speakers.parent / "out").error_line()
    assert line.startswith(f"lorescore subset: {one}: perturbed lists (perturb the subset of the clean ones")


def test_costs_in_parts_stay_apart(sets: list[Path], speakers: Path, call: Call) -> None:
    """They are of one acoustic scale, or the scores would not be comparable."""
    out, parts = speakers.parent / "out", CostParts(10.0, 1.0, 2.0)
    for nbest_dir in sets:
        utts = [one.utt for one in read_nbest_dir(nbest_dir)]
        lists = tuple(NbestList(utt, (Hypothesis.from_parts("words", parts, 0.5),)) for utt in utts)
        write_nbest_dir(nbest_dir, NbestSet(lists, {}, {"acoustic_scale": 0.5}))
    assert call("subset", "--nbest_dir", *sets, "--spk_list", speakers, "--out", out).status == 0
    assert {one.hypotheses for one in read_nbest_dir(out)} == {(Hypothesis("words", -8.0, parts),)}
    one, two = sets
    write_nbest_dir(two, NbestSet(read_nbest_dir(two).lists, {}, {"acoustic_scale": 1.0}))
    line = call("subset", "--nbest_dir", *sets, "--spk_list", speakers, "--out", out).error_line()
    assert line.startswith(f"lorescore subset: {two}: acoustic_scale 1.0, but 0.5 in {one} (take sets of one kind")
