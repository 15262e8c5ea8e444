"""Strategies: the settings of conf/strategy, what each makes trainable, and what it saves."""

import copy
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from plm_models import CAUSAL
from tiny_training import TARGETS, frozen, new_optimizer, outputs, train
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, SqueezeBertConfig, SqueezeBertModel

from lorescore.choices import STRATEGIES
from lorescore.errors import InputError
from lorescore.plm.adaptation import Adaptation, lora_layers
from lorescore.plm.settings import ALL_LINEAR
from lorescore.plm.strategies import adapt, count_parameters
from lorescore.plm.strategy import Strategy

CONF_DIR = Path(__file__).parents[2] / "conf" / "strategy"
LLAMA_SIZE = 160 * 32 * 2 + 2 * (32 * 32 * 2 + 32 * 16 * 2 + 3 * 32 * 48 + 2 * 32) + 32

LOW_RANK = ("vanilla", "adalora", "warmup", "mixed", "dora", "rslora", "pissa")
NUM_STEPS = 10


def settings(name: str, rank: int = 4) -> Strategy:
    return Strategy(name, rank=rank, alpha=8, init_rank=2 * rank)


def adapted(name: str, family: str = "llama", seed: int = 1) -> Adaptation:
    return adapt(frozen(family), settings(name), TARGETS[family], NUM_STEPS, seed)


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
    assert Strategy.read("warmup", CONF_DIR, rank=4).init_rank == 16
    assert Strategy.read("vanilla", CONF_DIR, rank=1, alpha=3) == Strategy("vanilla", 1, 3, 5e-4, init_rank=2)


def test_a_strategy_that_is_not_known() -> None:
    with pytest.raises(InputError, match="--lora 'adalroa' is not known.*did you mean adalora"):
        Strategy.read("adalroa", CONF_DIR)


def test_a_setting_that_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "vanilla.yaml").write_text("rnak: 8\n")
    with pytest.raises(InputError, match="setting 'rnak' is not known.*did you mean rank"):
        Strategy.read("vanilla", tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "vanilla", "rank": 0}, "rank 0, expected 1 or more"),
        ({"name": "adalora", "rank": 8, "init_rank": 8}, "adalora: init_rank 8 must be above rank 8"),
        ({"name": "warmup", "rank": 8, "init_rank": 4}, "warmup: init_rank 4 must be above rank 8"),
        ({"name": "warmup", "warmup_share": 1.0}, "warmup_share 1.0, expected a share between 0 and 1"),
        ({"name": "vanilla", "alpha": 0}, "alpha 0, expected a finite number above 0"),
        ({"name": "full", "learning_rate": -1e-4}, "learning_rate -0.0001, expected a finite number above 0"),
        ({"name": "full", "learning_rate": 0.0}, "learning_rate 0, expected a finite number above 0"),
        ({"name": "full", "learning_rate": float("nan")}, "learning_rate nan, expected a finite number above 0"),
        ({"name": "vanilla", "rank": 8.0}, "rank is 8.0, expected a whole number"),
        ({"name": "vanilla", "rank": True}, "rank is True, expected a whole number"),
        ({"name": "vanilla", "alpha": "16"}, "alpha is '16', expected a number"),
        ({"name": "adalora", "allocate_every": 0}, "allocate_every 0, expected 1 or more"),
        ({"name": "adalora", "allocate_every": 0.5}, "allocate_every is 0.5, expected a whole number"),
        ({"name": "adalora", "initial_share": -0.1}, "initial_share -0.1, expected a share from 0 to 1"),
        ({"name": "adalora", "final_share": 1.5}, "final_share 1.5, expected a share from 0 to 1"),
        (
            {"name": "adalora", "initial_share": 0.5, "final_share": 0.5},
            "initial_share 0.5 and final_share 0.5 leave no steps to prune in",
        ),
        ({"name": "adalora", "orthogonality": -0.1}, "orthogonality -0.1, expected 0 or more"),
        ({"name": "adalora", "orthogonality": "0,1"}, "orthogonality is '0,1', expected a number"),
    ],
)
def test_settings_that_cannot_be(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Strategy(**values)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "learning_rate: 3e-4",
            "learning_rate is '3e-4', expected a number (for YAML it is a word: write 3.0e-4)",
        ),
        ("alpha: 1.5e1", "alpha is '1.5e1', expected a number (for YAML it is a word: write 1.5e+1)"),
        ("learning_rate: fast", "learning_rate is 'fast', expected a number (correct it there)"),
        ("rank: 0", "rank 0, expected 1 or more (correct it there)"),
        ("rank:", "rank is None, expected a whole number (correct it there)"),
        ("name: full", "vanilla.yaml: setting 'name' is not known"),
    ],
)
def test_a_setting_that_cannot_be_is_named_with_its_file(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "vanilla.yaml").write_text(f"{line}\n")
    with pytest.raises(InputError) as error:
        Strategy.read("vanilla", tmp_path)
    assert str(error.value).startswith(f"{tmp_path}/")
    assert message in str(error.value)


