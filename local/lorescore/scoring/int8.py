"""Linear layers with 8-bit integer weights and activations, for scoring on a CPU.

Weights have a scale for each output, activations one for each token, so a score does not depend on what else is in its
forward pass. Inputs are divided by a smoothing factor for each channel that the weights are multiplied by, as in
SmoothQuant (Xiao et al. 2022, arXiv 2211.10438, eq. 4, strength 0.5): a few channels of a PLM's states are far larger
than the others, and would leave these no digits. Where 8 bits of the activations still cost too much, a second product
takes the next 8 bits (this project's own). Factors and errors are measured on a few sentences that are always the same.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.utils import skip_init
from transformers.pytorch_utils import Conv1D

from lorescore.errors import InputError

CALIBRATION = (
    "He closed the door and went home before the rain began.",
    "Could you tell me where the nearest station is?",
    "The committee will meet again in the second week of March.",
    "I have never seen so many birds in one place.",
    "Prices rose by three percent last year, mostly because of energy.",
    "She played the piano while her brother was reading a book.",
    "Most of the water in the lake comes from melting snow.",
    "When the old king died his youngest son left the country.",
)
LEVELS = 127
MAX_ERROR = 0.015  # relative error of a layer's output at which it gets the second product
SMALLEST = 1e-12


class Int8Linear(nn.Module):
    """A linear layer computed with 8-bit integers.

    Args:
        linear: The layer, in float32.
        inputs: (num_tokens, in_features) what it is given when the PLM reads the calibration sentences.
    """

    smooth: torch.Tensor
    scale: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor | None

    def __init__(self, linear: nn.Linear, inputs: torch.Tensor) -> None:
        super().__init__()
        weight = linear.weight.detach()
        largest_input = inputs.abs().amax(0).clamp_min(1e-5)
        smooth = (largest_input / weight.abs().amax(0).clamp_min(1e-5)).sqrt()
        smoothed = weight * smooth
        scale = smoothed.abs().amax(1).clamp_min(SMALLEST) / LEVELS
        self.register_buffer("smooth", smooth)
        self.register_buffer("scale", scale)
        # Kept as rows of outputs, so that a range of outputs is a view; the product takes its transpose.
        self.register_buffer("weight", (smoothed / scale[:, None]).round().to(torch.int8))
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach())
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.second_product = False
        expected = linear(inputs)
        error = torch.linalg.vector_norm(self(inputs) - expected) / torch.linalg.vector_norm(expected)
        self.second_product = bool(error > MAX_ERROR)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(..., in_features) -> (..., out_features)."""
        return self.part(inputs, 0, self.out_features)

    def part(self, inputs: torch.Tensor, first: int, last: int) -> torch.Tensor:
        """The outputs from `first` to before `last`: (..., in_features) -> (..., last - first)."""
        weight = self.weight[first:last].t()
        rows = inputs.reshape(-1, self.in_features) / self.smooth
        scale = rows.abs().amax(-1, keepdim=True).clamp_min_(SMALLEST).div_(LEVELS)
        rows.div_(scale)
        rounded = rows.round()
        product = torch._int_mm(rounded.to(torch.int8), weight).float()
        if self.second_product:
            rest = rows.sub_(rounded).mul_(2 * LEVELS).round_().to(torch.int8)
            product.add_(torch._int_mm(rest, weight).float(), alpha=1 / (2 * LEVELS))
        product.mul_(scale).mul_(self.scale[first:last])
        if self.bias is not None:
            product.add_(self.bias[first:last])
        return product.view(*inputs.shape[:-1], last - first)


@torch.no_grad()
def quantize(model: nn.Module, read_calibration: Callable[[], object]) -> None:
    """Replace the linear layers of a model.

    Args:
        model: In float32, on a CPU; changed in place.
        read_calibration: Runs the model on `CALIBRATION`.

    Raises:
        InputError: This PyTorch has no 8-bit product, or the model has no linear layers.
    """
    try:
        torch._int_mm(torch.ones(32, 32, dtype=torch.int8), torch.ones(32, 32, dtype=torch.int8))
    except (AttributeError, RuntimeError) as error:
        raise InputError("this PyTorch has no 8-bit matrix product", mend="leave out --quantize int8") from error
    layers = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear | Conv1D)}
    inputs: dict[str, list[torch.Tensor]] = {name: [] for name in layers}
    hooks = []
    for name, layer in layers.items():

        def keep(_: nn.Module, arguments: tuple[torch.Tensor], name: str = name) -> None:
            inputs[name].append(arguments[0].flatten(0, -2).clone())

        hooks.append(layer.register_forward_pre_hook(keep))
    try:
        read_calibration()
    finally:
        for hook in hooks:
            hook.remove()
    if not any(inputs.values()):
        raise InputError("this PLM has no linear layers that could be quantized", mend="leave out --quantize int8")
    for name, layer in layers.items():
        if inputs[name]:
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, Int8Linear(_as_linear(layer), torch.cat(inputs[name])))


def _as_linear(layer: Any) -> nn.Linear:
    """A linear layer as PyTorch has it; GPT-2's stores its weight the other way round."""
    if isinstance(layer, nn.Linear):
        return layer
    num_in, num_out = layer.weight.shape
    linear = skip_init(nn.Linear, num_in, num_out)
    linear.weight.data, linear.bias.data = layer.weight.data.t().contiguous(), layer.bias.data
    return linear
