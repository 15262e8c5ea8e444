"""BitFit (arXiv 2106.10199): the bias terms are trained and nothing else. A baseline that has no rank.

PEFT has no method of this name, but its LoRA can train and save all bias terms beside its factors. So a BitFit adapter
is a LoRA of rank 1 on one layer, whose factors are frozen at an update of 0, with `bias="all"`; stock PEFT loads it.
"""

from peft import LoraConfig
from torch import nn
from transformers.pytorch_utils import Conv1D

from lorescore.errors import InputError
from lorescore.plm.adaptation import ADAPTER, Adaptation, lora_layers, stores_transposed
from lorescore.plm.strategy import Strategy


class BitFit(Adaptation):
    """Freezes the update that carries the bias terms."""

    def __init__(self, model: nn.Module, strategy: Strategy) -> None:
        super().__init__(model, strategy)
        for layer in lora_layers(model).values():
            layer.lora_A[ADAPTER].requires_grad_(False)
            layer.lora_B[ADAPTER].requires_grad_(False)

    def ranks(self) -> dict[str, int]:
        """None: what carries the bias terms is no update."""
        return {}


def bias_config(model: nn.Module) -> LoraConfig:
    """PEFT's configuration for all bias terms of a PLM.

    Raises:
        InputError: It has none, as Llama types do.
    """
    if not any(name.endswith(".bias") for name, _ in model.named_parameters()):
        raise InputError(
            "bitfit trains the bias terms, and this PLM has none",
            mend="choose another strategy, or a PLM with bias terms such as BERT or GPT-2",
        )
    layer = next(name for name, part in model.named_modules() if isinstance(part, (nn.Linear, Conv1D)))
    return LoraConfig(r=1, lora_alpha=1, target_modules=[layer], bias="all", fan_in_fan_out=stores_transposed(model))
