"""Log-probabilities of tokens from a PLM's states, without the logits of all states at once.

States go through the vocabulary projection in chunks, and on a CPU each chunk in blocks of the vocabulary, whose logits
stay in the cache between the product and the sum of their exponentials.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from lorescore.plm.onednn import OneDnnLinear
from lorescore.scoring.int8 import Int8Linear

# Positions whose logits over the vocabulary are held at once, where a PLM gives those of all positions of a forward
# pass: 1,024 x 30,522 float32 are 125 MB.
PROJECTED_POSITIONS = 1024
CHUNK_STATES = 512
# In blocks 16 MB of logits are there at once, and a product of more states is faster.
CHUNK_STATES_IN_BLOCKS = 1024
BLOCK_TOKENS = 4096


def log_probs(
    projection: nn.Module, cap: float | None, states: torch.Tensor, rows: np.ndarray, targets: np.ndarray
) -> torch.Tensor:
    """log softmax(projection(states))[rows, targets].

    Args:
        projection: (num_states, hidden) -> (num_states, vocabulary).
        cap: The bound that Gemma 2 puts on its logits; None: none.
        states: (num_states, hidden).
        rows: (n,) indices of states, in ascending order.
        targets: (n,) token ids.

    Returns:
        (n,), float32. With gradients the logits are computed anew in the backward pass rather than kept.
    """
    chunks = []
    # With gradients the logits of all blocks of a chunk are kept.
    size = CHUNK_STATES_IN_BLOCKS if _in_blocks(projection, states) and not torch.is_grad_enabled() else CHUNK_STATES
    all_rows, all_targets = (torch.from_numpy(one).to(states.device) for one in (rows, targets))
    for first in range(0, len(states), size):
        begin, end = np.searchsorted(rows, [first, first + size]).tolist()
        if begin == end:
            continue
        row, target = all_rows[begin:end] - first, all_targets[begin:end]
        arguments = (projection, cap, states[first : first + size], row, target)
        if torch.is_grad_enabled():
            chunks.append(checkpoint(_chunk_log_probs, *arguments, use_reentrant=False))
        else:
            chunks.append(_chunk_log_probs(*arguments))
    return torch.cat(chunks)


def _chunk_log_probs(
    projection: nn.Module, cap: float | None, states: torch.Tensor, row: torch.Tensor, target: torch.Tensor
) -> torch.Tensor:
    """The same for one chunk of states."""
    if not _in_blocks(projection, states):
        logits = _capped(projection(states), cap)
        return logits[row, target] - torch.logsumexp(logits, dim=-1)[row]
    sums, found, places = [], [], []
    for first, block in _blocks(projection, states):
        logits = _capped(block, cap)
        sums.append(_logsumexp(logits))
        inside = ((target >= first) & (target < first + logits.shape[1])).nonzero().squeeze(-1)
        found.append(logits[row[inside], target[inside] - first])
        places.append(inside)
    total = torch.logsumexp(torch.stack(sums), dim=0)
    return torch.cat(found)[torch.argsort(torch.cat(places))] - total[row]


def _logsumexp(logits: torch.Tensor) -> torch.Tensor:
    """(n, tokens) -> (n,): without gradients by PyTorch's fused log_softmax, in two thirds of logsumexp's time."""
    if torch.is_grad_enabled():
        return torch.logsumexp(logits, dim=-1)
    return logits.amax(dim=-1) - torch.log_softmax(logits, dim=-1).amax(dim=-1)


def _in_blocks(projection: nn.Module, states: torch.Tensor) -> bool:
    """Whether logits are computed in blocks of the vocabulary.

    That does not pay on a GPU, and a layer of another kind, or one with hooks, has to be called as a whole.
    """
    plain = type(projection) in (nn.Linear, OneDnnLinear, Int8Linear) and not projection._forward_pre_hooks
    return plain and states.device.type == "cpu"


def _capped(logits: torch.Tensor, cap: float | None) -> torch.Tensor:
    logits = logits.float()
    return logits if cap is None else cap * torch.tanh(logits / cap)


def _blocks(projection: nn.Module, states: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
    """Logits by blocks of the vocabulary, each with its first token."""
    assert isinstance(projection, nn.Linear | Int8Linear)
    for first in range(0, projection.out_features, BLOCK_TOKENS):
        last = min(first + BLOCK_TOKENS, projection.out_features)
        if isinstance(projection, Int8Linear | OneDnnLinear):
            yield first, projection.part(states, first, last)
        else:
            bias = None if projection.bias is None else projection.bias[first:last]
            yield first, functional.linear(states, projection.weight[first:last], bias)
