"""Confidence interval of a word error rate and paired comparison of two systems, by bootstrap over utterances.

Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation", ICASSP 2004, as in Kaldi's
`compute-wer-bootci`: the utterances are drawn with replacement, the interval is 1.96 standard deviations of the
resampled WER around its mean. The draws have a fixed seed and the utterances are sorted first, so that equal input
gives equal output.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import kaldialign

from lorescore.wer.resampling import Counts, Floats
from lorescore.wer.units import WER, split_units

REPLICATIONS = 10_000
SEED = 0
NORMAL_95 = 1.96


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % confidence interval.

    Attributes:
        low: Lower end in percent. On a few utterances it can lie below 0: the interval is symmetric.
        high: Upper end in percent.
    """

    low: float
    high: float


def wer_interval(refs: Mapping[str, str], hyps: Mapping[str, str], *, metric: str = WER) -> Interval:
    """The confidence interval of a WER.

    Args:
        refs: Reference text by utterance, at least one.
        hyps: Hypothesis text for each of these utterances.
        metric: `wer`, or `cer` to count characters.

    Returns:
        The interval; its ends are not finite where a resample happened to have no reference words (a few utterances,
        some of them with an empty reference).
    """
    utts = sorted(refs)
    texts = (_units(one, utts, metric) for one in (refs, hyps))
    result = kaldialign.bootstrap_wer_ci(*texts, replications=REPLICATIONS, seed=SEED)
    return Interval(100.0 * result["ci95min"], 100.0 * result["ci95max"])


def p_not_better(
    refs: Mapping[str, str], hyps_a: Mapping[str, str], hyps_b: Mapping[str, str], *, metric: str = WER
) -> float:
    """Whether the hypotheses b are better than the hypotheses a. Each resample draws the same utterances of both.

    Args:
        refs: Reference text by utterance, at least one.
        hyps_a: Hypothesis text of the baseline for each of these utterances.
        hyps_b: Hypothesis text of the system that is compared with it.
        metric: `wer`, or `cer` to count characters.

    Returns:
        Share of the resamples in which b has as many errors as a, or more. One-sided: near 0 where b is reliably better
        than a, 1 where a and b are equal.
    """
    utts = sorted(refs)
    texts = (_units(one, utts, metric) for one in (refs, hyps_a, hyps_b))
    result = kaldialign.bootstrap_wer_ci(*texts, replications=REPLICATIONS, seed=SEED)
    return (REPLICATIONS - round(result["p_s2_improv_over_s1"] * REPLICATIONS)) / REPLICATIONS


def interval_of_resamples(errors: Counts | Floats, ref_words: Counts, deviations: float = NORMAL_95) -> Interval | None:
    """The interval from totals over resamples, (resamples,) each; None where one of them has no reference words.

    Args:
        errors: Of each resample.
        ref_words: Of each resample.
        deviations: Standard deviations of the resampled WER to each side.
    """
    if not ref_words.all():
        return None
    wers = 100.0 * errors / ref_words
    half = deviations * float(wers.std())
    return Interval(float(wers.mean()) - half, float(wers.mean()) + half)


def _units(texts: Mapping[str, str], utts: Sequence[str], metric: str) -> list[list[str]]:
    return [split_units(texts[utt], metric) for utt in utts]
