"""How a hypothesis is written for the PLM.

ASR text is all upper or all lower case, a PLM has read neither much. Text of languages that are written without spaces
comes with a space between words or characters where the first pass has it so (Kaldi's words, lists of characters), and
a PLM has not read that either: the spaces are taken out, while those between words of other scripts stay. That is this
project's choice, as is that a space between the two kinds, as in `我 love 你`, stays as it is.
"""

import re
from collections.abc import Sequence

FIRST_PERSON = re.compile(r"\bi\b")  # also in i'm, i'll

# Scripts that are written without spaces between words, by Unicode block: Thai and Lao, Myanmar, Khmer; Han with its
# radicals, Kana and its phonetic extensions, Bopomofo. Hangul is not among them: Korean has spaces.
UNSPACED_LETTERS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u303b"
    "\u3040-\u30ff\u3100-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U0001b000-\U0001b16f\U00020000-\U0003fffd"
)
# CJK punctuation, and the full-width forms of ASCII's: no space stands beside them.
WIDE_PUNCTUATION = "\u3001-\u3004\u3008-\u3020\u3030\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
NO_SPACE = re.compile(
    f"(?<=[{UNSPACED_LETTERS}]) +(?=[{UNSPACED_LETTERS}])|(?<=[{WIDE_PUNCTUATION}]) +| +(?=[{WIDE_PUNCTUATION}])"
)


def without_needless_spaces(text: str) -> str:
    """A text without the spaces that its scripts are not written with.

    >>> without_needless_spaces("今 天 天气 很 好 。 open door")
    '今天天气很好。open door'
    """
    return text if text.isascii() else NO_SPACE.sub("", text)


def plm_text(text: str, case: str, spaces: str = "auto") -> str:
    """A hypothesis as the PLM reads it.

    Args:
        text: Words joined by single spaces.
        case: `lower`; `upper`; `as-is`; or `sentence`: lower case with a capital at the start and for the pronoun I.
        spaces: `auto`: none between characters of scripts that are written without; `keep`: as they are.
    """
    if spaces == "auto":
        text = without_needless_spaces(text)
    if case == "as-is":
        return text
    if case == "upper":
        return text.upper()
    text = text.lower()
    if case == "sentence":
        text = FIRST_PERSON.sub("I", text)
        text = text[:1].upper() + text[1:]
    return text


def plm_context(context: Sequence[str], case: str, spaces: str = "auto") -> str:
    """What stands before an utterance (`NbestList.context`) as the PLM reads it; with `sentence` a full stop ends each.

    >>> plm_context(["HE SAT", "SO DID I"], "sentence")
    'He sat. So did I.'
    """
    stop = "." if case == "sentence" else ""
    return " ".join(plm_text(text, case, spaces) + stop for text in context)
