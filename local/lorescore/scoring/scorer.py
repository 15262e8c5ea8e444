"""What the kinds of scorers have in common: a PLM, its tokenizer, and scores of whole lists from one call."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from lorescore.plm.load import max_tokens
from lorescore.scoring.batches import default_token_budget


class Scorer(nn.Module, ABC):
    """Scores the texts of lists under a PLM.

    Args:
        model: The PLM in float32, possibly with an adapter.
        tokenizer: Its tokenizer.

    Attributes:
        token_budget: Tokens in one forward pass; None: what suits the device.
        passes_of_a_batch: Forward passes' worth of lists that it wants at once.
        max_tokens: Tokens that the PLM takes at once; None: any number.
    """

    passes_of_a_batch = 1

    def __init__(self, model: PreTrainedModel, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens(model, tokenizer)
        self.token_budget: int | None = None

    @abstractmethod
    def encode(self, texts: Sequence[str], context: str = "") -> Any:
        """A list's texts (at least one) as `forward` takes them; its length is what the list costs, in tokens.

        Args:
            texts: In the case that the PLM reads.
            context: What stands before them, where the scorer reads that.
        """

    @abstractmethod
    def forward(self, lists: Sequence[Any]) -> list[torch.Tensor]:
        """Score every text of some lists.

        Args:
            lists: From `encode`.

        Returns:
            For each list the scores of its texts, higher is better, (num_texts,), float32.
        """

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    @property
    def lm(self) -> PreTrainedModel:
        """The PLM, with the adapter in place."""
        return self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model

    @property
    def budget(self) -> int:
        """Tokens in one forward pass."""
        return self.token_budget or default_token_budget(self.device)
