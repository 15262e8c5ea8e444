"""The wheel: all modules and settings are in it, and it works far from the repository, in an environment of its own."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
import yaml
from plm_models import new_rescorer

from lorescore.files import write_yaml

ROOT = Path(__file__).resolve().parents[1]
FILES = ("*.py", "py.typed", "*.html")  # of the package, besides its settings
# Runs the examples of the docstrings of some modules; `directory` is a rescorer in them.
DOCTESTS = """
import doctest, importlib, sys
for name in sys.argv[2:]:
    done = doctest.testmod(importlib.import_module(name), extraglobs={"directory": sys.argv[1]})
    print(name, done.attempted > 0, done.failed)
"""


def pip(*arguments: str | Path) -> None:
    """Run pip, without a network."""
    command = [sys.executable, "-m", "pip", *arguments]
    done = subprocess.run(command, env=elsewhere() | {"PIP_NO_INDEX": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def elsewhere() -> dict[str, str]:
    """The environment without the repository's paths, where pip would find its editable installation."""
    return {key: value for key, value in os.environ.items() if key not in ("LORESCORE_ROOT", "PYTHONPATH")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what it is made from."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "conf", source / "conf")
    shutil.copytree(ROOT / "local" / "lorescore", source / "local" / "lorescore", symlinks=True, ignore=ignored)
    pip("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", built, source)
    (wheel,) = built.glob("lorescore-*.whl")
    return wheel


@pytest.fixture(scope="module")
def bin_dir(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment with the wheel, which takes its dependencies from the present one."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=False)
    bin_dir = environment / "bin"
    pip("--python", bin_dir / "python", "install", "--quiet", "--no-deps", wheel)
    (site,) = environment.glob("lib/python*/site-packages")
    # A path alone: the .pth files there, the repository's editable installation among them, are not followed.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return bin_dir


def run(directory: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program without the repository's paths."""
    return subprocess.run(command, cwd=directory, env=elsewhere(), capture_output=True, text=True)


def test_everything_is_in_it(wheel: Path, tmp_path: Path) -> None:
    def files(folder: Path, *patterns: str) -> set[Path]:
        return {path.relative_to(folder) for pattern in patterns for path in folder.rglob(pattern)}

    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    package = tmp_path / "lorescore"
    assert files(package, *FILES) == files(ROOT / "local" / "lorescore", *FILES)
    settings = files(ROOT / "conf", "*.yaml")
    assert Path("plm/smollm2.yaml") in settings
    assert files(package / "conf", "*.yaml") == settings
    assert not any(path.is_symlink() for path in package.rglob("*"))
    (metadata,) = tmp_path.glob("*.dist-info")
    assert {path.name for path in tmp_path.iterdir()} == {"lorescore", metadata.name}


def test_it_works_outside_the_repository(bin_dir: Path, tmp_path: Path) -> None:
    """The installed package finds its settings: a PLM by its name, a strategy by its name."""
    python, lorescore = bin_dir / "python", bin_dir / "lorescore"
    where = run(tmp_path, python, "-c", "import lorescore; print(lorescore.__file__)")
    assert Path(where.stdout.strip()).is_relative_to(bin_dir.parent), where.stderr
    assert "usage: lorescore [-h]" in run(tmp_path, lorescore, "--help").stdout
    done = run(tmp_path, lorescore, "tag", "--plm", "smollm2", "--lora", "none vanilla")
    assert (done.stdout, done.stderr) == ("smollm2_clm_none\nsmollm2_clm_vanilla_mwer_s1\n", "")
    program = (
        "import argparse; from lorescore.cli.plm_options import CONF_DIR; from lorescore.files import read_yaml;"
        "print(read_yaml(CONF_DIR / 'train.yaml')['epochs'], read_yaml(CONF_DIR / 'strategy/vanilla.yaml')['rank'])"
    )
    expected = yaml.safe_load((ROOT / "conf/strategy/vanilla.yaml").read_text())["rank"]
    assert run(tmp_path, python, "-c", program).stdout == f"1 {expected}\n"
    assert list(tmp_path.iterdir()) == []


def test_the_examples_of_its_docstrings(bin_dir: Path, tmp_path: Path) -> None:
    """All that there are; a tiny random rescorer takes the place of a trained one."""
    new_rescorer(tmp_path / "plm", "llama", plm_text="lower").save(tmp_path / "rescorer")
    write_yaml(tmp_path / "rescorer" / "weights.yaml", {"lm_weight": 0.25, "word_bonus": 0.5})
    package = ROOT / "local" / "lorescore"
    modules = [
        ".".join(path.relative_to(package.parent).with_suffix("").parts)
        for path in sorted(package.rglob("*.py"))
        if ">>> " in path.read_text(encoding="utf-8")
    ]
    assert {"lorescore.rerank", "lorescore.scoring.list_scorer"} <= set(modules)
    done = run(tmp_path, bin_dir / "python", "-c", DOCTESTS, tmp_path / "rescorer", *modules)
    assert done.stdout.splitlines() == [f"{name} True 0" for name in modules], done.stdout + done.stderr
