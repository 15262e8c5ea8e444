"""Checkpoints from which a training goes on exactly: tensors as safetensors, the rest as JSON; nothing can run code.

<directory>/
    state-<step>.safetensors    weights, best weights, what the optimizer and the strategy remember
    state.json                  what the run depends on, and everything that is no tensor; it names the tensors' file

The JSON file is replaced in one go and is written last: whenever a run is killed, one whole checkpoint is there.
What is drawn in training is a function of the seed and the step, so no generator has a state to keep. Another run's
checkpoint is left alone, unless that run diverged.
"""

import json
import logging
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from lorescore.errors import InputError
from lorescore.files import atomic_write, give_usual_mode
from lorescore.plm.load import cannot_be_written
from lorescore.training.made_from import differing, holds_another

logger = logging.getLogger(__name__)

RECORD = "state.json"
VERSION = 2  # of what a checkpoint holds
DIVERGED = "diverged"  # in the JSON file of a run that has come to its end so
DAMAGE = (KeyError, OSError, SafetensorError, TypeError, ValueError)  # what reading a damaged checkpoint ends in
TENSOR = "__tensor__"  # stands in the JSON file for a tensor of that name


@dataclass(frozen=True)
class Checkpoint:
    """Where a run keeps its state, and what the run depends on.

    Attributes:
        directory: The checkpoint's own.
        run: What a run must have in common with the checkpoint that it goes on from, as plain types.
    """

    directory: Path
    run: Mapping[str, Any]

    def write(self, step: int, state: Mapping[str, Any]) -> None:
        """Replace the checkpoint.

        Args:
            step: Optimizer steps so far.
            state: Plain types and tensors, in mappings and lists.

        Raises:
            InputError: It cannot be written.
        """
        tensors: dict[str, torch.Tensor] = {}
        record = {"version": VERSION, "run": self.run, "step": step, "state": _without_tensors(state, "", tensors)}
        tensor_file = self.directory / f"state-{step}.safetensors"
        with cannot_be_written(self.directory):
            self.directory.mkdir(parents=True, exist_ok=True)
            save_file(tensors, tensor_file)
            give_usual_mode([tensor_file])
            with tensor_file.open("rb+") as file:
                os.fsync(file.fileno())  # the record that names it may reach the disk first
        with atomic_write(self.directory / RECORD) as record_file:
            json.dump(record | {"tensors": tensor_file.name}, record_file)
        for path in self.directory.glob("state-*.safetensors"):
            if path != tensor_file:
                path.unlink()

    def require_this_run(self) -> None:
        """Check that the directory holds no other run's checkpoint.

        Raises:
            InputError: It does, of one that can go on: it is neither used nor overwritten.
        """
        with suppress(*DAMAGE):
            self._record()

    def read(self) -> tuple[int, dict[str, Any]] | None:
        """The step and the state; None where there is no checkpoint of this run. A reason is logged.

        Raises:
            InputError: See `require_this_run`.
        """
        try:
            record = self._record()
            if record is None:
                return None
            tensors = load_file(self.directory / record["tensors"])
            return int(record["step"]), _with_tensors(record["state"], tensors)
        except DAMAGE as error:
            logger.warning("%s: cannot be read, not used: %s", self.directory, error)
            return None

    def mark_diverged(self) -> None:
        """Let a run with other settings take the place of this one, which ends in a divergence whenever it goes on.

        Its best weights have to be safe elsewhere.
        """
        path = self.directory / RECORD
        record = json.loads(path.read_text(encoding="utf-8"))
        with atomic_write(path) as file:
            json.dump(record | {DIVERGED: True}, file)

    def _record(self) -> dict[str, Any] | None:
        """What the JSON file says; None where there is none, or one whose place this run may take."""
        path = self.directory / RECORD
        if not path.is_file():
            return None
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if record["version"] != VERSION:
            raise ValueError(f"version {record['version']}")
        other = differing(_plain(self.run), record["run"])
        if other and not record.get(DIVERGED):
            raise holds_another(self.directory, "an unfinished training", other)
        return None if other else record

    def remove(self) -> None:
        """Remove it: the run has finished."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def remove_own(self) -> None:
        """Remove it where it is of this run, not of another one that can go on."""
        with suppress(InputError):
            self.require_this_run()
            self.remove()


def _plain(content: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping as JSON gives it back."""
    plain: dict[str, Any] = json.loads(json.dumps(content))
    return plain


def _without_tensors(value: Any, name: str, tensors: dict[str, torch.Tensor]) -> Any:
    """`value` with each tensor replaced by its name; the tensors are put into `tensors`."""
    if isinstance(value, torch.Tensor):
        tensors[name] = value.detach().contiguous()
        return {TENSOR: name}
    if isinstance(value, Mapping):
        return {key: _without_tensors(one, f"{name}/{key}", tensors) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_tensors(one, f"{name}/{index}", tensors) for index, one in enumerate(value)]
    return value


def _with_tensors(value: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    """The inverse of `_without_tensors`."""
    if isinstance(value, dict):
        if set(value) == {TENSOR}:
            return tensors[value[TENSOR]]
        return {key: _with_tensors(one, tensors) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_tensors(one, tensors) for one in value]
    return value
