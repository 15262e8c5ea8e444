"""Rescored lattices and ctm of a set on disk: by hand, against the lists' choice, the second time, and what goes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from drawn_lattices import lattices
from hypothesis import given, settings

from lorescore.combine import ScoredLists, Weights, best_ranks, combined_scores, select
from lorescore.errors import InputError
from lorescore.lattice import write_back as write_back_module
from lorescore.lattice.archives import read_lattices, write_lattices
from lorescore.lattice.confidence import Calibration, tune_confidences
from lorescore.lattice.lattices import Arc, Cost, Final, Lattice
from lorescore.lattice.nbest import PathSettings, lists_from_lattices
from lorescore.lattice.paths import best_path
from lorescore.lattice.source import LatticeSource
from lorescore.lattice.words import WordTable, read_words, write_words
from lorescore.lattice.write_back import Chosen, write_back
from lorescore.nbest import Hypothesis, NbestSet

AT = Weights(2.0, 0.5)
# `a sun` costs 1 + 20 and `a son` 2 + 10; the acoustic scale is 0.1. The PLM likes the sun: 1 against 2.
LATTICE = Lattice(
    "u1",
    (
        Arc(0, 1, "a", Cost(0.5, 0.0), (7, 7)),
        Arc(1, 2, "sun", Cost(0.5, 20.0), (8, 8, 8)),
        Arc(1, 2, "son", Cost(1.5, 10.0), (9, 9, 9)),
    ),
    {2: Final(Cost(), (1,))},
)
NO_PATH = Lattice("u2", (Arc(0, 1, "a", Cost()),), {})
FALLBACK = {"u2": Hypothesis("what kangaroo", -4.0), "u3": Hypothesis("", -5.0)}
PLM_COSTS = {"a sun": 1.0, "a son": 2.0, "what kangaroo": 3.0, "": 0.0}


def source_in(directory: Path, *of_set: Lattice) -> LatticeSource:
    """A directory with these lattices and a words.txt."""
    words = WordTable({0: "<eps>", 1: "a", 2: "b", 3: "c", 4: "son", 5: "sun"})
    write_words(directory / "words.txt", words)
    write_lattices(directory / "lat.1.gz", of_set, words)
    return LatticeSource.read(directory, 0.5)


def chosen_of(nbest: NbestSet, system_dir: Path) -> Chosen:
    """What MAP chooses, at the weights AT."""
    lists = ScoredLists.build(nbest, [[PLM_COSTS.get(text, 0.0) for text in one.texts] for one in nbest])
    return Chosen(nbest, lists, AT, Calibration(), {system_dir: select(nbest, best_ranks(lists, AT))})


@pytest.fixture
def source(tmp_path: Path) -> LatticeSource:
    return source_in(tmp_path / "lat", NO_PATH, LATTICE)


@pytest.fixture
def nbest() -> NbestSet:
    """The lists of these lattices, of which two are the first pass's best alone."""
    made = lists_from_lattices([NO_PATH, LATTICE], PathSettings(acoustic_scale=0.1), fallback=FALLBACK).nbest
    return replace(made, info={**made.info, "checksum": "1"})


def test_by_hand(tmp_path: Path, source: LatticeSource, nbest: NbestSet) -> None:
    out = tmp_path / "tag" / "test"
    record = write_back(out, chosen_of(nbest, out), source)
    assert {key: record[key] for key in ("utterances", "without_lattice", "differing", "acoustic_scale")} == {
        "utterances": 3,
        "without_lattice": 2,
        "differing": [],
        "acoustic_scale": 0.1,
    }
    assert (out / "words.txt").read_text().splitlines()[4:] == ["son 4", "sun 5", "kangaroo 6", "what 7"]
    by_utt = {one.utt: one for one in read_lattices(out)}
    assert list(by_utt) == ["u1", "u2", "u3"]
    # The graph cost is that of the first pass + 2 x PLM - 0.5 x words; the alignments are the source's.
    assert sorted((final.cost.graph, final.cost.acoustic) for final in by_utt["u1"].finals.values()) == [
        (2.0, 20.0),
        (5.0, 10.0),
    ]
    assert {arc.word: arc.alignment for arc in by_utt["u1"].arcs} == {"a": (7, 7), "sun": (8,) * 3, "son": (9,) * 3}
    assert best_path(by_utt["u2"]).cost == Cost(4 + 2 * 3 - 0.5 * 2)
    # Of `a son` and `a sun` the latter has 1 / (1 + exp(4 - 6)); without a lattice times are nominal.
    assert (out / "ctm").read_text().splitlines() == [
        "u1 1 0.000 1.000 a 1.0000",
        "u1 1 1.000 1.500 sun 0.8808",
        "u2 1 0.000 0.300 what 1.0000",
        "u2 1 0.300 0.300 kangaroo 1.0000",
    ]


