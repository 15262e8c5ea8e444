"""AdaLoRA in a loop with an objective of its own: orthogonality, allocation, budget."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import pytest
import torch
from torch import nn

from lorescore.nbest import NbestSet
from lorescore.plm import adalora
from lorescore.plm.strategies import adapt
from lorescore.plm.strategy import Strategy
from lorescore.scoring.rescorer import Rescorer
from lorescore.training.data import training_lists
from lorescore.training.loop import train_rescorer
from lorescore.training.settings import TrainingSettings
from lorescore.training.trainer import Trainer

Item = TypeVar("Item")
FreshRescorer = Callable[..., Rescorer]
SETTINGS = TrainingSettings(epochs=2, lists_per_step=4, evaluations=12, score_scale=1.0, lm_loss=0.1)
STRATEGY = Strategy("adalora", rank=2, init_rank=4, alpha=8, learning_rate=1e-1)


class Layer(nn.Module):
    """Parameters named as PEFT names an AdaLoRA layer's."""

    def __init__(self, a: torch.Tensor, b: torch.Tensor) -> None:
        super().__init__()
        self.lora_A = nn.ParameterDict({"default": nn.Parameter(a)})
        self.lora_B = nn.ParameterDict({"default": nn.Parameter(b)})
        self.lora_E = nn.ParameterDict({"default": nn.Parameter(torch.ones(len(a), 1))})


def test_orthogonality_by_hand() -> None:
    # Q Q' - I = 0; P'P - I = 3 I of size 2, whose Frobenius norm is 3 sqrt 2. The mean of the two.
    layer = Layer(a=torch.eye(2, 3), b=2 * torch.eye(4, 2))
    assert adalora.orthogonality(layer).item() == pytest.approx(3 * math.sqrt(2) / 2)


def test_ranks_move_between_layers_and_meet_the_budget_exactly(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet
) -> None:
    result = train_rescorer(fresh_rescorer(), train_lists, dev_lists, STRATEGY, SETTINGS)
    totals = [sum(one.ranks.values()) for one in result.evaluations]
    layers = len(result.evaluations[0].ranks)
    assert layers == 14  # two transformer layers with q, k, v, o, gate, up, down
    assert totals[0] == STRATEGY.init_rank * layers
    assert totals == sorted(totals, reverse=True)
    budget_step = 12 - round(12 * STRATEGY.final_share)
    assert set(totals[budget_step:]) == {STRATEGY.rank * layers}
    assert any(STRATEGY.rank * layers < total < STRATEGY.init_rank * layers for total in totals)
    final = result.evaluations[-1].ranks
    assert len(set(final.values())) > 1
    assert final == result.evaluations[budget_step].ranks
    assert all(name.startswith("model.layers.") and name.endswith("_proj") for name in final)


def test_masked_ranks_have_no_part_in_the_function(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet
) -> None:
    rescorer = fresh_rescorer()
    result = train_rescorer(rescorer, train_lists, dev_lists, STRATEGY, SETTINGS)
    assert result.best.step > 0
    singular_values = [p for name, p in rescorer.scorer.named_parameters() if ".lora_E." in name]
    assert [int((values != 0).sum()) for values in singular_values] == list(result.best.ranks.values())


def first_gradients(rescorer: Rescorer, train: NbestSet, dev: NbestSet, strategy: Strategy) -> dict[str, torch.Tensor]:
    """The gradients of the adapter in the first step, before they are clipped."""
    lists = training_lists(rescorer, train, with_reference=False)
    adaptation = adapt(rescorer.scorer.model, strategy, ("q_proj", "v_proj"), total_steps=12, seed=1)
    rescorer.scorer.model = adaptation.model
    first: dict[str, torch.Tensor] = {}
    done = False

    def keep(name: str, parameter: torch.Tensor) -> None:
        if not done:
            assert parameter.grad is not None
            first[name] = parameter.grad.clone()

    for name, parameter in rescorer.scorer.model.named_parameters():
        if parameter.requires_grad:
            parameter.register_post_accumulate_grad_hook(lambda p, name=name: keep(name, p))

    def watch(items: Sequence[Item], part: str) -> Iterator[Item]:
        nonlocal done
        for item in items:
            yield item
            done = done or part == "training"

    Trainer(rescorer, adaptation, lists, dev, SETTINGS).train(watch)
    return first


def test_the_orthogonality_term_is_in_the_gradient(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet
) -> None:
    without = first_gradients(fresh_rescorer(), train_lists, dev_lists, replace(STRATEGY, orthogonality=0.0))
    with_term = first_gradients(fresh_rescorer(), train_lists, dev_lists, replace(STRATEGY, orthogonality=0.5))
    fresh = fresh_rescorer()
    model = adapt(fresh.scorer.model, STRATEGY, ("q_proj", "v_proj"), 12, seed=1).model
    adalora.orthogonality(model).backward()
    own = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert set(without) == set(with_term) == set(own)
    for name, gradient in with_term.items():
        if ".lora_E." in name:  # the term does not concern the singular values
            torch.testing.assert_close(gradient, without[name], rtol=0, atol=1e-6)
        else:
            torch.testing.assert_close(gradient - without[name], 0.5 * own[name], rtol=0, atol=1e-6)
            assert own[name].abs().max() > 1e-4


def test_the_term_keeps_the_singular_vectors_orthogonal(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet
) -> None:
    distances = []
    for weight in (0.0, 1.0):
        rescorer = fresh_rescorer()
        train_rescorer(rescorer, train_lists, dev_lists, replace(STRATEGY, orthogonality=weight), SETTINGS)
        distances.append(adalora.orthogonality(rescorer.scorer.model).item())
    assert distances[1] < 0.8 * distances[0]
