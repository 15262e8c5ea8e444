"""The scorer `clm`: log-likelihood of a hypothesis under a causal LM, by prefix tree.

    score(w_1..w_T) = sum_t log p(w_t | bos, w_1..w_t-1)  (+ log p(eos | bos, w_1..w_T) where the end is scored)

in nats, over the PLM's tokens.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from lorescore.errors import InputError
from lorescore.plm.settings import PlmSettings
from lorescore.scoring.prefix_tree import PackedTrees, PrefixTree

# Nodes whose vocabulary projection is held at once: 256 x 49,152 float32 logits are 50 MB.
PROJECTION_NODES = 256


class CausalScorer(nn.Module):
    """Scores the texts of a list under a causal LM.

    Args:
        model: A causal LM, possibly with an adapter.
        tokenizer: Its tokenizer.
        settings: What stands before and after a text.

    Raises:
        InputError: The tokenizer lacks the `bos` or `eos` token that the settings name, or has no bos of its own.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: Tokenizer, settings: PlmSettings) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.bos = _bos_id(tokenizer, settings.bos)
        self.eos = _token_id(tokenizer, settings.eos, "eos") if settings.eos else None

    def encode(self, texts: Sequence[str]) -> PrefixTree:
        """The prefix tree of a list's texts (at least one)."""
        ids = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        end = [] if self.eos is None else [self.eos]
        return PrefixTree.build([[self.bos, *text_ids, *end] for text_ids in ids])

    def forward(self, trees: Sequence[PrefixTree]) -> list[torch.Tensor]:
        """Score every text of some lists.

        Args:
            trees: One tree a list, from `encode`.

        Returns:
            For each list the log-likelihoods of its texts, (num_texts,), float32.
        """
        packed = PackedTrees.pack(trees, self.device)
        states = self.decoder(
            input_ids=packed.tokens, attention_mask=packed.mask, position_ids=packed.positions, use_cache=False
        ).last_hidden_state
        parents, nodes = packed.edges()
        flat_states = states.flatten(0, 1)
        targets = packed.tokens.flatten()[nodes]
        edge_scores = torch.zeros(packed.tokens.numel(), device=self.device)
        edge_scores = edge_scores.index_copy(0, nodes, self._log_probs(flat_states, parents, targets))
        # A path's score is the sum over its nodes: row `leaf` of the ancestor matrix, times the nodes' scores.
        return [
            torch.from_numpy(tree.ancestors()[tree.leaves]).to(self.device, torch.float32)
            @ edge_scores[start : start + len(tree)]
            for start, tree in zip(packed.starts, trees, strict=True)
        ]

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    @property
    def decoder(self) -> nn.Module:
        """The PLM below its vocabulary projection, with the adapter in place."""
        causal_lm = self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
        return causal_lm.get_decoder()

    def _log_probs(self, states: torch.Tensor, parents: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """log p(target | parent's state) of each edge, (num_edges,); a parent's logits are computed once, in chunks."""
        causal_lm = self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
        projection = causal_lm.get_output_embeddings()
        distinct, edge_of = torch.unique(parents, return_inverse=True)
        order = torch.argsort(edge_of, stable=True)
        bounds = torch.searchsorted(
            edge_of[order], torch.arange(0, len(distinct) + PROJECTION_NODES, PROJECTION_NODES, device=states.device)
        )
        chunks = []
        for number in range(len(bounds) - 1):
            edges = order[bounds[number] : bounds[number + 1]]
            if not len(edges):
                continue
            first = number * PROJECTION_NODES
            chunk_states = states[distinct[first : first + PROJECTION_NODES]]
            arguments = (projection, chunk_states, edge_of[edges] - first, targets[edges])
            if torch.is_grad_enabled():  # recompute the logits in the backward pass rather than keep them all
                chunks.append(checkpoint(_edge_log_probs, *arguments, use_reentrant=False))
            else:
                chunks.append(_edge_log_probs(*arguments))
        inverse = torch.argsort(order)
        return torch.cat(chunks)[inverse]


def _edge_log_probs(
    projection: nn.Module, states: torch.Tensor, rows: torch.Tensor, targets: torch.Tensor
) -> torch.Tensor:
    """log softmax(projection(states))[rows, targets] without gathering a row for each edge, (num_edges,)."""
    logits = projection(states).float()
    return logits[rows, targets] - torch.logsumexp(logits, dim=-1)[rows]


def _bos_id(tokenizer: Tokenizer, bos: str) -> int:
    """The id of the token that stands before a text: the one that the settings name, or the tokenizer's own."""
    if bos:
        return _token_id(tokenizer, bos, "bos")
    if tokenizer.bos_token_id is None:
        raise InputError("this PLM's tokenizer has no bos token", mend="name the token in conf/plm: `bos:`")
    return int(tokenizer.bos_token_id)


def _token_id(tokenizer: Tokenizer, token: str, what: str) -> int:
    """The id of a token that the settings name."""
    index = tokenizer.get_vocab().get(token)
    if index is None:
        raise InputError(f"{what} {token!r} is not in the PLM's vocabulary", mend=f"correct `{what}:` in conf/plm")
    return int(index)
