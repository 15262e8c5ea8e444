"""Mixed-rank training: nested ranks, one adapter for all of them."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from tiny_training import TARGETS, frozen, gradients, new_optimizer, outputs, train
from torch import nn

from lorescore.errors import InputError
from lorescore.plm.adaptation import ADAPTER, lora_layers
from lorescore.plm.mixed import Mixed, at_rank, truncate
from lorescore.plm.strategies import adapt
from lorescore.plm.strategy import Strategy

RANK, NUM_STEPS = 4, 10


def mixed(seed: int = 1, family: str = "llama") -> Mixed:
    strategy = Strategy("mixed", rank=RANK, alpha=6)
    adaptation = adapt(frozen(family), strategy, TARGETS[family], NUM_STEPS, seed)
    assert isinstance(adaptation, Mixed)
    return adaptation


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    adaptation = mixed()
    train(adaptation, new_optimizer(adaptation.model), range(1, NUM_STEPS + 1))
    return adaptation.model


def test_the_ranks_are_drawn_uniformly_by_seed_and_step() -> None:
    adaptation = mixed()
    drawn = [adaptation.drawn_rank(step) for step in range(1, 401)]
    counts = Counter(drawn)
    assert set(counts) == {1, 2, 3, 4}
    assert all(70 <= count <= 130 for count in counts.values())  # 100 are expected, the deviation is 9
    same, other = mixed(), mixed(seed=2)
    assert drawn[::-1] == [same.drawn_rank(step) for step in range(400, 0, -1)]
    assert drawn != [other.drawn_rank(step) for step in range(1, 401)]


def test_a_step_trains_the_first_components() -> None:
    adaptation = mixed()
    train(adaptation, new_optimizer(adaptation.model), range(1, 4))  # or all gradients of A were 0
    step = next(step for step in range(4, 100) if adaptation.drawn_rank(step) == 2)
    gradients(adaptation, step)
    for layer in lora_layers(adaptation.model).values():
        a, b = layer.lora_A[ADAPTER].weight.grad, layer.lora_B[ADAPTER].weight.grad
        assert (a[:2].abs().sum(dim=1) > 0).all() and (b[:, :2].abs().sum(dim=0) > 0).all()
        assert not a[2:].any() and not b[:, 2:].any()


def test_between_the_steps_the_model_is_at_full_rank() -> None:
    adaptation = mixed()
    optimizer = new_optimizer(adaptation.model)
    train(adaptation, optimizer, range(1, NUM_STEPS + 1))
    full = outputs(adaptation.model)
    low = next(step for step in range(1, 100) if adaptation.drawn_rank(step) == 1)
    adaptation.before_step(low)
    assert (outputs(adaptation.model) - full).abs().max() > 1e-3
    adaptation.before_step(low)  # the step before has failed
    adaptation.finalize()
    assert torch.equal(outputs(adaptation.model), full)


def test_full_rank_is_the_untruncated_model(trained: nn.Module) -> None:
    expected = outputs(trained)
    with at_rank(trained, RANK) as model:
        assert torch.equal(outputs(model), expected)
    assert torch.equal(outputs(trained), expected)


@pytest.mark.parametrize("rank", range(1, RANK + 1))
def test_a_rank_is_the_sum_of_the_first_components(trained: nn.Module, rank: int) -> None:
    by_hand = frozen()
    weights = dict(by_hand.named_parameters())
    with torch.no_grad():
        for name, layer in lora_layers(trained).items():
            a, b = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
            for component in range(rank):
                weights[f"{name}.weight"] += 6 / RANK * torch.outer(b[:, component], a[component])
    with at_rank(trained, rank) as model:
        torch.testing.assert_close(outputs(model), outputs(by_hand), rtol=0, atol=1e-4)
    if rank < RANK:
        assert (outputs(trained) - outputs(by_hand)).abs().max() > 1e-2


@pytest.mark.filterwarnings("error:fan_in_fan_out")
@pytest.mark.parametrize("family", ["llama", "gpt2", "bert"])
def test_an_adapter_can_be_cut_to_any_rank_and_is_a_plain_lora(family: str, tmp_path: Path) -> None:
    adaptation = mixed(family=family)
    train(adaptation, new_optimizer(adaptation.model), range(1, NUM_STEPS + 1))
    assert isinstance(adaptation.model, PeftModel)
    adaptation.model.save_pretrained(tmp_path / "full")
    for rank in range(1, RANK + 1):
        with at_rank(adaptation.model, rank) as model:
            expected = outputs(model)
        loaded = PeftModel.from_pretrained(frozen(family), tmp_path / "full")
        truncate(loaded, rank)
        torch.testing.assert_close(outputs(loaded), expected, rtol=0, atol=1e-5)
        loaded.save_pretrained(tmp_path / str(rank))
        plain = PeftModel.from_pretrained(frozen(family), tmp_path / str(rank))
        assert plain.peft_config[ADAPTER].r == rank
        torch.testing.assert_close(outputs(plain.merge_and_unload()), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("rank", [0, RANK + 1])
def test_ranks_that_are_not_there(trained: nn.Module, rank: int) -> None:
    with (
        pytest.raises(InputError, match=rf"rank {rank}, but the adapter has the ranks 1 to 4 \(choose"),
        at_rank(trained, rank),
    ):
        pass
    with pytest.raises(InputError, match=f"rank {rank}, but the adapter has"):
        truncate(trained, rank)


def test_a_model_without_an_adapter_has_no_ranks() -> None:
    with pytest.raises(InputError, match="this model has no LoRA adapter"), at_rank(frozen(), 1):
        pass
