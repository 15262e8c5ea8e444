"""Word errors of a hypothesis: insertions, deletions and substitutions by unit-cost Levenshtein, as in Kaldi.

Where the metric is `cer`, words are characters here (`lorescore.wer.units`).

kaldialign ports Kaldi's `LevenshteinEditDistance` (src/util/edit-distance-inl.h). Of several cheapest alignments it
takes a deletion and an insertion before two substitutions, as `compute-wer` does; the counts of `edit_counts` and of
`align` are therefore the same. (Kaldi's `align-text` breaks such ties the other way: the sum of the errors is the
same, its split into the three kinds can differ from that of `compute-wer`.)
"""

from dataclasses import dataclass
from typing import TypeAlias

import kaldialign

from lorescore.errors import InputError
from lorescore.wer.units import WER, split_units

NO_WORD = ""  # no word is empty, so it cannot be mistaken for one

Alignment: TypeAlias = list[tuple[str, str]]
"""Pairs of a reference word and a hypothesis word; `NO_WORD` where the other word is inserted or deleted."""


@dataclass(frozen=True, slots=True)
class EditCounts:
    """The word errors of one or more utterances; counts of several utterances are added with `+`.

    Attributes:
        ins: Words of the hypothesis that the reference lacks.
        del_: Words of the reference that the hypothesis lacks.
        sub: Words of the reference that the hypothesis has wrong.
        ref_words: Words of the reference.
    """

    ins: int = 0
    del_: int = 0
    sub: int = 0
    ref_words: int = 0

    def __add__(self, other: "EditCounts") -> "EditCounts":
        return EditCounts(
            self.ins + other.ins, self.del_ + other.del_, self.sub + other.sub, self.ref_words + other.ref_words
        )

    @property
    def errors(self) -> int:
        """Insertions, deletions and substitutions together."""
        return self.ins + self.del_ + self.sub

    @property
    def correct(self) -> int:
        """Words of the reference that the hypothesis has right."""
        return self.ref_words - self.del_ - self.sub

    @property
    def wer(self) -> float:
        """Word error rate in percent; above 100 where there are many insertions.

        Raises:
            InputError: There are no reference words, so that the rate is not defined (also where there are no errors).
        """
        return word_error_rate(self.errors, self.ref_words)


def word_error_rate(errors: int, ref_words: int) -> float:
    """Errors in percent of the reference words.

    Raises:
        InputError: There are no reference words.
    """
    if ref_words <= 0:
        raise InputError("no reference words, the word error rate is not defined", mend="give non-empty references")
    return 100.0 * errors / ref_words


def edit_counts(ref: str, hyp: str, metric: str = WER) -> EditCounts:
    """The errors of a hypothesis, in words or, where the metric is `cer`, in characters (`lorescore.wer.units`)."""
    ref_words = split_units(ref, metric)
    counts = kaldialign.edit_distance(ref_words, split_units(hyp, metric))
    return EditCounts(int(counts["ins"]), int(counts["del"]), int(counts["sub"]), len(ref_words))


def align(ref: str, hyp: str, metric: str = WER) -> Alignment:
    """The alignment that `edit_counts` counts the errors of."""
    ref_words, hyp_words = split_units(ref, metric), split_units(hyp, metric)
    if ref_words == hyp_words:  # no other alignment is as cheap
        return list(zip(ref_words, hyp_words, strict=True))
    pairs: Alignment = kaldialign.align(ref_words, hyp_words, NO_WORD)
    return pairs
