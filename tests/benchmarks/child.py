"""Run one function of a section in this process: a job as JSON on standard input, its numbers as a line of JSON."""

import importlib
import json
import sys

import torch
from measure import peak_mb


def main() -> None:
    """Read the job, call the function, print what it says and the peak of this process."""
    job = json.load(sys.stdin)
    torch.set_num_threads(job["threads"])
    function = getattr(importlib.import_module(job["module"]), job["function"])
    numbers = function(**job["arguments"])
    print(json.dumps(numbers | {"peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
