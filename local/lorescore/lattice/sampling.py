"""Random paths of a lattice, as k2's `random_paths` draws them for icefall's `Nbest.from_lattice`.

At each state an arc is drawn by what all paths through it weigh together, so that a path is drawn by its posterior.
"""

import hashlib
import math
import random
from bisect import bisect_right
from itertools import accumulate

from lorescore.lattice.lattices import EPSILON, Cost, Lattice
from lorescore.lattice.paths import COST_UNIT, MAX_ARCS, FoundPaths, LatticePath, RankedArc, RankedLattice, Reached

NBEST_SCALE = 0.5  # icefall's


def random_paths(
    lattice: Lattice,
    num_paths: int,
    *,
    seed: int = 0,
    nbest_scale: float = NBEST_SCALE,
    acoustic_scale: float = 1.0,
    max_arcs: int = MAX_ARCS,
) -> FoundPaths:
    """The distinct word sequences of random paths, best first, as `n_best_paths` ranks them.

    A path is drawn with a probability proportional to exp(-nbest_scale x its cost). The draws depend on the seed, the
    utterance's id and its lattice alone, not on other utterances. Each word sequence has the cost of its best
    alignment in the lattice, as after icefall's `Nbest.intersect`; if more than `max_arcs` arcs are followed for that,
    the rest have the cost of the best one that was drawn.

    Args:
        lattice: The lattice.
        num_paths: Paths to draw, at least 1; fewer come back where word sequences are drawn more than once.
        seed: Seed of the draws.
        nbest_scale: Flattens the posteriors where it is below 1, so that more distinct ones are drawn.
        acoustic_scale: Weight of the acoustic cost.
        max_arcs: Bound on the work.

    Raises:
        InputError: The lattice has a cycle, no path, or a cost that is not a finite number.
    """
    ranked = RankedLattice(lattice, acoustic_scale)
    sampler = _Sampler(ranked, nbest_scale)
    digest = hashlib.blake2b(f"{seed} {lattice.utt}".encode()).digest()
    rng = random.Random(int.from_bytes(digest, "big"))
    drawn: dict[tuple[str, ...], Reached] = {}
    for _ in range(num_paths):
        words, cost = sampler.draw(rng)
        drawn[words] = min(cost, drawn.get(words, cost))
    complete = True
    for words, cost in drawn.items():
        aligned, followed = ranked.best_alignment(words, cost[0], max_arcs)
        max_arcs -= followed
        complete = complete and aligned is not None
        drawn[words] = aligned or cost
    best_first = sorted(drawn.items(), key=lambda path: (path[1][0], path[0]))
    return FoundPaths(tuple(LatticePath(words, Cost(*reached[1:])) for words, reached in best_first), complete)


class _Sampler:
    """Draws paths by their posterior: at each state an arc by what all paths through it weigh together."""

    def __init__(self, lattice: RankedLattice, nbest_scale: float) -> None:
        self._lattice, self._scale = lattice, nbest_scale * COST_UNIT
        # Log of the summed weight of all ways from each state to the end.
        self._log_weight = [-math.inf] * len(lattice.to_end)
        for state in range(len(lattice.to_end) - 1, -1, -1):
            logs = self._log_choices(state)
            if logs:
                highest = max(logs)
                self._log_weight[state] = highest + math.log(math.fsum(math.exp(log - highest) for log in logs))
        self._cumulated: dict[int, list[float]] = {}  # of the states drawn at so far

    def draw(self, rng: random.Random) -> tuple[tuple[str, ...], Reached]:
        """The words and the cost of a random path."""
        state, units, graph, acoustic = 0, 0, 0.0, 0.0
        words: list[str] = []
        while True:
            arcs = self._arcs(state)
            if state not in self._cumulated:
                logs = self._log_choices(state)
                self._cumulated[state] = list(accumulate(math.exp(log - self._log_weight[state]) for log in logs))
            cumulated = self._cumulated[state]
            choice = min(bisect_right(cumulated, rng.random() * cumulated[-1]), len(cumulated) - 1)
            if choice == len(arcs):  # the last choice of a final state is to end
                last_units, last = self._lattice.finals[state]
                return tuple(words), (units + last_units, graph + last.graph, acoustic + last.acoustic)
            arc = arcs[choice]
            if arc.word != EPSILON:
                words.append(arc.word)
            state, units = arc.target, units + arc.units
            graph, acoustic = graph + arc.cost.graph, acoustic + arc.cost.acoustic

    def _arcs(self, state: int) -> list[RankedArc]:
        return self._lattice.silent[state] + self._lattice.spoken[state]

    def _log_choices(self, state: int) -> list[float]:
        """Log weight of each arc that leaves a state, and of ending there where it is final."""
        logs = [self._log_weight[arc.target] - self._scale * arc.units for arc in self._arcs(state)]
        if state in self._lattice.finals:
            logs.append(-self._scale * self._lattice.finals[state][0])
        return logs
