"""What AdaLoRA (arXiv 2303.10512) needs from a training loop that has its own loss.

Each update is P diag(E) Q with a learnt singular value per rank; PEFT stores P as lora_B, E as lora_E, Q as lora_A.
PEFT adds the orthogonality term only to outputs that carry a `loss`, so a loop with an objective of its own has to add
it (eq. 4 of the paper); and it has to call `update_and_allocate` between the backward pass and clearing the gradients,
since importance is |weight x gradient|.
"""

import torch
from peft import AdaLoraModel, PeftModel
from torch import nn

ADAPTER = "default"


def orthogonality(model: nn.Module) -> torch.Tensor:
    """Mean over the adapted layers' P and Q of ||P'P - I||_F (Q Q' for Q), a scalar with gradient."""
    terms = []
    for name, parameter in model.named_parameters():
        if "lora_A." in name or "lora_B." in name:
            gram = parameter @ parameter.T if "lora_A." in name else parameter.T @ parameter
            terms.append(torch.linalg.matrix_norm(gram - torch.eye(len(gram), device=gram.device, dtype=gram.dtype)))
    return torch.stack(terms).mean()


def allocate(model: PeftModel, step: int) -> None:
    """Update the importance of every rank and mask the least important. `step` counts optimizer steps from 1."""
    allocator = model.base_model
    assert isinstance(allocator, AdaLoraModel)
    allocator.update_and_allocate(step)


def ranks(model: PeftModel) -> dict[str, int]:
    """The ranks in use by layer: those that the last pruning has kept, or the initial ones before the first."""
    config = model.peft_config[ADAPTER]
    kept = {name: sum(mask) for name, mask in (config.rank_pattern or {}).items()}
    suffix = f".lora_E.{ADAPTER}"
    layers = [name.removesuffix(suffix) for name, _ in model.named_parameters() if name.endswith(suffix)]
    layers = [layer.removeprefix("base_model.model.") for layer in layers]
    # PEFT names the pattern's parameters with the adapter, and without it once the adapter is saved.
    return {layer: kept.get(f"{layer}{suffix}", kept.get(f"{layer}.lora_E", config.init_r)) for layer in layers}


def budget_step(model: PeftModel) -> int:
    """The step at which the budget is met: from there on the ranks stay."""
    config = model.peft_config[ADAPTER]
    return config.total_step - config.tfinal


def trimmed_parameters(model: PeftModel) -> int:
    """Parameters of the adapter as it is saved, without its masked ranks."""
    sizes = {name: parameter.shape for name, parameter in model.named_parameters() if "lora_" in name}
    total = 0
    for layer, rank in ranks(model).items():
        prefix = f"base_model.model.{layer}"
        inputs = sizes[f"{prefix}.lora_A.{ADAPTER}"][1]
        outputs = sizes[f"{prefix}.lora_B.{ADAPTER}"][0]
        total += rank * (inputs + outputs + 1)
    return total