def test_known_posteriors_are_not_computed_again(
    tmp_path: Path, nbest: NbestSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbest = replace(nbest, refs={"u1": "a sun", "u2": "kangaroo", "u3": "b"})
    chosen = chosen_of(nbest, tmp_path / "first")
    calibration, posteriors = tune_confidences(nbest, chosen.lists, AT)
    write_back(tmp_path / "first", replace(chosen, calibration=calibration), None)
    monkeypatch.setattr(write_back_module, "word_posteriors", pytest.fail)
    again = chosen_of(nbest, tmp_path / "second")
    write_back(tmp_path / "second", replace(again, calibration=calibration, posteriors=posteriors), None)
    assert (tmp_path / "second" / "ctm").read_text() == (tmp_path / "first" / "ctm").read_text()


def test_rescored_lattices_have_beside_them_what_times_need(tmp_path: Path, source: LatticeSource) -> None:
    out = tmp_path / "tag" / "test"
    (source.directory / "tokens.txt").write_text("<eps> 0\n<blk> 1\n")
    (source.directory / "lexicon.txt").write_text("a <blk>\n")
    nbest = lists_from_lattices([LATTICE], PathSettings(acoustic_scale=0.1)).nbest
    write_back(out, chosen_of(replace(nbest, info={**nbest.info, "checksum": "1"}), out), source)
    given, found = (LatticeSource.read(path, shift) for path, shift in ((source.directory, 0.5), (out, None)))
    assert (found.frame_shift, found.lexicon) == (0.5, given.lexicon) and given.lexicon
    assert found.tokens == replace(given.tokens, path=out / "tokens.txt")


def test_without_lattices_there_is_a_ctm_of_the_lists(tmp_path: Path, source: LatticeSource, nbest: NbestSet) -> None:
    out = tmp_path / "tag" / "test"
    write_back(out, chosen_of(nbest, out), source)
    record = write_back(out, chosen_of(nbest, out), None)
    assert (record["lattices"], record["frame_shift"]) == (None, None)
    assert sorted(path.name for path in out.iterdir()) == ["ctm", "rescored.yaml"]
    assert (out / "ctm").read_text().splitlines()[:2] == ["u1 1 0.000 0.300 a 1.0000", "u1 1 0.300 0.300 sun 0.8808"]


def test_lattices_without_alignments_have_nominal_times(tmp_path: Path, nbest: NbestSet) -> None:
    """As all of HTK's: no word lasts 0 s at 0 s, where they would have no order."""
    bare = replace(LATTICE, arcs=tuple(replace(arc, alignment=()) for arc in LATTICE.arcs), finals={2: Final()})
    out = tmp_path / "tag" / "test"
    record = write_back(out, chosen_of(nbest, out), source_in(tmp_path / "lat", NO_PATH, bare))
    assert (record["without_alignment"], record["without_lattice"]) == (1, 2)
    lines = (out / "ctm").read_text().splitlines()
    assert lines[:2] == ["u1 1 0.000 0.300 a 1.0000", "u1 1 0.300 0.300 sun 0.8808"]
    aligned = write_back(out, chosen_of(nbest, out), source_in(tmp_path / "aligned", NO_PATH, LATTICE))
    assert aligned["without_alignment"] == 0


def test_a_ctm_for_each_system(tmp_path: Path, source: LatticeSource, nbest: NbestSet) -> None:
    out, mbr = tmp_path / "tag" / "test", tmp_path / "tag_mbr" / "test"
    chosen = chosen_of(nbest, out)
    chosen = replace(chosen, hyps={**chosen.hyps, mbr: {**chosen.hyps[out], "u1": "a son"}})
    write_back(out, chosen, source)
    assert [path.name for path in mbr.iterdir()] == ["ctm"]
    assert (mbr / "ctm").read_text().splitlines()[1] == "u1 1 1.000 1.500 son 0.1192"


def test_costs_that_are_not_the_lattices_are_found(tmp_path: Path, source: LatticeSource, nbest: NbestSet) -> None:
    dearer = replace(LATTICE, finals={2: Final(Cost(0.25), (1,))})
    out = tmp_path / "tag" / "test"
    other = source_in(tmp_path / "other", NO_PATH, dearer)
    assert write_back(out, chosen_of(nbest, out), other)["differing"] == ["u1"]


def _other_weights(chosen: Chosen, out: Path) -> Chosen:
    return replace(chosen, weights=Weights(1.0))


def _other_scale(chosen: Chosen, out: Path) -> Chosen:
    return replace(chosen, calibration=Calibration(0.5))


def _other_scores(chosen: Chosen, out: Path) -> Chosen:
    return replace(chosen, lists=replace(chosen.lists, plm=chosen.lists.plm - 1.0))


def _other_lists(chosen: Chosen, out: Path) -> Chosen:
    return replace(chosen, nbest=replace(chosen.nbest, info={**chosen.nbest.info, "checksum": "2"}))


def _other_choice(chosen: Chosen, out: Path) -> Chosen:
    return replace(chosen, hyps={out: {**chosen.hyps[out], "u1": "a son"}})


def _lost_archive(chosen: Chosen, out: Path) -> Chosen:
    (out / "lat.1.gz").unlink()
    return chosen


def _unfinished(chosen: Chosen, out: Path) -> Chosen:
    (out / "rescored.yaml").unlink()
    return chosen


@pytest.mark.parametrize(
    "change", [_other_weights, _other_scale, _other_scores, _other_lists, _other_choice, _lost_archive, _unfinished]
)
def test_finished_work_is_kept_and_other_work_is_done(
    tmp_path: Path, source: LatticeSource, nbest: NbestSet, change: Callable[[Chosen, Path], Chosen]
) -> None:
    out = tmp_path / "tag" / "test"
    chosen = chosen_of(nbest, out)
    first = write_back(out, chosen, source)
    (out / "ctm").write_text("kept\n")
    assert write_back(out, chosen, source) == first
    assert (out / "ctm").read_text() == "kept\n"
    write_back(out, change(chosen, out), source)
    assert (out / "ctm").read_text().startswith("u1 1 0.000 1.000 a ")
    assert [one.utt for one in read_lattices(out)] == ["u1", "u2", "u3"]


def test_other_lattices_and_another_frame_shift_are_other_work(tmp_path: Path, nbest: NbestSet) -> None:
    out = tmp_path / "tag" / "test"
    chosen = chosen_of(nbest, out)
    source = source_in(tmp_path / "lat", NO_PATH, LATTICE)
    sources = (source, replace(source, frame_shift=0.25), source_in(tmp_path / "other", LATTICE))
    made = {write_back(out, chosen, one)["made_from"] for one in sources}
    assert len(made) == 3


def test_a_list_without_its_lattice_leaves_nothing_half_done(tmp_path: Path, nbest: NbestSet) -> None:
    out = tmp_path / "tag" / "test"
    with pytest.raises(InputError, match="no lattice for the list of utterance u1"):
        write_back(out, chosen_of(nbest, out), source_in(tmp_path / "lat", NO_PATH))
    assert {path.name for path in out.iterdir()} <= {"words.txt"}


@settings(deadline=None, max_examples=25)
@given(lattice=lattices())
def test_the_best_path_costs_what_the_lists_say(tmp_path_factory: pytest.TempPathFactory, lattice: Lattice) -> None:
    folder = tmp_path_factory.mktemp("drawn")
    made = lists_from_lattices([lattice], PathSettings(num_hyps=1000)).nbest
    chosen = chosen_of(replace(made, info={**made.info, "checksum": ""}), folder / "out")
    record = write_back(folder / "out", chosen, source_in(folder / "lat", lattice))
    (rescored,) = read_lattices(folder / "out", read_words(folder / "out" / "words.txt"))
    best = best_path(rescored, acoustic_scale=record["acoustic_scale"])
    assert best.cost.graph + best.cost.acoustic == pytest.approx(-combined_scores(chosen.lists, AT).max(), abs=1e-5)
    assert record["differing"] == []
