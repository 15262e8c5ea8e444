"""Scoring where a GPU is seen: everything that meets has been put there, and the scores are those of the CPU."""

from pathlib import Path

import pytest
import torch
from plm_models import new_rescorer
from pretended_gpu import pretended_gpu

from lorescore.scoring.options import ScoringOptions
from lorescore.scoring.rescorer import Rescorer

LISTS = [["the cat sat on the mat", "the cat sat on a mat", "a cat sat"], ["i see the sea", "i think the sea"], [""]]


def score(rescorer: Rescorer) -> list[list[float]]:
    """The scores of LISTS, not in the inference mode that `score` enters, in which tensors cannot pretend."""
    found: list[list[float]] = rescorer.score.__wrapped__(rescorer, LISTS)
    return found


@pytest.mark.parametrize(
    ("family", "scorer"),
    [("llama", "clm"), ("gpt2", "clm"), ("gemma3", "clm"), ("bloom", "clm"), ("mamba", "clm"), ("roberta", "pll")],
)
def test_scores_of_a_gpu(tmp_path: Path, family: str, scorer: str) -> None:
    settings = {} if scorer == "pll" else {"plm_text": "lower"}
    on_cpu, on_gpu = (new_rescorer(tmp_path, family, scorer, **settings) for _ in range(2))
    with pretended_gpu() as device:
        on_gpu.apply(ScoringOptions(dtype="fp32"), device)
        assert on_gpu.scorer.device == device
        found = score(on_gpu)
    for one, expected in zip(found, on_cpu.score(LISTS), strict=True):
        assert one == pytest.approx(expected, abs=1e-4)


def test_bf16_on_a_gpu(tmp_path: Path) -> None:
    """Where linear layers are held in it."""
    on_cpu, on_gpu = (new_rescorer(tmp_path, "llama", plm_text="lower") for _ in range(2))
    with pretended_gpu() as device:
        assert ScoringOptions().describe(device) == "bfloat16 products"
        on_gpu.apply(ScoringOptions(), device)
        found = score(on_gpu)
    layer = on_gpu.scorer.lm.get_decoder().layers[0].mlp.up_proj
    assert layer.weight.dtype == torch.bfloat16
    expected = on_cpu.score(LISTS)
    assert found != expected
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=0.3)


def test_the_pretended_gpu_keeps_its_tensors_apart() -> None:
    layer = torch.nn.Linear(4, 2)
    expected = layer(torch.ones(3, 4))
    with pretended_gpu() as device:
        layer.to(device)
        with pytest.raises(RuntimeError, match="same device"):
            layer(torch.ones(3, 4))
        with pytest.raises(RuntimeError, match="same device"):
            torch.zeros(3, device=device) + torch.zeros(3)
        result = layer(torch.ones(3, 4, device=device))
        result.sum().backward()
        with pytest.raises(TypeError, match="numpy"):
            result.detach().numpy()
        assert result.device == layer.weight.grad.device == device
        assert torch.equal(result.cpu(), expected)
