"""N-best lists as callers have them: pairs of text and first-pass log score, or the project's own type."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from lorescore.errors import InputError
from lorescore.files import is_encodable, single_spaced
from lorescore.nbest.lists import Hypothesis, NbestList

# Ours, or (text, first-pass log score) with the first pass's best first.
ListLike: TypeAlias = NbestList | Sequence[tuple[str, float]]


def as_nbest_list(one: ListLike) -> NbestList:
    """A list in the project's own type; the id of its utterance is empty where it has none.

    Args:
        one: The list; it may be empty.

    Raises:
        InputError: It is no list, an item is no pair of text and score, a text has half a surrogate pair in it, or a
            score is not a finite number.
    """
    if not isinstance(one, Iterable | NbestList):
        raise InputError(f"{one!r:.60} is no list of (text, score)")
    items = one.hypotheses if isinstance(one, NbestList) else one
    hypotheses = tuple(_as_hypothesis(rank, item) for rank, item in enumerate(items, start=1))
    return replace(one, hypotheses=hypotheses) if isinstance(one, NbestList) else NbestList("", hypotheses)


def _as_hypothesis(rank: int, item: Any) -> Hypothesis:
    """An item of a list, its words joined by single spaces."""
    parts = None
    if isinstance(item, Hypothesis):
        item, parts = (item.text, item.score), item.parts
    pair: Any = () if isinstance(item, str | Mapping) else item  # two characters or two keys are no pair
    try:
        text, score = pair
    except (TypeError, ValueError) as error:
        raise InputError(f"hypothesis {rank} is {item!r:.60}, expected (text, score)") from error
    if not isinstance(text, str):
        raise InputError(f"the text of hypothesis {rank} is {text!r:.60}, expected a string")
    _require_characters(rank, text)
    _require_finite(rank, score)
    return Hypothesis(single_spaced(text), float(score), parts)


def _require_characters(rank: int, text: str) -> None:
    """Check that the text of a hypothesis is one that a tokenizer can take."""
    if not is_encodable(text):
        raise InputError(f"half a surrogate pair in the text of hypothesis {rank}, {text!r:.60}")


def _require_finite(rank: int, score: Any) -> None:
    """Check that the score of a hypothesis is a number that is neither infinite nor NaN."""
    try:
        is_finite = not isinstance(score, bool) and math.isfinite(score)
    except (TypeError, ValueError, OverflowError):
        is_finite = False
    if not is_finite:
        raise InputError(f"the score of hypothesis {rank} is {score!r:.60}, expected a finite number")
