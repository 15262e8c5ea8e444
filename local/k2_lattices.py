#!/usr/bin/env python3
"""Lattices of k2 as Kaldi has them, CompactLattice text: for icefall's decoding scripts, and for k2_decode.py.

In a decode.py of icefall, where the lattices of a batch are there (CTC: `lattice = get_lattice(...)`, with HLG; a
transducer: `lattice = fast_beam_search(...)`):

    sys.path.insert(0, "/path/to/lorescore/local")
    from k2_lattices import LatticeWriter

    with LatticeWriter("exp/lat_test/lat.1.gz") as lattices:  # around the loop over batches
        lattices.write([cut.id for cut in batch["supervisions"]["cut"]], lattice)  # in the loop

Words are the graph's: HLG and LG have a `words.txt` in their lang directory, a transducer's trivial graph has pieces,
`tokens.txt`, which are joined to words where the lattices are read. The graph cost of an arc is what the graph says
(`lm_scores`, which icefall sets for HLG; before another graph is searched,
`decoding_graph.lm_scores = decoding_graph.scores.clone()`), the acoustic cost the rest of its score.

Needs k2 and nothing of this project, so that it can be imported in icefall's environment (Python 3.8 or later).
"""

from __future__ import annotations

import gzip
import os
import platform
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import k2

OWN_NAME = f"{re.sub('[^A-Za-z0-9]', '-', platform.node())}-{os.getpid()}"  # as lorescore.files.process_name


class LatticeWriter:
    """Writes an archive, which appears when it is complete: where the block is left without an error.

    Args:
        path: The archive, `lat.JOB.gz`; its folder is made.
        compresslevel: Of gzip.
    """

    def __init__(self, path: str | os.PathLike[str], compresslevel: int = 6) -> None:
        self.path = Path(path)
        self._partial = self.path.with_name(f".{self.path.name}.{OWN_NAME}.tmp")
        self._level = compresslevel

    def __enter__(self) -> LatticeWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = gzip.open(self._partial, "wt", compresslevel=self._level, encoding="utf-8", newline="\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
            if kind is None:
                self._partial.replace(self.path)
        finally:
            self._partial.unlink(missing_ok=True)

    def write(self, utts: Sequence[str], lattices: k2.Fsa) -> list[str]:
        """Write the lattices of some utterances.

        Args:
            utts: Their ids.
            lattices: An FsaVec with one lattice an utterance, in their order, with words as `aux_labels`.

        Returns:
            The utterances that have no path, which the archive does not get.

        Raises:
            ValueError: There are not as many lattices as utterances, or they do not tell the graph's costs.
        """
        if len(utts) != lattices.shape[0]:
            raise ValueError(f"{lattices.shape[0]} lattices for {len(utts)} utterances")
        if not hasattr(lattices, "lm_scores"):
            raise ValueError("lattices without lm_scores: graph.lm_scores = graph.scores.clone() before the decoding")
        lattices = lattices.to("cpu")
        without = []
        for index, utt in enumerate(utts):
            lattice = lattices[index]
            if lattice.num_arcs:
                self.write_one(utt, lattice_lines(lattice, (lattice.lm_scores - lattice.scores).tolist()))
            else:
                without.append(utt)
        return without

    def write_one(self, utt: str, lines: Iterable[str]) -> None:
        """Write the lattice of an utterance that `lattice_lines` gives."""
        self._file.write(f"{utt} \n{''.join(lines)}\n")


def lattice_lines(lattice: k2.Fsa, acoustic_costs: Sequence[float]) -> Iterator[str]:
    """A lattice, state by state; an arc with several words becomes a chain, of equal arcs the best stays.

    Args:
        lattice: One lattice, with words as `aux_labels` and `lm_scores`.
        acoustic_costs: Of each arc.
    """
    words_of = _words(lattice)
    # (source, target, label, words): graph and acoustic cost
    arcs: dict[tuple[int, int, int, tuple[int, ...]], tuple[float, float]] = {}
    columns = lattice.arcs.values()[:, :3].tolist(), words_of, (-lattice.lm_scores).tolist(), acoustic_costs
    for (source, target, label), words, graph_cost, acoustic_cost in zip(*columns):  # noqa: B905 (Python 3.9)
        arc = (source, target, label, words)
        if arc not in arcs or graph_cost < arcs[arc][0]:
            arcs[arc] = (graph_cost, acoustic_cost)

    by_state: dict[int, list[str]] = {}
    # k2's one final state, its last, is not written: the first new state has its number, so that none is left out.
    num_states = max(target for _, target, _, _ in arcs)
    for (source, target, label, words), (graph_cost, acoustic_cost) in sorted(arcs.items()):
        is_final = label < 0  # k2's way to its one final state; a final state here may be entered by words first
        chain = [source, *range(num_states, num_states + len(words) - (not is_final and bool(words)))]
        num_states += len(chain) - 1
        if is_final:
            by_state.setdefault(chain[-1], []).append(f"{chain[-1]}\t{graph_cost:.9g},0,\n")
            weights = []
        else:
            chain.append(target)
            weights = [f"{graph_cost:.9g},{acoustic_cost:.9g},{label + 1}"]
        weights += ["0,0,"] * (len(chain) - 1 - len(weights))
        for start, end, word, weight in zip(chain, chain[1:], words or (0,), weights):  # noqa: B905 (Python 3.9)
            by_state.setdefault(start, []).append(f"{start}\t{end}\t{word}\t{weight}\n")
    for state in sorted(by_state):
        yield from by_state[state]


def _words(lattice: k2.Fsa) -> list[tuple[int, ...]]:
    """The words of each arc: a graph that has lost its epsilons has several on some, any other one at most."""
    rows = [row if isinstance(row, list) else [row] for row in lattice.aux_labels.tolist()]
    return [tuple(word for word in row if word > 0) for row in rows]
