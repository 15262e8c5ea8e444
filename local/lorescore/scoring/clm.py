"""The scorer `clm`: log-likelihood of a hypothesis under a causal LM, by prefix tree.

    score(w_1..w_T) = sum_t log p(w_t | bos, w_1..w_t-1)  (+ log p(eos | bos, w_1..w_T) where the end is scored)

in nats, over the PLM's tokens. A prefix tree gives exactly these scores where a PLM's layers can follow a tree: they
take a mask and positions, and look back over attention alone. That is tried out when a scorer is made; the texts of
other PLMs (ALiBi positions, recurrent states, logits that are scaled) are scored in the plain way, as padded rows.
"""

import logging
import sys
from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from lorescore.errors import InputError
from lorescore.plm.load import is_encoder, max_tokens
from lorescore.plm.settings import PlmSettings
from lorescore.scoring.prefix_tree import PackedTrees, PrefixTree
from lorescore.scoring.text import require_fit

logger = logging.getLogger(__name__)

# Nodes whose vocabulary projection is held at once: 256 x 49,152 float32 logits are 50 MB.
PROJECTION_NODES = 256
# Shapes of the trees on which the tree is tried out: forks at several depths, two small trees for one row.
PROBE_TREES = (((0, 1, 2, 3), (0, 1, 4), (5, 2, 6), (5,)), ((3, 4), (2,)), ((1, 6), (1, 0)))
PROBE_TOLERANCE = 1e-3  # nats; rounding errors stay below it, a wrong mask or position does not
# Settings of layers that look back over a window of so many tokens, by position.
WINDOWS = ("sliding_window", "attention_chunk_size")
ROW_WINDOW = "window_size"  # GPT-Neo counts its window along the row, where a tree's branches lie side by side


