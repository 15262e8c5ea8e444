"""Word error rates: alignment, confidence, and the score files of Kaldi and sclite."""

from lorescore.wer.alignment import EditCounts, align, edit_counts, word_error_rate
from lorescore.wer.bootstrap import Interval, p_not_better, wer_interval
from lorescore.wer.kaldi import wer_line, write_scoring_kaldi
from lorescore.wer.sclite import write_score_wer
from lorescore.wer.sclite_characters import write_score_cer
from lorescore.wer.score import ScoreResult, score_hypotheses
from lorescore.wer.units import CER, METRICS, WER, split_units

__all__ = [
    "CER",
    "METRICS",
    "WER",
    "EditCounts",
    "Interval",
    "ScoreResult",
    "align",
    "edit_counts",
    "p_not_better",
    "score_hypotheses",
    "split_units",
    "wer_interval",
    "wer_line",
    "word_error_rate",
    "write_score_cer",
    "write_score_wer",
    "write_scoring_kaldi",
]
