"""Stage 0 where Debian's packages can be installed and where they cannot, with stand-ins for apt-get, and what follows.

The environment itself is there already; tests/run.sh makes a real one.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from toy_recipe import ROOT, path_without

LOCAL = ROOT / "local"
INSTALL = "apt-get install -y --no-install-recommends sctk espeak-ng wordnet-base"
WITHOUT = {
    "sctk": "stage 7 writes scoring_kaldi alone, no score_wer; stage 10 has no MAPSSWE test (ESPnet's or Kaldi's "
    "tools/sctk/bin on the PATH does as well)",
    "espeak-ng": "no speech for the demo (stage 1), and no --g2p espeak-ng",
    "wordnet-base": "no sentences for the demo (stage 1)",
}
Setup = Callable[..., subprocess.CompletedProcess[str]]


def write_program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/usr/bin/env bash\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    """Call local/setup.sh where the environment is finished and no Debian package there; `apt` has apt-get's calls."""
    root, bin_dir, wordnet = tmp_path / "root", tmp_path / "bin", tmp_path / "wordnet"
    script = (LOCAL / "setup.sh").read_text()
    assert "/usr/share/wordnet" in script
    write_program(root / "local/setup.sh", script.partition("\n")[2].replace("/usr/share/wordnet", str(wordnet)))
    write_program(root / "local/setup_k2.sh", "echo k2")
    made_of = [root / "pyproject.toml", root / "local/setup.sh", root / "local/versions.txt"]
    made_of[0].write_text("[project]\n")
    made_of[2].write_text("numpy==2.2.6\n")
    made_from = b"".join(path.read_bytes() for path in made_of)
    (root / ".venv").mkdir()
    (root / ".venv/.made_from").write_text(f"{hashlib.sha256(made_from).hexdigest()}\n")
    bin_dir.mkdir()
    for program in ("bash", "env", "cat", "cut", "dirname", "mktemp", "sha256sum", "tail"):
        (bin_dir / program).symlink_to(shutil.which(program) or program)
    (tmp_path / "apt").write_text("")

    def call(*, uid: int, apt: str = "exit 0", **environment: str) -> subprocess.CompletedProcess[str]:
        write_program(bin_dir / "id", f"echo {uid}")
        write_program(bin_dir / "apt-get", f'echo "$*" >> "{tmp_path}/apt"\n{apt}')
        return subprocess.run(
            [root / "local/setup.sh"],
            env={"PATH": str(bin_dir), "TMPDIR": str(tmp_path)} | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def warnings(tmp_path: Path, *packages: str) -> list[str]:
    return [f"{tmp_path}/root/local/setup.sh: without {package}: {WITHOUT[package]}" for package in packages]


def test_without_root_set_up_goes_on_and_says_what_will_not_work(setup: Setup, tmp_path: Path) -> None:
    done = setup(uid=1000)
    assert (done.returncode, done.stdout) == (0, "k2\n")
    missing = f"{tmp_path}/root/local/setup.sh: missing: sctk espeak-ng wordnet-base; as root: {INSTALL}"
    assert done.stderr.splitlines() == [missing, *warnings(tmp_path, *WITHOUT)]
    assert (tmp_path / "apt").read_text() == ""


def test_root_gets_them_installed(setup: Setup, tmp_path: Path) -> None:
    done = setup(uid=0)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{tmp_path}/root/local/setup.sh: {INSTALL}\nk2\n"
    options = "-y -qq --no-install-recommends"
    assert (tmp_path / "apt").read_text() == f"update -qq\ninstall {options} sctk espeak-ng wordnet-base\n"


def test_root_is_told_why_they_cannot_be_installed(setup: Setup, tmp_path: Path) -> None:
    done = setup(uid=0, apt="echo 'E: no network' >&2; exit 100")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "k2"
    reason, failed, *said = done.stderr.splitlines()
    assert reason == "E: no network"
    assert failed.startswith(f"{tmp_path}/root/local/setup.sh: {INSTALL} failed; log: {tmp_path}/")
    assert said == warnings(tmp_path, *WITHOUT)


@pytest.mark.parametrize("program", ["sclite", "sctk"])
def test_what_is_there_is_not_missed(setup: Setup, tmp_path: Path, program: str) -> None:
    """sclite by itself, as ESPnet and Kaldi build it, or through Debian's front end."""
    write_program(tmp_path / "tools" / program, "")
    (tmp_path / "wordnet").mkdir()
    (tmp_path / "wordnet/data.noun").write_text("")
    done = setup(uid=1000, PATH=f"{tmp_path / 'bin'}:{tmp_path / 'tools'}")
    assert done.returncode == 0
    assert done.stderr.splitlines()[1:] == warnings(tmp_path, "espeak-ng")


def test_what_the_environment_itself_needs_is_still_an_error(setup: Setup, tmp_path: Path) -> None:
    (tmp_path / "root/.venv/.made_from").unlink()
    write_program(tmp_path / "python", 'case "$2" in *ensurepip*) exit 1 ;; *print*) echo 3.11 ;; esac')
    done = setup(uid=1000, PYTHON=str(tmp_path / "python"))
    assert done.returncode == 1
    install = "as root: apt-get install -y --no-install-recommends python3.11-venv"
    assert done.stderr == f"{tmp_path}/root/local/setup.sh: missing: python3.11-venv; {install}\n"
    assert "k2" not in done.stdout


@pytest.mark.parametrize("to_be_had", [True, False])
def test_the_environment_has_the_tested_versions_where_they_can_be_had(
    setup: Setup, tmp_path: Path, to_be_had: bool
) -> None:
    root = tmp_path / "root"
    (root / ".venv/.made_from").unlink()
    write_program(tmp_path / "python", "exit 0")
    write_program(root / ".venv/bin/python", "exit 0")
    refused = "exit 0" if to_be_had else 'case "$*" in *--constraint*) exit 1 ;; esac'
    write_program(root / ".venv/bin/uv", f'echo "$*" >> "{tmp_path}/uv"\n{refused}')
    done = setup(uid=1000, PYTHON=str(tmp_path / "python"), SSL_CERT_FILE="certificates")
    assert done.returncode == 0
    pip = f"pip install --quiet --compile-bytecode --python {root}/.venv/bin/python"
    recipe = f"--editable {root}[espnet,lattice,gguf,test]"
    calls = (tmp_path / "uv").read_text().splitlines()
    assert calls[0] == f"{pip} --constraint {root}/local/versions.txt {recipe}"
    assert calls[1:-1] == ([] if to_be_had else [f"{pip} {recipe}"])
    assert ("without the versions of local/versions.txt" in done.stderr) == (not to_be_had)
    assert (root / ".venv/.made_from").is_file()


def test_the_tested_versions_are_those_that_the_package_asks_for() -> None:
    tomllib = pytest.importorskip("tomllib")  # Python 3.11 has it
    lines = [line for line in (LOCAL / "versions.txt").read_text().splitlines() if not line.startswith("#")]
    pins = [Requirement(line) for line in lines]
    versions = {canonicalize_name(pin.name): pin.specifier for pin in pins if not pin.marker or pin.marker.evaluate()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *(one for name in ("espnet", "lattice", "gguf", "test") for one in extras[name])]
    assert len(asked) > 30
    for one in map(Requirement, asked):
        (pin,) = versions[canonicalize_name(one.name)]
        assert pin.operator == "==" and one.specifier.contains(pin.version), one


@pytest.mark.parametrize("strict", [0, 1])
def test_continuous_integration_fails_where_a_package_is_missing(tmp_path: Path, strict: int) -> None:
    write_program(tmp_path / ".ci/run", (ROOT / ".ci/run").read_text().partition("\n")[2])
    for script in ("local/setup.sh", "tests/run.sh"):
        write_program(tmp_path / script, f"echo {script} >> calls")
    (tmp_path / "path.sh").write_text("")
    write_program(tmp_path / "bin/python3", f'echo "$*" >> calls\nexit {strict}')
    write_program(tmp_path / "bin/id", "echo 1000")
    environment = os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run([tmp_path / ".ci/run"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == strict
    calls = ["local/setup.sh", "-m lorescore check --strict", "tests/run.sh"]
    assert (tmp_path / "calls").read_text().splitlines() == (calls[:2] if strict else calls)


def test_stage_1_without_espeak_says_so_before_it_writes_anything(tmp_path: Path) -> None:
    script = ROOT / "egs/demo/rescore1/local/data.sh"
    environment = os.environ | {"PATH": path_without(tmp_path / "places", "espeak-ng")}
    (tmp_path / "here").mkdir()
    done = subprocess.run([script], cwd=tmp_path / "here", env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{script}: espeak-ng: not found: install Debian's espeak-ng\n"
    assert not list((tmp_path / "here").iterdir())
