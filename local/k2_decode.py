#!/usr/bin/env python3
"""Lattices by k2: CTC log posteriors x HLG, in a process of its own, as k2's environment is often not the recipe's.

    k2_decode.py --compile GRAPH_DIR                    L_disambig.fst.txt and G.fst.txt -> HLG.k2.npz
    k2_decode.py --graph_dir GRAPH_DIR --scp CTC.scp --out LAT.gz

HLG is composed as by icefall's compile_hlg.py, with pushed costs, and searched by k2.intersect_dense_pruned. What is
written are the decoder's own lattices, one token an arc, not determinized, as Kaldi CompactLattice text: acoustic cost
unscaled, token ids those of tokens.txt (posterior column + 1). An utterance without a complete path is left out.

Runs on Python 3.9 with k2 1.23.4; imports nothing of this project but the module beside it.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from array import array
from pathlib import Path

import k2
import kaldiio
import numpy as np
import torch

from k2_lattices import OWN_NAME, LatticeWriter, lattice_lines

BACKOFF = "#0"
WIDER = 2.0  # factor on the beam where no path reached the end
MAX_TRIES = 4
MIN_ACTIVE_STATES = 30  # icefall's
MAX_ACTIVE_STATES = 1 << 20  # the beam alone limits the search, as in the other backend

Words = tuple[int, ...]
Arc = tuple[int, int, Words, float]  # target, label, words, score
Way = tuple[int, Words, float]  # by epsilon arcs: target, words, score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compile", type=Path, metavar="GRAPH_DIR", help="compose HLG and stop")
    parser.add_argument("--graph_dir", type=Path, help="graph directory")
    parser.add_argument("--scp", type=Path, help="Kaldi scp of log posteriors")
    parser.add_argument("--out", type=Path, help="archive to write, gzip")
    parser.add_argument("--acoustic_scale", type=float, default=2.0, help="weight of the acoustic cost")
    parser.add_argument("--beam", type=float, default=30.0, help="beam of the search")
    parser.add_argument("--lattice_beam", type=float, default=12.0, help="beam of the lattice")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    args = parser.parse_args()
    caller = os.getppid()
    # One thread, so that results and times do not depend on the number of jobs.
    torch.set_num_threads(1)
    if args.compile:
        save_graph(compile_graph(args.compile), args.compile / "HLG.k2.npz")
        return
    graph = load_graph(args.graph_dir / "HLG.k2.npz").to(args.device)
    left_out = 0
    # Level 1: these archives are read once and deleted.
    with LatticeWriter(args.out, compresslevel=1) as lattices:
        for utt, log_probs in kaldiio.load_scp_sequential(str(args.scp)):
            if os.getppid() != caller:  # it was killed, and nobody waits for the lattices
                sys.exit("the calling process has ended")
            lines = decode(graph, log_probs, args)
            print("decoded", utt, flush=True)
            left_out += not lines
            if lines:
                lattices.write_one(utt, lines)
    if left_out:
        print(f"{args.out}: {left_out} utterances without a complete path", file=sys.stderr)


def compile_graph(graph_dir: Path) -> k2.Fsa:
    """Compose HLG as k2 wants it: no epsilons, label 0 the blank, the words of an arc as a list."""
    tokens, words = (read_symbols(graph_dir / name) for name in ("tokens.txt", "words.txt"))
    first_token, first_word = tokens[BACKOFF] - 1, words[BACKOFF]
    lexicon, ngrams = (read_fst(graph_dir / name) for name in ("L_disambig.fst.txt", "G.fst.txt"))
    # tokens.txt has <eps> 0 and the blank 1; in k2 the blank is 0, and L has no blank to mistake for an epsilon.
    lexicon.labels[lexicon.labels > 0] -= 1
    lexicon.__dict__["_properties"] = None  # computed before the change
    graph = k2.connect(k2.compose(k2.arc_sort(lexicon), k2.arc_sort(ngrams)))
    # Costs as early as they can be, as in Kaldi's determinization; late ones, k2's default, need a beam of 30 for what
    # 20 finds so.
    graph = k2.connect(k2.determinize(graph, k2.DeterminizeWeightPushingType.kTropicalWeightPushing))
    graph.labels[graph.labels >= first_token] = 0
    graph.__dict__["_properties"] = None
    graph.aux_labels.values[graph.aux_labels.values >= first_word] = 0
    graph = k2.connect(without_epsilons(graph))
    graph = k2.compose(k2.ctc_topo(first_token - 1), k2.arc_sort(graph))
    return k2.arc_sort(k2.connect(graph))


def without_epsilons(graph: k2.Fsa) -> k2.Fsa:
    """The graph without epsilon arcs: an arc s -> t becomes one s -> u for each way by epsilons t -> u, by its words.

    k2.remove_epsilon keeps the best way alone, and with it one of several homophones before a back-off arc.
    """
    columns = graph.arcs.values()[:, :3].tolist(), graph.scores.tolist(), graph.aux_labels.tolist()
    epsilons: dict[int, list[Arc]] = {}
    others: dict[int, list[Arc]] = {}
    for (source, target, label), score, words in zip(*columns):  # noqa: B905 (Python 3.9)
        arc = (target, label, tuple(word for word in words if word > 0), score)
        (epsilons if label == 0 else others).setdefault(source, []).append(arc)
    ways: dict[int, list[Way]] = {}

    def ways_from(state: int) -> list[Way]:
        if state not in epsilons:
            return [(state, (), 0.0)]
        if state not in ways:
            # A state with epsilon arcs alone leads nowhere any more; to the final one there are none.
            ways[state] = [way for way in epsilon_ways(state, epsilons) if way[0] in others]
        return ways[state]

    ends, scores, word_ids, word_splits = array("i"), array("f"), array("i"), array("i", [0])
    for source in sorted(others.keys() | {0}):
        best: dict[tuple[int, int, Words], float] = {}
        for begun, before, first in ways_from(0) if source == 0 else [(source, (), 0.0)]:
            for target, label, words, score in others[begun]:
                for end, after, last in ways_from(target):
                    made = (end, label, before + words + after)
                    total = first + score + last
                    if total > best.get(made, -math.inf):
                        best[made] = total
        for (end, label, words), score in best.items():
            ends.extend((source, end, label))
            scores.append(score)
            word_ids.extend(words)
            word_splits.append(len(word_ids))
    arcs = np.column_stack((np.array(ends, np.int32).reshape(-1, 3), np.array(scores, np.float32).view(np.int32)))
    result = k2.Fsa(torch.from_numpy(arcs))
    result.aux_labels = ragged(np.array(word_ids, np.int32), np.array(word_splits, np.int32))
    return result


def epsilon_ways(start: int, epsilons: dict[int, list[Arc]]) -> list[Way]:
    """The best way by epsilon arcs to each state that these reach, for each sequence of words on the way."""
    best: dict[tuple[int, Words], float] = {(start, ()): 0.0}
    todo = list(best.items())
    while todo:
        (state, words), score = todo.pop()
        for target, _, more, step in epsilons.get(state, ()):
            reached = (target, words + more)
            if score + step > best.get(reached, -math.inf):
                best[reached] = score + step
                todo.append((reached, score + step))
    return [(state, words, score) for (state, words), score in best.items()]


def ragged(values: np.ndarray, splits: np.ndarray) -> k2.RaggedTensor:
    """Lists of numbers, one after the other in `values`; list n begins at splits[n]."""
    shape = k2.ragged.create_ragged_shape2(torch.from_numpy(splits), None, int(splits[-1]))
    return k2.RaggedTensor(shape, torch.from_numpy(values))


def read_symbols(path: Path) -> dict[str, int]:
    """The id of each symbol of a Kaldi symbol table."""
    lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return {symbol: int(number) for symbol, number in lines}


def read_fst(path: Path) -> k2.Fsa:
    """A transducer in OpenFst text."""
    return k2.Fsa.from_openfst(path.read_text(encoding="utf-8"), acceptor=False)


def save_graph(graph: k2.Fsa, path: Path) -> None:
    """Write a graph as plain arrays, not as torch.save's pickle; it appears when it is complete."""
    partial = path.with_name(f".{path.name}.{OWN_NAME}.npz")
    np.savez(
        partial,
        arcs=graph.arcs.values().numpy(),
        words=graph.aux_labels.values.numpy(),
        word_splits=graph.aux_labels.shape.row_splits(1).numpy(),
    )
    partial.replace(path)


