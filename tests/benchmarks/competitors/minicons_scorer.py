"""minicons (PyPI `minicons`): IncrementalLMScorer.sequence_score, summed over the tokens."""

from collections.abc import Sequence
from pathlib import Path

from minicons.scorer import IncrementalLMScorer
from transformers import AutoTokenizer, PreTrainedModel

from competitors.special_tokens import bos_token, by_list
from lorescore.plm.settings import PlmSettings


class MiniconsScorer:
    """Batches of hypotheses of about the same length.

    minicons puts the tokenizer's bos before a text and its eos after it, so that its tokenizer is given those of the
    PLM's settings. It batches what it is given; sorting by length, as the padded loop does, is a courtesy.
    """

    name = "minicons"
    batch_sizes = (8, 16, 32, 64)

    def __init__(self, model: PreTrainedModel, plm_dir: Path, plm: PlmSettings) -> None:
        tokenizer = AutoTokenizer.from_pretrained(plm_dir)
        tokenizer.bos_token = bos_token(tokenizer, plm)
        if plm.eos:
            tokenizer.eos_token = plm.eos
        self.with_eos = bool(plm.eos)
        self.scorer = IncrementalLMScorer(model, "cpu", tokenizer=tokenizer)

    def score(self, lists: Sequence[Sequence[str]], batch_size: int) -> list[list[float]]:
        """Log-likelihoods by list."""
        texts = [text for texts in lists for text in texts]
        order = sorted(range(len(texts)), key=lambda index: -len(texts[index]))
        scores = [0.0] * len(texts)
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            values = self.scorer.sequence_score(
                [texts[index] for index in batch],
                reduction=lambda tokens: tokens.sum().item(),
                bos_token=True,
                eos_token=self.with_eos,
            )
            for index, value in zip(batch, values, strict=True):
                scores[index] = value
        return by_list(scores, lists)
