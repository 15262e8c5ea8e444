"""Choices of one option in each of several rows, the cheapest first."""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence

Chosen = Mapping[int, int]  # row -> index of its option, of the rows whose option is not the first


def cheapest(num_options: Sequence[int], cost: Callable[[Chosen], float]) -> Iterator[tuple[float, Chosen]]:
    """Every choice, the cheapest first; of equally cheap ones those that differ from the first options in later rows.

    Args:
        num_options: Of each row, at least one.
        cost: Of a choice; no lower for a later option of a row.

    Yields:
        The cost and the choice.
    """
    # Keys are (-row, index) with rising rows: of two choices they compare as the indices of all rows do.
    waiting: list[tuple[float, tuple[tuple[int, int], ...]]] = [(cost({}), ())]
    while waiting:
        so_far, key = heapq.heappop(waiting)
        yield so_far, {-row: index for row, index in key}
        # A step further in the last row that has one, or the first step in a later row: so each choice comes once.
        last = -key[-1][0] if key else 0
        for row in range(last, len(num_options)):
            before, index = (key[:-1], key[-1][1] + 1) if key and row == last else (key, 1)
            if index < num_options[row]:
                following = (*before, (-row, index))
                heapq.heappush(waiting, (cost({-at: place for at, place in following}), following))
