"""Speakers resampled instead of utterances: sums by hand, intervals, and where there is nothing to resample."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from lorescore.files import read_table, read_yaml
from lorescore.wer import score_hypotheses, wer_interval
from lorescore.wer.bootstrap import interval_of_resamples
from lorescore.wer.speakers import (
    MIN_SPEAKERS,
    by_speaker,
    default_speaker,
    deviations_to_each_side,
    exchanges,
    p_by_exchanges,
    resample_speakers,
    speakers_to_resample,
    totals_over_resamples,
)

SPEAKERS, UTTS = 8, 20  # utterances of each speaker
needs_sclite = pytest.mark.skipif(
    not (shutil.which("sclite") or shutil.which("sctk")), reason="sclite is missing: apt-get install sctk"
)


def texts(error_rates: list[float], seed: int) -> tuple[dict[str, str], dict[str, str]]:
    """References, and hypotheses with the error rate of each speaker."""
    rng = np.random.default_rng(seed)
    refs, hyps = {}, {}
    for speaker, rate in enumerate(error_rates):
        for utt in range(UTTS):
            words = [f"w{number}" for number in rng.integers(50, size=10)]
            refs[f"s{speaker}-{utt:02d}"] = " ".join(words)
            hyps[f"s{speaker}-{utt:02d}"] = " ".join("x" if rng.random() < rate else word for word in words)
    return refs, hyps


def speakers_of(refs: dict[str, str]) -> dict[str, str]:
    return {utt: default_speaker(utt) for utt in refs}


def test_sums_by_hand() -> None:
    counts = np.array([[1, 2, 3, 4], [10, 20, 30, 40]])
    assert by_speaker(counts, ["b", "a", "b", "a"]).tolist() == [[6, 4], [60, 40]]


def test_a_speaker_is_drawn_with_all_utterances() -> None:
    totals = totals_over_resamples(by_speaker(np.array([[1, 1, 10, 10, 100]]), ["a", "a", "b", "b", "c"]))
    # Three draws of 2, 20 and 100.
    assert set(totals[:, 0].tolist()) == {a + b + c for a in (2, 20, 100) for b in (2, 20, 100) for c in (2, 20, 100)}
    assert totals.mean() == pytest.approx(122, rel=0.02)


def test_totals_do_not_depend_on_other_rows() -> None:
    rng = np.random.default_rng(0)
    some, others = rng.integers(9, size=(2, 30)), rng.integers(9, size=(3, 30))
    assert (totals_over_resamples(some) == totals_over_resamples(np.vstack([some, others]))[:, :2]).all()


def test_speakers_that_differ_make_the_interval_wider() -> None:
    refs, hyps = texts([0.05 * (1 + speaker) for speaker in range(SPEAKERS)], seed=1)
    found = resample_speakers(refs, hyps, speakers_of(refs), None, "wer")
    assert found is not None and found.interval is not None
    beside_a_baseline = resample_speakers(refs, hyps, speakers_of(refs), refs, "wer")
    assert beside_a_baseline is not None and beside_a_baseline.interval == found.interval
    over_utterances = wer_interval(refs, hyps)
    assert (found.speakers, found.p_value) == (SPEAKERS, None)
    # All have said as much: the mean of eight rates drawn with replacement, and Student's t for 7 degrees of freedom.
    wrong = [sum(hyps[utt].split().count("x") for utt in refs if utt.startswith(f"s{one}")) for one in range(SPEAKERS)]
    expected = 2 * 2.365 * np.std(wrong, ddof=1) / (10 * UTTS) * 100 / np.sqrt(SPEAKERS)
    assert found.interval.high - found.interval.low == pytest.approx(expected, rel=0.03)
    assert found.interval.high - found.interval.low > 2 * (over_utterances.high - over_utterances.low)


def test_speakers_that_are_alike_make_it_that_over_utterances() -> None:
    widths = []
    for seed in range(20):
        refs, hyps = texts([0.2] * 40, seed)
        found = resample_speakers(refs, hyps, speakers_of(refs), None, "wer")
        assert found is not None and found.interval is not None
        one = wer_interval(refs, hyps)
        widths.append((found.interval.high - found.interval.low) / (one.high - one.low))
    assert np.mean(widths) == pytest.approx(1, abs=0.05)


def test_a_gain_on_one_speaker_is_not_sure_of_others() -> None:
    """It is 80 errors on one speaker of eight, and none on the others: the sign of one coin."""
    refs, _ = texts([0.0] * SPEAKERS, seed=2)
    baseline = {utt: "" if utt.startswith("s0") and int(utt[-2:]) < 8 else text for utt, text in refs.items()}
    found = resample_speakers(refs, refs, speakers_of(refs), baseline, "wer")
    assert found is not None and found.p_value == 0.5


def test_deviations_by_hand() -> None:
    # Student's t for 4 degrees of freedom, and for 100.
    assert deviations_to_each_side(5) == pytest.approx(2.7764 * np.sqrt(5 / 4), abs=1e-4)
    assert deviations_to_each_side(101) == pytest.approx(1.98397 * np.sqrt(101 / 100), abs=1e-4)


def test_p_by_hand() -> None:
    # Of the sums with either sign of 1, 2, 3, 4 and 5, those of -13 or less: all below 0, and all but 1.
    assert p_by_exchanges(np.array([-1, -2, -3, -4, -5])) == 1 / 32
    assert p_by_exchanges(np.array([1, -2, -3, -4, -5])) == 2 / 32
    assert p_by_exchanges(np.zeros(6, dtype=np.int64)) == 1.0
    assert p_by_exchanges(np.full(100, -1)) == 1 / 10_001  # none of the random ones is as extreme


def test_exchanges_are_all_ways_or_many() -> None:
    assert sorted(map(tuple, exchanges(2).tolist())) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for num_speakers in (5, 13, 14, 40):
        ways = exchanges(num_speakers)
        assert not ways[0].any() and ways.mean() == pytest.approx(0.5, abs=0.01)
        assert len(ways) == (2**num_speakers if num_speakers <= 13 else 10_001)


@pytest.mark.parametrize("num_speakers", [5, 12, 40])
def test_the_interval_covers_and_the_test_keeps_its_level(num_speakers: int) -> None:
    """On speakers that are drawn from a population of known WER, and two systems of which neither is better."""
    rng, trials, true_rate = np.random.default_rng(num_speakers), 300, 0.12
    covered = rejected = 0
    for _ in range(trials):
        ref_words = rng.integers(80, 300, num_speakers)
        errors = rng.binomial(ref_words, rng.gamma(4.0, true_rate / 4, num_speakers).clip(max=1))
        totals = totals_over_resamples(np.stack([errors, ref_words]))
        interval = interval_of_resamples(totals[:, 0], totals[:, 1], deviations_to_each_side(num_speakers))
        assert interval is not None
        covered += interval.low <= 100 * true_rate <= interval.high
        rejected += p_by_exchanges(rng.integers(-9, 10, num_speakers) * rng.integers(1, 4, num_speakers)) <= 0.05
    assert 0.90 <= covered / trials <= 0.98
    assert rejected / trials <= 0.07


@pytest.mark.parametrize(
    "speakers",
    [
        ["a", "b", "c", "d"] * 5,  # too few
        [str(number) for number in range(20)],  # each utterance its own
    ],
)
def test_nothing_to_resample(speakers: list[str]) -> None:
    utts = [f"u{number:02d}" for number in range(20)]
    utt2spk = dict(zip(utts, speakers, strict=True))
    assert speakers_to_resample(utts, utt2spk) is None
    assert resample_speakers(dict.fromkeys(utts, "a"), dict.fromkeys(utts, "a"), utt2spk, None, "wer") is None


def test_chapters_of_a_reader_are_one_speaker() -> None:
    """As Kaldi's and ESPnet's recipes of LibriSpeech have utt2spk."""
    utts = [f"{reader}-{chapter}-{utt:04d}" for reader in range(7) for chapter in (3, 12) for utt in range(2)]
    assert speakers_to_resample(utts, {utt: utt[: utt.rindex("-")] for utt in utts}) == [utt[0] for utt in utts]
    others = {utt: f"sw{utt[: utt.rindex('-')]}" for utt in utts}  # what these are, nobody knows
    assert speakers_to_resample(utts, others) == list(others.values())
    mixed = others | {utts[0]: "0-3", utts[1]: "0-3"}
    assert speakers_to_resample(utts, mixed) == list(mixed.values())


def test_unknown_speakers_are_not_resampled() -> None:
    utts = [f"{speaker}-{utt}" for speaker in range(MIN_SPEAKERS) for utt in range(3)]
    known = {utt: default_speaker(utt) for utt in utts}
    assert speakers_to_resample(utts, known) == [default_speaker(utt) for utt in utts]
    assert speakers_to_resample(utts, {}) is None
    del known[utts[-1]]
    assert speakers_to_resample(utts, known) is None


@needs_sclite
def test_the_scoring_says_it(tmp_path: Path) -> None:
    refs, hyps = texts([0.1 * (1 + speaker) for speaker in range(SPEAKERS)], seed=3)
    _, baseline = texts([0.9] * SPEAKERS, seed=3)
    score_hypotheses(refs, hyps, None, tmp_path, 0.0, 0.0, baseline)
    summary = read_yaml(tmp_path / "result.yaml")
    assert summary["speakers"] == SPEAKERS
    assert summary["spk_ci_low"] < summary["ci_low"] < summary["wer"] < summary["ci_high"] < summary["spk_ci_high"]
    assert summary["spk_p_value"] == 2**-SPEAKERS
    assert read_table(tmp_path / "scoring_kaldi" / "utt2spk") == speakers_of(refs)
    few = {utt: text for utt, text in refs.items() if utt < "s2"}
    score_hypotheses(few, few, None, tmp_path, 0.0, 0.0, few)
    assert not {"speakers", "spk_ci_low", "spk_p_value"} & read_yaml(tmp_path / "result.yaml").keys()
