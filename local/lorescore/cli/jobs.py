"""Parallel jobs of a stage: a process with one thread and a log each, so that results do not depend on their number."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TypeVar

from lorescore.cli.progress import duration
from lorescore.errors import InputError

Item = TypeVar("Item")

POLL_SECONDS = 0.5
REPORT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Job:
    """One process.

    Attributes:
        number: Of the job, from 1.
        command: What to run.
        log: Where its output goes.
    """

    number: int
    command: Sequence[str]
    log: Path


def shares(items: Sequence[Item], nj: int) -> list[Sequence[Item]]:
    """What each of at most `nj` jobs takes, in order and in equal parts; none takes nothing.

    Raises:
        InputError: `nj` is below 1.
    """
    if nj < 1:
        raise InputError(f"--nj {nj}, expected 1 or more", mend="correct --nj")
    nj = min(nj, len(items))
    return [items[job * len(items) // nj : (job + 1) * len(items) // nj] for job in range(nj)]


def run_jobs(
    jobs: Sequence[Job],
    what: str,
    *,
    total: int,
    done: Callable[[], int],
    finish: Callable[[int], object] | None = None,
    came_to: Callable[[int], str] | None = None,
) -> bool:
    """Run jobs side by side, and say now and then how far they are; those that fail are named at the end.

    Args:
        jobs: The jobs; none of them outlives this call.
        what: What stands before each line.
        total: Utterances of all jobs.
        done: Tells how many of them are done.
        finish: Called with the number of a job that has ended well.
        came_to: Tells of a job that has failed how far it came.

    Returns:
        Whether one failed.
    """
    running: dict[int, subprocess.Popen[bytes]] = {}
    failed = []
    started = reported = time.monotonic()
    before = done()
    ends_quietly = signal.signal(signal.SIGTERM, _exit)  # without this it would not come to `finally`
    try:
        for job in jobs:
            job.log.parent.mkdir(parents=True, exist_ok=True)
            with job.log.open("wb") as log:
                environment = os.environ | {"OMP_NUM_THREADS": "1"}
                # They keep run.sh's lock open, as what is left of a killed call must not meet the next one's jobs.
                running[job.number] = subprocess.Popen(
                    job.command, stdout=log, stderr=subprocess.STDOUT, env=environment, close_fds=False
                )
        unfinished = list(jobs)
        while unfinished:
            time.sleep(POLL_SECONDS)
            ended = [job for job in unfinished if running[job.number].poll() is not None]
            for job in ended:
                unfinished.remove(job)
                if running[job.number].returncode != 0:
                    failed.append(job)
                elif finish:
                    finish(job.number)
            now, so_far = time.monotonic(), done()
            if unfinished and so_far > before and now - reported >= REPORT_SECONDS:
                left = (now - started) / (so_far - before) * (total - so_far)
                print(f"{what}: {so_far} of {total} utterances, {duration(left)} left", file=sys.stderr, flush=True)
                reported = now
    except KeyboardInterrupt:
        print(f"{what}: interrupted; start it again to go on", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    finally:
        for process in running.values():
            process.kill()
        signal.signal(signal.SIGTERM, ends_quietly)
    for job in failed:
        why = _why(running[job.number].returncode, job.log)
        place = came_to(job.number) if came_to else ""
        print(f"{what}: job {job.number} failed{place}: {why}; log: {job.log}", file=sys.stderr)
    return bool(failed)


def _why(status: int, log: Path) -> str:
    """Why a job failed: the last line of its log, or the signal that ended it, which is not in there."""
    if status == -signal.SIGKILL:
        return "killed, as by the system where memory runs out (fewer jobs need less: --nj)"
    if status < 0:
        return f"ended by signal {-status}, {signal.strsignal(-status)}"
    return (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["(empty log)"])[-1]


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
