"""Forward passes over trees: rows, masks, parts of trees that are larger than the budget."""

from functools import partial

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lorescore.scoring.packing import ForwardPass, block_passes, row_passes, tree_passes
from lorescore.scoring.prefix_tree import PrefixTree

SEQUENCES = st.lists(st.lists(st.integers(2, 5), max_size=6).map(lambda tail: [1, *tail]), min_size=1, max_size=7)
LISTS = st.lists(SEQUENCES, min_size=1, max_size=5)


def contexts(trees: list[PrefixTree]) -> list[list[int]]:
    """The tokens from the root to each state, over all trees."""
    found = []
    for tree in trees:
        for state in range(len(tree)):
            path = [state]
            while path[-1]:
                path.append(int(tree.parents[path[-1]]))
            found.append(tree.tokens[path[::-1]].tolist())
    return found


def seen(one: ForwardPass, place: int) -> list[int]:
    """The tokens that a place looks at, in order of position."""
    row, column = divmod(place, one.tokens.shape[1])
    for block in one.blocks:
        if block.queries.start <= column < block.queries.stop:
            keys = np.arange(one.tokens.size)[block.keys]
            columns = keys[block.mask[column - block.queries.start]]
            assert one.positions[0, columns].tolist() == list(range(len(columns)))
            return one.tokens[0, columns].tolist()
    if one.mask is None:
        return one.tokens[row, : column + 1].tolist()
    columns = np.flatnonzero(one.mask[row, 0, column])
    assert one.positions[row, columns].tolist() == list(range(len(columns)))
    return one.tokens[row, columns].tolist()


def test_small_trees_share_a_row() -> None:
    trees = [PrefixTree.build(one) for one in ([[1, 2, 9]], [[1, 2, 3, 4, 9]], [[1, 5, 9]])]
    (one,) = tree_passes(trees, token_budget=8)
    assert one.tokens.tolist() == [[1, 2, 3, 4], [1, 2, 1, 5]]
    assert one.positions.tolist() == [[0, 1, 2, 3], [0, 1, 0, 1]]
    assert one.mask is not None
    assert one.mask[1, 0].astype(int).tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]]
    assert one.states.tolist() == list(range(8))
    assert one.places.tolist() == [4, 5, 0, 1, 2, 3, 6, 7]


def test_trees_one_after_the_other_as_blocks_of_a_row() -> None:
    trees = [PrefixTree.build(one) for one in ([[1, 2, 9]], [[1, 2, 3, 9], [1, 4, 9]])]
    (one,) = block_passes(trees, token_budget=6)
    assert one.tokens.tolist() == [[1, 2, 1, 2, 3, 4]]
    assert one.positions.tolist() == [[0, 1, 0, 1, 2, 1]]
    assert one.mask is None
    assert [block.queries for block in one.blocks] == [block.keys for block in one.blocks] == [slice(0, 2), slice(2, 6)]
    assert one.blocks[1].mask.astype(int).tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 1]]
    assert one.places.tolist() == one.states.tolist() == list(range(6))


def test_a_large_tree_in_blocks_of_some_states_and_their_ancestors() -> None:
    tree = PrefixTree.build([[1, 2, 3, 4, 9], [1, 5, 6, 9], [1, 7, 9]])
    (one,) = block_passes([tree], token_budget=100, num_queries=2)
    assert one.tokens.tolist() == [[1, 2, 3, 4, 5, 6, 7]]
    assert [block.queries for block in one.blocks] == [slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 7)]
    keys = [block.keys.tolist() for block in one.blocks if not isinstance(block.keys, slice)]
    assert keys == [[0, 1], [0, 1, 2, 3], [0, 4, 5], [0, 6]]
    assert one.blocks[2].mask.astype(int).tolist() == [[1, 1, 0], [1, 1, 1]]


def test_a_tree_in_plain_rows() -> None:
    tree = PrefixTree.build([[1, 2, 3, 9], [1, 2, 4, 9], [1, 5, 9]])
    (one,) = row_passes([tree], token_budget=100)
    assert one.tokens.tolist() == [[1, 2, 3], [1, 2, 4], [1, 5, 0]]
    assert one.mask is None
    assert one.places.tolist() == [0, 1, 2, 5, 7]  # what branches share is read once


def test_a_tree_larger_than_the_budget_is_cut_between_branches() -> None:
    tree = PrefixTree.build([[1, 2, 3, 9], [1, 2, 4, 9], [1, 5, 9]])
    passes = list(tree_passes([tree], token_budget=4))
    assert [one.tokens.tolist() for one in passes] == [[[1, 2, 3, 4]], [[1, 5]]]
    assert [one.states.tolist() for one in passes] == [[0, 1, 2, 3], [4]]


@given(LISTS, st.integers(1, 40))
def test_each_state_is_read_once_and_sees_its_context(lists: list[list[list[int]]], token_budget: int) -> None:
    trees = [PrefixTree.build(sequences) for sequences in lists]
    expected = contexts(trees)
    for layout in (tree_passes, block_passes, partial(block_passes, num_queries=2), row_passes):
        found: dict[int, list[int]] = {}
        for one in layout(trees, token_budget):
            assert one.states.tolist() == sorted(one.states.tolist())
            for state, place in zip(one.states.tolist(), one.places.tolist(), strict=True):
                assert state not in found
                found[state] = seen(one, place)
            if one.mask is not None:
                assert one.mask.any(axis=-1).all()  # what sees nothing has no softmax
            assert one.tokens.size <= max(token_budget, *map(len, expected))  # a branch stays whole
        assert [found[state] for state in range(len(expected))] == expected
