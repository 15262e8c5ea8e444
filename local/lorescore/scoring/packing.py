"""Forward passes over prefix trees: which tokens stand where, what they see, and where each state comes out.

There are three layouts. In that of trees, a row holds the states of one or more trees side by side; a token sees its
ancestors and itself, and its position is its depth. That of blocks is a single row of trees, for an attention that
takes it block by block (`lorescore.scoring.attention`): a small tree is one block, of a large one some states at a time
with the ancestors of any of them, which are few, so that the cost does not grow with the square of the tree. In the
plain layout a row is a branch of the tree, from the root to a state without children, for PLMs that cannot follow a
tree. All keep to a token budget: a tree that is larger is cut between its branches, whose common states are then
computed once a part.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from lorescore.scoring.prefix_tree import Ints, PrefixTree

NUM_QUERIES = 128  # states of a large tree in one block


@dataclass(frozen=True)
class Block:
    """Some tokens of a row, and what they see.

    Attributes:
        queries: The tokens.
        keys: (m,) the tokens that any of them sees; a slice where they stand together.
        mask: (num_queries, m) bool, true where a token may look.
    """

    queries: slice
    keys: slice | Ints
    mask: np.ndarray


@dataclass(frozen=True)
class ForwardPass:
    """The input of one forward pass.

    Attributes:
        tokens: (rows, length) token ids, 0 where there is padding.
        positions: (rows, length) depths.
        mask: (rows, 1, length, length) bool, true where a token may look; padding looks at itself alone. None: each
            token sees those before it in its row, or what its block says where there are blocks.
        blocks: Of a single row, one after the other; none: the row is not in blocks.
        places: (num_read,) indices into the flattened rows of the states that are read from this pass.
        states: (num_read,) which states they are, in ascending order, counted over all trees one after the other.
    """

    tokens: Ints
    positions: Ints
    mask: np.ndarray | None
    blocks: Sequence[Block]
    places: Ints
    states: Ints


@dataclass(frozen=True)
class _Part:
    """States of a tree that stand in one row: closed under ancestors, parents before children.

    Attributes:
        tree: The tree.
        states: (n,) its states.
        first_state: What the tree's states are counted from.
        read: (n,) bool, true where the state is read here and not from an earlier part.
    """

    tree: PrefixTree
    states: Ints
    first_state: int
    read: np.ndarray

    def __len__(self) -> int:
        return len(self.states)

    def ancestors(self) -> np.ndarray:
        """(n, n) bool: row i is true at i and at each ancestor of i."""
        local = np.searchsorted(self.states, self.tree.parents[self.states])
        seen = np.eye(len(self), dtype=bool)
        for node in range(1, len(self)):
            seen[node] |= seen[local[node]]
        return seen


def tree_passes(trees: Sequence[PrefixTree], token_budget: int) -> Iterator[ForwardPass]:
    """Trees in the tree layout; the rows of a pass are as long as its largest tree, filled first fit."""
    for rows in _passes(_parts(trees, token_budget, as_rows=False), token_budget, shared=True):
        yield _filled(rows, _tree_mask(rows))


def block_passes(
    trees: Sequence[PrefixTree], token_budget: int, num_queries: int = NUM_QUERIES
) -> Iterator[ForwardPass]:
    """Trees in the layout of blocks: a single row without padding.

    Args:
        trees: The trees.
        token_budget: Tokens of a row.
        num_queries: States in a block of a tree that has more than twice as many.
    """
    group: list[_Part] = []
    for part in _parts(trees, token_budget, as_rows=False):
        if group and sum(map(len, group)) + len(part) > token_budget:
            yield _block_pass(group, num_queries)
            group = []
        group.append(part)
    if group:
        yield _block_pass(group, num_queries)


def row_passes(trees: Sequence[PrefixTree], token_budget: int) -> Iterator[ForwardPass]:
    """Trees in the plain layout, a branch a row; the rows of a pass are of similar length."""
    for rows in _passes(_parts(trees, token_budget, as_rows=True), token_budget, shared=False):
        yield _filled(rows, None)


def _parts(trees: Sequence[PrefixTree], token_budget: int, as_rows: bool) -> Iterator[_Part]:
    """Each tree whole where it fits into the budget, else cut between branches; `as_rows`: a part each branch."""
    first_state = 0
    for tree in trees:
        if len(tree) <= token_budget and not as_rows:
            yield _Part(tree, np.arange(len(tree)), first_state, np.ones(len(tree), dtype=bool))
        else:
            seen = np.zeros(len(tree), dtype=bool)
            for states in tree.branches() if as_rows else _cut(tree, token_budget):
                yield _Part(tree, states, first_state, ~seen[states])
                seen[states] = True
        first_state += len(tree)


def _cut(tree: PrefixTree, token_budget: int) -> Iterator[Ints]:
    """Branches side by side in depth-first order as long as their states fit into the budget; one at least."""
    gathered: set[int] = set()
    for branch in tree.branches():
        more = gathered.union(branch.tolist())
        if gathered and len(more) > token_budget:
            yield np.array(sorted(gathered))
            more = set(branch.tolist())
        gathered = more
    yield np.array(sorted(gathered))


@dataclass
class _Rows:
    """Rows that are filled with parts, the largest part first.

    Attributes:
        length: Tokens of a row.
        shared: Whether a row takes several parts.
        parts: What the rows hold, and where each begins in the flattened rows.
        free: Tokens left in each row.
    """

    length: int
    shared: bool
    parts: list[tuple[int, _Part]] = field(default_factory=list)
    free: list[int] = field(default_factory=list)

    def add(self, part: _Part, token_budget: int) -> bool:
        """Put a part into the first row that has room, or into a new one; False where the budget has none left."""
        fits = (row for row, room in enumerate(self.free) if self.shared and room >= len(part))
        row = next(fits, len(self.free))
        if row == len(self.free):
            if row and (row + 1) * self.length > token_budget:
                return False
            self.free.append(self.length)
        self.parts.append((row * self.length + self.length - self.free[row], part))
        self.free[row] -= len(part)
        return True


def _passes(parts: Iterable[_Part], token_budget: int, shared: bool) -> Iterator[_Rows]:
    """Rows of parts by decreasing size, as many as fit into the budget; a part larger than it is alone."""
    rows: _Rows | None = None
    for part in sorted(parts, key=len, reverse=True):
        if rows is None or not rows.add(part, token_budget):
            if rows is not None:
                yield rows
            rows = _Rows(len(part), shared)
            rows.add(part, token_budget)
    if rows is not None:
        yield rows


def _block_pass(parts: Sequence[_Part], num_queries: int) -> ForwardPass:
    """Parts one after the other in a row."""
    rows = _Rows(sum(map(len, parts)), shared=True)
    for part in parts:
        rows.add(part, rows.length)
    blocks = [block for start, part in rows.parts for block in _blocks(start, part.ancestors(), num_queries)]
    return _filled(rows, None, blocks)


def _blocks(start: int, ancestors: np.ndarray, num_queries: int) -> Iterator[Block]:
    """The blocks of a tree that begins at `start` of its row."""
    size = len(ancestors)
    if size <= 2 * num_queries:
        whole = slice(start, start + size)
        yield Block(whole, whole, ancestors)
        return
    for first in range(0, size, num_queries):
        mask = ancestors[first : first + num_queries]
        keys = np.flatnonzero(mask.any(axis=0))
        yield Block(slice(start + first, start + first + len(mask)), start + keys, mask[:, keys])


def _tree_mask(rows: _Rows) -> np.ndarray:
    """What each token sees, (rows, 1, length, length)."""
    mask = np.zeros((len(rows.free), 1, rows.length, rows.length), dtype=bool)
    mask[:, 0, range(rows.length), range(rows.length)] = True
    for start, part in rows.parts:
        row, column = divmod(start, rows.length)
        span = slice(column, column + len(part))
        mask[row, 0, span, span] = part.ancestors()
    return mask


def _filled(rows: _Rows, mask: np.ndarray | None, blocks: Sequence[Block] = ()) -> ForwardPass:
    """The forward pass of some rows."""
    shape = (len(rows.free), rows.length)
    tokens, positions = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    places, states = [], []
    for start, part in rows.parts:
        span = slice(start, start + len(part))
        tokens.reshape(-1)[span] = part.tree.tokens[part.states]
        positions.reshape(-1)[span] = part.tree.depths[part.states]
        places.append(start + np.flatnonzero(part.read))
        states.append(part.first_state + part.states[part.read])
    order = np.argsort(np.concatenate(states))
    return ForwardPass(tokens, positions, mask, blocks, np.concatenate(places)[order], np.concatenate(states)[order])
