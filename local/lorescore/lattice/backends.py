"""The two programs that make lattices behind one interface: k2 where it can be had, else kaldi-decoder.

k2 is looked for in this environment, then in `.venv-k2`, which local/setup_k2.sh makes: PyPI's k2 1.23.4 wants Python
3.9 and torch 1.13.1. It runs as a program of its own either way (local/k2_decode.py), and its lattices come back as
an archive. Both search the same graph, and their lattices are determinized by the same code.
"""

import gzip
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lorescore.errors import InputError
from lorescore.files import checksum, read_table, remove_left_behind
from lorescore.lattice.archives import read_lattices, write_lattices
from lorescore.lattice.determinize import determinize
from lorescore.lattice.graph import Graph
from lorescore.lattice.lattices import Lattice
from lorescore.lattice.search import SearchOptions, check_log_probs
from lorescore.stamp import Stamp

logger = logging.getLogger(__name__)

LOCAL = Path(__file__).resolve().parents[2]
K2_PROGRAM = LOCAL / "k2_decode.py"
K2_PYTHON = LOCAL.parent / ".venv-k2" / "bin" / "python"
CHECK_K2 = "import k2, kaldiio, numpy, torch; k2.intersect_dense_pruned"
DECODED = "decoded "  # begins a line of a job's log for each utterance; k2_decode.py has the same
BackendName = Literal["k2", "kaldi"]


@dataclass(frozen=True, slots=True)
class Backend:
    """The program that makes the lattices.

    Attributes:
        name: k2 or kaldi.
        reason: Why this one, in a sentence.
        python: The interpreter that runs k2.
    """

    name: BackendName
    reason: str
    python: Path | None = None


def choose_backend(wanted: BackendName, *, k2_python: Path = K2_PYTHON) -> Backend:
    """The wanted backend, or kaldi-decoder where there is no k2.

    Args:
        wanted: k2 or kaldi.
        k2_python: Interpreter of the environment made for k2.
    """
    if wanted == "kaldi":
        return Backend("kaldi", "kaldi-decoder was asked for")
    here = _problem(Path(sys.executable))
    if here is None:
        return Backend("k2", "k2 can be imported in the recipe's environment", Path(sys.executable))
    if not k2_python.is_file():
        return Backend("kaldi", f"no k2: in the recipe's environment {here}; {k2_python.parents[1]} does not exist")
    there = _problem(k2_python)
    if there is None:
        return Backend("k2", f"k2 from {k2_python.parents[1]}; in the recipe's environment {here}", k2_python)
    return Backend("kaldi", f"no k2: in the recipe's environment {here}; in {k2_python.parents[1]} {there}")


def prepare_backend(backend: Backend, graph: Graph) -> None:
    """Make what the backend needs of a graph besides what is there, unless it is there already; before the first job.

    Raises:
        InputError: k2 cannot compose the graph.
    """
    parts = [graph.directory / "L_disambig.fst.txt", graph.directory / "G.fst.txt", K2_PROGRAM]
    stamp = Stamp(graph.directory / "HLG.k2.made_from", checksum(parts))
    if backend.name == "k2" and not stamp.is_current():
        remove_left_behind(graph.directory, ".HLG.k2.npz.", ".npz")
        _run_k2(backend, ["--compile", str(graph.directory)])
        stamp.write()


def make_lattices(
    backend: Backend, graph: Graph, scp: Path, archive: Path, options: SearchOptions, *, device: str = "cpu"
) -> list[str]:
    """Decode the posteriors of one job into an archive, which appears when it is complete.

    Args:
        backend: What `choose_backend` gave, and `prepare_backend` prepared.
        graph: The decoding graph.
        scp: Kaldi scp of log posteriors, (frames, tokens) each.
        archive: The archive, `lat.J.gz`.
        options: How wide to search.
        device: Where k2 computes.

    Returns:
        The utterances for which there is no complete path, which the archive does not have.

    Raises:
        InputError: The posteriors do not fit the graph, k2 fails, or the archive cannot be written.
    """
    found: set[str] = set()
    if backend.name == "k2":
        raw = _k2_lattices(backend, graph, scp, archive, options, device)
    else:
        raw = _kaldi_lattices(graph, scp, options)

    def determinized() -> Iterator[Lattice]:
        for lattice in raw:
            found.add(lattice.utt)
            yield determinize(lattice, acoustic_scale=options.acoustic_scale, beam=options.lattice_beam)

    for name in (archive.name, _raw(archive).name):
        remove_left_behind(archive.parent, f".{name}.", ".tmp")
    write_lattices(archive, determinized(), graph.words)
    failed = sorted(read_table(scp).keys() - found)
    for utt in failed:
        logger.warning("%s: no complete path for utterance %s", archive, utt)
    return failed


def _kaldi_lattices(graph: Graph, scp: Path, options: SearchOptions) -> Iterator[Lattice]:
    import kaldiio

    from lorescore.lattice.decode_kaldi import KaldiDecoder

    decoder = KaldiDecoder(graph, options)
    for utt, log_probs in kaldiio.load_scp_sequential(str(scp)):
        lattice = decoder.decode(utt, log_probs)
        logger.info("%s%s", DECODED, utt)
        if lattice:
            yield lattice


def _k2_lattices(
    backend: Backend, graph: Graph, scp: Path, archive: Path, options: SearchOptions, device: str
) -> Iterator[Lattice]:
    import kaldiio

    for utt, log_probs in kaldiio.load_scp_sequential(str(scp)):
        check_log_probs(utt, log_probs, graph)
    raw = _raw(archive)
    arguments = ["--graph_dir", str(graph.directory), "--scp", str(scp), "--out", str(raw), "--device", device]
    for name in ("acoustic_scale", "beam", "lattice_beam"):
        arguments += [f"--{name}", str(getattr(options, name))]
    archive.parent.mkdir(parents=True, exist_ok=True)
    try:
        _run_k2(backend, arguments)
        with gzip.open(raw) as file:
            empty = not file.read(1)
        if not empty:
            yield from read_lattices(raw, graph.words)
    finally:
        raw.unlink(missing_ok=True)


def _raw(archive: Path) -> Path:
    """Where k2 leaves the lattices of an archive for a while."""
    return archive.with_name(f".{archive.name}.raw.gz")


def _run_k2(backend: Backend, arguments: list[str]) -> None:
    """Run k2_decode.py.

    Raises:
        InputError: It fails; with its last line.
    """
    done = subprocess.run(
        [str(backend.python), str(K2_PROGRAM), *arguments],
        env=_clean_environment(),
        stdout=None if "--scp" in arguments else subprocess.DEVNULL,  # its lines for the log
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        check=False,
        close_fds=False,  # run.sh's lock stays held until it has ended
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise InputError(
            f"k2 failed with status {done.returncode}: {last}", mend="--lattice_backend kaldi does without"
        )


def _problem(python: Path) -> str | None:
    """Why k2 cannot be used by an interpreter; None where it can."""
    command = [str(python), "-c", CHECK_K2]
    try:
        done = subprocess.run(
            command, env=_clean_environment(), capture_output=True, encoding="utf-8", errors="replace", check=False
        )
    except OSError as error:
        return f"{python} cannot be run ({error.strerror})"
    lines = done.stderr.strip().splitlines()
    return None if done.returncode == 0 else (lines[-1] if lines else f"python ended with status {done.returncode}")


def _clean_environment() -> dict[str, str]:
    """The environment without the recipe's Python path, whose packages are not for another Python."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
