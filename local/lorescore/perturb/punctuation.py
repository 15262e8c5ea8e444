"""Words of written text apart from the punctuation that is attached to them: `"sun,"` is the word `sun`.

What sounds alike are the words; the punctuation stays where it is when one is replaced. Apostrophes are of the word
(`o'clock`), and tokens such as `<unk>`, `[noise]` and `!SIL` are none. (This project's choice.)
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

TOKEN = re.compile(r"<.*>|\[.*\]|!SIL")  # <unk>, [noise]: in lower case in many a list in upper case
APOSTROPHES = "'’"
REMEMBERED = 1 << 16  # words


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


def _is_punctuation(char: str) -> bool:
    return char not in APOSTROPHES and unicodedata.category(char)[0] in "PS"
