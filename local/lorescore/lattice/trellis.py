"""A lattice as arrays, with the probabilities of its arcs at a scale, which forward-backward works on.

The probability of a path is proportional to exp(-posterior_scale x (graph + acoustic_scale x acoustic cost)). What is
kept of the forward pass is, for each arc, the probability that a path to the state which it enters comes through it:
these are conditional probabilities, so that nothing overflows, and the super-final state has all of the mass.

The states of one level (the longest distance from the start) are worked on together, so that numpy's loops are long.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lorescore.choices import require_positive
from lorescore.lattice.lattices import EPSILON, Arc, Lattice

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Trellis:
    """A lattice as arrays: states, the last a super-final one, and A arcs that the start reaches, final ones last.

    Attributes:
        vocabulary: EPSILON, then the words in alphabetical order; a word's id is its index.
        words: Word ids, (A,).
        source: State that each arc leaves, (A,).
        target: State that it enters, (A,).
        entering: Probability of a path to the target that its last arc is this one, (A,).
        levels: Arcs by the level of their target, in increasing order.
        num_states: States, the super-final one included.
    """

    vocabulary: tuple[str, ...]
    words: Ints
    source: Ints
    target: Ints
    entering: Floats
    levels: tuple[Ints, ...]
    num_states: int

    @classmethod
    def build(
        cls, lattice: Lattice, posterior_scale: float, acoustic_scale: float, further_words: Sequence[str]
    ) -> "Trellis":
        """Bring a lattice into this form."""
        require_positive("posterior_scale", posterior_scale)
        require_positive("acoustic_scale", acoustic_scale)
        lattice.require_path()
        order, super_final = lattice.topological_order, lattice.num_states
        reached = set(order)
        arcs = [arc for arc in lattice.arcs if arc.source in reached]
        arcs += [
            Arc(state, super_final, EPSILON, final.cost) for state, final in lattice.finals.items() if state in reached
        ]
        level = np.zeros(super_final + 1, dtype=np.int64)
        leaving: list[list[Arc]] = [[] for _ in range(super_final)]
        for arc in arcs:
            leaving[arc.source].append(arc)
        for arc in (arc for state in order for arc in leaving[state]):
            level[arc.target] = max(level[arc.target], level[arc.source] + 1)
        vocabulary = (EPSILON, *sorted({*further_words, *(arc.word for arc in arcs)} - {EPSILON}))
        ids = {word: index for index, word in enumerate(vocabulary)}
        source, target = (np.array(ends) for ends in zip(*((arc.source, arc.target) for arc in arcs), strict=True))
        scores = np.array([-posterior_scale * (arc.cost.graph + acoustic_scale * arc.cost.acoustic) for arc in arcs])
        by_level = np.argsort(level[target], kind="stable")
        levels = tuple(np.split(by_level, np.flatnonzero(np.diff(level[target][by_level])) + 1))
        alpha = np.full(super_final + 1, -math.inf)
        alpha[0] = 0.0
        for some in levels:
            np.logaddexp.at(alpha, target[some], alpha[source[some]] + scores[some])
        entering = np.exp(alpha[source] + scores - alpha[target])
        words = np.array([ids[arc.word] for arc in arcs])
        return cls(vocabulary, words, source, target, entering, levels, super_final + 1)

    @cached_property
    def _id_of(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.vocabulary)}

    def ids(self, words: Sequence[str]) -> Ints:
        """The ids of words."""
        return np.array([self._id_of[word] for word in words], dtype=np.int64)
