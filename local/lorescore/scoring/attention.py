"""Attention over trees that stand one after the other in a single row: block by block, without padding.

A mask over the whole row would cost its length squared, rows of equal length cost padding. So a PLM on a CPU gets an
attention of this project's through transformers' `AttentionInterface`: it cuts the row into blocks (`scoring.packing`)
and computes the scaled dot product of each, with the keys that the block sees. Outside of `over_blocks` it is
transformers' own `sdpa`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from lorescore.plm import onednn

NAME = "lorescore_blocks"
ONEDNN_ROWS = 192  # of a head's product, from which on oneDNN's is worth a call of its own

Blocks = Sequence[tuple[slice, slice | torch.Tensor, torch.Tensor]]
_blocks: ContextVar[Blocks | None] = ContextVar("blocks", default=None)


@contextmanager
def over_blocks(blocks: Blocks) -> Iterator[None]:
    """Attention over the blocks of a row.

    Args:
        blocks: Of each the tokens that look, all together the whole row in order; the tokens that they look at, as a
            slice or (m,) indices; and what each of them sees, (num_queries, m), as numbers to add to the attention's
            scores.
    """
    token = _blocks.set(blocks)
    try:
        yield
    finally:
        _blocks.reset(token)


def use_block_attention(model: PreTrainedModel) -> bool:
    """Give a model the attention of this module, where it has `sdpa`; whether it has it now."""
    config = model.config.get_text_config()
    if config._attn_implementation == "sdpa":
        AttentionInterface.register(NAME, _attention)
        AttentionMaskInterface.register(NAME, sdpa_mask)
        model.set_attn_implementation(NAME)
    return config._attn_implementation == NAME


def _attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """What transformers calls: (1, heads, length, size) each; gives (1, length, heads, size)."""
    blocks = _blocks.get()
    if blocks is None:
        output, _ = sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **kwargs)
        return output, None
    if kwargs.get("softcap") is not None or kwargs.get("position_bias") is not None:
        raise NotImplementedError("attention over blocks has neither a soft cap nor a position bias")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if torch.is_grad_enabled() or dropout or query.device.type != "cpu" or query.dtype != torch.float32:
        outputs = _fused(query, key, value, blocks, dropout, scale)
    else:
        outputs = _in_steps(query, key, value, blocks, scale)
    return torch.cat(outputs, dim=2).transpose(1, 2), None


def _fused(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, blocks: Blocks, dropout: float, scale: float
) -> list[torch.Tensor]:
    """PyTorch's kernel on each block, which keeps no weights for the gradients."""
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    return [
        functional.scaled_dot_product_attention(
            query[:, :, queries], key[:, :, keys], value[:, :, keys], attn_mask=mask, dropout_p=dropout, scale=scale
        )
        for queries, keys, mask in blocks
    ]


def _in_steps(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, blocks: Blocks, scale: float
) -> list[torch.Tensor]:
    """Products and softmax one after the other, a third faster than the kernel on a CPU: blocks are small.

    The heads that share a key stand below each other, as the rows of one product.
    """
    heads, groups = key.shape[1], query.shape[1] // key.shape[1]
    queries_of_heads, keys_of_heads, values_of_heads = query[0] * scale, key[0].contiguous(), value[0].contiguous()
    outputs = []
    for queries, keys, mask in blocks:
        rows = queries_of_heads[:, queries].reshape(heads, -1, query.shape[-1])
        seen = _products(rows, keys_of_heads[:, keys])
        seen.view(heads, groups, *mask.shape).add_(mask)
        summed = _products(seen.softmax(-1), values_of_heads[:, keys].transpose(1, 2))
        outputs.append(summed.view(1, query.shape[1], len(mask), -1))
    return outputs


def _products(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """(heads, n, k), (heads, m, k) -> (heads, n, m): where oneDNN is faster, larger ones by it, head by head."""
    if onednn.is_faster() and left.shape[1] >= ONEDNN_ROWS:
        return torch.stack([onednn.linear(one, other, None) for one, other in zip(left, right, strict=True)])
    return left @ right.transpose(1, 2)
