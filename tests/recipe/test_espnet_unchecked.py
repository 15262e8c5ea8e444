"""local/espnet_unchecked.py: a program without typeguard's checks, as ESPnet's modules ask for them."""

import os
import subprocess
import sys
from pathlib import Path

LOCAL = Path(__file__).resolve().parents[2] / "local"

PROGRAM = """
import sys
from typeguard import typechecked

@typechecked
class Beam:
    @typechecked
    def __init__(self, size: int) -> None:
        self.size = size

if __name__ == "__main__":
    print(Beam(sys.argv[1]).size, __spec__.name)
    assert len(sys.argv) == 2, "one option"
"""


def test_types_are_not_checked_and_asserts_are(tmp_path: Path) -> None:
    (tmp_path / "program").mkdir()
    (tmp_path / "program/search.py").write_text(PROGRAM)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        return subprocess.run([sys.executable, *words], capture_output=True, text=True, env=environment)

    checked = run("-m", "program.search", "ten")
    assert checked.returncode == 1 and "TypeCheckError" in checked.stderr
    unchecked = run(str(LOCAL / "espnet_unchecked.py"), "program.search", "ten")
    assert (unchecked.returncode, unchecked.stdout, unchecked.stderr) == (0, "ten program.search\n", "")
    too_many = run(str(LOCAL / "espnet_unchecked.py"), "program.search", "ten", "more")
    assert too_many.returncode == 1 and "AssertionError: one option" in too_many.stderr
