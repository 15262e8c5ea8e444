"""The state of a training between two steps, and how a fresh one takes it on."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from lorescore.plm.adaptation import Adaptation
from lorescore.scoring.rescorer import trainable_state
from lorescore.training.evaluation import Evaluation, ModelChoice

Parameters = Mapping[str, nn.Parameter]  # the trainable ones, by name


def training_state(
    step: int,
    scorer: nn.Module,
    parameters: Parameters,
    optimizer: Optimizer,
    adaptation: Adaptation,
    choice: ModelChoice,
) -> dict[str, Any]:
    """All that the steps after `step` depend on, as tensors and plain types."""
    return {
        "weights": trainable_state(scorer),
        "best": None if choice.best.step == step else choice.state,  # else they are the weights
        "best_step": choice.best.step,
        "evaluations": [one.to_exact_dict() for one in choice.evaluations],
        "optimizer": {name: dict(optimizer.state.get(one, {})) for name, one in parameters.items()},
        "adaptation": adaptation.state_dict(),
    }


def take_on(
    state: Mapping[str, Any], scorer: nn.Module, parameters: Parameters, optimizer: Optimizer, adaptation: Adaptation
) -> ModelChoice:
    """Bring a training that has not begun into the state of `training_state`; the choice so far."""
    adaptation.load_state_dict(state["adaptation"])
    scorer.load_state_dict(state["weights"], strict=False)
    for name, moments in state["optimizer"].items():
        parameter = parameters[name]
        if moments:  # Adam's count of steps, a number, stays on the CPU
            optimizer.state[parameter] = {
                key: value.to(parameter.device) if isinstance(value, torch.Tensor) and value.dim() else value
                for key, value in moments.items()
            }
    evaluations = [Evaluation.from_exact_dict(one) for one in state["evaluations"]]
    best = state["best"] or trainable_state(scorer)
    return ModelChoice.resumed(evaluations, state["best_step"], best, adaptation.first_choice_step)
