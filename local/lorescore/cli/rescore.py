"""`rescore`: PLM scores of every set, weights tuned on dev alone, and the hypotheses that they choose.

The weights are tuned for `map`. With `--decode mbr` the system `<tag>_mbr` stands beside `<tag>`: the same scores and
weights, and the posterior scale that suits dev. Each system gets a ctm, and where the lists are of lattices, the
lattices come back rescored, after a check that unchanged scores reproduce them.

With `--nbest` it is another thing: one list, file or directory by one rescorer, see rescore_nbest.py.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lorescore.choices import DECODES, nearest_hint, require_choice
from lorescore.cli.cache_options import add_cache_argument, cache_path
from lorescore.cli.letter_case import warn_of_case
from lorescore.cli.progress import progress
from lorescore.cli.rescore_nbest import (
    DIRECTORY_OPTIONS,
    LINES_OPTIONS,
    NBEST_OPTIONS,
    add_nbest_arguments,
    is_directory,
    run_nbest,
    times_of,
)
from lorescore.cli.scoring_options import add_part_argument, add_scoring_arguments, scoring_options
from lorescore.cli.uses import refuse_options
from lorescore.combine import FIRST_PASS, ORACLE, ScoredLists, Weights, first_pass, oracle, select, wer_of
from lorescore.decode import MAP_SCALE, MBR, chosen_ranks, tune_posterior_scale
from lorescore.errors import InputError
from lorescore.files import write_yaml
from lorescore.lattice.confidence import tune_confidences
from lorescore.lattice.source import FRAME_SHIFT_S, LatticeSource
from lorescore.lattice.write_back import CTM, Chosen, write_back
from lorescore.nbest import NbestSet, read_nbest_dir
from lorescore.nbest.checks import require_acoustic_scale, require_refs, require_same_metric
from lorescore.nbest.chosen import write_chosen
from lorescore.nbest.info import INFO
from lorescore.scoring.directories import Scoring
from lorescore.scoring.part import WHOLE, Part
from lorescore.scoring.stored import TRAIN_IT, WEIGHTS_FILE, finished_rescorers, unfinished
from lorescore.tuning import tune

SET = "{set}"  # stands for the set's name in --lattice_dir
TWO_USES = "stage 6: --tags, --dev and --sets; lists from anywhere: --nbest and --model"
STAGE_OPTIONS = ("tags", "dev", "sets", "decode")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("--tags", default="", help="rescorers of exp/plm, separated by spaces")
    parser.add_argument("--dev", help="set of exp/nbest to tune the weights on")
    parser.add_argument("--sets", default="", help="further sets of exp/nbest, separated by spaces")
    parser.add_argument(
        "--decode",
        default="map",
        help="map: the highest combined score; mbr: beside it, as <tag>_mbr, the fewest expected word errors",
    )
    parser.add_argument(
        "--lattice_dir",
        default="",
        help="lattices that the lists are of, exp/asr/lat_{set}: they come back rescored; {set} stands for the set",
    )
    parser.add_argument(
        "--frame_shift",
        type=float,
        help="seconds from one frame of the lattices to the next, for the times of words; "
        f"else what the file frame_shift beside them says, else {FRAME_SHIFT_S}",
    )
    parser.add_argument("--words", type=Path, help="words.txt of these lattices; else the one that lies beside them")
    parser.add_argument("--exp_dir", type=Path, default=Path("exp"), help="what the stages wrote")
    add_cache_argument(parser)
    add_scoring_arguments(parser)
    add_part_argument(parser)
    add_nbest_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """First pass and oracle, then one rescorer after the other."""
    if args.nbest is not None:
        refuse_options(args, STAGE_OPTIONS, add_arguments, "--nbest", TWO_USES)
        of_lists = ("a directory", LINES_OPTIONS) if is_directory(args.nbest) else ("JSON Lines", DIRECTORY_OPTIONS)
        refuse_options(args, of_lists[1], add_arguments, f"{of_lists[0]} as --nbest", "leave it out")
        run_nbest(args)
        return
    refuse_options(args, NBEST_OPTIONS, add_arguments, "stage 6", TWO_USES)
    if not args.dev:
        raise InputError("no --dev", mend="name the set to tune the weights on, or lists to rescore at once: --nbest")
    tags = args.tags.split()
    require_choice("--decode", args.decode, DECODES)
    part = Part.parse(args.part)
    scoring = Scoring(scoring_options(args), cache_path(args.score_cache, args.exp_dir), progress, part)
    require_rescorers(tags, args.exp_dir / "plm")
    names = [args.dev, *(name for name in args.sets.split() if name != args.dev)]
    nbest_dirs = {name: args.exp_dir / "nbest" / name for name in names}
    sets = {name: read_nbest_dir(path) for name, path in nbest_dirs.items()}
    dev = sets[args.dev]
    require_refs(dev, nbest_dirs[args.dev], "to tune on")
    for name, nbest in sets.items():  # the weights are tuned on one set and used on all
        require_same_metric(nbest, nbest_dirs[name] / INFO, dev, args.dev)
        require_acoustic_scale(nbest, nbest_dirs[name] / INFO, dev.info.get("acoustic_scale"), args.dev)
    if part != WHOLE:
        for tag in tags:
            for name, nbest in sets.items():
                scoring.score(args.exp_dir / "plm" / tag, {nbest_dirs[name]: nbest}, name)
        return
    _warn_of_shared(args.dev, sets)
    warn_of_case(nbest_dirs[args.dev], dev.refs, first_pass(dev), dev.metric, dev.cleaner)
    sources = {name: _lattice_source(name, nbest, args) for name, nbest in sets.items()}
    for name, nbest in sets.items():
        write_chosen(args.exp_dir / "rescore" / FIRST_PASS / name, first_pass(nbest), nbest.info["checksum"])
        if nbest.refs:
            write_chosen(args.exp_dir / "rescore" / ORACLE / name, oracle(nbest), nbest.info["checksum"])
    for tag in tags:
        lists = _score(tag, sets, args.exp_dir, scoring)
        weights = tune(lists[args.dev])
        scales = {tag: MAP_SCALE}
        if args.decode == MBR:
            scales[f"{tag}_{MBR}"] = tune_posterior_scale(lists[args.dev], dev, weights)
        calibration, posteriors = tune_confidences(dev, lists[args.dev], weights)
        record = calibration.to_dict() | scoring.of_tuned(args.exp_dir / "plm" / tag, dev)
        hyps = {
            system: _choose(system, args.dev, sets, lists, weights, scale, record, args.exp_dir)
            for system, scale in scales.items()
        }
        for name, nbest in sets.items():
            by_dir = {args.exp_dir / "rescore" / system / name: texts[name] for system, texts in hyps.items()}
            known = posteriors if name == args.dev else {}
            chosen = Chosen(nbest, lists[name], weights, calibration, by_dir, known)
            _write_back(args.exp_dir / "rescore" / tag / name, chosen, sources[name])


def _warn_of_shared(dev: str, sets: Mapping[str, NbestSet]) -> None:
    """Say where what is reported is tuned on."""
    of_dev = {one.utt for one in sets[dev]}
    for name, nbest in sets.items():
        shared = sum(one.utt in of_dev for one in nbest)
        if shared and name != dev:
            print(f"{name}: {shared} of {len(nbest)} utterances are in {dev} too, on which the weights are tuned")


def require_rescorers(tags: Sequence[str], plm_root: Path) -> None:
    """Check that there are rescorers to use, and that every one is there, before any scoring begins.

    Raises:
        InputError: None is named; or one is not there: the error names the nearest of those that are.
    """
    if not tags:
        raise InputError("no --tags", mend="name the rescorers, of exp/plm")
    finished = [path.name for path in finished_rescorers(plm_root)]
    for tag in tags:
        if tag not in finished:
            hint = f"; {nearest_hint(tag, finished)}" if finished else ""
            raise unfinished(plm_root / tag, f"{TRAIN_IT}{hint}")


def _score(tag: str, sets: dict[str, NbestSet], exp_dir: Path, scoring: Scoring) -> dict[str, ScoredLists]:
    """The sets with the scores of a rescorer."""
    return {
        name: ScoredLists.build(nbest, scoring.costs(exp_dir / "plm" / tag, exp_dir / "nbest" / name, nbest, name))
        for name, nbest in sets.items()
    }


def _choose(
    system: str,
    dev: str,
    sets: dict[str, NbestSet],
    lists: dict[str, ScoredLists],
    weights: Weights,
    posterior_scale: float,
    record: Mapping[str, Any],
    exp_dir: Path,
) -> dict[str, dict[str, str]]:
    """Write the weights, with a record of what else they are, and what they choose in every set; the texts by set."""
    out_dir = exp_dir / "rescore" / system
    ranks = {name: chosen_ranks(lists[name], nbest, weights, posterior_scale) for name, nbest in sets.items()}
    dev_wer = wer_of(lists[dev], ranks[dev])
    content = asdict(weights) | dict(record) | {"tuned_on": dev, "dev_wer": round(dev_wer, 4)}
    if posterior_scale != MAP_SCALE:
        content["posterior_scale"] = posterior_scale
    write_yaml(out_dir / WEIGHTS_FILE, content)
    print(
        f"{out_dir}: weights tuned on {dev}: {_describe(weights, posterior_scale)}, "
        f"{weights.metric.upper()} {dev_wer:.2f}"
    )
    hyps = {name: select(nbest, ranks[name]) for name, nbest in sets.items()}
    for name, texts in hyps.items():
        write_chosen(out_dir / name, texts, sets[name].info["checksum"])
    return hyps


def _lattice_source(name: str, nbest: NbestSet, args: argparse.Namespace) -> LatticeSource | None:
    """The lattices that a set's lists are of; None, with a line that says why, where there are none."""
    pattern: str = args.lattice_dir
    if not pattern:
        return None
    if SET not in pattern:
        raise InputError(f"--lattice_dir {pattern!r} has no {SET}", mend=f"write {SET} for the name of the set")
    directory = Path(pattern.replace(SET, name))
    if not directory.is_dir():
        print(f"{directory}: no lattices here, none come back for {name}")
    elif any(one.added for one in nbest):
        print(f"{directory}: expansion has added to the lists of {name} what no lattice holds, none come back for it")
    elif not nbest.has_parts:
        print(f"{directory}: the lists of {name} are not of lattices, none come back for it")
    else:
        return LatticeSource.read(directory, args.frame_shift, args.words)
    return None


def _write_back(set_dir: Path, chosen: Chosen, source: LatticeSource | None) -> None:
    """Lattices and ctm of a set, and what there is to say about them."""
    record = write_back(set_dir, chosen, source)
    print(f"{set_dir / CTM}: confidences at posterior scale {chosen.calibration.scale:g}, {times_of(record)}")
    if source is None:
        return
    differing: list[str] = record["differing"]
    first = f" ({differing[0]} for one)" if differing else ""
    print(
        f"{set_dir}: {record['utterances']} rescored lattices, {record['without_lattice']} of them of utterances that "
        f"have none in {source.directory}; with unchanged scores {len(differing)} best paths differ{first}"
    )


def _describe(weights: Weights, posterior_scale: float) -> str:
    scale = "" if posterior_scale == MAP_SCALE else f", posterior_scale {posterior_scale:g}"
    return f"lm_weight {weights.lm_weight:g}, word_bonus {weights.word_bonus:g}{scale}"
