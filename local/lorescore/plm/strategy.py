"""The settings of a strategy (`lorescore.plm.strategies` puts one to work): conf/strategy/<name>.yaml."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from lorescore.choices import STRATEGIES, require_choice
from lorescore.errors import InputError
from lorescore.files import read_yaml


@dataclass(frozen=True)
class Strategy:
    """A strategy and its settings, from conf/strategy/<name>.yaml.

    Attributes:
        name: One of `lorescore.choices.STRATEGIES`.
        rank: Rank of each layer's update at the end; for `adalora` the mean over the layers, for `mixed` the highest.
            `none`, `full` and `bitfit` have none.
        alpha: The update is scaled by alpha / rank; `rslora`: by alpha / sqrt(rank).
        learning_rate: Peak learning rate.
        init_rank: `adalora`, `warmup`: rank of each layer at the start.
        warmup_share: `warmup`: share of the steps at `init_rank`, before the updates are truncated to `rank`.
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
    warmup_share: float = 0.3
    initial_share: float = 0.1
    final_share: float = 0.3
    allocate_every: int = 2
    orthogonality: float = 0.1

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise InputError(f"rank {self.rank}, expected 1 or more", mend="correct --rank")
        if self.alpha <= 0:
            raise InputError(f"alpha {self.alpha}, expected more than 0", mend="correct --alpha")
        if self.name in ("adalora", "warmup") and self.init_rank <= self.rank:
            # There would be nothing to prune or to truncate.
            raise InputError(
                f"{self.name}: init_rank {self.init_rank} must be above rank {self.rank}",
                mend=f"raise init_rank in conf/strategy/{self.name}.yaml",
            )
        if not 0 < self.warmup_share < 1:
            raise InputError(
                f"warmup_share {self.warmup_share}, expected a share between 0 and 1",
                mend="correct conf/strategy/warmup.yaml",
            )

    @classmethod
    def read(cls, name: str, conf_dir: Path, **overrides: Any) -> "Strategy":
        """The settings of conf/strategy/<name>.yaml with a user's overrides (those that are not None).

        The init_rank keeps its ratio to the rank when only the rank is overridden.

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