def test_an_option_that_cannot_be_is_named() -> None:
    with pytest.raises(InputError) as error:
        Strategy.read("adalora", CONF_DIR, rank=4, learning_rate=-1.0)
    assert str(error.value) == "learning_rate -1, expected a finite number above 0 (correct --learning_rate)"
    assert Strategy.read("vanilla", CONF_DIR, learning_rate=1).learning_rate == 1


@pytest.mark.parametrize(
    ("strategy", "trainable"),
    [
        (Strategy("none"), 0),
        (Strategy("full"), LLAMA_SIZE),
        # q_proj is 32 x 32, v_proj 32 x 16, in two layers.
        (Strategy("vanilla", rank=3), 2 * 3 * (64 + 48)),
        (Strategy("mixed", rank=3), 2 * 3 * (64 + 48)),
        (Strategy("pissa", rank=3), 2 * 3 * (64 + 48)),
        (Strategy("dora", rank=3), 2 * (3 * (64 + 48) + 32 + 16)),
        (Strategy("warmup", rank=3, init_rank=5), 2 * 5 * (64 + 48)),
        (Strategy("adalora", rank=3, init_rank=5), 2 * 5 * (64 + 48 + 2)),
    ],
    ids=lambda value: value.name if isinstance(value, Strategy) else "",
)
def test_what_is_trained(strategy: Strategy, trainable: int) -> None:
    adaptation = adapt(frozen(), strategy, ("q_proj", "v_proj"), total_steps=10, seed=1)
    adapter = trainable if isinstance(adaptation.model, PeftModel) else 0
    # PEFT's AdaLoRA keeps the rank of each of the four layers as a parameter, which is not trained.
    kept = 4 if strategy.name == "adalora" else 0
    assert count_parameters(adaptation.model) == (trainable, LLAMA_SIZE + adapter + kept)


@pytest.mark.parametrize("name", LOW_RANK)
def test_an_adapter_changes_nothing_at_first_and_is_drawn_from_the_seed(name: str) -> None:
    expected = outputs(frozen())
    drawn = []
    for seed in (1, 1, 2):
        model = adapted(name, seed=seed).model
        torch.testing.assert_close(outputs(model), expected, rtol=0, atol=1e-4 if name == "pissa" else 0.0)
        drawn.append(torch.cat([p.flatten() for p in model.parameters() if p.requires_grad]))
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[0], drawn[2]) == (name == "pissa")  # which is decomposed, not drawn


def test_all_linear_layers_but_the_output_layer() -> None:
    for name in ("vanilla", "adalora"):
        ranks = adapt(frozen(), settings(name), ("all-linear",), NUM_STEPS, seed=1).ranks()
        modules = {layer.rpartition(".")[2] for layer in ranks}
        assert modules == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
        assert "model.layers.0.self_attn.q_proj" in ranks


def test_rslora_is_scaled_by_the_root_of_the_rank() -> None:
    plain = adapt(frozen(), Strategy("vanilla", rank=4, alpha=16), TARGETS["llama"], NUM_STEPS, seed=1)
    stabilised = adapt(frozen(), Strategy("rslora", rank=4, alpha=8), TARGETS["llama"], NUM_STEPS, seed=1)
    train(plain, torch.optim.SGD(plain.model.parameters(), lr=0.1), [1])
    train(stabilised, torch.optim.SGD(stabilised.model.parameters(), lr=0.1), [1])
    # 16 / 4 = 8 / sqrt(4)
    torch.testing.assert_close(outputs(stabilised.model), outputs(plain.model), rtol=0, atol=0)


