"""`run.sh` where stage 1 has left the demo's sentences: what they have no part in does without them."""

import subprocess
from pathlib import Path

import pytest
from toy_recipe import ROOT, make_recipe, needs_recipe, run_sh

from lorescore.files import read_yaml


@pytest.mark.slow
@needs_recipe
def test_a_weight_of_0_has_no_use_for_the_demos_sentences(tmp_path: Path) -> None:
    options = ["--stage", "5", "--stop_stage", "5", *make_recipe(tmp_path), "--lora", "vanilla"]
    (tmp_path / "data" / "sentences").mkdir(parents=True)
    (tmp_path / "data" / "sentences" / "train.txt").write_text("the cat sat on the sea\n")
    for suffix, more, used in (
        ("without", ["--lm_loss", "0.0"], False),
        ("with", [], True),
        ("lm", ["--lm_loss", "0", "--objective", "lm"], True),
    ):
        run_sh(tmp_path, *options, "--suffix", suffix, *more)
        (config,) = (tmp_path / "exp" / "plm").glob(f"*_{suffix}/config.yaml")
        assert (read_yaml(config)["lm_text_checksum"] is not None) == used

    # The shell does not read the file of settings.
    with (tmp_path / "train.yaml").open("a", encoding="utf-8") as file:
        file.write("lm_loss: 0\n")
    options += ["--suffix", "file"]
    done = subprocess.run([ROOT / "run.sh", *options], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert (
        "texts train a clm or a pll by its lm_loss alone (leave out --lm_text (run.sh: --lm_text none)" in done.stderr
    )
    run_sh(tmp_path, *options, "--lm_text", "none")
