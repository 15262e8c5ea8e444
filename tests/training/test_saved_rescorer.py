"""A trained rescorer on disk: PEFT's own loader and `Rescorer.load` give the scores that were trained."""

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForCausalLM

from lorescore.errors import InputError
from lorescore.files import read_yaml
from lorescore.nbest import NbestSet
from lorescore.plm import adalora
from lorescore.plm.strategies import adapt
from lorescore.plm.strategy import Strategy
from lorescore.scoring.clm import CausalScorer
from lorescore.scoring.cls import ClsScorer
from lorescore.scoring.rescorer import Rescorer
from lorescore.training.loop import train_rescorer
from lorescore.training.settings import TrainingSettings

FreshRescorer = Callable[..., Rescorer]
SETTINGS = TrainingSettings(epochs=2, lists_per_step=4, evaluations=2, score_scale=1.0, lm_loss=0.1)
STRATEGIES = {
    "none": Strategy("none", learning_rate=0.05),
    "full": Strategy("full", learning_rate=1e-2),
    "vanilla": Strategy("vanilla", rank=4, alpha=8, learning_rate=5e-2),
    "adalora": Strategy("adalora", rank=1, init_rank=3, alpha=8, learning_rate=1e-1),
}
CASES = [
    ("llama", "clm", "none"),
    ("llama", "clm", "full"),
    ("llama", "clm", "vanilla"),
    ("llama", "clm", "adalora"),
    ("gpt2", "clm", "vanilla"),  # its layers are Conv1D, its vocabulary projection is tied
    ("gpt2", "clm", "adalora"),
    ("gpt2", "clm", "full"),
    ("bert", "cls", "none"),
    ("bert", "cls", "full"),
    ("bert", "cls", "vanilla"),
    ("bert", "cls", "adalora"),
    ("llama", "cls", "vanilla"),
]


def trained(rescorer: Rescorer, strategy: str, train: NbestSet, dev: NbestSet) -> Rescorer:
    """The rescorer after twelve steps; a frozen `clm` has nothing to train."""
    if (rescorer.plm.scorer, strategy) != ("clm", "none"):
        result = train_rescorer(rescorer, train, dev, STRATEGIES[strategy], SETTINGS)
        assert result.best.step > 0
    return rescorer


def scores(scorer: CausalScorer | ClsScorer, like: Rescorer, lists: NbestSet) -> torch.Tensor:
    return torch.tensor(Rescorer(scorer, like.plm, {}).score([one.texts for one in lists]))


