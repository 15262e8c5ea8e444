"""The verb `score`: word or character error rate of a hypothesis file, with all score files of Kaldi and ESPnet."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from lorescore.choices import require_choice
from lorescore.cli.letter_case import warn_of_case
from lorescore.combine import Weights, read_weights
from lorescore.errors import InputError
from lorescore.files import CHECK_PATH, read_table, read_yaml
from lorescore.nbest.checks import require_references
from lorescore.nbest.chosen import are_of_other_lists
from lorescore.nbest.info import INFO
from lorescore.scoring.stored import WEIGHTS_FILE, require_tuned_for, rescorer_of
from lorescore.wer import METRICS, WER, score_hypotheses, wer_line
from lorescore.wer.cleaning import CLEANERS, read_cleaner, require_cleaner
from lorescore.wer.ctm import read_ctm
from lorescore.wer.speakers import read_utt2spk
from lorescore.wer.units import require_metric


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the verb."""
    parser.add_argument("--ref", type=Path, required=True, metavar="FILE", help="references, `utt words`")
    parser.add_argument("--hyp", type=Path, required=True, metavar="FILE", help="hypotheses, `utt words`")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the score files go")
    parser.add_argument("--utt2spk", type=Path, metavar="FILE", help="speakers; default: the id up to its first `-`")
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="weights.yaml that chose the hypotheses; default: both weights 0"
    )
    parser.add_argument("--baseline", type=Path, metavar="FILE", help="hypotheses to compare with, `utt words`")
    parser.add_argument(
        "--metric", help="wer, words, or cer, characters; default: what nbest.yaml beside the references says, else wer"
    )
    parser.add_argument(
        "--cleaner",
        help=f"what is done to all texts before: {', '.join(CLEANERS)}; default: what the file `cleaner` beside "
        "the references says, else nothing",
    )
    parser.add_argument(
        "--ctm", type=Path, metavar="FILE", help="the hypotheses' words with their times, for sclite: DIR/score_ctm"
    )


def run(args: argparse.Namespace) -> None:
    """Score and print a line as in Kaldi's best_wer."""
    nbest_dir, set_dir = args.ref.parent, args.hyp.parent
    if are_of_other_lists(set_dir, nbest_dir):
        raise InputError(
            f"chosen from other lists than {nbest_dir} has now", path=args.hyp, mend="rescore again: stage 6"
        )
    require_tuned_for(set_dir.parent / WEIGHTS_FILE, rescorer_of(set_dir.parent))
    metric = require_choice("--metric", args.metric, METRICS) if args.metric else _metric_of(args.ref)
    cleaner = require_cleaner(args.cleaner) if args.cleaner else read_cleaner(args.ref.parent)
    weights = read_weights(args.weights) if args.weights else Weights()
    refs = read_table(args.ref, mend="stage 4 writes the references: give it --ref")
    if not any(refs.values()):
        raise InputError("no reference words, expected `utt words`", path=args.ref, mend="correct --ref")
    hyps = _read_texts(args.hyp, refs, args.ref, "stage 6 writes the hypotheses")
    result = score_hypotheses(
        refs,
        hyps,
        read_utt2spk(args.utt2spk, refs) if args.utt2spk else None,
        args.out,
        weights.lm_weight,
        weights.word_bonus,
        _read_texts(args.baseline, refs, args.ref, CHECK_PATH) if args.baseline else None,
        read_ctm(args.ctm) if args.ctm else None,
        metric,
        cleaner,
    )
    warn_of_case(args.hyp, refs, hyps, metric, cleaner)
    print(f"{wer_line(result.counts)} {result.wer_path}")


def _read_texts(path: Path, refs: Mapping[str, str], ref_path: Path, mend: str) -> dict[str, str]:
    """The hypotheses of a file, which have to be of the utterances that have references."""
    texts = read_table(path, mend=mend)
    lines = {utt: (path, number) for number, utt in enumerate(texts, start=1)}
    require_references(lines, refs, path, ref_path)
    return texts


def _metric_of(ref_path: Path) -> str:
    """The metric of the N-best directory that the references are in; `wer` where they are in none."""
    info_path = ref_path.parent / INFO
    return require_metric(read_yaml(info_path), info_path) if info_path.is_file() else WER
