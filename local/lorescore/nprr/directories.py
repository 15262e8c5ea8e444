"""NPRR of any N-best directories and any scorer's cost files, without the recipe's layout."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lorescore.combine import ScoredLists, Weights
from lorescore.errors import InputError
from lorescore.files import write_json
from lorescore.nbest import NbestSet, cost_file, read_costs, read_nbest_dir
from lorescore.nbest.costs import costs_by_list
from lorescore.nprr.groups import Group, group_dirs, require_one_curve, require_versions
from lorescore.nprr.lists import ListErrors, Robustness, area_of, robustness_of
from lorescore.wer.resampling import Estimate

MEND_COSTS = "the scorer's costs, `<utt>-<rank> cost` a line, of every hypothesis of this directory"


@dataclass(frozen=True)
class GroupResult:
    """The robustness against the perturbed lists of one group."""

    group: Group
    robustness: Robustness


@dataclass(frozen=True)
class GroupArea:
    """The area under the NPRR curve of groups that differ in their rate alone.

    Attributes:
        lists: Of the groups, in words.
        rates: Increasing.
        area: Of the rescored lists.
        first_pass: Of the first pass's own degradation.
    """

    lists: str
    rates: tuple[float, ...]
    area: Estimate
    first_pass: Estimate


@dataclass(frozen=True)
class DirectoriesResult:
    """What was measured.

    Attributes:
        clean: The clean N-best directory.
        costs: The scorer: its costs are in the files `lmwt.<costs>`; empty for the first pass alone.
        weights: Of the combined score.
        metric: What errors were counted in: words (`wer`) or characters (`cer`).
        groups: Those with a known perturbation first.
        areas: By lists; none where no rate is known and above 0.
    """

    clean: Path
    costs: str
    weights: Weights
    metric: str
    groups: tuple[GroupResult, ...]
    areas: tuple[GroupArea, ...]


def measure_directories(
    clean_dir: Path, perturbed_dirs: Sequence[Path], costs: str, weights: Weights
) -> DirectoriesResult:
    """Choose from each directory's lists at the same weights, and measure what the perturbation costs.

    Args:
        clean_dir: N-best directory with references.
        perturbed_dirs: Perturbed versions of the same utterances, at least one.
        costs: The scorer, whose costs each directory has in the file `lmwt.<costs>`; empty: none.
        weights: Tuned on clean lists of another set.

    Raises:
        InputError: A directory or cost file cannot be used, the directories are not of the same utterances, or two of
            them are the same perturbation or one perturbation of two vocabularies.
    """
    for place, path in enumerate(perturbed_dirs):
        if path.resolve() in {other.resolve() for other in perturbed_dirs[:place]}:
            raise InputError("is given twice", path=path, mend="give each perturbed directory once")
    clean = read_nbest_dir(clean_dir)
    perturbed = {path: read_nbest_dir(path) for path in perturbed_dirs}
    require_versions(clean, clean_dir, perturbed)
    groups = group_dirs({path: nbest.info for path, nbest in perturbed.items()}, clean_dir)
    for name in dict.fromkeys(group.lists for group in groups):
        of_curve = [path for group in groups if group.lists == name for path in group.dirs]
        require_one_curve({path: perturbed[path].info for path in of_curve})
    lists = _scored(clean_dir, clean, clean, costs)
    clean_errors = ListErrors.count(lists, weights)
    errors = {path: ListErrors.count(_scored(path, nbest, clean, costs), weights) for path, nbest in perturbed.items()}
    results = tuple(
        GroupResult(group, robustness_of(clean_errors, [errors[path] for path in group.dirs], lists.ref_words))
        for group in groups
    )
    curves: dict[str, dict[float, list[ListErrors]]] = {}  # the rates increase, as those of the groups do
    for group in groups:
        if group.rate is not None:
            curves.setdefault(group.lists, {})[group.rate] = [errors[path] for path in group.dirs]
    areas = tuple(
        GroupArea(name, tuple(curve), *area_of(clean_errors, curve))
        for name, curve in curves.items()
        if any(rate > 0 for rate in curve)
    )
    return DirectoriesResult(clean_dir, costs, weights, clean.metric, results, areas)


def write_result(path: Path, result: DirectoriesResult) -> None:
    """Write everything as JSON, where null is undefined or not known.

    Raises:
        InputError: It cannot be written.
    """
    groups = [
        {
            "lists": one.group.lists,
            "rate": one.group.rate,
            "seeds": one.group.seeds,
            "dirs": [str(path) for path in one.group.dirs],
            **asdict(one.robustness),
        }
        for one in result.groups
    ]
    content = {
        "clean": str(result.clean),
        "costs": result.costs or None,
        "lm_weight": result.weights.lm_weight,
        "word_bonus": result.weights.word_bonus,
        "metric": result.metric,
        "groups": groups,
        "areas": [asdict(one) for one in result.areas],
    }
    write_json(path, content)


def _scored(nbest_dir: Path, nbest: NbestSet, clean: NbestSet, costs: str) -> ScoredLists:
    """A directory's lists with the scorer's costs, and with the clean set's references."""
    referenced = NbestSet(nbest.lists, clean.refs, nbest.info)
    if not costs:
        return ScoredLists.build(referenced, None)
    path = cost_file(nbest_dir, costs)
    try:
        return ScoredLists.build(referenced, list(costs_by_list(read_costs(path, mend=MEND_COSTS), nbest, path)))
    except InputError as error:
        raise InputError(error.message, path=error.path or path, line=error.line, mend=MEND_COSTS) from error
