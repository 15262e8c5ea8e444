"""`rescore --nbest`: lists from anywhere by one rescorer at given weights, without the recipe's directories.

--nbest -          JSON Lines on standard input -> JSON Lines on standard output, list by list (`lorescore.stream`)
--nbest FILE       the same from a file
--nbest DIR        an N-best directory -> --out: text, ctm, weights.yaml; with --lattice_dir the rescored lattices
"""

import argparse
import codecs
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lorescore.choices import require_choice
from lorescore.cli.cache_options import cache_path
from lorescore.cli.letter_case import warn_of_case
from lorescore.cli.progress import progress
from lorescore.cli.scoring_options import scoring_options
from lorescore.cli.standard_output import discard_standard_output
from lorescore.cli.weight_options import add_weight_arguments, given_weights
from lorescore.combine import ScoredLists, best_ranks, first_pass, select, wer_of
from lorescore.errors import InputError
from lorescore.files import read_lines, read_yaml, write_table, write_yaml
from lorescore.lattice.confidence import Calibration, tune_confidences
from lorescore.lattice.source import LatticeSource
from lorescore.lattice.write_back import CTM, RECORD, Chosen, write_back
from lorescore.nbest import read_nbest_dir
from lorescore.nbest.checks import require_acoustic_scale, require_refs
from lorescore.nbest.filtered import filtered
from lorescore.nbest.info import INFO, is_nbest_dir
from lorescore.perturb.expansion import Expansion
from lorescore.scoring.combination import load_list_scorer
from lorescore.scoring.directories import Scoring
from lorescore.scoring.part import WHOLE, Part
from lorescore.scoring.stored import (
    TUNE_THEM,
    WEIGHTS_FILE,
    are_for_another,
    is_finished,
    require_weights,
    stored_weights,
    stored_weights_path,
    unfinished,
)
from lorescore.stream import STANDARD_INPUT, rescored_lines
from lorescore.tuning import tune
from lorescore.wer import METRICS, WER
from lorescore.wer.ctm import NOMINAL_WORD_S
from lorescore.wer.score import remove_other_scores

logger = logging.getLogger(__name__)

STDIN = "-"
NBEST_OPTIONS = (
    *("model", "weights", "lm_weight", "word_bonus", "metric", "tune", "tune_hyp", "tune_ref"),
    *("expand_as", "lists_at_a_time", "out"),
)
LINES_OPTIONS = ("metric", "lists_at_a_time", "expand_as")  # of JSON Lines alone
# Of a directory alone.
DIRECTORY_OPTIONS = ("lattice_dir", "frame_shift", "words", "score_cache", "part", "tune_hyp", "tune_ref")


def add_nbest_arguments(parser: argparse.ArgumentParser) -> None:
    """The options beside those of stage 6."""
    one = parser.add_argument_group("with --nbest", "--lattice_dir is the directory of the lists' lattices then")
    one.add_argument(
        "--nbest", help="lists to rescore at once: - for JSON Lines on standard input, a file of them, or a directory"
    )
    one.add_argument("--model", type=Path, help="the rescorer, exp/plm/<tag>")
    add_weight_arguments(one, default=", else the one beside the rescorer, or stage 6's")
    one.add_argument(
        "--metric",
        help="JSON Lines: what --word_bonus counts, wer: words (the default), or cer: characters; a directory says it",
    )
    one.add_argument("--tune", action="store_true", help="tune the weights on these lists, a development set's")
    one.add_argument(
        "--tune_hyp", type=Path, help="words_text as errors are counted in --tune: after Kaldi's local/wer_hyp_filter"
    )
    one.add_argument("--tune_ref", type=Path, help="the references so, after local/wer_ref_filter")
    one.add_argument(
        "--expand_as", type=Path, help="JSON Lines: expand the lists as those of this N-best directory were (`expand`)"
    )
    one.add_argument("--lists_at_a_time", type=int, default=1, help="lists of JSON Lines that are scored together")
    one.add_argument("--out", type=Path, help="where the results of a directory go")


