"""local/lmrescore_plm.sh: from a Kaldi decode to rescored lattices and Kaldi's score files, with Kaldi's habits."""

import gzip
import os
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from plm_models import new_rescorer

from lorescore.combine import read_weights
from lorescore.files import read_table, read_yaml
from lorescore.lattice.archives import read_lattices
from lorescore.lattice.paths import best_path
from lorescore.nbest import list_costs, read_costs, read_nbest_dir
from lorescore.wer.ctm import read_ctm

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "local" / "lmrescore_plm.sh"
TAG = "tiny_clm_none"
ACWT = 0.5
WORDS = "<eps> 0\nthe 1\ncat 2\nsat 3\nsea 4\nrain 5\n"
# `the {cat | sea | rain} sat`, and `rain {cat | sea}`: an utterance a job, as after a decode with two jobs.
LATTICES = (
    "u1\n0 1 1 0.5,5,1_1\n1 2 2 1,10,2\n1 2 4 1,12,3\n1 2 5 2,11,3\n2 3 3 0.25,5,4\n3 0,0,\n\n",
    "u2\n0 1 5 1,1,1\n1 2 2 1,2,2_2\n1 2 4 1,1,2_2\n2 0,0,\n\n",
)
REFS = {"u1": "the cat sat", "u2": "rain sea"}

needs_environment = pytest.mark.skipif(
    not (ROOT / ".venv/bin/python").exists(), reason="no .venv: ./run.sh --stage 0 --stop_stage 0 makes it"
)
needs_sclite = pytest.mark.skipif(
    not (shutil.which("sclite") or shutil.which("sctk")), reason="sclite is missing: apt-get install sctk"
)


@pytest.fixture
def kaldi(tmp_path: Path) -> Path:
    """data/{dev,test} and exp/tri3/{graph,decode_dev,decode_test} as a Kaldi recipe has them, and exp/plm/<tag>."""
    for name in ("dev", "test"):
        data, decode = tmp_path / "data" / name, tmp_path / "exp/tri3" / f"decode_{name}"
        data.mkdir(parents=True)
        decode.mkdir(parents=True)
        (data / "text").write_text("".join(f"{utt} {ref}\n" for utt, ref in REFS.items()))
        (data / "utt2spk").write_text("u1 ann\nu2 bob\n")
        for job, text in enumerate(LATTICES, start=1):
            (decode / f"lat.{job}.gz").write_bytes(gzip.compress(text.encode()))
        (decode / "num_jobs").write_text("2\n")
    (tmp_path / "exp/tri3/graph").mkdir()
    (tmp_path / "exp/tri3/graph/words.txt").write_text(WORDS)
    (tmp_path / "exp/tri3/frame_subsampling_factor").write_text("3\n")
    return tmp_path


def call(directory: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *arguments],
        cwd=directory,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def best_wer(scoring_dir: Path) -> str:
    """The line of the lowest WER, found as Kaldi does it: `grep WER wer_* | utils/best_wer.sh`."""
    lines = [
        f"{path}:{line}"
        for path in scoring_dir.glob("wer_*_*")
        for line in path.read_text().splitlines()
        if "WER" in line
    ]
    assert all(re.search(r"[WS]ER (\S+)", line) for line in lines)
    return min(lines, key=lambda line: float(re.search(r"[WS]ER (\S+)", line)[1]))  # type: ignore[index]


