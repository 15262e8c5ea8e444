"""Word-level determinization of what a decoder leaves: each word sequence once, with its best cost and alignment.

The lattice determinization of Povey et al., "Generating exact lattices in the WFST framework", ICASSP 2012, with
pruning: a state of the result is a set of states of the decoder's lattice, each with what is left to account for (costs
and alignment) on the way there; of several ways with the same words the cheapest stays. States are expanded best first,
by the exact cost of the best path through them, until the beam or a number of states is reached: what is left out is
always what is worse, so memory is bounded however large a lattice is.
"""

import heapq
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from lorescore.errors import InputError
from lorescore.lattice.lattices import EPSILON, Arc, Cost, Final, Lattice

DELTA = 1.0 / 1024.0  # costs that are so near are equal when states are compared, as in Kaldi and OpenFst
MAX_STATES = 20_000  # of the result; a lattice of more is cut to its best part

# What is left to account for: total, graph and acoustic cost, and the alignment, (what came before, one more id or
# ids).
Alignment = tuple[int, ...]
Chain = tuple["Chain", Alignment] | None
Residual = tuple[float, float, float, Chain]
# A state of the result: state of the input, graph and acoustic cost in units of DELTA, alignment; sorted.
Key = tuple[tuple[int, int, int, Alignment], ...]


@dataclass
class _Input:
    """The decoder's lattice, states numbered in topological order.

    Attributes:
        silent: Arcs without a word from each state: target, total, graph and acoustic cost, alignment.
        spoken: Arcs with a word from each state: the word, and the same.
        finals: Total, graph and acoustic cost and alignment of each final state.
        rest: Best total cost from each state to the end; infinite where there is no way.
    """

    silent: list[list[tuple[int, float, float, float, Alignment]]]
    spoken: list[list[tuple[str, int, float, float, float, Alignment]]]
    finals: Mapping[int, tuple[float, float, float, Alignment]]
    rest: list[float]

    @classmethod
    def build(cls, lattice: Lattice, acoustic_scale: float) -> "_Input":
        order = lattice.topological_order
        place = {state: index for index, state in enumerate(order)}
        finals = {
            place[state]: (*_costs(final.cost, acoustic_scale), final.alignment)
            for state, final in lattice.finals.items()
            if state in place
        }
        rest = [inf] * len(order)
        silent: list[list[tuple[int, float, float, float, Alignment]]] = [[] for _ in order]
        spoken: list[list[tuple[str, int, float, float, float, Alignment]]] = [[] for _ in order]
        for index in reversed(range(len(order))):
            if index in finals:
                rest[index] = finals[index][0]
            for arc in lattice.leaving[order[index]]:
                target, costs = place[arc.target], _costs(arc.cost, acoustic_scale)
                rest[index] = min(rest[index], costs[0] + rest[target])
                if arc.word == EPSILON:
                    silent[index].append((target, *costs, arc.alignment))
                else:
                    spoken[index].append((arc.word, target, *costs, arc.alignment))
        return cls(silent, spoken, finals, rest)


def determinize(
    lattice: Lattice, *, acoustic_scale: float = 1.0, beam: float = inf, max_states: int = MAX_STATES
) -> Lattice:
    """The lattice with each word sequence once and without epsilons.

    Args:
        lattice: An acyclic lattice; arcs without a word are no arcs of the result.
        acoustic_scale: Weight of the acoustic cost where costs are compared; the result has unscaled costs.
        beam: Word sequences whose cost is more than this above the best's may be left out; no other one is.
        max_states: States of the result at most; where they do not suffice, the worst word sequences are left out.

    Returns:
        The lattice, its states in topological order.

    Raises:
        InputError: The lattice has a cycle or no path.
    """
    source = _Input.build(lattice, acoustic_scale)
    if source.rest[0] == inf:
        raise InputError(f"the lattice of utterance {lattice.utt} has no path", mend="make the lattices again")
    cutoff = source.rest[0] + beam
    start = ((0, 0, 0, ()),)
    ids: dict[Key, int] = {start: 0}
    subsets: list[dict[int, Residual] | None] = [{0: (0.0, 0.0, 0.0, None)}]
    reached = [0.0]  # best total cost from the start
    arcs: list[list[Arc]] = [[]]
    finals: dict[int, Final] = {}
    expanded: list[int] = []
    queue = [(source.rest[0], 0)]
    while queue and len(expanded) < max_states:
        _, state = heapq.heappop(queue)
        subset = subsets[state]
        if subset is None:
            continue  # expanded when it was reached at a lower cost
        subsets[state] = None
        expanded.append(state)
        closure = _closure(source, subset, cutoff - reached[state])
        if final := _final(source, closure):
            finals[state] = final
        for word, targets in sorted(_by_word(source, closure, cutoff - reached[state]).items()):
            total, cost, alignment, remaining = _normalized(targets)
            key = _key(remaining)
            target = ids.setdefault(key, len(subsets))
            if target == len(subsets):
                subsets.append(remaining)
                reached.append(inf)
                arcs.append([])
            arcs[state].append(Arc(state, target, word, cost, alignment))
            if subsets[target] is not None and reached[state] + total < reached[target]:
                reached[target] = reached[state] + total
                left = min(residual[0] + source.rest[place] for place, residual in remaining.items())
                heapq.heappush(queue, (reached[target] + left, target))
    return _trimmed(lattice.utt, [arc for state in expanded for arc in arcs[state]], finals)