def run_nbest(args: argparse.Namespace) -> None:
    """Rescore what --nbest names."""
    if args.model is None:
        raise InputError("--nbest without --model", mend="--model exp/plm/<tag> is the rescorer")
    if not is_finished(args.model):
        raise unfinished(args.model)
    if args.lists_at_a_time < 1:
        raise InputError(f"--lists_at_a_time is {args.lists_at_a_time}, expected 1 or more")
    if args.weights and are_for_another(args.weights, args.model):
        logger.warning("%s: tuned for another rescorer than %s", args.weights, args.model)
    if is_directory(args.nbest):
        _rescore_directory(args)
        return
    if args.tune:
        lists = Path("dev.jsonl" if args.nbest == STDIN else args.nbest)
        raise InputError("--tune is for an N-best directory with references", mend=_tuning(args.model, lists))
    if args.out:
        raise InputError("--out is for an N-best directory", mend="JSON Lines go to standard output: > FILE")
    metric = require_choice("--metric", args.metric, METRICS) if args.metric else WER
    mend = f"--lm_weight X; or {TUNE_THEM}: {_tuning(args.model, Path('dev.jsonl'))}"
    weights = given_weights(args, metric) or require_weights(stored_weights(args.model), mend=mend)
    expansion = Expansion.read(args.expand_as) if args.expand_as else None
    rescorer = load_list_scorer(args.model, scoring_options(args))
    source = STANDARD_INPUT if args.nbest == STDIN else args.nbest
    lines = _standard_input() if args.nbest == STDIN else (line for _, line in read_lines(Path(args.nbest)))
    try:
        for line in rescored_lines(
            lines, rescorer, weights, expansion=expansion, source=source, lists_at_a_time=args.lists_at_a_time
        ):
            print(line, flush=True)
    except BrokenPipeError:  # who reads has enough
        discard_standard_output()


def is_directory(nbest: str) -> bool:
    """Whether --nbest names an N-best directory, and not JSON Lines."""
    return nbest != STDIN and Path(nbest).is_dir()


def _tuning(model: Path, lists: Path) -> str:
    """The commands that tune a rescorer's weights on JSON Lines with references."""
    model = model.resolve()  # its last part is the tag
    is_in_exp = model.parent.name == "plm"
    exp_dir = os.path.relpath(model.parent.parent) if is_in_exp else "exp"
    nbest_dir = f"{exp_dir}/nbest/{lists.stem}"
    commands = [] if Path(nbest_dir, INFO).is_file() else [f"convert {lists} {nbest_dir}"]
    if is_in_exp:  # they are found from then on
        option = "" if exp_dir == "exp" else f" --exp_dir {exp_dir}"
        commands.append(f"rescore --tags {model.name} --dev {lists.stem}{option}")
    else:
        commands.append(
            f"rescore --nbest {nbest_dir} --model {model} --tune --out DIR; then --weights DIR/weights.yaml"
        )
    return " && ".join(f"python3 -m lorescore {command}" for command in commands)


def _standard_input() -> Iterator[str]:
    """The lines of standard input as they come, UTF-8 whatever the locale is, without byte-order mark."""
    if sys.stdin is None:
        raise InputError("standard input is closed", mend="give JSON Lines on it, or name their file: --nbest FILE")
    for number, raw in enumerate(sys.stdin.buffer, start=1):
        line = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"byte {error.start + 1} is not UTF-8", path=STANDARD_INPUT, line=number) from error


