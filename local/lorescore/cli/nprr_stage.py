"""`nprr --tags`: stage 9, rescore the perturbed lists with the weights tuned on clean dev, and measure NPRR.

exp/nprr/<tag>.json      NPRR, the area under its curve, the losses, and the differences to the reference model
exp/nprr/<tag>.errors    the word errors of each utterance, with which any two models can be compared
"""

import argparse
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lorescore.choices import FROZEN, parse_numbers, require_choice
from lorescore.cli.cache_options import cache_path
from lorescore.cli.progress import progress
from lorescore.cli.rescore import require_rescorers
from lorescore.cli.scoring_options import scoring_options
from lorescore.combine import ScoredLists, Weights, read_weights
from lorescore.errors import InputError
from lorescore.nbest import NbestSet, list_costs, read_nbest_dir
from lorescore.nbest.checks import require_refs
from lorescore.nbest.info import INFO
from lorescore.nprr import (
    AreaRecord,
    ListErrors,
    Nprr,
    NprrRecord,
    read_word_errors,
    write_records,
    write_word_errors,
)
from lorescore.nprr.conditions import Condition, MeasuredSet, mismatch, records_of, with_differences, word_errors_of
from lorescore.nprr.earlier import read_earlier
from lorescore.nprr.groups import FOR_NPRR, require_one_curve, require_versions
from lorescore.nprr.stored import SUFFIX
from lorescore.perturb import KINDS, PERTURBATIONS
from lorescore.rounding import rounded
from lorescore.scoring.directories import Scoring
from lorescore.scoring.options import ScoringOptions, default_device
from lorescore.scoring.part import WHOLE, Part
from lorescore.scoring.sets import rescorer_checksum
from lorescore.scoring.stored import WEIGHTS_FILE, is_finished, read_config, require_tuned_for
from lorescore.stamp import Stamp
from lorescore.wer.resampling import Estimate

logger = logging.getLogger(__name__)

MEND_LISTS = "stage 8 makes them: ./run.sh --stage 8"


def run_stage(args: argparse.Namespace) -> None:
    """One rescorer after the other, the reference first: score, choose, measure, write.

    Raises:
        InputError: A rescorer, its weights, lists or an option cannot be used.
    """
    tags = list(dict.fromkeys(args.tags.split()))
    conditions = _conditions(args, tags)
    require_rescorers(tags, args.exp_dir / "plm")
    weights = {tag: _weights(args.exp_dir, tag) for tag in tags}
    reference = _reference(args.reference, tags, args.exp_dir)
    known = {} if reference in tags else {reference: read_word_errors(_errors_path(args.exp_dir, reference))}
    part = Part.parse(args.part)
    scoring = Scoring(scoring_options(args), cache_path(args.score_cache, args.exp_dir), progress, part)
    names = list(dict.fromkeys(args.sets.split()))
    if part != WHOLE:
        for tag in tags:
            for name in names:
                _score(tag, name, conditions, args.exp_dir, scoring)
        return
    for tag in sorted(tags, key=lambda tag: tag != reference):
        sets = {name: _measure(tag, name, weights[tag], conditions, args.exp_dir, scoring) for name in names}
        nprr_dir = args.exp_dir / "nprr"
        stamp = Stamp(nprr_dir / f".{tag}.stamp", _made_from(args.exp_dir / "plm" / tag, weights[tag], scoring.options))
        earlier = read_earlier(nprr_dir, tag, stamp.is_current(), conditions, args.exp_dir / "nbest")
        known[tag] = earlier.word_errors | word_errors_of(list(sets.values()))
        records: list[NprrRecord] = []
        areas: list[AreaRecord] = []
        for one in conditions:
            found = records_of(tag, one, sets[one.set])
            pair = (known[tag], known[reference])
            if reason := mismatch(one, (tag, reference), pair):
                logger.warning("no difference to the reference model: %s; measure both again", reason)
            else:
                found = with_differences(*found, one, (tag, reference), pair)
            records += found[0]
            areas += found[1]
        stamp.remove()
        write_word_errors(_errors_path(args.exp_dir, tag), known[tag])
        write_records(nprr_dir / f"{tag}.json", [*earlier.records, *records], [*earlier.areas, *areas])
        stamp.write()
        _print(records, areas)


def _made_from(rescorer_dir: Path, weights: Weights, options: ScoringOptions) -> str:
    """What decides which hypothesis of a list is chosen."""
    return f"{rescorer_checksum(rescorer_dir)}\n{options.describe(default_device())}\n{weights}"


def _conditions(args: argparse.Namespace, tags: Iterable[str]) -> list[Condition]:
    """Set by set the perturbations and kinds, each with all rates and seeds."""
    rates = tuple(dict.fromkeys(parse_numbers("--rates", args.rates, float)))
    seeds = tuple(dict.fromkeys(parse_numbers("--seeds", args.seeds, int)))
    for name in args.perturbations.split():
        require_choice("--perturbations", name, PERTURBATIONS)
    conditions = [
        Condition(set_name, name, kind, rates, seeds)
        for set_name in dict.fromkeys(args.sets.split())
        for name in dict.fromkeys(args.perturbations.split())
        for kind in dict.fromkeys(args.kinds.split())
    ]
    if not conditions:
        empty, words = ("--kinds", KINDS) if args.perturbations.split() else ("--perturbations", PERTURBATIONS)
        raise InputError(f"{empty} is empty", mend=f"give {' or '.join(words)}")
    for one in conditions:
        for tag in tags:
            one.names(tag)  # refuses kinds, rates and seeds that do not exist
    return conditions


