"""Linear layers with weights in bf16, on a GPU: half the memory, and the scores of autocast over float32.

Nearly all weights of a PLM are those of linear layers, and autocast (`ScoringOptions.forward_pass`) rounds them for
every product, in training too. So they can be kept rounded where nothing trains them. All else stays float32:
embeddings, norms, biases, positions, and the states that the layers' outputs are added to. On the demo's lists
SmolLM2's scores are 0.3 nats off so, and 1.5 where the whole PLM is in bf16 (rms).
"""

import torch
from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D


@torch.no_grad()
def round_linear_layers(model: PreTrainedModel | PeftModel, *, untie: bool = True) -> None:
    """Give the linear layers of a model weights in bf16; it is for forward passes in autocast from then on.

    Args:
        model: In float32; changed in place. Weights that are trained stay as they are.
        untie: Give an output layer that shares its weights with the embeddings its own, as autocast would in every
            forward pass; else it stays as it is.
    """
    embeddings = model.get_input_embeddings().weight
    for layer in model.modules():
        if not isinstance(layer, nn.Linear | Conv1D):  # GPT-2's are Conv1D
            continue
        if not layer.weight.requires_grad and (untie or layer.weight is not embeddings):
            layer.weight = nn.Parameter(layer.weight.to(torch.bfloat16), requires_grad=False)
