"""Words that a user chooses between, and the error for one that is misspelt."""

import difflib
from collections.abc import Iterable

from lorescore.errors import InputError

SCORERS = ("clm", "cls")
TEXT_CASES = ("lower", "sentence", "upper", "as-is")
STRATEGIES = ("none", "full", "vanilla", "adalora")
OBJECTIVES = ("mwer",)


def require_choice(what: str, word: str, choices: Iterable[str]) -> str:
    """Give `word` back if it is one of `choices`.

    Raises:
        InputError: It is not; the error names the nearest choice and all of them.
    """
    choices = list(choices)
    if word not in choices:
        nearest = difflib.get_close_matches(word, choices, n=1, cutoff=0.4)
        hint = f"did you mean {nearest[0]}? " if nearest else ""
        raise InputError(f"{what} {word!r} is not known", mend=f"{hint}valid: {' '.join(choices)}")
    return word
