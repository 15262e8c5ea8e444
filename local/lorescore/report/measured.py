"""What stage 9 measured of the rescorers' robustness, and still holds: `exp/nprr/<tag>.json`."""

import logging
import math
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from lorescore.errors import InputError
from lorescore.nbest.directory import content_checksum
from lorescore.nbest.info import is_nbest_dir
from lorescore.nprr import AreaRecord, NprrRecord, read_areas, read_records, read_word_errors
from lorescore.nprr.earlier import lists_of
from lorescore.nprr.stored import SUFFIX
from lorescore.perturb.settings import WORST
from lorescore.report.scores import SetScore

logger = logging.getLogger(__name__)


def read_measured(exp_dir: Path, left_out: Collection[str]) -> tuple[list[NprrRecord], list[AreaRecord]]:
    """The records of every rescorer, but for some, whose lists are those that were measured.

    Args:
        exp_dir: The recipe's `exp`.
        left_out: The tags that do not count.

    Raises:
        InputError: A file is not what stage 9 writes, or two rescorers were measured on different perturbed lists.
    """
    paths = [path for path in sorted(exp_dir.glob("nprr/[!.]*.json")) if path.stem not in left_out]
    changed = _changed_since_measured(paths, exp_dir)
    records = [one for path in paths for one in read_records(path) if changed[path].isdisjoint(lists_of(one))]
    areas = [one for path in paths for one in read_areas(path) if changed[path].isdisjoint(lists_of(one))]
    _require_same_lists(records)
    return records, areas


def _changed_since_measured(nprr_paths: Iterable[Path], exp_dir: Path) -> dict[Path, set[str]]:
    """By file of stage 9, the lists that are others now than those that it measured; deleted ones are none."""
    changed: dict[Path, set[str]] = {}
    checksums: dict[str, str] = {}
    for path in nprr_paths:
        errors_path = path.parent / f"{path.stem}{SUFFIX}"
        measured = read_word_errors(errors_path).checksums if errors_path.is_file() else {}
        for name in measured:
            if name not in checksums and is_nbest_dir(exp_dir / "nbest" / name):
                checksums[name] = content_checksum(exp_dir / "nbest" / name)
        changed[path] = {name for name, known in measured.items() if checksums.get(name, known) != known}
        if changed[path]:
            logger.warning(
                "%s: left out what was measured on other lists than nbest/%s has now (%s)",
                path,
                min(changed[path]),
                "measure it again: ./run.sh --stage 8 --stop_stage 9",
            )
    return changed


def _require_same_lists(records: Iterable[NprrRecord]) -> None:
    """Check that every rescorer had the same lists, but for `worst`, of which each has its own.

    The first pass's WER tells.
    """
    seen: dict[tuple[object, ...], NprrRecord] = {}
    for record in (record for record in records if record.perturbation != WORST):
        other = seen.setdefault((record.set, record.lists, record.rate, record.seeds), record)
        for wer, other_wer in (
            (record.first_pass.clean_wer, other.first_pass.clean_wer),
            (record.first_pass.perturbed_wer, other.first_pass.perturbed_wer),
        ):
            if not math.isclose(wer, other_wer, abs_tol=1e-6):
                raise InputError(
                    f"NPRR of {record.tag} and {other.tag} ({record.set}, {record.lists}, rate {record.rate:g}) is of "
                    f"different lists: the first pass has the error rates {wer:.4f} and {other_wer:.4f}",
                    mend="measure both again: ./run.sh --stage 8 --stop_stage 9",
                )


def warn_of_other_scores(records: Iterable[NprrRecord], scores: Mapping[str, Mapping[str, SetScore]]) -> None:
    """Say where NPRR was measured with other scores or weights than the WER of the same table of results."""
    for (set_name, tag), nprr in {(one.set, one.tag): one.nprr for one in records}.items():
        score = scores.get(set_name, {}).get(tag)
        if score and not math.isclose(score.wer, nprr.clean_wer, abs_tol=1e-3):
            logger.warning(
                "%s on %s has %s %.2f now, and had %.2f when NPRR was measured: "
                "stage 9 measures it again, with the options of stage 6",
                tag,
                set_name,
                score.metric.upper(),
                score.wer,
                nprr.clean_wer,
            )
