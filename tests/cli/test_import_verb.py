"""The verb `import-nbest`: what it writes and prints, and what it does the second time."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lorescore.nbest import read_nbest_dir

Call = Callable[..., object]


def test_directory_and_wers(decode: Path, tmp_path: Path, call: Call) -> None:
    out = tmp_path / "exp" / "nbest" / "test"
    outcome = call("import-nbest", "--decode_dir", decode, "--ref", decode / "ref_text", "--out", out)
    assert outcome.status == 0
    assert outcome.out.splitlines() == [
        f"{out}: 3 utterances, 5 hypotheses",
        # `son` and `eye` are wrong, `yes` is missing; the lists hold both right words.
        f"{out}: 1-best %WER 50.00 [ 3 / 6, 0 ins, 1 del, 2 sub ]",
        f"{out}: oracle %WER 16.67 [ 1 / 6, 0 ins, 1 del, 0 sub ]",
    ]
    nbest = read_nbest_dir(out)
    assert [one.utt for one in nbest] == ["174-2-10", "84-1-0", "84-1-1"]
    assert nbest.lists[0].hypotheses[0].score == -3.25
    assert nbest.info["source"] == "espnet"


def test_without_references(decode: Path, tmp_path: Path, call: Call) -> None:
    outcome = call("import-nbest", "--decode_dir", decode, "--out", tmp_path / "out")
    assert outcome.out.splitlines() == [
        f"{tmp_path / 'out'}: 3 utterances, 5 hypotheses",
        f"{tmp_path / 'out'}: without references, so no WER; weights cannot be tuned on these lists, nor a rescorer "
        "trained (--ref)",
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["acwt", "nbest.yaml", "words_text"]


def test_non_linguistic_symbols(decode: Path, nbest_dir: Path, tmp_path: Path, call: Call) -> None:
    symbols = tmp_path / "nlsyms.txt"
    symbols.write_text("eye\n")
    options = ("import-nbest", "--decode_dir", decode, "--ref", decode / "ref_text", "--out", nbest_dir)
    before = (nbest_dir / "words_text").read_text()
    outcome = call(*options, "--nlsyms_txt", symbols)
    assert outcome.out.splitlines()[-2] == f"{nbest_dir}: 1-best %WER 50.00 [ 3 / 6, 0 ins, 2 del, 1 sub ]"
    assert (nbest_dir / "words_text").read_text() == before.replace("eye see", "see")
    assert read_nbest_dir(nbest_dir).info["nlsyms"] == ["eye"]
    assert "up to date" in call(*options, "--nlsyms_txt", symbols).out
    assert "up to date" not in call(*options).out
    assert (nbest_dir / "words_text").read_text() == before


def test_finished_work_is_kept_and_damaged_work_redone(decode: Path, nbest_dir: Path, call: Call) -> None:
    arguments = ("import-nbest", "--decode_dir", decode, "--ref", decode / "ref_text", "--out", nbest_dir)
    words = nbest_dir / "words_text"
    content, written = words.read_bytes(), words.stat().st_mtime_ns
    assert call(*arguments).out.startswith(f"{nbest_dir}: up to date\n")
    assert words.stat().st_mtime_ns == written
    for damage in (words.unlink, lambda: words.write_bytes(content[:20])):
        damage()
        assert "up to date" not in call(*arguments).out
        assert words.read_bytes() == content
    (decode / "ref_text").write_text((decode / "ref_text").read_text().replace("yes", "no"))
    assert "up to date" not in call(*arguments).out
    assert read_nbest_dir(nbest_dir).refs["174-2-10"] == "no"


ALONE = "no utterance has two different hypotheses: there is nothing to rescore"


def test_the_best_alone_is_refused(decode: Path, tmp_path: Path, call: Call) -> None:
    """Whatever the format; a set in which one list has two hypotheses is one."""
    out = tmp_path / "out"
    second = decode / "logdir" / "output.1" / "2best_recog"
    second.rename(tmp_path / "second")
    arguments = ("import-nbest", "--decode_dir", decode, "--ref", decode / "ref_text", "--out", out)
    assert call(*arguments).error_line() == (
        f"lorescore import-nbest: {decode}: {ALONE} (decode with nbest above 1: `nbest: 10` in the decoding "
        "configuration, asr.sh --inference_args '--nbest 10')"
    )
    recogs, table = tmp_path / "recogs-test.txt", tmp_path / "lists.tsv"
    for path, end in (
        (
            recogs,
            "(recogs hold the best alone: write lattices by local/k2_lattices.py, for import-nbest --lattice_dir)",
        ),
        (table, "(take lists of more than the decoder's best hypothesis)"),
    ):
        to = "icefall" if path == recogs else "tsv"
        assert call("convert", decode, path, "--to", to).status == 0
        line = call("import-nbest", "--decode_dir", path, "--out", out).error_line()
        assert line == f"lorescore import-nbest: {path}: {ALONE} {end}"
    assert not out.exists()
    second.mkdir()
    for name in ("text", "score"):  # of one of the three utterances
        (second / name).write_text((tmp_path / "second" / name).read_text().splitlines(keepends=True)[0])
    assert call(*arguments).out.startswith(f"{out}: 3 utterances, 4 hypotheses\n")
    text = decode / "logdir" / "output.1" / "1best_recog" / "text"
    (second / "text").write_text(text.read_text().splitlines(keepends=True)[0])  # twice the same
    assert ALONE in call(*arguments).error_line()


def contexts(nbest_dir: Path) -> dict[str, tuple[str, ...]]:
    return {one.utt: one.context for one in read_nbest_dir(nbest_dir)}


def test_context_by_id_and_by_segments(decode: Path, nbest_dir: Path, tmp_path: Path, call: Call) -> None:
    arguments = ("import-nbest", "--decode_dir", decode, "--ref", decode / "ref_text", "--out", nbest_dir)
    assert set(contexts(nbest_dir).values()) == {()}
    assert "up to date" not in call(*arguments, "--context", "1").out
    assert contexts(nbest_dir) == {"174-2-10": (), "84-1-0": (), "84-1-1": ("the son set",)}
    assert "up to date" in call(*arguments, "--context", "1").out
    segments = tmp_path / "segments"
    segments.write_text("174-2-10 rec 9 10\n84-1-0 rec 5 6\n84-1-1 rec 1 2\n")
    assert "up to date" not in call(*arguments, "--context", "1", "--segments", segments).out
    assert contexts(nbest_dir) == {"84-1-1": (), "84-1-0": ("eye see",), "174-2-10": ("the son set",)}


def test_an_option_that_is_taken_away_counts(decode: Path, nbest_dir: Path, tmp_path: Path, call: Call) -> None:
    segments, archives, out = tmp_path / "segments", tmp_path / "archives", tmp_path / "out"
    segments.write_text("174-2-10 rec 9 10\n84-1-0 rec 5 6\n84-1-1 rec 1 2\n")
    call("convert", nbest_dir, archives, "--to", "kaldi")
    for arguments, option in (
        (("--decode_dir", decode, "--context", 1), ("--segments", segments)),
        (("--decode_dir", archives, "--format", "kaldi"), ("--acoustic_scale", 0.1)),
    ):
        call("import-nbest", *arguments, "--out", tmp_path / "never with it")
        for more, up_to_date in ((option, False), (option, True), ((), False), ((), True)):
            said = call("import-nbest", *arguments, *more, "--out", out).out
            assert ("up to date" in said) == up_to_date
        assert read_nbest_dir(out) == read_nbest_dir(tmp_path / "never with it")


def test_two_at_once_do_not_disturb_each_other(decode: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "lorescore", "import-nbest", "--decode_dir", str(decode), "--out", str(out)]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [(one.wait(), one.stderr.read()) for one in both if one.stderr] == [(0, "")] * 2
    assert len(read_nbest_dir(out)) == 3
    assert not list(out.glob(".*"))


def test_where_nothing_can_be_written(decode: Path, tmp_path: Path, call: Call) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "x"):
        line = call("import-nbest", "--decode_dir", decode, "--out", out).error_line()
        assert re.search("cannot be written: Not a directory|is there already and no N-best directory", line)
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize(
    ("name", "first_pass", "oracle"),
    [
        ("dev_clean", "6.12 [ 3329 / 54402,", "4.04 [ 2197 / 54402,"),
        ("dev_other", "16.76 [ 8541 / 50948,", "13.02 [ 6632 / 50948,"),
    ],
)
def test_librispeech(
    librispeech_dev: Path, tmp_path: Path, call: Call, name: str, first_pass: str, oracle: str
) -> None:
    decode = librispeech_dev / name
    outcome = call("import-nbest", "--decode_dir", decode, "--ref", decode / "ref_text", "--out", tmp_path / name)
    _, *wers = outcome.out.splitlines()
    assert [line.partition(", ")[0] + "," for line in wers] == [
        f"{tmp_path / name}: 1-best %WER {first_pass}",
        f"{tmp_path / name}: oracle %WER {oracle}",
    ]
