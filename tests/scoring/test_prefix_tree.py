"""The prefix tree: each distinct prefix once, trees side by side in rows."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lorescore.scoring.batches import batches_by_size, batches_in_order
from lorescore.scoring.prefix_tree import PackedTrees, PrefixTree

CPU = torch.device("cpu")
SEQUENCES = st.lists(st.lists(st.integers(2, 5), max_size=5).map(lambda tail: [1, *tail]), min_size=1, max_size=6)


def test_a_small_tree() -> None:
    #      1 - 7 - 8
    #        \   \ 9
    #          5
    tree = PrefixTree.build([[1, 7, 8], [1, 7, 9], [1, 5], [1, 7], [1, 7, 9]])
    assert tree.tokens.tolist() == [1, 7, 8, 9, 5]
    assert tree.parents.tolist() == [0, 0, 1, 1, 0]
    assert tree.depths.tolist() == [0, 1, 2, 2, 1]
    assert tree.leaves.tolist() == [2, 3, 4, 1, 3]
    assert (len(tree), tree.depth) == (5, 2)
    assert tree.ancestors().astype(int).tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 0, 1, 0],
        [1, 0, 0, 0, 1],
    ]


def test_sequences_with_different_roots_make_no_tree() -> None:
    with pytest.raises(ValueError, match="starts with token 2, the first one with 1"):
        PrefixTree.build([[1, 3], [2, 3]])


@given(SEQUENCES)
def test_a_tree_holds_its_sequences_and_each_prefix_once(sequences: list[list[int]]) -> None:
    tree = PrefixTree.build(sequences)
    assert tree.sequences() == sequences
    assert len(tree) == len({tuple(one[:length]) for one in sequences for length in range(1, len(one) + 1)})


def test_small_trees_share_a_row() -> None:
    trees = [PrefixTree.build(one) for one in ([[1, 2]], [[1, 2, 3, 4]], [[1, 5]])]
    packed = PackedTrees.pack(trees, CPU)
    assert packed.tokens.tolist() == [[1, 2, 3, 4], [1, 2, 1, 5]]
    assert packed.positions.tolist() == [[0, 1, 2, 3], [0, 1, 0, 1]]
    assert packed.starts == [4, 0, 6]
    assert packed.mask[1, 0].int().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]]
    parents, nodes = packed.edges()
    assert list(zip(parents.tolist(), nodes.tolist(), strict=True)) == [(4, 5), (0, 1), (1, 2), (2, 3), (6, 7)]


@given(st.lists(SEQUENCES, min_size=1, max_size=6))
def test_trees_in_rows_see_themselves_alone(lists: list[list[list[int]]]) -> None:
    trees = [PrefixTree.build(sequences) for sequences in lists]
    packed = PackedTrees.pack(trees, CPU)
    rows, length = packed.tokens.shape
    owner = np.full(rows * length, -1)
    for number, (start, tree) in enumerate(zip(packed.starts, trees, strict=True)):
        span = slice(start, start + len(tree))
        assert (owner[span] == -1).all() and start // length == (start + len(tree) - 1) // length
        owner[span] = number
        assert packed.tokens.flatten()[span].tolist() == tree.tokens.tolist()
    same = (owner.reshape(rows, 1, length) == owner.reshape(rows, length, 1)) | np.eye(length, dtype=bool)
    seen = packed.mask[:, 0].numpy()
    assert not (seen & ~same).any()
    assert seen.any(axis=-1).all()  # a row that sees nothing has no softmax


@given(st.lists(st.integers(1, 9), max_size=12), st.integers(1, 20))
def test_batches_keep_to_the_budget_and_take_each_list_once(sizes: list[int], budget: int) -> None:
    encoded = [range(size) for size in sizes]
    in_order = list(batches_in_order(encoded, range(len(sizes)), budget))
    assert [index for batch in in_order for index in batch] == list(range(len(sizes)))
    by_size = batches_by_size(encoded, budget)
    assert sorted(index for batch in by_size for index in batch) == list(range(len(sizes)))
    for batch in in_order + by_size:
        assert len(batch) == 1 or sum(sizes[index] for index in batch) <= budget


def test_the_largest_lists_come_first_and_equal_ones_in_order() -> None:
    encoded = [range(size) for size in (2, 5, 2, 3)]
    assert batches_by_size(encoded, 5) == [[1], [3, 0], [2]]
