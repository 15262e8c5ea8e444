"""`perturb`: stage 8, homophone perturbations of N-best directories.

For each clean directory `<set>`, kind, rate and seed it writes `<out_dir>/<set>_<kind>_p<rate>_s<seed>`; the lexicon
goes to `<lexicon_dir>/{lexicon,homophones}.txt`.
"""

import argparse
import itertools
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lorescore.choices import parse_numbers
from lorescore.errors import InputError
from lorescore.files import read_yaml
from lorescore.nbest import NbestSet, read_nbest_dir, write_nbest_dir
from lorescore.nbest.directory import content_checksum
from lorescore.perturb import (
    HomophoneLexicon,
    Perturbation,
    is_up_to_date,
    nbest_vocabulary,
    perturb,
    read_vocabulary,
)

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument("--nbest_dir", type=Path, nargs="+", required=True, help="clean N-best directories to perturb")
    parser.add_argument(
        "--kinds",
        default="1best nbest",
        help="1best: the rank-1 hypothesis alone; nbest: every hypothesis (default: '%(default)s')",
    )
    parser.add_argument(
        "--rates",
        default="0.1 0.3",
        help="chances, 0 to 1, that a replaceable word is replaced (default: '%(default)s')",
    )
    parser.add_argument("--seeds", default="1 2 3", help="one perturbation each (default: '%(default)s')")
    vocab = parser.add_mutually_exclusive_group()
    vocab.add_argument("--vocab", type=Path, help="vocabulary: a file with one word a line, or Kaldi's words.txt")
    vocab.add_argument(
        "--vocab_from",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="N-best directories whose words, in hypotheses and references, are the vocabulary (default: --nbest_dir)",
    )
    parser.add_argument("--out_dir", type=Path, default=Path("exp/nbest"), help="(default: %(default)s)")
    parser.add_argument("--lexicon_dir", type=Path, default=Path("exp/lexicon"), help="(default: %(default)s)")


def run(args: argparse.Namespace) -> None:
    """Write every perturbed directory that is not there yet, and print one line for each.

    Raises:
        InputError: A kind, rate or seed that does not exist, or a directory that is unfinished or perturbed already.
    """
    settings = _settings(args.kinds, args.rates, args.seeds)
    clean = _read_clean(args.nbest_dir)
    lexicon = _lexicon(args, clean)
    lexicon.write(args.lexicon_dir)
    for set_name, nbest in clean.items():
        for one in settings:
            out_dir = args.out_dir / f"{set_name}_{one.name}"
            made = _finished(out_dir, nbest, lexicon, one)
            info = made or _write(out_dir, nbest, lexicon, one)
            print(f"{out_dir}: {_summary(info['perturbation'])}{' (was there)' if made else ''}", flush=True)


def _settings(kinds: str, rates: str, seeds: str) -> list[Perturbation]:
    """Every combination, once."""
    numbers = parse_numbers("--rates", rates, float), parse_numbers("--seeds", seeds, int)
    combinations = itertools.product(kinds.split(), *numbers)
    settings = list(dict.fromkeys(Perturbation(kind, rate, seed) for kind, rate, seed in combinations))
    if not settings:
        raise InputError("nothing to perturb", mend="give at least one word each to --kinds, --rates and --seeds")
    return settings


def _read_clean(nbest_dirs: Iterable[Path]) -> dict[str, NbestSet]:
    """The clean sets by name."""
    clean: dict[str, NbestSet] = {}
    for nbest_dir in nbest_dirs:
        nbest = read_nbest_dir(nbest_dir)
        if "perturbation" in nbest.info:
            raise InputError("is perturbed already", path=nbest_dir, mend="give the clean N-best directory")
        name = nbest_dir.resolve().name
        if name in clean:
            raise InputError(f"a second set with the name {name}", path=nbest_dir, mend="perturb them one by one")
        clean[name] = nbest
    return clean


def _lexicon(args: argparse.Namespace, clean: Mapping[str, NbestSet]) -> HomophoneLexicon:
    """The homophones of the vocabulary that `--vocab` or `--vocab_from` names, else of the clean sets' words."""
    if args.vocab:
        vocab = read_vocabulary(args.vocab)
    elif args.vocab_from:
        vocab = nbest_vocabulary(read_nbest_dir(nbest_dir) for nbest_dir in args.vocab_from)
    else:
        vocab = nbest_vocabulary(clean.values())
    lexicon = HomophoneLexicon.from_cmudict(vocab)
    if not lexicon.homophones:
        logger.warning(
            "no homophones among the %d words of the vocabulary, %d of which CMUdict pronounces: "
            "the perturbed lists are the clean ones",
            len(vocab),
            len(lexicon.pronunciations),
        )
    return lexicon


def _finished(
    out_dir: Path, nbest: NbestSet, lexicon: HomophoneLexicon, settings: Perturbation
) -> dict[str, Any] | None:
    """What `nbest.yaml` says where the directory is complete and is what would be written, else None."""
    if not (out_dir / "nbest.yaml").is_file():
        return None
    info = read_yaml(out_dir / "nbest.yaml")
    complete = info.get("checksum") == content_checksum(out_dir)
    return info if complete and is_up_to_date(info, nbest, lexicon, settings) else None


def _write(out_dir: Path, nbest: NbestSet, lexicon: HomophoneLexicon, settings: Perturbation) -> Mapping[str, Any]:
    """Perturb, write, and give back what `nbest.yaml` says."""
    perturbed, _ = perturb(nbest, lexicon, settings)
    # Scores of the lists that stood there before; write_nbest_dir removes the rest.
    for stale in out_dir.glob("lmwt.*"):
        stale.unlink(missing_ok=True)
    write_nbest_dir(out_dir, perturbed)
    return perturbed.info


def _summary(counts: Mapping[str, Any]) -> str:
    """The shares replaceable and replaced, in words."""
    replaceable = 100 * counts["replaceable"] / max(1, counts["words"])
    replaced = 100 * counts["replaced"] / max(1, counts["words"])
    return (
        f"{counts['words']} words, {replaceable:.1f} % replaceable, {replaced:.1f} % replaced, "
        f"{counts['hypotheses_changed']} of {counts['hypotheses']} hypotheses changed"
    )
