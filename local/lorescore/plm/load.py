"""Fetch a PLM once into a directory of safetensors, and load it from there."""

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers import PreTrainedTokenizerBase as Tokenizer
from transformers.utils import find_adapter_config_file
from transformers.utils import logging as transformers_logging

from lorescore.errors import InputError
from lorescore.files import checksum, give_usual_mode, read_yaml, write_yaml
from lorescore.locks import lock_beside
from lorescore.plm.onednn import use_onednn
from lorescore.plm.settings import PlmSettings
from lorescore.plm.source import (
    FETCH_AGAIN,
    PLM_FILE,
    changed_files,
    describe,
    not_fetched,
    require_as_fetched,
    source_files,
)

PACKAGE_PREFIX = "package:"
# The auto class that a scorer's PLM is loaded with.
AUTO_CLASS = {"clm": AutoModelForCausalLM, "cls": AutoModel, "pll": AutoModelForMaskedLM}
NO_FAULT_OF_THE_FILES = (InputError, MemoryError, ModuleNotFoundError)
MAKE_ROOM = "free some space or choose another directory"
NO_LIMIT = 1_000_000_000  # tokens


def fetch_plm(settings: PlmSettings, plm_dir: Path) -> None:
    """Put a PLM's weights (safetensors, float32) and tokenizer into `plm_dir`; nothing is done where they are there.

    `plm.yaml`, written last, holds the settings, a checksum of the weights, and what the files are and were that they
    are from.

    Raises:
        InputError: The model cannot be found or fetched, is an adapter, its weights are not safetensors or GGUF or not
            complete, `plm_dir` holds another model, or what was in the model's directory before it changed, or another
            process fetches it.
    """
    if not (plm_dir / PLM_FILE).is_file():
        with lock_beside(plm_dir, "fetches"):
            if not (plm_dir / PLM_FILE).is_file():  # by another process, meanwhile
                _fetch(settings, plm_dir)
    _require_same_model(settings, plm_dir)


def _fetch(settings: PlmSettings, plm_dir: Path) -> None:
    """Put a PLM into a directory, in place of what is there."""
    source, gguf_file = _locate(settings.model)
    files = describe(source_files(source, gguf_file))
    partial = plm_dir.with_name(f".{plm_dir.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        if find_adapter_config_file(source):  # transformers would load what it adapts, and put it there
            raise InputError(
                f"PLM {settings.name}: {settings.model} is an adapter, or holds one beside a model",
                mend="merge it into its PLM (PEFT's merge_and_unload), and name a directory of that and its tokenizer",
            )
        # `use_safetensors` refuses pickled weights; a GGUF file holds tensors only.
        weights = {"gguf_file": gguf_file} if gguf_file else {"use_safetensors": True}
        with without_bars():
            model, loading = AUTO_CLASS[settings.scorer].from_pretrained(
                source, dtype=torch.float32, output_loading_info=True, **weights
            )
        tokenizer = AutoTokenizer.from_pretrained(source, **({"gguf_file": gguf_file} if gguf_file else {}))
    except NO_FAULT_OF_THE_FILES:
        raise
    except Exception as error:  # see `in_one_line`
        if "Unrecognized configuration class" in str(error):  # the auto class has no model of this architecture
            raise InputError(
                f"PLM {settings.name}: {settings.model} is not of the kind that the scorer {settings.scorer} needs",
                mend="a causal LM takes --scorer clm or cls, a masked LM pll or cls, another encoder cls",
            ) from error
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"PLM {settings.name}: {settings.model} cannot be loaded: {reason}",
            mend="offline, download the model elsewhere and name its directory: --plm DIR",
        ) from error
    # What is missing has been drawn at random.
    missing = sorted(loading["missing_keys"])
    if missing and all("pooler" in name.split(".") for name in missing):
        _drop_pooler(model)
    elif missing and settings.scorer == "pll":
        raise InputError(
            f"PLM {settings.name}: this encoder has no MLM head, which the scorer pll needs: {settings.model} has no "
            f"weights for {missing[0]} ({len(missing)} missing)",
            mend="use --scorer cls",
        )
    elif missing:
        raise InputError(
            f"PLM {settings.name}: {settings.model} has no weights for {missing[0]} ({len(missing)} missing)",
            mend=f"choose a model that has what the scorer {settings.scorer} needs",
        )
    _require_embeddings(model, tokenizer, settings)
    if gguf_file:  # the weights are plain float32 by now; transformers would refuse to save a "quantized" model
        model.hf_quantizer = None
        del model.config.quantization_config
    # Where a tokenizer cannot be written, what its library raises is `Exception` itself.
    with in_one_line("cannot be written", plm_dir, MAKE_ROOM), without_bars():
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        give_usual_mode(partial.glob("*.safetensors"))
        shutil.rmtree(plm_dir, ignore_errors=True)
        partial.rename(plm_dir)
        weight_files = sorted(plm_dir.glob("*.safetensors"))
        record = {"checksum": checksum(weight_files), "source": files}
        record["files"] = describe(source_files(str(plm_dir), None))
        write_yaml(plm_dir / PLM_FILE, settings.to_dict() | record)


