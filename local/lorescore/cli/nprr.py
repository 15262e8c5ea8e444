"""`nprr`: how much of its WER a rescorer loses on perturbed lists. One of two things:

--tags ... --sets ...              stage 9: rescore the perturbed lists of exp/nbest and measure, see nprr_stage.py
--clean DIR --perturbed DIR ...    any N-best directories and cost files, nothing is scored, see nprr_directories.py
"""

import argparse
from pathlib import Path

from lorescore.choices import FROZEN
from lorescore.cli.cache_options import add_cache_argument
from lorescore.cli.nprr_directories import DIRECTORY_OPTIONS, add_directory_arguments, run_directories
from lorescore.cli.nprr_stage import run_stage
from lorescore.cli.scoring_options import add_part_argument, add_scoring_arguments
from lorescore.cli.uses import refuse_options
from lorescore.errors import InputError
from lorescore.perturb import PERTURBATIONS
from lorescore.perturb.settings import HOMOPHONE

TWO_USES = "stage 9: --tags and --sets; any N-best directories: --clean and --perturbed"
STAGE_OPTIONS = ("reference", "perturbations", "kinds", "rates", "seeds", "part")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of both."""
    add_stage_arguments(parser)
    add_directory_arguments(parser)


def add_stage_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of stage 9."""
    parser.add_argument("--tags", default="", help="rescorers of exp/plm, separated by spaces")
    parser.add_argument("--sets", default="", help="sets of exp/nbest, separated by spaces")
    parser.add_argument("--perturbations", default=HOMOPHONE, help=f"of the lists: {' '.join(PERTURBATIONS)}")
    parser.add_argument("--kinds", default="1best nbest", help="kinds of perturbation")
    parser.add_argument("--rates", default="0.1 0.3", help="rates of perturbation")
    parser.add_argument("--seeds", default="1 2 3", help="seeds of perturbation")
    parser.add_argument(
        "--reference",
        default="",
        help=f"tag that the others are compared with, of --tags or measured before; left out: the first of strategy "
        f"{FROZEN}, of --tags or else measured before; where there is none, the first of --tags",
    )
    parser.add_argument("--exp_dir", type=Path, default=Path("exp"), help="what the stages wrote")
    add_cache_argument(parser)
    add_scoring_arguments(parser)
    add_part_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Measure what the options name.

    Raises:
        InputError: They name both things or none of them, or something cannot be used.
    """
    stage = {"--tags": args.tags, "--sets": args.sets}
    directories = {"--clean": args.clean, "--perturbed": args.perturbed}
    named = [option for option, value in (stage | directories).items() if value]
    if not named:
        raise InputError("nothing to measure", mend=TWO_USES)
    if {*named} & {*stage} and {*named} & {*directories}:
        raise InputError(f"{' and '.join(named)} do not go together", mend=TWO_USES)
    wanted = stage if {*named} & {*stage} else directories
    missing = [option for option in wanted if option not in named]
    if missing:
        raise InputError(f"{named[0]} without {missing[0]}", mend=TWO_USES)
    of_other_use = STAGE_OPTIONS if wanted is directories else DIRECTORY_OPTIONS
    refuse_options(args, of_other_use, add_arguments, named[0], TWO_USES)
    if wanted is stage:
        run_stage(args)
    else:
        run_directories(args)
