"""Paths of a lattice: the n best distinct word sequences, and the best one.

The n best are exact and found lazily, by a best-first search over prefixes of word sequences (Mohri and Riley, "An
efficient algorithm for the n-best-strings problem", ICSLP 2002: n shortest paths of the lattice determinized on the
fly). A prefix holds the set of lattice states that it leads to, each with the cost of the cheapest way there, so that
no word sequence appears twice and the one kept is the cheapest. The exact cost from each state to the end ranks the
prefixes (A*): only prefixes of paths that are given back are ever extended, and no more of them are kept than paths are
still wanted, so that memory does not grow with the number of paths in the lattice.
"""

import math
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import TypeAlias

from lorescore.errors import InputError
from lorescore.lattice.lattices import EPSILON, Cost, Lattice

# Costs are ranked as whole numbers of this unit: sums are exact then, and do not depend on the order of the arcs.
COST_UNIT = 1e-9
MAX_ARCS = 10_000_000  # arcs that a search follows in one lattice: some ten seconds
ALIGNMENT_BEAM = 8.0  # how much costlier than the best path an alignment is sought at first

Reached: TypeAlias = tuple[int, float, float]
"""The cheapest way to a state: its cost in units, which ranks, and its graph and acoustic cost, which break ties."""
States: TypeAlias = dict[int, Reached]


@dataclass(frozen=True, slots=True)
class LatticePath:
    """A word sequence of a lattice.

    Attributes:
        words: Its words, without epsilons.
        cost: Graph and acoustic cost of its best alignment: of the cheapest path with these words.
    """

    words: tuple[str, ...]
    cost: Cost


@dataclass(frozen=True, slots=True)
class FoundPaths:
    """What a search found.

    Attributes:
        paths: Distinct word sequences, at least one, best first.
        complete: Whether the search came to its end; else it was stopped, having followed too many arcs.
    """

    paths: tuple[LatticePath, ...]
    complete: bool


def n_best_paths(
    lattice: Lattice, num_paths: int, *, acoustic_scale: float = 1.0, max_arcs: int = MAX_ARCS
) -> FoundPaths:
    """The n cheapest distinct word sequences, where a path costs

        graph cost + acoustic_scale x acoustic cost

    Equal costs (to 1e-9) are ordered by the words. If more than `max_arcs` arcs are followed, the search stops: the
    paths found so far are the best ones all the same, and the best path is always among them.

    Args:
        lattice: The lattice.
        num_paths: How many are wanted, at least 1; a lattice with fewer word sequences gives all that it has.
        acoustic_scale: Weight of the acoustic cost.
        max_arcs: Bound on the work.

    Raises:
        InputError: The lattice has a cycle, no path, or a cost that is not a finite number.
    """
    ranked = RankedLattice(lattice, acoustic_scale)
    found = ranked.search(num_paths, max_arcs)
    if not found.paths:
        return FoundPaths(ranked.search(1, None).paths, complete=False)
    return found


def best_path(lattice: Lattice, *, acoustic_scale: float = 1.0) -> LatticePath:
    """The cheapest path, as `n_best_paths` ranks them.

    Raises:
        InputError: The lattice has a cycle, no path, or a cost that is not a finite number.
    """
    return RankedLattice(lattice, acoustic_scale).search(1, None).paths[0]


@dataclass(frozen=True, slots=True)
class RankedArc:
    """An arc whose target reaches the end: target (in topological order), word, cost in units and cost."""

    target: int
    word: str
    units: int
    cost: Cost


