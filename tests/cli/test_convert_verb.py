"""The verb `convert`: what it prints of what it read and lost; `import-nbest` from any format; bad arguments."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lorescore.files import process_name, read_table
from lorescore.nbest import read_nbest_dir

Call = Callable[..., object]


@pytest.fixture
def mlm_json(decode: Path, tmp_path: Path, call: Call) -> Path:
    """The small decode as mlm-scoring's JSON."""
    path = tmp_path / "lists.json"
    assert call("convert", decode, path, "--ref", decode / "ref_text").status == 0
    return path


def test_what_is_printed(decode: Path, tmp_path: Path, call: Call) -> None:
    out, counts = tmp_path / "lists.tsv", "3 utterances, 5 hypotheses"
    outcome = call("convert", decode, out, "--ref", decode / "ref_text")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        f"{decode}: read as espnet (logdir): {counts}, with references; log scores (higher is better)",
        f"{decode}: not read: token and token_int",
        f'{decode}: 174-2-10: 1-best ""; log scores -3.25; reference "yes"',
        f'{decode}: 84-1-0: 1-best "the son set"; log scores -1.5 -2.5; reference "the sun set"',
        f'{decode}: 84-1-1: 1-best "eye see"; log scores -0.5 -0.75; reference "i see"',
        f"{decode}: 1-best %WER 50.00 [ 3 / 6, 0 ins, 1 del, 2 sub ]",
        f"{decode}: oracle %WER 16.67 [ 1 / 6, 0 ins, 1 del, 0 sub ]",
        f"{out}: written as tsv (as the name ends in .tsv): {counts}; log scores (higher is better)",
        f"{out}: lost: the references (keep the file for --ref)",
    ]
    assert out.read_text().splitlines()[:2] == ["utt\trank\tscore\ttext", "174-2-10\t1\t-3.25\t"]


def test_from_format_to_format(decode: Path, tmp_path: Path, mlm_json: Path, call: Call) -> None:
    """Round once, with --from and --to where the names say nothing."""
    ref = decode / "ref_text"
    assert json.loads(mlm_json.read_text())["84-1-1"]["hyp_2"] == {"score": -0.75, "text": "i see"}
    (tmp_path / "order").write_text("84-1-1\n84-1-0\n174-2-10\n")
    nemo = ("--utts", tmp_path / "order")
    assert call("convert", mlm_json, tmp_path / "kaldi", "--to", "kaldi").status == 0
    assert call("convert", tmp_path / "kaldi", tmp_path / "beams", "--to", "nemo", *nemo).status == 0
    assert (tmp_path / "beams").read_text().startswith("eye see\t-0.5\ni see\t-0.75\nthe son set\t-1.5\n")
    out = call("convert", tmp_path / "beams", tmp_path / "x.jsonl", "--format", "nemo", *nemo, "--ref", ref).out
    assert out.startswith(f"{tmp_path}/beams: read as nemo (as given): 3 utterances, 5 hypotheses, with references")
    assert call("convert", tmp_path / "x.jsonl", tmp_path / "set").out.endswith("set: lost: nothing\n")
    nbest = read_nbest_dir(tmp_path / "set")
    assert [one.scores for one in nbest] == [[-3.25], [-1.5, -2.5], [-0.5, -0.75]]
    assert nbest.refs == read_table(ref)


def test_an_upset_order_is_warned_of(tmp_path: Path, call: Call) -> None:
    """Costs that were taken for log scores, or Kaldi's at the wrong scale."""
    lists = tmp_path / "costs.tsv"
    lists.write_text("u\t1\t1.5\tthe cat\nu\t2\t2.5\ta cat\n")
    out = call("convert", lists, tmp_path / "x.json").out
    assert f"{lists}: warning: in 1 of 1 lists rank 1 does not have the best score: are these the right" in out
    lists.write_text("u\t1\t-1.5\tthe cat\nu\t2\t-2.5\ta cat\n")
    assert "warning" not in call("convert", lists, tmp_path / "x.json").out


ALONE = "no utterance has two different hypotheses: there is nothing to rescore"
ICEFALL = "recogs hold the best alone: write lattices by local/k2_lattices.py, for import-nbest --lattice_dir"


