"""The word errors of each utterance that a model leaves in every version of a set: `exp/nprr/<tag>.errors`.

    test                 5ab31c0d... 0 1 2 0
    test_nbest_p0.1_s1   90f3e77a... 0 1 3 0

A line an N-best directory: its name, the checksum of its lists, and the word errors of the hypothesis that the model
chooses for each utterance, in the order of the sorted ids. So any two models can be compared on the same utterances,
whenever they were measured, without scoring or aligning again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lorescore.errors import InputError
from lorescore.files import read_lines, split_words, write_table
from lorescore.wer.resampling import Counts
from lorescore.wer.speakers import by_speaker

SUFFIX = ".errors"
MEND = "stage 9 writes it: ./run.sh --stage 9 --stop_stage 9"


@dataclass(frozen=True)
class WordErrors:
    """Of one model.

    Attributes:
        errors: Of each utterance, shape (U,), by the N-best directory's name.
        checksums: Of the directory's lists.
    """

    errors: Mapping[str, Counts]
    checksums: Mapping[str, str]

    def __or__(self, other: "WordErrors") -> "WordErrors":
        """These and others, which replace these."""
        return WordErrors({**self.errors, **other.errors}, {**self.checksums, **other.checksums})

    def only(self, names: Iterable[str]) -> "WordErrors":
        """Those in some directories."""
        kept = list(names)
        return WordErrors({name: self.errors[name] for name in kept}, {name: self.checksums[name] for name in kept})

    @classmethod
    def summed(cls, models: Sequence["WordErrors"]) -> "WordErrors":
        """The sums over models that were measured on the same lists, of the directories that all of them have."""
        names = [name for name in models[0].errors if all(name in one.errors for one in models)]
        sums = {name: np.sum([one.errors[name] for one in models], axis=0) for name in names}
        return cls(sums, {name: models[0].checksums[name] for name in names})

    def times(self, factor: int) -> "WordErrors":
        """So many times the errors."""
        return WordErrors({name: factor * one for name, one in self.errors.items()}, self.checksums)

    def by_speaker(self, speakers: Sequence[str]) -> "WordErrors":
        """Sums over each speaker's utterances; the speaker of each utterance in the order of the sorted ids."""
        return WordErrors(
            {name: by_speaker(one[None], speakers)[0] for name, one in self.errors.items()}, self.checksums
        )

    def rows(self, names: Iterable[str]) -> Counts:
        """The errors in some directories, shape (S, U)."""
        return np.stack([self.errors[name] for name in names])


def write_word_errors(path: Path, word_errors: WordErrors) -> None:
    """Write the file, sorted by directory.

    Raises:
        InputError: It cannot be written.
    """
    lines = (
        (name, f"{word_errors.checksums[name]} {' '.join(map(str, errors.tolist()))}")
        for name, errors in word_errors.errors.items()
    )
    write_table(path, lines)


def read_word_errors(path: Path) -> WordErrors:
    """Read what `write_word_errors` wrote.

    Raises:
        InputError: The file is missing, or a line is not a name, a checksum and counts.
    """
    errors: dict[str, Counts] = {}
    checksums: dict[str, str] = {}
    for number, line in read_lines(path, mend=MEND):
        parts = split_words(line)
        counts = parts[2:]
        if not counts or not all(count.isascii() and count.isdigit() for count in counts) or parts[0] in errors:
            message = f"expected `directory checksum errors...`, each directory once, found {line!r:.60}"
            raise InputError(message, path=path, line=number, mend=MEND)
        errors[parts[0]], checksums[parts[0]] = np.array([int(count) for count in counts], dtype=np.int64), parts[1]
    return WordErrors(errors, checksums)
