"""The vocabulary that both words of a replacement come from: that of given N-best sets, or a file's."""

from collections.abc import Iterable
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import read_lines, split_words
from lorescore.nbest import NbestSet
from lorescore.wer.units import CER


def nbest_vocabulary(sets: Iterable[NbestSet]) -> frozenset[str]:
    """Every word of the hypotheses and the references of some sets, as it is written there."""
    words: set[str] = set()
    for nbest in sets:
        for one in nbest:
            for hypothesis in one.hypotheses:
                words.update(hypothesis.words)
        for ref in nbest.refs.values():
            words.update(split_words(ref))
    return frozenset(words)


def require_spaces(sets: Iterable[NbestSet]) -> None:
    """Check that texts that are scored in characters have words all the same: a lexicon knows words.

    Raises:
        InputError: No hypothesis of a set of them has a space.
    """
    for nbest in sets:
        if nbest.metric == CER and not any(" " in text for one in nbest for text in one.texts):
            raise InputError(
                "homophones need words, but the hypotheses of a set with metric cer have no spaces between words",
                mend="make the lists from segmented text (the CER stays the same) and give their --lexicon, or stop at "
                "stage 7",
            )


def read_vocabulary(path: Path) -> frozenset[str]:
    """The words of a file with one word a line, or of Kaldi's `words.txt` (`word id`).

    Raises:
        InputError: The file is missing or empty, or a line is neither.
    """
    words: set[str] = set()
    for number, line in read_lines(path):
        word, *rest = line.split() or [""]
        if not word or len(rest) > 1 or not all(field.isdecimal() for field in rest):
            raise InputError(f"expected one word (or `word id`), found {line!r:.60}", path=path, line=number)
        words.add(word)
    if not words:
        raise InputError("empty, expected one word a line", path=path)
    return frozenset(words)
