"""One adapter of mixed-rank training at each of its ranks: `exp/rescore/<tag>/ranks.json`.

The adapter is cut to a rank (`lorescore.plm.mixed`), merged, and scores the sets; the weights of the combined score are
tuned on dev anew for each rank. The score cache has no part in it: it knows a rescorer by its files, whatever the rank.
The file has the ranks that are done, so that a run that was cut off goes on with the next one.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorescore.combine import ScoredLists, Weights, wer
from lorescore.errors import InputError
from lorescore.files import read_lines, write_json
from lorescore.nbest import NbestSet
from lorescore.progress import Progress, silent
from lorescore.scoring.options import ScoringOptions, default_device
from lorescore.scoring.sets import rescorer_checksum
from lorescore.tuning import tune
from lorescore.wer.units import WER

if TYPE_CHECKING:
    from lorescore.scoring.rescorer import Rescorer

RANKS_FILE = "ranks.json"
MEND = "delete it and run stage 6 again"


@dataclass(frozen=True)
class RankScore:
    """An adapter at one of its ranks.

    Attributes:
        rank: From 1 to the adapter's.
        weights: As tuned on dev at this rank.
        wers: WER in percent by set.
    """

    rank: int
    weights: Weights
    wers: Mapping[str, float]


@dataclass(frozen=True)
class RankCurve:
    """What the file has.

    Attributes:
        dev_set: The set on which the weights were tuned.
        stamp: What the scores depend on: rescorer, options, lists.
        scores: The ranks that are done, in increasing order.
    """

    dev_set: str
    stamp: str
    scores: tuple[RankScore, ...]


def score_ranks(
    rescorer_dir: Path,
    ranks: Iterable[int],
    sets: Mapping[str, NbestSet],
    dev_set: str,
    path: Path,
    options: ScoringOptions,
    progress: Callable[[str], Progress] = lambda what: silent,
) -> RankCurve:
    """Measure the WER at each rank, and write the file after each.

    Args:
        rescorer_dir: A rescorer that was trained with `mixed`.
        ranks: The ranks, each from 1 to the adapter's.
        sets: The sets to report by name, dev among them, all with references; from `read_nbest_dir`.
        dev_set: The set to tune the weights on.
        path: The file; the ranks that it has of the same rescorer, options and lists are not scored again.
        options: How scores are computed.
        progress: Gives the progress bar of a rank and set, of what stands before it.

    Returns:
        All that the file has now.

    Raises:
        InputError: The adapter has no such rank, the rescorer cannot be loaded, or the file cannot be used.
    """
    stamp = _stamp(rescorer_dir, sets, dev_set, options)
    found = read_ranks(path) if path.is_file() else None
    done = {one.rank: one for one in found.scores} if found and found.stamp == stamp else {}
    for rank in sorted(set(ranks) - done.keys()):
        from lorescore.scoring.rescorer import Rescorer  # takes seconds; where all ranks are done, nobody waits for it

        rescorer = Rescorer.load(rescorer_dir, options=options, rank=rank)
        lists = {
            name: _scored(rescorer, nbest, progress(f"{rescorer_dir.name} rank {rank} {name}"))
            for name, nbest in sets.items()
        }
        weights = tune(lists[dev_set])
        done[rank] = RankScore(rank, weights, {name: wer(one, weights) for name, one in lists.items()})
        write_ranks(path, RankCurve(dev_set, stamp, _ordered(done)))
    return RankCurve(dev_set, stamp, _ordered(done))


def read_ranks(path: Path) -> RankCurve:
    """Read the file.

    Raises:
        InputError: It cannot be read, or is not what `score_ranks` writes.
    """
    text = "\n".join(line for _, line in read_lines(path))
    try:
        content = json.loads(text)
        scores = {int(one["rank"]): _parsed(one) for one in content["ranks"]}
        curve = RankCurve(str(content["dev_set"]), str(content["stamp"]), _ordered(scores))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("not the file of ranks that stage 6 writes", path=path, mend=MEND) from error
    if not all(math.isfinite(value) for one in curve.scores for value in one.wers.values()):
        raise InputError("a WER is not a finite number", path=path, mend=MEND)
    return curve


def write_ranks(path: Path, curve: RankCurve) -> None:
    """Write the file."""
    ranks = [
        {"rank": one.rank, **asdict(one.weights), "wer": {name: round(value, 4) for name, value in one.wers.items()}}
        for one in curve.scores
    ]
    write_json(path, {"dev_set": curve.dev_set, "stamp": curve.stamp, "ranks": ranks})


def _scored(rescorer: "Rescorer", nbest: NbestSet, progress: Progress) -> ScoredLists:
    scores = rescorer.score_lists(nbest, progress)
    return ScoredLists.build(nbest, [[-score for score in of_list] for of_list in scores])


def _stamp(rescorer_dir: Path, sets: Mapping[str, NbestSet], dev_set: str, options: ScoringOptions) -> str:
    lists = [(name, nbest.info["checksum"]) for name, nbest in sorted(sets.items())]
    parts = [rescorer_checksum(rescorer_dir), options.describe(default_device()), dev_set, lists]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _parsed(content: Mapping[str, Any]) -> RankScore:
    weights = Weights(float(content["lm_weight"]), float(content["word_bonus"]), str(content.get("metric", WER)))
    return RankScore(int(content["rank"]), weights, {str(name): float(one) for name, one in content["wer"].items()})


def _ordered(scores: Mapping[int, RankScore]) -> tuple[RankScore, ...]:
    """Scores by rank, in increasing order of the rank."""
    return tuple(scores[rank] for rank in sorted(scores))
