"""Mixed-rank training: nested ranks, so that one adapter serves every rank from 1 to r.

Each step trains the first k components of every update, k drawn from 1..r: alpha / r x B[:, :k] A[:k]. The first
components learn at every step, the last at one in r, so what matters most goes to the front, as in DyLoRA (arXiv
2210.07558). The scaling is alpha / r for every k. So a component adds the same whatever comes after it, the model at
rank k is the truncation of the model at rank r, and the adapter at rank r is a plain LoRA of rank r.

The paper's abstract (arXiv 2401.10447) names mixed-rank training without defining it; this is the project's reading.
Unlike in DyLoRA k is drawn anew for a whole step, and all k components are trained. A component that is left out has a
gradient of 0, which the moments of Adam still take a step with.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from lorescore.errors import InputError
from lorescore.plm.adaptation import ADAPTER, Adaptation, lora_layers, replace_factors
from lorescore.plm.strategy import Strategy


class Mixed(Adaptation):
    """Trains at a rank drawn for each step; between `after_step` and `before_step` the model is at full rank.

    Args:
        model: A PLM with LoRA.
        strategy: The strategy's settings.
        seed: Of the ranks that are drawn.
    """

    def __init__(self, model: nn.Module, strategy: Strategy, seed: int) -> None:
        super().__init__(model, strategy)
        self.seed = seed
        self._drawn = ExitStack()

    def before_step(self, step: int) -> None:
        """Go to the rank of the step."""
        self._drawn.close()  # a step that failed has not come to its end
        self._drawn.enter_context(at_rank(self.model, self.drawn_rank(step)))

    def after_step(self, step: int, optimizer: torch.optim.Optimizer) -> None:
        """Go back to full rank."""
        self._drawn.close()

    def finalize(self) -> None:
        """Go back to full rank, if the last step failed."""
        self._drawn.close()

    def drawn_rank(self, step: int) -> int:
        """The rank that a step trains, uniform over 1..r, by (seed, step)."""
        return int(np.random.default_rng([self.seed, step]).integers(1, self.strategy.rank, endpoint=True))


@contextmanager
def at_rank(model: nn.Module, rank: int) -> Iterator[nn.Module]:
    """The model with the first `rank` components of every update, for the time of the context.

    Args:
        model: A `peft.PeftModel` whose LoRA is not merged.
        rank: From 1 to the adapter's.

    Raises:
        InputError: The adapter has no such rank.
    """
    layers = lora_layers(model)
    _require_rank(layers, rank)
    with ExitStack() as hooks:
        for layer in layers.values():
            if rank < layer.r[ADAPTER]:
                hooks.callback(layer.lora_A[ADAPTER].register_forward_hook(_first_components(rank)).remove)
        yield model


def truncate(model: nn.Module, rank: int) -> None:
    """Keep the first `rank` components of every update, for good: the model can then be merged, or saved as a plain
    LoRA of that rank. Its function is that of `at_rank`.

    Raises:
        InputError: The adapter has no such rank.
    """
    layers = lora_layers(model)
    _require_rank(layers, rank)
    factors = {
        name: (layer.lora_A[ADAPTER].weight[:rank], layer.lora_B[ADAPTER].weight[:, :rank])
        for name, layer in layers.items()
    }
    scaling = next(iter(layers.values())).scaling[ADAPTER]
    replace_factors(model, factors, alpha=scaling * rank)


def _require_rank(layers: dict[str, Any], rank: int) -> None:
    if not layers:
        raise InputError("this model has no LoRA adapter to take a rank of", mend="give one trained with --lora mixed")
    highest = min(layer.r[ADAPTER] for layer in layers.values())
    if not 1 <= rank <= highest:
        raise InputError(f"rank {rank}, but the adapter has the ranks 1 to {highest}", mend="choose one of them")


def _first_components(rank: int) -> Callable[[nn.Module, Any, torch.Tensor], torch.Tensor]:
    """A hook on A, after which A x is 0 from component `rank` on: neither A nor B has a gradient there."""

    def hook(module: nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        return output.masked_fill(torch.arange(output.shape[-1], device=output.device) >= rank, 0.0)

    return hook
