"""Small recognisers for the tests of graphs and decoders: units, a text or a lexicon, posteriors, both backends."""

import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import kaldiio
import numpy as np
import sentencepiece
from numpy.typing import NDArray

from lorescore.lattice.archives import read_lattices
from lorescore.lattice.backends import Backend, make_lattices, prepare_backend
from lorescore.lattice.graph import Graph
from lorescore.lattice.lattices import Lattice
from lorescore.lattice.search import SearchOptions

K2_PYTHON = Path(os.environ.get("K2_VENV", Path(__file__).resolve().parents[2] / ".venv-k2")) / "bin" / "python"
WIDE = SearchOptions(acoustic_scale=1.5, beam=200.0, lattice_beam=10.0)
WORDS = ("the", "a", "cat", "cats", "at", "sat", "hat", "that")
SENTENCES = (
    *("the cat sat", "the cats sat", "a cat sat at the hat", "that hat", "the hat sat", "that cat", "a hat"),
    *("cats sat at that", "the cat at the cats", "a cat that sat"),
)


@dataclass(frozen=True)
class SmallModel:
    """A SentencePiece model, the token list of an acoustic model with its units, and a Kaldi text."""

    bpe_model: Path
    token_list: tuple[str, ...]
    text: Path


def make_small_model(folder: Path) -> SmallModel:
    """Train the units on the sentences."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES),
        model_prefix=str(folder / "bpe"),
        vocab_size=14,
        model_type="unigram",
        bos_id=-1,
        eos_id=-1,
        unk_id=0,
        num_threads=1,
        minloglevel=2,
    )
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "bpe.model"))
    pieces = [model.id_to_piece(number) for number in range(model.get_piece_size())]
    (folder / "text").write_text("".join(f"u{number:02d} {line}\n" for number, line in enumerate(SENTENCES)))
    tokens = ("<blank>", "<unk>", *(piece for piece in pieces if piece != "<unk>"), "<sos/eos>")
    return SmallModel(folder / "bpe.model", tokens, folder / "text")


def random_log_probs(seed: int, frames: int, num_tokens: int, sharpness: float = 2.0) -> NDArray[np.float32]:
    """Log-normalised scores, (frames, num_tokens)."""
    scores = sharpness * np.random.default_rng(seed).standard_normal((frames, num_tokens))
    return (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32)


def spoken(units: list[int], num_tokens: int) -> NDArray[np.float32]:
    """Posteriors, (2 x units + 1, num_tokens), of these units with a blank around each, nearly certain."""
    labels = [0] + [label for unit in units for label in (unit, 0)]
    probs = np.full((len(labels), num_tokens), 1e-4)
    probs[np.arange(len(labels)), labels] = 1.0
    return np.log(probs / probs.sum(axis=1, keepdims=True)).astype(np.float32)


def ctc_cost(log_probs: NDArray[np.float32], units: list[int]) -> float:
    """Cost of the best CTC alignment of units to frames, by the textbook's recursion over the blank-extended units."""
    states = [0] + [label for unit in units for label in (unit, 0)]
    costs = np.full(len(states), np.inf)
    costs[0] = 0.0  # before the first frame: in the first blank, from which the first unit is one step away
    for row in log_probs.astype(np.float64):
        new = np.empty_like(costs)
        for state, label in enumerate(states):
            ways = [costs[state]] + ([costs[state - 1]] if state else [])
            if state > 1 and label and states[state - 2] != label:
                ways.append(costs[state - 2])
            new[state] = min(ways) - row[label]
        costs = new
    return float(min(costs[-2:]))


def collapsed(labels: list[int]) -> list[int]:
    """The units of a CTC alignment: repeated labels once, then without blanks."""
    return [label for before, label in pairwise([0, *labels]) if label and label != before]


def write_posteriors(folder: Path, posteriors: dict[str, NDArray[np.float32]], job: int = 1) -> Path:
    """Write the archive of a job; its scp."""
    folder.mkdir(parents=True, exist_ok=True)
    with kaldiio.WriteHelper(f"ark,scp:{folder}/ctc.{job}.ark,{folder}/ctc.{job}.scp") as writer:
        for utt, log_probs in posteriors.items():
            writer(utt, log_probs)
    return folder / f"ctc.{job}.scp"


def decoded(
    folder: Path,
    backend: Backend,
    graph: Graph,
    posteriors: dict[str, NDArray[np.float32]],
    options: SearchOptions = WIDE,
) -> dict[str, Lattice]:
    """The lattices of posteriors, none of which fails, as they come back from the archive."""
    prepare_backend(backend, graph)
    failed = make_lattices(backend, graph, write_posteriors(folder, posteriors), folder / "lat.1.gz", options)
    assert failed == []
    return {lattice.utt: lattice for lattice in read_lattices(folder / "lat.1.gz", graph.words)}
