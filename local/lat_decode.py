#!/usr/bin/env python3
"""Stage 3: CTC posteriors x HLG -> lattices, one job for each posterior archive, in Kaldi's layout.

    <lat_dir>/lat.J.gz, words.txt, num_jobs    the lattices of ctc.J.scp
    <lat_dir>/tokens.txt, lexicon.txt          what their alignments and their words are made of
    <lat_dir>/frame_shift                      seconds of a frame
    <lat_dir>/failed.J                         utterances without a complete path: they have no lattice
    <lat_dir>/backend.yaml                     which program made them, and why that one; the options
    <lat_dir>/log/lat.J.log

An interrupted call goes on with the jobs that are missing; `lat.stamp` says what the lattices were made from.
"""

import argparse
import logging
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from lorescore.cli.jobs import Job, run_jobs
from lorescore.errors import InputError
from lorescore.files import checksum, read_table, write_table, write_yaml
from lorescore.lattice.backends import DECODED, Backend, choose_backend, make_lattices, prepare_backend
from lorescore.lattice.graph import Graph
from lorescore.lattice.search import SearchOptions
from lorescore.lattice.source import FRAME_SHIFT_FILE, read_frame_shift
from lorescore.stamp import Stamp


def main(argv: list[str] | None = None) -> int:
    """Make lattices; the exit status: 0, or 1 for bad input or a failed job."""
    defaults = SearchOptions()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--graph_dir", type=Path, required=True, help="decoding graph")
    parser.add_argument("--ctc_dir", type=Path, required=True, help="posteriors, ctc.J.scp")
    parser.add_argument("--lat_dir", type=Path, required=True, help="output")
    parser.add_argument("--lattice_backend", choices=("k2", "kaldi"), default="k2", help="k2, or kaldi-decoder")
    parser.add_argument("--acwt", type=float, default=defaults.acoustic_scale, help="weight of the acoustic cost")
    parser.add_argument("--beam", type=float, default=defaults.beam, help="beam of the search")
    parser.add_argument("--lattice_beam", type=float, default=defaults.lattice_beam, help="beam of the lattices")
    parser.add_argument("--frame_shift", type=float, help="seconds of a posterior frame (default: ctc_dir's)")
    parser.add_argument("--device", default="cpu", help="where k2 computes: cpu or cuda")
    # How the program calls itself.
    parser.add_argument("--job", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--k2_python", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    # What a job has decoded is in its log.
    logging.basicConfig(level=logging.WARNING if args.job is None else logging.INFO, format="%(message)s")
    try:
        return run(args, [*(argv if argv is not None else sys.argv[1:])])
    except InputError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1


def run(args: argparse.Namespace, command_line: Sequence[str]) -> int:
    """Start the jobs that are missing and wait for them, or do one job; the exit status.

    Raises:
        InputError: An input is missing, or the output cannot be written.
    """
    options = SearchOptions(args.acwt, args.beam, args.lattice_beam)
    graph = Graph.read(args.graph_dir)
    if args.job is not None:
        backend = Backend(args.lattice_backend, "chosen before the job began", args.k2_python)
        archive = args.lat_dir / f"lat.{args.job}.gz"
        failed = make_lattices(backend, graph, ctc_scp(args, args.job), archive, options, device=args.device)
        write_table(args.lat_dir / f"failed.{args.job}", [(utt, "") for utt in failed + too_short(args, args.job)])
        return 0

    num_jobs = sum(1 for _ in args.ctc_dir.glob("ctc.*.scp"))
    if not num_jobs:
        raise InputError(
            "no posteriors, expected ctc.J.scp", path=args.ctc_dir, mend="local/ctc_posteriors.py makes them"
        )
    backend = choose_backend(args.lattice_backend)
    print(f"{args.lat_dir}: lattices by {backend.name}: {backend.reason}")
    prepare_backend(backend, graph)
    shift = args.frame_shift if args.frame_shift is not None else read_frame_shift(args.ctc_dir)
    start_directory(args, graph, backend, options, num_jobs, shift)
    made = {job: [args.lat_dir / f"lat.{job}.gz", args.lat_dir / f"failed.{job}"] for job in range(1, num_jobs + 1)}
    jobs = [job for job, paths in made.items() if not all(path.is_file() for path in paths)]
    if jobs:
        print(f"{args.lat_dir}: jobs {' '.join(map(str, jobs))} of {num_jobs}; logs: {args.lat_dir}/log/lat.*.log")
    sizes = {job: len(read_table(ctc_scp(args, job))) for job in range(1, num_jobs + 1)}
    logs = {job: args.lat_dir / "log" / f"lat.{job}.log" for job in jobs}
    # A job takes the backend that was found here: looking for k2 takes seconds.
    chosen = ["--lattice_backend", backend.name, *(["--k2_python", str(backend.python)] if backend.python else [])]
    commands = {job: [sys.executable, __file__, *command_line, *chosen, "--job", str(job)] for job in jobs}
    if run_jobs(
        [Job(job, commands[job], logs[job]) for job in jobs],
        str(args.lat_dir),
        total=sum(sizes[job] for job in jobs),
        done=lambda: sum(decoded(log) for log in logs.values()),
    ):
        return 1
    failed = [utt for job in range(1, num_jobs + 1) for utt in read_table(args.lat_dir / f"failed.{job}")]
    utts = sum(size + len(too_short(args, job)) for job, size in sizes.items())
    print(f"{args.lat_dir}: lattices of {utts - len(failed)} utterances, {len(failed)} without a complete path")
    return 0


def ctc_scp(args: argparse.Namespace, job: int) -> Path:
    """The posteriors of a job."""
    return args.ctc_dir / f"ctc.{job}.scp"


def too_short(args: argparse.Namespace, job: int) -> list[str]:
    """The utterances of a job that are too short for the model: they have no posteriors, and so no path."""
    path = args.ctc_dir / f"ctc.{job}.too_short"
    return list(read_table(path)) if path.is_file() else []


def start_directory(
    args: argparse.Namespace, graph: Graph, backend: Backend, options: SearchOptions, num_jobs: int, frame_shift: float
) -> None:
    """Write what stands beside the lattices; lattices that were made from something else go."""
    inputs = [args.ctc_dir / "ctc.stamp", graph.directory / "graph.yaml"]
    made_from = f"{checksum(inputs)} {backend.name} {options} {num_jobs} {frame_shift:g}"
    stamp = Stamp(args.lat_dir / "lat.stamp", made_from)
    if not stamp.is_current():
        message = "holds lattices that were not made here"
        foreign = InputError(message, path=args.lat_dir, mend="name another directory")
        stamp.make_way([*args.lat_dir.glob("lat.*"), *args.lat_dir.glob("failed.*")], foreign)
        args.lat_dir.mkdir(parents=True, exist_ok=True)
        for name in ("words.txt", "tokens.txt", "lexicon.txt"):
            shutil.copyfile(graph.directory / name, args.lat_dir / name)
        (args.lat_dir / FRAME_SHIFT_FILE).write_text(f"{frame_shift:g}\n", encoding="utf-8")
        (args.lat_dir / "num_jobs").write_text(f"{num_jobs}\n", encoding="utf-8")
        stamp.write()
    settings = {"acwt": options.acoustic_scale, "beam": options.beam, "lattice_beam": options.lattice_beam}
    write_yaml(args.lat_dir / "backend.yaml", {"backend": backend.name, "reason": backend.reason, **settings})


def decoded(log: Path) -> int:
    """Utterances that a job has decoded, as its log has them."""
    return log.read_bytes().count(DECODED.encode()) if log.is_file() else 0


if __name__ == "__main__":
    sys.exit(main())
