"""Stage 4 on N-best archives of Kaldi, which do not hold the acoustic scale: --acwt gives it."""

import subprocess
from pathlib import Path

import pytest
from toy_recipe import ROOT, make_recipe

from lorescore.nbest import read_nbest_dir

OPTIONS = ("--stage", "4", "--stop_stage", "4", "--lora", "none", "--train_set", "")
FILES = {
    "words_text": ("u1-1 the sea sat", "u1-2 the cat sat"),
    "acwt": ("u1-1 20", "u1-2 22"),
    "lmwt.nolm": ("u1-1 1", "u1-2 1"),
    "lmwt.lmonly": ("u1-1 2", "u1-2 3"),
}

pytestmark = pytest.mark.skipif(
    not (ROOT / ".venv/bin/python").exists(), reason="no .venv: ./run.sh --stage 0 --stop_stage 0 makes it"
)


def test_the_acoustic_scale_is_asked_for_and_passed_on(tmp_path: Path) -> None:
    """For a set of several jobs, and for one of one job."""
    work = tmp_path / "work"
    options = [*OPTIONS, *make_recipe(work)[:2], "--asr_decode", "decodes", "--ref", ""]
    for archive in (work / "decodes/jobs/archives.1", work / "decodes/one_job"):
        archive.mkdir(parents=True)
        for name, lines in FILES.items():
            (archive / name).write_text("".join(f"{line}\n" for line in lines))

    def call(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([ROOT / "run.sh", *options, *more], cwd=work, capture_output=True, text=True, check=False)

    for name in ("jobs", "one_job"):
        done = call("--dev_set", name, "--test_sets", "")
        assert (done.returncode, done.stderr) == (
            1,
            f"{ROOT}/run.sh: decodes/{name}: Kaldi's archives do not say what acoustic costs weigh: "
            "give --acwt, usually 0.1\n",
        )
    done = call("--dev_set", "jobs", "--test_sets", "one_job", "--acwt", "0.5")
    assert done.returncode == 0, done.stderr
    for name in ("jobs", "one_job"):
        (one,) = read_nbest_dir(work / "exp/nbest" / name)
        assert one.scores == [-13.0, -15.0]
