"""The tables: numbers checked by hand, undefined values, and columns that line up."""

import pytest

from lorescore.nprr import Nprr, NprrDifference, NprrRecord
from lorescore.report import Model, Results, SetScore, Training
from lorescore.report.blocks import Heading, Picture
from lorescore.report.markdown import markdown
from lorescore.report.mbr import MbrComparison
from lorescore.report.tables import (
    Table,
    gap_recovered,
    mbr_table,
    nprr_tables,
    p_text,
    relative_change,
    training_table,
    wer_tables,
)
from lorescore.wer import Interval
from lorescore.wer.resampling import Estimate


def score(errors: int, p_first_pass: float | None = None, p_frozen: float | None = None) -> SetScore:
    wer = errors / 2  # of 200 words
    return SetScore(wer, errors, 200, 20, Interval(wer - 1, wer + 1), 0.25, -0.5, p_first_pass, p_frozen)


def model(tag: str, strategy: str, rank: int | None = None) -> Model:
    return Model(tag, "smollm2", "clm", strategy, rank, "mwer", 1, 1500, 100_000, Training(), {}, ())


def cells(table: Table, row: int) -> dict[str, str]:
    return dict(zip((column.removeprefix("<") for column in table.columns), table.rows[row], strict=True))


def test_wer_rows() -> None:
    by_tag = {
        "first_pass": score(20),
        "frozen": score(18, 0.04),
        "lora": score(15, 0.0, 0.0312),
        "oracle": score(10, 0.0),
    }
    results = Results("dev", {"lora": model("lora", "vanilla", 8)}, {"dev": by_tag, "test": by_tag}, ())
    dev, test = wer_tables(results)
    rough = "so few that intervals are too narrow and p too small"
    assert dev.title == f"dev, the set on which the weights were tuned (20 utterances, 200 words; {rough})"
    assert test.title == f"test (20 utterances, 200 words; {rough})"
    assert cells(test, 2) == {
        "model": "lora",
        "WER": "7.50",
        "95 % interval": "[6.50, 8.50]",
        "change %": "-25.00",
        "gap %": "50.0",
        "p first pass": "< 0.0001",
        "p frozen": "0.0312",
        "lm_weight": "0.25",
        "word_bonus": "-0.5",
        "trainable": "1,500",
    }
    assert test.rows[0] == ("first_pass", "10.00", "[9.00, 11.00]", "-", "-", "-", "-", "-", "-", "-")
    assert cells(test, 3)["change %"] == "-50.00"
    assert cells(test, 3)["p first pass"] == "-"


def test_a_model_has_its_parameters_when_mbr_decodes_too() -> None:
    by_tag = {"lora": score(15), "lora_mbr": score(14), "other_mbr": score(13)}
    (table,) = wer_tables(Results("dev", {"lora": model("lora", "vanilla", 8)}, {"test": by_tag}, ()))
    assert [row[0:2] + row[-1:] for row in table.rows] == [
        ("lora", "7.50", "1,500"),
        ("lora_mbr", "7.00", "1,500"),
        ("other_mbr", "6.50", "-"),
    ]


def test_mbr_rows() -> None:
    table = mbr_table(
        [
            MbrComparison("dev", "lora", 8.0, 7.0, Estimate(-12.5, -20.0, 1.0), 0.25),
            MbrComparison("test", "lora", 0.0, 0.5, Estimate(None, None, None), float("inf")),
        ]
    )
    assert table.rows == (
        ("dev", "lora", "8.00", "7.00", "-12.50", "[-20.00, 1.00]", "0.25"),
        ("test", "lora", "0.00", "0.50", "undefined (MAP WER is 0)", "-", "inf"),
    )


def test_what_rounds_to_zero_has_no_minus() -> None:
    nprr = Nprr(-0.004, -0.002, 9.0, (-0.004,), 5.0, 5.0)
    record = NprrRecord(
        *("lora", "test", "1best", 0.1, (1,), nprr, nprr, "homophone", "none"), NprrDifference(-0.001, -3.0, 0.5, 0.9)
    )
    (of_set,) = nprr_tables(Results("dev", {}, {}, (record,)))
    assert of_set.rows[0][4:8] == ("+0.00", "[0.00, 9.00]", "+0.00", "0.9000")
    few = {"first_pass": SetScore(5.0, 100_000, 2_000_000, 9, None, 0.0, 0.0)}
    few["lora"] = SetScore(5.0, 99_999, 2_000_000, 9, None, 0.0, 0.0)
    (table,) = wer_tables(Results("dev", {}, {"test": few}, ()))
    assert cells(table, 1)["change %"] == "+0.00"


