"""What earlier runs of stage 9 measured of a rescorer under conditions that the present run does not measure again.

It stays in `exp/nprr/<tag>` as long as it still says what a new measurement would: of the same rescorer with the same
weights, which `exp/nprr/.<tag>.stamp` tells, on the lists that are there now.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from lorescore.nbest.directory import content_checksum
from lorescore.nprr.conditions import Condition, condition_of
from lorescore.nprr.records import AreaRecord, NprrRecord, read_areas, read_records
from lorescore.nprr.stored import SUFFIX, WordErrors, read_word_errors

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Earlier:
    """What stays.

    Attributes:
        records: NPRR, by condition and rate.
        areas: Under their curves.
        word_errors: In the lists that they are of.
    """

    records: list[NprrRecord] = field(default_factory=list)
    areas: list[AreaRecord] = field(default_factory=list)
    word_errors: WordErrors = field(default_factory=lambda: WordErrors({}, {}))


def lists_of(one: NprrRecord | AreaRecord) -> list[str]:
    """The N-best directories that were measured, the clean one first."""
    return [one.set, *(name for of_rate in condition_of(one).names(one.tag).values() for name in of_rate)]


def read_earlier(
    nprr_dir: Path, tag: str, same_model: bool, measured: Collection[Condition], nbest_root: Path
) -> Earlier:
    """What stays of a rescorer's earlier measurements.

    Args:
        nprr_dir: exp/nprr.
        tag: The rescorer's.
        same_model: Whether what decides its choices is what it was: its files, its weights and how it scores.
        measured: What is measured now; that set, perturbation and kind replace the earlier ones, whatever their rates.
        nbest_root: exp/nbest, where the lists are.

    Raises:
        InputError: The files cannot be read.
    """
    path = nprr_dir / f"{tag}.json"
    if not path.is_file() or not (nprr_dir / f"{tag}{SUFFIX}").is_file():
        return Earlier()
    if not same_model:
        logger.info("%s: of another model, of other weights or of an earlier version: nothing of it is kept", path)
        return Earlier()
    stored = read_word_errors(nprr_dir / f"{tag}{SUFFIX}")
    now = {(one.set, one.perturbation, one.kind) for one in measured}
    kept: set[str] = set()

    def stays(one: NprrRecord | AreaRecord) -> bool:
        if (one.set, one.perturbation, one.kind) in now:
            return False
        names = lists_of(one)
        changed = [name for name in names if stored.checksums.get(name) != content_checksum(nbest_root / name)]
        if changed:
            logger.info("%s: the lists of %s have changed: %s %s is left out", path, changed[0], one.set, one.lists)
            return False
        kept.update(names)
        return True

    records, areas = [one for one in read_records(path) if stays(one)], [one for one in read_areas(path) if stays(one)]
    return Earlier(records, areas, stored.only(sorted(kept)))
