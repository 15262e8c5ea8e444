"""What a rescorer is made from: what a finished one and an unfinished training have in common with those asked for."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lorescore.errors import InputError
from lorescore.plm.settings import PlmSettings
from lorescore.plm.strategy import Strategy
from lorescore.training.settings import MEMORY, TrainingSettings

# In config.yaml; None where it means nothing to the rescorer.
MADE_FROM = (
    "plm",
    "plm_checksum",
    "strategy",
    "objective",
    "seed",
    "training_settings",
    "train_checksum",
    "dev_checksum",
    "lm_text_checksum",
    "lexicon_checksum",
    "metric",
    "cleaner",
    "teacher",
)

MEMORY_NAMES = [f"training_settings.{name}" for name in MEMORY]


def differing(asked: Mapping[str, Any], held: Mapping[str, Any]) -> list[str]:
    """The names of what is another one in `held` than in `asked`: `seed`, or a setting: `training_settings.epochs`.

    A setting that did not exist when `held` was written was what its default is now. A PLM that is not there cannot be
    compared, and what costs memory alone need not be the same.
    """
    now, then = _with_defaults(asked), _with_defaults(held)
    known = [key for key in asked if key != "plm_checksum" or asked[key] is not None]
    return [name for key in known for name in _unequal(key, now[key], then.get(key)) if name not in MEMORY_NAMES]


def _unequal(key: str, now: Any, then: Any) -> list[str]:
    """The names of what is another one in a value, or in the settings that it consists of."""
    if isinstance(now, dict) and isinstance(then, dict):
        return [f"{key}.{name}" for name in now | then if now.get(name) != then.get(name)]
    return [key] if now != then else []


def _with_defaults(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a rescorer is made from, with the settings that are not named."""
    defaults: dict[str, dict[str, Any]] = {
        "plm": PlmSettings("", "").to_dict(),
        "strategy": Strategy("").to_dict(),
        "training_settings": TrainingSettings().to_dict(),
    }
    return {key: defaults.get(key, {}) | value if isinstance(value, dict) else value for key, value in content.items()}


def holds_another(path: Path, what: str, other: Iterable[str]) -> InputError:
    """The error for a directory that holds another rescorer or training, which is neither used nor overwritten.

    Args:
        path: The directory.
        what: What it holds.
        other: From `differing`.
    """
    mend = f"give this one another name, --suffix NAME, or move {path} away"
    if "plm_checksum" in other:
        mend = f"the PLM was fetched anew since: move {path} away, or give the new PLM another name: --plm"
    return InputError(f"holds {what} with another {', '.join(other)}", path=path, mend=mend)
