"""MWER training the flat way: every hypothesis of some lists is a padded row with its gradient.

It stands in for this project's scorer in a training step, so that nothing but the scoring differs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from samples import TokenLists

from competitors.padded_batches import padded_scores


@dataclass(frozen=True)
class FlatList:
    """A list's texts as token sequences, each with bos; its length is what it costs as padded rows, in tokens."""

    rows: TokenLists

    def __len__(self) -> int:
        return len(self.rows) * max(map(len, self.rows))

    def num_tokens(self, index: int) -> int:
        """Tokens that are predicted of a sequence."""
        return len(self.rows[index]) - 1


class FlatScorer(torch.nn.Module):
    """Scores lists from one padded batch of all their texts.

    Attributes:
        token_budget: A training step sets it; the batches that it makes are within it already.
    """

    token_budget: int

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def forward(self, lists: Sequence[FlatList]) -> list[torch.Tensor]:
        """Log-likelihoods of the texts of each list, (num_texts,)."""
        rows = [row for one in lists for row in one.rows]
        return list(padded_scores(self.model, rows).split([len(one.rows) for one in lists]))
