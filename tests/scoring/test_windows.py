"""Windows of a text that is longer than the PLM takes, and the special tokens around each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plm_models import make_masked_tokenizer, make_tokenizer

from lorescore.errors import InputError
from lorescore.scoring.batches import equal_length_groups
from lorescore.scoring.windows import Frame, Window, windows


def test_by_hand() -> None:
    assert windows(8, 8) == windows(8, None) == [Window(0, 8, 0, 8)]
    assert windows(0, 8) == [Window(0, 0, 0, 0)]
    # From 0, 4 and 7. Token 5 has 2 tokens after it in the first window, 1 before it in the second.
    assert windows(15, 8) == [Window(0, 8, 0, 6), Window(4, 12, 6, 10), Window(7, 15, 10, 15)]


@given(num_tokens=st.integers(0, 60), size=st.integers(1, 14))
def test_each_token_is_scored_where_it_is_farthest_from_a_cut(num_tokens: int, size: int) -> None:
    found = windows(num_tokens, size)
    assert [token for window in found for token in range(window.first, window.last)] == list(range(num_tokens))
    for window in found:
        assert window.end - window.start == min(size, num_tokens)
    for before, after in zip(found, found[1:], strict=False):
        assert after.start > before.start
        assert size == 1 or before.end - after.start >= size // 2

    def distance(token: int, window: Window) -> int:
        if not window.start <= token < window.end:
            return -1
        left = token - window.start if window.start else num_tokens
        right = window.end - 1 - token if window.end < num_tokens else num_tokens
        return min(left, right)

    for window in found:
        for token in range(window.first, window.last):
            assert distance(token, window) == max(distance(token, other) for other in found)


def test_the_frame_of_a_tokenizer() -> None:
    assert Frame.of(make_tokenizer()) == Frame((), ())
    assert Frame.of(make_tokenizer(sentence_tokens=True)) == Frame((1,), (2,))
    frame = Frame.of(make_masked_tokenizer("unigram"))
    assert (frame, frame.around([7, 8])) == (Frame((1,), (2,)), (1, 7, 8, 2))
    assert (frame.room(10), frame.room(3), frame.room(None)) == (8, 1, None)
    with pytest.raises(InputError, match="takes 2 tokens: no room for a text"):
        frame.room(2)


@given(lengths=st.lists(st.integers(0, 9), max_size=40), budget=st.integers(1, 50), max_rows=st.integers(1, 5))
def test_groups_of_equal_length(lengths: list[int], budget: int, max_rows: int) -> None:
    groups = equal_length_groups(lengths, budget, max_rows)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    for group in groups:
        length = lengths[group[0]]
        assert {lengths[index] for index in group} == {length}
        assert len(group) <= max_rows
        assert len(group) == 1 or len(group) * length <= budget
    assert equal_length_groups([2, 3, 3, 3], 6) == [[1, 2], [3], [0]]  # the longest first
