"""`run.sh --rescorer_nj N --cmd ...`: rescorers side by side, on their own GPUs, with the results of one at a time."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from toy_recipe import ROOT, kept, make_recipe, needs_recipe, run_sh
from waiting import wait_for

from lorescore.files import read_yaml

# What run.sh has when it comes to its jobs.
HEAD = f"""\
set -euo pipefail
log() {{ echo "$*"; }}
die() {{ echo "$*" >&2; exit 1; }}
nj=4 rescorer_nj=2 cmd="${{cmd:-}}"
. {ROOT}/local/jobs.sh
"""


def script(
    directory: Path, body: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run some jobs in a directory."""
    env = {key: value for key, value in os.environ.items() if key not in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")}
    return subprocess.run(
        ["bash", "-c", HEAD + body], cwd=directory, env=env | (environment or {}), capture_output=True, text=True
    )


def logged(directory: Path) -> dict[str, str]:
    return {path.stem: path.read_text().strip() for path in sorted((directory / "exp" / "log").glob("*.log"))}


def test_each_job_has_a_gpu(tmp_path: Path) -> None:
    body = "for name in a b c d; do start $name bash -c 'sleep 0.2; echo $CUDA_VISIBLE_DEVICES'; done; finish"
    done = script(tmp_path, body, {"CUDA_VISIBLE_DEVICES": "3,5"})
    assert done.returncode == 0, done.stderr
    found = logged(tmp_path)
    assert set(found) == {"a", "b", "c", "d"}
    assert (found["a"], found["b"]) == ("3", "5")
    assert set(found.values()) == {"3", "5"}


def test_without_gpus_the_cores_are_shared_out(tmp_path: Path) -> None:
    body = "start a bash -c 'echo $OMP_NUM_THREADS'; finish"
    assert script(tmp_path, body, {"CUDA_VISIBLE_DEVICES": ""}).returncode == 0
    assert logged(tmp_path) == {"a": "2"}
    assert script(tmp_path, body, {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "3"}).returncode == 0
    assert logged(tmp_path) == {"a": "3"}


def test_jobs_go_through_a_command(tmp_path: Path) -> None:
    """It decides on devices itself."""
    body = "start a bash -c 'echo $WHERE ${OMP_NUM_THREADS:-all}'; finish; rescorer_nj=1; start b bash -c 'echo $WHERE'"
    done = script(tmp_path, body, {"cmd": "env WHERE=there"})
    assert (done.returncode, logged(tmp_path)) == (0, {"a": "there all"}), done.stderr
    assert done.stdout.splitlines()[-1] == "there"


def test_a_scheduler_that_writes_the_log_itself(tmp_path: Path) -> None:
    """As Kaldi's queue.pl: options, the log, the command."""
    queue = tmp_path / "queue.pl"
    queue.write_text('#!/bin/sh\nshift 2\nlog="$1"\nshift\necho submitted\n"$@" > "$log"\n')
    queue.chmod(0o755)
    done = script(
        tmp_path, "start a echo done; finish; rescorer_nj=1; start b echo again", {"cmd": f"{queue} --gpu 1 {{log}}"}
    )
    assert done.returncode == 0, done.stderr
    assert logged(tmp_path) == {"a": "done", "b": "again"}
    assert (tmp_path / "exp" / "log" / "a.submitted").read_text() == "submitted\n"


def test_no_more_than_asked_for_at_a_time(tmp_path: Path) -> None:
    count = "touch $$.run; sleep 0.3; ls | grep -c run$; rm $$.run"
    body = f"for name in a b c d e; do start $name bash -c '{count}'; done; finish"
    done = script(tmp_path, body)
    assert done.returncode == 0, done.stderr
    assert len(logged(tmp_path)) == 5
    assert all(int(count) <= 2 for count in logged(tmp_path).values())


def test_a_job_that_fails_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    body = "start a bash -c 'echo no space >&2; exit 3'; start b true; start c bash -c 'echo done'; finish; echo after"
    done = script(tmp_path, body)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-3:] == [
        "exp/log/a.log:",
        "no space",
        "failed: a; once that is mended, call it again to go on",
    ]
    assert "after" not in done.stdout
    assert logged(tmp_path)["c"] == "done"


def test_a_scheduler_that_is_not_there(tmp_path: Path) -> None:
    done = script(tmp_path, "start a true; start b true; finish", {"cmd": "no_such_queue.pl {log}"})
    assert done.returncode == 1
    assert "exp/log/a.submitted:" in done.stderr and "no_such_queue.pl" in done.stderr
    assert done.stderr.splitlines()[-1] == "failed: a b; once that is mended, call it again to go on"


def test_one_at_a_time_shows_what_it_says_and_ends_the_script_where_it_fails(tmp_path: Path) -> None:
    body = "rescorer_nj=1; start a echo said; start b bash -c 'cat; exit 3'; echo after"
    done = script(tmp_path, body)
    assert (done.returncode, done.stdout, done.stderr) == (3, "said\n", "")


def test_a_command_that_fails_without_a_word(tmp_path: Path) -> None:
    done = script(tmp_path, "rescorer_nj=1; start train_a echo done; echo goes on", {"cmd": "false"})
    expected = "failed: train_a, which ran through --cmd; once that is mended, call it again to go on\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)


