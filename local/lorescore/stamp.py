"""What an output was made from, in a file beside it: what is up to date is not made again."""

import hashlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import atomic_write


@dataclass(frozen=True)
class Stamp:
    """A file that says what the output beside it was made from.

    Attributes:
        path: The file, which holds the SHA-256 of `made_from`.
        made_from: Everything that the output depends on.
    """

    path: Path
    made_from: str

    @property
    def _digest(self) -> str:
        return hashlib.sha256(self.made_from.encode()).hexdigest()

    def is_current(self) -> bool:
        """Whether the output was made from the same."""
        return self.path.is_file() and self.path.read_text(encoding="utf-8").strip() == self._digest

    def remove(self) -> None:
        """Say nothing, before an output is replaced: a stamp must never stand beside one that it is not of."""
        self.path.unlink(missing_ok=True)

    def make_way(self, outputs: Iterable[Path], foreign: InputError) -> None:
        """Remove outputs that were made from something else, and then the stamp.

        Without a stamp they are somebody's, and stay: a kill in between must not leave some of ours so.

        Args:
            outputs: Files or directories; the stamp may be among them.
            foreign: What is raised where there are outputs, and no stamp.
        """
        old = [path for path in outputs if path != self.path]
        if old and not self.path.is_file():
            raise foreign
        for path in old:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        self.remove()

    def write(self) -> None:
        """Say that what follows is made from this."""
        with atomic_write(self.path) as file:
            file.write(f"{self._digest}\n")
