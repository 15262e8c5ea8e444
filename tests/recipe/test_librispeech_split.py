"""The LibriSpeech recipe's split of speakers, its stage 4, and other sets by its weights."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from lorescore.combine import read_weights
from lorescore.files import read_table
from lorescore.nbest import read_nbest_dir

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / "egs" / "librispeech" / "rescore1" / "local"
ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(ROOT / "local"),
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
}


def make_split(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, LOCAL / "make_split.py", *map(str, arguments)]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def parts(text: str) -> dict[str, str]:
    pairs = [line.split() for line in text.splitlines()]
    assert len({speaker for speaker, _ in pairs}) == len(pairs)
    return dict(pairs)


def test_speakers_take_the_parts_in_turn(tmp_path: Path) -> None:
    for name, first in (("clean", 100), ("other", 200)):
        (tmp_path / name).write_text("".join(f"{first + n // 2}-1-{n} words\n" for n in range(40)))
    split = parts(make_split(tmp_path / "clean", tmp_path / "other").stdout)
    for first in (100, 200):  # half of the speakers of each condition train, a fifth tunes, the rest is reported
        counts = Counter(split[str(speaker)] for speaker in range(first, first + 20))
        assert counts == {"train": 10, "dev": 4, "test": 6}
    swapped = parts(make_split(tmp_path / "other", tmp_path / "clean").stdout)
    assert swapped == split
    assert parts(make_split("--seed", "7", tmp_path / "clean", tmp_path / "other").stdout) != split


def test_missing_references(tmp_path: Path) -> None:
    done = make_split(tmp_path / "nowhere")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert f"{tmp_path}/nowhere: cannot be read: No such file or directory" in done.stderr


def test_split_txt_is_the_output_for_librispeech(librispeech_dev: Path) -> None:
    done = make_split(librispeech_dev / "dev_clean" / "ref_text", librispeech_dev / "dev_other" / "ref_text")
    assert done.stdout == (LOCAL / "split.txt").read_text()


def test_stage_4_makes_sets_of_disjoint_speakers(librispeech_dev: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            LOCAL / "nbest.sh",
            "--asr_decode",
            librispeech_dev,
            "--max_train",
            "50",
            "--max_dev",
            "20",
            "--max_test",
            "30",
        ],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "1-best %WER 6.12 [" in done.stdout
    assert "oracle %WER 13.02 [" in done.stdout
    split = parts((LOCAL / "split.txt").read_text())
    sizes = {"train": 50, "train_all": 2777, "dev": 20, "test_clean": 30, "test_other": 30}
    speakers: dict[str, set[str]] = {}
    for name, size in sizes.items():
        nbest = read_nbest_dir(tmp_path / "exp" / "nbest" / name)
        assert len(nbest) == len(nbest.refs) == size
        speakers[name] = {one.utt.split("-")[0] for one in nbest}
        assert {split[speaker] for speaker in speakers[name]} == {name.split("_")[0]}
    # Train and dev have speakers of both conditions.
    clean = {
        path.split("-")[0] for path in (librispeech_dev / "dev_clean" / "ref_text").read_text().split("\n") if path
    }
    for name in ("train", "dev"):
        assert speakers[name] & clean and speakers[name] - clean
    assert speakers["test_clean"] <= clean and not speakers["test_other"] & clean
    held_out = read_nbest_dir(tmp_path / "exp" / "nbest" / "held_out")  # all that is not of the training speakers
    assert len(held_out) == 2703 + 2864 - 2777
    assert {split[one.utt.split("-")[0]] for one in held_out} == {"dev", "test"}


@pytest.mark.parametrize("option", [["--max_trian", "5"], ["--asr_decode", ""], []])
def test_nbest_sh_says_what_is_wrong(tmp_path: Path, option: list[str]) -> None:
    done = subprocess.run(
        [LOCAL / "nbest.sh", *option], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    expected = (
        "did you mean --max_train?" if option[:1] == ["--max_trian"] else "--asr_decode DIR: where are the decodes"
    )
    assert expected in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", ["run.sh", "compare.sh", "eval.sh"])
def test_relative_paths_are_those_of_the_caller(tmp_path: Path, script: str) -> None:
    """The scripts go to their own directory; what they call from there prints the paths that it is given."""
    recipe = tmp_path / "egs" / "librispeech" / "rescore1"
    shutil.copytree(LOCAL.parent, recipe, ignore=shutil.ignore_patterns("exp", "plm"))
    (tmp_path / "local").symlink_to(ROOT / "local")
    (tmp_path / "path.sh").write_text(f"PATH={tmp_path}/bin:${{PATH}}\n")
    for program in (tmp_path / "run.sh", tmp_path / "bin" / "python3"):
        program.parent.mkdir(exist_ok=True)
        program.write_text('#!/usr/bin/env bash\nprintf "<%s>" "$@"\n')
        program.chmod(0o755)
    (tmp_path / "work").mkdir()
    options = ["--asr_decode", "../my decodes", *(["--weights", "w.yaml"] if script == "eval.sh" else [])]
    done = subprocess.run([recipe / script, *options], cwd=tmp_path / "work", capture_output=True, text=True)
    assert f"{tmp_path}/my decodes" in done.stdout, done.stderr
    assert "<../my decodes" not in done.stdout
    assert (script == "eval.sh") == (f"<--weights><{tmp_path}/work/w.yaml>" in done.stdout)
    if script == "run.sh":
        done = subprocess.run([recipe / script, "--asr-decode", "", "--nj", "2"], capture_output=True, text=True)
        assert done.stdout.endswith("<--asr-decode><><--nj><2>")


@pytest.mark.slow
@pytest.mark.skipif(
    not ((ROOT / ".venv/bin/python").exists() and (shutil.which("sclite") or shutil.which("sctk"))),
    reason="no .venv or no sctk: ./run.sh --stage 0 --stop_stage 0 makes them",
)
def test_eval_sh_rescores_other_sets(librispeech_dev: Path, tmp_path: Path) -> None:
    """Nothing is there before; a set of four utterances, by the real PLM: with the adapter of plm/, and as it is."""
    recipe = tmp_path / "egs" / "librispeech" / "rescore1"
    shutil.copytree(LOCAL.parent, recipe, ignore=shutil.ignore_patterns("exp"))
    for name in ("local", "conf", "path.sh"):
        (tmp_path / name).symlink_to(ROOT / name)
    decode = tmp_path / "decode" / "test_other"
    few = (librispeech_dev / "dev_other" / "ref_text").read_text().splitlines()[:4]
    utts = [line.split()[0] for line in few]
    decode.mkdir(parents=True)
    (decode / "ref_text").write_text("".join(f"{line}\n" for line in few))
    for path in librispeech_dev.glob("dev_other/logdir/output.*/*best_recog/*"):
        lines = [line for line in path.read_text().splitlines() if line.split()[0] in utts]
        if lines:
            copy = decode / path.relative_to(librispeech_dev / "dev_other")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text("".join(f"{line}\n" for line in lines))
    evaluate = [recipe / "eval.sh", "--asr_decode", tmp_path / "decode", "--sets", "test_other"]
    for option in ([], ["--tag", "smollm2_clm_none"]):
        done = subprocess.run(
            [*evaluate, *option], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert any(one.added for one in read_nbest_dir(recipe / "exp" / "eval" / "nbest" / "test_other"))  # recombined
    rescorers = {path.name: path for path in (LOCAL.parent / "plm").iterdir()}
    assert {path.name for path in (recipe / "exp" / "eval").iterdir()} == {"nbest", "first_pass", *rescorers}
    for tag, rescorer in rescorers.items():
        out = recipe / "exp" / "eval" / tag / "test_other"
        assert read_weights(out / "weights.yaml") == read_weights(rescorer / "weights.yaml")
        assert set(read_table(out / "text")) == set(utts)
        assert (out / "scoring_kaldi" / "best_wer").is_file()
    assert read_table(recipe / "exp" / "eval" / "first_pass" / "test_other" / "text").keys() == set(utts)
