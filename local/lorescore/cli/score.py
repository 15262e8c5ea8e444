"""The verb `score`: word error rate of a hypothesis file, with every score file of Kaldi, sclite and ESPnet."""

import argparse
from pathlib import Path

from lorescore.combine import Weights, read_weights
from lorescore.files import read_table
from lorescore.wer import score_hypotheses, wer_line
from lorescore.wer.ctm import read_ctm


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
        "--ctm", type=Path, metavar="FILE", help="the hypotheses' words with their times, for sclite: DIR/score_ctm"
    )


def run(args: argparse.Namespace) -> None:
    """Score and print a line as in Kaldi's best_wer."""
    weights = read_weights(args.weights) if args.weights else Weights()
    result = score_hypotheses(
        read_table(args.ref, mend="stage 4 writes the references"),
        read_table(args.hyp, mend="stage 6 writes the hypotheses"),
        read_table(args.utt2spk) if args.utt2spk else None,
        args.out,
        weights.lm_weight,
        weights.word_bonus,
        read_table(args.baseline) if args.baseline else None,
        read_ctm(args.ctm) if args.ctm else None,
    )
    print(f"{wer_line(result.counts)} {result.wer_path}")
