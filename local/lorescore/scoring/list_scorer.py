"""What rescores N-best lists: a rescorer (`scoring.rescorer`), or several whose scores are added (`combination`)."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from lorescore.combine import Weights
from lorescore.errors import InputError
from lorescore.nbest.given import ListLike, as_nbest_list
from lorescore.nbest.lists import NbestList
from lorescore.progress import Progress, silent
from lorescore.rerank import RescoredList, rerank
from lorescore.scoring.stored import require_weights


class ListScorer(ABC):
    """Gives PLM scores, and re-ranks lists by the combined score.

    Attributes:
        weights: Of the combined score, where they were tuned (`load` finds them).
    """

    weights: Weights | None

    @abstractmethod
    def score_lists(self, lists: Iterable[NbestList], progress: Progress = silent) -> list[list[float]]:
        """PLM scores of N-best lists after their contexts, [list][rank]; higher is better.

        Args:
            lists: A list may be empty.
            progress: Wraps the loop over the lists, e.g. a progress bar.

        Raises:
            InputError: A score is not a finite number, or the memory is too small.
        """

    def rescore(self, lists: Sequence[ListLike], weights: Weights | None = None) -> list[RescoredList]:
        """Lists with the best combined score first.

        >>> from lorescore import Rescorer
        >>> rescorer = Rescorer.load(directory)
        >>> first, second = rescorer.rescore([[("the cat sat", -1.0), ("the cat sad", -0.5)], [("home", -3.25)]])
        >>> sorted((hypothesis.text, hypothesis.rank) for hypothesis in first.hypotheses)
        [('the cat sad', 2), ('the cat sat', 1)]
        >>> first.best.combined >= first.hypotheses[1].combined
        True
        >>> second.best.text, second.best.score
        ('home', -3.25)

        Args:
            lists: N-best lists, or plain lists of (text, first-pass log score), the first pass's best first; a list
                may be empty.
            weights: Of the combined score; None: those that were tuned for this rescorer.

        Returns:
            The lists in their order, each with all its hypotheses.

        Raises:
            InputError: There are no weights, a list is malformed, or a score is not a finite number.
        """
        chosen = require_weights(weights or self.weights)
        given = _as_nbest_lists(lists)
        plm_scores = self.score_lists(given)
        return [rerank(one, scores, chosen) for one, scores in zip(given, plm_scores, strict=True)]


def _as_nbest_lists(lists: Iterable[ListLike]) -> list[NbestList]:
    """Lists in the project's own type; of several, an error names the one that it is of."""
    given: list[NbestList] = []
    as_they_are = list(lists)
    for number, one in enumerate(as_they_are, start=1):
        try:
            given.append(as_nbest_list(one))
        except InputError as error:
            if len(as_they_are) == 1:
                raise
            utt = f" (utterance {one.utt})" if isinstance(one, NbestList) else ""
            raise InputError(f"list {number}{utt}: {error.message}", mend=error.mend) from error
    return given
