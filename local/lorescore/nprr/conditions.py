"""A rescorer measured under conditions: its records, and what sets them apart from those of a reference model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lorescore.nprr.area import Curve, nprr_area, nprr_area_difference, nprr_area_p_by_exchanges
from lorescore.nprr.lists import ListErrors, area_of, robustness_of
from lorescore.nprr.measure import NprrDifference, nprr_difference
from lorescore.nprr.records import AreaRecord, NprrRecord
from lorescore.nprr.stored import WordErrors
from lorescore.perturb.settings import WORST, Perturbation
from lorescore.wer.resampling import Counts, Estimate


@dataclass(frozen=True)
class Condition:
    """The perturbed lists of one set for one perturbation and kind, as far as they are every model's.

    Attributes:
        set: The clean set's name.
        perturbation: What replaced a word.
        kind: `1best` or `nbest`.
        rates: At least one.
        seeds: At each rate, at least one.
    """

    set: str
    perturbation: str
    kind: str
    rates: tuple[float, ...]
    seeds: tuple[int, ...]

    def names(self, tag: str) -> dict[float, list[str]]:
        """The N-best directories by rate, in each one a seed; `worst` has each model's own."""
        own = tag if self.perturbation == WORST else ""
        return {
            rate: [
                f"{self.set}_{Perturbation(self.kind, rate, seed, self.perturbation, own).name}" for seed in self.seeds
            ]
            for rate in self.rates
        }

    def curve(self, tag: str, model: WordErrors) -> Curve:
        """A model's word errors by rate.

        Raises:
            InputError: No rate is above 0.
        """
        return Curve.of(model.errors[self.set], {rate: model.rows(names) for rate, names in self.names(tag).items()})


def condition_of(record: NprrRecord | AreaRecord) -> Condition:
    """The lists that a record is of."""
    rates = record.rates if isinstance(record, AreaRecord) else (record.rate,)
    return Condition(record.set, record.perturbation, record.kind, rates, record.seeds)


@dataclass(frozen=True)
class MeasuredSet:
    """A set's lists as one rescorer chooses from them.

    Attributes:
        errors: By the N-best directory's name, the clean set's own among them.
        checksums: Of the directories' lists.
        ref_words: Reference words of each utterance, shape (U,).
        metric: What errors were counted in.
    """

    errors: Mapping[str, ListErrors]
    checksums: Mapping[str, str]
    ref_words: Counts
    metric: str


def word_errors_of(sets: Sequence[MeasuredSet]) -> WordErrors:
    """What is stored of the sets that a rescorer was measured on."""
    return WordErrors(
        {name: one.model for measured in sets for name, one in measured.errors.items()},
        {name: checksum for measured in sets for name, checksum in measured.checksums.items()},
    )


def records_of(tag: str, condition: Condition, measured: MeasuredSet) -> tuple[list[NprrRecord], list[AreaRecord]]:
    """NPRR at each rate, and the area under their curve; no area where no rate is above 0.

    Raises:
        InputError: The lists are of different numbers of utterances, or the references have no words.
    """
    clean = measured.errors[condition.set]
    curve = {rate: [measured.errors[name] for name in names] for rate, names in condition.names(tag).items()}
    records = []
    for rate, perturbed in curve.items():
        found = robustness_of(clean, perturbed, measured.ref_words)
        records.append(
            NprrRecord(
                tag=tag,
                set=condition.set,
                kind=condition.kind,
                rate=rate,
                seeds=condition.seeds,
                nprr=found.nprr,
                first_pass=found.first_pass,
                perturbation=condition.perturbation,
                losses=found.losses,
                metric=measured.metric,
            )
        )
    if not any(curve):
        return records, []
    area, first_pass = area_of(clean, curve)
    of_curve = AreaRecord(
        tag=tag,
        set=condition.set,
        kind=condition.kind,
        rates=tuple(sorted(curve)),
        seeds=condition.seeds,
        area=area,
        first_pass=first_pass,
        perturbation=condition.perturbation,
        metric=measured.metric,
    )
    return records, [of_curve]


def with_differences(
    records: Sequence[NprrRecord],
    areas: Sequence[AreaRecord],
    condition: Condition,
    tags: tuple[str, str],
    models: tuple[WordErrors, WordErrors],
) -> tuple[list[NprrRecord], list[AreaRecord]]:
    """The records with their differences to those of a reference model; see `mismatch`.

    Args:
        records: Of the first model under the condition.
        areas: Of the same.
        condition: The lists.
        tags: Of the model and of the reference; where they are the same, the records name it without a difference.
        models: Their word errors.
    """
    reference = tags[1]
    if tags[0] == reference:
        marked = [replace(one, reference=reference) for one in records]
        return marked, [replace(one, reference=reference) for one in areas]
    compared = [
        replace(one, reference=reference, difference=compared_at(condition, one.rate, tags, models)) for one in records
    ]
    difference = areas_compared(condition, tags, models) if areas else None
    return compared, [replace(one, reference=reference, difference=difference) for one in areas]


def mismatch(condition: Condition, tags: Sequence[str], models: Sequence[WordErrors]) -> str:
    """Why two models cannot be compared under a condition; empty where they can.

    Args:
        condition: The lists.
        tags: Of the two models.
        models: Their word errors.
    """
    names = [[condition.set, *sum(condition.names(tag).values(), [])] for tag in tags]
    for tag, model, wanted in zip(tags, models, names, strict=True):
        missing = [name for name in wanted if name not in model.errors]
        if missing:
            return f"{tag} was not measured on {missing[0]}"
    for first, second in zip(*names, strict=True):
        # The lists of `worst` are each model's own, but made from the same clean ones.
        if first == second and models[0].checksums[first] != models[1].checksums[second]:
            return f"{tags[0]} and {tags[1]} were measured on different lists of {first}"
    return ""


def compared_at(condition: Condition, rate: float, tags: Sequence[str], models: Sequence[WordErrors]) -> NprrDifference:
    """NPRR of the first of two models minus that of the second at one rate; see `mismatch`."""
    (first, second), (names, other_names) = models, (condition.names(tag)[rate] for tag in tags)
    clean = condition.set
    return nprr_difference(first.errors[clean], first.rows(names), second.errors[clean], second.rows(other_names))


def area_in(condition: Condition, model: WordErrors) -> Estimate:
    """The area of a model.

    Raises:
        InputError: No rate is above 0.
    """
    return nprr_area(condition.curve("", model))


def areas_compared(condition: Condition, tags: Sequence[str], models: Sequence[WordErrors]) -> NprrDifference:
    """The area of the first of two models minus that of the second; see `mismatch`.

    Raises:
        InputError: No rate is above 0.
    """
    return nprr_area_difference(*_curves(condition, tags, models))


def areas_exchanged(condition: Condition, tags: Sequence[str], models: Sequence[WordErrors]) -> float | None:
    """Two-sided p of no difference between two models' areas over speakers; see `mismatch`, `WordErrors.by_speaker`.

    Returns:
        None where an area is undefined.

    Raises:
        InputError: No rate is above 0.
    """
    return nprr_area_p_by_exchanges(*_curves(condition, tags, models))


def _curves(condition: Condition, tags: Sequence[str], models: Sequence[WordErrors]) -> list[Curve]:
    return [condition.curve(tag, model) for tag, model in zip(tags, models, strict=True)]
