"""Word errors of many pairs at a time: those that `edit_counts` finds one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorescore.wer import distances, edit_counts
from lorescore.wer.distances import NumberedTexts, count_words

texts = st.lists(st.sampled_from(["a", "b", "c", "żółw", "a\u00a0b"]), max_size=9).map(" ".join)


def test_by_hand() -> None:
    counts = count_words([["the hat", "the cat sat", "", "cat the"], ["yes"]], ["the cat", ""])
    assert counts.errors.tolist() == [1, 1, 2, 2, 1]
    assert counts.hyp_words.tolist() == [2, 3, 0, 2, 1]
    assert counts.ref_words.tolist() == [2, 0]


def test_without_references_there_are_no_errors() -> None:
    counts = count_words([["a b", ""], ["c"]], None)
    assert (counts.errors.tolist(), counts.ref_words.tolist()) == ([0, 0, 0], [0, 0])
    assert counts.hyp_words.tolist() == [2, 0, 1]


def test_no_lists_and_no_words() -> None:
    assert count_words([], []).errors.tolist() == []
    assert count_words([["", ""]], [""]).errors.tolist() == [0, 0]


@settings(deadline=None)
@given(st.lists(st.tuples(texts, st.lists(texts, min_size=1, max_size=4)), max_size=5), st.integers(1, 60))
def test_errors_are_those_of_edit_counts_in_batches_of_any_size(lists: list[tuple[str, list[str]]], cells: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distances, "CELLS_AT_A_TIME", cells)
        counts = count_words([hyps for _, hyps in lists], [ref for ref, _ in lists])
    assert counts.errors.tolist() == [edit_counts(ref, hyp).errors for ref, hyps in lists for hyp in hyps]


@settings(deadline=None)
@given(st.lists(texts, min_size=2, max_size=6))
def test_any_pairs_of_texts(some: list[str]) -> None:
    first, second = np.triu_indices(len(some), 1)
    found = NumberedTexts.of(some).edit_distances(first, second)
    assert found.tolist() == [edit_counts(some[i], some[j]).errors for i, j in zip(first, second, strict=True)]


def test_thousands_of_words_beside_one() -> None:
    long = " ".join(str(number % 7) for number in range(3000))
    other = long.replace("3", "x", 100) + " y"
    assert count_words([[other, long, "z", ""]], [long]).errors.tolist() == [101, 0, 3000, 3000]
