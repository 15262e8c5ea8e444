"""How a hypothesis is written for the PLM: ASR text is all upper or all lower case, a PLM has read neither much."""

import re
from collections.abc import Sequence

from lorescore.errors import InputError

FIRST_PERSON = re.compile(r"\bi\b")  # also in i'm, i'll


def plm_text(text: str, case: str) -> str:
    """A hypothesis as the PLM reads it.

    Args:
        text: Words joined by single spaces.
        case: `lower`; `upper`; `as-is`; or `sentence`: lower case with a capital at the start and for the pronoun I.
    """
    if case == "as-is":
        return text
    if case == "upper":
        return text.upper()
    text = text.lower()
    if case == "sentence":
        text = FIRST_PERSON.sub("I", text)
        text = text[:1].upper() + text[1:]
    return text


def require_fit(ids: Sequence[Sequence[int]], texts: Sequence[str], max_tokens: int | None) -> None:
    """Check that every text fits into the PLM: a cut text would get the score of another one.

    Args:
        ids: [text][token], with the tokens that are added to a text.
        texts: The texts that they are of.
        max_tokens: What the PLM takes; None: any length.

    Raises:
        InputError: A text is too long.
    """
    for text, text_ids in zip(texts, ids, strict=True):
        if max_tokens is not None and len(text_ids) > max_tokens:
            raise InputError(
                f"a text of {len(text_ids)} tokens, but the PLM takes {max_tokens}: {text[:40]!r}...",
                mend="leave the hypothesis out or choose a PLM with a longer context",
            )
