"""`exp/rescore/<tag>/ranks.json`: the WER of one adapter of mixed-rank training at each of its ranks."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lorescore.combine import Weights
from lorescore.errors import InputError
from lorescore.files import atomic_write, read_lines
from lorescore.wer.units import WER

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


def read_ranks(path: Path) -> RankCurve:
    """Read the file.

    Raises:
        InputError: It cannot be read, or is not what `score_ranks` writes.
    """
    text = "\n".join(line for _, line in read_lines(path))
    try:
        content = json.loads(text)
        scores = {int(one["rank"]): _parsed(one) for one in content["ranks"]}
        curve = RankCurve(str(content["dev_set"]), str(content["stamp"]), ordered(scores))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("not the file of ranks that stage 6 writes", path=path, mend=MEND) from error
    if not all(math.isfinite(value) for one in curve.scores for value in one.wers.values()):
        raise InputError("a WER is not a finite number", path=path, mend=MEND)
    return curve


def _parsed(content: Mapping[str, Any]) -> RankScore:
    weights = Weights(float(content["lm_weight"]), float(content["word_bonus"]), str(content.get("metric", WER)))
    return RankScore(int(content["rank"]), weights, {str(name): float(one) for name, one in content["wer"].items()})


def ordered(scores: Mapping[int, RankScore]) -> tuple[RankScore, ...]:
    """Scores by rank, in increasing order of the rank."""
    return tuple(scores[rank] for rank in sorted(scores))


def write_ranks(path: Path, curve: RankCurve) -> None:
    """Write the file."""
    ranks = [
        {"rank": one.rank, **asdict(one.weights), "wer": {name: round(value, 4) for name, value in one.wers.items()}}
        for one in curve.scores
    ]
    with atomic_write(path) as file:
        json.dump({"dev_set": curve.dev_set, "stamp": curve.stamp, "ranks": ranks}, file, indent=1)
        file.write("\n")