def _costs(cost: Cost, acoustic_scale: float) -> tuple[float, float, float]:
    return cost.graph + acoustic_scale * cost.acoustic, cost.graph, cost.acoustic


def _closure(source: _Input, subset: Mapping[int, Residual], limit: float) -> dict[int, Residual]:
    """The states that a set of states leads to without a word, with the best residual of each."""
    best = dict(subset)
    queue = list(best)
    heapq.heapify(queue)
    while queue:
        state = heapq.heappop(queue)
        while queue and queue[0] == state:
            heapq.heappop(queue)
        total, graph, acoustic, chain = best[state]
        for target, arc_total, arc_graph, arc_acoustic, alignment in source.silent[state]:
            new = total + arc_total
            if new + source.rest[target] <= limit and (target not in best or new < best[target][0]):
                best[target] = (new, graph + arc_graph, acoustic + arc_acoustic, _longer(chain, alignment))
                heapq.heappush(queue, target)
    return best


def _by_word(source: _Input, closure: Mapping[int, Residual], limit: float) -> dict[str, dict[int, Residual]]:
    """The states that the arcs with each word lead to, with the best residual of each."""
    targets: dict[str, dict[int, Residual]] = defaultdict(dict)
    for state, (total, graph, acoustic, chain) in closure.items():
        for word, target, arc_total, arc_graph, arc_acoustic, alignment in source.spoken[state]:
            new = total + arc_total
            if new + source.rest[target] > limit:
                continue
            best = targets[word]
            if target not in best or new < best[target][0]:
                best[target] = (new, graph + arc_graph, acoustic + arc_acoustic, _longer(chain, alignment))
    return targets


def _final(source: _Input, closure: Mapping[int, Residual]) -> Final | None:
    """How the best way to end in one of these states costs; None where none is final."""
    best: Residual | None = None
    for state in closure.keys() & source.finals.keys():
        total, graph, acoustic, chain = closure[state]
        final_total, final_graph, final_acoustic, alignment = source.finals[state]
        if best is None or total + final_total < best[0]:
            new = (total + final_total, graph + final_graph, acoustic + final_acoustic)
            best = (*new, _longer(chain, alignment))
    return None if best is None else Final(Cost(best[1], best[2]), _flat(best[3]))


def _normalized(targets: Mapping[int, Residual]) -> tuple[float, Cost, Alignment, dict[int, Residual]]:
    """What residuals have in common (the best's costs, the beginning that all alignments share), and what remains."""
    total, graph, acoustic, _ = min(targets.values(), key=lambda residual: residual[0])
    alignments = {state: _flat(residual[3]) for state, residual in targets.items()}
    first, last = min(alignments.values()), max(alignments.values())
    common = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    remaining: dict[int, Residual] = {
        state: (
            residual[0] - total,
            residual[1] - graph,
            residual[2] - acoustic,
            (None, alignments[state][common:]) if len(alignments[state]) > common else None,
        )
        for state, residual in targets.items()
    }
    return total, Cost(graph, acoustic), first[:common], remaining


def _key(remaining: Mapping[int, Residual]) -> Key:
    return tuple(
        sorted(
            (state, round(graph / DELTA), round(acoustic / DELTA), _flat(chain))
            for state, (_, graph, acoustic, chain) in remaining.items()
        )
    )


def _longer(chain: Chain, alignment: Alignment) -> Chain:
    return (chain, alignment) if alignment else chain


def _flat(chain: Chain) -> Alignment:
    parts = []
    while chain is not None:
        chain, part = chain
        parts.append(part)
    return tuple(number for part in reversed(parts) for number in part)


def _trimmed(utt: str, arcs: list[Arc], finals: Mapping[int, Final]) -> Lattice:
    """The lattice of the states that lead to a final state, numbered in topological order."""
    entering: dict[int, list[int]] = defaultdict(list)
    for arc in arcs:
        entering[arc.target].append(arc.source)
    useful, stack = set(finals), list(finals)
    while stack:
        for state in entering[stack.pop()]:
            if state not in useful:
                useful.add(state)
                stack.append(state)
    kept = [arc for arc in arcs if arc.source in useful and arc.target in useful]
    order = Lattice(utt, tuple(sorted(kept, key=lambda arc: arc.source)), finals).topological_order
    place = {state: index for index, state in enumerate(order)}
    moved = [Arc(place[arc.source], place[arc.target], arc.word, arc.cost, arc.alignment) for arc in kept]
    return Lattice(
        utt,
        tuple(sorted(moved, key=lambda arc: (arc.source, arc.word, arc.target))),
        {place[state]: finals[state] for state in sorted(finals, key=place.__getitem__)},
    )
