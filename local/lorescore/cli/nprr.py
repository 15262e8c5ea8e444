"""`nprr`: rescore the perturbed lists with the weights tuned on clean dev, and measure NPRR."""

import argparse
from pathlib import Path

import numpy as np

from lorescore.choices import parse_numbers, require_choice
from lorescore.cli.cache_options import add_cache_argument, cache_path
from lorescore.cli.progress import progress
from lorescore.cli.rescore import require_rescorers
from lorescore.cli.scoring_options import add_scoring_arguments, scoring_options
from lorescore.combine import ScoredLists, Weights, best_ranks, read_weights
from lorescore.errors import InputError
from lorescore.nbest import read_nbest_dir
from lorescore.nprr import Nprr, NprrRecord, nprr, write_records
from lorescore.perturb import KINDS, PERTURBATIONS, WORST, Perturbation
from lorescore.perturb.settings import HOMOPHONE
from lorescore.scoring.options import ScoringOptions
from lorescore.scoring.rescorer import Rescorer
from lorescore.scoring.sets import list_costs, score_nbest_dirs

FIRST_PASS_WEIGHTS = Weights(0.0, 0.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("--tags", required=True, help="rescorers of exp/plm, separated by spaces")
    parser.add_argument("--sets", required=True, help="sets of exp/nbest, separated by spaces")
    parser.add_argument("--perturbations", default=HOMOPHONE, help=f"of the lists: {' '.join(PERTURBATIONS)}")
    parser.add_argument("--kinds", default="1best nbest", help="kinds of perturbation")
    parser.add_argument("--rates", default="0.1 0.3", help="rates of perturbation")
    parser.add_argument("--seeds", default="1 2 3", help="seeds of perturbation")
    parser.add_argument("--exp_dir", type=Path, default=Path("exp"), help="what the stages wrote")
    add_cache_argument(parser)
    add_scoring_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """One rescorer after the other: score, choose, measure, write exp/nprr/<tag>.json."""
    tags = args.tags.split()
    settings = {tag: _settings(args, tag) for tag in tags}
    require_rescorers(tags, args.exp_dir / "plm")
    cache = cache_path(args.score_cache, args.exp_dir)
    options = scoring_options(args)
    for tag in tags:
        records = [
            record
            for name in args.sets.split()
            for record in _measure(tag, name, settings[tag], args.exp_dir, cache, options)
        ]
        write_records(args.exp_dir / "nprr" / f"{tag}.json", records)
        for record in records:
            print(f"{tag} {record.set} {record.lists} {record.rate:g}: NPRR {_text(record.nprr)}")


def _settings(args: argparse.Namespace, tag: str) -> list[list[Perturbation]]:
    """The perturbations of a rescorer's lists, by perturbation, kind and rate; in each group one a seed."""
    rates, seeds = parse_numbers("--rates", args.rates, float), parse_numbers("--seeds", args.seeds, int)
    for name in args.perturbations.split():
        require_choice("--perturbations", name, PERTURBATIONS)
    settings = [
        [Perturbation(kind, rate, seed, name, tag if name == WORST else "") for seed in seeds]
        for name in args.perturbations.split()
        for kind in args.kinds.split()
        for rate in rates
    ]
    if not settings:
        empty, words = ("--kinds", KINDS) if args.perturbations.split() else ("--perturbations", PERTURBATIONS)
        raise InputError(f"{empty} is empty", mend=f"give {' or '.join(words)}")
    return settings


def _measure(
    tag: str,
    name: str,
    settings: list[list[Perturbation]],
    exp_dir: Path,
    cache: Path | None,
    options: ScoringOptions,
) -> list[NprrRecord]:
    """NPRR of one rescorer on one set, for each perturbation, kind and rate."""
    clean_dir = exp_dir / "nbest" / name
    weights_path = exp_dir / "rescore" / tag / "weights.yaml"
    if not weights_path.is_file():
        raise InputError("no weights", path=weights_path, mend="stage 6 tunes them on dev: ./run.sh --stage 6")
    weights = read_weights(weights_path)
    perturbed_dirs = {one: exp_dir / "nbest" / f"{name}_{one.name}" for group in settings for one in group}
    for path in perturbed_dirs.values():
        if not (path / "nbest.yaml").is_file():
            raise InputError("no perturbed lists", path=path, mend="stage 8 makes them: ./run.sh --stage 8")
    if not read_nbest_dir(clean_dir).refs:
        raise InputError("no references, which NPRR needs", path=clean_dir / "text", mend="give stage 4 --ref")
    rescorer_dir = exp_dir / "plm" / tag
    score_nbest_dirs(
        lambda: Rescorer.load(rescorer_dir, options=options),
        rescorer_dir,
        [clean_dir, *perturbed_dirs.values()],
        progress(f"{tag} {name} perturbed"),
        cache_path=cache,
        options=options,
    )
    clean = _scored(clean_dir, tag)
    perturbed = {one: _scored(path, tag) for one, path in perturbed_dirs.items()}

    def measure(group: list[Perturbation], at: Weights) -> Nprr:
        rows = np.stack([_errors(perturbed[one], at) for one in group])
        return nprr(_errors(clean, at), rows, clean.ref_words)

    return [
        NprrRecord(
            tag=tag,
            set=name,
            kind=group[0].kind,
            rate=group[0].rate,
            seeds=tuple(one.seed for one in group),
            nprr=measure(group, weights),
            first_pass=measure(group, FIRST_PASS_WEIGHTS),
            perturbation=group[0].perturbation,
        )
        for group in settings
    ]


def _scored(nbest_dir: Path, tag: str) -> ScoredLists:
    """The lists of a directory with a rescorer's scores."""
    nbest = read_nbest_dir(nbest_dir)
    return ScoredLists.build(nbest, list_costs(nbest_dir, nbest, tag))


def _errors(lists: ScoredLists, weights: Weights) -> np.ndarray:
    """(U,) word errors of the hypotheses that the weights choose."""
    return lists.errors[lists.offsets[:-1] + best_ranks(lists, weights)]


def _text(value: Nprr) -> str:
    if value.value is None:
        return "undefined (clean WER is 0)"
    return f"{value.value:.2f} % [{value.low:.2f}, {value.high:.2f}]"
