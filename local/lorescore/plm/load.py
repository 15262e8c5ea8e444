"""Fetch a PLM once into a directory of safetensors, and load it from there."""

import importlib.util
import shutil
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from lorescore.errors import InputError
from lorescore.files import checksum, write_yaml
from lorescore.plm.settings import PlmSettings

PACKAGE_PREFIX = "package:"
# The auto class that a scorer's PLM is loaded with.
AUTO_CLASS = {"clm": AutoModelForCausalLM, "cls": AutoModel}


def fetch_plm(settings: PlmSettings, plm_dir: Path) -> None:
    """Put a PLM's weights (safetensors, float32) and tokenizer into `plm_dir`; nothing is done where they are there.

    `plm.yaml`, written last, holds the settings and a checksum of the weights.

    Raises:
        InputError: The model cannot be found or fetched, or its weights are not safetensors or GGUF.
    """
    if (plm_dir / "plm.yaml").is_file():
        return
    source, gguf_file = _locate(settings.model)
    partial = plm_dir.with_name(f".{plm_dir.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        # `use_safetensors` refuses pickled weights; a GGUF file holds tensors only.
        weights = {"gguf_file": gguf_file} if gguf_file else {"use_safetensors": True}
        model = AUTO_CLASS[settings.scorer].from_pretrained(source, dtype=torch.float32, **weights)
        tokenizer = AutoTokenizer.from_pretrained(source, **({"gguf_file": gguf_file} if gguf_file else {}))
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"PLM {settings.name}: {settings.model} cannot be loaded: {reason}",
            mend="offline, download the model elsewhere and name its directory: --plm DIR",
        ) from error
    if gguf_file:  # the weights are plain float32 by now; transformers would refuse to save a "quantized" model
        model.hf_quantizer = None
        del model.config.quantization_config
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    shutil.rmtree(plm_dir, ignore_errors=True)
    partial.rename(plm_dir)
    weight_files = sorted(plm_dir.glob("*.safetensors"))
    write_yaml(plm_dir / "plm.yaml", settings.to_dict() | {"checksum": checksum(weight_files)})


def load_plm(plm_dir: Path, scorer: str) -> tuple[PreTrainedModel, Tokenizer]:
    """Load a fetched PLM, in float32 and with its parameters frozen.

    Raises:
        InputError: `plm_dir` holds no fetched PLM.
    """
    if not (plm_dir / "plm.yaml").is_file():
        raise InputError(
            "no fetched PLM here (plm.yaml is missing)", path=plm_dir, mend="stage 4 fetches it: ./run.sh --stage 4"
        )
    model = AUTO_CLASS[scorer].from_pretrained(plm_dir, dtype=torch.float32, use_safetensors=True)
    model.requires_grad_(False)
    model.eval()
    return model, AutoTokenizer.from_pretrained(plm_dir)


def is_encoder(plm_dir: Path) -> bool:
    """Whether the PLM is an encoder (BERT type): its configuration names no causal LM."""
    config = AutoConfig.from_pretrained(plm_dir)
    return not any("CausalLM" in name for name in config.architectures or [])


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
