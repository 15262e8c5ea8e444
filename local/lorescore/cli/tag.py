"""`tag`: the tags of the rescorers that a call of the recipe trains, so that the shell need not know the rule."""

import argparse
from pathlib import Path

from lorescore.choices import OBJECTIVES, parse_numbers, require_choice
from lorescore.cli.plm_options import (
    add_plm_arguments,
    add_tag_arguments,
    is_frozen,
    plm_settings,
    read_strategy,
    rescorer_tag,
)
from lorescore.cli.train_options import read_training_settings
from lorescore.perturb import HomophoneLexicon
from lorescore.training.settings import TrainingSettings

NO_SEED = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    add_plm_arguments(parser)
    parser.add_argument("--lora", default="vanilla", help="strategies, separated by spaces")
    add_tag_arguments(parser)
    parser.add_argument("--seeds", default="", help="one training each, separated by spaces; empty: --seed")
    parser.add_argument("--perturb_train", default="", help="perturbed lists of the training: checked, not in the tag")
    parser.add_argument("--train_config", type=Path, help="settings of the training, for what it perturbs")
    parser.add_argument("--perturbations", default="", help="those of stage 8, which the lexicon is checked for")
    parser.add_argument("--pronunciations", type=Path, help="a lexicon: checked where there is something to perturb")
    parser.add_argument("--g2p", default="none", help="what pronounces words that it lacks: checked with it")
    parser.add_argument(
        "--trainings",
        action="store_true",
        help=f"tell the strategy and the seed behind each tag, with tabs between; what is not trained has {NO_SEED}",
    )


def run(args: argparse.Namespace) -> None:
    """Print a tag for each strategy and seed; a frozen PLM has no seed, and one tag."""
    require_choice("--objective", args.objective, OBJECTIVES)
    TrainingSettings(perturb_train=args.perturb_train)
    seeds = parse_numbers("--seeds", args.seeds, int) if args.seeds.split() else [args.seed]
    trainings: dict[str, tuple[str, str]] = {}
    for lora in args.lora.split():
        for seed in seeds:
            tag = rescorer_tag(args, lora, seed)
            read_strategy(args, lora)
            frozen = is_frozen(plm_settings(args, lora), lora)
            trainings.setdefault(tag, (lora, NO_SEED if frozen else str(seed)))
    if args.pronunciations:
        _check_lexicon(args, trains=any(seed != NO_SEED for _, seed in trainings.values()))
    for tag, (lora, seed) in trainings.items():
        print(f"{tag}\t{lora}\t{seed}" if args.trainings else tag)


def _check_lexicon(args: argparse.Namespace, *, trains: bool) -> None:
    """Check that the lexicon can be used for what stages 5 and 8 perturb, if they do.

    Raises:
        InputError: It cannot.
    """
    perturbations = args.perturbations.split()
    if trains:
        training = TrainingSettings(perturb_train=args.perturb_train)
        if args.train_config and not args.perturb_train:
            training = read_training_settings(args.train_config)
        perturbations += [one.perturbation for one in training.perturbations]
    if perturbations:
        lexicon = HomophoneLexicon.for_vocabulary((), args.pronunciations, args.g2p)
        lexicon.require_phones_for(perturbations, args.pronunciations)
