"""`expand`: stage 4 where it is asked for, further hypotheses join the lists of N-best directories.

For each directory `<set>` it writes `<out_dir>/<set>`, which may be the same one. What is added follows the first
pass's hypotheses: homophone versions of them, at their scores less a cost, whose homophones are beside the lists in the
file `homophones`; with `--recombine` combinations of what they differ in, before these or instead of them.
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lorescore.cli.import_nbest import wer_lines
from lorescore.cli.lexicon_options import add_lexicon_arguments, read_clean, read_pronunciations
from lorescore.nbest import write_nbest_dir
from lorescore.nbest.recombine import Recombination
from lorescore.perturb.expansion import COST, NUM_VERSIONS, Expansion, word_counts
from lorescore.perturb.settings import HOMOPHONE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("--nbest_dir", type=Path, nargs="+", required=True, help="N-best directories to expand")
    parser.add_argument(
        "--versions",
        type=int,
        help="homophone versions of a hypothesis at most, those with the most frequent words first "
        f"(default: {NUM_VERSIONS}; with --recombine none)",
    )
    parser.add_argument(
        "--cost",
        type=float,
        default=COST,
        help="how much lower a version's first-pass log score is for each replaced word (default: %(default)s)",
    )
    parser.add_argument(
        "--recombine",
        type=int,
        metavar="N",
        help="combinations of what the hypotheses of a list differ in join it, until it has so many: 50",
    )
    add_lexicon_arguments(parser, "the hypotheses of --nbest_dir, not their references")
    parser.add_argument("--out_dir", type=Path, required=True, help="it may be the folder that --nbest_dir are in")


def run(args: argparse.Namespace) -> None:
    """Read everything, check it, expand, write, and say what was added.

    Raises:
        InputError: A directory is unfinished or perturbed, two have one name, nothing is to be added, the cost is
            negative, lists that are from lattices are to be recombined, or a lexicon or vocabulary cannot be used.
    """
    sets = read_clean(args.nbest_dir, "expand the clean lists, and perturb these")
    num_versions = args.versions
    if num_versions is None:
        num_versions = 0 if args.recombine else NUM_VERSIONS
    homophones: Mapping[str, tuple[str, ...]] = {}
    counts: Mapping[str, int] = {}
    if num_versions:
        # What a recogniser can put out is known from what it has put out, and not from what it should have.
        words = [replace(nbest, lists=tuple(one.first_pass for one in nbest), refs={}) for nbest in sets.values()]
        homophones, counts = read_pronunciations(args, words, [HOMOPHONE]).homophones, word_counts(words)
    for name, nbest in sets.items():
        recombination = None if args.recombine is None else Recombination(args.recombine, nbest.metric, nbest.cleaner)
        expansion = Expansion(homophones, counts, num_versions, args.cost, recombination)
        out_dir, expanded = args.out_dir / name, expansion.expand(nbest)
        write_nbest_dir(out_dir, expanded)
        expansion.write(out_dir)
        added = sum(one.added for one in expanded)
        hypotheses = f"{expanded.num_hypotheses - added} hypotheses and {added} added ones"
        print(f"{out_dir}: {len(nbest)} utterances, {hypotheses}")
        for line in wer_lines(expanded) if nbest.refs else []:
            print(f"{out_dir}: {line}")
