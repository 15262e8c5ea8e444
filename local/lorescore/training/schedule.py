"""The learning rate over the steps: a linear warm-up, then a linear or a cosine decay to 0."""

import math

from torch.optim import Optimizer

PEAK = "initial_lr"  # where torch's own schedulers keep a group's peak rate


class Schedule:
    """Sets an optimizer's learning rates. It has no state: the rate is a function of the step.

    Args:
        total_steps: Steps of the whole training.
        warmup_share: Share of them in which the rate rises.
        decay: `linear` or `cosine`.
    """

    def __init__(self, total_steps: int, warmup_share: float, decay: str) -> None:
        self.total_steps = total_steps
        self.warmup = max(1, round(warmup_share * total_steps))
        self.decay = decay

    def factor(self, step: int) -> float:
        """The share of the peak rate that a step takes, counted from 1."""
        done = step - 1
        rise = (done + 1) / self.warmup
        left = (self.total_steps - done) / max(1, self.total_steps - self.warmup)
        if self.decay == "cosine":
            left = (1 - math.cos(math.pi * min(1.0, left))) / 2
        return min(rise, left)

    def apply(self, optimizer: Optimizer, step: int) -> float:
        """Set the rates of the groups for a step; the first group's rate."""
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault(PEAK, group["lr"]) * self.factor(step)
        return float(optimizer.param_groups[0]["lr"])
