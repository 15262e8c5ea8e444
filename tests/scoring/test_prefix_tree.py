"""The prefix tree: each distinct prefix once, windows of long texts, merged histories."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorescore.scoring.batches import batches_by_size, batches_in_order
from lorescore.scoring.prefix_tree import MERGE_DISTANCE, PrefixTree, windows

SEQUENCES = st.lists(st.lists(st.integers(2, 5), max_size=5).map(lambda tail: [1, *tail]), min_size=1, max_size=6)


def test_a_small_tree() -> None:
    #      1 - 7 - 8
    #        \   \ 9
    #          5
    tree = PrefixTree.build([[1, 7, 8], [1, 7, 9], [1, 5], [1, 7], [1, 7, 9]])
    # 8, 9 and 5 are predicted, and predict nothing.
    assert tree.tokens.tolist() == [1, 7]
    assert tree.parents.tolist() == [0, 0]
    assert tree.depths.tolist() == [0, 1]
    assert list(zip(tree.edge_states.tolist(), tree.edge_tokens.tolist(), strict=True)) == [
        (0, 7),
        (0, 5),
        (1, 8),
        (1, 9),
    ]
    assert [path.tolist() for path in tree.paths] == [[0, 2], [0, 3], [1], [0], [0, 3]]
    assert (len(tree), tree.depth, tree.num_tokens(0), tree.num_tokens(2)) == (2, 1, 2, 1)


def test_sequences_with_different_roots_make_no_tree() -> None:
    with pytest.raises(ValueError, match="starts with token 2, the first one with 1"):
        PrefixTree.build([[1, 3], [2, 3]])


@given(SEQUENCES)
def test_a_tree_holds_its_sequences_and_each_prefix_once(sequences: list[list[int]]) -> None:
    tree = PrefixTree.build(sequences)
    assert tree.sequences() == sequences
    predicted = {tuple(one[:length]) for one in sequences for length in range(2, len(one) + 1)}
    assert len(tree.edge_tokens) == len(predicted)
    assert len(tree) == len({prefix[:-1] for prefix in predicted} | {(1,)})


@given(SEQUENCES)
def test_branches_are_the_longest_contexts(sequences: list[list[int]]) -> None:
    tree = PrefixTree.build(sequences)
    contexts = {tuple(one[:-1]) for one in sequences if len(one) > 1} | {(1,)}
    longest = {one for one in contexts if not any(other[: len(one)] == one and other != one for other in contexts)}
    assert {tuple(tree.tokens[branch].tolist()) for branch in tree.branches()} == longest


@given(st.integers(1, 40), st.integers(2, 9))
def test_windows_score_each_token_once_with_half_a_window_before_it(length: int, size: int) -> None:
    sequence = list(range(length))
    scored = []
    for number, (window, first) in enumerate(windows(sequence, size)):
        assert window[0] == 0
        assert len(window) - 1 <= size  # the last token is only predicted
        assert number == 0 or first >= size // 2
        assert window[1:] == sequence[window[-1] - len(window) + 2 : window[-1] + 1]
        scored += window[first:]
    assert scored == sequence[1:]


def test_a_long_sequence_is_cut_into_windows() -> None:
    assert list(windows([0, 1, 2, 3, 4, 5, 6, 7], 4)) == [([0, 1, 2, 3, 4], 1), ([0, 4, 5, 6, 7], 2)]
    tree = PrefixTree.build([[0, 1, 2, 3, 4, 5, 6, 7]], max_tokens=4)
    assert tree.sequences() == [[0, 1, 2, 3, 4, 5, 6, 7]]
    assert [tree.tokens[branch].tolist() for branch in tree.branches()] == [[0, 1, 2, 3], [0, 4, 5, 6]]


def test_states_of_the_same_history_are_one() -> None:
    sequences = [[0, 1, 2, 3, 4, 5], [0, 9, 2, 3, 4, 5], [0, 9, 2, 3, 6]]
    tree = PrefixTree.build(sequences, history=2)
    # The second sequence comes to the first one's state after "2 3".
    assert [tree.tokens[branch].tolist() for branch in tree.branches()] == [[0, 1, 2, 3, 4], [0, 9, 2]]
    assert tree.sequences() == sequences
    assert len(PrefixTree.build(sequences)) == 9
    assert len(PrefixTree.build(sequences, history=1)) == 6


def test_states_near_the_end_stay_apart() -> None:
    one, other = [0, 1, 2, 3, 4, 5], [0, 9, 2, 3, 4, 5]
    assert len(PrefixTree.build([one, other], history=2)) == 5 + 2  # "2 3" is followed by "4 5"
    assert len(PrefixTree.build([one[:-1], other[:-1]], history=2)) == 4 + 3  # by "4" alone
    # A state that is near the end of one sequence is there for another that goes on.
    assert len(PrefixTree.build([one[:-1], other], history=2)) == 4 + 2 + 1


@given(SEQUENCES, st.integers(1, 4))
def test_a_merged_state_has_the_history_that_its_sequences_ask_for(sequences: list[list[int]], history: int) -> None:
    tree = PrefixTree.build(sequences, history=history)
    assert tree.sequences() == sequences
    contexts = {}
    for branch in tree.branches():
        for place, state in enumerate(branch.tolist()):
            contexts[state] = tree.tokens[branch[: place + 1]].tolist()
    for sequence, path in zip(sequences, tree.paths, strict=True):
        for place, state in enumerate(tree.edge_states[path].tolist(), start=1):
            assert contexts[state][-history:] == sequence[max(0, place - history) : place]


@given(SEQUENCES)
def test_a_history_as_long_as_the_sequences_merges_nothing(sequences: list[list[int]]) -> None:
    merged, exact = PrefixTree.build(sequences, history=6), PrefixTree.build(sequences)
    assert merged.tokens.tolist() == exact.tokens.tolist()
    assert merged.parents.tolist() == exact.parents.tolist()


def test_words_that_are_repeated_are_not_one_place() -> None:
    twice = [0, 1, 2, 3, 1, 2, 3, 5]
    assert len(PrefixTree.build([twice], history=1)) == len(twice) - 1
    apart = [0, 1, *range(20, 20 + MERGE_DISTANCE), 2]
    assert len(PrefixTree.build([apart, [0, 9, *apart[1:]]], history=1)) == len(apart)
    late = [0, *range(40, 42 + MERGE_DISTANCE), *apart[1:3]]
    assert len(PrefixTree.build([apart, late], history=1)) == len(apart) - 1 + len(late) - 2


@pytest.mark.parametrize(("depth", "nearest"), [(1, 1), (2, 1), (3, 1), (4, 5), (5, 5), (6, 5)])
def test_of_several_states_of_the_same_history_the_nearest_is_taken(depth: int, nearest: int) -> None:
    twice = [0, 2, 11, 12, 13, 2, 14, 15]  # 2 is at the depths 1 and 5
    tree = PrefixTree.build([twice, [0, *range(20, 19 + depth), 2, 3, 4]], history=1)
    (after,) = tree.edge_states[tree.edge_tokens == 3].tolist()
    assert tree.depths[after] == nearest


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
