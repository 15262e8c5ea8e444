"""`tag`: the tags of the rescorers that a call of the recipe trains, so that the shell need not know the rule."""

import argparse

from lorescore.choices import OBJECTIVES, require_choice
from lorescore.cli.plm_options import add_plm_arguments, plm_settings, rescorer_tag


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    add_plm_arguments(parser)
    parser.add_argument("--lora", default="vanilla", help="strategies, separated by spaces")
    parser.add_argument("--objective", default="mwer", help=" ".join(OBJECTIVES))
    parser.add_argument("--seed", type=int, default=1, help="of the training")


def run(args: argparse.Namespace) -> None:
    """Print a tag a strategy."""
    require_choice("--objective", args.objective, OBJECTIVES)
    settings = plm_settings(args)
    tags = [rescorer_tag(settings, lora, args.objective, args.seed) for lora in args.lora.split()]
    for tag in tags:
        print(tag)