@pytest.mark.slow
@needs_environment
@needs_sclite
def test_dev_is_tuned_and_test_takes_its_weights(kaldi: Path) -> None:
    new_rescorer(kaldi / "plm", "llama", plm_text="lower").save(kaldi / "exp/plm" / TAG)
    places = {
        name: ("data/" + name, f"exp/tri3/decode_{name}", f"exp/tri3/decode_{name}_plm") for name in ("dev", "test")
    }
    options = ("--plm-dir", f"exp/plm/{TAG}", "--inv-acwt", "2", "--N", "5")
    done = call(kaldi, *options, "--tune", "true", *places["dev"])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{SCRIPT} --plm-dir exp/plm/{TAG} ")

    dev = kaldi / places["dev"][2]
    nbest, texts, weights = read_nbest_dir(dev / "nbest"), read_table(dev / "text"), read_weights(dev / "weights.yaml")
    assert [len(one.hypotheses) for one in nbest] == [3, 2]
    assert nbest.info["acoustic_scale"] == ACWT
    assert nbest.info["paths"]["num_hyps"] == 5
    assert read_yaml(dev / "weights.yaml")["tuned_on"] == f"{places['dev'][2]}/nbest"
    # What a Kaldi program reads from the lattices at the acoustic scale is what was chosen, at its combined cost.
    combined = {
        (one.utt, hypothesis.text): -hypothesis.score
        + weights.lm_weight * plm
        - weights.word_bonus * len(hypothesis.words)
        for one, costs in zip(nbest, list_costs(dev / "nbest", nbest, TAG), strict=True)
        for hypothesis, plm in zip(one.hypotheses, costs, strict=True)
    }
    for lattice in read_lattices(dev):  # by way of num_jobs and words.txt there
        best = best_path(lattice, acoustic_scale=ACWT)
        assert " ".join(best.words) == texts[lattice.utt]
        cost = best.cost.graph + ACWT * best.cost.acoustic
        assert cost == pytest.approx(combined[lattice.utt, texts[lattice.utt]], abs=1e-3)
    assert (dev / "num_jobs").read_text() == "1\n"
    first = read_ctm(dev / "ctm")[0]
    assert (first.start, first.duration) == (0.0, pytest.approx(0.06))  # two frames of three times 10 ms

    # A job runner with Kaldi's manners: options, log, command.
    runner = kaldi / "run.pl"
    runner.write_text(
        '#!/usr/bin/env bash\necho "$1 $2 $3" >> jobs\nshift 2; log="$1"; shift; exec "$@" > "${log}" 2>&1\n'
    )
    runner.chmod(0o755)
    weights_of = (
        "--weights",
        f"{places['dev'][2]}/weights.yaml",
        "--cmd",
        f"{runner} --mem 8G",
        "--lang",
        "exp/tri3/graph",
    )
    done = call(kaldi, *options, *weights_of, *places["test"])
    assert done.returncode == 0, done.stderr
    test = kaldi / places["test"][2]
    logs = [f"--mem 8G {places['test'][2]}/log/{name}.log" for name in ("import_nbest", "rescore", "score")]
    assert (kaldi / "jobs").read_text().splitlines() == logs
    assert read_weights(test / "weights.yaml") == weights
    assert "tuned_on" not in read_yaml(test / "weights.yaml")
    assert read_table(test / "text") == texts

    (wer_path,) = (test / "scoring_kaldi").glob("wer_*_*")
    assert wer_path.name == f"wer_{weights.lm_weight:g}_{weights.word_bonus:g}"
    line = wer_path.read_text().splitlines()[0]
    assert best_wer(test / "scoring_kaldi") == f"{wer_path}:{line}"
    assert (test / "scoring_kaldi/best_wer").read_text() == f"{line} {wer_path.relative_to(kaldi)}\n"
    assert " / 5, " in line
    assert "ann " in (test / "scoring_kaldi/wer_details/per_spk").read_text()

    # Scoring alone.
    (test / "text").write_text("u1 the cat sat\nu2 rain sea\n")
    assert call(kaldi, *options, "--stage", "3", *places["test"]).returncode == 0
    assert (test / "scoring_kaldi/best_wer").read_text().startswith("%WER 0.00 ")


