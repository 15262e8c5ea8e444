"""Non-linguistic symbols are taken out of lists and references, as words or, for characters, wherever they stand."""

from dataclasses import replace
from pathlib import Path

import pytest

from lorescore.errors import InputError
from lorescore.nbest import Hypothesis, NbestList, NbestSet
from lorescore.nbest.nlsyms import read_nlsyms, without_nlsyms

SYMBOLS = ["[noise]", "<laugh>", "<laugh>2"]
BEFORE = ("what stands before",)


def one_list(*texts: str, ref: str = "", metric: str = "wer") -> NbestSet:
    hypotheses = tuple(Hypothesis(text, -float(rank)) for rank, text in enumerate(texts, start=1))
    return NbestSet((NbestList("u", hypotheses, BEFORE),), {"u": ref}, {"metric": metric})


def test_words_that_are_symbols_are_taken_out() -> None:
    found = without_nlsyms(one_list("[noise] a b<laugh>  <laugh>", "[NOISE] a", ref="a <laugh>2 b"), SYMBOLS)
    assert found.lists[0].texts == ["a b<laugh>", "[NOISE] a"]
    assert found.refs == {"u": "a b"}
    assert found.lists[0].context == BEFORE
    (one,) = one_list("a").lists
    noisy = NbestSet((replace(one, context=("[noise]", "so [noise] it is")),))
    assert without_nlsyms(noisy, SYMBOLS).lists[0].context == ("so it is",)


def test_hypotheses_that_differ_in_nothing_else_are_one() -> None:
    found = without_nlsyms(one_list("a [noise]", "b", "[noise] a", "[noise]", ""), SYMBOLS).lists[0]
    assert [(one.text, one.score) for one in found.hypotheses] == [("a", -1.0), ("b", -2.0), ("", -4.0)]


def test_in_characters_they_need_no_spaces() -> None:
    found = without_nlsyms(one_list("你<laugh>2好", "<laugh>你 <laugh> 好", ref="[noise]你好", metric="cer"), SYMBOLS)
    assert found.lists[0].texts == ["你好", "你 好"]  # ESPnet's score_cer counts the space that was there, and no other
    assert found.refs == {"u": "你好"}


def test_versions_that_an_expansion_has_added_stay_told_apart() -> None:
    (one,) = one_list("[noise] sea", "see", "sea [noise]", "see [noise]", "si").lists
    expanded = NbestSet((replace(one, added=3),))
    found = without_nlsyms(expanded, SYMBOLS).lists[0]
    assert (found.texts, found.added) == (["sea", "see", "si"], 1)


def test_lists_without_symbols_stay_as_they_are() -> None:
    nbest = one_list("a b", "c", ref="a")
    assert without_nlsyms(nbest, SYMBOLS) == nbest


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty, expected one symbol a line"),
        ("[noise]\n[a b]\n", "nlsyms.txt:2: 2 words, expected one symbol a line"),
    ],
)
def test_what_is_no_such_file(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "nlsyms.txt").write_text(content)
    with pytest.raises(InputError) as raised:
        read_nlsyms(tmp_path / "nlsyms.txt")
    assert message in str(raised.value)


def test_a_symbol_a_line(tmp_path: Path) -> None:
    (tmp_path / "nlsyms.txt").write_text("[noise]\n\n <laugh> \n")
    assert read_nlsyms(tmp_path / "nlsyms.txt") == ["[noise]", "<laugh>"]
