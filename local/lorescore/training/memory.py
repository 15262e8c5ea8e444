"""What a training costs in memory: the numbers' type, states that are computed again rather than kept, the peak."""

import ctypes
import re
import resource
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from lorescore.errors import InputError
from lorescore.scoring.options import ScoringOptions, has_fast_bf16

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # sets VmHWM of STATUS to the resident memory of this moment (proc_pid_clear_refs(5))


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """The context of the forward passes.

    Args:
        precision: `fp32`, `bf16`, or `auto`: bf16 on a GPU that has it, else fp32.
        device: Where the model is.

    Raises:
        InputError: bf16 is asked for on a GPU without it.
    """
    if precision == "bf16" and device.type == "cuda" and not has_fast_bf16(device):
        raise InputError("--precision is bf16, which this GPU does not have", mend="--precision fp32")
    half = ScoringOptions(dtype=precision).torch_dtype(device) == torch.bfloat16
    return torch.autocast(device.type, torch.bfloat16, enabled=half)


@contextmanager
def gradient_checkpointing(scorer: nn.Module, enabled: bool) -> Iterator[None]:
    """Keep a layer's input alone for the backward pass, and compute the rest of its states again there.

    transformers' own switch works in training mode alone, which would bring dropout back. A layer that runs again does
    not know the blocks of its row (`lorescore.scoring.attention`), so a `clm` lays its trees out with a mask meanwhile.

    Raises:
        InputError: The model has no layers of which that is known to work.
    """
    layers = [part for part in scorer.modules() if isinstance(part, GradientCheckpointingLayer)] if enabled else []
    if enabled and not layers:
        raise InputError("--gradient_checkpointing is not possible with this PLM", mend="leave it out")
    with ExitStack() as undo:
        if enabled and getattr(scorer, "blocks", False):
            undo.callback(setattr, scorer, "blocks", True)
            scorer.blocks = False  # type: ignore[assignment]  # for mypy an attribute of a Module is a module
        for part in scorer.modules() if enabled else ():
            config: Any = getattr(part, "config", None)
            if getattr(config, "use_cache", False):  # a layer that runs twice would add to the cache twice
                undo.callback(setattr, config, "use_cache", config.use_cache)
                config.use_cache = False
        for layer in layers:
            # An attribute of the object stands before the class's method.
            undo.callback(delattr, layer, "forward")
            layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
        yield


def reset_peak_memory(device: torch.device) -> None:
    """Let `peak_memory_mb` begin here: what was computed before, with other models perhaps, has no part in it."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(AttributeError, OSError):  # glibc keeps what was freed; elsewhere there is no such function
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):  # no Linux, or a container that hides it: the peak is of the process's whole life
        CLEAR_REFS.write_text(RESET_PEAK, encoding="ascii")


def peak_memory_mb(device: torch.device) -> float:
    """Largest memory since `reset_peak_memory`, in MiB: on a GPU of its tensors, else of the process.

    A process holds Python and the libraries besides, some 600 MiB.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    with suppress(OSError):
        if found := re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text(encoding="utf-8")):
            return int(found[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
