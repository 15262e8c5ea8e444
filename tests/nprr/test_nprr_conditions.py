"""A rescorer under a condition: what its records say, what they are compared with, and what cannot be compared."""

import numpy as np
import pytest

from lorescore.nprr import ListErrors, WordErrors, nprr_area_difference, nprr_difference
from lorescore.nprr.conditions import (
    Condition,
    MeasuredSet,
    condition_of,
    mismatch,
    records_of,
    with_differences,
    word_errors_of,
)

NEAR = Condition("dev", "near", "1best", (0.1, 0.3), (1, 2))
WORST = Condition("dev", "worst", "nbest", (0.5,), (1,))


def measured(condition: Condition, tag: str, seed: int, metric: str = "wer") -> MeasuredSet:
    """Made-up errors of a rescorer on all lists of a condition, whose checksums are their names."""
    rng = np.random.default_rng(seed)
    names = [condition.set, *(name for of_rate in condition.names(tag).values() for name in of_rate)]
    errors = {name: ListErrors(*(rng.integers(low, 9, size=20) for low in (3, 2, 0))) for name in names}
    return MeasuredSet(errors, dict(zip(names, names, strict=True)), np.full(20, 10), metric)


def test_records_say_what_they_are_of() -> None:
    records, (area,) = records_of("tiny", NEAR, measured(NEAR, "tiny", 1, "cer"))
    assert [one.rate for one in records] == [0.1, 0.3]
    assert area.rates == (0.1, 0.3)
    for one in (*records, area):
        assert (one.tag, one.set, one.lists, one.seeds, one.metric) == ("tiny", "dev", "near 1best", (1, 2), "cer")
        assert (one.reference, one.difference) == ("", None)
    assert condition_of(area) == NEAR
    assert condition_of(records[1]) == Condition("dev", "near", "1best", (0.3,), (1, 2))


def test_rate_0_alone_has_no_area() -> None:
    condition = Condition("dev", "homophone", "nbest", (0.0,), (1,))
    records, areas = records_of("tiny", condition, measured(condition, "tiny", 1))
    assert ([one.rate for one in records], areas) == ([0.0], [])


@pytest.mark.parametrize("condition", [NEAR, WORST])
def test_differences_are_those_to_the_reference(condition: Condition) -> None:
    tags = ("tiny", "none")
    sets = [measured(condition, tag, seed) for seed, tag in enumerate(tags)]
    models = tuple(word_errors_of([one]) for one in sets)
    assert mismatch(condition, tags, models) == ""
    records, areas = with_differences(*records_of("tiny", condition, sets[0]), condition, tags, models)
    assert {one.reference for one in (*records, *areas)} == {"none"}
    for record in records:
        rows = [
            rows
            for tag, model in zip(tags, models, strict=True)
            for rows in (model.errors["dev"], model.rows(condition.names(tag)[record.rate]))
        ]
        assert record.difference == nprr_difference(*rows)
    curves = [condition.curve(tag, model) for tag, model in zip(tags, models, strict=True)]
    assert [one.difference for one in areas] == [nprr_area_difference(*curves)]


def test_the_reference_itself_is_named_without_a_difference() -> None:
    one = measured(NEAR, "none", 1)
    tags, models = ("none", "none"), (word_errors_of([one]),) * 2
    records, areas = with_differences(*records_of("none", NEAR, one), NEAR, tags, models)
    assert {(each.reference, each.difference) for each in (*records, *areas)} == {("none", None)}


def test_what_cannot_be_compared() -> None:
    tags = ("tiny", "none")
    first, second = (word_errors_of([measured(NEAR, tag, 1)]) for tag in tags)
    kept = [name for name in second.errors if name != "dev_near_1best_p0.3_s2"]
    assert mismatch(NEAR, tags, (first, second.only(kept))) == "none was not measured on dev_near_1best_p0.3_s2"
    changed = WordErrors(first.errors, {**first.checksums, "dev_near_1best_p0.1_s2": "other"})
    assert mismatch(NEAR, tags, (changed, second)) == (
        "tiny and none were measured on different lists of dev_near_1best_p0.1_s2"
    )