def test_without_first_pass_or_oracle_there_is_nothing_to_compare_with() -> None:
    assert relative_change(score(5), None) is None
    assert relative_change(score(5), score(0)) is None
    assert gap_recovered(score(5), score(9), None) is None
    assert gap_recovered(score(9), score(9), score(9)) is None
    (table,) = wer_tables(Results("dev", {}, {"test": {"lora": score(5)}}, ()))
    assert table.rows[0][3:5] == ("-", "-")


def test_a_rescorer_worse_than_the_first_pass_recovers_less_than_nothing() -> None:
    assert gap_recovered(score(22), score(20), score(10)) == pytest.approx(-20)
    assert relative_change(score(22), score(20)) == pytest.approx(10)


@pytest.mark.parametrize(("p", "text"), [(None, "-"), (0.0, "< 0.0001"), (0.0001, "0.0001"), (1.0, "1.0000")])
def test_p_values(p: float | None, text: str) -> None:
    assert p_text(p) == text


def test_nprr_rows() -> None:
    defined = Nprr(4.0, -1.0, 9.0, (3.0, 5.0), 5.0, 5.2)
    undefined = Nprr(None, None, None, (None, None), 0.0, 0.5)
    difference = NprrDifference(-1.25, -3.0, 0.5, 0.125)
    records = (
        NprrRecord("lora", "test", "1best", 0.1, (1, 2), defined, undefined, "homophone", "none", difference),
        NprrRecord("none", "test", "1best", 0.1, (1, 2), defined, undefined, "homophone", "none"),
        NprrRecord("lora", "voice", "nbest", 0.3, (1, 2), undefined, defined),
    )
    first, second = nprr_tables(Results("dev", {}, {}, records))
    assert (first.title, second.title) == ("test", "voice")
    nprr, first_pass = ("2", "+4.00", "[-1.00, 9.00]"), ("undefined (clean WER is 0)", "-")
    assert first.rows == (
        ("1best", "0.1", "lora", *nprr, "-1.25", "0.1250", *first_pass, "5.00", "5.20"),
        ("1best", "0.1", "none", *nprr, "reference", "-", *first_pass, "5.00", "5.20"),
    )
    assert second.rows == (
        ("nbest", "0.3", "lora", "2", *first_pass, "-", "-", "+4.00", "[-1.00, 9.00]", "0.00", "0.50"),
    )


def test_training_rows_say_what_is_not_known() -> None:
    table = training_table([model("lora", "vanilla", 8)])
    row = cells(table, 0)
    assert (row["rank"], row["trainable"], row["of all %"], row["steps"]) == ("8", "1,500", "1.50", "-")


def test_columns_line_up_and_a_bar_in_a_name_does_not_end_a_cell() -> None:
    text = Table("", ("<model", "WER"), (("a|b", "5.00"), ("longer name", "12.00"))).markdown()
    assert text.splitlines() == [
        "| model       |   WER |",
        "| ----------- | ----: |",
        "| a\\|b        |  5.00 |",
        "| longer name | 12.00 |",
    ]


def test_names_show_as_they_are_and_so_do_numbers() -> None:
    names = ("_a_b_", "*c*", "`d`", "<e>", "&amp;", "[f](g)", "test_clean", "a&b", "[1.00, 2.00]", "< 0.0001", "<0.001")
    shown = Table("", ("<model",), tuple((name,) for name in names)).markdown().splitlines()[2:]
    escaped = [r"\_a_b\_", r"\*c\*", r"\`d\`", r"\<e>", r"\&amp;", r"\[f](g)"]
    assert [line.strip("| ") for line in shown] == [*escaped, *names[6:]]
    heading, picture = markdown([Heading(3, "*c* <e>"), Picture("x*.png", "NPRR on [f] *c*")]).split("\n\n")
    assert heading == r"### \*c\* \<e\>"
    assert picture == r"![NPRR on \[f\] \*c\*](figures/x%2A.png)" + "\n"
