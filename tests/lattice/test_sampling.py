"""Random paths of a lattice."""

import math
from collections import Counter

import pytest
from drawn_lattices import lattices
from hypothesis import given, settings
from hypothesis import strategies as st

from lorescore.errors import InputError
from lorescore.lattice.lattices import Arc, Cost, Final, Lattice
from lorescore.lattice.paths import LatticePath, n_best_paths
from lorescore.lattice.sampling import random_paths


def arc(source: int, target: int, word: str, graph: float = 0.0) -> Arc:
    return Arc(source, target, word, Cost(graph, 0.0))


# `a` or `b` at each of eight positions.
CHOICES = Lattice("u", tuple(arc(at, at + 1, word) for at in range(8) for word in "ab"), {8: Final()})


@settings(deadline=None, max_examples=100)
@given(lattices(), st.integers(1, 30), st.integers(0, 3))
def test_random_paths_are_paths_at_their_best_cost(lattice: Lattice, num_paths: int, seed: int) -> None:
    """However they were drawn: their costs and their order are those of the n best."""
    everything = n_best_paths(lattice, 10_000).paths
    found = random_paths(lattice, num_paths, seed=seed)
    drawn = found.paths
    assert found.complete
    assert 1 <= len(drawn) <= num_paths
    assert list(drawn) == [path for path in everything if path in drawn]
    assert random_paths(lattice, num_paths, seed=seed) == found


def test_random_paths_follow_the_posteriors() -> None:
    """`a` weighs 2 x exp(-1) over two paths, `b` exp(-1), `` exp(-2): 0.579, 0.289 and 0.107, the rest `c`."""
    arcs = (arc(0, 1, "a", 1.0), arc(0, 1, "b", 1.0), arc(0, 2, "", 0.5), arc(2, 1, "a", 0.5), arc(2, 1, "c", 3.5))
    finals = {1: Final(), 2: Final(Cost(1.5))}
    weights = {"a": 2 * math.exp(-1), "b": math.exp(-1), "": math.exp(-2), "c": math.exp(-4)}
    draws = 4000
    for scale in (1.0, 0.25):
        scaled = {"a": 2 * math.exp(-scale)} | {word: weights[word] ** scale for word in ("b", "", "c")}
        counts = Counter(
            " ".join(random_paths(Lattice(f"utt-{number}", arcs, finals), 1, nbest_scale=scale).paths[0].words)
            for number in range(draws)
        )
        for word, weight in scaled.items():
            share = weight / sum(scaled.values())
            # Five standard deviations; the draws are always the same.
            assert abs(counts[word] / draws - share) < 5 * math.sqrt(share * (1 - share) / draws), word


def test_random_paths_depend_on_seed_and_utterance() -> None:
    def drawn(utt: str, seed: int) -> tuple[LatticePath, ...]:
        return random_paths(Lattice(utt, CHOICES.arcs, {8: Final()}), 5, seed=seed).paths

    assert drawn("u", 1) == drawn("u", 1)
    assert len({drawn(utt, seed) for utt in ("u", "v") for seed in (1, 2)}) == 4


def test_random_paths_whose_alignment_is_not_sought() -> None:
    """Their cost is then that of the best path drawn: no less than that of the best alignment."""
    arcs = tuple(arc(at, at + 1, "a" if at % 2 else "", cost) for at in range(20) for cost in (0.0, 20.0, 0.5))
    lattice = Lattice("u", arcs, {20: Final()})
    drawn, aligned = random_paths(lattice, 3, max_arcs=0), random_paths(lattice, 3)
    assert (drawn.complete, aligned.complete) == (False, True)
    assert [path.words for path in drawn.paths] == [path.words for path in aligned.paths] == [("a",) * 10]
    assert aligned.paths[0].cost == Cost(0.0, 0.0)
    assert 0.0 < drawn.paths[0].cost.graph < 20.0


def test_an_alignment_far_from_the_best_path() -> None:
    """It lies outside the beam that is tried first."""
    lattice = Lattice("u", (arc(0, 1, "a"), arc(0, 1, "b", 100.0), arc(0, 1, "b", 90.0)), {1: Final()})
    found = random_paths(lattice, 50, nbest_scale=0.001)
    assert found.paths == (LatticePath(("a",), Cost()), LatticePath(("b",), Cost(90.0)))


def test_no_path() -> None:
    with pytest.raises(InputError, match="the lattice of utterance u has no path"):
        random_paths(Lattice("u", (arc(0, 1, "a"),), {2: Final()}), 3)
