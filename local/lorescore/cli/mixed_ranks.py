"""`ranks`: an adapter of mixed-rank training, cut to each of its ranks, on dev and further sets."""

import argparse
from pathlib import Path

from lorescore.choices import parse_numbers
from lorescore.cli.progress import progress
from lorescore.cli.rescore import require_rescorers
from lorescore.cli.scoring_options import add_scoring_arguments, scoring_options
from lorescore.errors import InputError
from lorescore.nbest import read_nbest_dir
from lorescore.nbest.checks import require_refs
from lorescore.scoring.ranks import RANKS_FILE, score_ranks
from lorescore.scoring.stored import read_config, require_nested_ranks

ALL = "all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("--tags", required=True, help="rescorers of exp/plm that mixed trained, separated by spaces")
    parser.add_argument("--ranks", default=ALL, help="ranks, separated by spaces, or all: from 1 to the adapter's")
    parser.add_argument("--dev", required=True, help="set of exp/nbest to tune the weights on, for each rank anew")
    parser.add_argument("--sets", default="", help="further sets of exp/nbest, separated by spaces")
    parser.add_argument("--exp_dir", type=Path, default=Path("exp"), help="what the stages wrote")
    add_scoring_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """One rescorer after the other; the ranks that are done are left as they are."""
    tags = args.tags.split()
    options = scoring_options(args)
    require_rescorers(tags, args.exp_dir / "plm")
    ranks = {tag: _ranks(args.exp_dir / "plm" / tag, args.ranks) for tag in tags}
    names = [args.dev, *(name for name in args.sets.split() if name != args.dev)]
    sets = {name: read_nbest_dir(args.exp_dir / "nbest" / name) for name in names}
    require_refs(sets[args.dev], args.exp_dir / "nbest" / args.dev, "to tune on")
    for name in [name for name, nbest in sets.items() if not nbest.refs]:
        print(f"{name}: left out, there are no references to score with")
        del sets[name]
    for tag in tags:
        path = args.exp_dir / "rescore" / tag / RANKS_FILE
        curve = score_ranks(args.exp_dir / "plm" / tag, ranks[tag], sets, args.dev, path, options, progress)
        for one in curve.scores:
            wers = ", ".join(f"{name} {value:.2f}" for name, value in one.wers.items())
            print(f"{path}: rank {one.rank}: WER {wers}")


def _ranks(rescorer_dir: Path, given: str) -> list[int]:
    """The ranks to score.

    Raises:
        InputError: The rescorer's ranks are not nested, or it has not that many.
    """
    config = read_config(rescorer_dir)
    require_nested_ranks(config, rescorer_dir)
    strategy = config["strategy"]
    if given == ALL:
        return list(range(1, int(strategy["rank"]) + 1))
    ranks = parse_numbers("--ranks", given, int)
    for rank in ranks:
        if not 1 <= rank <= strategy["rank"]:
            raise InputError(f"--ranks {rank}, expected 1 to {strategy['rank']}", path=rescorer_dir)
    return ranks
