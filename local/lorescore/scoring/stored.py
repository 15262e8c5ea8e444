"""What a stored rescorer says of itself, and what belongs to it but lies outside its directory.

The latter are the PLM, the weights that stage 6 tuned, and for a combination the rescorers whose scores it adds.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorescore.combine import GIVE_TUNED, Weights, read_weights
from lorescore.decode import MBR
from lorescore.errors import InputError
from lorescore.files import checksum, read_yaml
from lorescore.plm.source import fetched_checksum
from lorescore.stamp import Stamp
from lorescore.wer.units import METRICS

CONFIG_FILE = "config.yaml"  # of a rescorer or combination; written last: without it nothing is finished
MEMBERS = "members"
NESTED = "mixed"  # the strategy whose adapters serve every rank
WEIGHTS_FILE = "weights.yaml"
TUNED_FOR = "tuned_for"  # in it: `scores_checksum` of the rescorer
PLM_SCORES = "plm_scores"  # in it: how the scores were computed (`ScoringOptions.describe`)
TRAIN_IT = "stage 5 trains it"
TRAIN_AGAIN = "move it away and train it again: stage 5"
TUNE_THEM = "tune them on a development set"
TUNE_ON_JSON_LINES = (
    "python3 -m lorescore convert dev.jsonl exp/nbest/dev && python3 -m lorescore rescore --tags TAG --dev dev"
)
GIVE_WEIGHTS = f"give weights=lorescore.Weights(lm_weight=X); or {TUNE_THEM}: {TUNE_ON_JSON_LINES}"


@dataclass(frozen=True)
class Member:
    """One of the rescorers whose scores a combination adds.

    Attributes:
        tag: Its directory's name; it lies beside the combination's.
        weight: Of its PLM score in the sum.
        checksum: Of its files when the weights were tuned.
    """

    tag: str
    weight: float
    checksum: str


def read_config(rescorer_dir: Path, *, mend: str = TRAIN_IT) -> dict[str, Any]:
    """What config.yaml says of a rescorer or of a combination.

    Raises:
        InputError: It is missing, so that nothing is finished here; or it cannot be read.
    """
    if not is_finished(rescorer_dir):
        raise unfinished(rescorer_dir, mend)
    return read_yaml(rescorer_dir / CONFIG_FILE)


def is_finished(rescorer_dir: Path) -> bool:
    """Whether a directory holds a rescorer or a combination, written to its end."""
    return (rescorer_dir / CONFIG_FILE).is_file()


def finished_rescorers(plm_root: Path) -> list[Path]:
    """The directories below one that hold a rescorer or a combination, sorted; those in the making begin with a dot."""
    return [path.parent for path in sorted(plm_root.glob(f"[!.]*/{CONFIG_FILE}"))]


def unfinished(rescorer_dir: Path, mend: str = TRAIN_IT) -> InputError:
    """The error for a directory that holds no finished rescorer."""
    return InputError(f"no finished rescorer: {CONFIG_FILE} is missing", path=rescorer_dir, mend=mend)


def stored_members(rescorer_dir: Path) -> list[Member]:
    """What a combination adds; nothing where the directory holds a rescorer.

    Raises:
        InputError: config.yaml is missing, or its members are not of the form.
    """
    members = read_config(rescorer_dir).get(MEMBERS) or []
    try:
        return [Member(str(one["tag"]), float(one["weight"]), str(one["checksum"])) for one in members]
    except (KeyError, TypeError, ValueError) as error:
        message = f"its {MEMBERS} are not of the form: {error}"
        raise InputError(message, path=rescorer_dir / CONFIG_FILE, mend="combine the rescorers again") from error


def require_no_members(config: Mapping[str, Any], rescorer_dir: Path, mend: str) -> None:
    """Check that a directory holds a rescorer.

    Raises:
        InputError: It holds a combination of several.
    """
    if config.get(MEMBERS):
        raise InputError("a combination of several rescorers, expected one", path=rescorer_dir, mend=mend)


def require_nested_ranks(config: Mapping[str, Any], rescorer_dir: Path) -> None:
    """Check that the adapter of a rescorer can be cut to a lower rank.

    Raises:
        InputError: It was not trained so: the components of another strategy are in no order.
    """
    name = (config.get("strategy") or {}).get("name")
    if name != NESTED:
        raise InputError(f"trained with {name}, whose ranks are not nested", path=rescorer_dir, mend=f"--lora {NESTED}")


def stored_weights_path(rescorer_dir: Path) -> Path | None:
    """Where the weights that were tuned for a rescorer are; None where there are none.

    `weights.yaml` in the directory itself, where a user has put it, or else where stage 6 writes it:
    exp/rescore/<tag>/weights.yaml for the rescorer exp/plm/<tag>. What was tuned for another is left out.
    """
    resolved = rescorer_dir.resolve()
    places = (resolved / WEIGHTS_FILE, resolved.parent.parent / "rescore" / resolved.name / WEIGHTS_FILE)
    return next((path for path in places if path.is_file() and not are_for_another(path, resolved)), None)


def stored_weights(rescorer_dir: Path) -> Weights | None:
    """The weights that were tuned for a rescorer; None where there are none.

    Raises:
        InputError: The file is not one of weights.
    """
    path = stored_weights_path(rescorer_dir)
    return read_weights(path) if path else None


def scores_checksum(rescorer_dir: Path) -> str:
    """SHA-256 over what decides a rescorer's scores: the same training twice gives the same, whatever it took.

    Raises:
        InputError: config.yaml is missing, so that nothing is finished here.
    """
    content = f"{_score_settings(rescorer_dir)}\n{checksum(_score_files(rescorer_dir))}"
    return hashlib.sha256(content.encode()).hexdigest()


def _score_settings(rescorer_dir: Path) -> str:
    """What decides a rescorer's scores besides its files, as JSON."""
    config = read_config(rescorer_dir)
    return json.dumps({name: config.get(name) for name in ("plm", "plm_checksum", MEMBERS)}, sort_keys=True)


