"""Attention over blocks: of each block what PyTorch's own attention gives, by MKL's products and by oneDNN's."""

import pytest
import torch
from torch.nn import functional

from lorescore.plm import onednn
from lorescore.scoring import attention
from lorescore.scoring.attention import ONEDNN_ROWS

SIZE = 8
SCALE = SIZE**-0.5


@pytest.mark.skipif(not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="this PyTorch has no oneDNN")
@pytest.mark.parametrize("is_faster", [True, False])
@pytest.mark.parametrize(("heads", "groups"), [(2, 3), (3, 1)])
def test_blocks_in_steps_equal_pytorchs_attention(
    heads: int, groups: int, is_faster: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onednn, "is_faster", lambda: is_faster)
    torch.manual_seed(0)
    lengths = (ONEDNN_ROWS // groups + 3, 5, ONEDNN_ROWS // groups)
    total = sum(lengths)
    # Heads and tokens swapped, as a projection gives them.
    query = torch.randn(1, total, heads * groups, SIZE).transpose(1, 2)
    key, value = (torch.randn(1, total, heads, SIZE).transpose(1, 2) for _ in range(2))
    blocks, first = [], 0
    for index, length in enumerate(lengths):
        keys = slice(first, first + length) if index < 2 else torch.arange(first - 4, first + length)
        width = length if index < 2 else length + 4
        seen = torch.rand(length, width) < 0.5
        seen[:, 0] = True
        mask = torch.zeros(length, width).masked_fill_(~seen, torch.finfo(torch.float32).min)
        blocks.append((slice(first, first + length), keys, mask))
        first += length
    with torch.no_grad():
        found = attention._in_steps(query, key, value, blocks, SCALE)
    for output, (queries, keys, mask) in zip(found, blocks, strict=True):
        alike = [one[:, :, keys].repeat_interleave(groups, dim=1) for one in (key, value)]
        expected = functional.scaled_dot_product_attention(query[:, :, queries], *alike, attn_mask=mask, scale=SCALE)
        torch.testing.assert_close(output, expected, rtol=1e-5, atol=1e-5)
