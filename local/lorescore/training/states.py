"""Sentence states, which the correlation regulariser is over.

A `cls` has the state that its head reads. A `clm` has the state at the text's last token, which has seen all of the
text (this project's own). A `pll` has none: it scores a token at a time, each from another copy of the text.

They are computed apart from the scores, each distinct text of a step once: the states of a batch alone would make the
result depend on how a step is cut into batches.
"""

from collections.abc import Sequence
from typing import Any

import torch

from lorescore.scoring.batches import equal_length_groups, run_groups
from lorescore.scoring.clm import CausalScorer
from lorescore.scoring.cls import ClsScorer


def sentence_states(scorer: ClsScorer | CausalScorer, encoded: Sequence[Any], token_budget: int) -> torch.Tensor:
    """The states of the distinct texts of some lists, with gradient, (num_texts, hidden), float32.

    Of a text that is longer than the PLM takes, a `cls` has a state for each window.

    Args:
        scorer: The scorer.
        encoded: The lists as the scorer encodes them.
        token_budget: Tokens whose states of all layers are held at once; others are computed again in the backward
            pass.
    """
    if isinstance(scorer, ClsScorer):
        rows = list(dict.fromkeys(ids for one in encoded for text in one.texts for ids in text))
        model, place, options = scorer.model, 0 if scorer.encoder else -1, {}
    else:
        texts = [tuple(ids if scorer.eos is None else ids[:-1]) for one in encoded for ids in one.sequences()]
        rows = list(dict.fromkeys(_last_window(ids, scorer.max_tokens) for ids in texts))
        model, place, options = scorer.decoder, -1, {"use_cache": False}

    def states(group: list[int]) -> torch.Tensor:
        tokens = torch.tensor([rows[index] for index in group], device=scorer.device)
        return model(input_ids=tokens, **options).last_hidden_state[:, place].float()

    lengths = [len(row) for row in rows]
    groups = equal_length_groups(lengths, token_budget)
    return run_groups(states, groups, recompute=sum(lengths) > token_budget)


def _last_window(ids: tuple[int, ...], max_tokens: int | None) -> tuple[int, ...]:
    """The end of a text that is longer than the PLM takes, behind its first token."""
    return ids if max_tokens is None or len(ids) <= max_tokens else (ids[0], *ids[1 - max_tokens :])
