"""Word errors by speaker: how sure a WER, or a difference of two, is of other speakers than these.

An interval over utterances says how a WER varies over other utterances of these speakers; one over speakers, how it
varies over other speakers, which on a test set of a few is far more.

- The interval resamples speakers, each with all utterances: Liu and Peng, "Statistical testing on ASR performance via
  blockwise bootstrap" (arXiv 1912.09508), with a speaker as a block. That alone is too narrow for the few speakers of a
  test set, by sqrt((n - 1) / n) and by the normal distribution in Student's place (Hesterberg, arXiv 1411.5279): for
  five speakers by more than a third. Both are made good.
- The test of two systems exchanges their errors speaker by speaker (a permutation test: if neither is better, the sign
  of a speaker's difference is that of a coin), in all 2^n ways up to 13 speakers, else in 10,000 at random. So with n
  speakers p is at least 2^-n, however large the difference; over resamples it would have no such bound.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lorescore.errors import InputError
from lorescore.files import read_table
from lorescore.wer.bootstrap import REPLICATIONS, SEED, Interval, interval_of_resamples
from lorescore.wer.distances import errors_of_systems
from lorescore.wer.resampling import Counts, resampled_totals

READER_CHAPTER = re.compile(r"\d+-\d+")
MIN_SPEAKERS = 5  # with fewer there are hardly any different resamples: of 4 speakers 35, of 5 126


@dataclass(frozen=True, slots=True)
class OverSpeakers:
    """How sure a WER is of other speakers.

    Attributes:
        speakers: How many there are.
        interval: 95 % interval of the WER; None where a resample has no reference words.
        p_value: One-sided p of being no better than the baseline, by exchanges; None without one.
    """

    speakers: int
    interval: Interval | None
    p_value: float | None


def default_speaker(utt: str) -> str:
    """The part of an utterance id before its first `-`, as in LibriSpeech's `1272-128104-0000`; or else all of it."""
    return utt.partition("-")[0] or utt


def read_utt2spk(path: Path, utts: Iterable[str]) -> dict[str, str]:
    """The speaker of each utterance.

    Args:
        path: The file.
        utts: Utterances that have to be there.

    Raises:
        InputError: A line is not `utt spk`, an utterance has no speaker, or as `read_table` raises it.
    """
    utt2spk = read_table(path)
    for number, (utt, speaker) in enumerate(utt2spk.items(), start=1):
        if len(speaker.split(" ")) != 1 or not speaker:
            message = f"expected `utt spk`, found {f'{utt} {speaker}'!r:.60}"
            raise InputError(message, path=path, line=number, mend="give each utterance one speaker")
    if missing := set(utts) - utt2spk.keys():
        raise InputError(f"utterance {min(missing)} has no speaker", path=path, mend="add it")
    return utt2spk


def speakers_to_resample(utts: Sequence[str], utt2spk: Mapping[str, str]) -> list[str] | None:
    """The speaker of each utterance; None where one is unknown, they are too few, or no two utterances share one.

    Where all are `<number>-<number>`, as in Kaldi's and ESPnet's recipes of LibriSpeech, they are the chapters of
    readers, of whom each is one speaker.
    """
    speakers = [utt2spk[utt] for utt in utts if utt in utt2spk]
    if all(READER_CHAPTER.fullmatch(speaker) for speaker in speakers):
        speakers = [default_speaker(speaker) for speaker in speakers]
    return speakers if MIN_SPEAKERS <= len(set(speakers)) < len(speakers) == len(utts) else None


def resample_speakers(
    refs: Mapping[str, str],
    hyps: Mapping[str, str],
    utt2spk: Mapping[str, str],
    baseline_hyps: Mapping[str, str] | None,
    metric: str,
) -> OverSpeakers | None:
    """The interval of a WER over speakers, and the test against a baseline; None where they are too few or unknown.

    Args:
        refs: Reference text by utterance.
        hyps: Hypothesis text of each of these utterances.
        utt2spk: Speaker of each of these utterances; empty where they are not known.
        baseline_hyps: The baseline's hypothesis text of each of these utterances.
        metric: `wer` or `cer`.
    """
    speakers = speakers_to_resample(sorted(refs), utt2spk)
    if speakers is None:
        return None
    systems = [hyps] if baseline_hyps is None else [hyps, baseline_hyps]
    rows = by_speaker(errors_of_systems(refs, systems, metric), speakers)
    totals = totals_over_resamples(rows)
    interval = interval_of_resamples(totals[:, 0], totals[:, -1], deviations_to_each_side(rows.shape[1]))
    p_value = None if baseline_hyps is None else p_by_exchanges(rows[0] - rows[1])
    return OverSpeakers(rows.shape[1], interval, p_value)


def deviations_to_each_side(num_speakers: int) -> float:
    """Standard deviations of the bootstrap over so many speakers to each side of a 95 % interval: over five 3.1."""
    from scipy.stats import t  # slow to import, and sets without speakers do without it

    return float(t.ppf(0.975, num_speakers - 1)) * math.sqrt(num_speakers / (num_speakers - 1))


def p_by_exchanges(differences: Counts) -> float:
    """One-sided p of a system's errors being no fewer than another's, with the errors exchanged speaker by speaker.

    Args:
        differences: The system's errors minus the other's, by speaker, (S,).
    """
    # Where some speakers' errors are exchanged, the sum of the differences falls by twice the sum of these speakers'.
    return float((exchanges(len(differences)) @ differences >= 0).mean())


def exchanges(num_speakers: int) -> Counts:
    """Which speakers' errors two systems exchange, 0 or 1, shape (E, speakers); the first row is none.

    All ways where they are no more than the resamples, else as many at random (the seed is fixed).
    """
    if 2**num_speakers <= REPLICATIONS:
        ways = np.arange(2**num_speakers, dtype=np.int64)
        return (ways[:, None] >> np.arange(num_speakers)) & 1
    drawn = np.random.default_rng(SEED).integers(2, size=(REPLICATIONS, num_speakers), dtype=np.int64)
    return np.vstack([np.zeros((1, num_speakers), dtype=np.int64), drawn])


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
