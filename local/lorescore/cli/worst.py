"""What the verb `perturb` needs for the perturbation `worst`: a rescorer's scores. Imports torch."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from lorescore.cli.progress import progress
from lorescore.nbest import Hypothesis, NbestList, NbestSet, write_nbest_dir
from lorescore.perturb.settings import WORST
from lorescore.perturb.worst import Score
from lorescore.scoring.rescorer import Rescorer
from lorescore.scoring.sets import list_costs, score_nbest_dirs


def rescorer_score(rescorer_dir: Path, cache: Path | None) -> Score:
    """The PLM scores of a rescorer, for `perturb_worst`.

    Args:
        rescorer_dir: It is loaded only where the cache lacks scores.
        cache: The score cache, where stage 9 will find the scores of the lists that were chosen; None: none.
    """

    def score(lists: Sequence[Sequence[str]]) -> list[list[float]]:
        # As an N-best directory, for which there are cache, batches and checks already.
        candidates = NbestSet(
            tuple(
                NbestList(f"{number:08d}", tuple(Hypothesis(text, 0.0) for text in texts))
                for number, texts in enumerate(lists)
            )
        )
        wrap = progress(f"{rescorer_dir.name} {WORST}")
        with TemporaryDirectory() as folder:
            write_nbest_dir(Path(folder), candidates)
            score_nbest_dirs(lambda: Rescorer.load(rescorer_dir), rescorer_dir, [Path(folder)], wrap, cache_path=cache)
            costs = list_costs(Path(folder), candidates, rescorer_dir.name)
        return [[-cost for cost in of_list] for of_list in costs]

    return score
