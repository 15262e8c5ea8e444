"""A few steps of training for the tests of the strategies: tiny PLMs, a loss of their own, the calls of the loop."""

from collections.abc import Iterable
from typing import Any

import torch
from plm_models import CAUSAL, ENCODERS
from torch import nn
from transformers import AutoModel, AutoModelForCausalLM

from lorescore.plm.adaptation import Adaptation

TOKENS = torch.tensor([[1, 5, 6, 7, 9, 4]])
TARGETS = {
    "llama": ("q_proj", "v_proj", "down_proj"),
    "gpt2": ("c_attn", "c_proj"),
    "bert": ("query", "value", "dense"),
}


def frozen(family: str = "llama") -> nn.Module:
    """A PLM with the same random weights at every call."""
    torch.manual_seed(0)
    if family in ENCODERS:
        return AutoModel.from_config(ENCODERS[family], add_pooling_layer=False).requires_grad_(False).eval()
    return AutoModelForCausalLM.from_config(CAUSAL[family]).requires_grad_(False).eval()


def outputs(model: nn.Module) -> torch.Tensor:
    """What the PLM gives for TOKENS: logits or states, (1, tokens, ...)."""
    result: Any = model(input_ids=TOKENS)
    values: torch.Tensor = result.logits if hasattr(result, "logits") else result.last_hidden_state
    return values


def new_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW([parameter for parameter in model.parameters() if parameter.requires_grad], lr=3e-2)


def gradients(adaptation: Adaptation, step: int) -> None:
    """The gradients of a step, whose loss differs from step to step."""
    adaptation.before_step(step)
    loss = outputs(adaptation.model)[0, :, step % 16].sum()
    term = adaptation.regularizer()
    (loss if term is None else loss + term).backward()


def train(adaptation: Adaptation, optimizer: torch.optim.Optimizer, steps: Iterable[int]) -> None:
    """Steps in the order of the training loop."""
    for step in steps:
        gradients(adaptation, step)
        optimizer.step()
        adaptation.after_step(step, optimizer)
        optimizer.zero_grad(set_to_none=True)
