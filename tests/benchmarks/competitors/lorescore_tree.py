"""This project: lists by prefix tree, through the rescorer that a user loads."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from lorescore.plm import onednn
from lorescore.plm.settings import PlmSettings
from lorescore.scoring.rescorer import Rescorer


class LorescoreTree:
    """Scores whole lists; how many go into a forward pass is the rescorer's own choice."""

    name = "lorescore"
    batch_sizes = (0,)

    def __init__(self, rescorer: Rescorer) -> None:
        self.rescorer = rescorer

    def score(self, lists: Sequence[Sequence[str]], batch_size: int) -> list[list[float]]:
        """Log-likelihoods by list."""
        return self.rescorer.score(lists)


class LorescoreTreeByMkl(LorescoreTree):
    """The tree with PyTorch's own products where lorescore takes oneDNN's: of linear layers and in the attention."""

    name = "lorescore with MKL's products"

    def __init__(self, plm_dir: Path, plm: PlmSettings) -> None:
        with _without_onednn():
            super().__init__(Rescorer.new(plm_dir, plm))

    def score(self, lists: Sequence[Sequence[str]], batch_size: int) -> list[list[float]]:
        """Log-likelihoods by list."""
        with _without_onednn():
            return super().score(lists, batch_size)


def _without_onednn() -> AbstractContextManager[Any]:
    return patch.object(onednn, "is_faster", return_value=False)
