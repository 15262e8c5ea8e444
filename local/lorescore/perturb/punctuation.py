"""Words of written text apart from the punctuation that is attached to them: `"sun,"` is the word `sun`.

What sounds alike are the words; the punctuation stays where it is when one is replaced. Apostrophes are of the word
(`o'clock`), and tokens such as `<unk>`, `[noise]` and `!SIL` are none. (This project's choice.)
"""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, TypeVar

TOKEN = re.compile(r"<.*>|\[.*\]|!SIL")  # <unk>, [noise]: in lower case in many a list in upper case
APOSTROPHES = "'’"
REMEMBERED = 1 << 16  # words

Found = TypeVar("Found")


class Bare(NamedTuple):
    """A word and what is attached to it.

    Attributes:
        before: Punctuation before it.
        word: The word; what is nothing but punctuation is a word itself.
        after: Punctuation after it.
    """

    before: str
    word: str
    after: str

    def around(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """Other words with what is attached to this one before the first of them and after the last."""
        *others, last = (self.before + words[0], *words[1:])
        return (*others, last + self.after)


@lru_cache(REMEMBERED)
def bare(written: str) -> Bare:
    """A word apart from its punctuation.

    >>> bare('"Sun,')
    Bare(before='"', word='Sun', after=',')
    >>> bare("[noise]")
    Bare(before='', word='[noise]', after='')
    """
    if written.isalnum() or TOKEN.search(written):
        return Bare("", written, "")
    begin, end = 0, len(written)
    while begin < end and _is_punctuation(written[begin]):
        begin += 1
    while end > begin and _is_punctuation(written[end - 1]):
        end -= 1
    return Bare(written[:begin], written[begin:end], written[end:]) if begin < end else Bare("", written, "")


def looked_up(written: str, find: Callable[[str], Found]) -> tuple[Bare, Found]:
    """What is found for a word: as it is written, where a dictionary has it so, else apart from its punctuation.

    Args:
        written: The word.
        find: What there is for it; false where there is nothing.

    Returns:
        The word that it was found for, and what was found.
    """
    if found := find(written):
        return Bare("", written, ""), found
    apart = bare(written)
    return apart, found if apart.word == written else find(apart.word)


def _is_punctuation(char: str) -> bool:
    return char not in APOSTROPHES and unicodedata.category(char)[0] in "PS"
