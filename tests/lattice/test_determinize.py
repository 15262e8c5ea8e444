"""Determinization against enumeration of all paths on small random lattices."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorescore.errors import InputError
from lorescore.lattice.determinize import determinize
from lorescore.lattice.lattices import EPSILON, Arc, Cost, Final, Lattice

WORDS = (EPSILON, EPSILON, "a", "b")
ACOUSTIC_SCALE = 0.5

# word sequence -> total cost, graph cost, acoustic cost, alignment
Paths = dict[tuple[str, ...], list[tuple[float, float, float, tuple[int, ...]]]]


@st.composite
def lattices(draw: st.DrawFn) -> Lattice:
    """Acyclic lattices of up to seven states with epsilons, equal words and alignments."""
    num_states = draw(st.integers(2, 7))
    costs = st.integers(0, 40).map(lambda quarter: quarter / 4)
    arcs = []
    for _ in range(draw(st.integers(1, 12))):
        source = draw(st.integers(0, num_states - 2))
        target = draw(st.integers(source + 1, num_states - 1))
        alignment = tuple(draw(st.lists(st.integers(1, 3), max_size=2)))
        arcs.append(Arc(source, target, draw(st.sampled_from(WORDS)), Cost(draw(costs), draw(costs)), alignment))
    finals = {num_states - 1: Final(Cost(draw(costs), draw(costs)), (9,))}
    if draw(st.booleans()):
        finals[draw(st.integers(0, num_states - 1))] = Final(Cost(draw(costs), 0.0))
    return Lattice("utt", tuple(sorted(arcs, key=lambda arc: arc.source)), finals)


def all_paths(lattice: Lattice) -> Paths:
    paths: Paths = {}

    def follow(state: int, words: tuple[str, ...], graph: float, acoustic: float, alignment: tuple[int, ...]) -> None:
        if final := lattice.finals.get(state):
            costs = graph + final.cost.graph, acoustic + final.cost.acoustic
            total = costs[0] + ACOUSTIC_SCALE * costs[1]
            paths.setdefault(words, []).append((total, *costs, alignment + final.alignment))
        for arc in lattice.leaving[state]:
            longer = words if arc.word == EPSILON else (*words, arc.word)
            costs = graph + arc.cost.graph, acoustic + arc.cost.acoustic
            follow(arc.target, longer, *costs, alignment + arc.alignment)

    follow(0, (), 0.0, 0.0, ())
    return paths


@given(lattices())
def test_each_word_sequence_stays_once_as_one_of_its_best_paths(lattice: Lattice) -> None:
    expected = all_paths(lattice)
    if not expected:
        with pytest.raises(InputError, match="has no path"):
            determinize(lattice, acoustic_scale=ACOUSTIC_SCALE)
        return
    result = determinize(lattice, acoustic_scale=ACOUSTIC_SCALE)
    found = all_paths(result)
    assert found.keys() == expected.keys()
    for words, paths in expected.items():
        (path,) = found[words]
        assert path[0] == pytest.approx(min(paths)[0], abs=0.01)
        # Costs and alignment belong together, as in one path of the input.
        assert any(_same(path, one) for one in paths)
    assert all(arc.word != EPSILON and arc.source < arc.target for arc in result.arcs)


@given(lattices(), st.sampled_from([0.0, 1.0, 3.0]))
def test_a_beam_leaves_out_only_what_is_worse(lattice: Lattice, beam: float) -> None:
    expected = {words: min(paths)[0] for words, paths in all_paths(lattice).items()}
    if not expected:
        return
    best = min(expected.values())
    found = all_paths(determinize(lattice, acoustic_scale=ACOUSTIC_SCALE, beam=beam))
    assert {words for words, total in expected.items() if total <= best + beam} <= found.keys()
    assert found.keys() <= expected.keys()


def _same(one: tuple[float, float, float, tuple[int, ...]], other: tuple[float, float, float, tuple[int, ...]]) -> bool:
    return one[:3] == pytest.approx(other[:3], abs=0.01) and one[3] == other[3]


def test_by_hand() -> None:
    lattice = Lattice(
        "utt",
        (
            Arc(0, 1, EPSILON, Cost(0.0, 1.0), (1,)),
            Arc(0, 2, "a", Cost(1.0, 2.0), (2,)),
            Arc(1, 2, "a", Cost(1.0, 0.5), (2,)),
            Arc(2, 3, EPSILON, Cost(0.0, 3.0), (3,)),
        ),
        {3: Final(Cost(0.25, 0.0))},
    )
    assert determinize(lattice) == Lattice(
        "utt", (Arc(0, 1, "a", Cost(1.0, 1.5), (1, 2)),), {1: Final(Cost(0.25, 3.0), (3,))}
    )


def test_a_lattice_that_is_too_large_is_cut_to_its_best_part() -> None:
    stages = 12
    arcs = [
        Arc(stage, stage + 1, f"{word}{stage}", Cost(graph=cost), (1,))
        for stage in range(stages)
        for word, cost in (("a", 0.0), ("b", 1.0))
    ]
    lattice = Lattice("utt", tuple(arcs), {stages: Final()})
    small = determinize(lattice, beam=inf, max_states=stages + 1)
    assert small.num_states == stages + 1
    assert min(all_paths(small).values())[0][0] == 0.0


def test_a_cycle_is_refused() -> None:
    lattice = Lattice("utt", (Arc(0, 1, "a", Cost()), Arc(1, 0, "b", Cost())), {1: Final()})
    with pytest.raises(InputError, match="cycle"):
        determinize(lattice)
