"""Edit counts and alignments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorescore.errors import InputError
from lorescore.wer import EditCounts, align, edit_counts

texts = st.lists(st.sampled_from("abcd"), max_size=8).map(" ".join)


def levenshtein(ref: list[str], hyp: list[str]) -> int:
    """The textbook recursion, row by row."""
    row = list(range(len(hyp) + 1))
    for i, ref_word in enumerate(ref, start=1):
        previous, row = row, [i]
        for j, hyp_word in enumerate(hyp, start=1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (ref_word != hyp_word)))
    return row[-1]


@pytest.mark.parametrize(
    ("ref", "hyp", "expected"),
    [
        ("the cat sat", "the cat sat", EditCounts(0, 0, 0, 3)),
        ("the cat sat", "the hat sat down", EditCounts(1, 0, 1, 3)),
        ("the cat sat", "cat", EditCounts(0, 2, 0, 3)),
        ("the cat", "", EditCounts(0, 2, 0, 2)),
        ("", "the cat", EditCounts(2, 0, 0, 0)),
        ("", "", EditCounts(0, 0, 0, 0)),
        ("The cat", "the  cat", EditCounts(0, 0, 1, 2)),
    ],
)
def test_counts(ref: str, hyp: str, expected: EditCounts) -> None:
    assert edit_counts(ref, hyp) == expected


def test_a_tie_is_split_as_in_compute_wer() -> None:
    # Two substitutions would be as cheap; compute-wer prefers a deletion and an insertion.
    assert edit_counts("a b", "b c") == EditCounts(ins=1, del_=1, sub=0, ref_words=2)


def test_sum_and_rate() -> None:
    total = sum([EditCounts(1, 2, 3, 50), EditCounts(0, 1, 1, 14)], EditCounts())
    assert total == EditCounts(1, 3, 4, 64)
    assert (total.errors, total.correct, total.wer) == (8, 57, 12.5)


def test_no_reference_words_have_no_rate() -> None:
    with pytest.raises(InputError, match="no reference words"):
        _ = edit_counts("", "a").wer


@given(texts, texts)
def test_the_fewest_errors(ref: str, hyp: str) -> None:
    assert edit_counts(ref, hyp).errors == levenshtein(ref.split(), hyp.split())


@given(texts, texts)
def test_alignment_has_the_words_and_the_counts(ref: str, hyp: str) -> None:
    pairs = align(ref, hyp)
    assert [word for word, _ in pairs if word] == ref.split()
    assert [word for _, word in pairs if word] == hyp.split()
    counts = edit_counts(ref, hyp)
    assert sum(not ref_word for ref_word, _ in pairs) == counts.ins
    assert sum(not hyp_word for _, hyp_word in pairs) == counts.del_
    assert sum(ref_word == hyp_word for ref_word, hyp_word in pairs) == counts.correct
