"""PLM costs of whole N-best directories: one `lmwt.<tag>` file each, written once for each rescorer and lists.

Clean and perturbed versions of a list are scored together: a text that several of them share is scored once, and
what they have in common at the start shares its states (`lorescore.scoring.prefix_tree`).
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from lorescore.files import atomic_write, checksum
from lorescore.nbest import NbestSet, read_costs, read_nbest_dir, write_costs
from lorescore.nbest.directory import costs_by_list
from lorescore.progress import Progress, silent
from lorescore.scoring.rescorer import Rescorer


def rescorer_checksum(rescorer_dir: Path) -> str:
    """SHA-256 over a rescorer's files (its weights, config.yaml with the checksum of the PLM)."""
    return checksum(sorted(path for path in rescorer_dir.rglob("*") if path.is_file()))


def cost_file(nbest_dir: Path, tag: str) -> Path:
    """Where a scorer's costs of an N-best directory are."""
    return nbest_dir / f"lmwt.{tag}"


def list_costs(nbest_dir: Path, nbest: NbestSet, tag: str) -> list[list[float]]:
    """A scorer's costs of each list's hypotheses by rank.

    Raises:
        InputError: The file is missing or does not match the lists.
    """
    path = cost_file(nbest_dir, tag)
    return list(costs_by_list(read_costs(path), nbest, path))


def score_nbest_dirs(
    load: Callable[[], Rescorer], rescorer_dir: Path, nbest_dirs: Sequence[Path], progress: Progress = silent
) -> int:
    """Write the PLM costs of every N-best directory that lacks them.

    Args:
        load: Loads the rescorer; called only where there is something to score.
        rescorer_dir: Its directory; the last part of the path is its tag.
        nbest_dirs: Versions of one set (clean, perturbed): the same utterances in each.
        progress: Wraps the loop over batches.

    Returns:
        The number of texts that were scored.
    """
    tag, version = rescorer_dir.name, rescorer_checksum(rescorer_dir)
    sets = {path: read_nbest_dir(path) for path in nbest_dirs}
    stamps = {path: _stamp(version, nbest) for path, nbest in sets.items()}
    unscored = {path: nbest for path, nbest in sets.items() if _read_stamp(path, tag) != stamps[path]}
    if not unscored:
        return 0
    known: dict[str, dict[str, float]] = {}
    for path in (path for path in sets if path not in unscored):
        for one, costs in zip(sets[path], list_costs(path, sets[path], tag), strict=True):
            known.setdefault(one.utt, {}).update(zip(one.texts, costs, strict=True))
    wanted: dict[str, dict[str, None]] = {}  # distinct texts by utterance, in order
    for nbest in unscored.values():
        for one in nbest:
            new = (text for text in one.texts if text not in known.get(one.utt, {}))
            wanted.setdefault(one.utt, {}).update(dict.fromkeys(new))
    scores = load().score([list(texts) for texts in wanted.values()], progress=progress)
    for (utt, texts), values in zip(wanted.items(), scores, strict=True):
        known.setdefault(utt, {}).update(zip(texts, (-value for value in values), strict=True))
    for path, nbest in unscored.items():
        keyed = [
            (key, known[one.utt][text]) for one in nbest for key, text in zip(one.nbest_keys(), one.texts, strict=True)
        ]
        _stamp_file(path, tag).unlink(missing_ok=True)  # it must never stand beside costs that it is not of
        write_costs(cost_file(path, tag), keyed)
        with atomic_write(_stamp_file(path, tag)) as file:
            file.write(f"{stamps[path]}\n")
    return sum(map(len, wanted.values()))


def _stamp(version: str, nbest: NbestSet) -> str:
    """What a cost file depends on: the rescorer and the lists."""
    return hashlib.sha256(f"{version} {nbest.info['checksum']}".encode()).hexdigest()


def _stamp_file(nbest_dir: Path, tag: str) -> Path:
    return nbest_dir / f".lmwt.{tag}.stamp"


def _read_stamp(nbest_dir: Path, tag: str) -> str:
    path = _stamp_file(nbest_dir, tag)
    return path.read_text(encoding="utf-8").strip() if path.is_file() and cost_file(nbest_dir, tag).is_file() else ""
