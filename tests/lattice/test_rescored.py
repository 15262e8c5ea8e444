"""PLM scores back into a lattice: Kaldi's convention, the combined score, the tree of paths, and the check mode."""

import math
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from drawn_lattices import costs, every_path, lattices
from hypothesis import given
from hypothesis import strategies as st

from lorescore.combine import ScoredLists, Weights, best_ranks
from lorescore.errors import InputError
from lorescore.lattice.archives import read_lattices, write_lattices
from lorescore.lattice.lattices import EPSILON, Arc, Cost, Final, Lattice
from lorescore.lattice.paths import best_path, n_best_paths
from lorescore.lattice.rescored import (
    NbestPath,
    combined_graph_cost,
    first_pass_acoustic_scale,
    lists_with_lattices,
    nbest_paths,
    reproduces,
    rescored_lattice,
)
from lorescore.lattice.word_paths import AlignedPath, WordPaths
from lorescore.lattice.words import WordTable
from lorescore.nbest.lists import CostParts, Hypothesis, NbestList, NbestSet


def hyp(text: str, acoustic: float, nolm: float = 0.0, lmonly: float = 0.0, plm: float = 0.0) -> NbestPath:
    """A path in short."""
    return NbestPath(tuple(text.split()), CostParts(acoustic, nolm, lmonly), plm)


PATH = hyp("a b c", 100.0, 1.0, 4.0, 10.0)
UNCHANGED = Weights()

eighths = st.integers(-40, 80).map(lambda number: number / 8)  # sums are exact
texts = st.lists(st.sampled_from("ab"), max_size=3).map(tuple)
paths_drawn = st.builds(NbestPath, texts, st.builds(CostParts, eighths, eighths, eighths), eighths)
nbests = st.lists(paths_drawn, min_size=1, max_size=6)
weights = st.builds(Weights, st.integers(0, 16).map(lambda number: number / 8), eighths)


def aligned(lattice: Lattice) -> Lattice:
    """The lattice with up to two transition-ids on each arc and final state, all different."""
    arcs = (
        replace(arc, alignment=tuple(range(10 * index, 10 * index + index % 3)))
        for index, arc in enumerate(lattice.arcs, start=1)
    )
    finals = {state: replace(final, alignment=(-state,) * (state % 3)) for state, final in lattice.finals.items()}
    return Lattice(lattice.utt, tuple(arcs), finals)


def emitted(path: AlignedPath) -> tuple[int, ...]:
    """All that a path emits."""
    return sum((arc.alignment for arc in path.arcs), ()) + path.final.alignment


def paths_of(lattice: Lattice, num_paths: int = 50) -> list[NbestPath]:
    """Its n best, a quarter of the graph cost that of the old LM."""
    found = n_best_paths(lattice, num_paths).paths
    return [
        NbestPath(one.words, CostParts(one.cost.acoustic, 0.75 * one.cost.graph, 0.25 * one.cost.graph), 99.0)
        for one in found
    ]


def test_graph_costs_by_hand() -> None:
    assert combined_graph_cost(PATH, UNCHANGED) == 5
    assert combined_graph_cost(PATH, Weights(0.5, 2.0)) == 1 + 4 + 5 - 2 * 3


@given(paths_drawn, weights, st.sampled_from([0.1, 1.0, 2.0]))
def test_the_combined_cost_is_kaldis_but_for_a_scale(path: NbestPath, at: Weights, acoustic_scale: float) -> None:
    w, scale = at.lm_weight / (1 + at.lm_weight), 1 / (1 + at.lm_weight)
    combined = acoustic_scale * path.parts.acoustic + combined_graph_cost(path, at)
    scaled_rest = scale * (path.parts.nolm - at.word_bonus * len(path.words))
    kaldi_path = replace(path, parts=replace(path.parts, nolm=scaled_rest))
    kaldi_graph = kaldi_path.parts.nolm + w * kaldi_path.plm + (1 - w) * kaldi_path.parts.lmonly
    kaldi = scale * acoustic_scale * path.parts.acoustic + kaldi_graph
    assert kaldi == pytest.approx(scale * combined)


