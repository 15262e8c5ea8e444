"""Standard output that is full, closed or not read to its end: no traceback, and files are written all the same."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from plm_models import new_rescorer

Call = Callable[..., object]


def full() -> None:
    """Let standard output go to a disk that is full."""
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


def unread() -> None:
    """Let standard output go to a program that has ended, as `head -1` does."""
    reader, writer = os.pipe()
    os.close(reader)
    os.dup2(writer, 1)


def closed() -> None:
    """As `>&-`."""
    os.close(1)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk(tmp_path: Path, real_call: Call, monkeypatch: pytest.MonkeyPatch, unbuffered: str) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    model = tmp_path / "plm" / "tiny"
    new_rescorer(tmp_path / "base", "llama", plm_text="lower").save(model)
    (tmp_path / "lists.jsonl").write_text('{"utt": "u", "hyps": [{"text": "a", "score": -1}]}\n' * 3)
    said = "standard output: No space left on device (free some space or choose another file)"
    lists = ("--nbest", tmp_path / "lists.jsonl", "--model", model, "--lm_weight", 1)
    assert real_call("rescore", *lists, preexec_fn=full).error_line() == f"lorescore rescore: {said}"
    # What stands in the buffer at the end.
    assert real_call("tag", preexec_fn=full).error_line() == f"lorescore tag: {said}"


def test_directories_are_made_though_nobody_reads_of_them(nbest_dir: Path, real_call: Call) -> None:
    exp = nbest_dir.parents[1]
    options = ("--nbest_dir", nbest_dir, "--out_dir", exp / "nbest", "--lexicon_dir", exp / "lexicon")
    done = real_call("perturb", *options, preexec_fn=unread)
    assert (done.status, done.err) == (0, "")
    assert len(list((exp / "nbest").glob("test_*/nbest.yaml"))) == 12  # two kinds, two rates, three seeds


@pytest.mark.parametrize(("unbuffered", "status"), [("", 0), ("1", 141)])
def test_a_reader_that_has_enough(
    real_call: Call, monkeypatch: pytest.MonkeyPatch, unbuffered: str, status: int
) -> None:
    """The status tells whether all was done by then."""
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    done = real_call("tag", preexec_fn=unread)
    assert (done.status, done.err) == (status, "")


def test_no_standard_output_at_all(real_call: Call) -> None:
    done = real_call("tag", preexec_fn=closed)
    assert (done.status, done.err) == (0, "")


def test_output_is_utf_8_in_any_locale_and_input_may_be_closed(
    tmp_path: Path, real_call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    (tmp_path / "lists.jsonl").write_text('{"utt": "u", "hyps": [{"text": "\\u65e5", "score": -1}]}\n')
    done = real_call("convert", tmp_path / "lists.jsonl", tmp_path / "dev")
    assert (done.status, done.err) == (0, "")
    assert "\u65e5" in done.out
    model = tmp_path / "plm" / "tiny"
    new_rescorer(tmp_path / "base", "llama", plm_text="lower").save(model)
    options = ("--model", model, "--lm_weight", 1)
    done = real_call("rescore", "--nbest", tmp_path / "lists.jsonl", *options)
    assert (done.status, json.loads(done.out)["hyps"][0]["text"]) == (0, "\u65e5")
    done = real_call("rescore", "--nbest", "-", *options, preexec_fn=lambda: os.close(0))
    assert done.error_line().startswith("lorescore rescore: standard input is closed (give JSON Lines on it")
