"""The teacher's scores as `distill` takes them.

A constant that all hypotheses share and a common factor change no choice: the weight of the scores is tuned on dev. But
they decide how hard a regression is: a causal LM gives a sentence -20 to -200 nats, and a new head begins at 0. So the
scores can be brought to a scale of their own (this project's own; RescoreBERT's abstract does not say):

- `none`: nats, as they are. What a `clm` or a `pll` takes by default: its own scores are nats too.
- `set`: less their mean over the training set, over their standard deviation. Most of what there is to learn is then
  how long a sentence is.
- `list`: less their mean over the list, over the root mean square of these differences; the scores that are trained are
  centred by list too. All that there is to learn is what tells the hypotheses of a list apart. A `cls` takes this by
  default.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lorescore.errors import InputError

AUTO = "auto"
MIN_SPREAD = 1e-6  # nats


@dataclass(frozen=True)
class TeacherScores:
    """A teacher's scores of the training lists.

    Attributes:
        scores: (n,) of each list's hypotheses.
        unit: What a difference of 1 is in nats.
        centred: Whether they are differences from their mean over the list.
        mean: What was taken off all of them, in nats.
    """

    scores: list[torch.Tensor]
    unit: float
    centred: bool
    mean: float = 0.0

    @classmethod
    def from_costs(cls, costs: Sequence[Sequence[float]], norm: str, scorer: str) -> "TeacherScores":
        """Normalise what the teacher gave.

        Args:
            costs: Its costs (negative scores) of each list's hypotheses, in nats.
            norm: `none`, `set`, `list`, or `auto`.
            scorer: The scorer that is trained; `auto` depends on it.

        Raises:
            InputError: The teacher tells no hypotheses apart; by list there may be nothing to tell apart.
        """
        if norm == AUTO:
            norm = "list" if scorer == "cls" else "none"
        if norm == "list" and all(len(one) == 1 for one in costs):
            message = "the training lists have one hypothesis each: there is nothing to tell apart"
            raise InputError(message, mend="give longer lists and no --max_hyps 1, or take --teacher_norm set")
        scores = [-np.array(one, dtype=np.float64) for one in costs]
        mean = float(np.concatenate(scores).mean()) if norm == "set" else 0.0
        if norm == "set":
            scores = [one - mean for one in scores]
        elif norm == "list":
            scores = [one - one.mean() for one in scores]
        unit = 1.0 if norm == "none" else float(np.sqrt(np.square(np.concatenate(scores)).mean()))
        if unit < MIN_SPREAD:
            raise InputError("the teacher gives all hypotheses the same score", mend="choose another --teacher")
        tensors = [torch.tensor(one / unit, dtype=torch.float32) for one in scores]
        return cls(tensors, unit, centred=norm == "list", mean=mean)

    def of(self, costs: Sequence[float]) -> torch.Tensor:
        """The teacher's costs of another list, brought to the same scale, (n,)."""
        scores = -np.array(costs, dtype=np.float64)
        scores = scores - (scores.mean() if self.centred else self.mean)
        return torch.tensor(scores / self.unit, dtype=torch.float32)
