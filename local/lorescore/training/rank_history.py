"""The ranks of a training over its steps, for those strategies that change them: `rank_history.yaml` of a rescorer.

    layers: [model.layers.0.self_attn.q_proj, ...]
    ranks:
      0: 12 12 12 ...      the rank of each layer, in that order, from this step on
      52: 12 11 12 ...

Only the steps after which a rank was another one are kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lorescore.errors import InputError
from lorescore.files import read_yaml

MEND = "train it again: ./run.sh --stage 5 --stop_stage 5"


@dataclass
class RankHistory:
    """The ranks by step.

    Attributes:
        layers: The adapted layers' names.
        changes: The rank of each of them, by the step after which it had it first, in increasing order.
    """

    layers: tuple[str, ...] = ()
    changes: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def add(self, step: int, ranks: Mapping[str, int]) -> None:
        """Take in the ranks after a step, which comes after all others; kept where they are other ones."""
        now = tuple(ranks.values())
        if ranks and (not self.changes or now != next(reversed(self.changes.values()))):
            self.layers = tuple(ranks)
            self.changes[step] = now

    @property
    def has_moved(self) -> bool:
        """Whether a rank has changed."""
        return len(self.changes) > 1

    @property
    def final(self) -> dict[str, int]:
        """The last ranks, by layer."""
        return dict(zip(self.layers, next(reversed(self.changes.values()), ()), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """As plain YAML types, a line a step."""
        return {
            "layers": list(self.layers),
            "ranks": {step: " ".join(map(str, ranks)) for step, ranks in self.changes.items()},
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "RankHistory":
        """From `to_dict`, or from what JSON makes of that.

        Raises:
            KeyError, TypeError, ValueError: It is not one.
        """
        layers = tuple(map(str, content["layers"]))
        changes = {int(step): tuple(map(int, str(ranks).split())) for step, ranks in dict(content["ranks"]).items()}
        for step, ranks in changes.items():
            if len(ranks) != len(layers) or min((*ranks, step)) < 0:
                raise ValueError(f"step {step} has not one rank for each of the {len(layers)} layers")
        return cls(layers, dict(sorted(changes.items())))

    @classmethod
    def read(cls, path: Path) -> "RankHistory":
        """Read `rank_history.yaml`.

        Raises:
            InputError: The file is missing or is not one.
        """
        content = read_yaml(path)
        try:
            return cls.from_dict(content)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"not the ranks by step: {error}", path=path, mend=MEND) from error
