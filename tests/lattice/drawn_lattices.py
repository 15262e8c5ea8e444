"""Small random lattices for property tests, and all their paths by brute force."""

from collections.abc import Iterator

from hypothesis import strategies as st

from lorescore.lattice.lattices import Arc, Cost, Final, Lattice

WORDS = ("", "", "a", "b", "c")  # epsilons twice: they are what is hard
MAX_STATES = 6
# Quarters, so that sums are exact; few of them, so that many paths cost the same.
quarters = st.integers(-4, 8).map(lambda number: number / 4)
costs = st.builds(Cost, quarters, quarters)


@st.composite
def lattices(draw: st.DrawFn) -> Lattice:
    """Acyclic, with parallel arcs, epsilons, dead ends, equal costs and several finals; at least one path."""
    num_states = draw(st.integers(1, MAX_STATES))
    # The numbers of the states need not be in topological order; only the start is the first of both.
    order = [0, *draw(st.permutations(range(1, num_states)))]
    ends = [(left, right) for left in range(num_states) for right in range(left + 1, num_states)]
    arcs = []
    for left, right in draw(st.lists(st.sampled_from(ends), max_size=12)) if ends else ():
        arcs.append(Arc(order[left], order[right], draw(st.sampled_from(WORDS)), draw(costs)))
    reached = {0}
    for arc in sorted(arcs, key=lambda arc: order.index(arc.source)):
        if arc.source in reached:
            reached.add(arc.target)
    finals = draw(st.dictionaries(st.integers(0, num_states - 1), st.builds(Final, costs), max_size=3))
    if not reached & set(finals):
        finals[draw(st.sampled_from(sorted(reached)))] = Final(draw(costs))
    return Lattice("utt-1", tuple(sorted(arcs, key=lambda arc: arc.source)), finals)


def every_path(lattice: Lattice, state: int = 0) -> Iterator[tuple[tuple[str, ...], Cost]]:
    """Words and cost of every path from a state to the end, one by one."""
    if state in lattice.finals:
        yield (), lattice.finals[state].cost
    for arc in lattice.leaving[state]:
        for words, cost in every_path(lattice, arc.target):
            total = Cost(arc.cost.graph + cost.graph, arc.cost.acoustic + cost.acoustic)
            yield ((arc.word, *words) if arc.word else words), total