class RankedLattice:
    """A lattice whose states, numbered in topological order, know the cost from there to the end.

    Attributes:
        to_end: The cheapest way to the end from each state, in units; math.inf where there is none.
        silent: The epsilon arcs that leave each state.
        spoken: The arcs with a word that leave each state.
        finals: Cost in units and cost of each final state.
    """

    def __init__(self, lattice: Lattice, acoustic_scale: float) -> None:
        lattice.require_path()

        def in_units(cost: Cost) -> int:
            value = cost.graph + acoustic_scale * cost.acoustic
            if not math.isfinite(value):
                message = f"the lattice of utterance {lattice.utt} has a cost that is not a finite number"
                raise InputError(message, mend="make the lattices again")
            return round(value / COST_UNIT)

        order = lattice.topological_order
        number = {state: place for place, state in enumerate(order)}
        self.to_end: list[float] = [math.inf] * len(order)
        self.silent: list[list[RankedArc]] = [[] for _ in order]
        self.spoken: list[list[RankedArc]] = [[] for _ in order]
        self.finals: dict[int, tuple[int, Cost]] = {}
        for place in range(len(order) - 1, -1, -1):
            state = order[place]
            if state in lattice.finals:
                cost = lattice.finals[state].cost
                units = in_units(cost)
                self.finals[place], self.to_end[place] = (units, cost), units
            for arc in lattice.leaving[state]:
                target = number[arc.target]
                units = in_units(arc.cost)
                if self.to_end[target] < math.inf:
                    ranked = RankedArc(target, arc.word, units, arc.cost)
                    (self.silent if arc.word == EPSILON else self.spoken)[place].append(ranked)
                    self.to_end[place] = min(self.to_end[place], units + self.to_end[target])

    def search(self, num_paths: int, max_arcs: int | None) -> FoundPaths:
        """The best paths; maybe none where the search is stopped."""
        found: list[LatticePath] = []
        # (cost of the cheapest path that begins so, its words so far, whether it ends there, states), cheapest first.
        # No two have the same words, and each holds at least one path of its own, of exactly that cost: those beyond
        # the number still wanted are not needed. In the order of tuples a path comes before those that go on from it.
        queue: list[tuple[float, tuple[str, ...], bool, States]] = [(self.to_end[0], (), False, {0: (0, 0.0, 0.0)})]
        followed = 0
        while queue and len(found) < num_paths:
            wanted = num_paths - len(found)
            bound = queue[wanted - 1][0] if len(queue) >= wanted else math.inf
            _, words, is_path, states = queue.pop(0)
            if is_path:
                (reached,) = states.values()
                found.append(LatticePath(words, Cost(reached[1], reached[2])))
                continue
            if max_arcs is not None and followed > max_arcs:
                return FoundPaths(tuple(found), complete=False)
            states, num_silent = self._closed(states, bound)
            best_end = self._best_end(states)
            if best_end is not None and best_end[0] <= bound:
                insort(queue, (best_end[0], words, True, {0: best_end}))
            by_word, num_spoken = self._step(states, bound)
            followed += num_silent + num_spoken
            for word, (cost, targets) in by_word.items():
                insort(queue, (cost, (*words, word), False, targets))
            del queue[wanted:]
        return FoundPaths(tuple(found), complete=True)

    def best_alignment(self, words: Sequence[str], known: float, max_arcs: int) -> tuple[Reached | None, int]:
        """The cheapest path with these words, and how many arcs were followed.

        Args:
            words: The words of a path.
            known: Its cost in units.
            max_arcs: How many arcs may be followed; None comes back where they do not suffice.
        """
        followed, beam = 0, ALIGNMENT_BEAM / COST_UNIT
        while followed <= max_arcs:
            # A path of this cost is known, but most of the lattice may be cheaper: a narrow beam is tried first.
            bound = min(known, self.to_end[0] + beam)
            states: States = {0: (0, 0.0, 0.0)}
            for word in words:
                states, num_silent = self._closed(states, bound)
                by_word, num_spoken = self._step(states, bound, only=word)
                followed += num_silent + num_spoken
                states = by_word[word][1] if word in by_word else {}
                if not states or followed > max_arcs:
                    break
            else:
                states, num_silent = self._closed(states, bound)
                followed += num_silent
                best_end = self._best_end(states)
                if best_end is not None and best_end[0] <= bound:
                    return best_end, followed
            beam *= 2
        return None, followed

    def _closed(self, states: States, bound: float) -> tuple[States, int]:
        """The states together with those that epsilon arcs lead to, and how many arcs were followed."""
        closed = dict(states)
        waiting = [state for state in states if self.silent[state]]
        heapify(waiting)  # in topological order a state is passed only when all ways to it are known
        followed = 0
        while waiting:
            state = heappop(waiting)
            units, graph, acoustic = closed[state]
            followed += len(self.silent[state])
            for arc in self.silent[state]:
                total = units + arc.units
                if total + self.to_end[arc.target] > bound:
                    continue
                reached = (total, graph + arc.cost.graph, acoustic + arc.cost.acoustic)
                before = closed.get(arc.target)
                if before is None and self.silent[arc.target]:
                    heappush(waiting, arc.target)
                if before is None or reached < before:
                    closed[arc.target] = reached
        return closed, followed

    def _step(
        self, states: States, bound: float, only: str | None = None
    ) -> tuple[dict[str, tuple[float, States]], int]:
        """For each next word (or `only` one) the cost of the cheapest path on and the states that the word leads to."""
        by_word: dict[str, tuple[float, States]] = {}
        followed = 0
        for state, (units, graph, acoustic) in states.items():
            followed += len(self.spoken[state])
            for arc in self.spoken[state]:
                if only is not None and arc.word != only:
                    continue
                total = units + arc.units
                cost = total + self.to_end[arc.target]
                if cost > bound:
                    continue
                cheapest, targets = by_word.get(arc.word) or (math.inf, {})
                reached = (total, graph + arc.cost.graph, acoustic + arc.cost.acoustic)
                before = targets.get(arc.target)
                if before is None or reached < before:
                    targets[arc.target] = reached
                by_word[arc.word] = min(cheapest, cost), targets
        return by_word, followed

    def _best_end(self, states: States) -> Reached | None:
        """The cheapest way to end in one of these states; None where none is final."""
        ends = (
            (reached[0] + final[0], reached[1] + final[1].graph, reached[2] + final[1].acoustic)
            for state, reached in states.items()
            if (final := self.finals.get(state)) is not None
        )
        return min(ends, default=None)
