"""High-rank warm-up: the truncation is the best approximation, and training goes on at the lower rank."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_training import TARGETS, frozen, gradients, new_optimizer, outputs, train

from lorescore.errors import InputError
from lorescore.plm.adaptation import ADAPTER, lora_layers
from lorescore.plm.strategies import adapt
from lorescore.plm.strategy import Strategy
from lorescore.plm.warmup import Warmup, best_approximation

RANK, INIT_RANK, NUM_STEPS, SWITCH_STEP = 2, 6, 10, 4
STRATEGY = Strategy("warmup", rank=RANK, init_rank=INIT_RANK, alpha=8, warmup_share=0.4)


def warmup(total_steps: int = NUM_STEPS) -> Warmup:
    adaptation = adapt(frozen(), STRATEGY, TARGETS["llama"], total_steps, seed=1)
    assert isinstance(adaptation, Warmup)
    return adaptation


def updates(adaptation: Warmup) -> dict[str, torch.Tensor]:
    """What each layer adds to its weight."""
    layers = lora_layers(adaptation.model).items()
    return {name: layer.get_delta_weight(ADAPTER).detach().clone() for name, layer in layers}


def test_the_best_approximation_by_hand() -> None:
    # The product is diag(1, 9, 4), of which the rank 2 keeps 9 and 4.
    b, a = best_approximation(torch.diag(torch.tensor([1.0, 3.0, 4.0])), torch.diag(torch.tensor([1.0, 3.0, 1.0])), 2)
    torch.testing.assert_close(b @ a, torch.diag(torch.tensor([0.0, 9.0, 4.0])))
    torch.testing.assert_close(b.abs(), torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 2.0]]))
    torch.testing.assert_close(a.abs(), b.abs().T)


@given(
    outputs=st.integers(1, 9),
    inputs=st.integers(1, 9),
    n=st.integers(1, 6),
    rank=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_the_error_is_the_singular_values_left_out(outputs: int, inputs: int, n: int, rank: int, seed: int) -> None:
    rank = min(rank, n)
    generator = torch.Generator().manual_seed(seed)
    b, a = torch.randn(outputs, n, generator=generator), torch.randn(n, inputs, generator=generator)
    new_b, new_a = best_approximation(b, a, rank)
    assert (new_b.shape, new_a.shape) == ((outputs, rank), (rank, inputs))
    tail = torch.linalg.svdvals((b @ a).double())[rank:].norm()
    torch.testing.assert_close((b @ a - new_b @ new_a).double().norm(), tail, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(new_b.T @ new_b, new_a @ new_a.T, rtol=1e-4, atol=1e-4)  # balanced


def test_the_truncation_of_a_model_is_the_best_approximation_of_each_update() -> None:
    adaptation = warmup()
    optimizer = new_optimizer(adaptation.model)
    train(adaptation, optimizer, range(1, SWITCH_STEP))
    gradients(adaptation, SWITCH_STEP)
    optimizer.step()
    before = updates(adaptation)
    adaptation.after_step(SWITCH_STEP, optimizer)
    for name, update in updates(adaptation).items():
        values = torch.linalg.svdvals(before[name].double())
        assert values[RANK] > 1e-3 * values[0]  # there is something to cut off
        error = (update - before[name]).double().norm().item()
        assert error == pytest.approx(values[RANK:].norm().item(), rel=1e-4)
        kept = torch.linalg.svdvals(update.double())
        torch.testing.assert_close(kept[:RANK], values[:RANK], rtol=1e-5, atol=1e-7)
        assert kept[RANK] < 1e-6 * kept[0]
    # The moments were those of other numbers.
    assert not optimizer.state


def test_updates_of_the_lower_rank_keep_the_function() -> None:
    adaptation = warmup()
    with torch.no_grad():
        for layer in lora_layers(adaptation.model).values():
            layer.lora_B[ADAPTER].weight[:, 3:5] = torch.randn_like(layer.lora_B[ADAPTER].weight[:, 3:5])
    before = outputs(adaptation.model)
    assert (before - outputs(frozen())).abs().max() > 1
    adaptation.after_step(SWITCH_STEP, new_optimizer(adaptation.model))
    torch.testing.assert_close(outputs(adaptation.model), before, rtol=0, atol=1e-4)


def test_training_goes_on_at_the_lower_rank() -> None:
    adaptation = warmup()
    optimizer = new_optimizer(adaptation.model)
    assert adaptation.first_choice_step == SWITCH_STEP
    train(adaptation, optimizer, range(1, SWITCH_STEP))
    assert set(adaptation.ranks().values()) == {INIT_RANK}
    train(adaptation, optimizer, [SWITCH_STEP])
    assert set(adaptation.ranks().values()) == {RANK}
    truncated = updates(adaptation)
    train(adaptation, optimizer, range(SWITCH_STEP + 1, NUM_STEPS + 1))
    for name, update in updates(adaptation).items():
        assert (update - truncated[name]).abs().max() > 1e-3
        values = torch.linalg.svdvals(update.double())
        assert values[RANK - 1] > 1e-3 * values[0] and values[RANK] < 1e-6 * values[0]
    trained = outputs(adaptation.model)
    adaptation.finalize()
    torch.testing.assert_close(outputs(adaptation.model), trained, rtol=0, atol=1e-5)
    for layer in lora_layers(adaptation.model).values():
        assert layer.lora_A[ADAPTER].weight.shape == (RANK, layer.in_features)
        assert layer.lora_B[ADAPTER].weight.shape == (layer.out_features, RANK)
    config = adaptation.model.peft_config[ADAPTER]
    assert (config.r, config.lora_alpha) == (RANK, STRATEGY.alpha)


def test_the_parameters_fit_all_along() -> None:
    # The weights before the first step, put back after the last: they may be the best on dev.
    adaptation = warmup()
    start = {name: p.detach().clone() for name, p in adaptation.model.named_parameters() if p.requires_grad}
    train(adaptation, new_optimizer(adaptation.model), range(1, NUM_STEPS + 1))
    adaptation.model.load_state_dict(start, strict=False)
    adaptation.finalize()
    torch.testing.assert_close(outputs(adaptation.model), outputs(frozen()), rtol=0, atol=0)


def test_a_model_that_never_came_to_the_switch_is_truncated_at_the_end() -> None:
    adaptation = warmup()
    train(adaptation, new_optimizer(adaptation.model), range(1, SWITCH_STEP))
    before = updates(adaptation)
    adaptation.finalize()
    for name, update in updates(adaptation).items():
        tail = torch.linalg.svdvals(before[name].double())[RANK:].norm().item()
        assert (update - before[name]).norm().item() == pytest.approx(tail, rel=1e-4)
    assert set(adaptation.ranks().values()) == {RANK}


@pytest.mark.parametrize("total_steps", [0, 1])
def test_too_few_steps(total_steps: int) -> None:
    with pytest.raises(InputError, match=f"warmup needs more than {total_steps} steps"):
        warmup(total_steps)


def test_two_steps_are_enough() -> None:
    adaptation = warmup(total_steps=2)
    assert adaptation.first_choice_step == 1
    train(adaptation, new_optimizer(adaptation.model), [1, 2])
    assert math.isfinite(outputs(adaptation.model).sum().item())
