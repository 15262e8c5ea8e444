"""`run.sh --lora "..." --seeds "..."`: every strategy with every seed, through training, scoring and the report."""

import re
from pathlib import Path

import pytest
from toy_recipe import make_recipe, needs_recipe, run_sh

from lorescore.scoring.ranks import read_ranks


@pytest.mark.slow
@needs_recipe
def test_strategies_and_seeds(tmp_path: Path) -> None:
    options = [*make_recipe(tmp_path), "--lora", "none vanilla mixed", "--seeds", "1 2", "--rank", "2"]
    options += ["--learning_rate", "0.05"]
    out = run_sh(tmp_path, "--stage", "5", "--stop_stage", "7", *options)
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

    printed = run_sh(tmp_path, "--stage", "10", *options)
    rows = [re.split(r" *\| *", line)[1:3] for line in printed.splitlines() if line.startswith("| llama_clm_")]
    for group in ("llama_clm_vanilla_r2_mwer", "llama_clm_mixed_r2_mwer"):
        assert rows.count([group, "2"]) == 3  # dev, test, and what the trainings cost
    text = (tmp_path / "exp" / "RESULTS.md").read_text(encoding="utf-8")
    assert "### test: llama, scorer clm, objective mwer" in text and "figures/mixed_ranks.png" in text