@needs_environment
def test_the_filters_of_the_recipe_are_applied(kaldi: Path) -> None:
    """As Kaldi's scoring does it: wer_output_filter on both sides, but for one that has a filter of its own."""
    new_rescorer(kaldi / "plm", "llama", plm_text="lower").save(kaldi / "exp/plm" / TAG)
    (kaldi / "local").mkdir()
    for name, expression in (("wer_output_filter", "s/ the//"), ("wer_hyp_filter", "s/ the/ THE/")):
        (kaldi / "local" / name).write_text(f"#!/bin/sed -f\n{expression}\n")
        (kaldi / "local" / name).chmod(0o755)
    options = ("--plm-dir", f"exp/plm/{TAG}", "--acwt", str(ACWT), "--lm-weight", "0.5")
    done = call(kaldi, *options, "data/dev", "exp/tri3/decode_dev", "out")
    assert done.returncode == 0, done.stderr
    assert (kaldi / "out/ref_filt.txt").read_text() == "u1 cat sat\nu2 rain sea\n"
    assert (kaldi / "out/hyp_filt.txt").read_text().startswith("u1 THE ")
    assert (kaldi / "out/text").read_text().startswith("u1 the ")
    assert " / 4, " in (kaldi / "out/scoring_kaldi/best_wer").read_text()  # of five words one is filtered out
    assert "data/dev/text through local/wer_output_filter" in done.stdout
    (kaldi / "local/wer_hyp_filter").write_text("#!/bin/sh\nexit 3\n")
    done = call(kaldi, *options, "--stage", "3", "data/dev", "exp/tri3/decode_dev", "out")
    assert (done.returncode, done.stderr) == (1, f"{SCRIPT}: local/wer_hyp_filter failed on out/text\n")


@needs_environment
def test_weights_are_tuned_on_what_the_filters_leave(kaldi: Path) -> None:
    """A filter makes an error of each hypothesis; none has one before."""
    new_rescorer(kaldi / "plm", "llama", plm_text="lower").save(kaldi / "exp/plm" / TAG)
    options = ("--plm-dir", f"exp/plm/{TAG}", "--acwt", str(ACWT), "--tune", "true")
    done = call(kaldi, *options, "data/dev", "exp/tri3/decode_dev", "out")
    assert done.returncode == 0, done.stderr
    as_written = read_yaml(kaldi / "out/weights.yaml")
    assert as_written["dev_wer"] == 0 and not (kaldi / "out/tune_hyp.txt").exists()
    (kaldi / "local").mkdir()
    filter_path = kaldi / "local/wer_hyp_filter"
    filter_path.write_text("#!/bin/sed -f\ns/ .*/ x/\n")
    filter_path.chmod(0o755)
    done = call(kaldi, *options, "data/dev", "exp/tri3/decode_dev", "out")
    assert done.returncode == 0, done.stderr
    assert read_yaml(kaldi / "out/weights.yaml")["dev_wer"] == 100
    assert (kaldi / "out/scoring_kaldi/best_wer").read_text().startswith("%WER 100.00 [ 5 / 5, ")
    filter_path.write_text("#!/bin/sed -f\n1d\n")
    done = call(kaldi, *options, "--stage", "2", "data/dev", "exp/tri3/decode_dev", "out")
    assert done.returncode == 1
    assert "out/tune_hyp.txt: u1-1 is missing, or not in the lists (a filter keeps" in done.stderr + done.stdout


# As Kaldi's run.pl: JOB=FIRST:LAST, a log, a command.
RUN_PL = """#!/usr/bin/env bash
[[ "$1" != JOB=* ]] || { jobs="${1#JOB=}"; shift; }
log="$1" status=0; shift
echo "${jobs:-one} ${log##*/}" >> jobs
[ -n "${jobs:-}" ] || exec "$@" > "${log}" 2>&1
for job in $(seq "${jobs%:*}" "${jobs#*:}"); do
    "${@//JOB/${job}}" > "${log//JOB/${job}}" 2>&1 || status=1
done
exit "${status}"
"""


@needs_environment
def test_jobs_share_the_scoring(kaldi: Path) -> None:
    """The scores and what they choose are those of one job."""
    new_rescorer(kaldi / "plm", "llama", plm_text="lower").save(kaldi / "exp/plm" / TAG)
    runner = kaldi / "run.pl"
    runner.write_text(RUN_PL)
    runner.chmod(0o755)
    options = ("--plm-dir", f"exp/plm/{TAG}", "--acwt", str(ACWT), "--lm-weight", "0.5", "--skip-scoring", "true")
    for out, more in (("out1", ()), ("out3", ("--nj", "3", "--cmd", runner))):
        done = call(kaldi, *options, *more, "data/dev", "exp/tri3/decode_dev", out)
        assert done.returncode == 0, done.stderr
    for name in ("text", "ctm", f"nbest/lmwt.{TAG}"):
        assert (kaldi / "out3" / name).read_bytes() == (kaldi / "out1" / name).read_bytes()
    called = ["one import_nbest.log", "1:3 plm_scores.JOB.log", "one rescore.log"]
    assert (kaldi / "jobs").read_text().splitlines() == called
    logs = [path.name for path in sorted((kaldi / "out3/log").iterdir())]
    assert logs == ["import_nbest.log", *(f"plm_scores.{job}.log" for job in (1, 2, 3)), "rescore.log"]
    assert not (kaldi / "out1/score_cache.sqlite").exists()
    with closing(sqlite3.connect(kaldi / "out3/score_cache.sqlite")) as cache:
        costs = read_costs(kaldi / "out3/nbest" / f"lmwt.{TAG}")
        assert cache.execute("SELECT count(*) FROM scores").fetchone() == (len(costs),)