def _require_embeddings(model: PreTrainedModel, tokenizer: Tokenizer, settings: PlmSettings) -> None:
    """Check that the PLM knows every token that a text can have.

    Raises:
        InputError: It does not, as where tokens were added and the embeddings not resized. A special token may be
            without one: Gemma 3 has it for images.
    """
    rows = len(model.get_input_embeddings().weight)
    if len(tokenizer) <= rows:
        return
    special = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    beyond = [token for token, index in tokenizer.get_vocab().items() if index >= rows and index not in special]
    if beyond:
        raise InputError(
            f"PLM {settings.name}: {settings.model} has embeddings for {rows} tokens, and its tokenizer more, such as "
            f"{min(beyond)!r}",
            mend="take the tokenizer that the model was trained with",
        )


def _require_same_model(settings: PlmSettings, plm_dir: Path) -> None:
    """Check that a fetched PLM is the one that is asked for.

    Raises:
        InputError: It is of another name, or of files that changed since.
    """
    held = read_yaml(plm_dir / PLM_FILE)
    if held.get("model") != settings.model:
        raise InputError(
            f"holds the PLM {held.get('model')}, not {settings.model}",
            path=plm_dir,
            mend="move it away or give one of the two another name in conf/plm",
        )
    try:
        files = source_files(*_locate(settings.model))
    except InputError:  # the package is gone: what was fetched from it stays
        return
    changed = changed_files(held["source"], files) if held.get("source") and files else []
    if changed:
        raise InputError(
            f"was fetched from {files[0].parent}, where {', '.join(changed)} changed since",
            path=plm_dir,
            mend=f"move {plm_dir} and the rescorers of it away, or give the new PLM another name: --plm",
        )


@contextmanager
def cannot_be_written(directory: Path) -> Iterator[None]:
    """Turn what the libraries raise when a model cannot be written into an InputError."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot be written: {error}", path=directory, mend=MAKE_ROOM) from error


@contextmanager
def in_one_line(what: str, directory: Path, mend: str) -> Iterator[None]:
    """Turn whatever the libraries raise, as on files that are damaged or missing, into an InputError.

    Each has exceptions of its own, and that of tokenizers is `Exception` itself.
    """
    try:
        yield
    except NO_FAULT_OF_THE_FILES:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{what}: {reason}", path=directory, mend=mend) from error


@contextmanager
def without_bars() -> Iterator[None]:
    """Keep transformers' progress bars from standing between ours."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


def load_plm(plm_dir: Path, settings: PlmSettings) -> tuple[PreTrainedModel, Tokenizer]:
    """Load a fetched PLM, in float32 and with its parameters frozen.

    Raises:
        InputError: `plm_dir` holds no fetched PLM, or not what was fetched, or it cannot be loaded.
    """
    if not (plm_dir / PLM_FILE).is_file():
        raise not_fetched(settings, plm_dir)
    require_as_fetched(read_yaml(plm_dir / PLM_FILE), plm_dir)
    with in_one_line("cannot be loaded", plm_dir, FETCH_AGAIN):
        return load_model(plm_dir, settings.scorer), AutoTokenizer.from_pretrained(plm_dir)


