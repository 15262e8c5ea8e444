"""Scoring of a set: all files, and the verb `score`."""

import argparse
import logging
import shutil
from pathlib import Path

import pytest

from lorescore.cli import score as verb
from lorescore.combine import first_pass, oracle
from lorescore.errors import InputError
from lorescore.files import read_yaml, write_table
from lorescore.nbest.espnet import read_espnet_decode
from lorescore.wer import EditCounts, score_hypotheses, wer_line
from lorescore.wer.ctm import CtmWord, timed_words

REFS = {"84-1-0": "the cat sat", "84-1-1": "on the mat", "174-2-0": "yes"}
HYPS = {"84-1-0": "the cat sat", "84-1-1": "on a mat", "174-2-0": ""}

needs_sclite = pytest.mark.skipif(
    not (shutil.which("sclite") or shutil.which("sctk")), reason="sclite is missing: apt-get install sctk"
)


@needs_sclite
def test_every_file_is_there_and_agrees(tmp_path: Path) -> None:
    result = score_hypotheses(REFS, HYPS, None, tmp_path, 0.5, 1.0, baseline_hyps=HYPS | {"84-1-0": ""})
    assert result.counts == result.sclite_counts == EditCounts(ins=0, del_=1, sub=1, ref_words=7)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == [
        "result.yaml",
        "score_wer/hyp.trn",
        "score_wer/ref.trn",
        "score_wer/result.txt",
        "scoring_kaldi/best_wer",
        "scoring_kaldi/utt2spk",
        "scoring_kaldi/wer_0.5_1",
        "scoring_kaldi/wer_details/ops",
        "scoring_kaldi/wer_details/per_spk",
        "scoring_kaldi/wer_details/per_utt",
        "scoring_kaldi/wer_details/wer_bootci",
    ]
    assert result.wer_path.read_text().splitlines()[0] == wer_line(result.counts)
    summary = read_yaml(tmp_path / "result.yaml")
    expected = {"wer": 28.5714, "errors": 2, "ref_words": 7, "ins": 0, "del": 1, "sub": 1, "utterances": 3}
    expected |= {"sclite_wer": 28.5714, "lm_weight": 0.5, "word_bonus": 1.0}
    assert {key: summary[key] for key in expected} == expected
    assert summary["ci_low"] < 28.5714 < summary["ci_high"]
    assert summary["p_value"] == pytest.approx(8 / 27, abs=0.02)  # three draws that all miss 84-1-0


def ctm_of(texts: dict[str, str]) -> list[CtmWord]:
    return [
        word
        for utt, text in texts.items()
        for word in timed_words(utt, text.split(), confidences=[0.9] * len(text.split()))
    ]


@needs_sclite
def test_a_ctm_is_scored_too(tmp_path: Path) -> None:
    score_hypotheses(REFS, HYPS, dict.fromkeys(REFS, "anna"), tmp_path, 0.0, 0.0, ctm=ctm_of(HYPS))
    assert sorted(path.name for path in (tmp_path / "score_ctm").iterdir()) == ["hyp.ctm", "ref.stm", "result.txt"]
    assert " anna " in (tmp_path / "score_ctm" / "ref.stm").read_text()


def test_without_a_ctm_nothing_of_an_earlier_one_stays(tmp_path: Path) -> None:
    (tmp_path / "score_ctm").mkdir()
    (tmp_path / "score_ctm" / "result.txt").write_text("of other hypotheses")
    (tmp_path / "result.yaml").write_text("metric: wer\n")
    score_hypotheses(REFS, HYPS, None, tmp_path, 0.0, 0.0)
    assert not (tmp_path / "score_ctm").exists()


@pytest.mark.parametrize("name", ["scoring_kaldi/wer_7_0.0", "score_wer/result.txt"])
def test_scores_of_a_decode_from_elsewhere_are_not_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text("Kaldi's or ESPnet's own")
    with pytest.raises(InputError, match=f"{name.partition('/')[0]}: is there already and of another scoring"):
        score_hypotheses(REFS, HYPS, None, tmp_path, 0.0, 0.0)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / name]


def test_a_scoring_that_was_cut_off_is_done_again(tmp_path: Path) -> None:
    score_hypotheses(REFS, HYPS, None, tmp_path, 0.0, 0.0)
    (tmp_path / "result.yaml").unlink()
    score_hypotheses(REFS, HYPS, None, tmp_path, 0.5, 0.0)
    assert [path.name for path in (tmp_path / "scoring_kaldi").glob("wer_*_*")] == ["wer_0.5_0"]


