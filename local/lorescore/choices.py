"""Words that a user chooses between, values of settings, and the errors for those that are misspelt."""

import difflib
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from lorescore.errors import InputError

SCORERS = ("clm", "cls", "pll")
TEXT_CASES = ("lower", "sentence", "upper", "as-is")
TEXT_SPACES = ("auto", "keep")
FROZEN = "none"  # the strategy that others are compared with
STRATEGIES = (FROZEN, "full", "vanilla", "adalora", "warmup", "mixed", "dora", "rslora", "pissa", "bitfit")
WITHOUT_RANK = (FROZEN, "full", "bitfit")  # strategies to which rank, alpha and targets mean nothing
OBJECTIVES = ("mwer", "distill", "mwer+distill", "lm")
TEACHER_NORMS = ("auto", "none", "set", "list")
DECAYS = ("linear", "cosine")
PRECISIONS = ("auto", "fp32", "bf16")
DECODES = ("map", "mbr")
LIKENESS = 0.4  # of a word and a choice (difflib's ratio, 0 to 1), from which the choice is worth a question

KINDS = {int: "a whole number", float: "a number", str: "a word", bool: "true or false"}
EXPONENT = re.compile(r"([+-]?\d+)(\.\d*)?[eE]([+-]?)(\d+)")

Number = TypeVar("Number", int, float)


def require_choice(what: str, word: str, choices: Iterable[str]) -> str:
    """Give `word` back if it is one of `choices`.

    Args:
        what: What the word chooses, such as `--lora`.
        word: The user's word.
        choices: The valid words.

    Raises:
        InputError: It is not; the error names the nearest choice and all of them.
    """
    choices = list(choices)
    if word not in choices:
        raise InputError(f"{what} {word!r} is not known", mend=nearest_hint(word, choices))
    return word


def nearest_hint(word: str, choices: Sequence[str]) -> str:
    """The choice that looks most like `word` in whatever case, where one does, and all of them."""
    word = str(word).lower()

    def likeness(choice: str) -> tuple[bool, float, bool]:
        """The same letters in another order (EA, AE) are most alike; of equally alike ones, what begins the same."""
        choice = choice.lower()
        ratio = difflib.SequenceMatcher(None, choice, word).ratio()
        return sorted(choice) == sorted(word), ratio, choice[:1] == word[:1]

    nearest = max(choices, key=likeness, default="")
    hint = f"did you mean {nearest}? " if word and likeness(nearest)[1] >= LIKENESS else ""
    return f"{hint}valid: {' '.join(choices)}"


def require_kind(what: str, value: object, kind: type) -> None:
    """Check that a setting from YAML is of its kind; a whole number stands for a number.

    Args:
        what: The setting.
        value: What YAML made of what the user wrote.
        kind: `int`, `float`, `str` or `bool`.

    Raises:
        InputError: It is of another kind.
    """
    if type(value) is kind or (kind is float and type(value) is int):
        return
    # YAML 1.1 takes 3e-4 for a word: a number with an exponent has a point, and the exponent a sign.
    found = EXPONENT.fullmatch(value) if kind is float and isinstance(value, str) else None
    mend = f"for YAML it is a word: write {found[1]}{found[2] or '.0'}e{found[3] or '+'}{found[4]}" if found else ""
    raise InputError(f"{what} is {value!r}, expected {KINDS.get(kind, kind.__name__)}", mend=mend)


def require_positive(what: str, value: float, mend: str = "") -> None:
    """Check that a setting is a finite number above 0.

    Raises:
        InputError: It is not.
    """
    if not 0 < value < math.inf:
        raise InputError(f"{what} {value:g}, expected a finite number above 0", mend=mend)


def parse_numbers(option: str, text: str, parse: Callable[[str], Number]) -> list[Number]:
    """The numbers that an option lists, separated by spaces.

    Args:
        option: The option, such as `--rates`.
        text: What the user gave it.
        parse: `int` or `float`.

    Raises:
        InputError: A word is no such number, or there is none.
    """
    numbers = []
    for word in text.split():
        try:
            numbers.append(parse(word))
        except ValueError as error:
            what = "a whole number" if parse is int else "a number"
            raise InputError(f"{option} {word!r} is not {what}", mend="separate numbers by spaces") from error
    if not numbers:
        raise InputError(f"{option} is empty", mend="give at least one number")
    return numbers
