#!/usr/bin/env python3
"""Stage 3: the decoding graph of an ESPnet model with CTC, of SentencePiece units or phones, or with a lexicon."""

import argparse
import logging
import sys
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import read_yaml
from lorescore.lattice.graph import make_graph

KNOWN_UNITS = ("bpe", "phn")  # token types of whose units the words' pronunciations are known


def main(argv: list[str] | None = None) -> int:
    """Make the graph; the exit status: 0, or 1 for bad input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--asr_exp", type=Path, required=True, help="ESPnet experiment: config.yaml, bpe.model")
    parser.add_argument("--text", type=Path, help="Kaldi text to estimate the n-gram model from")
    parser.add_argument("--arpa", type=Path, help="n-gram model, in place of a text")
    parser.add_argument("--word_list", type=Path, help="words besides those of the text, one a line")
    parser.add_argument("--lexicon", type=Path, help="Kaldi lexicon.txt or lexiconp.txt in the tokens of the model")
    parser.add_argument("--order", type=int, default=3, help="of the n-gram model")
    parser.add_argument("graph_dir", type=Path, help="output")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        config = read_yaml(args.asr_exp / "config.yaml")
        token_list, token_type = config.get("token_list"), config.get("token_type")
        if not isinstance(token_list, list) or (token_type not in KNOWN_UNITS and args.lexicon is None):
            raise InputError(
                f"token_type {token_type}, expected bpe or phn, and a token_list",
                path=args.asr_exp / "config.yaml",
                mend="give a lexicon in the model's own tokens with --lexicon, or use the beam search's N-best lists",
            )
        graph = make_graph(
            args.graph_dir,
            token_list=[str(token) for token in token_list],
            bpe_model=args.asr_exp / "bpe.model" if token_type == "bpe" else None,
            lexicon=args.lexicon,
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
        f"{args.graph_dir}: {counts['words']} words, {counts.get('pronunciations', counts['words'])} pronunciations, "
        f"HLG with {counts['hlg_states']} states, {counts['hlg_arcs']} arcs"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