@pytest.mark.slow
@needs_environment
def test_nbest_archives_without_references(kaldi: Path) -> None:
    """archives.JOB of lmrescore_nbest.sh, a weight by hand, no text to score with."""
    new_rescorer(kaldi / "plm", "llama", plm_text="lower").save(kaldi / "exp/plm" / TAG)
    in_dir = kaldi / "exp/tri3/decode_dev"
    shutil.rmtree(in_dir)
    (kaldi / "data/dev/text").unlink()
    for name, lines in {
        "words_text": ("u1-1 the sea sat", "u1-2 the cat sat"),
        "acwt": ("u1-1 20", "u1-2 22"),
        "lmwt.nolm": ("u1-1 1", "u1-2 1"),
        "lmwt.lmonly": ("u1-1 2", "u1-2 3"),
    }.items():
        (in_dir / "archives.1").mkdir(parents=True, exist_ok=True)
        (in_dir / "archives.1" / name).write_text("".join(f"{line}\n" for line in lines))
    options = ("--plm-dir", f"exp/plm/{TAG}", "--acwt", "0.5", "--lm-weight", "0")
    done = call(kaldi, *options, "data/dev", in_dir, "exp/out")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"{SCRIPT}: not scored, as there is no data/dev/text"
    (one,) = read_nbest_dir(kaldi / "exp/out/nbest")
    assert one.scores == [-13.0, -15.0]
    assert read_table(kaldi / "exp/out/text") == {"u1": "the sea sat"}
    assert not list((kaldi / "exp/out").glob("lat.*"))


