"""`run.sh --lora "..." --seeds "..."`: every strategy with every seed, through training, scoring and the report."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from plm_models import save_plm
from toy_nbest import toy_nbest

from lorescore.files import write_yaml
from lorescore.nbest import write_nbest_dir
from lorescore.plm.load import fetch_plm
from lorescore.plm.settings import PlmSettings
from lorescore.scoring.rank_file import read_ranks

ROOT = Path(__file__).resolve().parents[2]

needs_recipe = pytest.mark.skipif(
    not ((ROOT / ".venv/bin/python").exists() and (shutil.which("sc_stats") or shutil.which("sctk"))),
    reason="no .venv or no sctk: ./run.sh --stage 0 --stop_stage 0 makes them",
)


def run(directory: Path, *options: str) -> str:
    done = subprocess.run(
        [ROOT / "run.sh", *options],
        cwd=directory,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
@needs_recipe
def test_strategies_and_seeds(tmp_path: Path) -> None:
    for number, (name, lists) in enumerate({"train": 16, "dev": 10, "test": 12}.items()):
        write_nbest_dir(tmp_path / "exp" / "nbest" / name, toy_nbest(lists, seed=number))
    source = save_plm(tmp_path / "llama", "llama")
    fetch_plm(PlmSettings("llama", str(source)), tmp_path / "exp" / "plm_base" / "llama_clm")
    write_yaml(tmp_path / "train.yaml", {"epochs": 1, "lists_per_step": 8, "evaluations": 1})
    options = ["--plm", str(source), "--lora", "none vanilla mixed", "--seeds", "1 2", "--rank", "2"]
    options += ["--train_config", "train.yaml", "--learning_rate", "0.05"]
    out = run(tmp_path, "--stage", "5", "--stop_stage", "7", *options)
    tags = [
        "llama_clm_none",
        *(f"llama_clm_{lora}_r2_mwer_s{seed}" for lora in ("vanilla", "mixed") for seed in (1, 2)),
    ]
    assert sorted(path.name for path in (tmp_path / "exp" / "plm").iterdir()) == sorted(tags)
    assert out.count("parameters trained") == len(tags)
    for tag in tags:
        assert (tmp_path / "exp" / "rescore" / tag / "test" / "result.yaml").is_file()
    for seed in (1, 2):
        curve = read_ranks(tmp_path / "exp" / "rescore" / f"llama_clm_mixed_r2_mwer_s{seed}" / "ranks.json")
        assert [one.rank for one in curve.scores] == [1, 2]

    printed = run(tmp_path, "--stage", "10", *options)
    rows = [re.split(r" *\| *", line)[1:3] for line in printed.splitlines() if line.startswith("| llama_clm_")]
    for group in ("llama_clm_vanilla_r2_mwer", "llama_clm_mixed_r2_mwer"):
        assert rows.count([group, "2"]) == 3  # dev, test, and what the trainings cost
    text = (tmp_path / "exp" / "RESULTS.md").read_text(encoding="utf-8")
    assert "### test: llama, scorer clm, objective mwer" in text and "figures/mixed_ranks.png" in text
