"""How the library tells a caller about long loops: it hands over what it loops over, and never prints."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Progress(Protocol):
    """Wraps a loop, e.g. with a progress bar."""

    def __call__(self, items: Sequence[Item], part: str) -> Iterable[Item]:
        """Yield every item.

        Args:
            items: What is looped over.
            part: What the loop does, in a word or two.
        """


def silent(items: Sequence[Item], part: str) -> Iterable[Item]:
    """The progress that nobody watches."""
    return items
