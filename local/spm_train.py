#!/usr/bin/env python3
"""Train SentencePiece units and write ESPnet's token list (SentencePiece's PyPI package has no command line)."""

import argparse
from pathlib import Path

import sentencepiece

from lorescore.files import atomic_write, read_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nbpe", type=int, default=300, help="number of units")
    parser.add_argument("text", type=Path, help="Kaldi text to train on")
    parser.add_argument("token_dir", type=Path, help="gets bpe.model, bpe.vocab and tokens.txt")
    args = parser.parse_args()

    args.token_dir.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(read_table(args.text).values()),
        model_prefix=str(args.token_dir / "bpe"),
        vocab_size=args.nbpe,
        model_type="unigram",
        character_coverage=1.0,
        bos_id=-1,
        eos_id=-1,
        unk_id=0,
        num_threads=1,  # the units depend on the number of threads
        minloglevel=1,
    )
    model = sentencepiece.SentencePieceProcessor(model_file=str(args.token_dir / "bpe.model"))
    pieces = [model.id_to_piece(index) for index in range(model.get_piece_size())]
    with atomic_write(args.token_dir / "tokens.txt") as file:
        # ESPnet's order: the CTC blank first, start/end of sentence last.
        for token in ["<blank>", "<unk>", *(piece for piece in pieces if piece != "<unk>"), "<sos/eos>"]:
            file.write(f"{token}\n")


if __name__ == "__main__":
    main()