def test_tree_by_hand() -> None:
    paths = [
        hyp("a b", 1.0, 2.0),
        hyp("a", 3.0, 1.0),
        hyp("c b", 5.0),
        hyp("a b", 0.5, 2.0),  # the same words at a lower cost
    ]
    assert rescored_lattice("u", paths, UNCHANGED) == Lattice(
        "u",
        (Arc(0, 1, "a", Cost()), Arc(0, 3, "c", Cost()), Arc(1, 2, "b", Cost()), Arc(3, 4, "b", Cost())),
        {1: Final(Cost(1.0, 3.0)), 2: Final(Cost(2.0, 0.5)), 4: Final(Cost(0.0, 5.0))},
    )


def test_an_empty_hypothesis_ends_at_the_start() -> None:
    assert rescored_lattice("u", [hyp("", 2.0)], UNCHANGED) == Lattice("u", (), {0: Final(Cost(0.0, 2.0))})


def test_a_shared_word_emits_what_all_its_paths_emit() -> None:
    # `a` lasts three frames before `b` and two before `c`; the third frame comes with `b`.
    source = Lattice(
        "u",
        (
            Arc(0, 1, "a", Cost(), (7, 7, 0)),
            Arc(0, 2, "a", Cost(), (7, 7)),
            Arc(1, 3, "b", Cost(), (8, 0)),
            Arc(2, 3, "c", Cost(), (9, 9, 9)),
        ),
        {3: Final(Cost(), (5,))},
    )
    lattice = rescored_lattice("u", [hyp("a b", 1.0), hyp("a c", 2.0)], UNCHANGED, source=WordPaths(source))
    assert [(arc.word, arc.alignment) for arc in lattice.arcs] == [("a", (7, 7)), ("b", (0, 8, 0)), ("c", (9, 9, 9))]
    assert [final.alignment for final in lattice.finals.values()] == [(5,), (5,)]


def test_a_word_lasts_until_the_next_one() -> None:
    arcs = [("", (1,)), ("a", (2,)), ("", (3,)), ("b", (4,)), ("", (5,))]
    lattice = Lattice(
        "u",
        tuple(Arc(state, state + 1, word, Cost(), frames) for state, (word, frames) in enumerate(arcs)),
        {5: Final(Cost(), (6,))},
    )
    path = WordPaths(lattice).find(("a", "b"))
    assert path is not None and path.word_alignments() == [(1, 2, 3), (4, 5), (6,)]
    wordless = AlignedPath((Arc(0, 1, "", Cost(), (1,)),), Final(Cost(), (2,)))
    assert wordless.word_alignments() == [(1, 2)]


@given(nbests, weights)
def test_the_lattice_has_exactly_these_paths(paths: list[NbestPath], at: Weights) -> None:
    lattice = rescored_lattice("u", paths, at)
    expected: dict[tuple[str, ...], float] = {}
    for path in paths:
        total = combined_graph_cost(path, at) + path.parts.acoustic
        expected[path.words] = min(total, expected.get(path.words, total))
    found = list(every_path(lattice))
    assert len(found) == len(expected)
    assert {words: cost.graph + cost.acoustic for words, cost in found} == expected
    # Deterministic, and numbered in topological order.
    assert all(len({arc.word for arc in leaving}) == len(leaving) for leaving in lattice.leaving)
    assert all(arc.source < arc.target for arc in lattice.arcs)


