"""A rescorer's scores of any lists, for the perturbation `worst` and for a teacher."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from lorescore.nbest import Hypothesis, NbestList, NbestSet, list_costs, write_nbest_dir
from lorescore.perturb.settings import WORST
from lorescore.perturb.worst import Score
from lorescore.scoring.combination import Scoring


def rescorer_score(rescorer_dir: Path, scoring: Scoring, what: str = WORST) -> Score:
    """The PLM scores of a rescorer, for `perturb_worst` and for a training with perturbed lists.

    Args:
        rescorer_dir: It is loaded only where the cache lacks scores.
        scoring: With the score cache where stage 9 will find the scores of the lists that were chosen.
        what: Stands in the progress bar.
    """

    def score(lists: Sequence[Sequence[str]], contexts: Sequence[Sequence[str]]) -> list[list[float]]:
        # As an N-best directory, for which there are cache, batches and checks already.
        candidates = NbestSet(
            tuple(
                NbestList(f"{number:08d}", tuple(Hypothesis(text, 0.0) for text in texts), tuple(context))
                for number, (texts, context) in enumerate(zip(lists, contexts, strict=True))
            )
        )
        with TemporaryDirectory() as folder:
            write_nbest_dir(Path(folder), candidates)
            scoring.score(rescorer_dir, [Path(folder)], what)
            costs = list_costs(Path(folder), candidates, rescorer_dir.name)
        return [[-cost for cost in of_list] for of_list in costs]

    return score
