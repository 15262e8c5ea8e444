"""`expand`: stage 4 where it is asked for, homophone versions of the hypotheses join N-best directories.

For each directory `<set>` it writes `<out_dir>/<set>`, which may be the same one. The versions follow the first pass's
hypotheses, at their scores less a cost; the homophones are beside them, in the file `homophones`.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from lorescore.cli.import_nbest import wer_lines
from lorescore.cli.lexicon_options import add_lexicon_arguments, read_pronunciations
from lorescore.errors import InputError
from lorescore.nbest import NbestSet, read_nbest_dir, write_nbest_dir
from lorescore.perturb.expansion import COST, NUM_VERSIONS, Expansion, word_counts
from lorescore.perturb.sets import INFO_KEY as PERTURBATION
from lorescore.perturb.settings import HOMOPHONE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("--nbest_dir", type=Path, nargs="+", required=True, help="N-best directories to expand")
    parser.add_argument(
        "--versions",
        type=int,
        default=NUM_VERSIONS,
        help="versions of a hypothesis at most, those with the most frequent words first (default: %(default)s)",
    )
    parser.add_argument(
        "--cost",
        type=float,
        default=COST,
        help="how much lower a version's first-pass log score is for each replaced word (default: %(default)s)",
    )
    add_lexicon_arguments(parser, "the hypotheses of --nbest_dir, not their references")
    parser.add_argument("--out_dir", type=Path, required=True, help="it may be the folder that --nbest_dir are in")


def run(args: argparse.Namespace) -> None:
    """Read everything, check it, expand, write, and say what was added.

    Raises:
        InputError: A directory is unfinished or perturbed, two have one name, fewer than one version is asked for, the
            cost is negative, or a lexicon or vocabulary cannot be used.
    """
    sets = {nbest_dir: _read_clean(nbest_dir) for nbest_dir in args.nbest_dir}
    out_dirs = {nbest_dir: args.out_dir / nbest_dir.resolve().name for nbest_dir in sets}
    if len(set(out_dirs.values())) < len(sets):
        raise InputError("two sets of one name", path=args.out_dir, mend="expand them one by one")
    # What a recogniser can put out is known from what it has put out, and not from what it should have.
    words = [replace(nbest, lists=tuple(one.first_pass for one in nbest), refs={}) for nbest in sets.values()]
    lexicon = read_pronunciations(args, words, [HOMOPHONE])
    expansion = Expansion(lexicon.homophones, word_counts(words), args.versions, args.cost)
    for nbest_dir, nbest in sets.items():
        expanded = expansion.expand(nbest)
        write_nbest_dir(out_dirs[nbest_dir], expanded)
        expansion.write(out_dirs[nbest_dir])
        added = sum(one.added for one in expanded)
        counts = f"{len(nbest)} utterances, {expanded.num_hypotheses - added} hypotheses and {added} versions of them"
        print(f"{out_dirs[nbest_dir]}: {counts}")
        for line in wer_lines(expanded) if nbest.refs else []:
            print(f"{out_dirs[nbest_dir]}: {line}")


def _read_clean(nbest_dir: Path) -> NbestSet:
    nbest = read_nbest_dir(nbest_dir)
    if PERTURBATION in nbest.info:
        raise InputError("is perturbed", path=nbest_dir, mend="expand the clean lists, and perturb these")
    return nbest
