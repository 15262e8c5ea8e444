"""A recipe directory with toy lists and a tiny PLM, and run.sh called in it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from plm_models import save_plm
from toy_nbest import toy_nbest

from lorescore.files import write_yaml
from lorescore.nbest import write_nbest_dir
from lorescore.plm.load import fetch_plm
from lorescore.plm.settings import PlmSettings

ROOT = Path(__file__).resolve().parents[2]

needs_recipe = pytest.mark.skipif(
    not ((ROOT / ".venv/bin/python").exists() and (shutil.which("sc_stats") or shutil.which("sctk"))),
    reason="no .venv or no sctk: ./run.sh --stage 0 --stop_stage 0 makes them",
)


# What Debian's espeak-ng, wordnet-base and sctk bring: the demo from its data to its scores.
needs_demo = pytest.mark.skipif(
    not (
        shutil.which("espeak-ng")
        and Path("/usr/share/wordnet/data.noun").is_file()
        and (shutil.which("sc_stats") or shutil.which("sctk"))
    ),
    reason="no espeak-ng, wordnet-base or sctk: as root, ./run.sh --stage 0 --stop_stage 0 installs them",
)


def path_without(folder: Path, *programs: str) -> str:
    """The PATH without some programs; what else stands beside them is linked to from a folder."""
    places = []
    for number, place in enumerate(map(Path, os.environ["PATH"].split(":"))):
        if any((place / program).exists() for program in programs):
            links = folder / str(number)
            links.mkdir(parents=True)
            for program in place.iterdir():
                if program.name not in programs:
                    (links / program.name).symlink_to(program)
            place = links
        places.append(str(place))
    return ":".join(places)


def root_without_sctk(folder: Path) -> tuple[Path, dict[str, str]]:
    """The repository where no sctk is installed: its root, and the environment for run.sh there."""
    root = folder / "root"
    root.mkdir()
    for name in ("local", "conf", "egs", ".venv"):
        (root / name).symlink_to(ROOT / name)
    shutil.copy2(ROOT / "run.sh", root)
    paths = (ROOT / "path.sh").read_text()
    assert ":/usr/lib/sctk/bin" in paths
    (root / "path.sh").write_text(paths.replace(":/usr/lib/sctk/bin", ""))
    places = path_without(folder / "places", "sctk", "sclite", "sc_stats")
    return root, os.environ | {"PATH": places, "OMP_NUM_THREADS": "1"}


def make_recipe(directory: Path) -> list[str]:
    """The sets train, dev and test, a fetched PLM and train.yaml; the options that name the last two."""
    for number, (name, lists) in enumerate({"train": 16, "dev": 10, "test": 12}.items()):
        write_nbest_dir(directory / "exp" / "nbest" / name, toy_nbest(lists, seed=number))
    source = save_plm(directory.parent / "llama", "llama")
    fetch_plm(PlmSettings("llama", str(source)), directory / "exp" / "plm_base" / "llama_clm")
    write_yaml(directory / "train.yaml", {"epochs": 1, "lists_per_step": 8, "evaluations": 1})
    return ["--plm", str(source), "--train_config", "train.yaml"]


def run_sh(directory: Path, *options: str) -> str:
    """What run.sh says, which has to succeed."""
    done = subprocess.run(
        [ROOT / "run.sh", *options],
        cwd=directory,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def kept(directory: Path) -> dict[str, bytes]:
    """What has to be the same to the byte however it was made: adapters, weights, texts, NPRR."""
    patterns = ("plm/*/adapter_model.safetensors", "rescore/**/weights.yaml", "rescore/**/text", "nprr/*.json")
    found = [path for pattern in patterns for path in sorted((directory / "exp").glob(pattern))]
    return {str(path.relative_to(directory)): path.read_bytes() for path in found}