def _errors_path(exp_dir: Path, tag: str) -> Path:
    return exp_dir / "nprr" / f"{tag}{SUFFIX}"


def _reference(named: str, tags: Sequence[str], exp_dir: Path) -> str:
    """The tag that the others are compared with."""
    measured = [path.name.removesuffix(SUFFIX) for path in sorted((exp_dir / "nprr").glob(f"[!.]*{SUFFIX}"))]
    if named:
        if named not in {*tags, *measured}:
            message = f"--reference {named} was not measured"
            raise InputError(
                message, path=_errors_path(exp_dir, named), mend="name it in --tags too, or measure it first"
            )
        return named
    frozen = [tag for tag in [*tags, *measured] if _strategy(exp_dir / "plm" / tag) == FROZEN]
    return frozen[0] if frozen else tags[0]


def _strategy(rescorer_dir: Path) -> str:
    """A rescorer's strategy; empty where it is not known."""
    strategy = read_config(rescorer_dir).get("strategy") if is_finished(rescorer_dir) else None
    return str(strategy.get("name", "")) if isinstance(strategy, dict) else ""


def _weights(exp_dir: Path, tag: str) -> Weights:
    """The weights that stage 6 tuned for a rescorer."""
    path, rescorer_dir = exp_dir / "rescore" / tag / WEIGHTS_FILE, exp_dir / "plm" / tag
    if not path.is_file():
        raise InputError("no weights", path=path, mend="stage 6 tunes them on dev: ./run.sh --stage 6")
    require_tuned_for(path, rescorer_dir)
    return read_weights(path)


def _measure(
    tag: str, set_name: str, weights: Weights, conditions: Sequence[Condition], exp_dir: Path, scoring: Scoring
) -> MeasuredSet:
    """Score the clean and the perturbed lists of a set, and count the errors of what is chosen."""
    nbest_dirs, sets = _score(tag, set_name, conditions, exp_dir, scoring)
    clean = sets[nbest_dirs[set_name]]
    errors: dict[str, ListErrors] = {}
    checksums: dict[str, str] = {}
    for name, path in nbest_dirs.items():
        nbest = replace(sets[path], refs=clean.refs)  # which perturbed lists may lack
        lists = ScoredLists.build(nbest, list_costs(path, nbest, tag))
        errors[name], checksums[name] = ListErrors.count(lists, weights), nbest.info["checksum"]
    return MeasuredSet(errors, checksums, lists.ref_words, clean.metric)  # the same in all of them


def _score(
    tag: str, set_name: str, conditions: Sequence[Condition], exp_dir: Path, scoring: Scoring
) -> tuple[dict[str, Path], dict[Path, NbestSet]]:
    """Score the clean and the perturbed lists of a set: their directories by name, and the lists by directory.

    Raises:
        InputError: The clean lists have no references, or perturbed ones are missing, were not made from them or not
            with one vocabulary.
    """
    curves = [sum(one.names(tag).values(), []) for one in conditions if one.set == set_name]
    names = sum(curves, [])
    nbest_dirs = {name: exp_dir / "nbest" / name for name in [set_name, *names]}
    for name in names:
        if not (nbest_dirs[name] / INFO).is_file():
            raise InputError("no perturbed lists", path=nbest_dirs[name], mend=MEND_LISTS)
    clean = read_nbest_dir(nbest_dirs[set_name])
    require_refs(clean, nbest_dirs[set_name], FOR_NPRR)
    sets = {path: clean if name == set_name else read_nbest_dir(path) for name, path in nbest_dirs.items()}
    for curve in curves:
        _require_versions(clean, nbest_dirs[set_name], {nbest_dirs[name]: sets[nbest_dirs[name]] for name in curve})
    scoring.score(exp_dir / "plm" / tag, sets, f"{set_name} perturbed")
    return nbest_dirs, sets


def _require_versions(clean: NbestSet, clean_dir: Path, curve: Mapping[Path, NbestSet]) -> None:
    """Check that the perturbed lists of a curve were made from the clean ones, and in one way."""
    try:
        require_versions(clean, clean_dir, curve)
        require_one_curve({path: nbest.info for path, nbest in curve.items()})
    except InputError as error:
        raise InputError(error.message, path=error.path, line=error.line, mend=MEND_LISTS) from error


def _print(records: Iterable[NprrRecord], areas: Iterable[AreaRecord]) -> None:
    for one in records:
        print(f"{one.tag} {one.set} {one.lists} {one.rate:g}: NPRR {_text(one.nprr, one.metric)}{_against(one)}")
    for area in areas:
        text = _text(area.area, area.metric)
        print(f"{area.tag} {area.set} {area.lists}: area under the curve {text}{_against(area)}")


def _text(value: Nprr | Estimate, metric: str) -> str:
    if value.value is None:
        return f"undefined (clean {metric.upper()} is 0)"
    figure, low, high = ("-" if one is None else rounded(one, ".2f") for one in (value.value, value.low, value.high))
    return f"{figure} % [{low}, {high}]"


def _against(record: NprrRecord | AreaRecord) -> str:
    difference = record.difference
    if difference is None or difference.value is None:
        return ""
    return f", {rounded(difference.value, '+.2f')} against {record.reference} (p {difference.p:.4f})"
