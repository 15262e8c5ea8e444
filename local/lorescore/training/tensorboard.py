"""TensorBoard: what a training has to show while it runs (`tensorboard --logdir exp/tensorboard`)."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lorescore.errors import InputError

# Takes the step and the values of some curves by name.
Curves = Callable[[int, Mapping[str, float]], None]


def no_curves(step: int, values: Mapping[str, float]) -> None:
    """Where nobody watches."""


class TensorBoard:
    """Writes curves for TensorBoard; a context manager.

    The first values open the file: those of step 0 begin a run anew, those of a later one go on with it.

    Args:
        directory: Of this run alone; a run that begins anew empties it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._writer: Any = None

    def __enter__(self) -> "TensorBoard":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def __call__(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point to each curve."""
        if self._writer is None:
            self._writer = self._open(step)
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def _open(self, step: int) -> Any:
        try:
            from torch.utils.tensorboard import SummaryWriter  # slow to import, and not every call trains
        except ImportError as error:
            raise InputError(
                "the Python package tensorboard is not installed",
                mend="./run.sh --stage 0 --stop_stage 0, or --tensorboard false",
            ) from error
        if step == 0:
            shutil.rmtree(self.directory, ignore_errors=True)
        return SummaryWriter(str(self.directory), purge_step=step)
