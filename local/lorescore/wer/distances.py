"""Word errors of many pairs of texts at a time.

Each table of edit distances is filled along its anti-diagonals, where no cell depends on another (Wagner and Fischer,
"The string-to-string correction problem", 1974, in the order of Ukkonen, 1985), and one anti-diagonal of many tables
is one array operation. The distances are those of `edit_counts`; how they split into the three kinds is not told.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count

import numpy as np
from numpy.typing import NDArray

from lorescore.wer.cleaning import clean
from lorescore.wer.units import WER, split_units

Ints = NDArray[np.int64]
WordIds = NDArray[np.int32]

CELLS_AT_A_TIME = 1 << 17  # of an anti-diagonal over all tables: half a megabyte, so that a cache holds the few arrays


@dataclass(frozen=True)
class WordCounts:
    """What is counted once for N-best lists of U utterances, H hypotheses over all of them, list by list.

    Where the metric is `cer`, words are characters.

    Attributes:
        errors: Word errors of each hypothesis, (H,); zeros where there are no references.
        hyp_words: Words of each hypothesis as it is written, (H,).
        ref_words: Words of each reference as errors are counted, (U,); zeros where there are no references.
    """

    errors: Ints
    hyp_words: Ints
    ref_words: Ints


@dataclass(frozen=True)
class NumberedTexts:
    """T texts as numbers, the same number for the same word.

    Attributes:
        words: The words of all texts, one text after the other.
        lengths: Words of each text, (T,).
    """

    words: WordIds
    lengths: Ints

    @classmethod
    def of(cls, texts: Iterable[str], metric: str = WER) -> "NumberedTexts":
        """Number the words of texts; their characters where the metric is `cer`."""
        numbers: defaultdict[str, int] = defaultdict(count().__next__)
        numbered, lengths = array("i"), array("q")
        for text in texts:
            words = split_units(text, metric)
            numbered.extend(map(numbers.__getitem__, words))
            lengths.append(len(words))
        return cls(np.asarray(numbered, dtype=np.int32), np.asarray(lengths, dtype=np.int64))

    def edit_distances(self, first: Ints, second: Ints) -> Ints:
        """Word errors of P pairs of texts, (P,).

        Args:
            first: Index of one text of each pair, (P,).
            second: Index of the other one, (P,).
        """
        begins = np.cumsum(self.lengths) - self.lengths
        distances = np.empty(len(first), dtype=np.int64)
        # Pairs of about the same length together, the longest first.
        totals = self.lengths[first] + self.lengths[second]
        order = np.argsort(-totals, kind="stable")
        begin = 0
        while begin < len(order):
            size = max(1, CELLS_AT_A_TIME // (int(totals[order[begin]]) + 1))
            pairs = order[begin : begin + size]
            rows, columns = first[pairs], second[pairs]
            distances[pairs] = _distances(
                self._padded(begins, rows), self._padded(begins, columns), self.lengths[rows], self.lengths[columns]
            )
            begin += size
        return distances

    def _padded(self, begins: Ints, texts: Ints) -> WordIds:
        """The words of P texts, (longest, P); what stands behind the end of a shorter one is of no meaning."""
        longest = int(self.lengths[texts].max())
        if not longest:
            return np.empty((0, len(texts)), dtype=np.int32)
        return self.words.take(begins[texts] + np.arange(longest)[:, None], mode="clip")


def count_words(
    lists: Sequence[Sequence[str]], refs: Sequence[str] | None, metric: str = WER, cleaner: str | None = None
) -> WordCounts:
    """Words and word errors of the hypotheses of N-best lists.

    Args:
        lists: The texts of each utterance's hypotheses.
        refs: The reference of each of these utterances; None where there are no references.
        metric: `wer`, or `cer` to count characters.
        cleaner: What is done to both before errors are counted (`lorescore.wer.cleaning`).
    """
    sizes = [len(texts) for texts in lists]
    utts, hyps = len(sizes), sum(sizes)
    written = list(chain.from_iterable(lists))
    if refs is None:
        hyp_words = NumberedTexts.of(written, metric).lengths
        return WordCounts(np.zeros(hyps, dtype=np.int64), hyp_words, np.zeros(utts, dtype=np.int64))
    numbered = NumberedTexts.of((clean(text, cleaner) for text in chain(written, refs)), metric)
    hyp_words = (numbered if cleaner is None else NumberedTexts.of(written, metric)).lengths[:hyps]
    ref_of_hyp = hyps + np.repeat(np.arange(utts), sizes)
    return WordCounts(numbered.edit_distances(ref_of_hyp, np.arange(hyps)), hyp_words, numbered.lengths[hyps:])


def errors_of_systems(refs: Mapping[str, str], systems: Sequence[Mapping[str, str]], metric: str = WER) -> Ints:
    """Word errors of several systems, and the words of the references, by utterance.

    Args:
        refs: Reference text by utterance.
        systems: Of each system the hypothesis text of each of these utterances.
        metric: `wer`, or `cer` to count characters.

    Returns:
        A row a system, and the reference words as the last one, in the order of the sorted ids, (systems + 1, U).
    """
    utts = sorted(refs)
    counts = count_words([[hyps[utt] for hyps in systems] for utt in utts], [refs[utt] for utt in utts], metric)
    return np.vstack([counts.errors.reshape(len(utts), len(systems)).T, counts.ref_words])


def _distances(rows: WordIds, columns: WordIds, row_lengths: Ints, column_lengths: Ints) -> Ints:
    """Edit distances of P pairs of texts, (P,), from the words of each text, (longest, P), and how many are its own."""
    num_rows, num_columns = len(rows), len(columns)
    backwards = columns[::-1]
    ends = row_lengths + column_lengths
    distances = np.zeros(len(ends), dtype=np.int64)
    # diagonal[i]: distances of the first i words of the one text to the first (number of the diagonal - i) of the other
    before, last, diagonal = (np.zeros((num_rows + 1, len(ends)), dtype=np.int32) for _ in range(3))
    for number in range(1, int(ends.max()) + 1):
        low, high = max(1, number - num_columns), min(num_rows, number - 1) + 1  # where both have words
        inner = diagonal[low:high]
        np.minimum(last[low:high], last[low - 1 : high - 1], out=inner)
        inner += 1
        shift = num_columns - number
        differ = rows[low - 1 : high - 1] != backwards[shift + low : shift + high]
        np.minimum(inner, before[low - 1 : high - 1] + differ, out=inner)
        diagonal[0] = number  # never read again beyond the last of the columns
        if number <= num_rows:
            diagonal[number] = number
        ended = np.flatnonzero(ends == number)
        distances[ended] = diagonal[row_lengths[ended], ended]
        before, last, diagonal = last, diagonal, before
    return distances
