"""Confidence intervals and paired comparison."""

import math

import pytest

from lorescore.wer import p_not_better, wer_interval

REFS = {"u1": "a b c d", "u2": "e f g h", "u3": "i j k l"}
HYPS = {"u1": "a b c d", "u2": "e f g x", "u3": "i j"}


def test_interval_lies_around_the_wer() -> None:
    interval = wer_interval(REFS, HYPS)
    assert interval.low < 25.0 < interval.high
    # The three rates are 0, 25 and 50 %: the mean of three draws deviates by sqrt(1250 / 3 / 3) %, times 1.96.
    assert (interval.high - interval.low) / 2 == pytest.approx(1.96 * math.sqrt(1250 / 9), rel=0.03)


def test_the_same_for_any_order() -> None:
    shuffled = {utt: HYPS[utt] for utt in ("u3", "u1", "u2")}
    assert wer_interval({utt: REFS[utt] for utt in shuffled}, shuffled) == wer_interval(REFS, HYPS)


def test_utterances_that_are_all_alike_leave_no_doubt() -> None:
    interval = wer_interval({"u1": "a b", "u2": "c d"}, {"u1": "a", "u2": "c"})
    assert (interval.low, interval.high) == pytest.approx((50.0, 50.0))


def test_p_value_is_the_share_of_resamples_without_the_better_utterance() -> None:
    # b is better on u2 alone, which three draws from three utterances miss with probability (2/3)^3.
    assert p_not_better(REFS, HYPS, HYPS | {"u2": REFS["u2"]}) == pytest.approx(8 / 27, abs=0.02)


def test_p_value_at_its_ends() -> None:
    assert p_not_better(REFS, HYPS, HYPS) == 1.0
    assert p_not_better(REFS, dict.fromkeys(REFS, ""), REFS) == 0.0
    assert p_not_better(REFS, REFS, dict.fromkeys(REFS, "")) == 1.0
