"""PiSSA (arXiv 2404.02948): LoRA that starts from the largest singular values of the weight itself.

W = W' + s B0 A0, where B0 A0 has the r largest singular values of W and s = alpha / r; W' is frozen, B and A start at
B0 and A0. What is learnt is s (B A - B0 A0), an update of rank up to 2r on W itself. It is saved as such, a plain LoRA
of twice the rank, so that it loads on the PLM as it was, without a decomposition whose rounding differs from machine
to machine. r ranks are trained.
"""

import torch
from torch import nn

from lorescore.errors import InputError
from lorescore.plm.adaptation import ADAPTER, Adaptation, lora_layers, replace_factors
from lorescore.plm.strategy import Strategy


class Pissa(Adaptation):
    """Keeps the factors that the training starts from.

    Args:
        model: A PLM to which PEFT has just added its PiSSA adapter.

    Raises:
        InputError: A weight has fewer singular values than the adapter has ranks.
    """

    def __init__(self, model: nn.Module, strategy: Strategy) -> None:
        super().__init__(model, strategy)
        self._trained_parameters = super().trained_parameters()
        self._start = {
            name: (layer.lora_A[ADAPTER].weight.detach().clone(), layer.lora_B[ADAPTER].weight.detach().clone())
            for name, layer in lora_layers(model).items()
        }
        for name, (a, _) in self._start.items():
            if len(a) < strategy.rank:
                raise InputError(f"pissa: rank {strategy.rank}, but {name} has rank {len(a)}", mend="lower --rank")

    def ranks(self) -> dict[str, int]:
        """The ranks that are trained; twice as many are saved."""
        return dict.fromkeys(self._start, self.strategy.rank)

    def trained_parameters(self) -> int:
        """Those of one rank, before and after `finalize`."""
        return self._trained_parameters

    @torch.no_grad()
    def finalize(self) -> None:
        """Put the PLM's weights back, and make what was learnt a plain LoRA of twice the rank."""
        factors = {}
        for name, layer in lora_layers(self.model).items():
            a_start, b_start = (factor.to(layer.lora_A[ADAPTER].weight.device) for factor in self._start[name])
            removed = layer.scaling[ADAPTER] * b_start @ a_start
            layer.get_base_layer().weight += removed.T if layer.fan_in_fan_out else removed
            factors[name] = (
                torch.cat([layer.lora_A[ADAPTER].weight, a_start]),
                torch.cat([layer.lora_B[ADAPTER].weight, -b_start], dim=1),
            )
        replace_factors(self.model, factors, alpha=2 * self.strategy.alpha)
