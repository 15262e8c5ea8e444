"""What a strategy does to a PLM and to its training: one interface, which the training loop calls.

An optimizer step, counted from 1, is

    before_step(step)
    gradients of the objective and of regularizer()
    optimizer.step()
    after_step(step, optimizer)     the gradients are still there
    optimizer.zero_grad()

and `finalize` comes once, when the weights are those to be saved. From `adapt` to `finalize` the trainable parameters
are the same objects of the same shapes, whatever happens to the ranks: an optimizer, a copy of the best weights or a
checkpoint of one step fits every other step.
"""

from collections.abc import Mapping
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from torch import nn
from transformers.pytorch_utils import Conv1D

from lorescore.plm.strategy import Strategy

ADAPTER = "default"  # PEFT's name of an only adapter
PREFIX = "base_model.model."  # what PEFT puts before the name of a layer of the PLM


class Adaptation:
    """A strategy at work. This one does nothing beside the training of what `adapt` made trainable.

    Args:
        model: The PLM, or a `peft.PeftModel` around it.
        strategy: The strategy's settings.
    """

    def __init__(self, model: nn.Module, strategy: Strategy) -> None:
        self.model, self.strategy = model, strategy

    @property
    def first_choice_step(self) -> int:
        """The first step, besides step 0, whose weights may be chosen on dev: before it the ranks are not final."""
        return 0

    def before_step(self, step: int) -> None:
        """Called before the first forward pass of a step."""

    def regularizer(self) -> torch.Tensor | None:
        """A term to add to the objective of a step, with gradient; None where the strategy has none."""
        return None

    def after_step(self, step: int, optimizer: torch.optim.Optimizer) -> None:
        """Called after `optimizer.step()`, before the gradients are cleared."""

    def ranks(self) -> dict[str, int]:
        """The rank in use of each adapted layer, by the layer's name in the PLM; empty without low-rank updates."""
        return {name: layer.r[ADAPTER] for name, layer in lora_layers(self.model).items()}

    def trained_parameters(self) -> int:
        """Parameters that the strategy trains, at its final ranks; a scorer's head is not among them."""
        return sum(parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad)

    def state_dict(self) -> dict[str, Any]:
        """What an exactly resumed training needs beside the parameters: tensors and plain YAML types."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave; the parameters are loaded separately, before or after."""

    def finalize(self) -> None:
        """Bring the model into the form in which it is saved; its function stays."""


def lora_layers(model: nn.Module) -> dict[str, Any]:
    """PEFT's `LoraLayer`s by the adapted layer's name in the PLM, in the order of the model."""
    return {name.removeprefix(PREFIX): part for name, part in model.named_modules() if isinstance(part, LoraLayer)}


def stores_transposed(model: nn.Module) -> bool:
    """Whether the PLM's layers are GPT-2's `Conv1D`, which PEFT wants to be told: their weight is (inputs, outputs)."""
    return any(isinstance(part, Conv1D) for part in model.modules())


def replace_factors(model: Any, factors: Mapping[str, tuple[torch.Tensor, torch.Tensor]], alpha: float) -> None:
    """Give every LoRA layer other factors, of one rank that may differ from the present one.

    Args:
        model: A `peft.PeftModel` with LoRA.
        factors: A (rank, inputs) and B (outputs, rank) of each of `lora_layers`.
        alpha: The updates become alpha / rank x B A.
    """
    alpha = int(alpha) if float(alpha).is_integer() else alpha
    config = model.peft_config[ADAPTER]
    for name, layer in lora_layers(model).items():
        a, b = factors[name]
        rank = len(a)
        for linear, weight in ((layer.lora_A[ADAPTER], a), (layer.lora_B[ADAPTER], b)):
            linear.out_features, linear.in_features = weight.shape
            linear.weight = nn.Parameter(weight.detach().clone().contiguous())
        layer.r[ADAPTER], layer.lora_alpha[ADAPTER], layer.scaling[ADAPTER] = rank, alpha, alpha / rank
        config.r, config.lora_alpha = rank, alpha
    config.init_lora_weights = True  # PEFT is not to decompose the PLM's weights again when it loads the factors
