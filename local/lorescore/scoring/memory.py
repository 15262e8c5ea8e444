"""How many tokens one forward pass takes: from the device and its free memory; fewer after the allocator has failed."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import psutil
import torch
from transformers import PreTrainedModel

from lorescore.errors import InputError
from lorescore.scoring.batches import Encoded, batches_by_size, default_token_budget

logger = logging.getLogger(__name__)

FREE_SHARE = 0.5  # of the free memory that a forward pass may take
MIN_TOKEN_BUDGET = 16
# Numbers of a token that a layer holds at once: eight vectors as wide as the state (residual, norm, queries, keys,
# values, attention's output), three as wide as the feed-forward layer, and its line of the mask; the latter two are in
# the type of the products.
STATE_VECTORS, FEED_FORWARD_VECTORS, MASK_LINE = 8, 3, 1024
# What PyTorch's CPU allocator says, and oneDNN where it cannot map memory for a kernel: neither has an error type.
CPU_ALLOCATORS = ("can't allocate memory", "not enough memory", "could not create a primitive")

Result = TypeVar("Result")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is an allocator's."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in CPU_ALLOCATORS)


def token_budget_for(model: PreTrainedModel, device: torch.device, products: torch.dtype = torch.float32) -> int:
    """Tokens of one forward pass without gradients: what suits the device, less where its free memory is small.

    Args:
        model: The PLM.
        device: Where it is.
        products: Type of the matrix products; states are float32.
    """
    config = model.config.get_text_config()
    hidden = getattr(config, "hidden_size", None) or 1024
    inner = getattr(config, "intermediate_size", None) or 4 * hidden
    inner = max(inner) if isinstance(inner, list | tuple) else inner  # Gemma 3n has one a layer
    products_of_token = FEED_FORWARD_VECTORS * inner + MASK_LINE
    token_bytes = torch.float32.itemsize * STATE_VECTORS * hidden + products.itemsize * products_of_token
    fits = int(FREE_SHARE * _free_bytes(device)) // token_bytes
    return max(MIN_TOKEN_BUDGET, min(default_token_budget(device), fits))


def in_batches(
    encoded: Sequence[Encoded], token_budget: int, compute: Callable[[list[int], int], Result], num_passes: int = 1
) -> Iterator[tuple[list[int], Result]]:
    """Compute something of every list, batch by batch; a batch that does not fit into the memory is halved.

    Args:
        encoded: The lists.
        token_budget: Tokens of a forward pass, to begin with.
        compute: Takes a batch (indices of its lists) and the tokens that one forward pass may have.
        num_passes: Forward passes that a batch has tokens for.

    Yields:
        Each batch with what was computed.

    Raises:
        InputError: Not even the smallest batch fits.
    """
    left = batches_by_size(encoded, num_passes * token_budget)
    while left:
        batch = left[0]
        try:
            result = compute(batch, token_budget)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        else:
            left = left[1:]
            yield batch, result
            continue
        # Past the handler, when nothing holds the tensors of the failed attempt any more.
        token_budget = halved(token_budget)
        waiting = sorted(index for one in left for index in one)
        batches = batches_by_size([encoded[index] for index in waiting], num_passes * token_budget)
        left = [[waiting[position] for position in one] for one in batches]


def halved(token_budget: int) -> int:
    """A token budget after the allocator has failed.

    Raises:
        InputError: It was the smallest.
    """
    if token_budget <= MIN_TOKEN_BUDGET:
        raise InputError(
            f"out of memory with {token_budget} tokens in a forward pass", mend="free some memory or take a smaller PLM"
        )
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    budget = max(MIN_TOKEN_BUDGET, token_budget // 2)
    logger.warning("out of memory: at most %d tokens a forward pass from here on", budget)
    return budget


def _free_bytes(device: torch.device) -> int:
    """Memory of a device that can be had: with what PyTorch keeps of a GPU's, and the system of the CPU's, unused."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    return int(psutil.virtual_memory().available)