def _rescore_directory(args: argparse.Namespace) -> None:
    """Score an N-best directory and write what the weights choose."""
    nbest_dir, out = Path(args.nbest), args.out
    if out is None:
        raise InputError("--nbest with a directory, but no --out", mend="--out DIR is where the results go")
    if is_nbest_dir(out):
        raise InputError(
            "--out is an N-best directory, whose references would be lost", path=out, mend="choose another"
        )
    _require_replaceable(out)
    nbest = read_nbest_dir(nbest_dir)
    given = given_weights(args, nbest.metric)
    if args.tune and given:
        raise InputError("--tune and given weights", mend="give one of them")
    if args.tune:
        require_refs(nbest, nbest_dir, "to tune on")
    elif args.tune_hyp or args.tune_ref:
        raise InputError("--tune_hyp and --tune_ref without --tune", mend="leave them out")
    weights_path = args.weights
    if not (args.tune or given):
        weights_path = stored_weights_path(args.model)
        mend = f"--lm_weight X; or {TUNE_THEM}: --tune, whose --out then has the weights.yaml for others: --weights"
        given = require_weights(stored_weights(args.model), mend=mend)
    if weights_path:
        require_acoustic_scale(nbest, nbest_dir / INFO, read_yaml(weights_path).get("acoustic_scale"), weights_path)
    if args.tune:
        warn_of_case(nbest_dir, nbest.refs, first_pass(nbest), nbest.metric, nbest.cleaner)
    source = LatticeSource.read(Path(args.lattice_dir), args.frame_shift, args.words) if args.lattice_dir else None

    model = args.model.resolve()  # its last part is the tag
    scoring = Scoring(scoring_options(args), cache_path(args.score_cache, out), progress, Part.parse(args.part))
    if scoring.part != WHOLE:
        scoring.score(model, {nbest_dir: nbest})
        return
    lists = ScoredLists.build(nbest, scoring.costs(model, nbest_dir, nbest))
    if args.tune_hyp or args.tune_ref:
        counts = filtered(nbest, args.tune_hyp, args.tune_ref).word_counts
        lists = replace(lists, errors=counts.errors, ref_words=counts.ref_words)
    weights = given or tune(lists)
    ranks = best_ranks(lists, weights)
    if args.tune:
        calibration, posteriors = tune_confidences(nbest, lists, weights)
    else:
        calibration, posteriors = Calibration.read(weights_path), {}
    record = asdict(weights) | calibration.to_dict()
    wer = ""
    if nbest.refs:
        percent = wer_of(lists, ranks)
        wer = f", {nbest.metric.upper()} {percent:.2f}"
        if args.tune:
            record |= scoring.of_tuned(model, nbest) | {"tuned_on": str(nbest_dir), "dev_wer": round(percent, 4)}
    hyps = select(nbest, ranks)
    remove_other_scores(out, hyps)  # where there are no references, no scoring replaces them
    # First, as the weights of --tune cost hours of scoring, and as a text without them is somebody else's.
    write_yaml(out / WEIGHTS_FILE, record)
    write_table(out / "text", hyps)
    written = write_back(out, Chosen(nbest, lists, weights, calibration, {out: hyps}, posteriors), source)
    how = "tuned on these lists" if args.tune else f"of {weights_path}" if weights_path else "given"
    print(f"{out}: lm_weight {weights.lm_weight:g}, word_bonus {weights.word_bonus:g} ({how}){wer}")
    if source:
        print(
            f"{out}: {written['utterances']} rescored lattices at acoustic scale {written['acoustic_scale']:g}; with "
            f"unchanged scores {len(written['differing'])} best paths differ ({RECORD})"
        )
        print(f"{out / CTM}: {times_of(written)}")


def _require_replaceable(out: Path) -> None:
    """Check that this is no data directory and no decode, whose references or lattices would be lost."""
    was_written = any((out / name).is_file() for name in (WEIGHTS_FILE, RECORD))
    if not was_written and ((out / "text").exists() or any(out.glob("lat.*.gz"))):
        message = "is there already and no rescored directory: its text or lattices would be lost"
        raise InputError(message, path=out, mend="name another: --out")


def times_of(record: Mapping[str, Any]) -> str:
    """What the times of a ctm are, by the record of `write_back`."""
    nominal = f"nominal, {NOMINAL_WORD_S} s a word"
    if record["frame_shift"] is None:
        return f"times {nominal}"
    of_alignments = f"times of the alignments, {record['frame_shift']:g} s a frame"
    unaligned, lattices = record["without_alignment"], record["utterances"] - record["without_lattice"]
    if not unaligned:
        return of_alignments
    if unaligned == lattices:
        return f"times {nominal}: the lattices have no alignments"
    return f"{of_alignments}; {nominal}, in {unaligned} of {lattices} lattices, which have none"