def _score_files(rescorer_dir: Path) -> list[Path]:
    """The files that decide a rescorer's scores."""
    return sorted(path for path in rescorer_dir.rglob("*") if path.suffix in (".safetensors", ".json"))


def are_for_another(weights_path: Path, rescorer_dir: Path) -> bool:
    """Whether weights were tuned for another rescorer than a directory holds now; False where that is not known.

    A rescorer that was found to be theirs is not read again while its files keep their sizes and times of change: those
    of a `full` one are gigabytes, and each set that is scored asks. A stamp beside the weights tells.
    """
    tuned_for = read_yaml(weights_path).get(TUNED_FOR) if weights_path.is_file() else None
    if tuned_for is None or not is_finished(rescorer_dir):
        return False
    stats = {path: path.stat() for path in _score_files(rescorer_dir) if path.is_file()}
    looks = [(str(path.relative_to(rescorer_dir)), one.st_size, one.st_mtime_ns) for path, one in stats.items()]
    stamp = Stamp(weights_path.parent / f".{TUNED_FOR}.stamp", f"{tuned_for}\n{_score_settings(rescorer_dir)}\n{looks}")
    if stamp.is_current():
        return False
    if tuned_for != scores_checksum(rescorer_dir):
        return True
    if weights_path.parent.resolve() != rescorer_dir.resolve():  # whose files are its own
        with suppress(InputError):  # somebody else's directory, or a full disk: the rescorer is read again then
            stamp.write()
    return False


def require_tuned_for(weights_path: Path, rescorer_dir: Path) -> None:
    """Check that weights are not of another rescorer.

    Raises:
        InputError: They were tuned for another than a directory holds now.
    """
    if are_for_another(weights_path, rescorer_dir):
        message = f"tuned for another rescorer than {rescorer_dir} holds now"
        raise InputError(message, path=weights_path, mend="rescore again: stage 6")


def rescorer_of(system_dir: Path) -> Path:
    """The rescorer exp/plm/<tag> whose weights and hypotheses exp/rescore/<tag> or exp/rescore/<tag>_mbr holds."""
    plm_root = system_dir.parent.parent / "plm"
    base = plm_root / system_dir.name.removesuffix(f"_{MBR}")
    return base if base.is_dir() else plm_root / system_dir.name


def require_weights(weights: Weights | None, *, mend: str = GIVE_WEIGHTS) -> Weights:
    """The weights.

    Args:
        weights: Those that were given or found.
        mend: What the user can do where there are none.

    Raises:
        InputError: There are none, they are something else, or no finite numbers, `lm_weight` is negative, or the
            metric unknown.
    """
    if weights is None:
        raise InputError("no weights.yaml for this rescorer", mend=mend)
    if not isinstance(weights, Weights):
        message = f"weights are {weights!r:.60}, expected lorescore.Weights(lm_weight=..., word_bonus=...)"
        raise InputError(message)
    if not weights.are_usable():
        message = f"weights are {weights}, expected finite numbers, lm_weight >= 0, metric {' or '.join(METRICS)}"
        raise InputError(message, mend=GIVE_TUNED)
    return weights


def stored_plm(rescorer_dir: Path, plm_dir: str) -> Path:
    """Where the PLM of a rescorer is.

    The recipe writes paths relative to the directory in which it was called. Where the caller is elsewhere, the path
    is sought from the folders above the rescorer.

    Args:
        rescorer_dir: The rescorer's directory.
        plm_dir: What its config.yaml says.

    Returns:
        A directory that exists, or else the path as it is written.
    """
    path = Path(plm_dir)
    if path.is_absolute() or path.is_dir():
        return path
    found = (folder / path for folder in rescorer_dir.resolve().parents if (folder / path).is_dir())
    return next(found, path)


def require_same_plm(config: Mapping[str, Any], rescorer_dir: Path) -> None:
    """Check that a rescorer's PLM is the one that was adapted, where it is there at all.

    Args:
        config: What its config.yaml says.
        rescorer_dir: Its directory.

    Raises:
        InputError: The PLM was fetched anew from something else, or is not what was fetched any more.
    """
    plm_dir = stored_plm(rescorer_dir, config.get("plm_dir", ""))
    if fetched_checksum(plm_dir) not in (None, config.get("plm_checksum")):
        raise InputError(f"was trained on another version of {plm_dir}", path=rescorer_dir, mend=TRAIN_AGAIN)
