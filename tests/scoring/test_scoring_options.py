"""How scores are computed: numbers, quantisation, history merging."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from plm_models import make_masked_tokenizer, new_rescorer
from torch import nn
from transformers import AutoModelForMaskedLM, DebertaConfig
from transformers.pytorch_utils import Conv1D

from lorescore.errors import InputError
from lorescore.plm.load import fetch_plm
from lorescore.plm.settings import PlmSettings
from lorescore.scoring import options
from lorescore.scoring.int8 import Int8Linear
from lorescore.scoring.options import ScoringOptions, has_fast_bf16
from lorescore.scoring.rescorer import Rescorer

CPU, GPU = torch.device("cpu"), torch.device("cuda")
LISTS = [["the cat sat on the mat", "the cat sat on a mat"], ["see the sea", "", "see a sea"]]


def with_options(tmp_path: Path, family: str, options: ScoringOptions, scorer: str = "clm") -> Rescorer:
    """A rescorer with options, loaded as a user does."""
    new_rescorer(tmp_path, family, scorer, plm_text="lower").save(tmp_path / "rescorer")
    return Rescorer.load(tmp_path / "rescorer", CPU, options)


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    new_rescorer(tmp_path, "llama", "clm").save(tmp_path / "rescorer")
    for name in ("gpu", "cuda:99"):
        with pytest.raises(InputError, match=rf"^no device '{name}' here: .* \(leave it out for the GPU"):
            Rescorer.load(tmp_path / "rescorer", name)


def test_a_cpu_scores_in_float32_unless_asked_otherwise() -> None:
    assert ScoringOptions().torch_dtype(CPU) == torch.float32
    assert ScoringOptions(dtype="bf16").torch_dtype(CPU) == torch.bfloat16
    assert ScoringOptions().describe(CPU) == "float32"
    assert ScoringOptions(dtype="bf16", history=4).describe(CPU) == "bfloat16 products history=4"
    assert ScoringOptions(quantize="int8").describe(CPU) == "int8"


@pytest.mark.filterwarnings("ignore:User provided device_type of 'cuda'")  # PyTorch's, where there is none
def test_a_gpu_scores_with_the_numbers_of_training() -> None:
    """And they are told apart from those of a PLM that is in bf16 throughout, which were "bfloat16"."""
    assert ScoringOptions(dtype="bf16").describe(GPU) == "bfloat16 products"
    assert ScoringOptions(dtype="fp32").describe(GPU) == "float32"
    autocast = ScoringOptions(dtype="bf16").forward_pass(GPU)
    assert isinstance(autocast, torch.autocast) and autocast.fast_dtype == torch.bfloat16
    assert isinstance(ScoringOptions(dtype="fp32").forward_pass(GPU), nullcontext)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dtype": "fp23"}, "--dtype 'fp23' is not known.*did you mean fp32"),
        ({"quantize": "int4"}, "--quantize 'int4' is not known"),
        ({"history": 0}, "--history is 0, expected 1 or more"),
        ({"quantize": "int8", "dtype": "bf16"}, "--quantize int8 goes with fp32"),
    ],
)
def test_wrong_options(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ScoringOptions(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [ScoringOptions(dtype="bf16"), ScoringOptions(quantize="int8")])
@pytest.mark.parametrize("family", ["llama", "gpt2"])  # gpt2's layers are Conv1D
def test_fewer_bits_give_nearly_the_same_scores(tmp_path: Path, family: str, options: ScoringOptions) -> None:
    few = with_options(tmp_path, family, options).score(LISTS)
    exact = with_options(tmp_path, family, ScoringOptions()).score(LISTS)
    for one, other in zip(few, exact, strict=True):
        assert one == pytest.approx(other, rel=0.05)
    assert few != exact


@pytest.mark.parametrize(("family", "scorer"), [("llama", "clm"), ("gpt2", "clm"), ("bert", "pll")])
def test_every_product_with_weights_is_in_8_bits(tmp_path: Path, family: str, scorer: str) -> None:
    """The vocabulary projection too, although it is not called as a whole."""
    exact = with_options(tmp_path, family, ScoringOptions(), scorer).scorer.model
    weighted = {name for name, module in exact.named_modules() if isinstance(module, nn.Linear | Conv1D)}
    few = with_options(tmp_path, family, ScoringOptions(quantize="int8"), scorer).scorer.model
    assert {name for name, module in few.named_modules() if isinstance(module, Int8Linear)} == weighted
    assert few.get_output_embeddings() in [module for module in few.modules() if isinstance(module, Int8Linear)]


def save_deberta(folder: Path) -> None:
    """A rescorer of DeBERTa's first version, whose mask is a number that bf16 does not have."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 48}
    relative = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "max_relative_positions": 10}
    config = DebertaConfig(vocab_size=64, max_position_embeddings=64, position_biased_input=False, **sizes, **relative)
    AutoModelForMaskedLM.from_config(config).save_pretrained(folder / "source")
    make_masked_tokenizer("bpe").save_pretrained(folder / "source")
    plm = PlmSettings("deberta", str(folder / "source"), "pll", plm_text="lower")
    fetch_plm(plm, folder / "plm")
    Rescorer.new(folder / "plm", plm).save(folder / "rescorer")


