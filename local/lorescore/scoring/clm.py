"""The scorer `clm`: log-likelihood of a hypothesis under a causal LM, by prefix tree.

    score(w_1..w_T) = sum_t log p(w_t | bos, w_1..w_t-1)  (+ log p(eos | bos, w_1..w_T) where the end is scored)

in nats, over the PLM's tokens. Where something stands before the utterance in its recording (`NbestList.context`), it
stands between bos and w_1 too, and is not scored. A text longer than the PLM's context is scored in windows
(`prefix_tree.windows`).

A prefix tree gives exactly these scores where a PLM's layers can follow a tree: they take a mask and positions, and
look back over attention alone. That is tried out when a scorer is made; the texts of other PLMs (ALiBi positions,
recurrent states) are scored in the plain way, as padded rows. A PLM whose logits are more than a projection of its last
states (Granite scales them, BERT has a layer in between) gives them for all tokens of a forward pass, which has fewer.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext

import numpy as np
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from lorescore.errors import InputError
from lorescore.plm.load import first_states, sees_ahead
from lorescore.plm.settings import PlmSettings
from lorescore.scoring.attention import over_blocks, use_block_attention
from lorescore.scoring.packing import ForwardPass, block_passes, row_passes, tree_passes
from lorescore.scoring.prefix_tree import PrefixTree
from lorescore.scoring.projection import PROJECTED_POSITIONS, log_probs
from lorescore.scoring.scorer import Scorer

logger = logging.getLogger(__name__)

Layout = Callable[[Sequence[PrefixTree], int], Iterator[ForwardPass]]

# Shapes of the trees on which the tree is tried out: forks at several depths, two small trees for one row.
PROBE_TREES = (((0, 1, 2, 3), (0, 1, 4), (5, 2, 6), (5,)), ((3, 4), (2,)), ((1, 6), (1, 0)))
PROBE_TOLERANCE = 1e-3  # nats; rounding errors stay below it, a wrong mask or position does not
# Settings of layers that look back over a window of so many tokens, by position.
WINDOWS = ("sliding_window", "attention_chunk_size")
ROW_WINDOW = "window_size"  # GPT-Neo counts its window along the row, where a tree's branches lie side by side


class CausalScorer(Scorer):
    """Scores the texts of a list under a causal LM.

    Args:
        model: A causal LM in float32, possibly with an adapter.
        tokenizer: Its tokenizer.
        settings: What stands before and after a text.
        history: Merge the states of a list whose last so many tokens agree (`prefix_tree`); None: exact scores.

    Attributes:
        plain_head: Whether its logits are its last states projected, so that those of a few tokens can be had.
        tree_limit: Depth up to which trees are scored as trees; 0 where this PLM cannot follow a tree.
        blocks: Whether its attention can take the trees of a row one by one.

    Raises:
        InputError: The tokenizer lacks the `bos` or `eos` token that the settings name, or has no bos of its own; or
            the PLM sees the tokens ahead, so that it gives a text no likelihood.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: Tokenizer, settings: PlmSettings, history: int | None = None
    ) -> None:
        super().__init__(model, tokenizer)
        self.history = history
        self.bos = _bos_id(tokenizer, settings.bos)
        self.eos = _token_id(tokenizer, settings.eos, "eos") if settings.eos else None
        if sees_ahead(first_states(self.lm)):
            raise InputError(
                f"{settings.name} sees the words ahead (an encoder), so it cannot be a clm",
                mend="use --scorer pll or --scorer cls",
            )
        self.plain_head = self.blocks = False
        self.tree_limit = 0
        self._try_out()

    def encode(self, texts: Sequence[str], context: str = "") -> PrefixTree:
        """The prefix tree of a list's texts (at least one), after a context that is read and not scored.

        Of a context that fills more than half of the PLM's own, the end is taken.
        """
        end = [] if self.eos is None else [self.eos]
        token_lists = self._ids([f"{context} {text}".strip() for text in texts])
        # os.path's common prefix is one of any sequences. Where a text changes how its context ends, less is given.
        given = len(os.path.commonprefix([*self._ids([context]), *token_lists])) if context else 0
        cut = 0 if self.max_tokens is None else max(0, given - self.max_tokens // 2)
        sequences = [[self.bos, *ids[cut:], *end] for ids in token_lists]
        return PrefixTree.build(sequences, self.max_tokens, self.history, num_given=1 + given - cut)

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of texts, without special tokens."""
        ids: list[list[int]] = self.tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def forward(self, trees: Sequence[PrefixTree]) -> list[torch.Tensor]:
        """Score every text of some lists.

        Args:
            trees: One tree a list, from `encode`.

        Returns:
            For each list the log-likelihoods of its texts, (num_texts,), float32.
        """
        limit = min(self.tree_limit, self.budget)
        # A row of blocks has no padding; on a GPU one call of the attention for all rows is worth more.
        blocks = self.blocks and self.device.type == "cpu" and use_block_attention(self.lm)
        layout = block_passes if blocks else tree_passes
        by_tree = iter(self._score([tree for tree in trees if tree.depth < limit], layout))
        by_row = iter(self._score([tree for tree in trees if tree.depth >= limit], row_passes))
        return [next(by_tree if tree.depth < limit else by_row) for tree in trees]

    def _score(self, trees: Sequence[PrefixTree], layout: Layout) -> list[torch.Tensor]:
        """Scores of some lists, in one of the layouts."""
        if not trees:
            return []
        firsts = np.cumsum([0, *(len(tree) for tree in trees[:-1])])  # states are counted over all trees
        edge_states = np.concatenate([tree.edge_states + first for first, tree in zip(firsts, trees, strict=True)])
        edge_tokens = np.concatenate([tree.edge_tokens for tree in trees])
        # In training all passes would be held until the backward pass; where they are many, they are computed again.
        again = torch.is_grad_enabled() and sum(map(len, trees)) > self.budget
        found, scores = [], []
        for one in layout(trees, self.budget):
            row = np.searchsorted(one.states, edge_states)
            edges = np.flatnonzero(one.states[np.minimum(row, len(one.states) - 1)] == edge_states)
            if len(edges):
                found.append(edges)
                of_pass = (one, row[edges], edge_tokens[edges])
                scores.append(
                    checkpoint(self._log_probs, *of_pass, use_reentrant=False) if again else self._log_probs(*of_pass)
                )
        if not found:  # nothing but empty texts
            return [torch.zeros(len(tree.paths), device=self.device) for tree in trees]
        nothing = torch.zeros(1, device=self.device)  # what a path that is shorter than others takes at its end
        edge_scores = torch.cat(scores)[self._tensor(np.argsort(np.concatenate(found)))]
        by_tree = edge_scores.split([len(tree.edge_tokens) for tree in trees])
        return [
            torch.cat([values, nothing])[self._tensor(_padded(tree.paths, len(values)))].sum(-1)
            for values, tree in zip(by_tree, trees, strict=True)
        ]

    def _log_probs(self, one: ForwardPass, rows: np.ndarray, targets: np.ndarray) -> torch.Tensor:
        """Log-probabilities of predictions from the states of a forward pass.

        Args:
            one: The pass.
            rows: (n,) which of the pass's states each prediction is from, in ascending order.
            targets: (n,) the tokens that are predicted.

        Returns:
            (n,), float32.
        """
        tokens = self._tensor(one.tokens)
        used, rows = np.unique(rows, return_inverse=True)  # from the states of a context nothing is predicted
        places = self._tensor(one.places[used])
        # Padding stands at the end of a row, where causal attention sees to it: no need to mask it.
        layout = {"attention_mask": torch.ones_like(tokens)}
        if one.mask is not None or one.blocks:
            layout["position_ids"] = self._tensor(one.positions)
        if one.mask is not None:
            layout["attention_mask"] = self._to_add(one.mask)
        blocks = [
            (
                block.queries,
                block.keys if isinstance(block.keys, slice) else self._tensor(block.keys),
                self._to_add(block.mask),
            )
            for block in one.blocks
        ]
        with over_blocks(blocks) if blocks else nullcontext():
            of_tokens = self.decoder if self.plain_head else self.lm
            output = of_tokens(input_ids=tokens, use_cache=False, **layout)
        if not self.plain_head:
            return log_probs(nn.Identity(), None, output.logits.flatten(0, 1)[places], rows, targets)
        states = output.last_hidden_state.flatten(0, 1)[places]
        cap = getattr(self.lm.config.get_text_config(), "final_logit_softcapping", None)
        return log_probs(self.lm.get_output_embeddings(), cap, states, rows, targets)

    def _to_add(self, mask: np.ndarray) -> torch.Tensor:
        """A mask as numbers to add, which every attention takes; some would add a boolean mask's 1 and 0."""
        kind = self.device.type  # in autocast each layer would make a mask in its type of one in float32
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else self.lm.dtype
        numbers = torch.zeros(mask.shape, dtype=dtype, device=self.device)
        return numbers.masked_fill_(self._tensor(~mask), torch.finfo(dtype).min)

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device)

    @property
    def budget(self) -> int:
        """Tokens in one forward pass: no more than whose logits may be held, where all of them are."""
        return super().budget if self.plain_head else min(super().budget, PROJECTED_POSITIONS)

    @property
    def decoder(self) -> nn.Module:
        """The PLM below its vocabulary projection, with the adapter in place."""
        return self.lm.get_decoder()

    @torch.no_grad()
    def _try_out(self) -> None:
        """Find out whether the PLM's logits are its last states projected, and whether and how it can follow a tree."""
        ids = torch.linspace(0, self.lm.get_input_embeddings().num_embeddings - 1, 7).long().tolist()
        trees = [PrefixTree.build([[self.bos, *(ids[i] for i in path)] for path in paths]) for paths in PROBE_TREES]
        config = self.lm.config.get_text_config()
        plain = torch.cat(self._score(trees, row_passes))
        self.plain_head = True
        self.plain_head = self._gives(plain, trees, row_passes)
        if getattr(config, ROW_WINDOW, None) or not self._gives(plain, trees, tree_passes):
            logger.warning("%s cannot follow a prefix tree: each text is scored in full, slower", config.model_type)
            return
        self.tree_limit = min((size for name in WINDOWS if (size := getattr(config, name, None))), default=sys.maxsize)
        self.blocks = use_block_attention(self.lm) and self._gives(plain, trees, block_passes)

    def _gives(self, expected: torch.Tensor, trees: Sequence[PrefixTree], layout: Layout) -> bool:
        """Whether a layout gives the scores that are expected."""
        try:
            return torch.allclose(torch.cat(self._score(trees, layout)), expected, rtol=0.0, atol=PROBE_TOLERANCE)
        except (AssertionError, AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
            # There are as many ways to refuse a tree's mask or positions as there are architectures.
            logger.debug("a tree through %s: %r", self.lm.config.model_type, error)
            return False


def _padded(paths: Sequence[np.ndarray], padding: int) -> np.ndarray:
    """Paths as rows of equal length, (num_paths, longest)."""
    rows = np.full((len(paths), max(map(len, paths))), padding)
    for row, path in zip(rows, paths, strict=True):
        row[: len(path)] = path
    return rows


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