@pytest.mark.parametrize("other", [{"84-1-0": "the cat"}, {"84-1-1": "on mat a"}, {"174-2-0": "yes"}, {"x": "yes"}])
def test_a_ctm_of_other_hypotheses_is_refused(tmp_path: Path, other: dict[str, str]) -> None:
    (utt,) = other
    with pytest.raises(InputError, match=f"utterance {utt} has other words in the ctm than in the hypotheses"):
        score_hypotheses(REFS, HYPS, None, tmp_path / "out", 0.0, 0.0, ctm=ctm_of(HYPS | other))
    assert not (tmp_path / "out").exists()


@needs_sclite
def test_speakers_are_the_ids_first_part_or_those_of_utt2spk(tmp_path: Path) -> None:
    score_hypotheses(REFS, HYPS, None, tmp_path, 0.0, 0.0)
    per_spk = (tmp_path / "scoring_kaldi" / "wer_details" / "per_spk").read_text().splitlines()
    assert [line.split()[0] for line in per_spk] == ["SPEAKER", "174", "174", "84", "84", "SUM", "SUM"]
    assert "(84-84-1-0)" in (tmp_path / "score_wer" / "ref.trn").read_text()
    score_hypotheses(REFS, HYPS, dict.fromkeys(REFS, "anna"), tmp_path, 0.0, 0.0)
    assert "(anna-84-1-0)" in (tmp_path / "score_wer" / "ref.trn").read_text()


