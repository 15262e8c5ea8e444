"""The systems of a set: their errors over resamples of the utterances or by speaker, and tested against each other."""

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from lorescore.combine import FIRST_PASS, ORACLE
from lorescore.errors import InputError
from lorescore.report.scores import read_texts, read_utt2spk
from lorescore.wer import Interval, word_error_rate
from lorescore.wer.bootstrap import interval_of_resamples
from lorescore.wer.distances import errors_of_systems
from lorescore.wer.resampling import (
    Counts,
    Estimate,
    defined_value,
    percentile_interval,
    relative_changes,
)
from lorescore.wer.sc_stats import Alignment, MatchedPairs, matched_pairs, sgml_alignment
from lorescore.wer.sclite import sctk_command
from lorescore.wer.speakers import (
    by_speaker,
    deviations_to_each_side,
    p_by_exchanges,
    speakers_to_resample,
    totals_over_resamples,
)
from lorescore.wer.units import split_units

logger = logging.getLogger(__name__)


class Systems:
    """The systems of a set.

    Args:
        name: The set's name.
        refs: Reference text by utterance, words with single spaces between.
        hyps: By system, the hypothesis text of each of these utterances.
        utt2spk: Their speakers; empty where they are not known.

    Attributes:
        errors: Of each system, and reference words, by utterance, (systems + 1, U).
        by_speaker: The same by speaker; no columns where they are too few or unknown (`wer.speakers`).
    """

    def __init__(
        self,
        name: str,
        refs: Mapping[str, str],
        hyps: Mapping[str, Mapping[str, str]],
        utt2spk: Mapping[str, str],
    ) -> None:
        self.name, self.refs, self.hyps = name, refs, hyps
        self.columns = {tag: place for place, tag in enumerate(hyps)}
        self.errors = errors_of_systems(refs, list(hyps.values()))
        self.resampled = totals_over_resamples(self.errors)
        speakers = speakers_to_resample(sorted(refs), utt2spk)
        self.by_speaker = by_speaker(self.errors, speakers) if speakers else self.errors[:, :0]
        self.alignments: dict[str, Alignment] = {}

    @classmethod
    def read(cls, exp_dir: Path, name: str, tags: Sequence[str], metric: str) -> "Systems | None":
        """Read references and hypotheses; None where a file is not there any more.

        Args:
            exp_dir: The recipe's `exp`.
            name: The set's name.
            tags: The systems.
            metric: What the set was scored in: where that is characters (`cer`), they are the words.

        Raises:
            InputError: Hypotheses are not of the utterances that have references.
        """
        refs, *hyps = read_texts(exp_dir, name, *tags)
        if not refs:
            return None
        as_units = [{utt: " ".join(split_units(text, metric)) for utt, text in one.items()} for one in (refs, *hyps)]
        utt2spk = read_utt2spk(exp_dir, name, *tags)
        return cls(name, as_units[0], dict(zip(tags, as_units[1:], strict=True)), utt2spk)

    def totals(self, tags: Sequence[str]) -> Counts:
        """Errors of systems over the set, shape (1, systems)."""
        return self.errors[self._places(tags)].sum(axis=1)[None]

    def resampled_totals(self, tags: Sequence[str]) -> Counts:
        """Errors of systems over the resamples of utterances, shape (R, systems)."""
        return self.resampled[:, self._places(tags)]

    @property
    def speakers(self) -> int:
        """How many speakers a difference is tested over; 0: none."""
        return self.by_speaker.shape[1]

    def _places(self, tags: Sequence[str]) -> list[int]:
        return [self.columns[tag] for tag in tags]

    def wer(self, tag: str) -> float:
        """WER in percent."""
        return word_error_rate(self.totals([tag]).item(), int(self.errors[-1].sum()))

    def interval(self, tags: Sequence[str]) -> Interval | None:
        """Interval of the systems' mean WER over utterances; None where it is not finite."""
        return interval_of_resamples(self.resampled_totals(tags).mean(axis=1), self.resampled[:, -1])

    def speaker_interval(self, tags: Sequence[str]) -> Interval | None:
        """Interval of the systems' mean WER over speakers; None also where there are too few."""
        if not self.speakers:
            return None
        errors, ref_words = self._speakers_resampled[:, self._places(tags)], self._speakers_resampled[:, -1]
        return interval_of_resamples(errors.mean(axis=1), ref_words, deviations_to_each_side(self.speakers))

    @cached_property
    def _speakers_resampled(self) -> Counts:
        """`by_speaker` over the resamples of the speakers, (R, systems + 1)."""
        return totals_over_resamples(self.by_speaker)

    def change(self, tags: Sequence[str]) -> Estimate | None:
        """From the first pass to the systems' mean."""
        if FIRST_PASS not in self.columns:
            return None
        both = [FIRST_PASS, *tags]
        value, replicates = (relative_changes(each) for each in (self.totals(both), self.resampled_totals(both)))
        return Estimate(defined_value(value), *percentile_interval(replicates))

    def gap(self, tags: Sequence[str]) -> float | None:
        """Share of the gap between first pass and oracle that the systems' mean closes."""
        if not {FIRST_PASS, ORACLE} <= self.columns.keys():
            return None
        first, best, *own = self.totals([FIRST_PASS, ORACLE, *tags])[0].tolist()
        return None if first == best else 100.0 * (first - sum(own) / len(own)) / (first - best)

    def p_not_better(self, tags: Sequence[str], others: Sequence[str]) -> float:
        """Share of the resamples in which the mean errors of `tags` are not fewer than those of `others`."""
        own, other = (self.resampled_totals(one).sum(axis=1) for one in (tags, others))
        return float((own * len(others) >= other * len(tags)).mean())

    def p_over_speakers(self, tags: Sequence[str], others: Sequence[str]) -> float | None:
        """The same by exchanges of the speakers' errors (`wer.speakers`); None where there are too few."""
        if not self.speakers:
            return None
        own, other = (self.by_speaker[self._places(one)].sum(axis=0) for one in (tags, others))
        return p_by_exchanges(own * len(others) - other * len(tags))

    def mapsswe(self, tag: str, other: str) -> MatchedPairs:
        """The test of a system against another: above 0 where it is better.

        Raises:
            InputError: sctk is missing or fails.
        """
        for one in (tag, other):
            if one not in self.alignments:
                self.alignments[one] = sgml_alignment(self.refs, self.hyps[one], f"system{self.columns[one]}")
        return matched_pairs(self.alignments[other], self.alignments[tag])


def has_sc_stats() -> bool:
    """Whether `Systems.mapsswe` can be had here."""
    try:
        sctk_command("sc_stats")
    except InputError as error:
        logger.warning("no MAPSSWE test: %s", error)
        return False
    return True
