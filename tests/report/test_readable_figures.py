"""Names of any length, many models, perturbations, rates: what is written is in the figure, and nothing over it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from made_up_exp import make_record
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from lorescore.combine import Weights
from lorescore.nprr import Losses, NprrRecord, Robustness
from lorescore.nprr.directories import DirectoriesResult, GroupResult
from lorescore.nprr.groups import group_dirs
from lorescore.report import Evaluation, Model, Results, SetScore, Training
from lorescore.report.comparison import Comparison, StrategyScore
from lorescore.report.directories import directories_figure
from lorescore.report.figures import nprr_figure, styles_of, training_figure, wer_figure
from lorescore.report.heatmaps import nprr_map_figure
from lorescore.report.rank_steps import rank_steps_figure
from lorescore.report.ranks import ranks_figure
from lorescore.report.strategy_figures import parameters_figure, rank_curves_figure, seeds_ranks_figure
from lorescore.report.style import DPI, WIDTH_INCH, drawing, line_styles
from lorescore.scoring.ranks import RankCurve, RankScore
from lorescore.training.rank_history import RankHistory
from lorescore.wer import Interval

SHORT = "smollm2_clm_lora_mwer_s{}"
LONG = "smollm2_clm_adalora_r16_a32_q_proj+v_proj_mwer+distill_s{}_robust_with_a_context"  # 80 characters
PERTURBATIONS = ("homophone", "near", "tied", "insert")
KINDS = ("1best", "nbest")
RATES = (0.05, 0.1, 0.2, 0.3)
INTERVAL = Interval(5.0, 7.0)
RANKS = {
    f"encoder.layer.{layer}.{module}": layer % 12
    for layer in range(30)
    for module in ("attention.self.query", "attention.self.value", "attention.output.dense", "intermediate.dense")
}
TOUCHING = 3.0  # pixels: the boxes of lines one above the other overlap by what letters below the line would need


def written(figure: Figure) -> Iterator[tuple[str, Bbox]]:
    """Every text that is drawn, and where, as `save_png` draws it."""
    figure.set_dpi(DPI)
    figure.draw_without_rendering()
    texts: list[Text] = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    for axes in figure.axes:
        if axes.axison:
            texts += [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
            texts += [*drawn_labels(axes.xaxis), *drawn_labels(axes.yaxis)]
    for text in texts:
        if text.get_visible() and text.get_text():
            yield text.get_text(), text.get_window_extent()


def drawn_labels(axis: Axis) -> Iterator[Text]:
    """Those of the ticks within the limits."""
    low, high = sorted(axis.get_view_interval())
    for tick in axis.get_major_ticks():
        if low <= tick.get_loc() <= high:
            yield from (tick.label1, tick.label2)


def require_readable(figure: Figure) -> None:
    """Everything that is written is inside the figure, and no two texts overlap."""
    texts = list(written(figure))
    outside = [text for text, box in texts if not is_inside(box, figure.bbox)]
    assert outside == []
    overprinted = [
        (text, other)
        for place, (text, box) in enumerate(texts)
        for other, other_box in texts[:place]
        if min(box.x1, other_box.x1) - max(box.x0, other_box.x0) > 1
        and min(box.y1, other_box.y1) - max(box.y0, other_box.y0) > TOUCHING
    ]
    assert overprinted == []


def is_inside(box: Bbox, around: Bbox) -> bool:
    return box.x0 > -1 and box.y0 > -1 and box.x1 < around.x1 + 1 and box.y1 < around.y1 + 1


def records_of(
    tags: Sequence[str], perturbations: Sequence[str] = PERTURBATIONS[:1], rates: Sequence[float] = RATES
) -> tuple[NprrRecord, ...]:
    return tuple(
        replace(make_record("vanilla", "dev_clean", kind, rate), tag=tag, perturbation=perturbation)
        for perturbation in perturbations
        for kind in KINDS
        for rate in rates
        for tag in tags
    )


def models_of(tags: Sequence[str]) -> list[Model]:
    history = (Evaluation(0, 7.0), Evaluation(50, 6.0))
    return [
        Model(tag, "smollm2", "clm", "lora", 16, "mwer+distill", 1, 10**6, 10**8, Training(best_step=50), {}, history)
        for tag in tags
    ]


def wer(tags: Sequence[str]) -> Figure:
    systems = ["first_pass", *tags, "oracle"]
    by_tag = {tag: SetScore(6 + place / 10, 1, 10, 2, INTERVAL, 0, 0) for place, tag in enumerate(systems)}
    return wer_figure(
        Results("dev_clean", {}, dict.fromkeys(("dev_clean", "dev_other", "test_clean", "test"), by_tag), ())
    )


def nprr(tags: Sequence[str]) -> Figure:
    return nprr_figure(Results(None, {}, {}, records_of(tags)))


def nprr_of_one_rate(tags: Sequence[str]) -> Figure:
    return nprr_figure(Results(None, {}, {}, records_of(tags, rates=RATES[:1])))


def nprr_of_perturbations(tags: Sequence[str]) -> Figure:
    records = [replace(one, set="librispeech_dev_other_by_ctc") for one in records_of(tags, PERTURBATIONS)]
    return nprr_figure(Results(None, {}, {}, tuple(records)))


def nprr_map(tags: Sequence[str]) -> Figure:
    return nprr_map_figure("dev_clean", records_of(tags))


def nprr_map_of_perturbations(tags: Sequence[str]) -> Figure:
    return nprr_map_figure("dev_clean", records_of(tags, PERTURBATIONS))


def nprr_map_of_one_rate(tags: Sequence[str]) -> Figure:
    return nprr_map_figure("dev_clean", records_of(tags, rates=RATES[:1]))


def training(tags: Sequence[str]) -> Figure:
    models = models_of(tags)
    return training_figure(models, styles_of(Results(None, {model.tag: model for model in models}, {}, ())))


def parameters(tags: Sequence[str]) -> Figure:
    rows = tuple(
        StrategyScore(model.tag, (model,), (6.0,), INTERVAL, None, None, {}, None) for model in models_of(tags)
    )
    sets = ("dev_clean", "test_other")
    return parameters_figure(
        [Comparison(name, "smollm2", "clm", "mwer+distill", None, None, rows, 500) for name in sets],
        line_styles([row.group for row in rows]),
    )


def mixed_ranks(tags: Sequence[str]) -> Figure:
    scores = tuple(RankScore(rank, Weights(), {"dev": 7.0 - rank, "test": 8.0 - rank}) for rank in (1, 2))
    return rank_curves_figure({tag: RankCurve("dev", "x", scores) for tag in tags}, line_styles(tags))


def ranks(tags: Sequence[str]) -> Figure:
    return ranks_figure(tags[0], RANKS)


def ranks_over_seeds(tags: Sequence[str]) -> Figure:
    return seeds_ranks_figure(tags[0], dict.fromkeys(range(1, 2 + len(tags)), RANKS))


def ranks_over_steps(tags: Sequence[str]) -> Figure:
    return rank_steps_figure(tags[0], RankHistory(tuple(RANKS), {0: (8,) * len(RANKS), 9: tuple(RANKS.values())}), 20)


def directories_of(costs: str, infos: dict[Path, dict[str, object]], metric: str = "wer") -> DirectoriesResult:
    """What was measured of perturbed directories, by what their `nbest.yaml` say."""
    losses = Losses(*[0.0] * 11)
    results = []
    for group in group_dirs(infos, Path("dev_clean")):
        one = make_record("vanilla", "test", group.kind or "nbest", group.rate or 0.1)
        results.append(GroupResult(group, Robustness(one.nprr, one.first_pass, losses)))
    return DirectoriesResult(Path("dev_clean"), costs, Weights(1.0), metric, tuple(results), ())


def infos_of(perturbations: Sequence[str], rates: Sequence[float], worst_of: str = "") -> dict[Path, dict[str, object]]:
    """Of perturbed directories; `worst_of`: whose the worst ones are, of which there are none without."""
    tags = dict.fromkeys(perturbations, {}) | ({"worst": {"tag": worst_of}} if worst_of else {})
    return {
        Path(f"{name}_{kind}_{rate}"): {
            "perturbation": {"kind": kind, "rate": rate, "seed": 1, "perturbation": name, **tag}
        }
        for name, tag in tags.items()
        for kind in KINDS
        for rate in rates
    }


def directories(tags: Sequence[str]) -> Figure:
    return directories_figure(directories_of(tags[0], infos_of(PERTURBATIONS, RATES, worst_of=tags[-1])))


def directories_without_rates(tags: Sequence[str]) -> Figure:
    unknown: dict[Path, dict[str, object]] = {Path(f"dev_clean_as_{tag}_likes_it"): {} for tag in tags}
    return directories_figure(directories_of(tags[0], infos_of(PERTURBATIONS, RATES[:1]) | unknown))


OF_MANY_MODELS = [
    wer,
    nprr,
    nprr_of_one_rate,
    nprr_of_perturbations,
    nprr_map,
    nprr_map_of_one_rate,
    nprr_map_of_perturbations,
    training,
    parameters,
    mixed_ranks,
    ranks_over_seeds,
    directories_without_rates,
]
OF_ONE_MODEL = [ranks, ranks_over_steps, directories]


@pytest.mark.parametrize("number", [1, 14])
@pytest.mark.parametrize("make", OF_MANY_MODELS)
def test_long_tags_are_readable(make: Callable[[Sequence[str]], Figure], number: int) -> None:
    with drawing():
        require_readable(make([LONG.format(seed) for seed in range(number)]))


@pytest.mark.parametrize("make", OF_ONE_MODEL)
def test_a_long_tag_is_readable(make: Callable[[Sequence[str]], Figure]) -> None:
    with drawing():
        require_readable(make([LONG.format(1)]))


@pytest.mark.parametrize("make", [*OF_MANY_MODELS, *OF_ONE_MODEL])
def test_short_tags_are_readable_at_the_usual_width(make: Callable[[Sequence[str]], Figure]) -> None:
    with drawing():
        figure = make([SHORT.format(seed) for seed in range(6)])
        require_readable(figure)
    assert figure.get_figwidth() == WIDTH_INCH


def test_an_overprinted_text_and_one_outside_are_found() -> None:
    for x, text in ((0.0, "b"), (0.99, "a long name")):
        figure = Figure((2, 2))
        figure.text(0.0, 0.5, "a")
        figure.text(x, 0.5, text)
        with pytest.raises(AssertionError, match=text):
            require_readable(figure)


def test_cells_of_long_tags_keep_their_intervals() -> None:
    with drawing():
        figure = nprr_map([LONG.format(1)])
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert sum(text.startswith("[") for text in texts) == 2 * len(RATES)  # the model's and the first pass's


def panels_of(figure: Figure) -> list[tuple[int, int, str]]:
    """Row, column and title of each panel."""

    def place(axes: Axes) -> tuple[int, int]:
        spec = axes.get_subplotspec()
        assert spec is not None
        return spec.rowspan.start, spec.colspan.start

    return [(*place(axes), axes.get_title()) for axes in figure.axes]


def test_directories_a_row_a_perturbation_and_a_column_a_kind() -> None:
    infos = infos_of(PERTURBATIONS, RATES, worst_of="lm")
    figure = directories_figure(directories_of("lm", infos, "cer"))
    kinds = ("1-best perturbation", "N-best perturbation")
    names = ("dev_clean", "dev_clean, insert", "dev_clean, near", "dev_clean, tied", "dev_clean, worst of lm")
    assert panels_of(figure) == [
        (row, column, f"{name}, {kind}") for row, name in enumerate(names) for column, kind in enumerate(kinds)
    ]
    assert all(line.get_xdata().tolist() == [0, *RATES] for axes in figure.axes for line in axes.lines[1:])
    assert {axes.get_ylabel() for axes in figure.axes[::2]} == {"NPRR (% of the clean CER)"}


def test_directories_without_rates_name_their_metric() -> None:
    infos: dict[Path, dict[str, object]] = {Path("mine"): {}, **infos_of(["near"], [0.1])}
    result = directories_of("lm", infos, "cer")
    perfect = [
        replace(one, robustness=replace(one.robustness, nprr=replace(one.robustness.nprr, value=None)))
        for one in result.groups
    ]
    (axes,) = directories_figure(replace(result, groups=tuple(perfect))).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["near 1best 0.1", "near nbest 0.1", "mine"]
    assert axes.get_xlabel() == "NPRR (% of the clean CER)"
    assert {text.get_text() for text in axes.texts} == {"undefined (clean CER is 0)"}


def test_the_metric_is_named() -> None:
    tags = ["a", "b"]
    models = models_of(tags)
    rows = tuple(StrategyScore(one.tag, (one,), (6.0,), None, None, None, {}, None) for one in models)
    comparison = Comparison("test", "smollm2", "clm", "mwer", None, None, rows, 500)
    curve = RankCurve("dev", "x", (RankScore(1, Weights(), {"dev": 7.0}),))
    styles = styles_of(Results(None, {one.tag: one for one in models}, {}, ()))
    of_characters = tuple(replace(one, metric="cer") for one in records_of(tags))
    figures = [
        nprr_figure(Results(None, {}, {}, of_characters)),
        training_figure(models, styles, "cer"),
        parameters_figure([comparison], styles, "cer"),
        rank_curves_figure({"a": curve}, styles, "cer"),
    ]
    labels = ["NPRR (% of the clean CER)", "CER on dev (%)", "CER (%)", "CER (%)"]
    assert [figure.axes[0].get_ylabel() for figure in figures] == labels
    figures.append(nprr_map_figure("test", of_characters, "cer"))
    assert not any("WER" in text for figure in figures for text, _ in written(figure))
