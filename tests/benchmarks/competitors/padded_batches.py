"""A padded batch loop over Hugging Face Transformers, as a careful user would write it."""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from competitors.special_tokens import by_list, token_ids
from lorescore.plm.settings import PlmSettings


class PaddedBatches:
    """Hypotheses of all lists, sorted by length, so that a batch has little padding."""

    name = "padded batches (Transformers)"
    batch_sizes = (8, 16, 32, 64)

    def __init__(self, model: PreTrainedModel, tokenizer: Tokenizer, plm: PlmSettings) -> None:
        self.model, self.tokenizer, self.plm = model, tokenizer, plm

    @torch.inference_mode()
    def score(self, lists: Sequence[Sequence[str]], batch_size: int) -> list[list[float]]:
        """Log-likelihoods by list."""
        rows = token_ids(self.tokenizer, self.plm, [text for texts in lists for text in texts])
        order = sorted(range(len(rows)), key=lambda index: -len(rows[index]))
        scores = [0.0] * len(rows)
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            values = padded_scores(self.model, [rows[index] for index in batch]).tolist()
            for index, value in zip(batch, values, strict=True):
                scores[index] = value
        return by_list(scores, lists)


def padded_scores(model: torch.nn.Module, rows: Sequence[Sequence[int]]) -> torch.Tensor:
    """Log-likelihoods of token sequences as one padded batch, (num_rows,)."""
    sizes = torch.tensor([len(row) for row in rows])
    length = int(sizes.max())
    # What pads does not matter: it comes after the tokens and is masked.
    tokens = torch.tensor([[*row, *[0] * (length - len(row))] for row in rows])
    mask = torch.arange(length) < sizes[:, None]
    logits = model(input_ids=tokens, attention_mask=mask.long(), use_cache=False).logits[:, :-1]
    chosen = logits.gather(-1, tokens[:, 1:, None]).squeeze(-1)
    # log softmax at the tokens alone: the whole of it would be written to memory and read once.
    return ((chosen - logits.logsumexp(-1)) * mask[:, 1:]).sum(-1)
