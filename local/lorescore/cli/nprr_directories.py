"""`nprr --clean`: NPRR of any N-best directories and cost files, without the recipe's directories.

Perturbed directories that differ in their seed alone are one group. The kind, the rate and the seed of one stand in its
nbest.yaml, or else in its name (`<clean>_<kind>_p<rate>_s<seed>`); one without them is a group of its own. --out_dir
gets nprr.md, nprr.json and nprr.png.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from lorescore.cli.weight_options import add_weight_arguments, given_weights
from lorescore.combine import Weights
from lorescore.errors import InputError
from lorescore.files import atomic_write
from lorescore.nbest.info import INFO, read_info
from lorescore.nprr.directories import measure_directories, write_result
from lorescore.wer.units import require_metric

DIRECTORY_OPTIONS = ("costs", "weights", "lm_weight", "word_bonus", "out_dir")


def add_directory_arguments(parser: argparse.ArgumentParser) -> None:
    """The options beside those of stage 9."""
    one = parser.add_argument_group("any N-best directories, instead of --tags and --sets")
    one.add_argument("--clean", type=Path, metavar="DIR", help="clean N-best directory, with references")
    one.add_argument(
        "--perturbed", type=Path, nargs="+", metavar="DIR", help="perturbed versions of it: the same utterances"
    )
    one.add_argument(
        "--costs",
        default="",
        metavar="NAME",
        help="the scorer: each directory has its costs in lmwt.NAME; left out: the first pass alone",
    )
    add_weight_arguments(one)
    one.add_argument("--out_dir", type=Path, help="where nprr.md, nprr.json and nprr.png go; left out: print alone")


def run_directories(args: argparse.Namespace) -> None:
    """Measure, print the tables and write the files.

    Raises:
        InputError: A directory, a cost file or a weight cannot be used.
    """
    weights = _weights(args)
    result = measure_directories(args.clean, args.perturbed, args.costs, weights)

    from lorescore.report.directories import directories_figure, directories_markdown  # imports matplotlib
    from lorescore.report.style import drawing, save_png

    print(directories_markdown(result), end="")
    if args.out_dir is None:
        return
    with atomic_write(args.out_dir / "nprr.md") as file:
        file.write(directories_markdown(result, with_legends=True))
    write_result(args.out_dir / "nprr.json", result)
    with drawing():
        save_png(directories_figure(result), args.out_dir / "nprr.png")
    print()
    for name in ("nprr.md", "nprr.json", "nprr.png"):
        print(args.out_dir / name)


def _weights(args: argparse.Namespace) -> Weights:
    """The weights of the combined score; without costs, those of the first pass alone."""
    weights = given_weights(args)
    if not args.costs:
        if weights is not None:
            raise InputError("weights without --costs", mend="--costs NAME: the costs are in the files lmwt.NAME")
        return Weights()
    if weights is None:
        raise InputError("--costs without weights", mend="--weights FILE, or --lm_weight X and --word_bonus Y")
    if args.lm_weight is None:
        return weights
    return replace(weights, metric=require_metric(read_info(args.clean), args.clean / INFO))
