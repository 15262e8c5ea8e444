"""The type: the word lattice of an utterance, with acoustic and graph cost apart, as Kaldi's CompactLattice has them.

A lattice is an acyclic acceptor of word sequences. State 0 is the start. A path's cost is the sum over its arcs and its
final state; costs are negative log scores, lower is better (Povey et al., "Generating exact lattices in the WFST
framework", ICASSP 2012).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from lorescore.errors import InputError

EPSILON = ""  # the word of an arc without a word


@dataclass(frozen=True, slots=True)
class Cost:
    """What Kaldi keeps apart in a lattice weight.

    Attributes:
        graph: Cost from the decoding graph: LM, pronunciation and transition costs.
        acoustic: Acoustic cost, before any acoustic scale.
    """

    graph: float = 0.0
    acoustic: float = 0.0


@dataclass(frozen=True, slots=True)
class Arc:
    """One arc.

    Attributes:
        source: State that it leaves.
        target: State that it enters.
        word: Its word; EPSILON for none.
        cost: Its cost.
        alignment: What was emitted on it, one transition-id a frame (with a CTC model: one token-id a frame).
    """

    source: int
    target: int
    word: str
    cost: Cost
    alignment: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Final:
    """A final state's cost, and what is still emitted there.

    Attributes:
        cost: Cost of ending here.
        alignment: As an arc's.
    """

    cost: Cost = Cost()
    alignment: tuple[int, ...] = ()


@dataclass(frozen=True)
class Lattice:
    """The lattice of one utterance.

    Attributes:
        utt: The utterance's id.
        arcs: Its arcs, grouped by source state in increasing order; within a state in the order of the file.
        finals: The final states.
    """

    utt: str
    arcs: tuple[Arc, ...]
    finals: Mapping[int, Final]

    @cached_property
    def num_states(self) -> int:
        """States, the start included."""
        states = [0, *self.finals]
        for arc in self.arcs:
            states += (arc.source, arc.target)
        return max(states) + 1

    @cached_property
    def leaving(self) -> tuple[tuple[Arc, ...], ...]:
        """The arcs that leave each state."""
        by_state: list[list[Arc]] = [[] for _ in range(self.num_states)]
        for arc in self.arcs:
            by_state[arc.source].append(arc)
        return tuple(map(tuple, by_state))

    @cached_property
    def topological_order(self) -> tuple[int, ...]:
        """The states that the start reaches, each after every state with an arc into it.

        Raises:
            InputError: The lattice has a cycle.
        """
        entering = [0] * self.num_states
        seen, stack = {0}, [0]
        while stack:
            for arc in self.leaving[stack.pop()]:
                entering[arc.target] += 1
                if arc.target not in seen:
                    seen.add(arc.target)
                    stack.append(arc.target)
        order, ready = [], [0] if not entering[0] else []
        while ready:
            state = ready.pop()
            order.append(state)
            for arc in self.leaving[state]:
                entering[arc.target] -= 1
                if not entering[arc.target]:
                    ready.append(arc.target)
        if len(order) < len(seen):
            raise InputError(f"the lattice of utterance {self.utt} has a cycle", mend="make the lattices again")
        return tuple(order)

    def require_path(self) -> None:
        """Check that the lattice is acyclic and that the start reaches a final state.

        Raises:
            InputError: It has a cycle, or no path.
        """
        if not any(state in self.finals for state in self.topological_order):
            raise InputError(f"the lattice of utterance {self.utt} has no path", mend="make the lattices again")
