"""NPRR, N-best Perturbation-based Rescoring Robustness: how much of its WER a rescorer loses on perturbed lists.

From the paper (arXiv 2401.10447, of which only the abstract was at hand): the name, and the idea of comparing a
rescorer's performance on clean N-best lists with that on perturbed ones. This project's own definition (DESIGN
section 3), which the abstract does not fix: for a model, a kind of perturbation and a rate,

    NPRR = 100 x (WER_perturbed - WER_clean) / WER_clean

in percent, the mean over seeds of the perturbation; lower is more robust, negative is better on perturbed lists. Its
interval is a bootstrap over utterances, paired: one resample of the utterances gives the errors of the clean lists and
of every seed's perturbed lists (`lorescore.wer.resampling`). Seeds are held fixed, so that the interval says what other
utterances would have given.

Where the clean lists have no errors NPRR is undefined: its value, interval and per-seed values are None, never NaN.

Results are kept as JSON records (`write_records`, `read_records`), one for each model, set, perturbation, kind and
rate.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lorescore.errors import InputError
from lorescore.files import atomic_write, read_lines
from lorescore.perturb.settings import HOMOPHONE
from lorescore.wer.resampling import (
    NUM_REPLICATIONS,
    PERCENT,
    SEED,
    Counts,
    Floats,
    defined_value,
    percentile_interval,
    relative_changes,
    resampled_totals,
)


@dataclass(frozen=True)
class Nprr:
    """NPRR of a model for a kind and a rate, in percent.

    Attributes:
        value: The mean over seeds; None where the clean lists have no errors (undefined).
        low: Lower end of the 95 % interval; None where undefined.
        high: Upper end.
        per_seed: The value of each seed, in the order given; each None where undefined.
        clean_wer: WER on the clean lists, in percent.
        perturbed_wer: WER on the perturbed lists in percent, the mean over seeds.
    """

    value: float | None
    low: float | None
    high: float | None
    per_seed: tuple[float | None, ...]
    clean_wer: float
    perturbed_wer: float


@dataclass(frozen=True)
class NprrDifference:
    """NPRR of one model minus that of another on the same utterances, in percentage points.

    Attributes:
        value: The difference; negative where the first model is the more robust; None where either is undefined.
        low: Lower end of the 95 % interval; None where undefined.
        high: Upper end.
        p: Two-sided bootstrap p-value of no difference: twice the share of resamples on the far side of zero.
    """

    value: float | None
    low: float | None
    high: float | None
    p: float | None


@dataclass(frozen=True)
class NprrRecord:
    """The robustness of one model on one set for one perturbation, as the report reads it.

    Attributes:
        tag: The model's tag, as in `exp/plm/<tag>`.
        set: The clean set's name.
        kind: `1best` or `nbest`.
        rate: The chance that a replaceable word is replaced.
        seeds: Of the perturbations, in the order of `per_seed`.
        nprr: Of the rescored lists.
        first_pass: The first pass's own degradation on the same lists: what its rank-1 hypotheses lose.
        perturbation: What replaced a word, as in `lorescore.perturb`.
    """

    tag: str
    set: str
    kind: str
    rate: float
    seeds: tuple[int, ...]
    nprr: Nprr
    first_pass: Nprr
    perturbation: str = HOMOPHONE

    @property
    def lists(self) -> str:
        """Perturbation and kind in words: `nbest` of homophones, `near nbest` of others."""
        return self.kind if self.perturbation == HOMOPHONE else f"{self.perturbation} {self.kind}"


def nprr(
    clean_errors: npt.ArrayLike,
    perturbed_errors: npt.ArrayLike,
    ref_words: npt.ArrayLike,
    *,
    num_replications: int = NUM_REPLICATIONS,
    seed: int = SEED,
) -> Nprr:
    """NPRR of a model from the word errors of its rescored lists.

    The utterances may come in any order, as long as it is the same in all arrays: the result is the same.

    Args:
        clean_errors: Word errors of each utterance on the clean lists, shape (U,).
        perturbed_errors: The same on the perturbed lists of each seed, shape (S, U).
        ref_words: Reference words of each utterance, shape (U,).
        num_replications: Bootstrap resamples. One that draws no clean errors has no NPRR and is left out.
        seed: Of the bootstrap.

    Raises:
        InputError: The shapes disagree, a count is negative, or there is nothing to count.
    """
    errors = _errors(clean_errors, perturbed_errors)
    words = _counts(ref_words, "reference words", 1)
    if words.shape != errors.shape[1:]:
        raise InputError(f"reference words of {len(words)} utterances, errors of {errors.shape[1]}")
    if not words.sum():
        raise InputError("the references have no words, so that there is no WER")
    totals = errors.sum(axis=1)
    clean_wer, *perturbed_wers = (PERCENT * totals / words.sum()).tolist()
    perturbed_wer = float(np.mean(perturbed_wers))
    if not totals[0]:
        return Nprr(None, None, None, (None,) * len(perturbed_wers), clean_wer, perturbed_wer)
    per_seed = PERCENT * (totals[1:] - totals[0]) / totals[0]
    low, high = percentile_interval(relative_changes(resampled_totals(errors, num_replications, seed)))
    return Nprr(
        defined_value(relative_changes(totals[None])), low, high, tuple(per_seed.tolist()), clean_wer, perturbed_wer
    )


def nprr_difference(
    clean_errors: npt.ArrayLike,
    perturbed_errors: npt.ArrayLike,
    other_clean_errors: npt.ArrayLike,
    other_perturbed_errors: npt.ArrayLike,
    *,
    num_replications: int = NUM_REPLICATIONS,
    seed: int = SEED,
) -> NprrDifference:
    """NPRR of a model minus NPRR of another, with the same resamples of the utterances for both.

    Args:
        clean_errors: Word errors of the first model on the clean lists, shape (U,).
        perturbed_errors: On the perturbed lists of each seed, shape (S, U).
        other_clean_errors: Of the second model, the same utterances in the same order, shape (U,).
        other_perturbed_errors: Of the second model, shape (S', U); paired seeds (S' = S) give the narrowest interval.
        num_replications: Bootstrap resamples.
        seed: Of the bootstrap.

    Raises:
        InputError: The shapes disagree, a count is negative, or there is nothing to count.
    """
    first, second = _errors(clean_errors, perturbed_errors), _errors(other_clean_errors, other_perturbed_errors)
    if first.shape[1] != second.shape[1]:
        raise InputError(f"the first model has {first.shape[1]} utterances, the second {second.shape[1]}")
    errors, split = np.concatenate([first, second]), len(first)

    def difference(totals: Counts) -> Floats:
        return relative_changes(totals[:, :split]) - relative_changes(totals[:, split:])

    value = defined_value(difference(errors.sum(axis=1)[None]))
    if value is None:
        return NprrDifference(None, None, None, None)
    replicates = difference(resampled_totals(errors, num_replications, seed))
    low, high = percentile_interval(replicates)
    defined = replicates[np.isfinite(replicates)]
    # The observed sample counts as one more resample, so that p is never 0 (Davison and Hinkley 1997, 4.2).
    tail = 1 + min(int((defined <= 0).sum()), int((defined >= 0).sum()))
    return NprrDifference(value, low, high, min(1.0, 2 * tail / (len(defined) + 1)))


def write_records(path: Path, records: Iterable[NprrRecord]) -> None:
    """Write records as a JSON list, sorted by tag, set, perturbation, kind and rate."""
    ordered = sorted(records, key=lambda one: (one.tag, one.set, one.perturbation, one.kind, one.rate, one.seeds))
    with atomic_write(path) as file:
        json.dump([asdict(record) for record in ordered], file, indent=1, ensure_ascii=False, allow_nan=False)
        file.write("\n")


def read_records(path: Path) -> list[NprrRecord]:
    """Read the records that `write_records` wrote.

    Raises:
        InputError: The file is missing, is not JSON, or a record lacks a field or has a wrong one.
    """
    mend = "stage 9 writes it: ./run.sh --stage 9 --stop_stage 9"
    try:
        content = json.loads("\n".join(line for _, line in read_lines(path)))
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg}", path=path, line=error.lineno, mend=mend) from error
    if not isinstance(content, list):
        raise InputError("expected a JSON list of NPRR records", path=path, mend=mend)
    records = []
    for number, item in enumerate(content, start=1):
        try:
            records.append(_record(item))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"record {number} is not an NPRR record: {error}", path=path, mend=mend) from error
    return records


def _record(item: dict[str, Any]) -> NprrRecord:
    """A record from its JSON form.

    Raises:
        KeyError, TypeError, ValueError: It is not one.
    """
    return NprrRecord(
        tag=str(item["tag"]),
        set=str(item["set"]),
        kind=str(item["kind"]),
        rate=float(item["rate"]),
        seeds=tuple(int(seed) for seed in item["seeds"]),
        nprr=_nprr_from_json(item["nprr"]),
        first_pass=_nprr_from_json(item["first_pass"]),
        perturbation=str(item.get("perturbation", HOMOPHONE)),
    )


def _nprr_from_json(item: dict[str, Any]) -> Nprr:
    """NPRR from its JSON form, where null is undefined."""
    return Nprr(
        value=_optional_float(item["value"]),
        low=_optional_float(item["low"]),
        high=_optional_float(item["high"]),
        per_seed=tuple(_optional_float(value) for value in item["per_seed"]),
        clean_wer=float(item["clean_wer"]),
        perturbed_wer=float(item["perturbed_wer"]),
    )


def _optional_float(value: float | None) -> float | None:
    """A number, or None for JSON's null."""
    return None if value is None else float(value)


def _errors(clean_errors: npt.ArrayLike, perturbed_errors: npt.ArrayLike) -> Counts:
    """Checked errors of the clean lists (row 0) and of each seed's (the other rows), shape (1 + S, U)."""
    clean = _counts(clean_errors, "clean errors", 1)
    perturbed = _counts(perturbed_errors, "perturbed errors", 2)
    if not perturbed.size:
        raise InputError("no perturbed lists: NPRR needs at least one seed and one utterance")
    if perturbed.shape[1:] != clean.shape:
        raise InputError(f"errors of {len(clean)} utterances on clean lists, of {perturbed.shape[1]} on perturbed ones")
    return np.concatenate([clean[None], perturbed])


def _counts(values: npt.ArrayLike, what: str, num_axes: int) -> Counts:
    """An array of counts, checked."""
    counts = np.asarray(values)
    if counts.ndim != num_axes:
        raise InputError(f"{what} of shape {counts.shape}, expected {('(U,)', '(S, U)')[num_axes - 1]}")
    if counts.size and (not np.issubdtype(counts.dtype, np.integer) or counts.min() < 0):
        raise InputError(f"{what} are counts, expected whole numbers from 0")
    return counts.astype(np.int64)