@needs_environment
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["data/dev", "exp/tri3/decode_dev"],
            "Usage: {script} [options] <data-dir> <input-decode-dir> <output-decode-dir>",
        ),
        (["a", "b", "c", "d"], "Usage: {script} [options] <data-dir> "),
        (["data/dev", "exp/tri3/decode_dev", "out"], "{script}: --plm-dir exp/plm/<tag>: which rescorer?"),
        (["--plm_dir", "x", "a", "b", "c"], "{script}: x: no finished rescorer (config.yaml is missing)"),
        (["--plm-dir", "PLM", "data/dev", "nowhere", "out"], "{script}: nowhere: no such directory"),
        (
            ["--plm-dir", "PLM", "data/dev", "exp/tri3/decode_dev", "exp/tri3/../tri3/decode_dev"],
            "{script}: exp/tri3/../tri3/decode_dev: the decode itself; name another directory",
        ),
        (["--plm-dir", "PLM", "data/dve", "exp/tri3/decode_dev", "out"], "{script}: data/dve: no such directory"),
        (
            ["--plm-dir", "PLM", "data/dev", "exp/tri3/decode_dev", "exp/../data/dev"],
            "{script}: exp/../data/dev: the data directory itself; name another directory",
        ),
        (
            ["--plm-dir", "PLM", "data/dev", "exp", "out"],
            "{script}: exp: neither lattices (lat.*.gz) nor N-best archives",
        ),
        (
            ["--plm-dir", "PLM", "--weights", "x", "--lm-weight", "1", "data/dev", "exp/tri3/decode_dev", "out"],
            "{script}: --weights and --lm-weight: give one of them",
        ),
        (
            ["--plm-dir", "PLM", "--tune", "true", "--weights", "x", "data/dev", "exp/tri3/decode_dev", "out"],
            "{script}: --tune true and given weights: give one of them",
        ),
        (
            ["--plm-dir", "PLM", "--inv-acwt", "0", "data/dev", "exp/tri3/decode_dev", "out"],
            "{script}: --inv-acwt is '0', expected a number above 0",
        ),
        (
            ["--plm-dir", "PLM", "--lang", "data", "data/dev", "exp/tri3/decode_dev", "out"],
            "{script}: data/words.txt is missing: correct --lang",
        ),
        (
            ["--plm-dir", "PLM", "--stage", "2", "data/dev", "exp/tri3/decode_dev", "out"],
            "{script}: out/nbest: no finished lists here: --stage 1 makes them",
        ),
        (
            ["--plm-dir", "PLM", "--nj", "4", "data/dev", "exp/tri3/decode_dev", "out"],
            "{script}: --nj 4 without --cmd: run.pl, queue.pl or slurm.pl runs several jobs",
        ),
        (
            ["--plm-dir", "PLM", "--nj", "0", "data/dev", "exp/tri3/decode_dev", "out"],
            "{script}: --nj is '0', expected 1 or more",
        ),
        (["--plm-dri", "x", "a", "b", "c"], "{script}: --plm-dri: no such option (did you mean --plm_dir? options: "),
        (["a", "b", "c", "--N"], "{script}: --num_hyps needs a value"),
    ],
)
def test_what_cannot_be(kaldi: Path, arguments: list[str], message: str) -> None:
    plm = kaldi / "exp/plm" / TAG
    plm.mkdir(parents=True)
    (plm / "config.yaml").write_text("plm: {}\n")
    done = call(kaldi, *(str(plm) if word == "PLM" else word for word in arguments))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(message.format(script=SCRIPT))
    assert not (kaldi / "out/nbest").exists()


@needs_environment
@pytest.mark.parametrize("out", ["exp/tri3/decode_test", "data/test"])
def test_originals_are_not_replaced(kaldi: Path, out: str) -> None:
    """Of a decode and its rescored directory that were swapped, or with a data directory in the place of the output."""
    plm = kaldi / "exp/plm" / TAG
    plm.mkdir(parents=True)
    (plm / "config.yaml").write_text("plm: {}\n")
    before = {path: path.read_bytes() for path in (kaldi / out).iterdir()}
    done = call(kaldi, "--plm-dir", plm, "data/dev", "exp/tri3/decode_dev", out)
    assert (done.returncode, done.stderr) == (
        1,
        f"{SCRIPT}: {out}: is there already and no rescored directory; name another\n",
    )
    assert {path: path.read_bytes() for path in (kaldi / out).iterdir()} == before


@needs_environment
@pytest.mark.parametrize(("content", "is_number"), [("3", True), ("three\n", False), ("", False)])
def test_frames_that_were_subsampled(kaldi: Path, content: str, is_number: bool) -> None:
    """The file need not end with a line end; what is no number is named."""
    (kaldi / "exp/tri3/frame_subsampling_factor").write_text(content)
    new_rescorer(kaldi / "plm", "llama", plm_text="lower").save(kaldi / "exp/plm" / TAG)
    options = ("--plm-dir", f"exp/plm/{TAG}", "--lm-weight", "0", "--skip-scoring", "true")
    done = call(kaldi, *options, "data/dev", "exp/tri3/decode_dev", "exp/out")
    assert (done.returncode == 0) == is_number, done.stderr
    if is_number:
        assert read_yaml(kaldi / "exp/out/rescored.yaml")["frame_shift"] == pytest.approx(0.03)
    else:
        place = "exp/tri3/decode_dev/../frame_subsampling_factor"
        message = f"{SCRIPT}: {place} has '{content.strip()}', expected a whole number: correct it"
        assert done.stderr.splitlines()[-1] == message


