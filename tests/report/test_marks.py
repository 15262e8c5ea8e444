"""Words of a hypothesis with their errors, and what a perturbation put where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorescore.nbest import Hypothesis, NbestList
from lorescore.perturb import HomophoneLexicon, Perturbation
from lorescore.perturb.replacement import perturb_list, sources
from lorescore.report.marks import CORRECT, DEL, INS, SUB, Replacement, Word, marked, replacements
from lorescore.wer import edit_counts

TEXTS = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=6).map(" ".join)


def nbest_list(*texts: str) -> NbestList:
    return NbestList("utt", tuple(Hypothesis(text, -float(rank)) for rank, text in enumerate(texts)))


def test_errors_by_hand() -> None:
    assert marked("i see the sea", "i sea the the", perturbed={1}) == (
        Word("i", CORRECT, "i"),
        Word("sea", SUB, "see", is_perturbed=True),
        Word("the", CORRECT, "the"),
        Word("the", SUB, "sea"),
    )
    assert [(word.text, word.error) for word in marked("the cat sat", "a the cat")] == [
        ("a", INS),
        ("the", CORRECT),
        ("cat", CORRECT),
        ("sat", DEL),
    ]


def test_positions_count_the_hypothesis_alone() -> None:
    words = marked("one two three", "one three", perturbed={1})
    assert [(word.text, word.error, word.is_perturbed) for word in words] == [
        ("one", CORRECT, False),
        ("two", DEL, False),
        ("three", CORRECT, True),
    ]


@given(TEXTS, TEXTS)
def test_marks_are_the_counted_errors(ref: str, hyp: str) -> None:
    words, counts = marked(ref, hyp), edit_counts(ref, hyp)
    numbers = [sum(word.error == error for word in words) for error in (SUB, INS, DEL)]
    assert numbers == [counts.sub, counts.ins, counts.del_]
    assert " ".join(word.text for word in words if word.error != DEL) == hyp
    assert " ".join(word.ref for word in words if word.error != INS) == ref


@pytest.mark.parametrize(
    ("old", "new", "made", "places"),
    [
        ("the cat sat", "the cat sat", [], set()),
        ("see the sea", "sea the see", [("see", "sea"), ("sea", "see")], {0, 2}),
        ("such a nice day", "such an ice day", [("a", "an"), ("nice", "ice")], {1, 2}),
        ("i recognize speech", "i wreck a nice speech", [("recognize", "wreck a nice")], {1, 2, 3}),
        ("for get it", "forget it", [("for get", "forget")], {0}),
        ("maybe the cat may be", "may be the cat maybe", [("maybe", "may be"), ("may be", "maybe")], {0, 1, 4}),
        ("", "", [], set()),
    ],
)
def test_replacements(old: str, new: str, made: list[tuple[str, str]], places: set[int]) -> None:
    assert replacements(old, new) == ([Replacement(*pair) for pair in made], places)


@pytest.mark.parametrize("perturbation", ["homophone", "insert", "tied"])
def test_sources_of_what_was_perturbed(perturbation: str) -> None:
    lexicon = HomophoneLexicon.for_vocabulary({"two", "too", "to", "see", "sea", "cats"})
    clean = nbest_list("two cats see", "to cats see", "two cats sea")
    perturbed = perturb_list(clean, Perturbation("nbest", 1.0, 1, perturbation), lexicon)
    found = sources(clean, perturbed)
    assert len(found) == len(perturbed.hypotheses)
    for source, hypothesis in zip(found, perturbed.hypotheses, strict=True):
        for one in replacements(clean.texts[source], hypothesis.text)[0]:
            assert one.new in lexicon.homophones_of(one.old)
