"""`run.sh --cmd "srun ..."` on a real Slurm: results as here, failures named, jobs that end with run.sh."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm import needs_slurm, slurm
from toy_recipe import ROOT, kept, make_recipe, needs_recipe, run_sh
from waiting import wait_for

pytestmark = [pytest.mark.slow, needs_slurm, needs_recipe]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with slurm(tmp_path_factory.mktemp("slurm")) as env:
        yield env


def jobs(env: dict[str, str]) -> list[str]:
    """The jobs that Slurm knows as waiting or running; not those that it still clears up after."""
    states = ["squeue", "--noheader", "--states=PENDING,RUNNING"]
    asked = subprocess.run(states, env=env, capture_output=True, text=True, check=True)
    return asked.stdout.splitlines()


def test_jobs_of_slurm_give_what_this_machine_gives(
    cluster: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in cluster.items():
        monkeypatch.setenv(key, value)
    through_slurm = ["--rescorer_nj", "2", "--cmd", "srun --ntasks=1 --cpus-per-task=1"]
    results = []
    for name, how in (("here", []), ("slurm", through_slurm)):
        directory = tmp_path / name
        options = [*make_recipe(directory), "--lora", "vanilla", "--seeds", "1 2", "--rates", "0.1", *how]
        run_sh(directory, "--stage", "5", "--stop_stage", "9", "--perturb_seeds", "1", *options)
        results.append(kept(directory))
    assert len(results[0]) > 8
    assert results[0] == results[1]
    assert (tmp_path / "slurm/exp/log/train_llama_clm_vanilla_mwer_s1.log").is_file()
    assert not jobs(cluster)


def test_a_request_that_slurm_refuses(cluster: dict[str, str], tmp_path: Path) -> None:
    options = [*make_recipe(tmp_path), "--lora", "vanilla", "--seeds", "1 2", "--rescorer_nj", "2"]
    done = subprocess.run(
        [ROOT / "run.sh", "--stage", "5", "--stop_stage", "5", *options, "--cmd", "srun --partition=none"],
        cwd=tmp_path,
        env=cluster,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "invalid partition" in done.stderr
    assert "failed: train_llama_clm_vanilla_mwer_s1 train_" in done.stderr.splitlines()[-1]
    assert not list((tmp_path / "exp" / "plm").glob("*"))


@pytest.mark.parametrize(
    ("rescorer_nj", "cmd"),
    # With and without the option with which srun itself ends at the first Ctrl-C.
    [("1", "srun --quit-on-interrupt --ntasks=1"), ("2", "srun --ntasks=1")],
)
def test_jobs_end_with_run_sh(cluster: dict[str, str], tmp_path: Path, rescorer_nj: str, cmd: str) -> None:
    options = [*make_recipe(tmp_path), "--lora", "vanilla", "--seeds", "1 2", "--rescorer_nj", rescorer_nj]
    # A training that would go on for hours.
    (tmp_path / "train.yaml").write_text("epochs: 5000\nlists_per_step: 8\nevaluations: 1\n")
    process = subprocess.Popen(
        [ROOT / "run.sh", "--stage", "5", "--stop_stage", "5", *options, "--cmd", cmd],
        cwd=tmp_path,
        env=cluster,
        start_new_session=True,
        # As at a terminal: tests that run in the background have been started with interrupts ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert wait_for(lambda: [job.split()[4] for job in jobs(cluster)] == ["R"] * int(rescorer_nj)), jobs(cluster)
        # Until they train, as srun hears an interrupt otherwise while it is launching.
        assert wait_for(lambda: len([*tmp_path.glob("exp/tensorboard/*/events*")]) == int(rescorer_nj))
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C at a terminal, which reaches srun, too
        assert process.wait(30) != 0
        assert wait_for(lambda: not jobs(cluster)), jobs(cluster)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        subprocess.run(["scancel", "--user=root"], env=cluster, check=False)
