"""How a hypothesis is written for the PLM."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今 天 天气 很 好", "今天天气很好"),
        ("東京 タワー へ 行く", "東京タワーへ行く"),
        ("ｱｲ ｽ", "ｱｲｽ"),
        ("สวัสดี ครับ", "สวัสดีครับ"),
        ("我 love new york 你", "我 love new york 你"),  # between scripts, and between Latin words
        ("open 。 door ， 好", "open。door，好"),
        ("第 10 天 ＯＫ ＡＢ", "第 10 天 ＯＫ ＡＢ"),
        ("안녕 하세요", "안녕 하세요"),  # Korean has spaces
        ("𠮷 野 家", "𠮷野家"),
        ("か\u3099 く", "か\u3099く"),
        ("été à paris", "été à paris"),
    ],
)
def test_spaces(text: str, expected: str) -> None:
    assert plm_text(text, "as-is") == expected
    assert plm_text(text, "as-is", "keep") == text


@given(st.lists(st.sampled_from(["今", "天气", "タワー", "love", "。", "１"]), max_size=6))
def test_spaces_that_go_are_gone_at_once(words: list[str]) -> None:
    put = plm_text(" ".join(words), "lower")
    assert plm_text(put, "lower") == put
    assert put.replace(" ", "") == "".join(words)


def test_case_and_spaces() -> None:
    assert plm_text("我 LOVE 你 I 也", "sentence") == "我 love 你 I 也"
    assert plm_text("我 们 ok", "upper") == "我们 OK"
