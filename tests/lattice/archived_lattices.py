"""Random lattices as archives hold them: with transition-ids, odd costs, dead states and words of any script.

And a writer of Kaldi's other type, Lattice, which the library reads and has no need to write.
"""

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from hypothesis import strategies as st

from lorescore.lattice.kaldi import from_start, text_lines
from lorescore.lattice.lattices import EPSILON, Arc, Cost, Final, Lattice
from lorescore.lattice.words import WordTable

WORDS = ("a", "the", "żółw", "c'est", "x\u00a0y", "#0", "[laughter]")
TABLE = WordTable({0: "<eps>"}).extended(WORDS)
MAX_STATES = 6

# What Kaldi has in memory, and what its older builds print: six digits.
floats32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
six_digits = st.floats(-1e4, 1e4).map(lambda value: float(f"{value:.6g}"))
costs = st.builds(Cost, floats32 | six_digits | st.just(0.0), floats32 | six_digits | st.just(0.0))


@st.composite
def lattices(draw: st.DrawFn, utt: str = "utt-1", max_frames: int = 3) -> Lattice:
    """Acyclic, every state entered, at least one path; states that lead nowhere; no weight, or one of only frames."""
    alignments = st.lists(st.integers(1, 99), max_size=max_frames).map(tuple)
    num_states = draw(st.integers(1, MAX_STATES))
    ends = [(draw(st.integers(0, target - 1)), target) for target in range(1, num_states)]
    ends += draw(st.lists(st.sampled_from(ends), max_size=6)) if ends else []
    arcs = [
        Arc(source, target, draw(st.sampled_from(("", *WORDS))), draw(costs), draw(alignments))
        for source, target in sorted(ends, key=lambda end: end[0])
    ]
    final_states = draw(st.sets(st.integers(0, num_states - 1), min_size=1))
    final_alignments = alignments if max_frames > 1 else st.just(())
    finals = {state: Final(draw(costs), draw(final_alignments)) for state in sorted(final_states)}
    return Lattice(utt, tuple(arcs), finals)


@st.composite
def corpora(draw: st.DrawFn, max_frames: int = 3) -> list[Lattice]:
    """The lattices of a few utterances; `max_frames` 1: at most one transition-id an arc, as in Kaldi's Lattice."""
    utts = draw(st.lists(st.sampled_from(("a", "utt-1", "1089", "ü", "spk=1_x")), min_size=1, unique=True))
    return [draw(lattices(utt, max_frames)) for utt in utts]


def write_bytes(path: Path, content: bytes) -> Path:
    """A file of this content, gzip where its name says so."""
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def expanded(lattice: Lattice) -> Lattice:
    """The lattice with at most one transition-id an arc and none on a final state: what Kaldi calls a Lattice.

    An arc becomes a chain, its word and cost on the chain's first arc, as in Kaldi's ConvertLattice
    (src/fstext/lattice-utils-inl.h); new states come after the old ones.
    """
    arcs: list[Arc] = []
    finals: dict[int, Final] = {}
    num_states = lattice.num_states
    for state, leaving in enumerate(lattice.leaving):
        if final := lattice.finals.get(state):
            last, cost = state, final.cost
            for transition_id in final.alignment:
                arcs.append(Arc(last, num_states, EPSILON, cost, (transition_id,)))
                last, cost, num_states = num_states, Cost(), num_states + 1
            finals[last] = Final(cost)
        for arc in leaving:
            source, word, cost = state, arc.word, arc.cost
            for transition_id in arc.alignment[:-1]:
                arcs.append(Arc(source, num_states, word, cost, (transition_id,)))
                source, word, cost, num_states = num_states, EPSILON, Cost(), num_states + 1
            arcs.append(Arc(source, arc.target, word, cost, arc.alignment[-1:]))
    return from_start(lattice.utt, 0, arcs, finals)


def write_expanded(path: Path, lattices: Iterable[Lattice], table: WordTable) -> None:
    """A text archive of Lattices, as Kaldi prints them."""
    path.write_text("".join(line for one in lattices for line in _expanded_lines(expanded(one), table)), "utf-8")


def _expanded_lines(lattice: Lattice, table: WordTable) -> Iterator[str]:
    """The lines of a CompactLattice without transition-ids, each put into its arc's line, and no comma at the end."""
    transition_ids = iter([str(arc.alignment[0] if arc.alignment else 0) for arc in lattice.arcs])
    without = replace(lattice, arcs=tuple(replace(arc, alignment=()) for arc in lattice.arcs))
    for line in text_lines(without, table):
        fields = line.removesuffix("\n").removesuffix(",").split("\t")
        is_arc = len(fields) > 2
        yield "\t".join([*fields[:2], next(transition_ids), *fields[2:]] if is_arc else fields) + "\n"
