"""Bad decodes: one line that names file, line, what was expected and how to mend it; exit status 1; nothing written."""

from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., object]

FIRST = "logdir/output.1/1best_recog"
SECOND = "logdir/output.1/2best_recog"


def replace(path: Path, old: str, new: str) -> None:
    """Put something else into a file where `old` stands; it must stand there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def two_jobs(decode: Path) -> None:
    for name in ("text", "score"):
        line = (decode / FIRST / name).read_text().splitlines(keepends=True)[0]
        with (decode / "logdir/output.2/1best_recog" / name).open("a") as file:
            file.write(line)


def without_rank_1(decode: Path) -> None:
    for name in ("text", "score"):
        lines = (decode / FIRST / name).read_text().splitlines(keepends=True)
        (decode / FIRST / name).write_text("".join(lines[1:]))


# What is done to the decode {d}, and the beginning and the end of the line.
CASES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no logdir": (
        lambda d: (d / "logdir").rename(d / "log"),
        "{d}: no N-best lists here, expected logdir/output.J/Nbest_recog/{{text,score}}",
        "(decode with nbest above 1 (stage 3) or correct --asr_decode)",
    ),
    "missing text": (
        lambda d: (d / FIRST / "text").unlink(),
        "{d}/logdir/output.1/1best_recog/text: cannot be read: No such file or directory",
        "(decode this part again: stage 3)",
    ),
    "missing score": (
        lambda d: (d / SECOND / "score").unlink(),
        "{d}/logdir/output.1/2best_recog/score: cannot be read: No such file or directory",
        "(decode this part again: stage 3)",
    ),
    "empty text": (
        lambda d: (d / FIRST / "text").write_text(""),
        "{d}/logdir/output.1/1best_recog/text: empty, expected `utt words`",
        "(decode this part again: stage 3)",
    ),
    "key without score": (
        lambda d: replace(d / FIRST / "score", "84-1-1 -0.5\n", ""),
        "{d}/logdir/output.1/1best_recog/text:2: 84-1-1 has a text but no score in {d}/logdir/output.1/1best_recog/sc",
        "(decode this utterance again or delete the line)",
    ),
    "score without text": (
        lambda d: replace(d / FIRST / "text", "84-1-0 the son set\n", ""),
        "{d}/logdir/output.1/1best_recog/score:1: 84-1-0 has a score but no text in ",
        "(decode this utterance again or delete the line)",
    ),
    "NaN score": (
        lambda d: replace(d / SECOND / "score", "-0.75", "nan"),
        "{d}/logdir/output.1/2best_recog/score:2: expected `utt score` with a finite score, found '84-1-1 nan'",
        "(decode this part again: stage 3)",
    ),
    "unknown utterance": (
        lambda d: replace(d / "ref_text", "84-1-1 i see\n", ""),
        "{d}/logdir/output.1/1best_recog/text:2: a hypothesis for utterance 84-1-1, which is not in {d}/ref_text",
        "(add its reference or decode the set that the references are of)",
    ),
    "utterance without hypotheses": (
        lambda d: replace(d / "ref_text", "84-1-1", "84-1-2 so\n84-1-1"),
        "{d}/ref_text:2: utterance 84-1-2 has a reference but no hypothesis in {d}/logdir",
        "(decode it or delete its reference)",
    ),
    "duplicate key in text": (
        lambda d: replace(d / FIRST / "text", "84-1-1", "84-1-0"),
        "{d}/logdir/output.1/1best_recog/text:2: key 84-1-0 for the second time",
        "(keep one line a key)",
    ),
    "duplicate key in score": (
        lambda d: replace(d / FIRST / "score", "84-1-1", "84-1-0"),
        "{d}/logdir/output.1/1best_recog/score:2: key 84-1-0 for the second time",
        "(keep one line a key)",
    ),
    "duplicate reference": (
        lambda d: replace(d / "ref_text", "84-1-1", "84-1-0"),
        "{d}/ref_text:2: key 84-1-0 for the second time",
        "(keep one line a key)",
    ),
    "blank line": (
        lambda d: replace(d / FIRST / "text", "84-1-1", "\n84-1-1"),
        "{d}/logdir/output.1/1best_recog/text:2: empty line, expected `key value`",
        "(delete the line)",
    ),
    "text not UTF-8": (
        lambda d: (d / FIRST / "text").write_bytes(b"84-1-0 the son set\n84-1-1 caf\xe9\n"),
        "{d}/logdir/output.1/1best_recog/text:2: byte 11 of the line is not UTF-8",
        "(convert the file with iconv -t UTF-8)",
    ),
    "score not UTF-8": (
        lambda d: (d / FIRST / "score").write_bytes(b"\x80\n"),
        "{d}/logdir/output.1/1best_recog/score:1: byte 1 of the line is not UTF-8",
        "(convert the file with iconv -t UTF-8)",
    ),
    "references not UTF-8": (
        lambda d: (d / "ref_text").write_bytes(b"84-1-0 \xff\n"),
        "{d}/ref_text:1: byte 8 of the line is not UTF-8",
        "(convert the file with iconv -t UTF-8)",
    ),
    "no references": (
        lambda d: (d / "ref_text").unlink(),
        "{d}/ref_text: cannot be read: No such file or directory",
        "(correct --ref)",
    ),
    "references without words": (
        lambda d: (d / "ref_text").write_text("84-1-0\n84-1-1\n174-2-10\n"),
        "no reference words, the word error rate is not defined",
        "(give non-empty references)",
    ),
    "utterance in two jobs": (
        two_jobs,
        "{d}/logdir/output.2/1best_recog/text:2: utterance 84-1-0 of rank 1 is in two decoding jobs",
        "(delete the left-over output.J)",
    ),
    "missing rank": (
        without_rank_1,
        "{d}/logdir: utterance 84-1-0 has no hypothesis of rank 1, but one of rank 2",
        "(decode this part again: stage 3)",
    ),
    "interrupted job": (
        lambda d: (d / "logdir/output.2").rename(d / "logdir/output.2.part"),
        "{d}/logdir/output.2.part: decoding job 2 has not ended",
        "(decode this part again: stage 3; if it is a left-over, delete it)",
    ),
}


@pytest.mark.parametrize(("damage", "begin", "end"), CASES.values(), ids=CASES)
def test_bad_decodes(decode: Path, call: Call, damage: Callable[[Path], object], begin: str, end: str) -> None:
    damage(decode)
    out = decode.parent / "exp" / "nbest" / "test"
    line = call("import-nbest", "--decode_dir", decode, "--ref", decode / "ref_text", "--out", out).error_line()
    assert line.startswith("lorescore import-nbest: " + begin.format(d=decode))
    assert line.endswith(" " + end)
    assert not out.parent.exists()


@pytest.mark.parametrize("name", ["key without score", "text not UTF-8", "unknown utterance"])
def test_the_real_command_line(decode: Path, real_call: Call, name: str) -> None:
    damage, begin, end = CASES[name]
    damage(decode)
    out = decode.parent / "exp" / "nbest" / "test"
    line = real_call("import-nbest", "--decode_dir", decode, "--ref", decode / "ref_text", "--out", out).error_line()
    assert line.startswith("lorescore import-nbest: " + begin.format(d=decode))
    assert line.endswith(" " + end)
    assert not out.parent.exists()


def test_a_bad_decode_leaves_earlier_lists_alone(decode: Path, nbest_dir: Path, call: Call) -> None:
    before = {path: path.read_bytes() for path in nbest_dir.iterdir()}
    replace(decode / FIRST / "score", "-0.5", "nan")
    call("import-nbest", "--decode_dir", decode, "--ref", decode / "ref_text", "--out", nbest_dir).error_line()
    assert {path: path.read_bytes() for path in nbest_dir.iterdir()} == before
