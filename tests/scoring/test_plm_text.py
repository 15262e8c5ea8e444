"""How a hypothesis is written for the PLM."""

import pytest

from lorescore.scoring.text import plm_text

TEXT = "I THINK I'LL SEE IF IT IS IVAN'S"


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("as-is", "I THINK I'LL SEE IF IT IS IVAN'S"),
        ("upper", "I THINK I'LL SEE IF IT IS IVAN'S"),
        ("lower", "i think i'll see if it is ivan's"),
        ("sentence", "I think I'll see if it is ivan's"),
    ],
)
def test_cases(case: str, expected: str) -> None:
    assert plm_text(TEXT, case) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("i", "I"),
        ("AND I DID", "And I did"),
        ("the xi dynasty i", "The xi dynasty I"),
        ("'TIS HE", "'tis he"),
        ("été à paris", "Été à paris"),
        ("Mixed McCase", "Mixed mccase"),
    ],
)
def test_sentence_case(text: str, expected: str) -> None:
    assert plm_text(text, "sentence") == expected


def test_as_is_changes_nothing() -> None:
    assert plm_text("Mixed mcCASE i", "as-is") == "Mixed mcCASE i"
    assert plm_text("Mixed mcCASE i", "upper") == "MIXED MCCASE I"
