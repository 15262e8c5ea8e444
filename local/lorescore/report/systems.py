"""The systems of a set: their errors by utterance, over resamples of the utterances, and tested against each other."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lorescore.combine import FIRST_PASS, ORACLE
from lorescore.errors import InputError
from lorescore.files import read_yaml
from lorescore.report.collect import read_texts
from lorescore.wer import Interval, word_error_rate
from lorescore.wer.bootstrap import REPLICATIONS, SEED
from lorescore.wer.distances import count_words
from lorescore.wer.resampling import (
    RelativeChange,
    defined_value,
    percentile_interval,
    relative_changes,
    resampled_totals,
)
from lorescore.wer.sc_stats import Alignment, MatchedPairs, matched_pairs, sgml_alignment
from lorescore.wer.sclite import sctk_command
from lorescore.wer.units import WER, split_units

NORMAL_95 = 1.96

Counts = npt.NDArray[np.int64]

logger = logging.getLogger(__name__)


class Systems:
    """The systems of a set.

    Args:
        name: The set's name.
        refs: Reference text by utterance, words with single spaces between.
        hyps: By system, the hypothesis text of each of these utterances.
    """

    def __init__(self, name: str, refs: Mapping[str, str], hyps: Mapping[str, Mapping[str, str]]) -> None:
        self.name, self.refs, self.hyps = name, refs, hyps
        utts = sorted(refs)
        self.columns = {tag: place for place, tag in enumerate(hyps)}
        counts = count_words([[of[utt] for of in hyps.values()] for utt in utts], [refs[utt] for utt in utts])
        errors = counts.errors.reshape(len(utts), len(hyps)).T
        # The last row, by which the utterances are sorted first, makes a system's resamples its own, whatever others
        # there are.
        self.errors: Counts = np.array([*errors, counts.ref_words, range(len(utts))], dtype=np.int64)
        self.resampled = resampled_totals(self.errors, REPLICATIONS, SEED)
        self.alignments: dict[str, Alignment] = {}

    @classmethod
    def read(cls, exp_dir: Path, name: str, tags: Sequence[str]) -> "Systems | None":
        """Read references and hypotheses; None where a file is not there any more.

        Where the set was scored in characters, they are the words.

        Raises:
            InputError: Hypotheses are not of the utterances that have references.
        """
        refs, *hyps = read_texts(exp_dir, name, *tags)
        if not refs:
            return None
        metric = read_yaml(exp_dir / "rescore" / tags[0] / name / "result.yaml").get("metric", WER)
        as_units = [{utt: " ".join(split_units(text, metric)) for utt, text in one.items()} for one in (refs, *hyps)]
        return cls(name, as_units[0], dict(zip(tags, as_units[1:], strict=True)))

    def totals(self, tags: Sequence[str], *, resampled: bool) -> Counts:
        """Errors of systems over the set, shape (1, systems), or over the resamples, (R, systems)."""
        places = [self.columns[tag] for tag in tags]
        totals: Counts = self.resampled[:, places] if resampled else self.errors[places].sum(axis=1)[None]
        return totals

    def wer(self, tag: str) -> float:
        """WER in percent."""
        return word_error_rate(self.totals([tag], resampled=False).item(), int(self.errors[-2].sum()))

    def interval(self, tags: Sequence[str]) -> Interval | None:
        """Interval of the systems' mean WER."""
        words = self.resampled[:, -2].astype(np.float64)
        if not words.all():
            return None
        wers = 100.0 * self.totals(tags, resampled=True).mean(axis=1) / words
        half = NORMAL_95 * float(wers.std())
        return Interval(float(wers.mean()) - half, float(wers.mean()) + half)

    def change(self, tags: Sequence[str]) -> RelativeChange | None:
        """From the first pass to the systems' mean."""
        if FIRST_PASS not in self.columns:
            return None
        value, replicates = (
            relative_changes(self.totals([FIRST_PASS, *tags], resampled=resampled)) for resampled in (False, True)
        )
        return RelativeChange(defined_value(value), *percentile_interval(replicates))

    def gap(self, tags: Sequence[str]) -> float | None:
        """Share of the gap between first pass and oracle that the systems' mean closes."""
        if not {FIRST_PASS, ORACLE} <= self.columns.keys():
            return None
        first, best, *own = self.totals([FIRST_PASS, ORACLE, *tags], resampled=False)[0].tolist()
        return None if first == best else 100.0 * (first - sum(own) / len(own)) / (first - best)

    def p_not_better(self, tags: Sequence[str], others: Sequence[str]) -> float:
        """Share of the resamples in which the mean errors of `tags` are not fewer than those of `others`."""
        own, other = (self.totals(one, resampled=True).sum(axis=1) for one in (tags, others))
        return float((own * len(others) >= other * len(tags)).mean())

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
