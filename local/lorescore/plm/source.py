"""What a PLM was fetched from, and what was fetched: `plm.yaml` describes both, so that a later change is noticed."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lorescore.errors import InputError
from lorescore.files import checksum, read_yaml
from lorescore.plm.settings import PLM_ROOT, PlmSettings

PLM_FILE = "plm.yaml"
FETCH_AGAIN = "delete it, and fetch it again: stage 4"
# What a model directory's weights and texts depend on; others that lie there, such as a training's logs, may change.
READ = (
    "*.safetensors",
    "config.json",
    "tokenizer*.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.model",
)


def fetched_checksum(plm_dir: Path) -> str | None:
    """The checksum of a fetched PLM's weights; None where there is no fetched PLM.

    Raises:
        InputError: What is there is not what was fetched.
    """
    path = plm_dir / PLM_FILE
    if not path.is_file():
        return None
    held = read_yaml(path)
    require_as_fetched(held, plm_dir)
    return held.get("checksum")


def require_as_fetched(held: Mapping[str, Any], plm_dir: Path) -> None:
    """Check that a fetched PLM's files are those that were fetched.

    Args:
        held: What its `plm.yaml` says; an earlier version's does not tell what the files were.
        plm_dir: Where they are.

    Raises:
        InputError: They are not.
    """
    changed = changed_files(held["files"], source_files(str(plm_dir), None)) if "files" in held else []
    if changed:
        message = f"{', '.join(changed)} changed since it was fetched"
        raise InputError(message, path=plm_dir, mend=FETCH_AGAIN)


def not_fetched(settings: PlmSettings, plm_dir: Path) -> InputError:
    """The error for a directory that holds no fetched PLM, with the command that fetches it there."""
    command = ["python3", "-m", "lorescore", "fetch-plm", "--plm", settings.given_as, "--scorer", settings.scorer]
    command += [] if plm_dir.parent == PLM_ROOT else ["--plm_root", str(plm_dir.parent)]
    message = f"no fetched PLM here ({PLM_FILE} is missing)"
    return InputError(message, path=plm_dir, mend=f"fetch it: {shlex.join(command)}")


def source_files(source: str, gguf_file: str | None) -> list[Path]:
    """The files that a PLM is read from, by name; none where it comes from the Hugging Face hub, or is gone."""
    directory = Path(source)
    paths = [directory / gguf_file] if gguf_file else [path for name in READ for path in directory.glob(name)]
    return sorted({path for path in paths if path.is_file()})


def describe(files: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Size in bytes, time of the last change in nanoseconds, and SHA-256 of each file, by name.

    Raises:
        InputError: A file cannot be read.
    """
    return {path.name: _size_and_time(path) | {"checksum": checksum([path])} for path in files}


def changed_files(described: Mapping[str, Mapping[str, Any]], files: Sequence[Path]) -> list[str]:
    """The names of files that are not what `describe` said; only one whose size or time is another is read.

    Args:
        described: From `describe`.
        files: The files as they are now.

    Raises:
        InputError: A file cannot be read.
    """
    changed = set(described) ^ {path.name for path in files}
    for path in files:
        held = described.get(path.name)
        if held is None or _size_and_time(path).items() <= held.items():
            continue
        if checksum([path]) != held["checksum"]:
            changed.add(path.name)
    return sorted(changed)


def _size_and_time(path: Path) -> dict[str, int]:
    found = path.stat()
    return {"bytes": found.st_size, "changed_ns": found.st_mtime_ns}
