"""The files that Kaldi's score_kaldi_wer.sh writes."""

from pathlib import Path

import pytest

from lorescore.wer import EditCounts, Interval, write_scoring_kaldi

# The example in the help of Kaldi's wer_per_utt_details.pl, and a speaker whose references are empty.
REFS = {"UTT-A": "word-A word-B word-C word-D word-E", "UTT-B": ""}
HYPS = {"UTT-A": "word-A word-A word-B word-D word-X", "UTT-B": "uh"}
UTT2SPK = {"UTT-A": "A", "UTT-B": "B"}


@pytest.fixture
def scoring_dir(tmp_path: Path) -> Path:
    write_scoring_kaldi(tmp_path, REFS, HYPS, UTT2SPK, Interval(40.0, 120.5), lm_weight=0.35, word_bonus=-0.0)
    return tmp_path


def test_wer_file(scoring_dir: Path) -> None:
    assert (scoring_dir / "wer_0.35_0").read_text() == (
        "%WER 80.00 [ 4 / 5, 2 ins, 1 del, 1 sub ]\n%SER 100.00 [ 2 / 2 ]\nScored 2 sentences, 0 not present in hyp.\n"
    )


def test_best_wer_names_the_file(scoring_dir: Path) -> None:
    line = (scoring_dir / "best_wer").read_text()
    assert line == f"%WER 80.00 [ 4 / 5, 2 ins, 1 del, 1 sub ] {scoring_dir}/wer_0.35_0\n"


def test_per_utt(scoring_dir: Path) -> None:
    assert (scoring_dir / "wer_details" / "per_utt").read_text().splitlines() == [
        "UTT-A ref  word-A    ***   word-B  word-C  word-D  word-E",
        "UTT-A hyp  word-A  word-A  word-B    ***   word-D  word-X",
        "UTT-A op      C       I       C       D       C       S  ",
        "UTT-A #csid 3 1 1 1",
        "UTT-B ref  ***",
        "UTT-B hyp   uh",
        "UTT-B op    I ",
        "UTT-B #csid 0 0 1 0",
    ]


def test_per_spk(scoring_dir: Path) -> None:
    assert (scoring_dir / "wer_details" / "per_spk").read_text().splitlines() == [
        "SPEAKER         id       #SENT      #WORD       Corr        Sub        Ins        Del        Err      S.Err",
        "A               raw          1          5          3          1          1          1          3          1",
        "A               sys          1          5      60.00      20.00      20.00      20.00      60.00     100.00",
        "B               raw          1          0          0          0          1          0          1          1",
        "SUM             raw          2          5          3          1          2          1          4          2",
        "SUM             sys          2          5      60.00      20.00      40.00      20.00      80.00     100.00",
    ]


def test_ops(scoring_dir: Path) -> None:
    assert (scoring_dir / "wer_details" / "ops").read_text().splitlines() == [
        "correct       word-A    word-A    1",
        "correct       word-B    word-B    1",
        "correct       word-D    word-D    1",
        "deletion      word-C       ***    1",
        "insertion        ***        uh    1",
        "insertion        ***    word-A    1",
        "substitution  word-E    word-X    1",
    ]


def test_wer_bootci(scoring_dir: Path) -> None:
    line = (scoring_dir / "wer_details" / "wer_bootci").read_text()
    assert line == "Set1: %WER 80.00 95% Conf Interval [ 40.00, 120.50 ]\n"


def test_ops_of_frequent_words_come_first_and_long_words_do_not_widen_the_table(tmp_path: Path) -> None:
    refs = {"a": "x y y", "b": "w" * 40}
    write_scoring_kaldi(tmp_path, refs, refs, {"a": "s", "b": "s"}, Interval(0, 0), lm_weight=0, word_bonus=0)
    assert (tmp_path / "wer_details" / "ops").read_text().splitlines() == [
        f"correct       {'y':>16}    {'y':>16}    2",
        f"correct       {'w' * 40}    {'w' * 40}    1",
        f"correct       {'x':>16}    {'x':>16}    1",
    ]


def test_files_are_sorted_and_sentences_without_errors_are_right(tmp_path: Path) -> None:
    refs = {"b-2": "x", "b-1": "x y", "a-1": "y"}
    hyps, utt2spk = refs | {"b-1": "x"}, {utt: utt[0] for utt in refs}
    path, counts = write_scoring_kaldi(tmp_path, refs, hyps, utt2spk, Interval(0, 0), lm_weight=1, word_bonus=0)
    assert counts == EditCounts(ins=0, del_=1, sub=0, ref_words=4)
    assert path.read_text().splitlines()[1] == "%SER 33.33 [ 1 / 3 ]"
    details = {name: (tmp_path / "wer_details" / name).read_text().splitlines() for name in ("per_utt", "per_spk")}
    assert [line.split()[0] for line in details["per_utt"][::4]] == ["a-1", "b-1", "b-2"]
    assert [line.split()[0] for line in details["per_spk"][1::2]] == ["a", "b", "SUM"]


def test_a_second_scoring_leaves_one_wer_file(scoring_dir: Path) -> None:
    write_scoring_kaldi(scoring_dir, REFS, REFS, UTT2SPK, Interval(0, 0), lm_weight=2, word_bonus=0.5)
    assert sorted(path.name for path in scoring_dir.iterdir()) == ["best_wer", "utt2spk", "wer_2_0.5", "wer_details"]
