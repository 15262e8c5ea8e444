#!/usr/bin/env python3
"""Stage 3: the decoding graph of an ESPnet model with CTC and SentencePiece units."""

import argparse
import logging
import sys
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import read_yaml
from lorescore.lattice.graph import make_graph


def main(argv: list[str] | None = None) -> int:
    """Make the graph; the exit status: 0, or 1 for bad input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--asr_exp", type=Path, required=True, help="ESPnet experiment: config.yaml and bpe.model")
    parser.add_argument("--text", type=Path, help="Kaldi text to estimate the n-gram model from")
    parser.add_argument("--arpa", type=Path, help="n-gram model, in place of a text")
    parser.add_argument("--word_list", type=Path, help="words besides those of the text, one a line")
    parser.add_argument("--order", type=int, default=3, help="of the n-gram model")
    parser.add_argument("graph_dir", type=Path, help="output")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        config = read_yaml(args.asr_exp / "config.yaml")
        token_list = config.get("token_list")
        if not isinstance(token_list, list) or config.get("token_type") != "bpe":
            raise InputError(
                "expected token_type bpe and a token_list: the lexicon is made of SentencePiece units",
                path=args.asr_exp / "config.yaml",
                mend="use the beam search's N-best lists",
            )
        graph = make_graph(
            args.graph_dir,
            bpe_model=args.asr_exp / "bpe.model",
            token_list=[str(token) for token in token_list],
            text=args.text,
            arpa=args.arpa,
            word_list=args.word_list,
            order=args.order,
        )
    except InputError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    counts = read_yaml(graph.directory / "graph.yaml")
    print(
        f"{args.graph_dir}: {counts['words']} words, HLG with {counts['hlg_states']} states, {counts['hlg_arcs']} arcs"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
