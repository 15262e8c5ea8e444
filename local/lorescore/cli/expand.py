"""`expand`: stage 4 where it is asked for, homophone versions of the hypotheses join N-best directories.

For each directory `<set>` it writes `<out_dir>/<set>`, which may be the same one. The versions follow the first pass's
hypotheses, at their scores less a cost; the homophones are beside them, in the file `homophones`.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from lorescore.cli.import_nbest import wer_lines
from lorescore.cli.lexicon_options import add_lexicon_arguments, read_clean, read_pronunciations
from lorescore.nbest import write_nbest_dir
from lorescore.perturb.expansion import COST, NUM_VERSIONS, Expansion, word_counts
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
    sets = read_clean(args.nbest_dir, "expand the clean lists, and perturb these")
    # What a recogniser can put out is known from what it has put out, and not from what it should have.
    words = [replace(nbest, lists=tuple(one.first_pass for one in nbest), refs={}) for nbest in sets.values()]
    lexicon = read_pronunciations(args, words, [HOMOPHONE])
    expansion = Expansion(lexicon.homophones, word_counts(words), args.versions, args.cost)
    for name, nbest in sets.items():
        out_dir, expanded = args.out_dir / name, expansion.expand(nbest)
        write_nbest_dir(out_dir, expanded)
        expansion.write(out_dir)
        added = sum(one.added for one in expanded)
        counts = f"{len(nbest)} utterances, {expanded.num_hypotheses - added} hypotheses and {added} versions of them"
        print(f"{out_dir}: {counts}")
        for line in wer_lines(expanded) if nbest.refs else []:
            print(f"{out_dir}: {line}")
