"""The scorer `cls`: a learnt scalar on the state of an encoder's first token, or of a decoder's last token.

RescoreBERT (arXiv 2202.01094) puts a scalar head on BERT's [CLS] state. For decoders the state of the last token
takes that place (this project's own).
"""

from collections.abc import Sequence

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from lorescore.plm.load import max_tokens
from lorescore.scoring.text import require_fit


class ClsScorer(nn.Module):
    """Scores texts with a scalar head on a PLM's sentence state.

    Args:
        model: The PLM without its output layer, possibly with an adapter.
        tokenizer: Its tokenizer.
        head: (hidden) -> (1).
        encoder: Whether the sentence state is the first token's (an encoder) or the last one's (a decoder).
    """

    def __init__(self, model: PreTrainedModel, tokenizer: Tokenizer, head: nn.Linear, encoder: bool) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.head = head
        self.encoder = encoder
        self.max_tokens = max_tokens(model, tokenizer)

    def encode(self, texts: Sequence[str]) -> "TokenLists":
        """The token ids of a list's texts, with the PLM's own special tokens.

        Raises:
            InputError: A text is longer than the PLM takes.
        """
        # Where the tokenizer adds no special tokens, an empty text has no token whose state could be scored.
        empty = next((i for i in (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id) if i is not None), 0)
        ids = [text_ids or [empty] for text_ids in self.tokenizer(list(texts))["input_ids"]]
        require_fit(ids, texts, self.max_tokens)
        return TokenLists(ids)

    def forward(self, lists: Sequence["TokenLists"]) -> list[torch.Tensor]:
        """Score every text of some lists.

        Returns:
            For each list the scores of its texts, (num_texts,), float32.
        """
        ids = [text_ids for one in lists for text_ids in one.ids]
        length = max(map(len, ids))
        pad = self.tokenizer.pad_token_id or 0
        tokens = torch.tensor([text_ids + [pad] * (length - len(text_ids)) for text_ids in ids], device=self.device)
        sizes = torch.tensor([len(text_ids) for text_ids in ids], device=self.device)
        mask = torch.arange(length, device=self.device) < sizes[:, None]
        states = self.model(input_ids=tokens, attention_mask=mask.long()).last_hidden_state
        where = torch.zeros_like(sizes) if self.encoder else sizes - 1
        scores = self.head(states[torch.arange(len(ids), device=self.device), where]).squeeze(-1).float()
        return list(scores.split([len(one.ids) for one in lists]))

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device


class TokenLists:
    """The token ids of the texts of one list.

    Attributes:
        ids: [text][token].
    """

    def __init__(self, ids: list[list[int]]) -> None:
        self.ids = ids

    def __len__(self) -> int:
        """Tokens after padding: what the list costs."""
        return len(self.ids) * max(map(len, self.ids))


def new_head(hidden_size: int, seed: int) -> nn.Linear:
    """A scalar head whose first scores are all 0: the rescorer starts as the first pass."""
    torch.manual_seed(seed)
    head = nn.Linear(hidden_size, 1)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head
