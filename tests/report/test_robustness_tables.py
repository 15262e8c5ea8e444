"""The tables of areas and losses: order, references, undefined values, and how to read them."""

from dataclasses import replace

from lorescore.nprr import AreaRecord, Losses, Nprr, NprrDifference, NprrRecord
from lorescore.report.robustness import area_table, difference_legend, losses_table
from lorescore.report.word_errors import MeasuredErrors
from lorescore.wer.resampling import Estimate

AREA = Estimate(4.0, 1.0, 7.0)
UNDEFINED = Estimate(None, None, None)
NOTHING_MEASURED = MeasuredErrors({}, {})
NPRR = Nprr(4.0, 1.0, 7.0, (4.0,), 10.0, 10.4)


def area(tag: str, value: Estimate, difference: NprrDifference | None = None, reference: str = "none") -> AreaRecord:
    return AreaRecord(tag, "test", "nbest", (0.1, 0.3), (1,), value, AREA, "homophone", reference, difference)


def test_areas_rank_the_models_of_each_group() -> None:
    records = [
        area("none", AREA),
        area("full", UNDEFINED, NprrDifference(None, None, None, None)),
        area("vanilla", Estimate(-2.0, -3.0, 1.0), NprrDifference(-6.0, -8.0, -1.0, 0.001)),
        AreaRecord("none", "test", "1best", (0.1,), (1,), AREA, UNDEFINED),
    ]
    rows = area_table(records, NOTHING_MEASURED).rows
    first_pass = ("+4.00", "[1.00, 7.00]")
    assert rows == (
        ("test", "nbest", "0.3", "1", "vanilla", "-2.00", "[-3.00, 1.00]", "-6.00", "0.0010", *first_pass),
        ("test", "nbest", "0.3", "1", "none", "+4.00", "[1.00, 7.00]", "reference", "-", *first_pass),
        ("test", "nbest", "0.3", "1", "full", "undefined (clean WER is 0)", "-", "-", "-", *first_pass),
        ("test", "1best", "0.1", "1", "none", "+4.00", "[1.00, 7.00]", "-", "-", "undefined (clean WER is 0)", "-"),
    )


def test_the_legend_names_the_reference_where_there_is_one() -> None:
    difference = NprrDifference(1.0, 0.0, 2.0, 0.1)
    assert difference_legend([area("none", AREA)]) == ""
    assert "the reference model, `none`, in" in difference_legend([area("none", AREA), area("full", AREA, difference)])
    two = [area("full", AREA, difference), area("none", AREA, difference, "other")]
    assert "the reference model (`none` for `full`; `other` for `none`), in" in difference_legend(two)


def test_areas_of_other_seeds_are_not_ranked_together() -> None:
    records = [area("a", Estimate(5.0, 4.0, 6.0)), replace(area("b", AREA), seeds=(1, 2)), area("c", AREA)]
    assert [row[3:5] for row in area_table(records, NOTHING_MEASURED).rows] == [("1", "c"), ("1", "a"), ("1 2", "b")]


def test_losses() -> None:
    losses = Losses(30.0, 10.0, 40.0, 20.0, 50.0, 25.0, -25.0, -60.0, 0.0, 10.0, 5.0)
    without_gap = Losses(30.0, 30.0, 40.0, 20.0, None, 25.0, None, None, None, None, None)
    rounding = Losses(30.0, 10.0, 30.0, 10.0, 50.0, 50.0, -1e-9, -1e-9, 0.0, -1e-12, -1e-12)
    records = [
        NprrRecord("m", "test", "nbest", 0.3, (1,), NPRR, NPRR, "near", losses=one)
        for one in (losses, without_gap, rounding, None)
    ]
    head = ("test", "near nbest", "0.3", "m")
    assert losses_table(records).rows == (
        (*head, "+10.00", "+10.00", "50.0", "25.0", "-25.0", "[-60.00, 0.00]", "+10.00", "+5.00"),
        (*head, "+10.00", "-10.00", "undefined (no gap)", "25.0", "-", "-", "-", "-"),
        (*head, "+0.00", "+0.00", "50.0", "50.0", "+0.0", "[0.00, 0.00]", "+0.00", "+0.00"),
    )