@needs_environment
def test_what_times_need_beside_the_lattices_is_taken_along(kaldi: Path) -> None:
    """As stage 3 writes it: its frames are not Kaldi's."""
    decode = kaldi / "exp/tri3/decode_dev"
    (decode / "frame_shift").write_text("0.06\n")
    (decode / "tokens.txt").write_text("<eps> 0\n<blk> 1\n")
    new_rescorer(kaldi / "plm", "llama", plm_text="lower").save(kaldi / "exp/plm" / TAG)
    options = ("--plm-dir", f"exp/plm/{TAG}", "--lm-weight", "0.5", "--skip-scoring", "true")
    for more, shift in ((), 0.06), (("--frame-shift", "0.02"), 0.02):
        done = call(kaldi, *options, *more, "data/dev", "exp/tri3/decode_dev", "exp/out")
        assert done.returncode == 0, done.stderr
        assert read_yaml(kaldi / "exp/out/rescored.yaml")["frame_shift"] == pytest.approx(shift)
        assert float((kaldi / "exp/out/frame_shift").read_text()) == pytest.approx(shift)
    assert (kaldi / "exp/out/tokens.txt").read_text() == (decode / "tokens.txt").read_text()


@needs_environment
def test_what_else_is_in_the_output_stays(kaldi: Path) -> None:
    plm, out = kaldi / "exp/plm" / TAG, kaldi / "exp/out"
    plm.mkdir(parents=True)
    (plm / "config.yaml").write_text("plm: {}\n")  # enough for stage 1
    (out / "source").mkdir(parents=True)
    (out / "source/notes").write_text("mine\n")
    for jobs in ("lat.1.gz", "lat.2.gz"), ("lat.1.gz",):
        call(kaldi, "--plm-dir", plm, "data/dev", "exp/tri3/decode_dev", out)
        assert sorted(path.name for path in (out / ".source").glob("lat.*")) == list(jobs)
        (kaldi / "exp/tri3/decode_dev/lat.2.gz").unlink(missing_ok=True)
    assert (out / "source/notes").read_text() == "mine\n"


@needs_environment
def test_an_error_names_the_file_of_the_decode(kaldi: Path) -> None:
    plm, decode = kaldi / "exp/plm" / TAG, kaldi / "exp/tri3/decode_dev"
    plm.mkdir(parents=True)
    (plm / "config.yaml").write_text("plm: {}\n")  # enough for stage 1
    words, lattices = kaldi / "exp/tri3/graph/words.txt", (decode / "lat.2.gz").read_bytes()

    def said() -> str:
        done = call(kaldi, "--plm-dir", plm, "data/dev", "exp/tri3/decode_dev", "exp/out")
        assert done.returncode == 1
        return done.stdout.splitlines()[-1]

    (decode / "lat.2.gz").write_bytes(lattices[:30])
    assert f" {decode}/lat.2.gz: the gzip file is cut off" in said()
    (decode / "lat.2.gz").unlink()
    assert f" {decode}: no lattices of job 2 of 2 here" in said()
    (decode / "lat.2.gz").write_bytes(lattices)
    words.write_text(WORDS.replace("rain 5\n", ""))
    assert f"word id 5 of utterance u1 is not in {words} (" in said()


@needs_environment
def test_characters_are_counted_where_asked(kaldi: Path) -> None:
    new_rescorer(kaldi / "plm", "llama", plm_text="lower").save(kaldi / "exp/plm" / TAG)
    options = ("--plm-dir", f"exp/plm/{TAG}", "--metric", "cer", "--lm-weight", "0")
    done = call(kaldi, *options, "data/dev", "exp/tri3/decode_dev", "exp/out")
    assert done.returncode == 0, done.stderr
    assert read_nbest_dir(kaldi / "exp/out/nbest").metric == "cer"


@needs_environment
def test_words_are_to_be_found(kaldi: Path) -> None:
    (kaldi / "exp/tri3/graph/words.txt").rename(kaldi / "words.txt")
    plm = kaldi / "exp/plm" / TAG
    plm.mkdir(parents=True)
    (plm / "config.yaml").write_text("plm: {}\n")
    done = call(kaldi, "--plm-dir", plm, "data/dev", "exp/tri3/decode_dev", "out")
    assert done.stderr.splitlines() == [
        f"{SCRIPT}: no words.txt beside exp/tri3/decode_dev: --lang names the directory that has it"
    ]


