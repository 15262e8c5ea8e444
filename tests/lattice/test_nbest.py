"""N-best lists from lattices: costs apart, fallbacks, and the directory that they become."""

import logging
import math
from pathlib import Path

import pytest
from drawn_lattices import lattices
from hypothesis import given, settings
from hypothesis import strategies as st

from lorescore.combine import first_pass, oracle
from lorescore.errors import InputError
from lorescore.files import read_yaml
from lorescore.lattice.lattices import Arc, Cost, Final, Lattice
from lorescore.lattice.nbest import NOTHING, PathSettings, lists_from_lattices
from lorescore.lattice.paths import MAX_ARCS
from lorescore.nbest import Hypothesis, read_nbest_dir, write_nbest_dir
from lorescore.nbest.lists import CostParts
from lorescore.wer import edit_counts

REFS = {"a-1": "the cat sat", "a-2": "on the mat"}


def arc(source: int, target: int, word: str, graph: float, acoustic: float) -> Arc:
    return Arc(source, target, word, Cost(graph, acoustic))


def cat(utt: str = "a-1") -> Lattice:
    """the {cat 2 + 10 | cap 1 + 30 | 4 + 0} sat, graph and acoustic cost."""
    arcs = (
        arc(0, 1, "the", 0.5, 5.0),
        arc(1, 2, "cat", 2.0, 10.0),
        arc(1, 2, "cap", 1.0, 30.0),
        arc(1, 2, "", 4.0, 0.0),
        arc(2, 3, "sat", 0.25, 5.0),
    )
    return Lattice(utt, arcs, {3: Final(Cost(0.25, 0.0))})


def mat(utt: str = "a-2") -> Lattice:
    return Lattice(utt, (arc(0, 1, "on", 1.0, 1.0), arc(1, 2, "mat", 1.0, 1.0)), {2: Final()})


NO_PATH = Lattice("a-2", (arc(0, 1, "on", 1.0, 1.0),), {})
NOT_A_NUMBER = Lattice("a-2", (arc(0, 1, "on", math.nan, 1.0),), {1: Final()})
CYCLE = Lattice("a-2", (arc(0, 1, "on", 1.0, 1.0), arc(1, 0, "mat", 1.0, 1.0)), {1: Final()})


def test_costs_apart() -> None:
    made = lists_from_lattices([cat(), mat()], PathSettings(2, acoustic_scale=0.1), refs=REFS)
    assert made.nbest.info == {
        "source": "lattice",
        "acoustic_scale": 0.1,
        "paths": {"num_hyps": 2, "max_arcs": MAX_ARCS},
        "fallbacks": 0,
        "stopped": 0,
    }
    assert made.nbest.refs == REFS
    first, second = made.nbest.lists
    # 6.0 is also the cost of `the sat`: the first in the order of the words.
    assert first.hypotheses == (
        Hypothesis("the cat sat", -5.0, CostParts(20.0, 0.0, 3.0)),
        Hypothesis("the cap sat", -6.0, CostParts(40.0, 0.0, 2.0)),
    )
    assert second.hypotheses == (Hypothesis("on mat", -2.2, CostParts(2.0, 0.0, 2.0)),)
    assert made.oracle == {"a-1": "the cat sat", "a-2": "on mat"}


def test_the_lms_cost_apart() -> None:
    made = lists_from_lattices([cat()], PathSettings(3), lm_cost=lambda text: float(len(text.split())))
    parts = {one.text: one.parts for one in made.nbest.lists[0].hypotheses}
    assert parts == {
        "the cat sat": CostParts(20.0, 0.0, 3.0),
        "the cap sat": CostParts(40.0, -1.0, 3.0),
        "the sat": CostParts(10.0, 3.0, 2.0),
    }
    scores = made.nbest.lists[0].scores
    assert scores == sorted(scores, reverse=True) == [-15.0, -23.0, -42.0]


def test_the_directory_is_kaldis_and_reads_back(tmp_path: Path) -> None:
    made = lists_from_lattices(
        [mat(), cat()], PathSettings(2, acoustic_scale=0.5), refs=REFS, lm_cost=lambda text: 0.75 * len(text.split())
    )
    write_nbest_dir(tmp_path, made.nbest)
    content = {path.name: path.read_text() for path in tmp_path.iterdir() if path.name != "nbest.yaml"}
    assert content == {
        "words_text": "a-1-1 the sat\na-1-2 the cat sat\na-2-1 on mat\n",
        "acwt": "a-1-1 10.0000\na-1-2 20.0000\na-2-1 2.0000\n",
        "lmwt.nolm": "a-1-1 3.5000\na-1-2 0.7500\na-2-1 0.5000\n",
        "lmwt.lmonly": "a-1-1 1.5000\na-1-2 2.2500\na-2-1 1.5000\n",
        "text": "a-1 the cat sat\na-2 on the mat\n",
    }
    info = read_yaml(tmp_path / "nbest.yaml")
    assert {key: info[key] for key in ("source", "acoustic_scale", "utterances", "hypotheses", "n")} == {
        "source": "lattice",
        "acoustic_scale": 0.5,
        "utterances": 2,
        "hypotheses": 3,
        "n": 2,
    }
    assert read_nbest_dir(tmp_path).lists == made.nbest.lists