def test_without_sclite_kaldis_files_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And nothing says that sclite agreed: not even what an earlier scoring left."""
    for stale in ("score_wer/result.txt", "score_ctm/result.txt"):
        (tmp_path / "out" / stale).parent.mkdir(parents=True)
        (tmp_path / "out" / stale).write_text("of an earlier scoring")
    (tmp_path / "out/result.yaml").write_text("metric: wer\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    result = score_hypotheses(REFS, HYPS, None, tmp_path / "out", 0.5, 1.0, baseline_hyps=HYPS, ctm=ctm_of(HYPS))
    assert caplog.messages == [
        f"{tmp_path}/out: scoring_kaldi alone, no score_wer and no score_ctm: sclite not found "
        "(put ESPnet's or Kaldi's tools/sctk/bin on the PATH, or apt-get install sctk)"
    ]
    assert (result.counts, result.sclite_counts) == (EditCounts(ins=0, del_=1, sub=1, ref_words=7), None)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["result.yaml", "scoring_kaldi"]
    line = "%WER 28.57 [ 2 / 7, 0 ins, 1 del, 1 sub ]"
    assert (tmp_path / "out/scoring_kaldi/best_wer").read_text() == f"{line} {result.wer_path}\n"
    assert result.wer_path.read_text().splitlines()[0] == wer_line(result.counts)
    summary = read_yaml(tmp_path / "out/result.yaml")
    assert "sclite_wer" not in summary
    assert (summary["wer"], summary["lm_weight"], summary["p_value"]) == (28.5714, 0.5, 1.0)


@pytest.mark.parametrize(("metric", "words"), [("wer", 7), ("cer", 24)])  # characters with ESPnet's spaces
def test_a_later_scoring_adds_what_sclite_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metric: str, words: int
) -> None:
    """And takes it away again where it is not there any more."""
    program = tmp_path / "tools" / "sclite"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '| Sum | 3 {words} | {words - 2} 1 1 0 2 2 |'\n")
    program.chmod(0o755)
    wers = set()
    for path in ("nowhere", "tools", "nowhere"):
        monkeypatch.setenv("PATH", str(tmp_path / path))
        result = score_hypotheses(REFS, HYPS, None, tmp_path / "out", 0.0, 0.0, metric=metric)
        summary = read_yaml(tmp_path / "out/result.yaml")
        assert (summary.get("sclite_wer") is None) == (result.sclite_counts is None) == (path == "nowhere")
        assert (tmp_path / "out" / f"score_{metric}" / "result.txt").is_file() == (path == "tools")
        wers.add(summary["wer"])
    assert len(wers) == 1


@needs_sclite
def test_a_disagreement_with_sclite_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        result = score_hypotheses({"u": "p q r a b"}, {"u": "a b s t u"}, None, tmp_path, 0.0, 0.0)
    assert (result.wer, result.sclite_counts.wer) == (100.0, 120.0)
    assert "WER 120.00" in caplog.text and "WER 100.00" in caplog.text
    assert read_yaml(tmp_path / "result.yaml")["sclite_wer"] == 120.0


@pytest.mark.parametrize(
    ("refs", "hyps", "baseline", "utt2spk", "message"),
    [
        (REFS, {"84-1-0": "the"}, None, None, "174-2-0 has a reference but no hypothesis"),
        ({"84-1-0": "the"}, HYPS, None, None, "174-2-0 has a hypothesis but no reference"),
        (REFS, HYPS, {"84-1-0": "the"}, None, "174-2-0 has a reference but no baseline hypothesis"),
        (REFS, HYPS, None, {"174-2-0": "s"}, "84-1-0 has no speaker"),
        ({"u": ""}, {"u": "a"}, None, None, "no reference words"),
        ({}, {}, None, None, "no reference words"),
    ],
)
def test_bad_input_leaves_no_files(
    tmp_path: Path,
    refs: dict[str, str],
    hyps: dict[str, str],
    baseline: dict[str, str] | None,
    utt2spk: dict[str, str] | None,
    message: str,
) -> None:
    with pytest.raises(InputError, match=message):
        score_hypotheses(refs, hyps, utt2spk, tmp_path / "out", 0.0, 0.0, baseline)
    assert not (tmp_path / "out").exists()


def test_a_scoring_that_fails_is_unfinished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sclite").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bin" / "sclite").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    out_dir = tmp_path / "out"
    out_dir.mkdir()
    (out_dir / "result.yaml").write_text("wer: 0.0\n")
    with pytest.raises(InputError, match="sclite failed"):
        score_hypotheses(REFS, HYPS, None, out_dir, 0.0, 0.0)
    assert not (out_dir / "result.yaml").exists()


@needs_sclite
def test_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_table(tmp_path / "ref", REFS)
    write_table(tmp_path / "hyp", HYPS)
    (tmp_path / "weights.yaml").write_text("lm_weight: 0.25\n")
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    write_table(tmp_path / "utt2spk", dict.fromkeys(REFS, "ann"))
    words = [(utt, index, word) for utt, text in sorted(HYPS.items()) for index, word in enumerate(text.split())]
    (tmp_path / "ctm").write_text("".join(f"{utt} 1 {index}.00 0.50 {word} 0.9\n" for utt, index, word in words))
    options = {"ref": "ref", "hyp": "hyp", "baseline": "hyp", "weights": "weights.yaml", "out": "out"}
    options |= {"utt2spk": "utt2spk", "ctm": "ctm"}
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(tmp_path / value))]
    verb.run(parser.parse_args(arguments))
    path = tmp_path / "out" / "scoring_kaldi" / "wer_0.25_0"
    assert capsys.readouterr().out == f"%WER 28.57 [ 2 / 7, 0 ins, 1 del, 1 sub ] {path}\n"
    assert read_yaml(tmp_path / "out" / "result.yaml")["p_value"] == 1.0
    assert "ann" in (tmp_path / "out" / "scoring_kaldi" / "wer_details" / "per_spk").read_text()
    assert (tmp_path / "out" / "score_ctm" / "result.txt").is_file()


@needs_sclite
@pytest.mark.parametrize(
    ("name", "chosen", "wer", "errors", "ref_words"),
    [
        ("dev_clean", "1best", "6.12", 3329, 54402),
        ("dev_clean", "oracle", "4.04", 2197, 54402),
        ("dev_other", "1best", "16.76", 8541, 50948),
        ("dev_other", "oracle", "13.02", 6632, 50948),
    ],
)
def test_librispeech(
    librispeech_dev: Path, tmp_path: Path, name: str, chosen: str, wer: str, errors: int, ref_words: int
) -> None:
    decode_dir = librispeech_dev / name
    nbest = read_espnet_decode(decode_dir, decode_dir / "ref_text")
    hyps = first_pass(nbest) if chosen == "1best" else oracle(nbest)
    result = score_hypotheses(nbest.refs, hyps, None, tmp_path, 0.0, 0.0)
    assert (result.counts.errors, result.counts.ref_words) == (errors, ref_words)
    assert (result.sclite_counts.errors, result.sclite_counts.ref_words) == (errors, ref_words)
    # Insertions less deletions are the difference of the lengths, however an aligner breaks its ties.
    surplus = sum(len(text.split()) for text in hyps.values()) - ref_words
    assert result.counts.ins - result.counts.del_ == result.sclite_counts.ins - result.sclite_counts.del_ == surplus
    details = tmp_path / "scoring_kaldi" / "wer_details"
    assert (tmp_path / "scoring_kaldi" / "wer_0_0").read_text().startswith(f"%WER {wer} [ {errors} / {ref_words}, ")
    assert (tmp_path / "scoring_kaldi" / "best_wer").read_text().startswith(f"%WER {wer} [ {errors} / {ref_words}, ")
    assert (details / "wer_bootci").read_text().startswith(f"Set1: %WER {wer} ")
    assert f" {wer} " in (details / "per_spk").read_text().splitlines()[-1]
