"""The n best distinct word sequences, and the best one."""

import math

import pytest
from drawn_lattices import every_path, lattices
from hypothesis import given, settings
from hypothesis import strategies as st

from lorescore.errors import InputError
from lorescore.lattice.lattices import Arc, Cost, Final, Lattice
from lorescore.lattice.paths import LatticePath, best_path, n_best_paths


def arc(source: int, target: int, word: str, graph: float = 0.0, acoustic: float = 0.0) -> Arc:
    return Arc(source, target, word, Cost(graph, acoustic))


# `the cat` twice: 0-1-3 costs 1 + 2 in the graph and 4 acoustically, 0-2-3 (over an epsilon) 2.5 and 5.
CAT = Lattice(
    "utt-1",
    (
        arc(0, 1, "the", 1.0, 2.0),
        arc(0, 2, "the", 1.0, 1.0),
        arc(1, 3, "cat", 2.0, 2.0),
        arc(1, 3, "cap", 2.0, 3.0),
        arc(2, 4, "", 0.5, 2.0),
        arc(4, 3, "cat", 1.0, 2.0),
    ),
    {3: Final(Cost(0.25, 0.0)), 1: Final(Cost(9.0, 0.0))},
)


def words_of(paths: tuple[LatticePath, ...]) -> list[str]:
    return [" ".join(path.words) for path in paths]


def test_small_lattice() -> None:
    found = n_best_paths(CAT, 10)
    assert found.complete
    assert found.paths == (
        LatticePath(("the", "cat"), Cost(3.25, 4.0)),
        LatticePath(("the", "cap"), Cost(3.25, 5.0)),
        LatticePath(("the",), Cost(10.0, 2.0)),
    )
    assert n_best_paths(CAT, 1).paths == (best_path(CAT),) == found.paths[:1]


def test_the_best_alignment_depends_on_the_acoustic_scale() -> None:
    best = best_path(CAT, acoustic_scale=0.1)
    assert best == LatticePath(("the", "cat"), Cost(2.75, 5.0))


def test_equal_costs_are_ordered_by_words_even_where_floats_differ() -> None:
    """0.1 + 0.2 is not 0.3 in floats, but the cost is the same."""
    lattice = Lattice("u", (arc(0, 1, "b", 0.1), arc(0, 2, "a", 0.3), arc(1, 2, "c", 0.2)), {2: Final()})
    assert words_of(n_best_paths(lattice, 2).paths) == ["a", "b c"]


def test_epsilons_that_meet_again() -> None:
    """State 2 is reached at once for 5, and later, over state 1, for 2: what comes after it costs 2."""
    silent = (arc(0, 1, "", 1.0), arc(0, 2, "", 5.0), arc(1, 2, "", 1.0), arc(2, 3, ""))
    lattice = Lattice("u", (*silent, arc(3, 4, "a"), arc(3, 4, "b", 0.5)), {4: Final()})
    assert n_best_paths(lattice, 9).paths == (LatticePath(("a",), Cost(2.0)), LatticePath(("b",), Cost(2.5)))


def test_a_start_that_is_final() -> None:
    assert n_best_paths(Lattice("u", (), {0: Final(Cost(1.0, 2.0))}), 5).paths == (LatticePath((), Cost(1.0, 2.0)),)


@pytest.mark.parametrize(
    ("lattice", "message"),
    [
        (Lattice("u", (arc(0, 1, "a"), arc(1, 0, "b")), {1: Final()}), "the lattice of utterance u has a cycle"),
        (Lattice("u", (arc(0, 1, "a"),), {2: Final()}), "the lattice of utterance u has no path"),
        (Lattice("u", (arc(0, 1, "a", math.nan),), {1: Final()}), "of utterance u has a cost that is not a finite"),
        (Lattice("u", (arc(0, 1, "a"),), {1: Final(Cost(math.inf))}), "of utterance u has a cost that is not a finite"),
    ],
)
def test_lattices_without_a_best_path(lattice: Lattice, message: str) -> None:
    for search in (best_path, lambda one: n_best_paths(one, 3)):
        with pytest.raises(InputError, match=message):
            search(lattice)


@settings(deadline=None, max_examples=400)
@given(lattices(), st.integers(1, 40), st.sampled_from([0.0, 0.25, 1.0, 2.0]))
def test_n_best_is_brute_force(lattice: Lattice, num_paths: int, scale: float) -> None:
    merged: dict[tuple[str, ...], tuple[float, float, float]] = {}
    for words, cost in every_path(lattice):
        key = (cost.graph + scale * cost.acoustic, cost.graph, cost.acoustic)
        merged[words] = min(key, merged.get(words, key))
    ranked = sorted((key[0], words, Cost(*key[1:])) for words, key in merged.items())
    expected = tuple(LatticePath(words, cost) for _, words, cost in ranked[:num_paths])
    found = n_best_paths(lattice, num_paths, acoustic_scale=scale)
    assert (found.paths, found.complete) == (expected, True)
    assert best_path(lattice, acoustic_scale=scale) == expected[0]


@settings(deadline=None, max_examples=100)
@given(lattices(), st.integers(1, 20), st.integers(0, 12))
def test_a_search_that_is_stopped_gives_the_first_paths(lattice: Lattice, num_paths: int, max_arcs: int) -> None:
    everything = n_best_paths(lattice, num_paths).paths
    found = n_best_paths(lattice, num_paths, max_arcs=max_arcs)
    assert found.paths == everything[: len(found.paths)]
    assert found.paths
    assert not found.complete or found.paths == everything


def chain(length: int, words: str = "ab") -> Lattice:
    """A choice between words of equal cost at each of many positions: len(words) ** length paths."""
    arcs = tuple(arc(at, at + 1, word, 0.5, 0.25) for at in range(length) for word in words)
    return Lattice("u", arcs, {length: Final()})


def test_two_to_the_five_hundred_paths() -> None:
    """Of equal costs the first in the order of the words, without looking at the others."""
    found = n_best_paths(chain(500), 4, max_arcs=20_000)
    assert found.complete
    assert ["".join(path.words)[-3:] for path in found.paths] == ["aaa", "aab", "aba", "abb"]
    assert {"".join(path.words)[:-3] for path in found.paths} == {"a" * 497}


def test_a_stopped_search_says_so() -> None:
    found = n_best_paths(chain(500), 1000, max_arcs=2_000)
    assert not found.complete
    assert 1 <= len(found.paths) < 1000
    assert found.paths[0] == best_path(chain(500))
    stopped_at_once = n_best_paths(chain(500), 1000, max_arcs=0)
    assert (stopped_at_once.paths, stopped_at_once.complete) == ((best_path(chain(500)),), False)
