"""The domain adaptation recipe: text alone, lists alone, and both, from N-best lists to the report."""

import shutil
import subprocess
from pathlib import Path

import pytest
from readme_sandbox import make_sandbox

from lorescore.files import read_yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.skipif(
    not ((ROOT / ".venv/bin/python").exists() and (shutil.which("sctk") or shutil.which("sclite"))),
    reason="no .venv or no sctk: ./run.sh --stage 0 --stop_stage 0 makes them",
)
def test_four_ways_to_adapt_side_by_side(tmp_path: Path) -> None:
    recipe = make_sandbox(tmp_path) / "egs/demo/adapt1"
    (recipe / "domain.txt").write_text("the cat sat on the mat\nsee the sea\n" * 20)
    options = ["--stage", "4", "--lm_text", "domain.txt", "--asr_decode", "../../../exp/asr"]
    options += ["--ref", "../../../data/{set}/text"]
    done = subprocess.run([recipe / "run.sh", *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    tags = {"none", "vanilla_lm_s1_text", "vanilla_mwer_s1_lists", "vanilla_mwer_s1_both"}
    assert {path.name for path in (recipe / "exp/plm").iterdir()} == {f"smollm2_clm_{tag}" for tag in tags}
    settings = {
        tag: read_yaml(recipe / f"exp/plm/smollm2_clm_{tag}/config.yaml") for tag in tags if tag.startswith("vanilla")
    }
    text, lists, both = (settings[f"vanilla_{tag}"] for tag in ("lm_s1_text", "mwer_s1_lists", "mwer_s1_both"))
    assert text["training_settings"]["lm_references"] is False
    assert text["lm_text_checksum"] == both["lm_text_checksum"] is not None
    assert lists["lm_text_checksum"] is None and lists["training_settings"]["lm_loss"] == 0
    results = (recipe / "exp/RESULTS.md").read_text(encoding="utf-8")
    assert all(f"smollm2_clm_{tag}" in results for tag in tags)
