"""How scores are computed: the numbers' type, quantisation, history merging."""

import warnings
from dataclasses import dataclass

import torch
from torch import nn

from lorescore.choices import require_choice
from lorescore.errors import InputError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
AUTO = "auto"
QUANTIZATIONS = ("", "int8")


@dataclass(frozen=True)
class ScoringOptions:
    """How scores are computed.

    Attributes:
        dtype: `fp32`, `bf16`, or `auto`: bf16 on a GPU that has it, else fp32.
        quantize: `int8`: linear layers with 8-bit weights and activations, on a CPU; empty: none. An activation's scale
            is that of its forward pass, so that scores move a little with the batch.
        history: `clm`: merge the states of a list whose last so many tokens agree (`prefix_tree`); None: exact scores.
    """

    dtype: str = AUTO
    quantize: str = ""
    history: int | None = None

    def __post_init__(self) -> None:
        require_choice("--dtype", self.dtype, [AUTO, *DTYPES])
        require_choice("--quantize", self.quantize, QUANTIZATIONS)
        if self.history is not None and self.history < 1:
            raise InputError(f"--history is {self.history}, expected 1 or more", mend="leave it out for exact scores")
        if self.quantize and self.dtype == "bf16":
            raise InputError("--quantize int8 goes with fp32", mend="leave out --dtype bf16")

    def torch_dtype(self, device: torch.device) -> torch.dtype:
        """The numbers' type on a device."""
        if self.dtype != AUTO:
            return DTYPES[self.dtype]
        if device.type == "cuda" and not self.quantize and torch.cuda.is_bf16_supported():
            return torch.bfloat16
        return torch.float32

    def describe(self, device: torch.device) -> str:
        """What scores on a device depend on, besides the rescorer and the text: `float32`, `int8 history=4`, ..."""
        numbers = self.quantize or str(self.torch_dtype(device)).removeprefix("torch.")
        return numbers if self.history is None else f"{numbers} history={self.history}"


def quantized(model: nn.Module, device: torch.device) -> nn.Module:
    """A model whose linear layers compute with 8-bit integers, by PyTorch's dynamic quantisation.

    Raises:
        InputError: The device is no CPU, this PyTorch has no such layers, or the model has none that could be replaced.
    """
    if device.type != "cpu":
        raise InputError(f"--quantize int8 is for a CPU, this is {device.type}", mend="leave it out: bf16 is used here")
    try:
        from torch.ao.nn.quantized.dynamic import Linear
        from torch.ao.quantization import (
            PerChannelMinMaxObserver,
            QConfig,
            default_dynamic_quant_observer,
            quantize_dynamic,
        )
    except ImportError as error:
        raise InputError("this PyTorch has no dynamic quantisation", mend="leave out --quantize int8") from error
    # A scale for each output of a layer: one scale for a whole vocabulary projection costs accuracy.
    weights = PerChannelMinMaxObserver.with_args(dtype=torch.qint8, qscheme=torch.per_channel_symmetric)
    config = QConfig(activation=default_dynamic_quant_observer, weight=weights)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        replaced = quantize_dynamic(model, {nn.Linear: config}, inplace=True)
    if not any(isinstance(module, Linear) for module in replaced.modules()):
        raise InputError("this PLM has no linear layers that could be quantized", mend="leave out --quantize int8")
    return replaced
