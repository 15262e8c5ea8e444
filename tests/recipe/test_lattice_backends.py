"""k2 and kaldi-decoder on the demo's whole test set: the same best paths, and lattices that are sound and come back."""

import filecmp
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from toy_recipe import needs_demo

from lorescore.lattice.archives import read_lattices, write_lattices
from lorescore.lattice.backends import choose_backend
from lorescore.lattice.lattices import Lattice
from lorescore.lattice.paths import LatticePath, best_path
from lorescore.lattice.words import read_words

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "egs/demo/rescore1"
ACWT = 2.0
MIN_AGREEMENT = 0.99
COST_TOLERANCE = 1e-3  # relative

pytestmark = [pytest.mark.slow, needs_demo]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the demo's test set, its first pass, and the lattices of kaldi-decoder."""
    directory = tmp_path_factory.mktemp("backends")
    run(directory, str(DEMO / "local/data.sh"), "--n_train", "1", "--n_dev", "1", "--n_test", "500")
    shutil.copytree(DEMO / "asr", directory / "exp/asr")
    texts = ["--lm_text", "data/lm_train/text", "--word_list", "data/lm_train/words"]
    run(directory, str(ROOT / "local/lat_decode.sh"), "--set", "test", "--lattice_backend", "kaldi", *texts)
    return directory


def run(directory: Path, *command: str) -> str:
    """What a program prints; it must end well."""
    environment = {**os.environ, "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}", "PYTHONPATH": f"{ROOT}/local"}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def lattices_of(directory: Path, backend: str) -> dict[str, Lattice]:
    """The lattices of a backend by utterance; reading checks that each is acyclic and has a path."""
    lat_dir = directory / "exp/asr/lat_test"
    if backend == "k2":
        lat_dir = directory / "exp/lat_k2"
        decode = ["python3", str(ROOT / "local/lat_decode.py"), "--graph_dir", "exp/graph", "--ctc_dir"]
        run(directory, *decode, "exp/asr/ctc_test", "--lat_dir", str(lat_dir), "--lattice_backend", "k2")
    return {lattice.utt: lattice for lattice in read_lattices(lat_dir)}


def total(path: LatticePath) -> float:
    return path.cost.graph + ACWT * path.cost.acoustic


def test_the_lattices_are_sound_and_come_back(recipe: Path, tmp_path: Path) -> None:
    lattices = lattices_of(recipe, "kaldi")
    assert len(lattices) == 482
    for lattice in lattices.values():
        # Every state is reached, and from every state a final one is.
        assert set(lattice.topological_order) == set(range(lattice.num_states))
        assert all(lattice.leaving[state] or state in lattice.finals for state in range(lattice.num_states))
    for archive in sorted((recipe / "exp/asr/lat_test").glob("lat.*.gz")):
        again = tmp_path / archive.name
        words = read_words(recipe / "exp/asr/lat_test/words.txt")
        write_lattices(again, read_lattices(archive), words)
        assert filecmp.cmp(archive, again, shallow=False)


def test_both_backends_find_the_same_best_paths(recipe: Path) -> None:
    backend = choose_backend("k2")
    if backend.name != "k2":
        pytest.skip(backend.reason)
    best: Mapping[str, dict[str, LatticePath]] = {
        name: {utt: best_path(one, acoustic_scale=ACWT) for utt, one in lattices_of(recipe, name).items()}
        for name in ("kaldi", "k2")
    }
    assert best["kaldi"].keys() == best["k2"].keys()
    different = [utt for utt, path in best["kaldi"].items() if path.words != best["k2"][utt].words]
    for utt in different:
        print(utt, best["kaldi"][utt], best["k2"][utt])
    assert len(different) <= (1 - MIN_AGREEMENT) * len(best["kaldi"])
    for utt in best["kaldi"].keys() - set(different):
        assert total(best["k2"][utt]) == pytest.approx(total(best["kaldi"][utt]), rel=COST_TOLERANCE), utt
