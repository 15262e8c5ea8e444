"""A disk that fills up: one line, exit status 1, and no half-written N-best directory."""

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Call = Callable[..., object]

UTTERANCES = 1000  # of two hypotheses each


@pytest.fixture
def decode(tmp_path: Path) -> Path:
    """A decode whose words_text has about 21 kB, and whose acwt has 33 kB."""
    for rank, word in enumerate("ab", start=1):
        folder = tmp_path / "decode" / "logdir" / "output.1" / f"{rank}best_recog"
        folder.mkdir(parents=True)
        (folder / "text").write_text("".join(f"u{number:04} {word}\n" for number in range(UTTERANCES)))
        (folder / "score").write_text("".join(f"u{number:04} -123.4567\n" for number in range(UTTERANCES)))
    return tmp_path / "decode"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 36 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a small file system can be mounted by root only")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=36k", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("no tmpfs can be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def test_a_full_file_system(decode: Path, small_disk: Path, real_call: Call) -> None:
    out = small_disk / "nbest" / "test"
    line = real_call("import-nbest", "--decode_dir", decode, "--out", out).error_line()
    assert line == (
        f"lorescore import-nbest: {out}/acwt: cannot be written: No space left on device "
        "(free some space or choose another directory)"
    )
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []


def test_a_file_that_is_too_large(decode: Path, tmp_path: Path, real_call: Call) -> None:
    """Where no file system can be mounted, a limit on the size of files fails in the same way."""
    out, limit = tmp_path / "out", 26_000
    line = real_call(
        "import-nbest",
        *("--decode_dir", decode, "--out", out),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    ).error_line()
    assert line.startswith(f"lorescore import-nbest: {out}/acwt: cannot be written: File too large (free some space")
    assert [path for path in out.rglob("*") if path.is_file()] == []


def test_what_was_there_stays(decode: Path, tmp_path: Path, real_call: Call) -> None:
    out, limit = tmp_path / "out", 26_000
    arguments = ("import-nbest", "--decode_dir", decode, "--out", out)
    assert real_call(*arguments).status == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    text = decode / "logdir" / "output.1" / "1best_recog" / "text"
    text.write_text(text.read_text().replace(" a", " the"))
    line = real_call(
        *arguments, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    ).error_line()
    assert "cannot be written: File too large" in line
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