@pytest.mark.filterwarnings("ignore:The following rank_pattern keys", "ignore:fan_in_fan_out is set to False")
@pytest.mark.parametrize(("family", "scorer", "strategy"), CASES)
def test_scores_after_loading_are_those_of_training(
    fresh_rescorer: FreshRescorer,
    train_lists: NbestSet,
    dev_lists: NbestSet,
    tmp_path: Path,
    family: str,
    scorer: str,
    strategy: str,
) -> None:
    rescorer = trained(fresh_rescorer(family, scorer), strategy, train_lists, dev_lists)
    expected = scores(rescorer.scorer, rescorer, dev_lists)
    frozen = fresh_rescorer(family, scorer)
    rescorer.save(tmp_path / "out", {"history": {"evaluations": []}})
    assert read_yaml(tmp_path / "out" / "history.yaml") == {"evaluations": []}
    assert len({path.stat().st_mode for path in (tmp_path / "out").rglob("*") if path.is_file()}) == 1  # the umask's

    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)  # of no use to who loads it
        loaded = Rescorer.load(tmp_path / "out")
    torch.testing.assert_close(scores(loaded.scorer, loaded, dev_lists), expected, rtol=0, atol=1e-4)
    assert not any(isinstance(part, PeftModel) for part in loaded.scorer.modules())  # merged
    if (scorer, strategy) != ("clm", "none"):
        assert (scores(frozen.scorer, frozen, dev_lists) - expected).abs().max() > 1e-2

    if strategy in ("vanilla", "adalora"):  # what others load with PEFT alone
        auto_class = AutoModelForCausalLM if scorer == "clm" else AutoModel
        base = auto_class.from_pretrained(rescorer.config["plm_dir"], dtype=torch.float32)
        adapted = PeftModel.from_pretrained(base, tmp_path / "out").eval()
        tokenizer = rescorer.scorer.tokenizer
        if scorer == "clm":
            stock: CausalScorer | ClsScorer = CausalScorer(adapted, tokenizer, rescorer.plm)
        else:
            stock = ClsScorer(adapted, tokenizer, loaded.scorer.head, family == "bert")
        torch.testing.assert_close(scores(stock, rescorer, dev_lists), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("scorer", "strategy", "expected"),
    [
        ("clm", "none", {"config.yaml"}),
        ("clm", "full", {"config.yaml", "model"}),
        ("clm", "vanilla", {"config.yaml", "adapter_config.json", "adapter_model.safetensors"}),
        ("cls", "adalora", {"config.yaml", "adapter_config.json", "adapter_model.safetensors", "head.safetensors"}),
        ("cls", "none", {"config.yaml", "head.safetensors"}),
    ],
)
def test_what_is_on_disk(
    fresh_rescorer: FreshRescorer,
    train_lists: NbestSet,
    dev_lists: NbestSet,
    tmp_path: Path,
    scorer: str,
    strategy: str,
    expected: set[str],
) -> None:
    rescorer = trained(fresh_rescorer("llama", scorer), strategy, train_lists, dev_lists)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "stale.safetensors").touch()
    rescorer.save(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == expected
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


@pytest.mark.filterwarnings("error:.*invalid shape", "ignore:fan_in_fan_out is set to False")
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_saved_adalora_adapter_is_trimmed_to_its_budget(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet, tmp_path: Path, family: str
) -> None:
    rescorer = trained(fresh_rescorer(family), "adalora", train_lists, dev_lists)
    ranks = adalora.ranks(rescorer.scorer.model)
    trimmed = adalora.trimmed_parameters(rescorer.scorer.model)
    rescorer.save(tmp_path / "out")
    tensors = load_file(tmp_path / "out" / "adapter_model.safetensors")
    saved_ranks = {
        name.removeprefix("base_model.model.").removesuffix(".lora_E"): len(tensor)
        for name, tensor in tensors.items()
        if name.endswith(".lora_E")
    }
    assert saved_ranks == ranks
    assert sum(saved_ranks.values()) == STRATEGIES["adalora"].rank * len(ranks)
    assert 0 in saved_ranks.values() and max(saved_ranks.values()) > 1  # a layer that lost all its ranks loads too
    assert sum(tensor.numel() for tensor in tensors.values()) == trimmed
    assert adalora.ranks(rescorer.scorer.model) == ranks  # saving changes the names in PEFT's pattern


def test_an_adapter_whose_best_weights_are_the_first_ones(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet, tmp_path: Path
) -> None:
    # Too low a learning rate to change anything: all singular values are 0 again, but the ranks are allocated.
    rescorer = fresh_rescorer()
    strategy = Strategy("adalora", rank=1, init_rank=3, learning_rate=1e-9)
    result = train_rescorer(rescorer, train_lists, dev_lists, strategy, SETTINGS)
    assert result.best.step == 0
    rescorer.save(tmp_path / "out")
    tensors = load_file(tmp_path / "out" / "adapter_model.safetensors")
    assert sum(tensor.numel() for tensor in tensors.values()) == adalora.trimmed_parameters(rescorer.scorer.model) > 0
    frozen = fresh_rescorer()
    loaded = Rescorer.load(tmp_path / "out")
    torch.testing.assert_close(
        scores(loaded.scorer, loaded, dev_lists), scores(frozen.scorer, frozen, dev_lists), rtol=0, atol=1e-4
    )


def test_an_unfinished_rescorer_is_not_loaded(fresh_rescorer: FreshRescorer, tmp_path: Path) -> None:
    fresh_rescorer().save(tmp_path / "out")
    (tmp_path / "out" / "config.yaml").unlink()
    with pytest.raises(InputError, match=r"out: no finished rescorer: config.yaml is missing \(stage 5"):
        Rescorer.load(tmp_path / "out")


def test_a_rescorer_of_another_version_of_the_plm_is_not_loaded(fresh_rescorer: FreshRescorer, tmp_path: Path) -> None:
    rescorer = fresh_rescorer()
    rescorer.config = rescorer.config | {"plm_checksum": "0" * 64}
    rescorer.save(tmp_path / "out")
    with pytest.raises(
        InputError, match=r"out: was trained on another version of .*llama_clm \(move it away and train it again"
    ):
        Rescorer.load(tmp_path / "out")


@pytest.mark.parametrize(
    ("scorer", "strategy", "name"),
    [
        ("cls", "vanilla", "adapter_config.json"),
        ("cls", "vanilla", "adapter_model.safetensors"),
        ("cls", "vanilla", "head.safetensors"),
        ("clm", "full", "model/model.safetensors"),
    ],
)
def test_a_damaged_rescorer_is_named(
    fresh_rescorer: FreshRescorer, tmp_path: Path, scorer: str, strategy: str, name: str
) -> None:
    """Cut off, or missing: no PLM scores without what was trained."""
    rescorer = fresh_rescorer("llama", scorer)
    rescorer.scorer.model = adapt(rescorer.scorer.model, STRATEGIES[strategy], rescorer.plm.targets, 4, seed=1).model
    rescorer.save(tmp_path / "out")
    path = tmp_path / "out" / name
    path.write_bytes(path.read_bytes()[:-100])
    for damage in (lambda: None, path.unlink):
        damage()
        with pytest.raises(InputError) as error:
            Rescorer.load(tmp_path / "out")
        assert str(error.value).startswith(f"{tmp_path}/out: cannot be loaded: ")
        assert str(error.value).endswith(" (move it away and train it again: stage 5)")
        assert "\n" not in str(error.value)
