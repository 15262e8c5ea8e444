"""How a hypothesis is written for the PLM: ASR text is all upper or all lower case, a PLM has read neither much."""

import re

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
