"""Tiny PLMs with random weights and a tokenizer trained on the spot, saved as Hugging Face model directories.

The weights are drawn wide, so that a wrong mask or position changes a score by whole nats.
"""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AlbertConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    BertConfig,
    BloomConfig,
    CohereConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
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
    ModernBertConfig,
    ModernBertDecoderConfig,
    OPTConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
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
SHORT_CONTEXT = 10  # tokens that the family short_bert takes, with its two special tokens
PIECES = 64  # vocabulary of the masked LMs' tokenizers: small, so that words have several tokens
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
    "qwen3": Qwen3Config(head_dim=8, **_LLAMA),
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
    # Logits that are scaled, and a head with layers.
    "granite": GraniteConfig(logits_scaling=3.0, **_LLAMA),
    "cohere": CohereConfig(logit_scale=0.25, **_LLAMA),
    "bert_decoder": BertConfig(is_decoder=True, **_BERT),
    "modernbert_decoder": ModernBertDecoderConfig(
        layer_types=["sliding_attention", "full_attention"], local_attention=2 * WINDOW, **_BERT
    ),
    # What cannot follow a tree: a window along the row, ALiBi, a recurrent state.
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
}
PLAIN = {"gpt_neo", "bloom", "mamba"}
WHOLE_LOGITS = {"granite", "cohere", "bert_decoder", "modernbert_decoder"}
ENCODERS: dict[str, PreTrainedConfig] = {
    "bert": BertConfig(**_BERT),
    "short_bert": BertConfig(**_BERT | {"max_position_embeddings": SHORT_CONTEXT}),
    # Its positions begin at 2, behind the padding's.
    "roberta": RobertaConfig(**_TOKENS, **_SIZES, initializer_range=INIT_STD, max_position_embeddings=MAX_TOKENS + 2),
    "distilbert": DistilBertConfig(
        **_TOKENS,
        dim=32,
        hidden_dim=48,
        n_layers=2,
        n_heads=4,
        initializer_range=INIT_STD,
        max_position_embeddings=MAX_TOKENS,
    ),
    "albert": AlbertConfig(embedding_size=16, **_BERT),
    "electra": ElectraConfig(embedding_size=16, **_BERT),
    # Relative positions alone, in buckets, as in version 3.
    "deberta_v2": DebertaV2Config(
        relative_attention=True,
        pos_att_type=["p2c", "c2p"],
        share_att_key=True,
        position_buckets=8,
        position_biased_input=False,
        norm_rel_ebd="layer_norm",
        type_vocab_size=0,
        **_BERT,
    ),
    # A layer that sees everything, a layer that sees a window.
    "modernbert": ModernBertConfig(
        global_attn_every_n_layers=2, local_attention=WINDOW, cls_token_id=1, sep_token_id=2, **_BERT
    ),
}
# The family of each page of conf/plm.
CONF_FAMILIES = {
    "bert-base": "bert",
    "roberta-base": "roberta",
    "roberta-large": "roberta",
    "modernbert-base": "modernbert",
    "deberta-v3-base": "deberta_v2",
    "minilm": "bert",
    "smollm2": "llama",
    "smollm2-360m": "llama",
    "llama-3.2-1b": "llama",
    "gpt2": "gpt2",
    "qwen2.5-0.5b": "qwen2",
    "qwen3-0.6b": "qwen3",
    "gemma-3-1b": "gemma3",
    "opt-125m": "opt",
}
# How the masked LMs' tokenizers cut words.
TOKENIZERS = {
    "bert": "wordpiece",
    "short_bert": "wordpiece",
    "distilbert": "wordpiece",
    "electra": "wordpiece",
    "roberta": "bpe",
    "modernbert": "bpe",
    "albert": "unigram",
    "deberta_v2": "unigram",
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


def make_masked_tokenizer(kind: str) -> PreTrainedTokenizerFast:
    """A tokenizer with a mask token: `wordpiece` as BERT's, byte-level `bpe` as RoBERTa's, `unigram` as ALBERT's."""
    special = ["<pad>", "<s>", "</s>", "<unk>", "<mask>"]
    settings: dict[str, Any] = {"vocab_size": PIECES, "special_tokens": special, "show_progress": False}
    if kind == "wordpiece":
        made = Tokenizer(models.WordPiece(unk_token="<unk>"))
        made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(**settings)
    elif kind == "bpe":
        made = Tokenizer(models.BPE(unk_token="<unk>"))
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(**settings)
    else:
        made = Tokenizer(models.Unigram())
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(unk_token="<unk>", **settings)
    made.train_from_iterator([text.lower() for text in SENTENCES], trainer)
    if kind == "wordpiece":  # its trainer numbers the pieces in another order in every process
        pieces = [*special, *sorted(made.get_vocab().keys() - set(special))]
        made.model = models.WordPiece({piece: index for index, piece in enumerate(pieces)}, unk_token="<unk>")
    made.post_processor = (
        processors.RobertaProcessing(("</s>", 2), ("<s>", 1), add_prefix_space=False)
        if kind == "bpe"
        else processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        model_max_length=MAX_TOKENS,
    )


def save_masked_lm(folder: Path, family: str, seed: int = 0) -> Path:
    """A masked LM of a family of ENCODERS with a tokenizer of its kind, as it could be downloaded."""
    torch.manual_seed(seed)
    AutoModelForMaskedLM.from_config(ENCODERS[family]).save_pretrained(folder)
    make_masked_tokenizer(TOKENIZERS[family]).save_pretrained(folder)
    return folder


def save_plm(folder: Path, family: str, seed: int = 0) -> Path:
    """A model directory of a family of CAUSAL or ENCODERS, as it could be downloaded."""
    torch.manual_seed(seed)
    encoder = family in ENCODERS
    model = AutoModel.from_config(ENCODERS[family]) if encoder else AutoModelForCausalLM.from_config(CAUSAL[family])
    model.save_pretrained(folder)
    make_tokenizer(sentence_tokens=encoder).save_pretrained(folder)
    return folder


def new_rescorer(folder: Path, family: str, scorer: str = "clm", **settings: Any) -> Rescorer:
    """A fresh rescorer on a tiny PLM, by way of `fetch_plm`; `settings` are PlmSettings'."""
    masked = scorer == "pll"
    source, plm_dir = folder / "source" / (f"{family}_mlm" if masked else family), folder / f"{family}_{scorer}"
    if not source.is_dir():
        (save_masked_lm if masked else save_plm)(source, family)
    plm = PlmSettings(name=family, model=str(source), scorer=scorer, **settings)
    fetch_plm(plm, plm_dir)
    return Rescorer.new(plm_dir, plm)
