"""The scorer `cls`: a learnt scalar on the state of an encoder's first token, or of a decoder's last token.

RescoreBERT (arXiv 2202.01094) puts a scalar head on BERT's [CLS] state. For decoders the state of the last token
takes that place (this project's own). So does the mean of the windows' scores for a text that is longer than the PLM's
context (`lorescore.scoring.windows`).
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.utils import skip_init
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from lorescore.scoring.batches import (
    equal_length_groups,
    restore_order,
    run_groups,
    sum_by_text,
)
from lorescore.scoring.scorer import Scorer
from lorescore.scoring.windows import Frame, windows


class ClsScorer(Scorer):
    """Scores texts with a scalar head on a PLM's sentence state.

    Distinct texts are computed once, and only texts of the same number of tokens share a forward pass: there is no
    padding, so nothing can leak from it, whatever the architecture.

    Args:
        model: The PLM without its output layer, possibly with an adapter.
        tokenizer: Its tokenizer.
        head: (hidden) -> (1).
        encoder: Whether the sentence state is the first token's (an encoder) or the last one's (a decoder).

    Attributes:
        passes_of_a_batch: Forward passes' worth of lists that it wants at once: many, so that few lengths stand alone.
    """

    passes_of_a_batch = 32

    def __init__(self, model: PreTrainedModel, tokenizer: Tokenizer, head: nn.Linear, encoder: bool) -> None:
        super().__init__(model, tokenizer)
        self.head = head
        self.encoder = encoder
        self.frame = Frame.of(tokenizer)
        self.room = self.frame.room(self.max_tokens)

    def encode(self, texts: Sequence[str], context: str = "") -> "TokenLists":
        """A list's texts with the PLM's special tokens, in windows where need be. No context is read."""
        # Where the tokenizer adds no special tokens, an empty text has no token whose state could be scored.
        empty = next((i for i in (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id) if i is not None), 0)
        token_lists = self.tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        return TokenLists(
            [
                [
                    self.frame.around(ids[window.start : window.end]) or (empty,)
                    for window in windows(len(ids), self.room)
                ]
                for ids in token_lists
            ]
        )

    def forward(self, lists: Sequence["TokenLists"]) -> list[torch.Tensor]:
        """Score every text of some lists.

        Returns:
            For each list the scores of its texts, (num_texts,), float32.
        """
        texts = [text for one in lists for text in one.texts]
        place: dict[tuple[int, ...], int] = {}  # of each distinct window
        places = [place.setdefault(ids, len(place)) for text in texts for ids in text]
        rows = list(place)
        lengths = [len(ids) for ids in rows]
        budget = self.budget
        groups = equal_length_groups(lengths, budget)
        values = run_groups(
            lambda group: self._score_rows([rows[index] for index in group]), groups, recompute=sum(lengths) > budget
        )
        values = restore_order(values, [index for group in groups for index in group])
        num_windows = [len(text) for text in texts]
        sums = sum_by_text(values[torch.tensor(places, device=self.device)], num_windows)
        means = sums / torch.tensor(num_windows, device=self.device)
        return list(means.split([len(one.texts) for one in lists]))

    def _score_rows(self, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        """Scores of token sequences of the same length, (num_rows,), float32."""
        states = self.model(input_ids=torch.tensor(rows, device=self.device)).last_hidden_state
        chosen = states[:, 0 if self.encoder else -1]
        with torch.autocast(chosen.device.type, enabled=False):  # a score in bf16 would tie with others of its list
            return self.head(chosen.to(self.head.weight.dtype)).squeeze(-1).float()


class TokenLists:
    """The token ids of the texts of one list.

    Attributes:
        texts: [text][window][token]; one window where the text fits into the PLM.
    """

    def __init__(self, texts: list[list[tuple[int, ...]]]) -> None:
        self.texts = texts
        self._num_tokens = sum(map(len, {ids for text in texts for ids in text}))

    def __len__(self) -> int:
        """Tokens of the distinct windows: what the list costs."""
        return self._num_tokens


def new_head(hidden_size: int) -> nn.Linear:
    """A scalar head whose first scores are all 0: the rescorer starts as the first pass."""
    head = skip_init(nn.Linear, hidden_size, 1)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head
