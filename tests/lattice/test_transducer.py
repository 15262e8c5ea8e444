"""The lattices of k2's transducer search, as icefall's fast_beam_search calls it, against all alignments one by one."""

import itertools
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from decoding_models import K2_PYTHON
from numpy.typing import NDArray

from lorescore.lattice.archives import read_lattices
from lorescore.lattice.backends import LOCAL, choose_backend
from lorescore.lattice.nbest import PathSettings, lists_from_lattices
from lorescore.lattice.words import WordTable, write_words

TOKENS = ("<blk>", "▁the", "▁c", "at", "s")
FRAMES = {"utt1": 5, "utt2": 3}  # in the order of a batch: longest first

# What decode.py of icefall does, but for the model: the joiner's log-probabilities hang on the frame and two tokens.
ICEFALL = """
import sys
sys.path.insert(0, sys.argv[1])
import k2, numpy, torch
from k2_lattices import LatticeWriter

joiner = torch.from_numpy(numpy.load(sys.argv[2]))  # [utterance][frame][token before][token][next token]
num_frames = [int(number) for number in sys.argv[4].split()]
decoding_graph = k2.trivial_graph(joiner.shape[-1] - 1)
decoding_graph.lm_scores = decoding_graph.scores.clone()
config = k2.RnntDecodingConfig(
    vocab_size=joiner.shape[-1], decoder_history_len=2, beam=100.0, max_states=1000, max_contexts=100
)
streams = k2.RnntDecodingStreams([k2.RnntDecodingStream(decoding_graph) for _ in num_frames], config)
for frame in range(joiner.shape[1]):
    shape, contexts = streams.get_contexts()
    utts, contexts = shape.row_ids(1).long(), contexts.long()
    streams.advance(joiner[utts, frame, contexts[:, 0], contexts[:, 1]])
streams.terminate_and_flush_to_streams()
lattice = streams.format_output(num_frames)
with LatticeWriter(sys.argv[3]) as lattices:
    print(lattices.write(["utt1", "utt2"], lattice))
"""


def best_scores(log_probs: NDArray[np.float32], num_frames: int) -> dict[str, float]:
    """The log-probability of each text's best alignment: a token or the blank in each frame.

    But for the last frame, which k2 spends on its graph's final arc.
    """
    best: dict[str, float] = {}
    for alignment in itertools.product(range(len(TOKENS)), repeat=num_frames - 1):
        before, last, score = 0, 0, 0.0
        for frame, token in enumerate(alignment):
            score += float(log_probs[frame, before, last, token])
            if token:
                before, last = last, token
        text = " ".join("".join(TOKENS[token] for token in alignment if token).replace("▁", " ").split())
        best[text] = max(score, best.get(text, -np.inf))
    return best


def test_lists_are_the_best_alignments_of_all_texts(tmp_path: Path) -> None:
    k2 = choose_backend("k2", k2_python=K2_PYTHON)
    if k2.name != "k2":
        pytest.skip(k2.reason)
    size = len(TOKENS)
    logits = np.random.default_rng(1).normal(scale=2, size=(2, 5, size, size, size))
    joiner = (logits - np.log(np.exp(logits).sum(-1, keepdims=True))).astype(np.float32)
    np.save(tmp_path / "joiner.npy", joiner)
    archive = tmp_path / "lat.1.gz"
    arguments = [str(LOCAL), str(tmp_path / "joiner.npy"), str(archive), " ".join(map(str, FRAMES.values()))]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(k2.python), "-c", ICEFALL, *arguments]
    said = subprocess.run(command, env=environment, capture_output=True, check=True, encoding="utf-8").stdout
    assert said == "[]\n"
    write_words(tmp_path / "tokens.txt", WordTable(dict(enumerate(TOKENS))))
    made = lists_from_lattices(read_lattices(archive, tmp_path / "tokens.txt"), PathSettings(num_hyps=5000))
    assert [one.utt for one in made.nbest] == list(FRAMES)
    for one, log_probs, num_frames in zip(made.nbest, joiner, FRAMES.values(), strict=True):
        expected = best_scores(log_probs, num_frames)
        found = {hyp.text: hyp.score for hyp in one.hypotheses}
        assert len(found) == len(one.hypotheses)
        assert found == pytest.approx(expected, abs=1e-3)
        assert all(hyp.parts and hyp.parts.lmonly == 0 for hyp in one.hypotheses)
