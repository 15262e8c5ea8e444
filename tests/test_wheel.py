"""The wheel: all modules and settings are in it, and it works far from the repository."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content, built without a network from a copy of what it is made from."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "conf", source / "conf")
    shutil.copytree(ROOT / "local" / "lorescore", source / "local" / "lorescore", symlinks=True, ignore=ignored)
    command = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    done = subprocess.run([*command, "--wheel-dir", built, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = built.glob("lorescore-*.whl")
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def run(site: Path, directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the wheel's content on its path, and without the repository's."""
    environment = {key: value for key, value in os.environ.items() if key != "LORESCORE_ROOT"}
    # -P: not the current directory either. The repository's own, editable installation comes after PYTHONPATH.
    return subprocess.run(
        [sys.executable, "-P", *command],
        cwd=directory,
        env=environment | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )


def test_everything_is_in_it(site: Path) -> None:
    def files(folder: Path, *patterns: str) -> set[Path]:
        return {path.relative_to(folder) for pattern in patterns for path in folder.rglob(pattern)}

    package = site / "lorescore"
    assert files(package, "*.py", "py.typed") == files(ROOT / "local" / "lorescore", "*.py", "py.typed")
    settings = files(ROOT / "conf", "*.yaml")
    assert Path("plm/smollm2.yaml") in settings
    assert files(package / "conf", "*.yaml") == settings
    assert not any(path.is_symlink() for path in package.rglob("*"))
    (metadata,) = site.glob("*.dist-info")
    assert {path.name for path in site.iterdir()} == {"lorescore", metadata.name}
    assert "lorescore = lorescore.__main__:main" in (metadata / "entry_points.txt").read_text()


def test_it_works_outside_the_repository(site: Path, tmp_path: Path) -> None:
    """The package of the wheel finds its settings: a PLM by its name, a strategy by its name."""
    where = run(site, tmp_path, "-c", "import lorescore; print(lorescore.__file__)")
    assert where.stdout == f"{site}/lorescore/__init__.py\n", where.stderr
    assert "usage: lorescore [-h]" in run(site, tmp_path, "-m", "lorescore", "--help").stdout
    done = run(site, tmp_path, "-m", "lorescore", "tag", "--plm", "smollm2", "--lora", "none vanilla")
    assert (done.stdout, done.stderr) == ("smollm2_clm_none\nsmollm2_clm_vanilla_mwer_s1\n", "")
    program = (
        "import argparse; from lorescore.cli.plm_options import CONF_DIR; from lorescore.files import read_yaml;"
        "print(read_yaml(CONF_DIR / 'train.yaml')['objective'], read_yaml(CONF_DIR / 'strategy/vanilla.yaml')['rank'])"
    )
    expected = yaml.safe_load((ROOT / "conf/strategy/vanilla.yaml").read_text())["rank"]
    assert run(site, tmp_path, "-c", program).stdout == f"mwer {expected}\n"
    assert list(tmp_path.iterdir()) == []


def test_the_examples_of_its_docstrings(site: Path, tmp_path: Path) -> None:
    done = run(site, tmp_path, "-m", "doctest", str(site / "lorescore" / "rerank.py"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
