"""AdaLoRA's choice of ranks: the most important ones, as many as asked for, with the parameters of a fixed rank."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plm_models import ENCODERS
from tiny_training import TARGETS, frozen, new_optimizer, outputs, train
from transformers import AutoModel

from lorescore.plm.adalora import choose_ranks
from lorescore.plm.strategies import adapt
from lorescore.plm.strategy import Strategy

STRATEGY = Strategy("adalora", rank=3, init_rank=6, alpha=8, initial_share=0.2, final_share=0.3)


def test_the_most_important_ranks_are_kept() -> None:
    scores = torch.tensor([[5.0, 1.0, 4.0], [2.0, 0.0, 3.0]])
    expected = torch.tensor([[True, False, True], [False, False, True]])
    assert torch.equal(choose_ranks(scores, [10, 10], budget=3), expected)


def test_a_price_on_parameters_brings_them_down() -> None:
    # Ranks of the first layer cost 30, of the second 10; three of average size cost 60. The most important three cost
    # 90. At a price of 0.05 a parameter the second layer's first overtakes the first layer's third: 70. At 0.1 its
    # second overtakes the first layer's second: 50, the first that is not above 60.
    scores = torch.tensor([[9.0, 5.0, 4.0], [3.0, 3.0, 0.0]])
    expected = torch.tensor([[True, False, False], [True, True, False]])
    assert torch.equal(choose_ranks(scores, [30, 10], budget=3), expected)


def test_too_few_parameters_are_brought_up_but_not_above() -> None:
    # The most important two cost 20 of the 40 that two of average size cost; one of each layer costs 40.
    scores = torch.tensor([[1.0, 0.5], [9.0, 8.0]])
    assert torch.equal(choose_ranks(scores, [30, 10], budget=2), torch.tensor([[True, False], [True, False]]))
    # Three of average size cost 60: three small ones cost 30, one large with two small 50, two large with one small 70.
    scores = torch.tensor([[2.0, 1.0, 0.0], [9.0, 8.0, 7.0]])
    kept = choose_ranks(scores, [30, 10], budget=3)
    assert int(kept[0].sum()) == 1 and torch.equal(kept[1], torch.tensor([True, True, False]))


def test_equal_scores_give_equal_ranks() -> None:
    kept = choose_ranks(torch.zeros(4, 6), [10, 20, 30, 40], budget=8)
    assert torch.equal(kept, torch.arange(6).expand(4, 6) < 2)


@given(data=st.data(), seed=st.integers(0, 2**32 - 1), skew=st.floats(-6, 6))
@settings(max_examples=60, deadline=None)
def test_number_and_size_of_the_ranks(data: st.DataObject, seed: int, skew: float) -> None:
    num_layers = data.draw(st.integers(1, 40))
    sizes = data.draw(st.lists(st.sampled_from([769, 1153, 2113]), min_size=num_layers, max_size=num_layers))
    num_ranks = data.draw(st.integers(1, 12))
    budget = data.draw(st.integers(0, num_layers * num_ranks))
    scores = torch.rand(num_layers, num_ranks, generator=torch.Generator().manual_seed(seed)).double() ** 4
    scores *= torch.tensor(sizes)[:, None].double() ** skew  # large, or small, layers are far more important
    kept = choose_ranks(scores, sizes, budget)
    total = int((kept.sum(dim=1) * torch.tensor(sizes)).sum())
    allowed = budget * sum(sizes) / num_layers
    assert kept.shape == scores.shape and int(kept.sum()) == budget
    assert total <= allowed + 1e-6
    # One rank in place of another changes the sum by no more than this.
    assert total >= 0.99 * allowed - (max(sizes) - min(sizes))
    # In a layer, where all cost the same, it is importance that decides.
    for layer, mask in zip(scores, kept, strict=True):
        if mask.any() and not mask.all():
            assert layer[mask].min() >= layer[~mask].max()


@pytest.mark.parametrize("family", TARGETS)
def test_the_budget_holds_for_ranks_and_parameters(family: str) -> None:
    adaptation = adapt(frozen(family), STRATEGY, TARGETS[family], total_steps=12, seed=1)
    ranks = adaptation.ranks()
    fixed = adapt(frozen(family), Strategy("vanilla", rank=3), TARGETS[family], total_steps=12, seed=1)
    optimizer = new_optimizer(adaptation.model)
    train(adaptation, optimizer, range(1, 13))
    assert adaptation.first_choice_step == 12 - 4
    final = adaptation.ranks()
    assert sum(final.values()) == 3 * len(ranks) and len(set(final.values())) > 1
    trained = adaptation.trained_parameters()
    assert trained <= fixed.trained_parameters() + sum(final.values())  # a singular value a rank comes on top
    adaptation.finalize()
    assert sum(p.numel() for p in adaptation.model.parameters() if p.requires_grad) == trained


def test_a_training_that_ends_early_is_trimmed_too() -> None:
    for num_steps in (0, 1, 4):  # before the first step, before the first pruning, between two of them
        adaptation = adapt(frozen(), STRATEGY, TARGETS["llama"], total_steps=12, seed=1)
        start = {name: p.detach().clone() for name, p in adaptation.model.named_parameters() if p.requires_grad}
        train(adaptation, new_optimizer(adaptation.model), range(1, num_steps + 1))
        adaptation.model.load_state_dict(start, strict=False)
        adaptation.finalize()
        assert sum(adaptation.ranks().values()) == 3 * len(adaptation.ranks())
        assert torch.equal(outputs(adaptation.model), outputs(frozen()))


def test_a_layer_without_a_part_in_the_score_loses_its_ranks() -> None:
    torch.manual_seed(0)
    model = AutoModel.from_config(ENCODERS["bert"]).requires_grad_(False).eval()  # its pooler is not used
    adaptation = adapt(model, STRATEGY, ("value", "pooler.dense"), total_steps=12, seed=1)
    train(adaptation, new_optimizer(adaptation.model), range(1, 13))
    assert adaptation.ranks()["pooler.dense"] == 0
    assert sum(adaptation.ranks().values()) == 3 * 3
