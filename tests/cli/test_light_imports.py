"""Verbs that need no PLM do not wait for torch to be imported, nor fail where it is not installed."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "transformers", "peft", "matplotlib")
# Calls verbs one after the other in one process, with modules that cannot be imported.
PROGRAM = f"""
import sys
class Missing:
    def find_spec(self, name, path, target=None):
        if name in {HEAVY}:
            raise ModuleNotFoundError("No module named " + name)
sys.meta_path.insert(0, Missing())
from lorescore.__main__ import main
calls, call = [], []
for word in sys.argv[1:]:
    if word == ";":
        calls, call = [*calls, call], []
    else:
        call.append(word)
sys.exit(sum(main(call) for call in calls))
"""


def test_verbs_without_a_plm_run_without_torch(decode: Path, tmp_path: Path) -> None:
    exp = tmp_path / "exp"
    (tmp_path / "spk").write_text("84\n")
    ref, sets = str(decode / "ref_text"), str(exp / "nbest")
    calls = [
        ["tag", "--lora", "none adalora"],
        ["import-nbest", "--decode_dir", str(decode), "--ref", ref, "--out", f"{sets}/test"],
        ["subset", "--nbest_dir", f"{sets}/test", "--spk_list", str(tmp_path / "spk"), "--out", f"{sets}/part"],
        ["perturb", "--nbest_dir", f"{sets}/test", "--out_dir", sets, "--lexicon_dir", str(exp / "lexicon")],
    ]
    arguments = [word for call in calls for word in [*call, ";"]]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT / "local")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (exp / "nbest" / "test_nbest_p0.3_s3" / "nbest.yaml").is_file()


def test_score_runs_without_torch(decode: Path, tmp_path: Path) -> None:
    """`score` goes as far as the check for sclite, which may not be here."""
    ref = str(decode / "ref_text")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "score", "--ref", ref, "--hyp", ref, "--out", str(tmp_path / "out"), ";"],
        env=os.environ | {"PYTHONPATH": str(ROOT / "local"), "PATH": "/nowhere"},
        capture_output=True,
        text=True,
    )
    assert done.stderr == "lorescore score: sclite not found on the PATH (apt-get install sctk)\n"
    assert not (tmp_path / "out").exists()
