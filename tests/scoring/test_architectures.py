"""PLMs of architectures that differ from the families of conf/plm in what the probes and the scorers ask of them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from plm_models import MAX_TOKENS, SENTENCES, VOCAB_SIZE, make_masked_tokenizer, make_tokenizer, save_plm
from transformers import (
    CONFIG_MAPPING,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from lorescore.__main__ import main
from lorescore.errors import InputError
from lorescore.plm.load import fetch_plm
from lorescore.plm.settings import PlmSettings
from lorescore.scoring import clm
from lorescore.scoring.rescorer import Rescorer

TOKENS = {"vocab_size": VOCAB_SIZE, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": MAX_TOKENS}
BART = TOKENS | {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": MAX_TOKENS,
}
XLM = {"vocab_size": VOCAB_SIZE, "emb_dim": 32, "n_layers": 2, "n_heads": 4, "causal": True, "pad_index": 0}
CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "bart": ("bart", BART),  # a decoder whose first layers would fill the cache of both
    "xlm": ("xlm", XLM | {"max_position_embeddings": MAX_TOKENS}),  # asserts the shape of its mask
    "gemma3n_text": (  # a feed-forward size for each layer
        "gemma3n_text",
        TOKENS
        | SIZES
        | {
            "num_key_value_heads": 2,
            "head_dim": 8,
            "vocab_size_per_layer_input": VOCAB_SIZE,
            "hidden_size_per_layer_input": 8,
            "num_kv_shared_layers": 0,
            "layer_types": ["sliding_attention", "full_attention"],
            "laurel_rank": 4,
            "altup_num_inputs": 2,
            "activation_sparsity_pattern": [0.0, 0.0],
            "intermediate_size": [48, 64],
        },
    ),
    "llama4_text": (  # whose base model is the causal LM itself
        "llama4_text",
        TOKENS
        | SIZES
        | {
            "num_key_value_heads": 2,
            "head_dim": 8,
            "intermediate_size": 48,
            "intermediate_size_mlp": 48,
            "num_local_experts": 2,
            "num_experts_per_tok": 1,
            "attention_chunk_size": 6,
            "no_rope_layers": [1, 0],
        },
    ),
    "opt": (  # states narrower than its layers
        "opt",
        TOKENS | SIZES | {"word_embed_proj_dim": 16, "ffn_dim": 48, "do_layer_norm_before": False},
    ),
    "ibert": ("ibert", TOKENS | SIZES | {"intermediate_size": 48}),  # embeddings of its own
    "t5": ("t5", TOKENS | {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}),
    "xlnet": ("xlnet", {"vocab_size": VOCAB_SIZE, "d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 48}),
    "mpt": ("mpt", {"vocab_size": VOCAB_SIZE, "d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 20}),
    "longrope": (
        "phi3",
        TOKENS
        | SIZES
        | {
            "intermediate_size": 48,
            "num_key_value_heads": 2,
            "original_max_position_embeddings": 12,
            "rope_parameters": {
                "rope_type": "longrope",
                "short_factor": [1.0] * 4,
                "long_factor": [3.0] * 4,
                "rope_theta": 1e4,
                "factor": 8.0,
                "original_max_position_embeddings": 12,
            },
        },
    ),
}
CLASSES = {"clm": AutoModelForCausalLM, "cls": AutoModel, "pll": AutoModelForMaskedLM}


def rescorer_of(folder: Path, name: str, scorer: str, tokenizer: PreTrainedTokenizerBase) -> Rescorer:
    kind, settings = CONFIGS[name]
    torch.manual_seed(0)
    model = CLASSES[scorer].from_config(CONFIG_MAPPING[kind](**settings))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.3)
    model.save_pretrained(folder / "source")
    tokenizer.save_pretrained(folder / "source")
    plm = PlmSettings(name, str(folder / "source"), scorer, plm_text="lower")
    fetch_plm(plm, folder / "plm")
    return Rescorer.new(folder / "plm", plm)


def log_likelihood(model: PreTrainedModel, ids: list[int]) -> float:
    """Of tokens after bos, from a forward pass of their own."""
    with torch.no_grad():
        log_probs = model(input_ids=torch.tensor([[1, *ids]]), use_cache=False).logits[0].log_softmax(-1)
    return float(log_probs[torch.arange(len(ids)), torch.tensor(ids)].sum())


@pytest.mark.parametrize("name", ["bart", "xlm", "gemma3n_text", "llama4_text", "mpt"])
def test_a_clm_gives_the_likelihood_of_a_pass_of_its_own(tmp_path: Path, name: str) -> None:
    rescorer = rescorer_of(tmp_path, name, "clm", make_tokenizer())
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "source").eval()
    texts = [text for text in SENTENCES if len(rescorer.scorer.tokenizer(text)["input_ids"]) < 19]
    expected = [log_likelihood(plain, rescorer.scorer.tokenizer(text)["input_ids"]) for text in texts]
    assert rescorer.score([texts])[0] == pytest.approx(expected, abs=1e-3)


def test_the_head_is_as_wide_as_the_states(tmp_path: Path) -> None:
    rescorer = rescorer_of(tmp_path, "opt", "cls", make_tokenizer())
    assert rescorer.scorer.head.in_features == 16
    assert rescorer.score([SENTENCES]) == [[0.0] * len(SENTENCES)]


def test_embeddings_that_do_not_count_themselves(tmp_path: Path) -> None:
    rescorer = rescorer_of(tmp_path, "ibert", "pll", make_masked_tokenizer("bpe"))
    assert all(score < 0 for score in rescorer.score([SENTENCES])[0])


def test_a_decoder_that_needs_tokens_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        rescorer_of(tmp_path, "t5", "cls", make_tokenizer())
    message = "t5 is an encoder-decoder, which gives a text alone no state (choose an encoder, or a causal LM)"
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("name", "scorer", "expected"), [("xlnet", "cls", None), ("mpt", "cls", 20), ("longrope", "clm", 12)]
)
def test_the_longest_text(tmp_path: Path, name: str, scorer: str, expected: int | None) -> None:
    """No limit at all; one by another name; and where the rotations of all tokens are others from there on."""
    tokenizer = make_tokenizer()
    tokenizer.model_max_length = 10**30
    rescorer = rescorer_of(tmp_path, name, scorer, tokenizer)
    assert rescorer.scorer.max_tokens == expected
    long, short = " ".join(SENTENCES[:2]), SENTENCES[0]
    together = rescorer.score([[long, short]])[0]
    assert together == pytest.approx([rescorer.score([[text]])[0][0] for text in (long, short)], abs=1e-3)


def test_an_architecture_that_fails_in_the_probes_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever it raises: there are as many as there are architectures."""

    def fail(model: PreTrainedModel) -> bool:
        raise RuntimeError("sizes\n do not match")

    save_plm(tmp_path / "llama", "llama")
    monkeypatch.setattr(clm, "first_states", fail)
    assert main(["fetch-plm", "--plm", str(tmp_path / "llama"), "--plm_root", str(tmp_path / "base")]) == 1
    expected = (
        f"lorescore fetch-plm: {tmp_path}/base/llama_clm: this architecture cannot be used as a clm: "
        "sizes do not match (choose another --scorer, or another PLM)\n"
    )
    assert capsys.readouterr().err.endswith(expected)