class CausalScorer(nn.Module):
    """Scores the texts of a list under a causal LM.

    Args:
        model: A causal LM, possibly with an adapter.
        tokenizer: Its tokenizer.
        settings: What stands before and after a text.

    Attributes:
        tree_limit: Depth up to which trees are scored as trees; 0 where this PLM cannot follow a tree.

    Raises:
        InputError: The tokenizer lacks the `bos` or `eos` token that the settings name, or has no bos of its own; or
            the PLM sees the tokens ahead, so that it gives a text no likelihood.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: Tokenizer, settings: PlmSettings) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.bos = _bos_id(tokenizer, settings.bos)
        self.eos = _token_id(tokenizer, settings.eos, "eos") if settings.eos else None
        self.max_tokens = max_tokens(model, tokenizer)
        if is_encoder(self.causal_lm):
            raise InputError(
                f"{settings.name} sees the words ahead (an encoder), so it cannot be a clm", mend="use --scorer cls"
            )
        self.tree_limit = self._find_tree_limit()

    def encode(self, texts: Sequence[str]) -> PrefixTree:
        """The prefix tree of a list's texts (at least one).

        Raises:
            InputError: A text is longer than the PLM takes.
        """
        end = [] if self.eos is None else [self.eos]
        token_lists = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        ids = [[self.bos, *text_ids, *end] for text_ids in token_lists]
        require_fit(ids, texts, self.max_tokens)
        return PrefixTree.build(ids)

    def forward(self, trees: Sequence[PrefixTree]) -> list[torch.Tensor]:
        """Score every text of some lists.

        Args:
            trees: One tree a list, from `encode`.

        Returns:
            For each list the log-likelihoods of its texts, (num_texts,), float32.
        """
        shallow = [tree.depth <= self.tree_limit for tree in trees]
        by_tree = iter(self._score_trees([tree for tree, fits in zip(trees, shallow, strict=True) if fits]))
        return [
            next(by_tree) if fits else self._score_sequences(tree.sequences())
            for tree, fits in zip(trees, shallow, strict=True)
        ]

    def _score_trees(self, trees: Sequence[PrefixTree]) -> list[torch.Tensor]:
        """Scores of some lists by one forward pass over their trees."""
        if not any(tree.depth for tree in trees):  # nothing but empty texts
            return [torch.zeros(len(tree.leaves), device=self.device) for tree in trees]
        packed = PackedTrees.pack(trees, self.device)
        # As numbers to add, which every attention takes; some would add a boolean mask's 1 and 0.
        mask = torch.zeros_like(packed.mask, dtype=self.causal_lm.dtype)
        mask.masked_fill_(~packed.mask, torch.finfo(mask.dtype).min)
        states = self.decoder(
            input_ids=packed.tokens, attention_mask=mask, position_ids=packed.positions, use_cache=False
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

    def _score_sequences(self, sequences: Sequence[Sequence[int]]) -> torch.Tensor:
        """The scores of token sequences in the plain way, one padded row each, (num_sequences,)."""
        sizes = torch.tensor([len(sequence) for sequence in sequences], device=self.device)
        length = int(sizes.max())
        rows = [[*sequence, *[0] * (length - len(sequence))] for sequence in sequences]
        tokens = torch.tensor(rows, device=self.device)
        mask = torch.arange(length, device=self.device) < sizes[:, None]
        logits = self.causal_lm(input_ids=tokens, attention_mask=mask.long(), use_cache=False).logits[:, :-1].float()
        targets = logits.gather(-1, tokens[:, 1:, None]).squeeze(-1)
        return ((targets - torch.logsumexp(logits, dim=-1)) * mask[:, 1:]).sum(-1)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    @property
    def causal_lm(self) -> PreTrainedModel:
        """The PLM, with the adapter in place."""
        return self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model

    @property
    def decoder(self) -> nn.Module:
        """The PLM below its vocabulary projection, with the adapter in place."""
        return self.causal_lm.get_decoder()

    @torch.no_grad()
    def _find_tree_limit(self) -> int:
        """Depth up to which the tree gives the plain way's scores; 0 where it does not."""
        ids = torch.linspace(0, self.causal_lm.get_input_embeddings().num_embeddings - 1, 7).long().tolist()
        trees = [PrefixTree.build([[self.bos, *(ids[i] for i in path)] for path in paths]) for paths in PROBE_TREES]
        config = self.causal_lm.config.get_text_config()
        try:
            by_tree = torch.cat(self._score_trees(trees))
            plain = torch.cat([self._score_sequences(tree.sequences()) for tree in trees])
            exact = torch.allclose(by_tree, plain, rtol=0.0, atol=PROBE_TOLERANCE)
        except (AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
            # There are as many ways to refuse a tree's mask or positions as there are architectures.
            logger.debug("a tree through %s: %r", config.model_type, error)
            exact = False
        if not exact or getattr(config, ROW_WINDOW, None):
            logger.warning("%s cannot follow a prefix tree: each text is scored in full, slower", config.model_type)
            return 0
        return min((size - 1 for name in WINDOWS if (size := getattr(config, name, None))), default=sys.maxsize)

    def _log_probs(self, states: torch.Tensor, parents: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """log p(target | parent's state) of each edge, (num_edges,); a parent's logits are computed once, in chunks."""
        projection = self.causal_lm.get_output_embeddings()
        cap = getattr(self.causal_lm.config.get_text_config(), "final_logit_softcapping", None)
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
            arguments = (projection, cap, chunk_states, edge_of[edges] - first, targets[edges])
            if torch.is_grad_enabled():  # recompute the logits in the backward pass rather than keep them all
                chunks.append(checkpoint(_edge_log_probs, *arguments, use_reentrant=False))
            else:
                chunks.append(_edge_log_probs(*arguments))
        inverse = torch.argsort(order)
        return torch.cat(chunks)[inverse]


def _edge_log_probs(
    projection: nn.Module, cap: float | None, states: torch.Tensor, rows: torch.Tensor, targets: torch.Tensor
) -> torch.Tensor:
    """log softmax(projection(states))[rows, targets] without gathering a row for each edge, (num_edges,).

    `cap` is the bound that Gemma 2 puts on its logits.
    """
    logits = projection(states).float()
    if cap is not None:
        logits = cap * torch.tanh(logits / cap)
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
