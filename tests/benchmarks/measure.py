"""Seconds and memory: ways side by side in one process, or one way in a process of its own."""

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

CHILD = Path(__file__).with_name("child.py")
PACKAGES = ("torch", "transformers", "peft", "minicons", "speechbrain")
STATUS = Path("/proc/self/status")
RESET_PEAK = "5"  # what Linux takes for /proc/self/clear_refs to set VmHWM to VmRSS (proc_pid_clear_refs(5))

Seconds = dict[str, list[float]]


def seconds(way: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    started = time.perf_counter()
    way()
    return time.perf_counter() - started


def side_by_side(ways: Mapping[str, Callable[[], object]], repeats: int) -> Seconds:
    """Time every way `repeats` times, one run of each in turn, so that a machine that slows down does so for all."""
    taken: Seconds = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            taken[name].append(seconds(way))
    return taken


def median(runs: list[float]) -> float:
    """The median run."""
    return statistics.median(runs)


def peak_mb() -> float:
    """Largest resident memory of this process since its start, or since `reset_peak`, in MB.

    Not getrusage's ru_maxrss, which a process inherits from the one that started it.
    """
    found = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text(encoding="ascii"))
    assert found, "Linux names the peak in /proc/self/status"
    return int(found[1]) * 1024 / 1e6


def reset_peak() -> float:
    """Forget the peak so far, such as that of loading a model; the resident memory at this moment, in MB."""
    Path("/proc/self/clear_refs").write_text(RESET_PEAK, encoding="ascii")
    return peak_mb()


def in_child(function: Callable[..., dict[str, Any]], threads: int, **arguments: Any) -> dict[str, Any]:
    """What a function of a section says in a fresh process, with that process's `peak_mb`.

    Args:
        function: Of a module of this folder; it takes and gives plain JSON types.
        threads: Threads of the process.
        arguments: What it is called with.
    """
    job = {"module": function.__module__, "function": function.__name__, "threads": threads, "arguments": arguments}
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, str(CHILD)], input=json.dumps(job), env=environment, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{function.__module__}.{function.__name__} ended with status {done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def conditions() -> dict[str, Any]:
    """What a number depends on besides the code: processor, load at this moment, versions."""
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"model name\s*:\s*(.+)", cpuinfo)
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "processor": model[1] if model else platform.processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "versions": versions,
    }
