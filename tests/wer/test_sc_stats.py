"""The matched pairs test of sc_stats: by hand on a few sentences, its properties, and what it is not defined for."""

import math
import shutil
import statistics
from collections.abc import Mapping
from pathlib import Path

import pytest

from lorescore.errors import InputError
from lorescore.wer.sc_stats import MatchedPairs, matched_pairs, parse_matched_pairs, sgml_alignment

needs_sctk = pytest.mark.skipif(
    not (shutil.which("sc_stats") or shutil.which("sctk")), reason="sc_stats is missing: apt-get install sctk"
)
RIGHT = "a b c d"


def compared(refs: Mapping[str, str], a: Mapping[str, str], b: Mapping[str, str]) -> MatchedPairs:
    return matched_pairs(sgml_alignment(refs, a, "first"), sgml_alignment(refs, b, "second"))


def expected(differences: list[int]) -> MatchedPairs:
    mean, std = statistics.mean(differences), statistics.stdev(differences)
    return MatchedPairs(len(differences), mean, std, mean / (std / math.sqrt(len(differences))))


def assert_close(found: MatchedPairs, wanted: MatchedPairs) -> None:
    assert found.segments == wanted.segments
    assert (found.mean, found.std, found.z) == pytest.approx((wanted.mean, wanted.std, wanted.z), abs=6e-4)


@needs_sctk
def test_a_segment_a_sentence() -> None:
    # Errors of a less those of b in the sentences that have any: 1, 1, 1, 1, 2, -1, -1. u7 and u8 have none.
    refs = {f"u{number}": RIGHT for number in range(9)}
    a = refs | {f"u{number}": "a b x d" for number in range(4)} | {"u4": "a x x d"}
    b = refs | {"u5": "a b c", "u6": "a b c x d"}
    found = compared(refs, a, b)
    assert_close(found, expected([1, 1, 1, 1, 2, -1, -1]))
    # By hand: mean 4/7, variance (10 - 7 x 16/49) / 6 = 9/7, z = 4/7 / sqrt(9/7 / 7) = 4/3.
    assert found.z == pytest.approx(4 / 3, abs=6e-4)
    assert found.p_value == pytest.approx(0.1824, abs=2e-4)  # of a table of the normal distribution


@needs_sctk
def test_two_words_that_both_have_right_end_a_segment() -> None:
    refs = {"u": "a b c d e f g h i j"}
    a = {"u": "X b X d e f g h i j"}  # one right word between its errors: one segment
    b = {"u": "a b c d e X g h i X"}  # d and e, g and h and i end segments
    assert_close(compared(refs, a, b), expected([2, -1, -1]))


@needs_sctk
def test_the_other_way_round() -> None:
    refs = {f"u{number}": RIGHT for number in range(6)}
    a = refs | {"u0": "x b c d", "u1": "a b", "u2": "a b x d"}
    b = refs | {"u3": "a x c d"}
    found, turned = compared(refs, a, b), compared(refs, b, a)
    assert (turned.mean, turned.z, turned.p_value) == (-found.mean, -found.z, found.p_value)
    assert found.mean > 0  # b is better


@needs_sctk
@pytest.mark.parametrize("hyp", [RIGHT, "a b x d", ""])
def test_equal_systems(hyp: str) -> None:
    found = compared({"u1": RIGHT, "u2": RIGHT}, {"u1": hyp, "u2": RIGHT}, {"u1": f" {hyp} ", "u2": RIGHT})
    assert (found.mean, found.p_value) == (0.0, 1.0)


@needs_sctk
def test_where_every_segment_differs_alike_there_is_no_p() -> None:
    refs = dict.fromkeys(["u1", "u2"], RIGHT)
    found = compared(refs, {"u1": "a b x d", "u2": "a b x d"}, refs)
    assert (found.segments, found.mean, found.std, found.p_value) == (2, 1.0, 0.0, None)


@needs_sctk
@pytest.mark.parametrize(
    "word", ['"', "a:b", "a,b", "<a>", "&", "{a", "@", ";;", "***a", "(a)", "é", "日本", "a" * 1200]
)
def test_words_are_taken_literally(word: str) -> None:
    refs = {"s(1": f"p q {word} r s", "-": f"{word}", "u": f"p q {word} r s", "v": ""}
    a = {"s(1": "p q z r s", "-": "z z", "u": f"p q {word} r s", "v": ""}
    b = {"s(1": f"p q {word} r s", "-": f"{word}", "u": "p q z r s", "v": ""}
    assert_close(compared(refs, a, b), expected([1, 2, -1]))


@needs_sctk
def test_other_utterances() -> None:
    with pytest.raises(InputError, match="utterance u2 has a reference but no hypothesis"):
        sgml_alignment({"u1": "a", "u2": "b"}, {"u1": "a"}, "first")
    one, two = (sgml_alignment(dict.fromkeys(utts, "a"), dict.fromkeys(utts, "b"), "x") for utts in (["u1"], ["u2"]))
    with pytest.raises(InputError, match="utterance u1 has a reference but no hypothesis of the other system"):
        matched_pairs(one, two)


def test_reports_that_are_none() -> None:
    with pytest.raises(InputError, match="no matched pairs test in the output of sc_stats"):
        parse_matched_pairs("Successful Completion", 2)
    pair = "MTCH_PR_RESULTS (systems: a b) (# segs: 2) (mean: -0.500) (std dev: 1.000) (Z Stat: -0.707)"
    report = f"  Number of Sentences 3\n{pair}"
    assert parse_matched_pairs(report, 3) == MatchedPairs(2, -0.5, 1.0, -0.707)
    with pytest.raises(InputError, match="sc_stats tested 3 utterances, expected 4"):
        parse_matched_pairs(report, 4)


def test_sctk_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        InputError, match=r"sclite not found \(put .*tools/sctk/bin on the PATH, or apt-get install sctk\)"
    ):
        sgml_alignment({"u": "a"}, {"u": "b"}, "first")
