"""How the PLM's weights are adapted: `none`, `full`, `vanilla` (LoRA, arXiv 2106.09685), `adalora` (2303.10512)."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from peft import AdaLoraConfig, LoraConfig, PeftConfig, get_peft_model
from torch import nn

from lorescore.choices import STRATEGIES, require_choice
from lorescore.errors import InputError
from lorescore.files import read_yaml
from lorescore.plm.settings import ALL_LINEAR


@dataclass(frozen=True)
class Strategy:
    """A strategy and its settings, from conf/strategy/<name>.yaml.

    Attributes:
        name: `none`, `full`, `vanilla` or `adalora`.
        rank: Rank of each layer's update; for `adalora` the mean over the layers at the end.
        alpha: The update is scaled by alpha / rank.
        learning_rate: Peak learning rate.
        init_rank: `adalora`: rank of each layer at the start.
        initial_share: `adalora`: share of the steps before pruning begins.
        final_share: `adalora`: share of the steps after pruning has ended.
        allocate_every: `adalora`: steps between two prunings.
        orthogonality: `adalora`: weight of the orthogonality term.
    """

    name: str
    rank: int = 8
    alpha: int = 16
    learning_rate: float = 1e-4
    init_rank: int = 12
    initial_share: float = 0.1
    final_share: float = 0.3
    allocate_every: int = 2
    orthogonality: float = 0.1

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise InputError(f"rank {self.rank}, expected 1 or more", mend="correct --rank")
        if self.name == "adalora" and self.init_rank <= self.rank:
            # At equal ranks there is nothing to prune, and PEFT's threshold search fails.
            raise InputError(
                f"adalora: init_rank {self.init_rank} must be above rank {self.rank}",
                mend="raise init_rank in conf/strategy/adalora.yaml",
            )

    @classmethod
    def read(cls, name: str, conf_dir: Path, **overrides: Any) -> "Strategy":
        """The settings of conf/strategy/<name>.yaml with a user's overrides (those that are not None).

        AdaLoRA's init_rank keeps its ratio to the rank when only the rank is overridden.

        Raises:
            InputError: The strategy or one of its settings is not known.
        """
        require_choice("--lora", name, STRATEGIES)
        path = conf_dir / f"{name}.yaml"
        settings = read_yaml(path)
        for key in settings:
            require_choice(f"{path}: setting", key, [field.name for field in fields(cls)])
        strategy = cls(name, **settings)
        overrides = {key: value for key, value in overrides.items() if value is not None}
        if "rank" in overrides and "init_rank" not in overrides:
            overrides["init_rank"] = -(-strategy.init_rank * overrides["rank"] // strategy.rank)
        return replace(strategy, **overrides)

    def to_dict(self) -> dict[str, Any]:
        """As plain YAML types."""
        return asdict(self)


def adapt(model: nn.Module, strategy: Strategy, targets: tuple[str, ...], total_steps: int, seed: int) -> nn.Module:
    """Make the parameters trainable that a strategy trains.

    Args:
        model: A PLM whose parameters are frozen.
        strategy: The strategy.
        targets: Layers that get an adapter, as PEFT's `target_modules`.
        total_steps: Optimizer steps of the training to come; AdaLoRA's schedule needs it.
        seed: Of the adapter's initial weights.

    Returns:
        The model itself, or a `peft.PeftModel` around it.
    """
    if strategy.name == "none":
        return model
    if strategy.name == "full":
        return model.requires_grad_(True)
    torch.manual_seed(seed)
    try:
        return get_peft_model(model, _peft_config(strategy, targets, total_steps))
    except ValueError as error:  # PEFT found none of the targets in the model
        raise InputError(
            f"no layer of the PLM is named {', '.join(targets)}", mend="correct `targets:` in conf/plm"
        ) from error


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """Trainable and all parameters."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return sum(size for size, trainable in sizes if trainable), sum(size for size, _ in sizes)


def _peft_config(strategy: Strategy, targets: tuple[str, ...], total_steps: int) -> PeftConfig:
    """The strategy in PEFT's terms."""
    common = {
        "lora_alpha": strategy.alpha,
        "lora_dropout": 0.0,
        "target_modules": ALL_LINEAR if targets == (ALL_LINEAR,) else list(targets),
    }
    if strategy.name == "vanilla":
        return LoraConfig(r=strategy.rank, **common)
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
        # PEFT adds this term only to a model's own loss; here lorescore.plm.adalora adds it to the objective.
        orth_reg_weight=strategy.orthogonality,
        **common,
    )
