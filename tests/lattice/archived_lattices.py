"""Random lattices as archives hold them: with transition-ids, odd costs, dead states and words of any script."""

import gzip
from pathlib import Path

from hypothesis import strategies as st

from lorescore.lattice.lattices import Arc, Cost, Final, Lattice
from lorescore.lattice.words import WordTable

WORDS = ("a", "the", "żółw", "c'est", "x\u00a0y", "#0", "[laughter]")
TABLE = WordTable.build(WORDS)
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
