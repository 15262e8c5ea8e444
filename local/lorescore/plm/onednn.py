"""Float32 products by oneDNN, where those that PyTorch would take are slow.

PyTorch multiplies float32 matrices with MKL on x86, which keeps its best kernels for Intel's processors: on AMD's with
AVX-512 it reaches less than half of the rate of oneDNN, which PyTorch brings along for other types of numbers (measured
in tests/benchmarks/RESULTS.md). So the linear layers of a PLM call oneDNN there, in scoring and in training. What they
give differs in the order of summation alone; elsewhere, on a GPU and in autocast they are what they were.
"""

from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

CPUINFO = Path("/proc/cpuinfo")
VENDOR = "AuthenticAMD"


@cache
def is_faster() -> bool:
    """Whether oneDNN's products are the faster ones here: PyTorch has MKL and oneDNN, and the CPU is AMD's."""
    return (
        torch.backends.mkl.is_available()
        and torch.backends.mkldnn.is_available()
        and torch.backends.cpu.get_cpu_capability().startswith("AVX512")
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and CPUINFO.is_file()
        and VENDOR in CPUINFO.read_text(encoding="utf-8", errors="replace")
    )


def use_onednn(model: nn.Module) -> None:
    """Let the linear layers of a model compute by oneDNN where that is faster; weights and names stay as they are."""
    if is_faster():
        for layer in model.modules():
            if type(layer) in _BY_ONEDNN:
                layer.__class__ = _BY_ONEDNN[type(layer)]


@torch.no_grad()
def store_by_columns(model: PreTrainedModel) -> None:
    """Store the weights of linear layers by columns, for scoring on a CPU: oneDNN takes products of few rows faster so.

    A fifth faster for 256 rows, 3 % for 1,024. The vocabulary projection stays as it is: its weight is mostly that of
    the embeddings, and it is taken in blocks of rows.
    """
    projection = model.get_output_embeddings()
    for layer in model.modules():
        if isinstance(layer, OneDnnLinear) and layer is not projection and layer.weight.device.type == "cpu":
            layer.weight.data = layer.weight.t().contiguous().t()


def linear(inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """`torch.nn.functional.linear` by oneDNN, with PyTorch's own where the tensors are not float32 on a CPU.

    Args:
        inputs: (..., in_features).
        weight: (out_features, in_features), in any strides.
        bias: (out_features,) or None.

    Returns:
        (..., out_features).
    """
    tensors = [inputs, weight, *([] if bias is None else [bias])]
    on_cpu = all(one.device.type == "cpu" and one.dtype == torch.float32 for one in tensors)
    if not on_cpu or torch.is_autocast_enabled("cpu") or not inputs.numel():
        return functional.linear(inputs, weight, bias)
    rows = inputs.reshape(-1, inputs.shape[-1])
    with_gradients = torch.is_grad_enabled() and any(one.requires_grad for one in tensors)
    outputs: torch.Tensor = (_Linear.apply if with_gradients else _product)(rows, weight, bias)
    return outputs.view(*inputs.shape[:-1], len(weight))


class OneDnnLinear(nn.Linear):
    """A linear layer by oneDNN."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(..., in_features) -> (..., out_features)."""
        return linear(inputs, self.weight, self.bias)

    def part(self, inputs: torch.Tensor, first: int, last: int) -> torch.Tensor:
        """The outputs from `first` to before `last`: (..., in_features) -> (..., last - first)."""
        return linear(inputs, self.weight[first:last], None if self.bias is None else self.bias[first:last])


class OneDnnConv1D(Conv1D):
    """GPT-2's linear layer, whose weight is stored the other way round, by oneDNN."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(..., in_features) -> (..., out_features)."""
        return linear(inputs, self.weight.t(), self.bias)


_BY_ONEDNN: dict[type[nn.Module], type[nn.Module]] = {nn.Linear: OneDnnLinear, Conv1D: OneDnnConv1D}


class _Linear(torch.autograd.Function):
    """The product and its gradients: dL/dx = g W, dL/dW = g^T x, dL/db = the sum of g."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        ctx.save_for_backward(rows if ctx.needs_input_grad[1] else None, weight)
        return _product(rows, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        rows, weight = ctx.saved_tensors
        of_rows, of_weight, of_bias = ctx.needs_input_grad
        return (
            _product(gradient, weight.t(), None) if of_rows else None,
            _product(gradient.t(), rows.t(), None) if of_weight else None,
            gradient.sum(0) if of_bias else None,
        )


def _product(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """(rows, k), (n, k), (n,) -> (rows, n): the operator that `torch.compile` puts in for linear layers."""
    if not (weight.is_contiguous() or weight.t().is_contiguous()):
        weight = weight.contiguous()  # of other strides oneDNN has its reference code alone, a thousand times slower
    product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
    return product
