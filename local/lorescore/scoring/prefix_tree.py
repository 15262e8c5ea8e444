"""The prefix tree of a list's hypotheses: each distinct prefix once, one forward pass for the whole list.

A causal PLM's state at a token depends on the tokens before it alone, so hypotheses that share a prefix share its
states. A tree is laid out as one row of tokens, parents before children; a token sees its ancestors and itself, and
its position is its depth. The scores are exactly those of hypotheses scored one by one, to float error.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class PrefixTree:
    """The distinct prefixes of some token sequences that start with the same token.

    Attributes:
        tokens: (num_nodes,) token id of each node, parents before children; node 0 is the root.
        parents: (num_nodes,) each node's parent; the root's is 0.
        depths: (num_nodes,) each node's distance to the root.
        leaves: (num_sequences,) the node at which each sequence ends.
    """

    tokens: np.ndarray
    parents: np.ndarray
    depths: np.ndarray
    leaves: np.ndarray

    @classmethod
    def build(cls, sequences: Sequence[Sequence[int]]) -> "PrefixTree":
        """The tree of `sequences`, each of at least one token, all with the same first token."""
        root = sequences[0][0]
        tokens, parents, depths = [root], [0], [0]
        children: dict[tuple[int, int], int] = {}
        leaves = []
        for sequence in sequences:
            if sequence[0] != root:
                raise ValueError(f"a sequence starts with token {sequence[0]}, the first one with {root}")
            node = 0
            for token in sequence[1:]:
                child = children.get((node, token))
                if child is None:
                    child = len(tokens)
                    children[node, token] = child
                    tokens.append(token)
                    parents.append(node)
                    depths.append(depths[node] + 1)
                node = child
            leaves.append(node)
        return cls(np.array(tokens), np.array(parents), np.array(depths), np.array(leaves))

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def depth(self) -> int:
        """Depth of the deepest node: tokens after the root of the longest sequence."""
        return int(self.depths.max())

    def sequences(self) -> list[list[int]]:
        """The token sequences that the tree was built from, in their order."""
        found = []
        for leaf in self.leaves:
            path, node = [], int(leaf)
            while node:
                path.append(int(self.tokens[node]))
                node = int(self.parents[node])
            found.append([int(self.tokens[0]), *reversed(path)])
        return found

    def ancestors(self) -> np.ndarray:
        """(num_nodes, num_nodes) bool: row i is true at i and at each ancestor of i."""
        seen = np.eye(len(self), dtype=bool)
        for node in range(1, len(self)):
            seen[node] |= seen[self.parents[node]]
        return seen


@dataclass(frozen=True)
class PackedTrees:
    """Trees packed into rows of equal length.

    Attributes:
        tokens: (rows, row_length) token ids, 0 where there is padding.
        positions: (rows, row_length) depths.
        mask: (rows, 1, row_length, row_length) bool, true where a token may look. Padding looks at itself alone.
        starts: Index into the flattened rows of each tree's root.
        trees: The trees, in the caller's order.
    """

    tokens: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    starts: list[int]
    trees: Sequence[PrefixTree]

    @classmethod
    def pack(cls, trees: Sequence[PrefixTree], device: torch.device) -> "PackedTrees":
        """Lay trees into rows as long as the longest tree, first fit by decreasing size."""
        length = max(len(tree) for tree in trees)
        free: list[int] = []  # tokens left in each row
        starts = [0] * len(trees)
        for index in sorted(range(len(trees)), key=lambda index: (-len(trees[index]), index)):
            size = len(trees[index])
            row = next((row for row, room in enumerate(free) if room >= size), len(free))
            if row == len(free):
                free.append(length)
            starts[index] = row * length + length - free[row]
            free[row] -= size
        tokens = np.zeros((len(free), length), dtype=np.int64)
        positions = np.zeros((len(free), length), dtype=np.int64)
        mask = np.zeros((len(free), 1, length, length), dtype=bool)
        mask[:, 0, range(length), range(length)] = True
        for start, tree in zip(starts, trees, strict=True):
            row, column = divmod(start, length)
            span = slice(column, column + len(tree))
            tokens[row, span] = tree.tokens
            positions[row, span] = tree.depths
            mask[row, 0, span, span] = tree.ancestors()
        return cls(
            tokens=torch.from_numpy(tokens).to(device),
            positions=torch.from_numpy(positions).to(device),
            mask=torch.from_numpy(mask).to(device),
            starts=starts,
            trees=trees,
        )

    def edges(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Indices into the flattened rows of every non-root node's parent and of the node: two (num_edges,)."""
        parents = np.concatenate(
            [tree.parents[1:] + start for start, tree in zip(self.starts, self.trees, strict=True)]
        )
        nodes = np.concatenate(
            [np.arange(1, len(tree)) + start for start, tree in zip(self.starts, self.trees, strict=True)]
        )
        device = self.tokens.device
        return torch.from_numpy(parents).to(device), torch.from_numpy(nodes).to(device)
