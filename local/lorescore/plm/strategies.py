"""How the PLM's weights are adapted: the strategies, and `adapt`, which puts one to work (settings: strategy.py).

    none      frozen; the head of a `cls` scorer is trained all the same
    full      every weight
    vanilla   LoRA (arXiv 2106.09685) with one rank for every layer
    adalora   LoRA whose ranks move between the layers (arXiv 2303.10512), see adalora.py
    warmup    LoRA that begins at a high rank and is truncated, see warmup.py
    mixed     LoRA trained at all ranks at once, see mixed.py
    dora      LoRA with the length of each row of the weight trained apart from its direction (arXiv 2402.09353)
    rslora    LoRA scaled by alpha / sqrt(rank) (arXiv 2312.03732)
    pissa     LoRA that starts from the weight's largest singular values (arXiv 2404.02948), see pissa.py
    bitfit    the bias terms (arXiv 2106.10199), see bitfit.py

At one rank all low-rank strategies train as many parameters at the end, within 2 % (adalora.py keeps to it). `dora` has
as many in its factors, and a magnitude for each output of an adapted layer beside them, which are counted too: 6 %
more at rank 8 on a square layer.
"""

from typing import Any

import torch
from peft import AdaLoraConfig, LoraConfig, PeftConfig, get_peft_model
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from lorescore.choices import FROZEN
from lorescore.errors import InputError
from lorescore.plm.adalora import AdaLora
from lorescore.plm.adaptation import Adaptation, stores_transposed
from lorescore.plm.bitfit import BitFit, bias_config
from lorescore.plm.mixed import Mixed
from lorescore.plm.pissa import Pissa
from lorescore.plm.settings import ALL_LINEAR
from lorescore.plm.strategy import Strategy
from lorescore.plm.warmup import Warmup

# The strategies that do more than to train what `adapt` made trainable; warmup and mixed have arguments of their own.
ADAPTATIONS: dict[str, type[Adaptation]] = {"adalora": AdaLora, "pissa": Pissa, "bitfit": BitFit}
# What makes PEFT's LoRA the strategy of this name.
VARIANTS: dict[str, dict[str, Any]] = {
    "dora": {"use_dora": True},
    "rslora": {"use_rslora": True},
    "pissa": {"init_lora_weights": "pissa"},
}


# A layer whose weight their fused kernels take, without calling it: PEFT refuses an adapter there.
MAMBA_TYPES = ("mamba", "mamba2", "falcon_mamba", "falcon_h1", "nemotron_h")
UNUSED_IN_MAMBA = "out_proj"


def adapt(
    model: PreTrainedModel, strategy: Strategy, targets: tuple[str, ...], total_steps: int, seed: int
) -> Adaptation:
    """Put a strategy to work on a PLM: what it trains becomes trainable.

    Args:
        model: A PLM whose parameters are frozen; it is changed in place.
        strategy: The strategy.
        targets: Layers that get an adapter, as PEFT's `target_modules`.
        total_steps: Optimizer steps of the training to come, for schedules of ranks.
        seed: Of the adapter's initial weights, and of what the strategy draws.

    Returns:
        The strategy at work; its `model` is the PLM itself, or a `peft.PeftModel` around it.

    Raises:
        InputError: The PLM lacks one of the targets, or what the strategy needs; or there are too few steps.
    """
    if strategy.name in (FROZEN, "full"):
        model.requires_grad_(strategy.name == "full")
        return Adaptation(model, strategy)
    config = bias_config(model) if strategy.name == "bitfit" else _peft_config(model, strategy, targets, total_steps)
    torch.manual_seed(seed)
    try:
        adapted = get_peft_model(model, config)
    except ValueError as error:
        if "incompatible with Mamba" in str(error):
            message = f"this PLM, {model.config.model_type}, takes no adapter on {UNUSED_IN_MAMBA}"
            raise InputError(message, mend=f"--targets without it, or {ALL_LINEAR}, which leaves it out") from error
        if "No `target_modules` passed" in str(error):
            raise InputError(
                "this PLM has no linear layers to put an adapter on", mend="choose --lora full, or another PLM"
            ) from error
        raise
    if strategy.name == "warmup":
        return Warmup(adapted, strategy, total_steps)
    if strategy.name == "mixed":
        return Mixed(adapted, strategy, seed)
    return ADAPTATIONS.get(strategy.name, Adaptation)(adapted, strategy)


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """Trainable and all parameters."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return sum(size for size, trainable in sizes if trainable), sum(size for size, _ in sizes)


def _peft_config(model: PreTrainedModel, strategy: Strategy, targets: tuple[str, ...], total_steps: int) -> PeftConfig:
    """A low-rank strategy in PEFT's terms."""
    everywhere = targets == (ALL_LINEAR,)
    if not everywhere:
        _require_linear(model, targets)
    common: dict[str, Any] = {
        "lora_alpha": strategy.alpha,
        "lora_dropout": 0.0,
        "fan_in_fan_out": stores_transposed(model),
        "target_modules": ALL_LINEAR if everywhere else list(targets),
    }
    if everywhere and model.config.model_type in MAMBA_TYPES:
        common["exclude_modules"] = [UNUSED_IN_MAMBA]
    if strategy.name != "adalora":
        rank = strategy.init_rank if strategy.name == "warmup" else strategy.rank
        return LoraConfig(r=rank, **common, **VARIANTS.get(strategy.name, {}))
    tinit = round(strategy.initial_share * total_steps)
    tfinal = round(strategy.final_share * total_steps)
    # The budget is met at step total - tfinal; the importance of the ranks has to be measured in a step before it.
    if total_steps - tfinal <= max(tinit, 1):
        raise InputError(f"adalora needs more than {total_steps} steps to prune", mend="raise --epochs or the lists")
    return AdaLoraConfig(
        target_r=strategy.rank,
        init_r=strategy.init_rank,
        tinit=tinit,
        tfinal=tfinal,
        deltaT=strategy.allocate_every,
        total_step=total_steps,
        # PEFT adds this term only to a model's own loss; here it is AdaLora.regularizer.
        orth_reg_weight=strategy.orthogonality,
        **common,
    )


def _require_linear(model: PreTrainedModel, targets: tuple[str, ...]) -> None:
    """Check that each target is a linear layer's name or the end of one; PEFT leaves out those that are not there.

    Raises:
        InputError: One is not, or its weight is the embeddings' too: an update that is merged would change both.
    """
    embeddings = model.get_input_embeddings().weight
    for target in targets:
        named = [part for name, part in model.named_modules() if f".{name}".endswith(f".{target}")]
        if not (named and all(isinstance(part, nn.Linear | Conv1D) for part in named)):
            raise InputError(
                f"no linear layer of the PLM is named {target}", mend="correct --targets, or `targets:` in conf/plm"
            )
        if any(part.weight is embeddings for part in named):
            raise InputError(
                f"{target} shares its weight with the PLM's embeddings, so it takes no adapter of its own",
                mend="--targets without it, or `targets:` in conf/plm",
            )
