"""High-rank warm-up: LoRA that trains at `init_rank`, then goes on at `rank` from the best approximation of its update.

At the switch step each update `alpha / init_rank x B A` is replaced by its best approximation of rank `rank`, the one
with its largest singular values (Eckart and Young 1936), with the singular values split evenly between the new B and
A. The function thus changes by no more than that approximation's error, the singular values that are left out. At
either rank the scaling is LoRA's alpha / rank; the new factors make up for the change.

The paper's abstract (arXiv 2401.10447) names high-rank warm-up without defining it; this is the project's reading.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from lorescore.errors import InputError
from lorescore.plm.adaptation import ADAPTER, Adaptation, lora_layers, replace_factors
from lorescore.plm.strategy import Strategy


class Warmup(Adaptation):
    """Truncates the updates after `warmup_share` of the steps.

    Until `finalize` the factors keep their size: those of the ranks that were cut off are 0, both in A and in B, so
    that they have no part in the function and no gradient.

    Args:
        model: A PLM with LoRA of rank `strategy.init_rank`.
        strategy: The strategy's settings.
        total_steps: Optimizer steps of the training.

    Raises:
        InputError: There are too few steps for both parts.
    """

    def __init__(self, model: nn.Module, strategy: Strategy, total_steps: int) -> None:
        super().__init__(model, strategy)
        self.switch_step = max(1, round(strategy.warmup_share * total_steps))
        if self.switch_step >= total_steps:
            raise InputError(
                f"warmup needs more than {total_steps} steps to go on after the truncation",
                mend="raise --epochs or the lists, or lower warmup_share in conf/strategy/warmup.yaml",
            )
        self.truncated = False

    @property
    def first_choice_step(self) -> int:
        """The step after which the updates are truncated."""
        return self.switch_step

    def after_step(self, step: int, optimizer: torch.optim.Optimizer) -> None:
        """Truncate the updates at the switch step; the optimizer begins anew with them."""
        if step != self.switch_step:
            return
        self._truncate()
        for layer in lora_layers(self.model).values():
            for linear in (layer.lora_A[ADAPTER], layer.lora_B[ADAPTER]):
                optimizer.state.pop(linear.weight, None)  # the moments of other numbers

    def ranks(self) -> dict[str, int]:
        """`init_rank` before the truncation, `rank` after it."""
        rank = self.strategy.rank if self.truncated else self.strategy.init_rank
        return dict.fromkeys(lora_layers(self.model), rank)

    def trained_parameters(self) -> int:
        """Those that are left after the truncation."""
        layers = lora_layers(self.model).values()
        return sum(self.strategy.rank * (layer.in_features + layer.out_features) for layer in layers)

    def state_dict(self) -> dict[str, Any]:
        """Whether the updates have been truncated."""
        return {"truncated": self.truncated}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.truncated = bool(state["truncated"])
        rank = self.strategy.rank if self.truncated else self.strategy.init_rank
        for layer in lora_layers(self.model).values():
            layer.scaling[ADAPTER] = self.strategy.alpha / rank

    def finalize(self) -> None:
        """Drop the ranks that were cut off."""
        if not self.truncated:
            self._truncate()
        rank = self.strategy.rank
        factors = {
            name: (layer.lora_A[ADAPTER].weight[:rank], layer.lora_B[ADAPTER].weight[:, :rank])
            for name, layer in lora_layers(self.model).items()
        }
        replace_factors(self.model, factors, self.strategy.alpha)

    @torch.no_grad()
    def _truncate(self) -> None:
        rank, scaling = self.strategy.rank, self.strategy.alpha / self.strategy.rank
        for layer in lora_layers(self.model).values():
            a, b = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
            left, right = best_approximation(layer.scaling[ADAPTER] / scaling * b, a, rank)
            b.zero_()[:, :rank] = left
            a.zero_()[:rank] = right
            layer.scaling[ADAPTER] = scaling
        self.truncated = True


def best_approximation(b: torch.Tensor, a: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The best approximation of `b @ a` of a lower rank, in the Frobenius and the spectral norm, as balanced factors.

    Args:
        b: (outputs, n).
        a: (n, inputs).
        rank: From 1 to n.

    Returns:
        U sqrt(S), (outputs, rank), and sqrt(S) V', (rank, inputs), of the largest singular values S; filled up with
        zeros where a side of the matrix is smaller than `rank`.
    """
    # The singular values of B A are those of the small matrix between the two orthogonal bases.
    left_basis, left = torch.linalg.qr(b.double())
    right_basis, right = torch.linalg.qr(a.double().T)
    u, values, vh = torch.linalg.svd(left @ right.T, full_matrices=False)
    roots = values[:rank].sqrt()
    new_b, new_a = b.new_zeros(len(b), rank), a.new_zeros(rank, a.shape[1])
    new_b[:, : len(roots)] = (left_basis @ u[:, :rank] * roots).to(b.dtype)
    new_a[: len(roots)] = (roots[:, None] * vh[:rank] @ right_basis.T).to(a.dtype)
    return new_b, new_a
