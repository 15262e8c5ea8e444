"""The word errors of each utterance that stage 9 left, with which differences are tested over speakers too."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lorescore.nprr import AreaRecord, WordErrors, read_word_errors
from lorescore.nprr.conditions import Condition, areas_exchanged, mismatch
from lorescore.nprr.stored import SUFFIX
from lorescore.report.collect import read_utt2spk
from lorescore.wer.speakers import speakers_to_resample


@dataclass(frozen=True)
class MeasuredErrors:
    """What stage 9 left of the rescorers.

    Attributes:
        by_tag: A rescorer's word errors; without an entry where the file is not there.
        speakers: By set, the speaker of each utterance in the order of the sorted ids; None: too few, or unknown.
    """

    by_tag: Mapping[str, WordErrors]
    speakers: Mapping[str, Sequence[str] | None]

    @classmethod
    def read(cls, exp_dir: Path, areas: Iterable[AreaRecord], tags: Iterable[str]) -> "MeasuredErrors":
        """Read it.

        Args:
            exp_dir: The recipe's `exp`.
            areas: What was measured.
            tags: Rescorers, whose scoring (stage 7) tells the speakers.

        Raises:
            InputError: A file of word errors is not what stage 9 writes.
        """
        measured = list(areas)
        paths = {one.tag: exp_dir / "nprr" / f"{one.tag}{SUFFIX}" for one in measured}
        utt2spk = {name: read_utt2spk(exp_dir, name, *tags) for name in {one.set for one in measured}}
        return cls(
            {tag: read_word_errors(path) for tag, path in paths.items() if path.is_file()},
            {name: speakers_to_resample(sorted(of_set), of_set) for name, of_set in utt2spk.items()},
        )

    def p_over_speakers(self, area: AreaRecord, other: str) -> float | None:
        """Two-sided p of the difference between an area and another rescorer's on the same lists.

        Returns:
            None where speakers are too few or unknown, or the two were not measured on the same lists.
        """
        tags = (area.tag, other)
        speakers = self.speakers.get(area.set)
        models = [self.by_tag[tag] for tag in tags if tag in self.by_tag]
        condition = Condition(area.set, area.perturbation, area.kind, area.rates, area.seeds)
        if not speakers or len(models) < len(tags) or mismatch(condition, tags, models):
            return None
        if len(speakers) != len(models[0].errors[area.set]):  # it was scored on another decode
            return None
        return areas_exchanged(condition, tags, [one.by_speaker(speakers) for one in models])
