"""The paths of a lattice by their words, with what they emit: where the words of a hypothesis are in its lattice."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lorescore.lattice.lattices import EPSILON, Arc, Cost, Final, Lattice

# Absolute: files of costs have four decimals, and Kaldi's floats a resolution of 1e-4 at a cost of 1000.
COST_TOLERANCE = 1e-3

# How much costlier than the best path the path of a hypothesis is sought, where its own cost is not known or not so.
PATH_BEAMS = (8.0, math.inf)

Alignment = tuple[int, ...]


@dataclass(frozen=True)
class AlignedPath:
    """A path of a lattice with what it emits.

    Attributes:
        arcs: Its arcs, from the start.
        final: Where it ends.
    """

    arcs: tuple[Arc, ...]
    final: Final

    @property
    def cost(self) -> Cost:
        """Its cost."""
        costs = [*(arc.cost for arc in self.arcs), self.final.cost]
        return Cost(math.fsum(cost.graph for cost in costs), math.fsum(cost.acoustic for cost in costs))

    @property
    def is_aligned(self) -> bool:
        """Whether it emits anything; HTK's lattices have no alignments."""
        return bool(self.final.alignment) or any(arc.alignment for arc in self.arcs)

    def word_alignments(self) -> list[Alignment]:
        """What is emitted in each word, and at the end: one item a word and one more.

        A word lasts until the next one begins, so that what an arc without a word emits belongs to the word before it;
        before the first word it belongs to the first. This is where Kaldi's determinization puts it.
        """
        parts: list[list[int]] = []
        leading: list[int] = []
        for arc in self.arcs:
            if arc.word != EPSILON:
                parts.append([] if parts else leading)
            (parts[-1] if parts else leading).extend(arc.alignment)
        end = self.final.alignment if parts else (*leading, *self.final.alignment)
        return [*map(tuple, parts), end]


class WordPaths:
    """The paths of a lattice by their words.

    A search follows every state and number of words so far, which in what a decoder leaves (not determinized) are many.
    So what cannot be on a path within a bound is left out, by the exact cost from each state to the end. A path that is
    found within the bound is the cheapest of its words; else the next bound is tried.
    """

    def __init__(self, lattice: Lattice, acoustic_scale: float = 1.0, beams: Sequence[float] = PATH_BEAMS) -> None:
        """Look at a lattice.

        Args:
            lattice: The lattice.
            acoustic_scale: Of the acoustic cost.
            beams: How much costlier than the lattice's best path the paths are sought, one after the other; the last
                one is infinite.

        Raises:
            InputError: The lattice has a cycle.
        """
        self.lattice = lattice
        self._scale, self._beams = acoustic_scale, beams
        self._found: dict[tuple[str, ...], AlignedPath | None] = {}
        self._to_end = [math.inf] * lattice.num_states
        # The arcs that leave each state and from whose target there is a way to the end, with their costs.
        self._leaving: list[list[tuple[Arc, float]]] = [[] for _ in range(lattice.num_states)]
        for state in reversed(lattice.topological_order):
            if final := lattice.finals.get(state):
                self._to_end[state] = total_cost(final.cost, acoustic_scale)
            for arc in lattice.leaving[state]:
                if self._to_end[arc.target] < math.inf:
                    cost = total_cost(arc.cost, acoustic_scale)
                    self._leaving[state].append((arc, cost))
                    self._to_end[state] = min(self._to_end[state], cost + self._to_end[arc.target])

    def find(self, words: Sequence[str], cost: float = math.inf) -> AlignedPath | None:
        """The cheapest path, by graph cost + acoustic_scale x acoustic cost; of equal ones the first met.

        Args:
            words: The path's words, without epsilons.
            cost: What the path costs, where it is known: the list's own cost. It makes the search fast, and decides
                nothing.

        Returns:
            The path; None where the lattice has none.
        """
        key = tuple(words)
        if key not in self._found:
            self._found[key] = self._search(key, cost)
        return self._found[key]

    def _search(self, words: tuple[str, ...], known: float) -> AlignedPath | None:
        bounds = [self._to_end[0] + beam for beam in self._beams]
        for bound in bounds if known == math.inf else [known + COST_TOLERANCE, *bounds]:
            cost, path, is_certain = self._search_within(words, bound)
            if path is not None and cost <= bound and is_certain:
                return path
        return path

    def _search_within(self, words: tuple[str, ...], bound: float) -> tuple[float, AlignedPath | None, bool]:
        """The cheapest path in which no state is left out, its cost, and whether it is the first met of equal ones."""
        limit = bound + COST_TOLERANCE  # far above the rounding errors of sums from either end
        is_certain = True
        # By state and number of words so far: cost, last arc (none at the start), number of words before that arc.
        reached: list[dict[int, tuple[float, Arc | None, int]]] = [{} for _ in self._to_end]
        reached[0][0] = (0.0, None, 0)
        for state in self.lattice.topological_order:
            for position, (cost, _, _) in reached[state].items():
                next_word = words[position] if position < len(words) else None
                for arc, arc_cost in self._leaving[state]:
                    is_word = arc.word != EPSILON
                    if is_word and arc.word != next_word:
                        continue
                    total = cost + arc_cost
                    if total + self._to_end[arc.target] > limit:
                        continue
                    known = reached[arc.target].get(position + is_word)
                    if known is None or total < known[0]:
                        reached[arc.target][position + is_word] = (total, arc, position)
                    elif total == known[0] and known[2] != position and known[1] and known[1].source == state:
                        # Which of them is met first hangs on what reached this state first, maybe on what is left out.
                        is_certain = bound == math.inf
        ends = {
            state: reached[state][len(words)][0] + total_cost(final.cost, self._scale)
            for state, final in sorted(self.lattice.finals.items())
            if len(words) in reached[state]
        }
        if not ends:
            return math.inf, None, is_certain
        end = min(ends, key=ends.__getitem__)
        state, position, arcs = end, len(words), []
        while (step := reached[state][position])[1] is not None:
            arcs.append(step[1])
            state, position = step[1].source, step[2]
        return ends[end], AlignedPath(tuple(reversed(arcs)), self.lattice.finals[end]), is_certain


def total_cost(cost: Cost, acoustic_scale: float) -> float:
    """Graph cost + acoustic_scale x acoustic cost."""
    return cost.graph + acoustic_scale * cost.acoustic