@given(nbests, weights, st.sampled_from([0.5, 1.0, 2.0]))
def test_its_best_path_has_the_best_combined_score(paths: list[NbestPath], at: Weights, acoustic_scale: float) -> None:
    hypotheses = (Hypothesis.from_parts(" ".join(path.words), path.parts, acoustic_scale) for path in paths)
    nbest = NbestSet((NbestList("u", tuple(hypotheses)),))
    lists = ScoredLists.build(nbest, [[path.plm for path in paths]])
    chosen = paths[int(best_ranks(lists, at)[0])]
    lattice = rescored_lattice("u", paths, at, acoustic_scale=acoustic_scale)
    best = best_path(lattice, acoustic_scale=acoustic_scale)
    combined = acoustic_scale * chosen.parts.acoustic + combined_graph_cost(chosen, at)
    assert best.cost.graph + acoustic_scale * best.cost.acoustic == combined
    same = WordPaths(lattice).find(chosen.words)
    assert same is not None and same.cost.graph + acoustic_scale * same.cost.acoustic == combined


@given(lattices().map(aligned), st.sampled_from([0.5, 1.0]))
def test_the_path_of_words_is_the_cheapest(lattice: Lattice, acoustic_scale: float) -> None:
    cheapest: dict[tuple[str, ...], float] = {}
    for words, cost in every_path(lattice):
        total = cost.graph + acoustic_scale * cost.acoustic
        cheapest[words] = min(total, cheapest.get(words, total))
    for words, total in cheapest.items():
        path = WordPaths(lattice, acoustic_scale).find(words)
        assert path is not None
        assert path.cost.graph + acoustic_scale * path.cost.acoustic == total
        assert sum(path.word_alignments(), ()) == emitted(path)
    assert WordPaths(lattice).find(("a", "z")) is None


def total_of(cost: Cost, acoustic_scale: float) -> float:
    return cost.graph + acoustic_scale * cost.acoustic


def unpruned_path(lattice: Lattice, words: tuple[str, ...], acoustic_scale: float) -> AlignedPath | None:
    """The cheapest path by following everything, of equal ones the first met: what WordPaths has to find."""
    # By state and number of words so far: the cost, the last arc (none at the start), the number of words before it.
    reached: list[dict[int, tuple[float, Arc | None, int]]] = [{} for _ in range(lattice.num_states)]
    reached[0][0] = (0.0, None, 0)
    for state in lattice.topological_order:
        for position, (cost, _, _) in reached[state].items():
            for arc in lattice.leaving[state]:
                is_word = arc.word != EPSILON
                if is_word and (position == len(words) or arc.word != words[position]):
                    continue
                total = cost + total_of(arc.cost, acoustic_scale)
                known = reached[arc.target].get(position + is_word)
                if known is None or total < known[0]:
                    reached[arc.target][position + is_word] = (total, arc, position)
    ends = {
        state: reached[state][len(words)][0] + total_of(final.cost, acoustic_scale)
        for state, final in sorted(lattice.finals.items())
        if len(words) in reached[state]
    }
    if not ends:
        return None
    end = min(ends, key=ends.__getitem__)
    state, position, arcs = end, len(words), []
    while (step := reached[state][position])[1] is not None:
        arcs.append(step[1])
        state, position = step[1].source, step[2]
    return AlignedPath(tuple(reversed(arcs)), lattice.finals[end])


@given(
    lattices().map(aligned),
    st.sampled_from([0.5, 1.0]),
    st.sampled_from([(math.inf,), (0.0, math.inf), (0.0, 0.5, 1.0, 2.0, math.inf)]),
    st.sampled_from([-1.0, 0.0, 0.25, 4.0, math.inf]),
)
def test_what_is_left_out_changes_no_path(
    lattice: Lattice, acoustic_scale: float, beams: tuple[float, ...], error: float
) -> None:
    """Arc by arc the same, of equal ones too, whatever the beams are and whatever cost is thought to be known."""
    paths = WordPaths(lattice, acoustic_scale, beams)
    for words, cost in [*every_path(lattice), (("a", "z"), Cost())]:
        found = paths.find(words, total_of(cost, acoustic_scale) + error)
        assert found == unpruned_path(lattice, words, acoustic_scale)