@pytest.mark.parametrize("nj", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_jobs(tmp_path: Path, nj: int, number: signal.Signals) -> None:
    body = f"rescorer_nj={nj}; start a bash -c 'echo $$ > pid; exec sleep 60'; finish"
    process = subprocess.Popen(
        ["bash", "-c", HEAD + body],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        # As at a terminal: tests that run in the background, or by nohup, have been started with these ignored.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    pid_file = tmp_path / "pid"
    assert wait_for(lambda: pid_file.exists() and pid_file.read_text().strip() != "", 20)
    process.send_signal(number)
    assert process.wait(20) == 128 + number
    state = Path(f"/proc/{int(pid_file.read_text())}/stat")
    assert wait_for(lambda: not state.exists() or state.read_text().split()[2] == "Z", 20)


@pytest.mark.slow
@needs_recipe
def test_two_at_a_time_give_what_one_at_a_time_gives(tmp_path: Path) -> None:
    """Adapters, texts and weights, to the byte."""
    results = []
    for nj in ("1", "2"):
        directory = tmp_path / nj
        options = [*make_recipe(directory), "--lora", "vanilla", "--seeds", "1 2", "--rescorer_nj", nj]
        run_sh(directory, "--stage", "5", "--stop_stage", "6", *options)
        results.append(kept(directory))
    assert len(results[0]) > 6
    assert results[0] == results[1]
    assert (tmp_path / "2" / "exp" / "log" / "train_llama_clm_vanilla_mwer_s1.log").is_file()


@pytest.mark.slow
@needs_recipe
def test_jobs_share_the_scoring_of_one_rescorer(tmp_path: Path) -> None:
    """Where there are more jobs than rescorers; with history merging, which has no scores to share, one does it all."""
    options = [*make_recipe(tmp_path / "1"), "--lora", "vanilla", "--rates", "0.3"]
    run_sh(tmp_path / "1", "--stage", "5", "--stop_stage", "5", *options)
    shutil.copytree(tmp_path / "1", tmp_path / "3")
    results = []
    for nj in ("1", "3"):
        options += ["--rescorer_nj", nj]
        run_sh(tmp_path / nj, "--stage", "6", "--stop_stage", "9", "--perturb_seeds", "1", *options)
        results.append(kept(tmp_path / nj))
    assert len(results[0]) > 6
    assert results[0] == results[1]
    logs = tmp_path / "3" / "exp" / "log"
    names = [f"{stage}_llama_clm_vanilla_mwer_s1.{part}.log" for stage in ("nprr", "rescore") for part in (1, 2, 3)]
    assert sorted(path.name for path in logs.glob("[nr]*")) == names
    for name in names:
        (logs / name).unlink()
    run_sh(tmp_path / "3", "--stage", "6", "--stop_stage", "6", *options, "--history", "2")
    assert [path.name for path in logs.glob("r*")] == ["rescore_llama_clm_vanilla_mwer_s1.log"]


@pytest.mark.slow
@needs_recipe
def test_every_scoring_goes_through_the_command(tmp_path: Path) -> None:
    """The calls that collect what the jobs did, too: elsewhere the scores may be of other numbers."""
    options = [*make_recipe(tmp_path), "--lora", "none vanilla", "--seeds", "1", "--combine", "all"]
    options += ["--perturbations", "homophone worst", "--perturb_seeds", "1", "--rates", "0.3"]
    through = tmp_path / "through"
    through.write_text(f'#!/usr/bin/env bash\necho "${{@:4}}" >> {tmp_path}/calls\nexec "$@"\n')
    through.chmod(0o755)
    options += ["--train_nj", "2"]
    run_sh(tmp_path, "--stage", "5", "--stop_stage", "9", *options, "--cmd", str(through))
    calls = (tmp_path / "calls").read_text().splitlines()
    verbs = [call.split()[0] for call in calls]
    # Verb by verb each rescorer by itself, then all of them.
    assert verbs == ["train", *["rescore"] * 2, "combine", "rescore", "perturb", *["nprr"] * 3]
    assert "--nj 2" in calls[0]  # which shares itself out
    assert read_yaml(tmp_path / "exp/plm/llama_clm_vanilla_mwer_s1/config.yaml")["training"]["processes"] == 2
    together = "--tags llama_clm_none llama_clm_vanilla_mwer_s1 combined"
    assert calls[4].endswith(together) and calls[-1].endswith(together)


@needs_recipe
@pytest.mark.parametrize("rescorer_nj", ["1", "2"])
def test_a_job_that_a_scheduler_loses_is_noticed(tmp_path: Path, rescorer_nj: str) -> None:
    """One that reports success all the same."""
    options = [*make_recipe(tmp_path), "--lora", "vanilla", "--rescorer_nj", rescorer_nj, "--cmd", "true {log}"]
    done = subprocess.run(
        [ROOT / "run.sh", "--stage", "5", "--stop_stage", "5", *options], cwd=tmp_path, capture_output=True, text=True
    )
    expected = "exp/plm/llama_clm_vanilla_mwer_s1: no rescorer here, its training ended without one; call it again"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, f"{ROOT}/run.sh: {expected} to go on")
    assert "Done: " not in done.stdout
