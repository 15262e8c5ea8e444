"""sclite and ESPnet's score_wer directory."""

import shutil
from pathlib import Path

import pytest

from lorescore.errors import InputError
from lorescore.wer import EditCounts, edit_counts, write_score_wer

needs_sclite = pytest.mark.skipif(
    not (shutil.which("sclite") or shutil.which("sctk")), reason="sclite is missing: apt-get install sctk"
)


@needs_sclite
def test_files_are_espnets(tmp_path: Path) -> None:
    refs, hyps = {"s1-u2": "the cat", "s1-u1": "a b c"}, {"s1-u1": "a x c d", "s1-u2": ""}
    counts = write_score_wer(tmp_path, refs, hyps, dict.fromkeys(refs, "s1"))
    assert counts == EditCounts(ins=1, del_=2, sub=1, ref_words=5)
    assert (tmp_path / "ref.trn").read_text() == "a b c\t(s1-s1-u1)\nthe cat\t(s1-s1-u2)\n"
    assert (tmp_path / "hyp.trn").read_text() == "a x c d\t(s1-s1-u1)\n\t(s1-s1-u2)\n"
    report = (tmp_path / "result.txt").read_text()
    assert "| Sum/Avg|" in report and "SPKR" in report
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hyp.trn", "ref.trn", "result.txt"]


# Each of these means something to sclite: alternatives, nothing, comments, confidences, fragments, optional words.
SPECIAL = ["{", "{a", "a}", "/", "@", "a@", "(a)", "(", ")", "a-", ";;", ";;a", "a;3", "*", "**", "***a", "\\a", "a\\"]
SPECIAL += ["%a", "<a>", "[a]", "A", "é", "É", "日本", "a" * 1200]


@needs_sclite
@pytest.mark.parametrize("word", SPECIAL)
def test_words_are_taken_literally(tmp_path: Path, word: str) -> None:
    pairs = [(f"{word} b", f"{word} b"), (f"b {word}", "b a"), ("a c", f"{word} c"), ("c", f"c {word}"), (word, "")]
    refs = {f"u{number}": ref for number, (ref, _) in enumerate(pairs)}
    hyps = {f"u{number}": hyp for number, (_, hyp) in enumerate(pairs)}
    counts = write_score_wer(tmp_path, refs, hyps, dict.fromkeys(refs, "spk"))
    assert counts == sum((edit_counts(ref, hyp) for ref, hyp in pairs), EditCounts())
    assert counts.errors == 4


@needs_sclite
@pytest.mark.parametrize("utt", ["u(1)", "a)", "a_b-c", "é", "U1", "(", "-", "a" * 300, "50%d", ";;u", "{u}"])
def test_odd_ids(tmp_path: Path, utt: str) -> None:
    refs, hyps = {utt: "a b", "u1": "c"}, {utt: "a x", "u1": "c"}
    counts = write_score_wer(tmp_path, refs, hyps, {utt: utt, "u1": "s(1"})
    assert counts == EditCounts(ins=0, del_=0, sub=1, ref_words=3)


@needs_sclite
def test_sclite_can_count_more_errors_than_levenshtein(tmp_path: Path) -> None:
    # Five substitutions cost sclite 5 x 4, three deletions and three insertions 6 x 3.
    ref, hyp = "p q r a b", "a b s t u"
    assert edit_counts(ref, hyp).errors == 5
    assert write_score_wer(tmp_path, {"u": ref}, {"u": hyp}, {"u": "s"}) == EditCounts(3, 3, 0, 5)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo first >&2; echo 'out of memory' >&2; exit 3", "status 3: out of memory"),
        ("exit 4", "status 4: no message"),
        ("echo nothing useful", "no table of raw sums"),
        ("echo '| Sum  | 2   7 | 7  0  0  0  0  0 |'", "2 utterances with 7 reference words, expected 1 with 1"),
        ("echo '| Sum  | 1   1 | 1  0  0  2  0  0 |'", "no table of raw sums"),
    ],
)
def test_a_failing_sclite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str) -> None:
    program = tmp_path / "bin" / "sclite"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    score_dir = tmp_path / "score_wer"
    score_dir.mkdir()
    (score_dir / "result.txt").write_text("of an earlier run")
    with pytest.raises(InputError, match=message):
        write_score_wer(score_dir, {"u": "a"}, {"u": "a"}, {"u": "s"})
    assert sorted(path.name for path in score_dir.iterdir()) == ["hyp.trn", "ref.trn"]


def test_no_sclite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"sclite not found.*apt-get install sctk"):
        write_score_wer(tmp_path / "score_wer", {"u": "a"}, {"u": "a"}, {"u": "s"})
    assert not (tmp_path / "score_wer").exists()
