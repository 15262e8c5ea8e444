"""Linear layers by oneDNN: the values and gradients of PyTorch's own, on the processors that gain by it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from plm_models import CAUSAL, ENCODERS
from tiny_training import outputs
from torch.nn import functional
from transformers import AutoModel, AutoModelForCausalLM

from lorescore.plm import onednn

pytestmark = pytest.mark.skipif(
    not (torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")),
    reason="this PyTorch has no oneDNN",
)
INTEL = "vendor_id\t: GenuineIntel\n"
AMD = "vendor_id\t: AuthenticAMD\n"


@pytest.fixture
def cpuinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What Linux says of the processor: nothing yet."""
    monkeypatch.setattr(onednn, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    onednn.is_faster.cache_clear()
    yield tmp_path / "cpuinfo"
    onednn.is_faster.cache_clear()


@pytest.mark.parametrize("shape", [(5, 24), (2, 3, 24), (1, 24), (4, 1, 24)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("stored", ["by rows", "by columns", "as a part"])
def test_values_and_gradients_are_those_of_pytorch(shape: tuple[int, ...], bias: bool, stored: str) -> None:
    draw = torch.Generator().manual_seed(1)
    values = [torch.randn(shape, generator=draw), torch.randn(24, 9, generator=draw).t()]
    values[1] = {"by rows": values[1][:7].contiguous(), "as a part": values[1][:7]}.get(
        stored, values[1][:7].t().contiguous().t()
    )
    values += [torch.randn(7, generator=draw)] if bias else []
    results = []
    for product in (onednn.linear, functional.linear):
        given = [one.detach().requires_grad_() for one in values]
        output = product(*given, *([] if bias else [None]))
        output.square().sum().backward()
        results.append([output, *(one.grad for one in given)])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("wanted", ["inputs", "weight", "bias"])
def test_only_the_gradients_that_are_wanted_are_computed(wanted: str) -> None:
    tensors = {"inputs": torch.randn(3, 4), "weight": torch.randn(2, 4), "bias": torch.randn(2)}
    tensors[wanted].requires_grad_()
    onednn.linear(**tensors).sum().backward()
    assert [name for name, one in tensors.items() if one.grad is not None] == [wanted]


def test_other_numbers_and_empty_inputs_are_pytorchs_own() -> None:
    weight = torch.randn(3, 4)
    for dtype in (torch.float64, torch.bfloat16):
        inputs = torch.randn(2, 4, dtype=dtype)
        found = onednn.linear(inputs, weight.to(dtype), None)
        assert torch.equal(found, functional.linear(inputs, weight.to(dtype)))
    assert onednn.linear(torch.zeros(0, 4), weight, None).shape == (0, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert onednn.linear(torch.randn(2, 4), weight, None).dtype == torch.bfloat16


@pytest.mark.parametrize("family", [*CAUSAL, *ENCODERS])
def test_a_plm_gives_the_same_outputs_and_gradients(family: str, cpuinfo: Path) -> None:
    results = []
    for vendor in (INTEL, AMD):
        cpuinfo.write_text(vendor, encoding="utf-8")
        onednn.is_faster.cache_clear()
        torch.manual_seed(0)
        auto = AutoModelForCausalLM if family in CAUSAL else AutoModel
        model = auto.from_config((CAUSAL | ENCODERS)[family]).eval()
        onednn.use_onednn(model)
        kinds = {type(layer) for layer in model.modules()}
        assert bool(kinds & {onednn.OneDnnLinear, onednn.OneDnnConv1D}) == (vendor == AMD)
        values = outputs(model)
        values.square().mean().backward()
        gradients = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
        results.append({"outputs": values.detach(), **gradients})
    assert len(results[0]) > 1
    torch.testing.assert_close(results[1], results[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", [*CAUSAL, *ENCODERS])
def test_weights_by_columns_change_nothing_but_their_strides(family: str, cpuinfo: Path) -> None:
    cpuinfo.write_text(AMD, encoding="utf-8")
    torch.manual_seed(0)
    auto = AutoModelForCausalLM if family in CAUSAL else AutoModel
    model = auto.from_config((CAUSAL | ENCODERS)[family]).eval()
    onednn.use_onednn(model)
    before = outputs(model).detach()
    weights = {name: one.clone() for name, one in model.named_parameters()}
    embeddings = [one.weight for one in (model.get_input_embeddings(), model.get_output_embeddings()) if one]
    onednn.store_by_columns(model)
    assert all(torch.equal(one, weights[name]) for name, one in model.named_parameters())
    layers = [one for one in model.modules() if type(one) is onednn.OneDnnLinear]
    assert all(one.weight.t().is_contiguous() for one in layers if one is not model.get_output_embeddings())
    assert all(one.is_contiguous() for one in embeddings)
    torch.testing.assert_close(outputs(model).detach(), before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("text", "expected"), [(AMD, True), (INTEL, False), (None, False)])
def test_which_processors_gain(cpuinfo: Path, text: str | None, expected: bool) -> None:
    if text is not None:
        cpuinfo.write_text(text, encoding="utf-8")
    assert onednn.is_faster() == expected


def test_without_avx512_pytorchs_own_stay(cpuinfo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpuinfo.write_text(AMD, encoding="utf-8")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert not onednn.is_faster()
