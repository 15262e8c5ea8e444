"""Group encoded lists into batches up to a token budget."""

from collections.abc import Iterator, Sequence
from typing import Protocol


class Encoded(Protocol):
    """A list as a scorer encodes it; its length is its cost in tokens."""

    def __len__(self) -> int: ...


def batches_by_size(encoded: Sequence[Encoded], token_budget: int) -> list[list[int]]:
    """Indices of the lists in batches of similar size, each of at most `token_budget` tokens (or one list).

    The largest come first, so that a budget that is too large for the memory shows at once.
    """
    order = sorted(range(len(encoded)), key=lambda index: (-len(encoded[index]), index))
    return list(batches_in_order(encoded, order, token_budget))


def batches_in_order(encoded: Sequence[Encoded], order: Sequence[int], token_budget: int) -> Iterator[list[int]]:
    """The same without sorting: consecutive indices of `order` as long as they fit."""
    batch: list[int] = []
    tokens = 0
    for index in order:
        size = len(encoded[index])
        if batch and tokens + size > token_budget:
            yield batch
            batch, tokens = [], 0
        batch.append(index)
        tokens += size
    if batch:
        yield batch
