"""The tables and figures that compare strategies."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from made_up_exp import needs_sclite, tag_of, write_model
from matplotlib.figure import Figure

from lorescore.combine import Weights
from lorescore.report import Model, Results, Training, write_report
from lorescore.report.comparison import Against, Comparison, StrategyScore
from lorescore.report.figures import styles_of
from lorescore.report.strategy_figures import (
    parameters_figure,
    rank_curves_figure,
    seeds_ranks_figure,
    strategy_figures,
)
from lorescore.report.strategy_tables import comparison_tables, cost_table, rank_text
from lorescore.report.style import line_styles
from lorescore.scoring.ranks import RankCurve, RankScore, write_ranks
from lorescore.wer import Interval
from lorescore.wer.resampling import Estimate
from lorescore.wer.sc_stats import MatchedPairs


def model(strategy: str, seed: int | None = 1, trainable: int = 1000, **changes: object) -> Model:
    tag = f"p_clm_{strategy}_mwer_s{seed}"
    values: dict[str, object] = {"rank": 8, "training": Training(), "ranks": {}} | changes
    return Model(
        tag, "p", "clm", strategy, objective="mwer", seed=seed, trainable=trainable, total=4000, history=(), **values
    )  # type: ignore[arg-type]


def score(models: Sequence[Model], wers: Sequence[float], **changes: object) -> StrategyScore:
    values: dict[str, object] = {"interval": None, "change": None, "gap": None, "against": {}, "off_budget": None}
    return StrategyScore(models[0].group, tuple(models), tuple(wers), **(values | changes))  # type: ignore[arg-type]


def legend_of(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_a_row_of_the_comparison() -> None:
    tests = {
        1: MatchedPairs(100, 0.2, 1.0, 2.0),
        2: MatchedPairs(100, -0.01, 1.0, -0.1),
        3: MatchedPairs(9, 3.0, 1.0, 9.0),
        4: MatchedPairs(3, 1.0, 0.0, 0.0),
    }
    row = score(
        [model("adalora", seed, 1030 + seed) for seed in (1, 2)],
        [5.0, 6.0],
        interval=Interval(4.5, 6.5),
        change=Estimate(-12.0, -15.0, -9.0),
        gap=30.0,
        against={"vanilla": Against("p_clm_vanilla_mwer", 0.25, tests), "full": Against("p_clm_full_mwer", 0.0, {})},
        off_budget=3.15,
    )
    alone = score([model("vanilla")], [5.5], change=Estimate(None, None, None))
    (table,) = comparison_tables([Comparison("test", "p", "clm", "mwer", 6.25, 3.0, (row, alone), 500)])
    assert table.title == "test: p, scorer clm, objective mwer"
    first_pass, adalora, vanilla, oracle = table.rows
    assert first_pass == ("first_pass", "-", "6.25", *["-"] * 12)
    assert oracle == ("oracle", "-", "3.00", *["-"] * 12)
    assert adalora == (
        "p_clm_adalora_mwer",
        "2",
        "5.50",
        "5.00 to 6.00",
        "[4.50, 6.50]",
        "-12.00",
        "[-15.00, -9.00]",
        "30.0",
        "0.2500",
        "0.046 (0.920) <0.001 undefined",
        "< 0.0001",
        "-",
        "1,031 to 1,032 (!) +3.1 %",
        "25.79",
        "8",
    )
    assert vanilla[:6] == ("p_clm_vanilla_mwer", "1", "5.50", "-", "-", "undefined (first pass WER is 0)")
    assert vanilla[-3:] == ("1,000", "25.00", "8")
    assert len(table.columns) == 15
    assert comparison_tables([Comparison("test", "p", "clm", "mwer", None, None, (row, alone), 500)])[0].rows == (
        adalora,
        vanilla,
    )


@pytest.mark.parametrize(
    ("models", "text"),
    [
        ([model("full", rank=None)], "-"),
        ([model("vanilla")], "8"),
        ([model("mixed")], "1 to 8, nested"),
        ([model("warmup", ranks={"a": 8, "b": 8})], "8"),
        (
            [model("adalora", ranks={"a": 0, "b": 12}), model("adalora", 2, ranks={"a": 5, "b": 6})],
            "0 to 12, mean 5.75",
        ),
    ],
)
def test_final_ranks(models: Sequence[Model], text: str) -> None:
    assert rank_text(models) == text


def test_what_the_trainings_cost() -> None:
    models = [
        model("full", 1, training=Training(steps=100, seconds=90.0, peak_memory_mb=1000.0)),
        model("full", 2, training=Training(steps=80, seconds=150.0, peak_memory_mb=3000.0)),
        model("vanilla", 1, training=Training(steps=100, seconds=60.0)),
        model("none", None),
    ]
    table = cost_table({one.tag: one for one in models})
    assert table.rows == (
        ("p_clm_full_mwer", "2", "80 to 100", "2.0", "1.5 to 2.5", "2,000", "1,000 to 3,000"),
        ("p_clm_vanilla_mwer", "1", "100", "1.0", "-", "-", "-"),
    )


def test_parameters_of_every_strategy_and_seed() -> None:
    frozen, full = score([model("none", None, 0)], [6.0]), score([model("full", 1, 10**8)], [5.0])
    loras = [score([model(name, seed, 10**6) for seed in (1, 2)], [5.2, 5.4]) for name in ("vanilla", "mixed")]
    comparison = Comparison("test", "p", "clm", "mwer", None, None, (frozen, full, *loras), 500)
    of_dev = Comparison("dev", "p", "clm", "mwer", None, None, (frozen, full), 500)
    figure = parameters_figure([comparison, of_dev], line_styles([row.group for row in comparison.rows]))
    axes = figure.axes[0]
    assert [one.get_title() for one in figure.axes] == ["test: p, clm, mwer", "dev: p, clm, mwer"]
    assert legend_of(figure) == [row.group for row in comparison.rows]
    marks = [line.get_xydata().tolist() for line in axes.lines]
    places = {line.get_label(): line.get_xdata()[0] for line in axes.lines if line.get_label() in legend_of(figure)}
    assert [len(one) for one in marks] == [1, 1, 2, 1, 2, 1]  # the seeds, where there are several, and the mean
    assert [wer for _, wer in marks[2]] == [5.2, 5.4]
    assert places["p_clm_none_mwer"] < places["p_clm_vanilla_mwer"] < 10**6 < places["p_clm_mixed_mwer"]
    assert places["p_clm_full_mwer"] == 10**8
    assert "0" in [label.get_text() for label in axes.get_xticklabels()]


def test_a_rescorer_looks_as_in_the_figures_that_have_others_too(tmp_path: Path) -> None:
    models = [model(name, None if name == "none" else 1) for name in ("none", "full", "vanilla", "adalora")]
    by_tag = {one.tag: one for one in models}
    scored = tuple(score([one], [5.0]) for one in (models[0], models[3]))
    comparison = Comparison("test", "p", "clm", "mwer", None, None, scored, 500)
    _, figure = strategy_figures([comparison], by_tag, tmp_path)["parameters.png"]
    styles = styles_of(Results(None, by_tag, {}, ()))
    expected = [styles[one.tag].colour for one in (models[0], models[3])]
    assert [line.get_color() for line in figure.axes[0].lines] == expected


def test_ranks_over_the_seeds() -> None:
    ranks = {
        1: {"layers.0.q": 2, "layers.1.q": 4, "layers.1.k": 8},
        2: {"layers.0.q": 4, "layers.1.q": 0, "layers.1.k": 0},
    }
    figure = seeds_ranks_figure("p_clm_adalora_mwer", ranks)
    above, below = figure.axes[:2]
    assert figure.get_suptitle() == "Final rank of each update, p_clm_adalora_mwer, mean of 2 seeds (3.00 over all)"
    assert [line.get_ydata().tolist() for line in below.lines] == [[2.0, 6.0], [4.0, 0.0]]
    assert [line.get_label() for line in below.lines] == ["seed 1", "seed 2"]


def test_wer_by_rank() -> None:
    scores = [RankScore(rank, Weights(), {"dev": 7.0 - rank, "test": 8.0 - rank}) for rank in (1, 2)]
    curves = {"a": RankCurve("dev", "x", tuple(scores)), "b": RankCurve("dev", "y", tuple(scores[:1]))}
    figure = rank_curves_figure(curves, line_styles(["a", "b"]))
    assert [axes.get_title() for axes in figure.axes] == ["dev (weights tuned here)", "test"]
    assert [line.get_xydata().tolist() for line in figure.axes[1].lines] == [[[1, 7.0], [2, 6.0]], [[1, 7.0]]]
    assert legend_of(figure) == ["a", "b"]


@needs_sclite
def test_the_report_has_them(exp_dir: Path) -> None:
    ranks = [RankScore(rank, Weights(0.5), {"test": 5.0}) for rank in (1, 2)]
    write_ranks(exp_dir / "rescore" / tag_of("vanilla") / "ranks.json", RankCurve("dev", "x", tuple(ranks)))
    second = exp_dir / "plm" / "smollm2_clm_adalora_mwer_s2"
    write_model(exp_dir / "scratch", "adalora", seed=2).rename(second)
    report = write_report(exp_dir)
    names = {path.name for path in report.figures}
    assert {"parameters.png", "mixed_ranks.png", "ranks_smollm2_clm_adalora_mwer.png"} <= names
    text = report.path.read_text(encoding="utf-8")
    for name in ("parameters.png", "mixed_ranks.png", "ranks_smollm2_clm_adalora_mwer.png"):
        assert f"(figures/{name})" in text
    assert "### test: smollm2, scorer clm, objective mwer" in text and "(!)" not in text.split("###")[1]
    assert report.cost is not None
    cost = report.cost.read_text(encoding="utf-8")
    assert "| smollm2_clm_adalora_mwer |     2 |" in cost and "1,789" in cost
    assert "1,789" not in text


def test_without_trainings_there_is_no_cost(tmp_path: Path) -> None:
    (tmp_path / "COST.md").write_text("of an earlier report")
    write_model(tmp_path, "none", training=None)
    assert write_report(tmp_path).cost is None
    assert not (tmp_path / "COST.md").exists()
