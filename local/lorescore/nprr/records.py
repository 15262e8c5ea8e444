"""The records of stage 9, `exp/nprr/<tag>.json`, as the report reads them.

{"nprr": [a record for each set, perturbation, kind and rate],
 "areas": [a record for each set, perturbation and kind]}
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from lorescore.errors import InputError
from lorescore.files import read_lines, write_json
from lorescore.nprr.losses import Losses
from lorescore.nprr.measure import Nprr, NprrDifference
from lorescore.perturb.settings import HOMOPHONE
from lorescore.wer.resampling import Estimate
from lorescore.wer.units import WER

MEND = "stage 9 writes it: ./run.sh --stage 9 --stop_stage 9"
Record = TypeVar("Record")
OptionalFloats = TypeVar("OptionalFloats", Estimate, NprrDifference, Losses)


def lists_in_words(perturbation: str, kind: str) -> str:
    """Perturbation and kind: `nbest` of homophones, `near nbest` of others."""
    return kind if perturbation == HOMOPHONE else f"{perturbation} {kind}"


@dataclass(frozen=True)
class NprrRecord:
    """The robustness of one model on one set for one perturbation, kind and rate.

    Attributes:
        tag: The model's tag, as in `exp/plm/<tag>`.
        set: The clean set's name.
        kind: `1best` or `nbest`.
        rate: The chance that a replaceable word is replaced.
        seeds: Of the perturbations, in the order of `per_seed`.
        nprr: Of the rescored lists.
        first_pass: The first pass's own degradation on the same lists: what its rank-1 hypotheses lose.
        perturbation: What replaced a word, as in `lorescore.perturb`.
        reference: The tag of the model that this one is compared with; its own, or empty, where with none.
        difference: NPRR minus the reference's; None where it was not compared.
        losses: What the lists lost and what the rescorer lost; None where they were not measured.
        metric: What errors were counted in: words (`wer`) or characters (`cer`).
    """

    tag: str
    set: str
    kind: str
    rate: float
    seeds: tuple[int, ...]
    nprr: Nprr
    first_pass: Nprr
    perturbation: str = HOMOPHONE
    reference: str = ""
    difference: NprrDifference | None = None
    losses: Losses | None = None
    metric: str = WER

    @property
    def lists(self) -> str:
        """Perturbation and kind in words: `nbest` of homophones, `near nbest` of others."""
        return lists_in_words(self.perturbation, self.kind)


@dataclass(frozen=True)
class AreaRecord:
    """The area under the NPRR curve of one model on one set for one perturbation and kind.

    Attributes:
        tag: The model's tag.
        set: The clean set's name.
        kind: `1best` or `nbest`.
        rates: The rates that were measured, increasing; the last one is the area's end.
        seeds: Of the perturbations, at each rate.
        area: Of the rescored lists.
        first_pass: Of the first pass's own degradation on the same lists.
        perturbation: What replaced a word.
        reference: The tag of the model that this one is compared with; its own, or empty, where with none.
        difference: The area minus the reference's; None where it was not compared.
        metric: What errors were counted in.
    """

    tag: str
    set: str
    kind: str
    rates: tuple[float, ...]
    seeds: tuple[int, ...]
    area: Estimate
    first_pass: Estimate
    perturbation: str = HOMOPHONE
    reference: str = ""
    difference: NprrDifference | None = None
    metric: str = WER

    @property
    def lists(self) -> str:
        """Perturbation and kind in words: `nbest` of homophones, `near nbest` of others."""
        return lists_in_words(self.perturbation, self.kind)


def write_records(path: Path, records: Iterable[NprrRecord], areas: Iterable[AreaRecord] = ()) -> None:
    """Write records as JSON, sorted by tag, set, perturbation, kind and rate."""
    ordered = sorted(records, key=lambda one: (one.tag, one.set, one.perturbation, one.kind, one.rate, one.seeds))
    sorted_areas = sorted(areas, key=lambda one: (one.tag, one.set, one.perturbation, one.kind, one.rates))
    write_json(path, {"nprr": [asdict(one) for one in ordered], "areas": [asdict(one) for one in sorted_areas]})


def read_records(path: Path) -> list[NprrRecord]:
    """Read the records of NPRR that `write_records` wrote.

    Raises:
        InputError: The file is missing, is not JSON, or a record lacks a field or has a wrong one.
    """
    return _parsed(path, "nprr", _nprr_record)


def read_areas(path: Path) -> list[AreaRecord]:
    """Read the records of areas that `write_records` wrote.

    Raises:
        InputError: As `read_records`.
    """
    return _parsed(path, "areas", _area_record)


def _parsed(path: Path, key: str, parse: Callable[[dict[str, Any]], Record]) -> list[Record]:
    """The records under a key."""
    try:
        content = json.loads("\n".join(line for _, line in read_lines(path)))
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg}", path=path, line=error.lineno, mend=MEND) from error
    items = content.get(key) if isinstance(content, dict) else None
    if not isinstance(items, list):
        raise InputError(f"expected a JSON object with a list of records under {key!r}", path=path, mend=MEND)
    records = []
    for number, item in enumerate(items, start=1):
        try:
            records.append(parse(item))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"record {number} is not an NPRR record: {error}", path=path, mend=MEND) from error
    return records


def _nprr_record(item: dict[str, Any]) -> NprrRecord:
    """A record from its JSON form; KeyError, TypeError, ValueError or AttributeError where it is not one."""
    return NprrRecord(
        **_common(item),
        rate=float(item["rate"]),
        nprr=_nprr_from_json(item["nprr"]),
        first_pass=_nprr_from_json(item["first_pass"]),
        losses=None if item["losses"] is None else _floats(Losses, item["losses"]),
    )


def _area_record(item: dict[str, Any]) -> AreaRecord:
    """A record from its JSON form; errors as above."""
    return AreaRecord(
        **_common(item),
        rates=tuple(float(rate) for rate in item["rates"]),
        area=_floats(Estimate, item["area"]),
        first_pass=_floats(Estimate, item["first_pass"]),
    )


def _common(item: dict[str, Any]) -> dict[str, Any]:
    """The fields that both kinds of records have."""
    difference = item["difference"]
    return {
        "tag": str(item["tag"]),
        "set": str(item["set"]),
        "kind": str(item["kind"]),
        "seeds": tuple(int(seed) for seed in item["seeds"]),
        "perturbation": str(item["perturbation"]),
        "reference": str(item["reference"]),
        "difference": None if difference is None else _floats(NprrDifference, difference),
        "metric": str(item.get("metric", WER)),  # earlier versions did not write it
    }


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


def _floats(made: type[OptionalFloats], item: dict[str, Any]) -> OptionalFloats:
    """A dataclass of numbers, some of which are None where JSON has null."""
    values: dict[str, Any] = {
        field.name: float(item[field.name]) if field.type is float else _optional_float(item[field.name])
        for field in fields(made)
    }
    return made(**values)


def _optional_float(value: float | None) -> float | None:
    """A number, or None for JSON's null."""
    return None if value is None else float(value)