def load_graph(path: Path) -> k2.Fsa:
    """Read what save_graph wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        graph = k2.Fsa(torch.from_numpy(arrays["arcs"]))
        graph.aux_labels = ragged(arrays["words"], arrays["word_splits"])
    graph.lm_scores = graph.scores.clone()
    return graph


def decode(graph: k2.Fsa, log_probs: np.ndarray, args: argparse.Namespace) -> list[str]:
    """The lattice of an utterance as lines of CompactLattice text; none where no path reaches the end."""
    scores = torch.tensor(log_probs, dtype=torch.float32, device=args.device)
    segments = torch.tensor([[0, 0, len(scores)]], dtype=torch.int32)
    beam = args.beam
    for _ in range(MAX_TRIES):
        dense = k2.DenseFsaVec(args.acoustic_scale * scores[None], segments)
        lattice = k2.intersect_dense_pruned(
            graph,
            dense,
            search_beam=beam,
            output_beam=args.lattice_beam,
            min_active_states=MIN_ACTIVE_STATES,
            max_active_states=MAX_ACTIVE_STATES,
            frame_idx_name="frame",
        )
        if lattice.num_arcs:
            lattice = lattice.to("cpu")
            # Of posteriors as they are, not scaled; the arcs to the final state are after the last frame and have none.
            frames = lattice.frame.clamp(max=len(log_probs) - 1)
            return list(lattice_lines(lattice, (-log_probs[frames, lattice.labels]).tolist()))
        beam *= WIDER
    return []


if __name__ == "__main__":
    main()