def test_adalora_is_scaled_by_its_initial_rank() -> None:
    adaptation = adapted("adalora")
    train(adaptation, new_optimizer(adaptation.model), range(1, NUM_STEPS + 1))
    adaptation.finalize()
    assert set(adaptation.ranks().values()) != {8}
    for layer in lora_layers(adaptation.model).values():
        a, e, b = (getattr(layer, f"lora_{factor}")["default"] for factor in "AEB")
        torch.testing.assert_close(layer.get_delta_weight("default"), 8 / 8 * b @ (a * e), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", ["vanilla", "adalora"])
def test_no_adapter_where_mamba_does_not_call_a_layer(name: str, tmp_path: Path) -> None:
    config = CAUSAL["mamba"]
    model = AutoModelForCausalLM.from_config(config).requires_grad_(False)
    adaptation = adapt(copy.deepcopy(model), settings(name), (ALL_LINEAR,), NUM_STEPS, 1)
    assert {layer.rpartition(".")[2] for layer in adaptation.ranks()} == {"in_proj", "x_proj", "dt_proj"}
    adaptation.model.save_pretrained(tmp_path)
    PeftModel.from_pretrained(copy.deepcopy(model), tmp_path)
    with pytest.raises(InputError) as error:
        adapt(model, settings(name), ("in_proj", "out_proj"), NUM_STEPS, 1)
    message = "this PLM, mamba, takes no adapter on out_proj (--targets without it, or all-linear, which leaves it out)"
    assert str(error.value) == message


@pytest.mark.parametrize("name", ["vanilla", "adalora"])
def test_no_adapter_on_a_weight_that_is_the_embeddings_too(name: str) -> None:
    """Merged, it would change what the PLM reads, and with that the scores that were trained."""
    with pytest.raises(InputError, match="lm_head shares its weight with the PLM's embeddings"):
        adapt(frozen("gpt2"), settings(name), ("c_attn", "lm_head"), NUM_STEPS, 1)
    untied = adapt(frozen("llama"), settings(name), ("q_proj", "lm_head"), NUM_STEPS, 1)
    assert "lm_head" in untied.ranks()


def test_a_plm_without_linear_layers() -> None:
    """An encoder of convolutions, without a head."""
    sizes = {"vocab_size": 16, "hidden_size": 16, "embedding_size": 16, "num_hidden_layers": 1}
    config = SqueezeBertConfig(num_attention_heads=4, intermediate_size=16, **sizes)
    model = SqueezeBertModel(config)
    model.pooler = torch.nn.Identity()
    with pytest.raises(InputError, match=r"this PLM has no linear layers to put an adapter on \(choose --lora full"):
        adapt(model, settings("vanilla"), (ALL_LINEAR,), NUM_STEPS, 1)


@pytest.mark.parametrize("wrong", ["query", "proj", "vproj", "self_attn", "embed_tokens", "all-linear"])
def test_layers_that_are_not_there(wrong: str) -> None:
    """Nor are those linear layers that are only a part of the name, or have such layers in them."""
    for name in LOW_RANK:
        with pytest.raises(InputError, match=rf"no linear layer of the PLM is named {wrong} \(correct --targets"):
            adapt(frozen(), settings(name), ("q_proj", wrong, "value"), NUM_STEPS, seed=1)


def test_layers_by_their_names_with_the_blocks() -> None:
    targets = ("layers.0.self_attn.q_proj", "model.layers.1.mlp.up_proj")
    ranks = adapt(frozen(), settings("vanilla"), targets, NUM_STEPS, seed=1).ranks()
    assert set(ranks) == {"model.layers.0.self_attn.q_proj", "model.layers.1.mlp.up_proj"}


@pytest.mark.filterwarnings("ignore:The following rank_pattern keys", "error:fan_in_fan_out")
@pytest.mark.parametrize(
    ("family", "name"),
    [(family, name) for family in TARGETS for name in (*LOW_RANK, "bitfit") if (family, name) != ("llama", "bitfit")],
)
def test_stock_peft_loads_the_function_that_was_trained(family: str, name: str, tmp_path: Path) -> None:
    adaptation = adapted(name, family)
    train(adaptation, new_optimizer(adaptation.model), range(1, NUM_STEPS + 1))
    expected = outputs(adaptation.model)
    assert (expected - outputs(frozen(family))).abs().max() > 1e-2
    trained_parameters = adaptation.trained_parameters()
    adaptation.finalize()
    assert adaptation.trained_parameters() == trained_parameters
    torch.testing.assert_close(outputs(adaptation.model), expected, rtol=0, atol=1e-4)
    assert isinstance(adaptation.model, PeftModel)
    adaptation.model.save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(frozen(family), tmp_path)
    torch.testing.assert_close(outputs(loaded), expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(outputs(loaded.merge_and_unload()), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "stop"),
    [(name, 5) for name in ("full", "vanilla", "mixed", "dora", "pissa")]
    + [(name, stop) for name in ("adalora", "warmup") for stop in (2, 5, 8)],
)
def test_a_resumed_training_is_the_same_bit_by_bit(name: str, stop: int) -> None:
    # AdaLoRA prunes from step 2 on and meets its budget at step 7, warm-up truncates at step 3.
    def parameters(adaptation: Adaptation) -> dict[str, torch.Tensor]:
        return {n: p for n, p in adaptation.model.named_parameters() if p.requires_grad}

    through = adapted(name)
    optimizer = new_optimizer(through.model)
    train(through, optimizer, range(1, stop + 1))
    state, optimizer_state = copy.deepcopy((through.state_dict(), optimizer.state_dict()))
    weights = {n: p.detach().clone() for n, p in parameters(through).items()}
    train(through, optimizer, range(stop + 1, NUM_STEPS + 1))

    resumed = adapted(name)
    resumed.load_state_dict(state)
    resumed.model.load_state_dict(weights, strict=False)
    optimizer = new_optimizer(resumed.model)
    optimizer.load_state_dict(optimizer_state)
    train(resumed, optimizer, range(stop + 1, NUM_STEPS + 1))
    for n, parameter in parameters(through).items():
        assert torch.equal(parameters(resumed)[n], parameter), n
    assert resumed.ranks() == through.ranks()
    assert torch.equal(outputs(resumed.model), outputs(through.model))


def test_trained_parameters_are_equal_at_one_rank() -> None:
    # Two layers of the shape of SmolLM2's: grouped-query attention, so that k and v are smaller than q and o.
    config = LlamaConfig(
        hidden_size=576, num_attention_heads=9, num_key_value_heads=3, intermediate_size=96, num_hidden_layers=2,
        vocab_size=32, pad_token_id=0,
    )  # fmt: skip
    counts = {}
    for name in LOW_RANK:
        torch.manual_seed(0)
        model = LlamaForCausalLM(config).requires_grad_(False)
        strategy = Strategy.read(name, CONF_DIR)
        targets = ("q_proj", "k_proj", "v_proj", "o_proj")
        adaptation = adapt(model, strategy, targets, NUM_STEPS, seed=1)
        train(adaptation, new_optimizer(adaptation.model), range(1, NUM_STEPS + 1))
        counts[name] = adaptation.trained_parameters()
        if name != "pissa":  # which saves twice the rank that it trains
            adaptation.finalize()
            assert count_parameters(adaptation.model)[0] == counts[name]
    assert counts["vanilla"] == 2 * 8 * (2 * 1152 + 2 * 768)
    magnitudes = 2 * (2 * 576 + 2 * 192)
    assert counts.pop("dora") == counts["vanilla"] + magnitudes
    for count in counts.values():
        assert count == pytest.approx(counts["vanilla"], rel=0.02)


def test_bitfit_trains_the_bias_terms_alone() -> None:
    adaptation = adapted("bitfit", "gpt2")
    names = {name for name, parameter in adaptation.model.named_parameters() if parameter.requires_grad}
    assert {name.rpartition(".")[2] for name in names} == {"bias"}
    # In a layer: two norms of 32, attention 96 + 32, MLP 128 + 32; then the last norm.
    assert adaptation.trained_parameters() == 2 * (64 + 128 + 160) + 32
    assert adaptation.ranks() == {}


def test_bitfit_needs_bias_terms() -> None:
    with pytest.raises(InputError, match=r"bitfit trains the bias terms, and this PLM has none \(choose another"):
        adapted("bitfit", "llama")


def test_pissa_saves_an_update_of_the_untouched_weights() -> None:
    adaptation = adapted("pissa")
    adaptation.finalize()
    base = dict(frozen().named_parameters())
    for name, parameter in adaptation.model.get_base_model().named_parameters():
        if "lora_" not in name:
            torch.testing.assert_close(parameter, base[name.replace(".base_layer", "")], rtol=0, atol=1e-6)
    assert set(adaptation.ranks().values()) == {4}
    config = adaptation.model.peft_config["default"]
    assert (config.r, config.lora_alpha, config.init_lora_weights) == (8, 16, True)


def test_pissa_cannot_have_more_ranks_than_a_weight() -> None:
    with pytest.raises(InputError, match="pissa: rank 20, but model.layers.0.self_attn.v_proj has rank 16"):
        adapt(frozen(), Strategy("pissa", rank=20), ("v_proj",), NUM_STEPS, seed=1)
