"""Group encoded lists into batches, and the rows of a batch into forward passes, up to a token budget."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.checkpoint import checkpoint

TOKEN_BUDGET = {"cpu": 2048, "cuda": 32768}  # tokens in one forward pass


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


def default_token_budget(device: torch.device) -> int:
    """Tokens of one forward pass that suit a device where nobody says otherwise."""
    return TOKEN_BUDGET["cuda" if device.type == "cuda" else "cpu"]


def equal_length_groups(lengths: Sequence[int], token_budget: int, max_rows: int | None = None) -> list[list[int]]:
    """Indices in groups of exactly equal length, the longest first: a forward pass of such a group needs no padding.

    Args:
        lengths: Tokens of each row.
        token_budget: Most tokens of a group; a row that is longer is a group of its own.
        max_rows: Most rows of a group, at least 1; None: no limit.
    """
    by_length: dict[int, list[int]] = {}
    for index, length in enumerate(lengths):
        by_length.setdefault(length, []).append(index)
    groups = []
    for length in sorted(by_length, reverse=True):
        rows = max(1, token_budget // max(1, length))
        rows = rows if max_rows is None else min(rows, max_rows)
        indices = by_length[length]
        groups += [indices[start : start + rows] for start in range(0, len(indices), rows)]
    return groups


def run_groups(
    function: Callable[[list[int]], torch.Tensor], groups: Sequence[list[int]], *, recompute: bool
) -> torch.Tensor:
    """The values of all groups in one row, one call a group.

    Args:
        function: Gives the values of a group of indices, (num_values,).
        groups: At least one.
        recompute: Where gradients are asked for, keep none of the states of a call but run it again in the backward
            pass: memory for one group instead of all of them.
    """
    if recompute and torch.is_grad_enabled():
        return torch.cat([checkpoint(function, group, use_reentrant=False) for group in groups])
    return torch.cat([function(group) for group in groups])


def restore_order(values: torch.Tensor, order: Sequence[int]) -> torch.Tensor:
    """Undo a permutation: `values[i]` is put at place `order[i]`."""
    return values[torch.argsort(torch.tensor(order, device=values.device))]


def sum_by_text(values: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    """Sums of consecutive values, (len(sizes),): of the first `sizes[0]`, of the next `sizes[1]`, ..."""
    return pad_sequence(values.split(list(sizes)), batch_first=True).sum(-1)
