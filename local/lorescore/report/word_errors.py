"""The word errors of each utterance that stage 9 left: with them what it measured at different times is compared."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from lorescore.errors import InputError
from lorescore.nprr import AreaRecord, NprrRecord, WordErrors, read_word_errors
from lorescore.nprr.conditions import (
    Condition,
    areas_compared,
    areas_exchanged,
    compared_at,
    condition_of,
    mismatch,
)
from lorescore.nprr.stored import SUFFIX
from lorescore.report.scores import read_utt2spk
from lorescore.wer.speakers import speakers_to_resample

Record = TypeVar("Record", NprrRecord, AreaRecord)


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
    def read(cls, exp_dir: Path, records: Iterable[NprrRecord], tags: Iterable[str]) -> "MeasuredErrors":
        """Read it.

        Args:
            exp_dir: The recipe's `exp`.
            records: What was measured.
            tags: Rescorers, whose scoring (stage 7) tells the speakers.

        Raises:
            InputError: A file of word errors is not what stage 9 writes.
        """
        measured = list(records)
        paths = {one.tag: exp_dir / "nprr" / f"{one.tag}{SUFFIX}" for one in measured}
        by_tag = {tag: read_word_errors(path) for tag, path in paths.items() if path.is_file()}
        utt2spk = {name: read_utt2spk(exp_dir, name, *tags) for name in {one.set for one in measured}}
        speakers = {name: speakers_to_resample(sorted(of_set), of_set) for name, of_set in utt2spk.items()}
        return cls(by_tag, speakers)

    def require_same_lists(self) -> None:
        """Check that what the tables put side by side was measured on the same lists.

        Raises:
            InputError: Two rescorers were measured on different lists of one name.
        """
        seen: dict[str, tuple[str, str]] = {}
        for tag, of_tag in self.by_tag.items():
            for name, checksum in of_tag.checksums.items():
                other, other_checksum = seen.setdefault(name, (tag, checksum))
                if checksum != other_checksum:
                    raise InputError(
                        f"NPRR of {other} and {tag} is of different lists of {name}",
                        mend="measure both again: ./run.sh --stage 8 --stop_stage 9",
                    )

    def compared(self, record: Record) -> Record:
        """A record with its difference to the reference model as both are now; stage 9 wrote it as they were then."""
        pair = self._pair(record)
        if record.difference is None or pair is None:
            return record
        tags, condition = (record.tag, record.reference), condition_of(record)
        if mismatch(condition, tags, pair):
            return replace(record, difference=None)
        if isinstance(record, AreaRecord):
            return replace(record, difference=areas_compared(condition, tags, pair))
        return replace(record, difference=compared_at(condition, record.rate, tags, pair))

    def p_over_speakers(self, area: AreaRecord) -> float | None:
        """Two-sided p of the difference between an area and the reference model's on the same lists.

        Returns:
            None where speakers are too few or unknown, or the two were not measured on the same lists.
        """
        tags, condition, pair = (area.tag, area.reference), condition_of(area), self._pair(area)
        return None if pair is None or mismatch(condition, tags, pair) else self.p_by_exchanges(condition, tags, pair)

    def p_by_exchanges(self, condition: Condition, tags: Sequence[str], pair: Sequence[WordErrors]) -> float | None:
        """The same for two rescorers that can be compared under a condition (`nprr.conditions.mismatch`)."""
        speakers = self.speakers.get(condition.set)
        if not speakers or len(speakers) != len(pair[0].errors[condition.set]):  # it was scored on another decode
            return None
        return areas_exchanged(condition, tags, [one.by_speaker(speakers) for one in pair])

    def _pair(self, record: NprrRecord | AreaRecord) -> tuple[WordErrors, WordErrors] | None:
        """The word errors of a record's rescorer and of its reference model; None where they are not there."""
        first, second = self.by_tag.get(record.tag), self.by_tag.get(record.reference)
        return None if first is None or second is None else (first, second)
