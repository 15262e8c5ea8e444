"""Tiny PLMs with random weights and a tokenizer trained on the spot, saved as Hugging Face model directories.

The weights are drawn wide, so that a wrong mask or position changes a score by whole nats.
"""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    BertConfig,
    BloomConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    GPT2Config,
    GPTNeoConfig,
    GPTNeoXConfig,
    GraniteConfig,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    OPTConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    RobertaConfig,
)

from lorescore.plm.load import fetch_plm
from lorescore.plm.settings import PlmSettings
from lorescore.scoring.rescorer import Rescorer

SENTENCES = (
    "the cat sat on the mat",
    "the cat sat on a mat",
    "a cat has seen the sea",
    "i think i'll see the sea",
    "he closed the door and went home",
    "the rain in spain stays mainly in the plain",
)
VOCAB_SIZE = 160
MAX_TOKENS = 64
WINDOW = 6  # tokens that a sliding layer sees
INIT_STD = 0.4

_TOKENS = {"vocab_size": VOCAB_SIZE, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
_LLAMA = (
    _TOKENS | _SIZES | {"num_key_value_heads": 2, "max_position_embeddings": MAX_TOKENS, "initializer_range": INIT_STD}
)
_BERT = _TOKENS | _SIZES | {"initializer_range": INIT_STD, "max_position_embeddings": MAX_TOKENS}
_GPT2 = _TOKENS | {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": MAX_TOKENS, "initializer_range": INIT_STD}

CAUSAL: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**_LLAMA),
    "qwen2": Qwen2Config(**_LLAMA),
    "gemma": GemmaConfig(head_dim=8, **_LLAMA),
    "gpt2": GPT2Config(**_GPT2),
    "gpt_neox": GPTNeoXConfig(**_BERT),
    "opt": OPTConfig(
        **_TOKENS,
        hidden_size=32,
        word_embed_proj_dim=32,
        ffn_dim=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=MAX_TOKENS,
        init_std=INIT_STD,
    ),
    # Logits behind a soft cap; eager attention, which adds its mask.
    "gemma2": Gemma2Config(head_dim=8, sliding_window=WINDOW, **_LLAMA),
    # Layers that look back over a window: every other one, and all.
    "gemma3": Gemma3TextConfig(
        head_dim=8, sliding_window=WINDOW, layer_types=["sliding_attention", "full_attention"], **_LLAMA
    ),
    "mistral": MistralConfig(sliding_window=WINDOW, **_LLAMA),
    # What cannot follow a tree: a window along the row, ALiBi, a recurrent state, scaled logits, a head with layers.
    "gpt_neo": GPTNeoConfig(
        **_TOKENS,
        hidden_size=32,
        intermediate_size=48,
        num_layers=2,
        num_heads=4,
        attention_types=[[["global", "local"], 1]],
        window_size=WINDOW,
        max_position_embeddings=MAX_TOKENS,
        initializer_range=INIT_STD,
    ),
    "bloom": BloomConfig(**_TOKENS, hidden_size=32, n_layer=2, n_head=4, initializer_range=INIT_STD),
    "mamba": MambaConfig(
        **_TOKENS, hidden_size=32, num_hidden_layers=2, state_size=4, initializer_range=INIT_STD, use_cache=False
    ),
    "granite": GraniteConfig(logits_scaling=3.0, **_LLAMA),
    "bert_decoder": BertConfig(is_decoder=True, **_BERT),
}
PLAIN = {"gpt_neo", "bloom", "mamba", "granite", "bert_decoder"}
ENCODERS: dict[str, PreTrainedConfig] = {
    "bert": BertConfig(**_BERT),
    # Its positions begin at 2, behind the padding's.
    "roberta": RobertaConfig(**_TOKENS, **_SIZES, initializer_range=INIT_STD, max_position_embeddings=MAX_TOKENS + 2),
}


def make_tokenizer(sentence_tokens: bool = False) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer; with `sentence_tokens` it puts bos before a text and eos after it, as BERT's does."""
    bpe = Tokenizer(models.BPE(unk_token="<unk>"))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>", "<unk>"]
    # The smallest alphabet leaves room for merges; what is not in it is <unk>.
    trainer = trainers.BpeTrainer(vocab_size=VOCAB_SIZE, special_tokens=special, show_progress=False)
    bpe.train_from_iterator([text for one in SENTENCES for text in (one, one.upper(), one.capitalize())], trainer)
    if sentence_tokens:
        bpe.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        model_max_length=MAX_TOKENS,
    )


def save_plm(folder: Path, family: str, seed: int = 0) -> Path:
    """A model directory of a family of CAUSAL or ENCODERS, as it could be downloaded."""
    torch.manual_seed(seed)
    encoder = family in ENCODERS
    model = AutoModel.from_config(ENCODERS[family]) if encoder else AutoModelForCausalLM.from_config(CAUSAL[family])
    model.save_pretrained(folder)
    make_tokenizer(sentence_tokens=encoder).save_pretrained(folder)
    return folder


def new_rescorer(folder: Path, family: str, scorer: str = "clm", seed: int = 0, **settings: Any) -> Rescorer:
    """A fresh rescorer on a tiny PLM, by way of `fetch_plm`; `settings` are PlmSettings'."""
    source, plm_dir = folder / "source" / family, folder / f"{family}_{scorer}"
    if not source.is_dir():
        save_plm(source, family)
    plm = PlmSettings(name=family, model=str(source), scorer=scorer, **settings)
    fetch_plm(plm, plm_dir)
    return Rescorer.new(plm_dir, plm, seed)
