"""Word errors by speaker, to resample speakers instead of utterances.

An interval over utterances says how a WER varies over other utterances of these speakers; one over speakers, how it
varies over other speakers, which on a test set of a few is far more. The utterances of a drawn speaker go together:
Liu and Peng, "Statistical testing on ASR performance via blockwise bootstrap" (arXiv 1912.09508), with a speaker as a
block.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lorescore.wer.bootstrap import REPLICATIONS, SEED, Interval, interval_of_resamples
from lorescore.wer.distances import count_words
from lorescore.wer.resampling import Counts, resampled_totals

MIN_SPEAKERS = 5  # with fewer there are hardly any different resamples: of 4 speakers 35, of 5 126


@dataclass(frozen=True, slots=True)
class OverSpeakers:
    """How sure a WER is of other speakers.

    Attributes:
        speakers: How many there are.
        interval: 95 % interval over resamples of them, as `lorescore.wer.bootstrap` has it over utterances; None where
            a resample has no reference words.
        p_value: Share of the resamples in which the baseline is as good, or better; None without one.
    """

    speakers: int
    interval: Interval | None
    p_value: float | None


def default_speaker(utt: str) -> str:
    """The part of an utterance id before its first `-`, as in LibriSpeech's `1272-128104-0000`; or else all of it."""
    return utt.partition("-")[0] or utt


def speakers_to_resample(utts: Sequence[str], utt2spk: Mapping[str, str]) -> list[str] | None:
    """The speaker of each utterance; None where one is unknown, they are too few, or no two utterances share one."""
    speakers = [utt2spk[utt] for utt in utts if utt in utt2spk]
    return speakers if MIN_SPEAKERS <= len(set(speakers)) < len(speakers) == len(utts) else None


def resample_speakers(
    refs: Mapping[str, str],
    hyps: Mapping[str, str],
    utt2spk: Mapping[str, str],
    baseline_hyps: Mapping[str, str] | None,
    metric: str,
) -> OverSpeakers | None:
    """The interval of a WER over speakers, and its comparison with a baseline; None where they are not resampled.

    Args:
        refs: Reference text by utterance.
        hyps: Hypothesis text of each of these utterances.
        utt2spk: Speaker of each of these utterances; empty where they are not known.
        baseline_hyps: The baseline's hypothesis text of each of these utterances.
        metric: `wer` or `cer`.
    """
    utts = sorted(refs)
    speakers = speakers_to_resample(utts, utt2spk)
    if speakers is None:
        return None
    systems = [hyps] if baseline_hyps is None else [hyps, baseline_hyps]
    counts = count_words([[one[utt] for one in systems] for utt in utts], [refs[utt] for utt in utts], metric)
    rows = np.vstack([counts.errors.reshape(len(utts), len(systems)).T, counts.ref_words])
    totals = totals_over_resamples(by_speaker(rows, speakers))
    p_value = None if baseline_hyps is None else float((totals[:, 0] >= totals[:, 1]).mean())
    return OverSpeakers(len(set(speakers)), interval_of_resamples(totals[:, 0], totals[:, -1]), p_value)


def by_speaker(counts: Counts, speakers: Sequence[str]) -> Counts:
    """Sums over each speaker's utterances, shape (rows, speakers), in the order of the speakers' names.

    Args:
        counts: Shape (rows, U).
        speakers: Of each utterance, U of them.
    """
    names, columns = np.unique(np.array(speakers), return_inverse=True)
    sums = np.zeros((len(names), len(counts)), dtype=np.int64)
    np.add.at(sums, columns, counts.T)
    return sums.T


def totals_over_resamples(counts: Counts) -> Counts:
    """Totals over each resample of the columns, shape (resamples, rows).

    Args:
        counts: Shape (rows, utterances or speakers). A row's totals do not depend on what other rows there are.
    """
    columns = np.arange(counts.shape[1], dtype=np.int64)  # the columns are sorted by the last row first: as they are
    return resampled_totals(np.vstack([counts, columns]), REPLICATIONS, SEED)[:, :-1]
