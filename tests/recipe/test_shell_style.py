"""Shell files: shellcheck finds nothing, and every script stops at its first error."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHELL_FILES = sorted(
    path
    for pattern in ("*.sh", "local/*.sh", "egs/*/*/*.sh", "egs/*/*/local/*.sh", "conf/*.sh", "tests/*.sh", ".ci/run")
    for path in ROOT.glob(pattern)
)
SOURCED = {"path.sh", "parse_options.sh", "jobs.sh"}


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is missing: apt-get install shellcheck")
def test_shellcheck() -> None:
    done = subprocess.run(["shellcheck", "-x", *SHELL_FILES], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    "path", [path for path in SHELL_FILES if path.name not in SOURCED], ids=lambda path: str(path.relative_to(ROOT))
)
def test_scripts_stop_at_the_first_error(path: Path) -> None:
    assert "\nset -euo pipefail\n" in path.read_text(encoding="utf-8")
    assert path.stat().st_mode & 0o111, "not executable"