@pytest.fixture
def two_graphs(kaldi: Path) -> Path:
    """WSJ's habit: graph_bd_tgpr, of a larger dictionary with other ids, comes before graph_tgpr in the C locale."""
    graph = kaldi / "exp/tri3/graph"
    graph.rename(kaldi / "exp/tri3/graph_tgpr")
    (kaldi / "exp/tri3/graph_bd_tgpr").mkdir()
    other = WORDS.replace("cat 2", "cab 2").replace("sat 3", "cat 3").replace("sea 4", "sat 4")
    (kaldi / "exp/tri3/graph_bd_tgpr/words.txt").write_text(other)
    (kaldi / "exp/plm" / TAG).mkdir(parents=True)
    (kaldi / "exp/plm" / TAG / "config.yaml").write_text("plm: {}\n")  # enough for stage 1
    return kaldi


PLACES = ("--plm-dir", f"exp/plm/{TAG}", "data/dev", "exp/tri3/decode_dev", "exp/out")


@needs_environment
def test_graphs_with_other_ids_are_not_chosen_from(two_graphs: Path) -> None:
    done = call(two_graphs, *PLACES)
    places = [f"exp/tri3/decode_dev/../{name}/words.txt" for name in ("graph_bd_tgpr", "graph_tgpr")]
    assert (done.returncode, done.stderr) == (
        1,
        f"{SCRIPT}: exp/tri3/decode_dev: give --lang, as its words may be those of any of {' '.join(places)}, "
        "which differ\n",
    )
    assert not (two_graphs / "exp/out/nbest").exists()


@needs_environment
@pytest.mark.parametrize("of", ["lang", "log", "same", "beside"])
def test_the_words_of_the_right_graph(two_graphs: Path, of: str) -> None:
    """Given, named by the log of the decoding, the same in all graphs, or beside the lattices."""
    graph, decode = "exp/tri3/graph_tgpr", two_graphs / "exp/tri3/decode_dev"
    options: tuple[str, ...] = ()
    if of == "lang":
        options = ("--lang", graph)
    elif of == "log":
        (decode / "log").mkdir()
        (decode / "log/decode.1.log").write_text(
            "# gmm-latgen-faster --beam=13.0 --allow-partial=true "
            f"--word-symbol-table={graph}/words.txt exp/tri3/final.mdl {graph}/HCLG.fst ark:feats ark:lat\n"
            "# Started at Mon\n"
        )
    elif of == "same":
        shutil.copy(two_graphs / graph / "words.txt", two_graphs / "exp/tri3/graph_bd_tgpr/words.txt")
        graph = "exp/tri3/decode_dev/../graph_bd_tgpr"
    else:
        graph = "exp/tri3/decode_dev"
        (decode / "words.txt").write_text(WORDS)
    done = call(two_graphs, *options, *PLACES)
    assert f"{SCRIPT}: words of the lattices: {graph}/words.txt\n" in done.stdout
    by_utt = {one.utt: one.texts for one in read_nbest_dir(two_graphs / "exp/out/nbest")}
    assert by_utt["u1"][0] == "the cat sat"


@pytest.mark.slow
@needs_environment
@needs_sclite
def test_an_utterance_that_the_decoder_failed_on_can_count_as_deleted(kaldi: Path) -> None:
    new_rescorer(kaldi / "plm", "llama", plm_text="lower").save(kaldi / "exp/plm" / TAG)
    (kaldi / "exp/tri3/decode_test/lat.2.gz").write_bytes(gzip.compress(b""))
    options = ("--plm-dir", f"exp/plm/{TAG}", "--lm-weight", "0", "--acwt", str(ACWT))
    places = ("data/test", "exp/tri3/decode_test", "exp/tri3/decode_test_plm")
    done = call(kaldi, *options, *places)
    assert done.returncode == 1
    assert "no lattice for utterance u2" in done.stdout + done.stderr
    done = call(kaldi, *options, "--fallback", "empty", *places)
    assert done.returncode == 0, done.stderr
    out = kaldi / places[2]
    assert read_table(out / "text") == {"u1": "the cat sat", "u2": ""}
    assert " 2 / 5, 0 ins, 2 del, 0 sub " in (out / "scoring_kaldi/best_wer").read_text()
