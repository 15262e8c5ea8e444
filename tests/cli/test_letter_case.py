"""The warning where references and hypotheses differ in letter case: import-nbest, convert, score, rescore."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from plm_models import new_rescorer

Call = Callable[..., object]

WORDS = "the cat sat on the mat and saw a dog"


def write_lists(path: Path, ref: str, hyp: str) -> None:
    record = {"utt": "u1", "ref": ref, "hyps": [hyp, f"{hyp} now"], "scores": [-1.0, -1.5]}
    path.write_text(json.dumps(record) + "\n")


@pytest.mark.parametrize(
    ("ref", "hyp", "said"),
    [
        (WORDS.upper(), WORDS, "WER 100.00, in lower case 0.00"),
        (WORDS, WORDS.upper().replace("CAT", "CAB"), "WER 100.00, in lower case 10.00"),
        (WORDS.replace("the", "The", 1), WORDS.replace("dog", "dock"), "WER 20.00, in lower case 10.00"),
        (WORDS.upper(), WORDS.upper().replace("CAT", "CAB"), ""),
        (WORDS, WORDS, ""),
        ("今天 天气", "今天 天", ""),
        (f"{WORDS} {WORDS} The {WORDS}", f"{WORDS} {WORDS} the {WORDS}", ""),  # one word of many
        (WORDS.replace("the", "The", 1), "a b c d e f g h i the", ""),  # nearly all is wrong otherwise
    ],
)
def test_lists(tmp_path: Path, call: Call, caplog: pytest.LogCaptureFixture, ref: str, hyp: str, said: str) -> None:
    lists = tmp_path / "lists.jsonl"
    write_lists(lists, ref, hyp)
    mend = "write the references as the decode has its words, or give stage 4 a --cleaner"
    line = f"{lists}: references and hypotheses differ in case: {said} ({mend})"
    for arguments in (
        ("convert", lists, tmp_path / "converted.tsv"),
        ("import-nbest", "--decode_dir", lists, "--out", tmp_path / "nbest"),
    ):
        caplog.clear()
        assert call(*arguments).status == 0
        assert caplog.messages == ([line] if said else [])


def test_texts(tmp_path: Path, call: Call, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "ref").write_text(f"u1 {WORDS.upper()}\n")
    (tmp_path / "hyp").write_text(f"u1 {WORDS}\n")
    call("score", "--ref", tmp_path / "ref", "--hyp", tmp_path / "hyp", "--out", tmp_path / "out")
    assert f"{tmp_path}/hyp: references and hypotheses differ in case: WER 100.00, in lower case 0.00 (" in caplog.text


def test_tuning(tmp_path: Path, call: Call, caplog: pytest.LogCaptureFixture) -> None:
    write_lists(tmp_path / "lists.jsonl", WORDS.upper(), WORDS)
    nbest, model = tmp_path / "exp" / "nbest" / "dev", tmp_path / "exp" / "plm" / "tiny"
    assert call("convert", tmp_path / "lists.jsonl", nbest).status == 0
    new_rescorer(tmp_path / "plm", "llama", plm_text="lower").save(model)
    for arguments in (
        ("rescore", "--nbest", nbest, "--model", model, "--tune", "--out", tmp_path / "out"),
        ("rescore", "--tags", "tiny", "--dev", "dev", "--exp_dir", tmp_path / "exp"),
    ):
        caplog.clear()
        assert call(*arguments).status == 0
        assert f"{nbest}: references and hypotheses differ in case: WER 100.00, in lower case 0.00 (" in caplog.text