def test_the_best_alone_is_warned_of(decode: Path, tmp_path: Path, call: Call) -> None:
    """It can still be scored or handed on."""
    recogs = tmp_path / "recogs-test.txt"
    assert "warning" not in call("convert", decode, recogs, "--to", "icefall").out
    outcome = call("convert", recogs, tmp_path / "set")
    assert f"{recogs}: warning: {ALONE} ({ICEFALL})\n" in outcome.out
    assert (outcome.status, len(read_nbest_dir(tmp_path / "set"))) == (0, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["{json}", "x.json", "--from", "mlm"],
            "--from 'mlm' is not known (did you mean mlm-scoring? valid: espnet nbest-dir",
        ),
        (["{json}", "x", "--to", "kladi"], "--to 'kladi' is not known (did you mean kaldi? valid: espnet nbest-dir"),
        (["{json}", "x.txt"], "x.txt: no format for names that end in .txt (give it with --to: espnet nbest-dir kaldi"),
        (["{json}", "{json}"], "{json}: IN and OUT are the same (choose another name for OUT)"),
        (["nowhere", "x.json"], "nowhere: no such file or directory (check the path)"),
        (["nowhere", "x.json", "--from", "jsonl"], "nowhere: cannot be read: No such file or directory"),
        (["{json}", "x.tsv", "--utts", "{json}"], "--utts is for nemo, not for mlm-scoring to tsv (leave it out)"),
        (
            ["{json}", "x.tsv", "--acoustic_scale", "2"],
            "--acoustic_scale is for kaldi, not for mlm-scoring (leave it out)",
        ),
        (
            ["{decode}", "x", "--from", "kaldi", "--acoustic_scale", "nan"],
            "--acoustic_scale nan, expected a finite number above 0",
        ),
        (
            ["{decode}", "x", "--from", "kaldi", "--acoustic_scale", "0"],
            "--acoustic_scale 0, expected a finite number above 0",
        ),
        (["{json}", "{decode}", "--to", "espnet"], "{decode}: is there already (choose another name or delete it)"),
        (
            ["{json}", "{decode}"],
            "{decode}: is there already and no N-best directory (choose another name or delete it)",
        ),
        (["{json}", "{tmp}/b.tsv", "--to", "nemo", "--utts", "{decode}/ref_text", "--ref", "none"], "none: cannot be"),
    ],
)
def test_bad_arguments(
    decode: Path, tmp_path: Path, mlm_json: Path, call: Call, arguments: list[str], message: str
) -> None:
    places = {"json": mlm_json, "decode": decode, "tmp": tmp_path}
    line = call("convert", *(argument.format(**places) for argument in arguments)).error_line()
    assert line.startswith("lorescore convert: " + message.format(**places))


def test_nothing_is_written_of_bad_lists(decode: Path, tmp_path: Path, call: Call) -> None:
    (decode / "ref_text").write_text("84-1-0 the sun set\n")
    call("convert", decode, tmp_path / "out.json", "--ref", decode / "ref_text").error_line()
    assert not (tmp_path / "out.json").exists()


def test_the_real_command_line(decode: Path, tmp_path: Path, real_call: Call) -> None:
    assert real_call("convert", decode, tmp_path / "x.csv").status == 0
    outcome = real_call("convert", "x.csv", "-", cwd=tmp_path)
    assert outcome.status == 0
    assert "read as datasets (a CSV header with utt hyps scores)" in outcome.out