def load_model(directory: Path, scorer: str) -> PreTrainedModel:
    """The weights that a scorer needs, from a directory of safetensors; float32, frozen, without dropout."""
    with without_bars():
        model = AUTO_CLASS[scorer].from_pretrained(directory, dtype=torch.float32, use_safetensors=True)
    _drop_pooler(model)
    model.requires_grad_(False)
    model.eval()
    use_onednn(model)
    return model


@torch.inference_mode()
def first_states(model: PreTrainedModel) -> torch.Tensor:
    """The last states of a first token before either of two others, (2, size), which tell what kind of PLM it is.

    It is tried out: neither the architecture's name nor its configuration says so for every model.

    Raises:
        InputError: It is an encoder-decoder, and its decoder needs tokens of its own.
    """
    # A decoder alone, BART's for one, has no cache that its first layers could fill.
    without_cache = {"use_cache": False} if hasattr(model.config, "use_cache") else {}
    tokens = torch.tensor([[1, 2], [1, 3]], device=model.device)
    try:
        output = model.base_model(input_ids=tokens, **without_cache)
    except ValueError as error:
        if not model.config.is_encoder_decoder:
            raise
        message = f"{model.config.model_type} is an encoder-decoder, which gives a text alone no state"
        raise InputError(message, mend="choose an encoder, or a causal LM") from error
    # Llama 4's base model is the causal LM, which gives logits.
    states: torch.Tensor = output.get("last_hidden_state", output.get("logits"))
    return states[:, 0]


def sees_ahead(states: torch.Tensor) -> bool:
    """Whether a token's state depends on the tokens after it (BERT type), by `first_states`; not in a causal LM."""
    return not torch.allclose(states[0], states[1], rtol=1e-5, atol=1e-6)


def max_tokens(model: PreTrainedModel, tokenizer: Tokenizer) -> int | None:
    """Tokens of the longest text that a PLM takes; None where it names no limit."""
    positions = getattr(model.config, "max_position_embeddings", None) or getattr(model.config, "max_seq_len", None)
    table = getattr(getattr(model.base_model, "embeddings", None), "position_embeddings", None)
    # RoBERTa types count their positions from behind the padding's.
    unused = getattr(table, "padding_idx", None)
    limits = [positions and positions - (0 if unused is None else unused + 1), tokenizer.model_max_length]
    limits.append(_short_rope_limit(model.config.get_text_config()))
    # A tokenizer without a limit has a very large number, XLNet -1.
    return min((int(limit) for limit in limits if limit and 0 < limit < NO_LIMIT), default=None)


def _short_rope_limit(config: PreTrainedConfig) -> int | None:
    """With longrope, the longest row that turns by the short factors; None without it.

    A longer row turns by others, and so do all other rows of its batch.
    """
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") != "longrope":
        return None
    inside = rope.get("original_max_position_embeddings")
    limit: int | None = inside or getattr(config, "original_max_position_embeddings", None)
    return limit


def _drop_pooler(model: PreTrainedModel) -> None:
    """Remove the layer on top of BERT types: no scorer uses it, so it has no gradient, and often no trained weights."""
    if getattr(model.base_model, "pooler", None) is not None:
        model.base_model.pooler = nn.Identity()  # some architectures call it without asking whether it is there


def _locate(model: str) -> tuple[str, str | None]:
    """Directory or hub name of a model, and its GGUF file where it is one."""
    if not model.startswith(PACKAGE_PREFIX):
        return model, None
    module, _, inside = model.removeprefix(PACKAGE_PREFIX).partition("/")
    spec = importlib.util.find_spec(module)  # finds the folder without importing the package
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"the Python package {module} is not installed", mend="./run.sh --stage 0 --stop_stage 0")
    path = Path(spec.submodule_search_locations[0]) / inside
    if not path.exists():
        raise InputError("not in the package", path=path, mend="install the package again: ./run.sh --stage 0")
    return (str(path.parent), path.name) if path.suffix == ".gguf" else (str(path), None)
