"""This project: lists by prefix tree, through the rescorer that a user loads."""

from collections.abc import Sequence

from lorescore.scoring.rescorer import Rescorer


class LorescoreTree:
    """Scores whole lists; how many go into a forward pass is the rescorer's own choice."""

    batch_sizes = (0,)

    def __init__(self, rescorer: Rescorer, name: str = "lorescore") -> None:
        self.rescorer = rescorer
        self.name = name

    def score(self, lists: Sequence[Sequence[str]], batch_size: int) -> list[list[float]]:
        """Log-likelihoods by list."""
        return self.rescorer.score(lists)