def test_a_plm_that_bf16_is_not_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    save_deberta(tmp_path)
    exact = Rescorer.load(tmp_path / "rescorer", CPU, ScoringOptions(dtype="fp32")).score(LISTS)
    with pytest.raises(InputError, match=r"^deberta cannot be computed in bf16 \(.*\) \(--dtype fp32\)$"):
        Rescorer.load(tmp_path / "rescorer", CPU, ScoringOptions(dtype="bf16"))
    monkeypatch.setattr(options, "has_fast_bf16", lambda device: True)
    assert Rescorer.load(tmp_path / "rescorer", CPU).score(LISTS) == exact
    assert caplog.messages[-1].startswith("deberta cannot be computed in bf16 (")
    assert caplog.messages[-1].endswith("): scored in float32")


def test_histories_are_merged_where_asked(tmp_path: Path) -> None:
    texts = ["the cat sat on the mat", "a cat sat on the mat"]
    exact = with_options(tmp_path, "llama", ScoringOptions())
    merged = with_options(tmp_path, "llama", ScoringOptions(history=2))
    assert len(merged.encode(texts)) < len(exact.encode(texts))
    assert merged.score([texts])[0][0] == pytest.approx(exact.score([texts])[0][0], abs=1e-4)


def test_options_that_a_scorer_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--history is for clm, this is a cls"):
        with_options(tmp_path, "bert", ScoringOptions(history=2), "cls")


def test_a_gpu_is_not_for_int8(rescorer_of: Callable[..., Rescorer]) -> None:
    with pytest.raises(InputError, match="--quantize int8 is for a CPU, this is meta"):
        rescorer_of("qwen2").apply(ScoringOptions(quantize="int8"), torch.device("meta"))


def test_the_precision_of_a_training_holds_for_its_dev_scores(rescorer_of: Callable[..., Rescorer]) -> None:
    """Nothing in between sets it back to float32."""
    rescorer = rescorer_of("qwen2")
    exact = rescorer.score(LISTS)
    with torch.autocast("cpu", torch.bfloat16):
        half = rescorer.score(LISTS)
    assert half != exact
    for one, other in zip(half, exact, strict=True):
        assert one == pytest.approx(other, rel=0.05)


def test_on_a_gpu_too_a_training_says_what_its_dev_scores_are_computed_in(rescorer_of: Callable[..., Rescorer]) -> None:
    assert isinstance(rescorer_of("qwen2").options.forward_pass(GPU), nullcontext)


def test_a_cpu_holds_float32_whatever_it_multiplies_in(tmp_path: Path) -> None:
    rescorer = with_options(tmp_path, "llama", ScoringOptions(dtype="bf16"))
    assert {parameter.dtype for parameter in rescorer.scorer.parameters()} == {torch.float32}


@pytest.mark.parametrize(("major", "expected"), [(7, torch.float32), (8, torch.bfloat16)])
def test_a_gpu_that_emulates_bf16_scores_in_float32(
    monkeypatch: pytest.MonkeyPatch, major: int, expected: torch.dtype
) -> None:
    """Of two GPUs the one that is asked about; the other is of the other kind."""
    current = [0]

    @contextmanager
    def on(device: torch.device) -> Iterator[None]:
        current.append(device.index)
        yield
        current.pop()

    def properties(index: int) -> SimpleNamespace:
        return SimpleNamespace(major=major if index == 1 else 15 - major)

    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device", on)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: current[-1])
    monkeypatch.setattr(torch.cuda, "get_device_properties", properties)
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda device: True)
    gpu = torch.device("cuda", 1)
    assert has_fast_bf16(gpu) is (expected == torch.bfloat16)
    assert ScoringOptions().torch_dtype(gpu) == expected
    assert ScoringOptions().rounds_weights(gpu) is (expected == torch.bfloat16)
    assert ScoringOptions(dtype="bf16").torch_dtype(gpu) == torch.bfloat16  # where a user asks for it
