"""What belongs to a stored rescorer but lies outside its directory: the PLM, and the weights that stage 6 tuned."""

from pathlib import Path

from lorescore.combine import Weights, read_weights
from lorescore.errors import InputError

WEIGHTS_FILE = "weights.yaml"
NO_WEIGHTS = "give weights, or tune them on a development set: stage 6"


def stored_weights(rescorer_dir: Path) -> Weights | None:
    """The weights that were tuned for a rescorer; None where there are none.

    `weights.yaml` in the directory itself, where a user has put it, or else where stage 6 writes it:
    exp/rescore/<tag>/weights.yaml for the rescorer exp/plm/<tag>.

    Raises:
        InputError: The file is not one of weights.
    """
    resolved = rescorer_dir.resolve()
    for path in (resolved / WEIGHTS_FILE, resolved.parent.parent / "rescore" / resolved.name / WEIGHTS_FILE):
        if path.is_file():
            return read_weights(path)
    return None


def require_weights(weights: Weights | None) -> Weights:
    """The weights.

    Raises:
        InputError: There are none.
    """
    if weights is None:
        raise InputError("no weights.yaml beside this rescorer", mend=NO_WEIGHTS)
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
