"""Lattices by kaldi-decoder: the token-passing decoder of Kaldi (LatticeSimpleDecoder) on CTC log posteriors and HLG.

The backend that installs everywhere. It is exact within its beams: `beam` while it searches, `lattice_beam` for what
stays in a lattice, both in units of the total cost, graph cost + acoustic_scale x acoustic cost.
"""

import kaldi_decoder
import kaldifst
import numpy as np
from kaldifst.lib import _kaldifst  # the public ArcIterator of kaldifst 1.8.3 takes no lattices; text rounds the costs
from numpy.typing import NDArray

from lorescore.errors import InputError
from lorescore.lattice.graph import Graph
from lorescore.lattice.kaldi import from_start
from lorescore.lattice.lattices import EPSILON, Arc, Cost, Final, Lattice
from lorescore.lattice.search import SearchOptions, check_log_probs
from lorescore.silence import STDERR, silent

WIDER = 2.0  # factor on the beam where no path reached the end
MAX_TRIES = 4


class KaldiDecoder:
    """A graph that is loaded once and searched for many utterances."""

    def __init__(self, graph: Graph, options: SearchOptions) -> None:
        """Load the graph.

        Raises:
            InputError: The graph cannot be read.
        """
        self.graph, self.options = graph, options
        self._hlg = kaldifst.StdConstFst.read(str(graph.hlg)) if graph.hlg.is_file() else None
        if self._hlg is None:
            raise InputError("not a decoding graph", path=graph.hlg, mend="make the graph again")

    def decode(self, utt: str, log_probs: NDArray[np.float32]) -> Lattice | None:
        """The lattice of an utterance, one token an arc at most; it is not determinized.

        Where no path reaches the end of the graph, the search is repeated with a wider beam.

        Args:
            utt: The utterance's id.
            log_probs: CTC log posteriors, (frames, tokens), the blank first.

        Returns:
            The lattice; None where there is no complete path.

        Raises:
            InputError: The posteriors are empty, have another number of tokens than the graph, or are not finite.
        """
        check_log_probs(utt, log_probs, self.graph)
        scaled = np.ascontiguousarray(log_probs * np.float32(self.options.acoustic_scale), dtype=np.float32)
        beam = self.options.beam
        for _ in range(MAX_TRIES):
            config = kaldi_decoder.LatticeSimpleDecoderConfig(beam=beam, lattice_beam=self.options.lattice_beam)
            decoder = kaldi_decoder.LatticeSimpleDecoder(self._hlg, config)
            with silent(STDERR):  # the decoder writes lines of its own
                found = decoder.decode(kaldi_decoder.DecodableCtc(scaled))
                if found and np.isfinite(decoder.final_relative_cost()):
                    return self._lattice(utt, decoder.get_raw_lattice()[1])
            beam *= WIDER
        return None

    def _lattice(self, utt: str, raw: "kaldifst.Lattice") -> Lattice:
        words, scale = self.graph.words.words, self.options.acoustic_scale
        arcs, finals = [], {}
        for state in range(raw.num_states):
            final = raw.final(state)
            if np.isfinite(final.value1):
                finals[state] = Final(Cost(final.value1, final.value2 / scale))
            iterator = _kaldifst._ArcIteratorLattice(raw, state)
            while not iterator.done:
                arc = iterator.value
                word = words[arc.olabel] if arc.olabel else EPSILON
                cost = Cost(arc.weight.value1, arc.weight.value2 / scale)
                arcs.append(Arc(state, arc.nextstate, word, cost, (arc.ilabel,) if arc.ilabel else ()))
                iterator.next()
        return from_start(utt, raw.start, arcs, finals)
