"""Strict JSON: no NaN, no key twice; and values of the type that is expected, or an error that names the place."""

import json
import math
from pathlib import Path
from typing import Any, NoReturn

from lorescore.errors import InputError

KINDS = {str: "a string", list: "a list", dict: "an object", float: "a finite number", int: "a whole number"}


def parse_json(text: str, path: Path, line: int | None = None) -> Any:
    """The value of a JSON text.

    Args:
        text: The whole file, or one line of it.
        path: The file.
        line: The line, where it is one.

    Raises:
        InputError: It is not JSON, has NaN or Infinity in it, or an object has a key twice.
    """

    def refuse_constant(word: str) -> NoReturn:
        mend = "score this hypothesis again or leave it out of the list"
        raise InputError(f"{word} is no JSON number", path=path, line=line or _line_of_word(text, word), mend=mend)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            message = f"key {twice!r:.60} for the second time"
            where = line or line_of_key(text, twice, last=True)
            raise InputError(message, path=path, line=where, mend="keep one")
        return content

    if line is not None:
        text = text.rstrip()  # what is cut off ends at its last character
    try:
        return json.loads(text, parse_constant=refuse_constant, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        where = line if line is not None else error.lineno
        message = f"not JSON: {error.msg} at character {error.colno} of the line"
        raise InputError(message, path=path, line=where, mend="correct it; is the file whole?") from error
    except ValueError as error:  # a number of thousands of digits
        raise InputError(f"not JSON: {error}", path=path, line=line, mend="correct it") from error
    except RecursionError as error:
        raise InputError("JSON nested too deeply", path=path, line=line, mend="is it the right file?") from error


def line_of_key(text: str, key: str, *, last: bool = False) -> int | None:
    """The line of a key in a JSON text, from 1; None where it is written with escapes of its own."""
    for written in (json.dumps(key, ensure_ascii=False), json.dumps(key)):
        place = text.rfind(written) if last else text.find(written)
        if place >= 0:
            return text.count("\n", 0, place) + 1
    return None


def require_kind(value: Any, kind: type, what: str, path: Path, line: int | None) -> Any:
    """Give a value back if it is of a type; a `float` may be written as a whole number, and is finite.

    Raises:
        InputError: It is of another type; the error calls it `what`.
    """
    wanted = int | float if kind is float else kind
    good = isinstance(value, wanted) and not isinstance(value, bool)
    if good and kind is float:
        try:
            value = float(value)
            good = math.isfinite(value)
        except OverflowError:  # a whole number of hundreds of digits
            good = False
    if not good:
        mend = "correct the value"
        raise InputError(f"{what} is {value!r:.60}, expected {KINDS[kind]}", path=path, line=line, mend=mend)
    return value


def _line_of_word(text: str, word: str) -> int | None:
    """The first line that has a word outside of strings, as near as a search finds it."""
    for number, line in enumerate(text.split("\n"), start=1):
        if word in line.replace(",", " ").replace(":", " ").replace("]", " ").replace("}", " ").split():
            return number
    return None
