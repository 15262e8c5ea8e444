"""Options that the verbs that perturb lists share: the vocabulary of the replacements, and how its words sound."""

import argparse
import logging
from collections.abc import Collection, Iterable
from pathlib import Path

from lorescore.errors import InputError
from lorescore.nbest import NbestSet, read_nbest_dir
from lorescore.perturb import G2PS, HomophoneLexicon, nbest_vocabulary, read_vocabulary
from lorescore.perturb.sets import INFO_KEY
from lorescore.perturb.settings import NEAR, SPLIT
from lorescore.perturb.vocabulary import require_spaces

logger = logging.getLogger(__name__)


def add_lexicon_arguments(parser: argparse.ArgumentParser, default_sets: str) -> None:
    """--vocab or --vocab_from, --pronunciations, --g2p; `default_sets` are the options whose words are the default."""
    vocab = parser.add_mutually_exclusive_group()
    vocab.add_argument("--vocab", type=Path, help="vocabulary: a file with one word a line, or Kaldi's words.txt")
    vocab.add_argument(
        "--vocab_from",
        type=Path,
        nargs="+",
        metavar="DIR",
        help=f"N-best directories whose words, in hypotheses and references, are the vocabulary "
        f"(default: {default_sets})",
    )
    parser.add_argument(
        "--pronunciations",
        "--lexicon",
        dest="lexicon",
        type=Path,
        help="pronunciations: a Kaldi lexicon.txt in any phone set; near and --g2p need CMUdict's (default: CMUdict)",
    )
    parser.add_argument(
        "--g2p",
        default="none",
        help=f"what pronounces words that the dictionary lacks, {' or '.join(G2PS)} (default: %(default)s)",
    )


def read_clean(nbest_dirs: Iterable[Path], mend: str) -> dict[str, NbestSet]:
    """The sets of some N-best directories by name, in their order.

    Args:
        nbest_dirs: The directories.
        mend: What to do where one of them is perturbed.

    Raises:
        InputError: A directory cannot be used or is perturbed already, or two have one name.
    """
    clean: dict[str, NbestSet] = {}
    for nbest_dir in nbest_dirs:
        nbest = read_nbest_dir(nbest_dir)
        if INFO_KEY in nbest.info:
            raise InputError("is perturbed already", path=nbest_dir, mend=mend)
        name = nbest_dir.resolve().name
        if name in clean:
            raise InputError(f"a second set with the name {name}", path=nbest_dir, mend="take them one by one")
        clean[name] = nbest
    return clean


def read_pronunciations(
    args: argparse.Namespace, sets: Iterable[NbestSet], perturbations: Collection[str]
) -> HomophoneLexicon:
    """The homophones of the vocabulary that `--vocab` or `--vocab_from` names, else of the words of `sets`.

    Where there are none and a perturbation needs them, that is said.

    Raises:
        InputError: A lexicon, vocabulary or N-best directory that cannot be used, texts without spaces, or phones that
            a perturbation or the g2p does not know.
    """
    sets = list(sets)
    require_spaces(sets)
    if args.vocab:
        vocab = read_vocabulary(args.vocab)
    elif args.vocab_from:
        vocab = nbest_vocabulary(read_nbest_dir(nbest_dir) for nbest_dir in args.vocab_from)
    else:
        vocab = nbest_vocabulary(sets)
    lexicon = HomophoneLexicon.for_vocabulary(vocab, args.lexicon, args.g2p)
    lexicon.require_phones_for(perturbations, args.lexicon)
    if lexicon.other_phone:
        logger.info(
            "%s: phones of another set than CMUdict's, such as %s: taken as they are", args.lexicon, lexicon.other_phone
        )
    if not lexicon.homophones and not {NEAR, SPLIT}.issuperset(perturbations):
        logger.warning(
            "no homophones among the %d words of the vocabulary, %d of which %s pronounces: "
            "the perturbed lists are the clean ones",
            len(vocab),
            len(lexicon.pronunciations),
            args.lexicon or "CMUdict",
        )
    return lexicon
