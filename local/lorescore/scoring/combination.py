"""A combination: the PLM scores of several rescorers, added with weights that were tuned together on dev.

    PLM score of a hypothesis = sum_k weight_k x PLM score of rescorer k

exp/plm/<name>/config.yaml   `members`: tag, weight and checksum of each, beside what a rescorer's config.yaml has

The members lie beside it. Nothing is trained here: it is the log-linear combination of language models that Kaldi's and
ESPnet's users know, in the place of a rescorer, so that every stage and caller takes it as one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from lorescore.combine import ScoredLists, Weights
from lorescore.errors import InputError
from lorescore.files import checksum, write_yaml
from lorescore.nbest import NbestList, NbestSet, cost_file, list_costs
from lorescore.progress import Progress, silent
from lorescore.scoring.list_scorer import ListScorer
from lorescore.scoring.options import EXACT, ScoringOptions
from lorescore.scoring.sets import rescorer_checksum
from lorescore.scoring.stored import (
    CONFIG_FILE,
    MEMBERS,
    Member,
    is_finished,
    read_config,
    require_no_members,
    stored_members,
    stored_weights,
)
from lorescore.tuning import tune_members

if TYPE_CHECKING:
    import torch

    from lorescore.scoring.rescorer import Rescorer

COMBINED = "combined"  # stands where a rescorer has its strategy


class Combination(ListScorer):
    """Several loaded rescorers as one.

    Args:
        members: Each with its weight; at least one.
        weights: Of the combined score, where they were tuned.
    """

    def __init__(self, members: Sequence[tuple["Rescorer", float]], weights: Weights | None = None) -> None:
        self.members, self.weights = list(members), weights

    @classmethod
    def load(
        cls, directory: Path | str, device: "torch.device | str | None" = None, options: ScoringOptions = EXACT
    ) -> "Combination":
        """Load a combination and its members.

        Args:
            directory: From `combine_rescorers`.
            device: Where to score; None: on the GPU where there is one.
            options: How scores are computed.

        Raises:
            InputError: The directory holds no combination, or a member is missing or was trained again since.
        """
        directory = Path(directory)
        members = stored_members(directory)
        if not members:
            raise InputError("a rescorer, no combination", path=directory, mend="load it with lorescore.Rescorer")
        found = member_directories(directory, members)
        loaded = [(load_rescorer(path, device, options), one.weight) for one, path in found]
        return cls(loaded, stored_weights(directory))

    def score_lists(self, lists: Iterable[NbestList], progress: Progress = silent) -> list[list[float]]:
        """The members' scores, weighted and added; see `ListScorer`."""
        given = list(lists)
        sums = [[0.0] * len(one.hypotheses) for one in given]
        for rescorer, weight in self.members:
            for total, scores in zip(sums, rescorer.score_lists(given, progress), strict=True):
                total[:] = [before + weight * score for before, score in zip(total, scores, strict=True)]
        return sums


def load_rescorer(
    directory: Path, device: "torch.device | str | None" = None, options: ScoringOptions = EXACT
) -> "Rescorer":
    """Load a rescorer; where all costs are there, nobody waits for what this imports."""
    from lorescore.scoring.rescorer import Rescorer

    return Rescorer.load(directory, device, options)


def load_list_scorer(directory: Path, options: ScoringOptions = EXACT) -> ListScorer:
    """The rescorer or the combination of a directory."""
    if stored_members(directory):
        return Combination.load(directory, options=options)
    return load_rescorer(directory, options=options)


def combine_rescorers(directory: Path, rescorer_dirs: Sequence[Path], dev_dir: Path, dev: NbestSet) -> list[Member]:
    """Tune the weights of a combination on dev and write it; nothing where it is there already, of the same scores.

    Args:
        directory: Where it goes; its members lie beside it.
        rescorer_dirs: The members, at least two, whose costs of dev are there (`Scoring.score`).
        dev_dir: An N-best directory with references.
        dev: Its lists.

    Returns:
        The members with a weight above 0; the others would cost time and change nothing.

    Raises:
        InputError: A member is a combination itself, the directory holds something else or a combination of others, or
            dev has no references.
    """
    configs = {path: read_config(path) for path in rescorer_dirs}
    for path, config in configs.items():
        require_no_members(config, path, "name its members instead")
    asked = {
        "candidates": {path.name: rescorer_checksum(path) for path in rescorer_dirs},
        "dev_checksum": dev.info["checksum"],
        "costs_checksum": checksum(cost_file(dev_dir, path.name) for path in rescorer_dirs),
    }
    if is_finished(directory):
        held = read_config(directory)
        if {key: held.get(key) for key in asked} == asked:
            return stored_members(directory)
        if held.get("candidates", {}).keys() != asked["candidates"].keys():
            what = f"a combination of {', '.join(held['candidates'])}" if held.get(MEMBERS) else "a rescorer"
            raise InputError(
                f"holds {what}", path=directory, mend="give this combination another name: --name (run.sh: --combined)"
            )
    lists = [ScoredLists.build(dev, list_costs(dev_dir, dev, path.name)) for path in rescorer_dirs]
    weights, _ = tune_members(lists)
    members = [
        Member(path.name, weight, asked["candidates"][path.name])
        for path, weight in zip(rescorer_dirs, weights, strict=True)
        if weight > 0
    ]
    if not members:
        raise InputError("no rescorer has a weight above 0 on dev: there is nothing to combine", path=directory)
    kept = [configs[directory.parent / one.tag] for one in members]
    directory.mkdir(parents=True, exist_ok=True)
    write_yaml(
        directory / CONFIG_FILE,
        {
            MEMBERS: [asdict(one) for one in members],
            **asked,
            "plm": {name: _joined(str(config["plm"][name]) for config in kept) for name in ("name", "scorer")},
            "strategy": {"name": COMBINED},
            "objective": None,
            "seed": None,
            "training": {},
            **{
                name: sum(int(config[name]) for config in kept) for name in ("trainable_parameters", "total_parameters")
            },
        },
    )
    return members


def _joined(words: Iterable[str]) -> str:
    return "+".join(dict.fromkeys(words))


def member_directories(directory: Path, members: Iterable[Member]) -> list[tuple[Member, Path]]:
    """The members with their directories.

    Raises:
        InputError: One is missing, or is not what the weights were tuned for.
    """
    found = [(one, directory.parent / one.tag) for one in members]
    for one, path in found:
        if rescorer_checksum(path) != one.checksum:
            message = f"its member {one.tag} is missing or was trained again since the weights were tuned"
            raise InputError(message, path=directory, mend="combine the rescorers again")
    return found