def test_of_equal_paths_the_first_met_is_found_where_others_are_left_out() -> None:
    """Without pruning state 3 is first reached with no word, by the dear arc, and `a` on the last arc comes first."""
    arcs = (
        Arc(0, 1, "a", Cost(), (1,)),
        Arc(0, 3, "", Cost(99.0), (2,)),
        Arc(0, 2, "", Cost(), (3,)),
        Arc(1, 3, "", Cost(), (4,)),
        Arc(2, 3, "", Cost(), (5,)),
        Arc(3, 4, "", Cost(), (6,)),
        Arc(3, 4, "a", Cost(), (7,)),
    )
    for order in permutations(arcs[:3]):
        lattice = Lattice("u", (*order, *arcs[3:]), {4: Final()})
        expected = unpruned_path(lattice, ("a",), 1.0)
        assert WordPaths(lattice).find(("a",), 0.0) == WordPaths(lattice).find(("a",)) == expected


def test_a_large_lattice_that_is_not_determinized() -> None:
    rng = np.random.default_rng(1)
    steps, width, words = 100, 16, [f"w{number}" for number in range(50)]
    arcs = []
    for state in range(1 + steps * width - width):
        first = 1 + (state + width - 1) // width * width
        for target in rng.choice(width, 6, replace=False) + first:
            word = str(rng.choice(words)) if rng.random() < 0.3 else ""
            arcs.append(Arc(state, int(target), word, Cost(*map(float, rng.random(2) * 8)), (len(arcs),)))
    last = range(1 + steps * width - width, 1 + steps * width)
    lattice = Lattice("u", tuple(arcs), {state: Final() for state in last})
    hypotheses = n_best_paths(lattice, 10, acoustic_scale=0.1).paths

    paths = WordPaths(lattice, 0.1)
    for one in hypotheses:
        assert paths.find(one.words, total_of(one.cost, 0.1)) == unpruned_path(lattice, one.words, 0.1)


@given(lattices().map(aligned))
def test_unchanged_scores_reproduce_the_lattice(lattice: Lattice) -> None:
    paths = paths_of(lattice)
    rescored = rescored_lattice(lattice.utt, paths, UNCHANGED, source=WordPaths(lattice))
    assert reproduces(lattice, rescored)
    for path in paths:
        before, after = WordPaths(lattice).find(path.words), WordPaths(rescored).find(path.words)
        assert before is not None and after is not None
        assert emitted(after) == emitted(before)
        assert after.cost == Cost(path.parts.nolm + path.parts.lmonly, path.parts.acoustic)


@given(lattices(), costs)
def test_changed_costs_are_reported(lattice: Lattice, change: Cost) -> None:
    best, *others = paths_of(lattice)
    parts = replace(best.parts, acoustic=best.parts.acoustic + change.acoustic, nolm=best.parts.nolm + change.graph)
    changed = replace(best, parts=parts)
    rescored = rescored_lattice(lattice.utt, [changed, *others], UNCHANGED)
    assert reproduces(lattice, rescored) == (change == Cost())


def test_what_differs_is_counted_and_what_ties_is_not() -> None:
    tied = [hyp("a", 1.0), hyp("b", 1.0)]
    original = rescored_lattice("u1", tied, UNCHANGED)
    assert reproduces(original, rescored_lattice("u1", tied[::-1], UNCHANGED))
    assert not reproduces(original, rescored_lattice("u1", tied[1:], UNCHANGED))
    better = [*tied, hyp("c", 0.5)]
    assert not reproduces(original, rescored_lattice("u1", better, UNCHANGED))


def test_a_list_that_does_not_fit_its_lattice() -> None:
    source = rescored_lattice("u", [hyp("a", 1.0)], UNCHANGED)
    with pytest.raises(InputError, match="hypothesis `a b` of utterance u is not in its lattice"):
        rescored_lattice("u", [hyp("a b", 1.0)], UNCHANGED, source=WordPaths(source))
    with pytest.raises(InputError, match="no hypotheses for the lattice of utterance u"):
        rescored_lattice("u", [], UNCHANGED)


