"""PLM costs of N-best directories, by a rescorer or by a combination: what the stages and verbs score with."""

import gc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from lorescore.errors import InputError
from lorescore.nbest import (
    Hypothesis,
    NbestList,
    NbestSet,
    cost_file,
    list_costs,
    read_nbest_dir,
    write_costs,
    write_nbest_dir,
)
from lorescore.progress import Progress, silent
from lorescore.scoring.combination import load_rescorer, member_directories
from lorescore.scoring.options import EXACT, ScoringOptions, default_device
from lorescore.scoring.part import WHOLE, Part
from lorescore.scoring.sets import score_sets
from lorescore.scoring.stored import PLM_SCORES, TUNED_FOR, Member, scores_checksum, stored_members

if TYPE_CHECKING:
    from lorescore.scoring.rescorer import Rescorer


class Scoring:
    """Writes the PLM costs of N-best directories, by a rescorer or by a combination (`scoring.sets`).

    Args:
        options: How scores are computed.
        cache_path: The score cache; None: none.
        progress: Gives the progress bar of what stands before it.
        part: The lists that are scored here; of less than the whole no costs are written (`score_sets`).

    Raises:
        InputError: A part has nowhere to leave its scores.
    """

    def __init__(
        self,
        options: ScoringOptions = EXACT,
        cache_path: Path | None = None,
        progress: Callable[[str], Progress] = lambda what: silent,
        part: Part = WHOLE,
    ) -> None:
        if part != WHOLE and (cache_path is None or options.history is not None):
            why = "there is none" if cache_path is None else "with --history there is no use for it"
            raise InputError(f"--part leaves its scores in the score cache, and {why}", mend="leave it out")
        self.options, self.cache_path, self.progress, self.part = options, cache_path, progress, part
        self.loaded: tuple[Path, Rescorer] | None = None

    def score(self, rescorer_dir: Path, sets: Mapping[Path, NbestSet], what: str = "") -> int:
        """Write the costs of every N-best directory that lacks them.

        A rescorer is loaded where there is something to score, and kept until another one is.

        Args:
            rescorer_dir: The rescorer or combination; the last part of the path is its tag.
            sets: By directory, as read from there, versions of one set (clean, perturbed): the same utterances in
                each.
            what: Stands behind the tag in the progress bar.

        Returns:
            The number of texts that were scored.

        Raises:
            InputError: See `score_sets` and `Combination.load`.
        """
        members = stored_members(rescorer_dir)
        if not members:
            return score_sets(
                lambda: self._load(rescorer_dir),
                rescorer_dir,
                sets,
                self.progress(f"{rescorer_dir.name} {what}".strip()),
                cache_path=self.cache_path,
                options=self.options,
                part=self.part,
            )
        count = sum(self.score(path, sets, what) for _, path in member_directories(rescorer_dir, members))
        for nbest_dir, nbest in sets.items() if self.part == WHOLE else ():
            _write_sum(rescorer_dir.name, members, nbest_dir, nbest)
        return count

    def costs(self, rescorer_dir: Path, nbest_dir: Path, nbest: NbestSet, what: str = "") -> list[list[float]]:
        """The costs of one set's hypotheses by list and rank, scored where they are not there; see `score`."""
        self.score(rescorer_dir, {nbest_dir: nbest}, what)
        return list_costs(nbest_dir, nbest, rescorer_dir.name)

    def score_texts(
        self, rescorer_dir: Path, lists: Sequence[Sequence[str]], contexts: Sequence[Sequence[str]], what: str = ""
    ) -> list[list[float]]:
        """The PLM scores of lists that are in no directory, such as the candidates of `perturb_worst`.

        Args:
            rescorer_dir: As in `score`.
            lists: [list][text].
            contexts: What stands before each list.
            what: Stands behind the tag in the progress bar.

        Returns:
            [list][text]; higher is better.
        """
        # As an N-best directory, for which there are cache, batches and checks already.
        nbest = NbestSet(
            tuple(
                NbestList(f"{number:08d}", tuple(Hypothesis(text, 0.0) for text in texts), tuple(context))
                for number, (texts, context) in enumerate(zip(lists, contexts, strict=True))
            )
        )
        with TemporaryDirectory() as folder:
            nbest_dir = Path(folder)
            write_nbest_dir(nbest_dir, nbest)
            costs = self.costs(rescorer_dir, nbest_dir, read_nbest_dir(nbest_dir), what)
        return [[-cost for cost in of_list] for of_list in costs]

    def of_tuned(self, rescorer_dir: Path, dev: NbestSet) -> dict[str, Any]:
        """What `weights.yaml` says of the scores and the lists that the weights are tuned on.

        Args:
            rescorer_dir: The rescorer or combination.
            dev: The lists.
        """
        record = {
            TUNED_FOR: scores_checksum(rescorer_dir),
            PLM_SCORES: self.options.describe(default_device()),
            "acoustic_scale": dev.info.get("acoustic_scale"),
        }
        return {key: value for key, value in record.items() if value is not None}

    def unload(self) -> None:
        """Let go of the rescorer that is loaded, where memory is needed for something else."""
        self.loaded = None
        gc.collect()  # parts of a model know each other

    def _load(self, rescorer_dir: Path) -> "Rescorer":
        if self.loaded is None or self.loaded[0] != rescorer_dir:
            self.unload()  # two PLMs at once may be too much
            self.loaded = rescorer_dir, load_rescorer(rescorer_dir, options=self.options)
        return self.loaded[1]


def _write_sum(tag: str, members: Sequence[Member], nbest_dir: Path, nbest: NbestSet) -> None:
    """The costs of a combination, from those of its members."""
    costs = [list_costs(nbest_dir, nbest, one.tag) for one in members]
    keyed: Mapping[str, float] = {
        key: sum(one.weight * cost for one, cost in zip(members, of_members, strict=True))
        for one_list, *lists in zip(nbest, *costs, strict=True)
        for key, *of_members in zip(one_list.nbest_keys(), *lists, strict=True)
    }
    write_costs(cost_file(nbest_dir, tag), keyed.items())