@pytest.mark.parametrize("target", ["x.json", "x.tsv", "x.jsonl", "x.csv", "kaldi", "nbest", "nemo"])
def test_import_nbest_takes_every_format(decode: Path, tmp_path: Path, call: Call, target: str) -> None:
    """With the same lists and word errors as from the decode itself, and nothing done again the second time."""
    ref, out = ("--ref", decode / "ref_text"), tmp_path / "exp" / "nbest" / "test"
    to = ("--to", target) if target in ("kaldi", "nemo") else ()
    utts = ("--utts", decode / "ref_text") if target == "nemo" else ()
    assert call("convert", decode, tmp_path / target, *to, *utts).status == 0
    arguments = ("import-nbest", "--decode_dir", tmp_path / target, *ref, *utts, "--out", out)
    first = call(*arguments).out
    assert first.startswith(f"{tmp_path / target}: read as ")
    assert first.splitlines()[-3:] == [
        f"{out}: 3 utterances, 5 hypotheses",
        f"{out}: 1-best %WER 50.00 [ 3 / 6, 0 ins, 1 del, 2 sub ]",
        f"{out}: oracle %WER 16.67 [ 1 / 6, 0 ins, 1 del, 0 sub ]",
    ]
    assert [one.scores for one in read_nbest_dir(out)] == [[-3.25], [-1.5, -2.5], [-0.5, -0.75]]
    assert f"{out}: up to date" in call(*arguments).out
    (decode / "ref_text").write_text((decode / "ref_text").read_text().replace("yes", "no"))
    assert f"{out}: up to date" not in call(*arguments).out


def test_import_nbest_of_kaldi_archives_at_another_scale(tmp_path: Path, call: Call) -> None:
    """0.5 x 10 + 1 + 2 is 8; at 1 it is 13."""
    archives, out = tmp_path / "decode", tmp_path / "out"
    archives.mkdir()
    costs = {"acwt": "10", "lmwt.nolm": "1", "lmwt.lmonly": "2"}
    for name, (first, second) in {"words_text": "ab", **{name: (cost, "90") for name, cost in costs.items()}}.items():
        (archives / name).write_text(f"u-1 {first}\nu-2 {second}\n")
    arguments = ("import-nbest", "--decode_dir", archives, "--out", out)
    for scale, score in ((0.5, -8.0), (1, -13.0)):
        printed = call(*arguments, "--acoustic_scale", scale).out
        assert "up to date" not in printed
        assert f"{archives}: acoustic scale {scale}\n" in printed
        assert read_nbest_dir(out).lists[0].scores[0] == score


def test_import_nbest_with_a_format_that_is_given(decode: Path, tmp_path: Path, mlm_json: Path, call: Call) -> None:
    line = call("import-nbest", "--decode_dir", mlm_json, "--format", "mlm", "--out", tmp_path / "out").error_line()
    assert line.startswith(
        "lorescore import-nbest: --format 'mlm' is not known (did you mean mlm-scoring? valid: espnet "
    )
    line = call("import-nbest", "--decode_dir", mlm_json, "--format", "jsonl", "--out", tmp_path / "out").error_line()
    assert line.startswith(f"lorescore import-nbest: {mlm_json}:1: not JSON: ")
    (decode / "archives.1").mkdir()
    line = call("import-nbest", "--decode_dir", decode, "--out", tmp_path / "out").error_line()
    assert line == (
        f"lorescore import-nbest: {decode}: looks like espnet (logdir), kaldi (archives.JOB) "
        "(choose one: --format FORMAT)"
    )
    assert call("import-nbest", "--decode_dir", decode, "--format", "espnet", "--out", tmp_path / "out").status == 0


def test_a_conversion_that_was_killed_can_be_repeated(mlm_json: Path, tmp_path: Path, call: Call) -> None:
    """What it had begun is removed, but not what another process is writing, here or on another machine."""
    out = tmp_path / "out"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    killed, *others = process_name(ended.pid), process_name(os.getppid()), f"elsewhere-{ended.pid}"
    for process in (killed, *others):
        (out / f".partial.{process}").mkdir(parents=True)
        (out / f".partial.{process}" / "words_text").write_text("utt-1 a\n")
    assert call("convert", mlm_json, out).status == 0
    assert not (out / f".partial.{killed}").exists()
    assert all((out / f".partial.{process}" / "words_text").is_file() for process in others)
    assert read_nbest_dir(out).num_hypotheses > 0


def test_a_link_to_nothing_is_in_the_way(tmp_path: Path, call: Call) -> None:
    (tmp_path / "a.tsv").write_text("u\t1\t-1.5\tthe cat\n")
    (tmp_path / "out").symlink_to("nowhere")
    line = call("convert", tmp_path / "a.tsv", tmp_path / "out").error_line()
    assert line.endswith("out: is there already and no N-best directory (choose another name or delete it)")
