"""Word errors as arrays of counts, checked."""

import numpy as np
import numpy.typing as npt

from lorescore.errors import InputError
from lorescore.wer.resampling import Counts


def counts_of(values: npt.ArrayLike, what: str, num_axes: int) -> Counts:
    """An array of counts.

    Args:
        values: Shape (U,) or (S, U).
        what: What they count, for errors.
        num_axes: 1 or 2.

    Raises:
        InputError: Another number of axes, a negative count or one that is not whole.
    """
    counts = np.asarray(values)
    if counts.ndim != num_axes:
        raise InputError(f"{what} of shape {counts.shape}, expected {('(U,)', '(S, U)')[num_axes - 1]}")
    if counts.size and (not np.issubdtype(counts.dtype, np.integer) or counts.min() < 0):
        raise InputError(f"{what} are counts, expected whole numbers from 0")
    return counts.astype(np.int64)


def clean_and_perturbed(clean_errors: npt.ArrayLike, perturbed_errors: npt.ArrayLike) -> Counts:
    """Errors of the clean lists (row 0) and of each seed's perturbed lists (the other rows), shape (1 + S, U).

    Args:
        clean_errors: Word errors of each utterance, shape (U,).
        perturbed_errors: The same utterances in the same order, shape (S, U).

    Raises:
        InputError: The shapes disagree, a count is negative, or there is nothing to count.
    """
    clean = counts_of(clean_errors, "clean errors", 1)
    perturbed = counts_of(perturbed_errors, "perturbed errors", 2)
    if not perturbed.size:
        raise InputError("no perturbed lists: NPRR needs at least one seed and one utterance")
    if perturbed.shape[1:] != clean.shape:
        raise InputError(f"errors of {len(clean)} utterances on clean lists, of {perturbed.shape[1]} on perturbed ones")
    return np.concatenate([clean[None], perturbed])


def require_words(ref_words: npt.ArrayLike, num_utts: int) -> int:
    """The number of reference words.

    Args:
        ref_words: Of each utterance, shape (U,).
        num_utts: U of the errors.

    Raises:
        InputError: They are of another number of utterances, or there are none.
    """
    words = counts_of(ref_words, "reference words", 1)
    if len(words) != num_utts:
        raise InputError(f"reference words of {len(words)} utterances, errors of {num_utts}")
    if not words.sum():
        raise InputError("the references have no words, so that there is no WER")
    return int(words.sum())
