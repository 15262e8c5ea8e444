"""One forward pass a hypothesis, by Hugging Face Transformers: the definition of the scores."""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from competitors.special_tokens import by_list, token_ids
from lorescore.plm.settings import PlmSettings


class OneByOne:
    """No batches, and so no padding."""

    name = "one by one (Transformers)"
    batch_sizes = (1,)

    def __init__(self, model: PreTrainedModel, tokenizer: Tokenizer, plm: PlmSettings) -> None:
        self.model, self.tokenizer, self.plm = model, tokenizer, plm

    @torch.inference_mode()
    def score(self, lists: Sequence[Sequence[str]], batch_size: int) -> list[list[float]]:
        """Log-likelihoods by list."""
        scores = []
        for ids in token_ids(self.tokenizer, self.plm, [text for texts in lists for text in texts]):
            tokens = torch.tensor(ids)
            log_probs = self.model(input_ids=tokens[None], use_cache=False).logits[0, :-1].log_softmax(-1)
            scores.append(log_probs.gather(-1, tokens[1:, None]).sum().item())
        return by_list(scores, lists)
