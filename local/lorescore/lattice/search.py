"""What both lattice backends are told and given: how wide to search, and posteriors that fit the graph."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lorescore.choices import require_positive
from lorescore.errors import InputError
from lorescore.lattice.graph import Graph


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How wide to search, the same for each backend.

    Attributes:
        acoustic_scale: Weight of the acoustic cost (Kaldi's acwt).
        beam: Beam of the search, in total cost.
        lattice_beam: Paths of the lattice are at most this much worse than the best.
    """

    acoustic_scale: float = 2.0
    beam: float = 30.0
    lattice_beam: float = 12.0

    def __post_init__(self) -> None:
        for name, value in (("acoustic scale", self.acoustic_scale), ("beam", self.beam), ("beam", self.lattice_beam)):
            require_positive(name, value)


def check_log_probs(utt: str, log_probs: NDArray[np.float32], graph: Graph) -> None:
    """Check an utterance's posteriors, (frames, tokens), against a graph.

    Raises:
        InputError: They are empty, have another number of tokens than the graph, or are not finite.
    """
    if log_probs.ndim != 2 or not len(log_probs) or log_probs.shape[1] != graph.num_tokens:
        raise InputError(
            f"posteriors of utterance {utt} have the shape {log_probs.shape}, expected (frames, {graph.num_tokens})",
            mend="make posteriors and graph with the same model",
        )
    if not np.isfinite(log_probs).all():
        raise InputError(f"posteriors of utterance {utt} are not finite", mend="compute them again")
