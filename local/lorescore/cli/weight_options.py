"""The options of the verbs that are given weights of the combined score."""

import argparse
from pathlib import Path

from lorescore.combine import GIVE_TUNED, Weights, read_weights
from lorescore.errors import InputError
from lorescore.wer import WER


def add_weight_arguments(parser: argparse._ActionsContainer, default: str = "") -> None:
    """--weights, or --lm_weight and --word_bonus; `default` says in the help what holds without them."""
    parser.add_argument("--weights", type=Path, help=f"weights.yaml with lm_weight and word_bonus{default}")
    parser.add_argument("--lm_weight", type=float, help="weight of the PLM score, instead of --weights")
    parser.add_argument("--word_bonus", type=float, default=0.0, help="bonus a word, with --lm_weight")


def given_weights(args: argparse.Namespace, metric: str = WER) -> Weights | None:
    """The weights that the options name; None where they name none.

    Args:
        args: What the user gave.
        metric: What the bonus of --word_bonus counts.

    Raises:
        InputError: They name two or a bonus alone, the file cannot be used, or a weight is not finite or `lm_weight`
            negative.
    """
    if args.lm_weight is None and args.word_bonus:
        raise InputError("--word_bonus without --lm_weight", mend="give both, or a file with both: --weights")
    if args.lm_weight is None:
        return read_weights(args.weights) if args.weights else None
    if args.weights:
        raise InputError("--weights and --lm_weight", mend="give one of them")
    weights = Weights(args.lm_weight, args.word_bonus, metric)
    if not weights.are_usable():
        message = (
            f"--lm_weight {args.lm_weight} --word_bonus {args.word_bonus}, expected finite numbers, lm_weight >= 0"
        )
        raise InputError(message, mend=GIVE_TUNED)
    return weights
