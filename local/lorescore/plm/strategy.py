"""The settings of a strategy (`lorescore.plm.strategies` puts one to work): conf/strategy/<name>.yaml."""

import math
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from lorescore.choices import STRATEGIES, require_choice, require_kind, require_positive
from lorescore.errors import InputError
from lorescore.files import read_yaml

# Of the settings whose kind their default does not show.
KIND_OF = {"name": str, "alpha": float}


@dataclass(frozen=True)
class Strategy:
    """A strategy and its settings, from conf/strategy/<name>.yaml.

    Attributes:
        name: One of `lorescore.choices.STRATEGIES`.
        rank: Rank of each layer's update at the end; for `adalora` the mean over the layers, for `mixed` the highest.
            `none`, `full` and `bitfit` have none.
        alpha: The update is scaled by alpha / rank; `rslora`: by alpha / sqrt(rank); `adalora`: by alpha / init_rank,
            whatever its layers are pruned to.
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
    alpha: float = 16
    learning_rate: float = 1e-4
    init_rank: int = 12
    warmup_share: float = 0.3
    initial_share: float = 0.1
    final_share: float = 0.3
    allocate_every: int = 2
    orthogonality: float = 0.1

    def __post_init__(self) -> None:
        for field in fields(self):
            require_kind(field.name, getattr(self, field.name), KIND_OF.get(field.name, type(field.default)))
        for name in ("rank", "init_rank", "allocate_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)}, expected 1 or more")
        for name in ("alpha", "learning_rate"):
            require_positive(name, getattr(self, name))
        if self.name in ("adalora", "warmup") and self.init_rank <= self.rank:
            # There would be nothing to prune or to truncate.
            raise InputError(
                f"{self.name}: init_rank {self.init_rank} must be above rank {self.rank}",
                mend=f"raise init_rank in conf/strategy/{self.name}.yaml",
            )
        if not 0 < self.warmup_share < 1:
            raise InputError(f"warmup_share {self.warmup_share}, expected a share between 0 and 1")
        for name in ("initial_share", "final_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} {getattr(self, name)}, expected a share from 0 to 1")
        if self.name == "adalora" and self.initial_share + self.final_share >= 1:
            raise InputError(
                f"initial_share {self.initial_share} and final_share {self.final_share} leave no steps to prune in",
                mend="lower one of them: together they are less than 1",
            )
        if not 0 <= self.orthogonality < math.inf:
            raise InputError(f"orthogonality {self.orthogonality}, expected 0 or more")

    @classmethod
    def read(cls, name: str, conf_dir: Path, **overrides: Any) -> "Strategy":
        """The settings of conf/strategy/<name>.yaml with a user's overrides (those that are not None).

        The init_rank keeps its ratio to the rank when only the rank is overridden.

        Raises:
            InputError: The strategy or one of its settings is not known, or a setting is not valid.
        """
        require_choice("--lora", name, STRATEGIES)
        path = conf_dir / f"{name}.yaml"
        settings = read_yaml(path)
        for key in settings:
            require_choice(f"{path}: setting", key, [field.name for field in fields(cls) if field.name != "name"])
        try:
            strategy = cls(name, **settings)
        except InputError as error:
            raise InputError(error.message, path=path, mend=error.mend or "correct it there") from error
        overrides = {key: value for key, value in overrides.items() if value is not None}
        if "rank" in overrides and "init_rank" not in overrides:
            overrides["init_rank"] = -(-strategy.init_rank * overrides["rank"] // strategy.rank)
        try:
            return replace(strategy, **overrides)
        except InputError as error:
            options = [f"--{name}" for name in overrides if error.message.startswith(f"{name} ")]
            raise InputError(error.message, mend=" ".join(["correct", *options]) if options else error.mend) from error

    @property
    def multiplies_alone(self) -> bool:
        """Whether what is frozen is only multiplied by: not decomposed, nor its lengths taken, nor saved.

        PEFT makes the adapter of `adalora` anew at the end, in the type of the weights.
        """
        return self.name not in ("pissa", "dora", "bitfit", "adalora")

    def to_dict(self) -> dict[str, Any]:
        """As plain YAML types."""
        return asdict(self)
