#!/usr/bin/env python3
"""Train SentencePiece units and write ESPnet's token list (SentencePiece's PyPI package has no command line)."""

import argparse
import sys
from pathlib import Path

import sentencepiece

from lorescore.errors import InputError
from lorescore.files import atomic_write, read_table

OTHER_NUMBER = "local/asr_train.sh --nbpe N takes another number"


def main(argv: list[str] | None = None) -> int:
    """Train; the exit status: 0, or 1 for bad input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nbpe", type=int, default=300, help="number of units")
    parser.add_argument("text", type=Path, help="Kaldi text to train on")
    parser.add_argument("token_dir", type=Path, help="gets bpe.model, bpe.vocab and tokens.txt")
    args = parser.parse_args(argv)
    try:
        train(args.text, args.token_dir, args.nbpe)
    except InputError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


def train(text: Path, token_dir: Path, nbpe: int) -> None:
    """Write bpe.model, bpe.vocab and, last, tokens.txt.

    Raises:
        InputError: The text cannot be read, has no words, or does not make so many units.
    """
    sentences = [words for words in read_table(text).values() if words]
    if not sentences:
        raise InputError("no words, expected `utt words`", path=text, mend="stage 1 makes it")
    token_dir.mkdir(parents=True, exist_ok=True)
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_prefix=str(token_dir / "bpe"),
            vocab_size=nbpe,
            model_type="unigram",
            character_coverage=1.0,
            bos_id=-1,
            eos_id=-1,
            unk_id=0,
            num_threads=1,  # the units depend on the number of threads
            minloglevel=1,
        )
    except (RuntimeError, OSError) as error:
        said = str(error).rpartition("] ")[2]  # after a line of SentencePiece's own source
        raise InputError(f"SentencePiece makes no {nbpe} units of it: {said}", path=text, mend=OTHER_NUMBER) from error
    model = sentencepiece.SentencePieceProcessor(model_file=str(token_dir / "bpe.model"))
    pieces = [model.id_to_piece(index) for index in range(model.get_piece_size())]
    with atomic_write(token_dir / "tokens.txt") as file:
        # ESPnet's order: the CTC blank first, start/end of sentence last.
        for token in ["<blank>", "<unk>", *(piece for piece in pieces if piece != "<unk>"), "<sos/eos>"]:
            file.write(f"{token}\n")


if __name__ == "__main__":
    sys.exit(main())