FALLBACK = {"a-2": Hypothesis("on a mat", -7.5), "a-3": Hypothesis("never seen", -1.0)}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([cat()], "no lattice for utterance a-2"),
        ([NO_PATH, cat()], "the lattice of utterance a-2 has no path"),
        ([cat(), CYCLE], "the lattice of utterance a-2 has a cycle"),
        ([NOT_A_NUMBER, cat()], "a-2 has a cost that is not a finite"),
    ],
)
def test_unusable_lattices(given: list[Lattice], reason: str, caplog: pytest.LogCaptureFixture) -> None:
    """A logged, counted fallback with the first pass's score, or an error that names the utterance."""
    with caplog.at_level(logging.WARNING):
        made = lists_from_lattices(given, PathSettings(acoustic_scale=0.5), refs=REFS, fallback=FALLBACK)
    assert [one.utt for one in made.nbest] == ["a-1", "a-2"]
    assert made.nbest.lists[1].hypotheses == (Hypothesis("on a mat", -7.5, CostParts(0.0, 7.5, 0.0)),)
    assert (made.nbest.info["fallbacks"], made.oracle["a-2"]) == (1, "on a mat")
    assert any(reason in line and line.endswith("the first pass's best stands in") for line in caplog.messages)
    assert caplog.messages[-1] == "1 of 2 utterances have the first pass's best alone"
    with pytest.raises(InputError, match=reason):
        lists_from_lattices(given, PathSettings(), refs=REFS)
    with caplog.at_level(logging.WARNING):
        made = lists_from_lattices(given, PathSettings(), refs=REFS, fallback=NOTHING)
    assert [one.texts[0] for one in made.nbest][1] == ""
    assert (made.nbest.info["fallbacks"], made.oracle["a-2"]) == (1, "")
    assert caplog.messages[-1] == "1 of 2 utterances have an empty hypothesis alone"


def test_without_references_the_fallback_says_which_utterances_there_are() -> None:
    made = lists_from_lattices([cat()], PathSettings(), fallback=FALLBACK)
    assert [(one.utt, one.texts[0]) for one in made.nbest] == [
        ("a-1", "the sat"),
        ("a-2", "on a mat"),
        ("a-3", "never seen"),
    ]
    assert made.nbest.info["fallbacks"] == 2
    assert made.oracle == {}


def test_a_fallback_with_parts_keeps_them() -> None:
    fallback = {"a-2": Hypothesis.from_parts("on a mat", CostParts(4.0, 1.0, 2.0), 1.0)}
    made = lists_from_lattices([], PathSettings(acoustic_scale=0.5), fallback=fallback)
    assert made.nbest.lists[0].hypotheses == (Hypothesis("on a mat", -5.0, CostParts(4.0, 1.0, 2.0)),)


def test_lattices_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="a second lattice for utterance a-1"):
        lists_from_lattices([cat(), cat()], PathSettings())
    with pytest.raises(InputError, match="a second lattice for utterance a-2"):
        lists_from_lattices([NO_PATH, mat()], PathSettings(), fallback=FALLBACK)
    with pytest.raises(InputError, match="a lattice for utterance b, which has no reference"):
        lists_from_lattices([cat(), cat("b")], PathSettings(), refs=REFS)
    with pytest.raises(InputError, match="no lattices"):
        lists_from_lattices([], PathSettings())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_hyps": 0}, "num_hyps 0, expected 1 or more"),
        ({"acoustic_scale": 0.0}, "acoustic_scale 0, expected a finite number above 0"),
        ({"acoustic_scale": math.inf}, "acoustic_scale inf, expected a finite number above 0"),
        ({"nbest_scale": math.nan}, "nbest_scale nan, expected a finite number, 0 or more"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PathSettings(**settings)  # type: ignore[arg-type]


def test_a_search_that_is_stopped_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    choices = tuple(arc(at, at + 1, word, 1.0, 1.0) for at in range(30) for word in "ab")
    with caplog.at_level(logging.WARNING):
        made = lists_from_lattices([Lattice("u", choices, {30: Final()}), cat()], PathSettings(50, max_arcs=100))
    assert made.nbest.info["stopped"] == 1
    assert 1 <= len(made.nbest.lists[1].hypotheses) < 50
    assert caplog.messages == [
        f"utterance u: the search in its lattice was stopped at {len(made.nbest.lists[1].hypotheses)} paths",
        "the search was stopped in 1 of 2 lattices",
    ]


def test_random_lists_do_not_depend_on_order_and_sharding() -> None:
    utts = [f"utt-{number}" for number in range(6)]
    sampled = PathSettings(3, acoustic_scale=0.1, sample=True, seed=7)
    together = lists_from_lattices([cat(utt) for utt in reversed(utts)], sampled).nbest.lists
    apart = tuple(lists_from_lattices([cat(utt)], sampled).nbest.lists[0] for utt in utts)
    assert together == apart
    assert len({one.hypotheses for one in together}) > 1
    assert sampled.provenance()["paths"]["sample"] == {"seed": 7, "nbest_scale": 0.5}


@settings(deadline=None, max_examples=100)
@given(lattices(), st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(" ".join), st.integers(1, 6))
def test_oracles_are_ordered(lattice: Lattice, ref: str, num_hyps: int) -> None:
    """1-best, N-best oracle and lattice oracle; a list with every path has the lattice's oracle."""
    refs = {lattice.utt: ref}

    def errors(texts: dict[str, str]) -> int:
        return edit_counts(ref, texts[lattice.utt]).errors

    made = lists_from_lattices([lattice], PathSettings(num_hyps), refs=refs)
    lattice_errors = errors(dict(made.oracle))
    assert errors(first_pass(made.nbest)) >= errors(oracle(made.nbest)) >= lattice_errors
    everything = lists_from_lattices([lattice], PathSettings(10_000), refs=refs).nbest
    assert errors(oracle(everything)) == lattice_errors
