"""Stage 7 where sctk is not installed: Kaldi's files all the same, and sclite's where it is there later."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from toy_recipe import ROOT, root_without_sctk

from lorescore.files import read_yaml, write_table, write_yaml

needs_environment = pytest.mark.skipif(
    not (ROOT / ".venv/bin/python").exists(), reason="no .venv: ./run.sh --stage 0 --stop_stage 0 makes it"
)


@needs_environment
def test_stages_7_and_10_without_sctk(tmp_path: Path) -> None:
    """Kaldi's files, the report, a warning for each set; and with sctk later the rest."""
    root, environment = root_without_sctk(tmp_path)
    exp = tmp_path / "exp"
    tag, sets = "smollm2_clm_none", ("dev", "test")
    refs, hyps = {"a-1": "the cat sat", "b-1": "home"}, {"a-1": "the cat sad", "b-1": "home"}
    for name in sets:
        write_table(exp / "nbest" / name / "text", refs)
        for system, chosen in {"first_pass": hyps, "oracle": refs, tag: refs}.items():
            write_table(exp / "rescore" / system / name / "text", chosen)
    weights = {"lm_weight": 0.5, "word_bonus": 0.0, "metric": "wer", "tuned_on": "dev"}
    write_yaml(exp / "rescore" / tag / "weights.yaml", weights)

    def run(script: Path, stage: int, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        options = ["--stage", str(stage), "--stop_stage", str(stage), "--lora", "none"]
        done = subprocess.run([script, *options], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    done = run(root / "run.sh", 7, environment)
    assert [line.partition(": sclite not found (put ESPnet's")[0] for line in done.stderr.splitlines()] == [
        f"exp/rescore/{system}/{name}: scoring_kaldi alone, no score_wer"
        for system in ("first_pass", "oracle", tag)
        for name in sets
    ]
    best = exp / "rescore/first_pass/test/scoring_kaldi/best_wer"
    assert best.read_text().startswith("%WER 25.00 [ 1 / 4, 0 ins, 0 del, 1 sub ] ")
    assert not list(exp.rglob("score_wer"))
    run(root / "run.sh", 10, environment)
    assert f"| {tag} " in (exp / "RESULTS.md").read_text()

    if shutil.which("sclite") or shutil.which("sctk"):
        run(ROOT / "run.sh", 7, os.environ | {"OMP_NUM_THREADS": "1"})
        assert len(list(exp.rglob("score_wer/result.txt"))) == 6
        assert read_yaml(exp / "rescore" / tag / "test/result.yaml")["sclite_wer"] == 0.0
