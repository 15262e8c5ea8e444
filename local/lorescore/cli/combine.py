"""`combine`: several rescorers as one, their PLM scores added with weights that are tuned together on dev.

The result stands where a rescorer does, in exp/plm/<name>: `rescore`, `nprr` and `--model` take it as one.
"""

import argparse
import re
from pathlib import Path

from lorescore.cli.cache_options import add_cache_argument, cache_path
from lorescore.cli.progress import progress
from lorescore.cli.rescore import require_rescorers
from lorescore.cli.scoring_options import add_scoring_arguments, scoring_options
from lorescore.combine import FIRST_PASS, ORACLE
from lorescore.decode import MBR
from lorescore.errors import InputError
from lorescore.nbest import read_nbest_dir
from lorescore.nbest.checks import require_refs
from lorescore.scoring.combination import combine_rescorers
from lorescore.scoring.directories import Scoring

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("--tags", required=True, help="rescorers of exp/plm, separated by spaces")
    parser.add_argument("--name", default="combined", help="of their combination: exp/plm/<name>")
    parser.add_argument("--dev", required=True, help="set of exp/nbest to tune the weights on")
    parser.add_argument("--exp_dir", type=Path, default=Path("exp"), help="what the stages wrote")
    add_cache_argument(parser)
    add_scoring_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Score dev with each rescorer, tune, write."""
    tags = list(dict.fromkeys(args.tags.split()))
    if len(tags) < 2:
        raise InputError(f"--tags {args.tags!r}, expected two rescorers or more", mend="name what is to be combined")
    if args.name in (FIRST_PASS, ORACLE) or not NAME.fullmatch(args.name) or args.name.endswith(f"_{MBR}"):
        raise InputError(
            f"--name {args.name!r} cannot name a rescorer", mend="give a word of its own, such as combined"
        )
    plm_root, dev_dir = args.exp_dir / "plm", args.exp_dir / "nbest" / args.dev
    require_rescorers(tags, plm_root)
    dev = read_nbest_dir(dev_dir)
    require_refs(dev, dev_dir, "to tune on")
    scoring = Scoring(scoring_options(args), cache_path(args.score_cache, args.exp_dir), progress)
    for tag in tags:
        scoring.score(plm_root / tag, {dev_dir: dev}, args.dev)
    members = combine_rescorers(plm_root / args.name, [plm_root / tag for tag in tags], dev_dir, dev)
    print(f"{plm_root / args.name}: {' + '.join(f'{one.weight:g} x {one.tag}' for one in members)}")
    for tag in tags:
        if tag not in [one.tag for one in members]:
            print(f"{plm_root / args.name}: {tag} has no weight, it is left out")
