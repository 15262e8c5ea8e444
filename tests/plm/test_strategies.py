"""Strategies: the settings of conf/strategy, and what each makes trainable."""

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from plm_models import CAUSAL
from torch import nn
from transformers import AutoModelForCausalLM

from lorescore.choices import STRATEGIES
from lorescore.errors import InputError
from lorescore.plm import adalora
from lorescore.plm.strategies import Strategy, adapt, count_parameters

CONF_DIR = Path(__file__).parents[2] / "conf" / "strategy"
LLAMA_SIZE = 160 * 32 * 2 + 2 * (32 * 32 * 2 + 32 * 16 * 2 + 3 * 32 * 48 + 2 * 32) + 32


def frozen(family: str = "llama") -> nn.Module:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(CAUSAL[family]).requires_grad_(False)


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_files_of_conf_are_read(name: str) -> None:
    assert Strategy.read(name, CONF_DIR).name == name


def test_overrides() -> None:
    strategy = Strategy.read("adalora", CONF_DIR)
    assert (strategy.rank, strategy.init_rank) == (8, 12)
    other = Strategy.read("adalora", CONF_DIR, rank=3, learning_rate=None)
    assert (other.rank, other.init_rank) == (3, 5)  # the ratio of 12 to 8, rounded up
    assert other.learning_rate == strategy.learning_rate
    assert Strategy.read("adalora", CONF_DIR, rank=3, init_rank=9).init_rank == 9
    assert Strategy.read("vanilla", CONF_DIR, rank=1).rank == 1


def test_a_strategy_that_is_not_known() -> None:
    with pytest.raises(InputError, match="--lora 'adalroa' is not known.*did you mean adalora"):
        Strategy.read("adalroa", CONF_DIR)


def test_a_setting_that_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "vanilla.yaml").write_text("rnak: 8\n")
    with pytest.raises(InputError, match="setting 'rnak' is not known.*did you mean rank"):
        Strategy.read("vanilla", tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "vanilla", "rank": 0}, "rank 0, expected 1 or more"),
        ({"name": "adalora", "rank": 8, "init_rank": 8}, "init_rank 8 must be above rank 8"),
    ],
)
def test_ranks_that_cannot_be(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Strategy(**settings)


@pytest.mark.parametrize(
    ("strategy", "trainable"),
    [
        (Strategy("none"), 0),
        (Strategy("full"), LLAMA_SIZE),
        # q_proj is 32 x 32, v_proj 32 x 16, in two layers.
        (Strategy("vanilla", rank=3), 2 * 3 * (64 + 48)),
        (Strategy("adalora", rank=3, init_rank=5), 2 * 5 * (64 + 48 + 2)),
    ],
    ids=lambda value: value.name if isinstance(value, Strategy) else "",
)
def test_what_is_trained(strategy: Strategy, trainable: int) -> None:
    model = adapt(frozen(), strategy, ("q_proj", "v_proj"), total_steps=10, seed=1)
    adapter = trainable if isinstance(model, PeftModel) else 0
    # PEFT's AdaLoRA keeps the rank of each of the four layers as a parameter, which is not trained.
    kept = 4 if strategy.name == "adalora" else 0
    assert count_parameters(model) == (trainable, LLAMA_SIZE + adapter + kept)


def test_an_adapter_changes_nothing_at_first_and_is_drawn_from_the_seed() -> None:
    tokens = torch.tensor([[1, 5, 6]])
    expected = frozen()(input_ids=tokens).logits
    for strategy in (Strategy("vanilla", rank=2), Strategy("adalora", rank=2, init_rank=3)):
        drawn = []
        for seed in (1, 1, 2):
            model = adapt(frozen(), strategy, ("all-linear",), total_steps=10, seed=seed)
            torch.testing.assert_close(model(input_ids=tokens).logits, expected, rtol=0, atol=1e-6)
            drawn.append(torch.cat([p.flatten() for p in model.parameters() if p.requires_grad]))
        assert torch.equal(drawn[0], drawn[1])
        assert not torch.equal(drawn[0], drawn[2])


def test_all_linear_layers_but_the_output_layer() -> None:
    model = adapt(frozen(), Strategy("adalora", rank=2, init_rank=3), ("all-linear",), total_steps=10, seed=1)
    modules = {layer.rpartition(".")[2] for layer in adalora.ranks(model)}
    assert modules == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def test_layers_that_are_not_there() -> None:
    with pytest.raises(InputError, match=r"no layer of the PLM is named query, value \(correct `targets:`"):
        adapt(frozen(), Strategy("vanilla"), ("query", "value"), total_steps=10, seed=1)


@pytest.mark.parametrize("total_steps", [0, 1, 2])
def test_too_few_steps_to_prune(total_steps: int) -> None:
    with pytest.raises(InputError, match=f"adalora needs more than {total_steps} steps"):
        adapt(frozen(), Strategy("adalora", rank=2, init_rank=3), ("q_proj",), total_steps, seed=1)


@pytest.mark.parametrize("total_steps", [3, 4, 5, 10])
def test_the_budget_is_met_however_few_the_steps(total_steps: int) -> None:
    model = adapt(frozen(), Strategy("adalora", rank=2, init_rank=4), ("q_proj", "v_proj"), total_steps, seed=1)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for step in range(1, total_steps + 1):
        model(input_ids=torch.tensor([[1, 5, 6, 7]])).logits[0, -1, step].backward()
        optimizer.step()
        adalora.allocate(model, step)
        optimizer.zero_grad()
        if step >= adalora.budget_step(model):
            assert sum(adalora.ranks(model).values()) == 2 * 4