@given(nbest=nbests)
def test_kaldi_archives_hold_it(tmp_path_factory: pytest.TempPathFactory, nbest: list[NbestPath]) -> None:
    lattice = rescored_lattice("u", nbest, Weights(0.5))
    path = tmp_path_factory.getbasetemp() / "lat.1.gz"
    table = WordTable({0: "<eps>"}).extended(("a", "b"))
    write_lattices(path, [lattice], table)
    assert list(read_lattices(path, table)) == [lattice]


NBEST = NbestSet(
    (
        NbestList("u1", (Hypothesis("a b", -1.5), Hypothesis("", -2.0))),
        NbestList("u2", (Hypothesis("c", -3.0),)),
    )
)


def test_a_first_pass_without_separate_costs() -> None:
    paths = nbest_paths(NBEST.lists[0], [7.0, 1.0])
    assert paths == [hyp("a b", 1.5, plm=7.0), hyp("", 2.0, plm=1.0)]
    assert first_pass_acoustic_scale(NBEST) == 1.0
    lattice = rescored_lattice("u1", paths, Weights(0.5))
    assert best_path(lattice).words == ()  # 1.5 + 3.5 and 2.0 + 0.5
    assert best_path(lattice).cost == Cost(0.5, 2.0)


def test_separate_costs_at_their_acoustic_scale() -> None:
    nbest = NbestSet(
        (
            NbestList(
                "u",
                (
                    Hypothesis.from_parts("a", CostParts(100.0, 1.0, 4.0), 0.1),
                    Hypothesis.from_parts("a", CostParts(80.0, 6.5, 1.0), 0.1),  # 15.5: cheaper only at a scale of 1
                ),
            ),
        ),
        info={"acoustic_scale": 0.1},
    )
    scale = first_pass_acoustic_scale(nbest)
    assert scale == 0.1
    lattice = rescored_lattice("u", nbest_paths(nbest.lists[0], [0.0, 0.0]), UNCHANGED, acoustic_scale=scale)
    assert lattice.finals == {1: Final(Cost(5.0, 100.0))}
    assert -nbest.lists[0].scores[0] == 5.0 + 0.1 * 100.0


def test_lists_in_the_order_of_their_lattices() -> None:
    first, second = NBEST
    of_first, of_second = (
        rescored_lattice(one.utt, nbest_paths(one, [0.0] * len(one.hypotheses)), UNCHANGED) for one in NBEST
    )
    stranger = Lattice("u0", (), {0: Final()})
    found = lists_with_lattices(NBEST, iter([stranger, of_second, of_first]))
    assert list(found) == [(second, of_second), (first, of_first)]
    with pytest.raises(InputError, match="no lattice for the list of utterance u1"):
        list(lists_with_lattices(NBEST, [of_second]))


def test_a_list_of_one_hypothesis_needs_no_lattice() -> None:
    """It may be the first pass's best, which stands in where a lattice is missing or has no path."""
    first, second = NBEST
    of_first = rescored_lattice("u1", nbest_paths(first, [0.0, 0.0]), UNCHANGED)
    no_path = Lattice("u2", (Arc(0, 1, "c", Cost()),), {})
    cycle = Lattice("u2", (Arc(0, 1, "c", Cost()), Arc(1, 0, "c", Cost())), {1: Final()})
    for sources in ([of_first], [no_path, of_first], [cycle, of_first]):
        assert list(lists_with_lattices(NBEST, sources)) == [(first, of_first), (second, None)]
    assert list(lists_with_lattices(NBEST, None)) == [(first, None), (second, None)]


def test_the_cost_of_a_long_list_is_the_lists() -> None:
    rng = np.random.default_rng(1)
    paths = [hyp(" ".join(map(str, rng.integers(3, size=20))), *map(float, rng.normal(size=4))) for _ in range(100)]
    weights = Weights(0.3)
    best = best_path(rescored_lattice("u", paths, weights), acoustic_scale=1.0)
    assert best.cost.graph + best.cost.acoustic == min(
        combined_graph_cost(path, weights) + path.parts.acoustic for path in paths
    )
