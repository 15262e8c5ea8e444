"""Options of the verbs that score lists: the numbers' type, quantisation, history merging; the part of several jobs."""

import argparse

from lorescore.scoring.options import ScoringOptions


def add_scoring_arguments(parser: argparse.ArgumentParser) -> None:
    """What `ScoringOptions` holds."""
    parser.add_argument("--dtype", default="auto", help="fp32, bf16, or auto: bf16 on a GPU that has it, else fp32")
    parser.add_argument("--quantize", default="", help="int8: 8-bit weights and activations, on a CPU")
    parser.add_argument(
        "--history",
        type=int,
        help="clm: hypotheses of a list share the scores of what follows so many equal tokens, where as many follow; "
        "left out: exact scores",
    )


def add_part_argument(parser: argparse.ArgumentParser) -> None:
    """--part, for `Part.parse`."""
    parser.add_argument(
        "--part",
        default="",
        help="2/4: score what the second of four jobs has to, into the score cache, and no more; a call without it "
        "goes on from there",
    )


def scoring_options(args: argparse.Namespace) -> ScoringOptions:
    """The options that a user gave.

    Raises:
        InputError: One is not valid.
    """
    return ScoringOptions(args.dtype, args.quantize, args.history)
