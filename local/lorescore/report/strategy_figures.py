"""The figures that compare strategies: WER against trainable parameters, ranks over seeds, WER against rank."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator, NullLocator

from lorescore.report.comparison import Comparison, StrategyScore, group_models
from lorescore.report.models import Model
from lorescore.report.ranks import rank_map
from lorescore.report.style import WIDTH_INCH, LineStyle, line_styles
from lorescore.report.text_room import SIDES_INCH, set_suptitle, shared_legend, wrapped
from lorescore.scoring.ranks import RANKS_FILE, RankCurve, read_ranks
from lorescore.wer.units import WER

PANEL_INCH = 3.6  # high
MAX_COLUMNS = 2
# On a logarithmic axis: numbers that differ by less are moved apart; by how much; how far left of the smallest 0 is.
ALIKE, DODGE, ZERO_DISTANCE = 1.3, 1.35, 10.0
STRATEGY_FIGURES = ("parameters.png", "mixed_ranks.png")


def strategy_figures(
    comparisons: Sequence[Comparison], models: Mapping[str, Model], exp_dir: Path, metric: str = WER
) -> dict[str, tuple[str, Figure]]:
    """Caption and figure by file name, of what there is data for: STRATEGY_FIGURES, and the ranks of several seeds.

    Args:
        comparisons: Of the strategies.
        models: The rescorers by tag.
        exp_dir: The recipe's `exp`.
        metric: What errors were counted in.

    Raises:
        InputError: A file of ranks is not what stage 6 writes.
    """
    figures = {}
    groups = group_models(list(models.values()))
    if comparisons:
        figures["parameters.png"] = (
            f"{metric.upper()} and trainable parameters",
            parameters_figure(comparisons, line_styles(list(groups)), metric),
        )
    curves = read_rank_curves(exp_dir, list(models))
    if curves:
        figures["mixed_ranks.png"] = (
            f"{metric.upper()} of a mixed-rank adapter by its rank",
            rank_curves_figure(curves, line_styles(list(models)), metric),
        )
    for name, of in groups.items():
        ranks = {model.seed: model.ranks for model in of if model.ranks}
        if len(ranks) > 1 and len({frozenset(one) for one in ranks.values()}) == 1:
            figures[f"ranks_{name}.png"] = (f"Final ranks of {name} over the seeds", seeds_ranks_figure(name, ranks))
    return figures


def parameters_figure(comparisons: Sequence[Comparison], styles: Mapping[str, LineStyle], metric: str = WER) -> Figure:
    """WER against trainable parameters: a panel for each comparison, a small mark for each seed, a large one for the
    mean, with its 95 % interval. Strategies with as many parameters are moved apart.

    Args:
        comparisons: Of the strategies.
        styles: A style for each group, where each is of one training that of the other figures.
        metric: What errors were counted in.
    """
    figure, panels, panel_inch = _panels(len(comparisons))
    for axes, one in zip(panels, comparisons, strict=False):
        smallest = min((row.trainable for row in one.rows if row.trainable), default=1.0)
        zero = smallest / ZERO_DISTANCE  # where what trains nothing stands on a logarithmic axis
        places = _places([row.trainable or zero for row in one.rows])
        for row, place in zip(one.rows, places, strict=True):
            _parameters_point(axes, row, place, styles[row.group])
        has_frozen = any(row.trainable == 0 for row in one.rows)
        _parameters_axis(axes, places, zero if has_frozen else None)
        axes.set_ylabel(f"{metric.upper()} (%)")
        axes.set_title(wrapped(f"{one.set}: {one.plm}, {one.scorer}, {one.objective}", panel_inch))
    shared_legend(figure, panels)
    each = "each seed, and the mean with a 95 % bootstrap interval"
    set_suptitle(figure, f"{metric.upper()} and trainable parameters: {each}")
    return figure


def seeds_ranks_figure(name: str, by_seed: Mapping[int | None, Mapping[str, int]]) -> Figure:
    """Above, the final rank of each update as the mean over the seeds; below, by layer, the mean over its modules.

    Args:
        name: What the trainings have in common.
        by_seed: Final rank by the adapted layer's name, the same layers for every seed.
    """
    maps = {seed: rank_map(ranks) for seed, ranks in by_seed.items()}
    first = next(iter(maps.values()))
    tables = np.stack([one.ranks for one in maps.values()])
    mean = tables.mean(axis=0)
    rows, columns = mean.shape
    figure = Figure((WIDTH_INCH, 4.4 + 0.42 * rows), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(1.2 + 0.42 * rows, 3.0))
    image = above.imshow(mean, cmap="cividis", vmin=0, vmax=max(1.0, float(np.nanmax(mean))), aspect="auto")
    above.set_facecolor("#CCCCCC")
    above.grid(False)
    above.set_yticks(range(rows), first.modules)
    figure.colorbar(image, ax=above, label="mean rank", pad=0.01)
    styles = line_styles([str(seed) for seed in maps])
    places = range(columns)
    by_layer = np.nanmean(tables, axis=1)  # (seeds, layers)
    for (seed, _), values in zip(maps.items(), by_layer, strict=True):
        style = styles[str(seed)]
        below.plot(places, values, color=style.colour, marker=style.marker, linestyle=style.line, label=f"seed {seed}")
    below.fill_between(places, by_layer.min(axis=0), by_layer.max(axis=0), color="#999999", alpha=0.2, linewidth=0)
    step = max(1, columns // 32)
    for axes in (above, below):
        axes.set_xticks(range(0, columns, step), first.layers[::step])
    below.set_xlim(above.get_xlim())
    below.set_ylim(bottom=0)
    below.set_xlabel("transformer layer")
    below.set_ylabel("rank, mean over modules")
    shared_legend(figure, [below], len(maps))
    of_all = f"mean of {len(maps)} seeds ({float(np.nanmean(mean)):.2f} over all)"
    set_suptitle(figure, f"Final rank of each update, {name}, {of_all}")
    return figure


def read_rank_curves(exp_dir: Path, tags: Sequence[str]) -> dict[str, RankCurve]:
    """What stage 6 left of the adapters that were cut to their ranks, by tag.

    Raises:
        InputError: A file is not what it writes.
    """
    paths = {tag: exp_dir / "rescore" / tag / RANKS_FILE for tag in tags}
    return {tag: read_ranks(path) for tag, path in paths.items() if path.is_file()}


def rank_curves_figure(curves: Mapping[str, RankCurve], styles: Mapping[str, LineStyle], metric: str = WER) -> Figure:
    """WER against the rank that an adapter is cut to: a panel for each set, a line for each adapter.

    Args:
        curves: By tag.
        styles: A style for each tag, that of the other figures.
        metric: What errors were counted in.
    """
    sets = list(dict.fromkeys(name for curve in curves.values() for one in curve.scores for name in one.wers))
    figure, panels, panel_inch = _panels(len(sets))
    for axes, name in zip(panels, sets, strict=False):
        for tag, curve in curves.items():
            points = [(one.rank, one.wers[name]) for one in curve.scores if name in one.wers]
            style = styles[tag]
            axes.plot(
                [rank for rank, _ in points],
                [wer for _, wer in points],
                color=style.colour,
                marker=style.marker,
                linestyle=style.line,
                label=tag,
            )
        tuned = " (weights tuned here)" if name in {curve.dev_set for curve in curves.values()} else ""
        axes.set_title(wrapped(f"{name}{tuned}", panel_inch))
        axes.set_xlabel("rank")
        axes.set_ylabel(f"{metric.upper()} (%)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    shared_legend(figure, panels)
    set_suptitle(figure, "Mixed-rank training: one adapter, cut to each of its ranks")
    return figure


def _places(numbers: Sequence[float]) -> list[float]:
    """The numbers, those that are nearly alike moved apart around where they are."""
    places = []
    for index, number in enumerate(numbers):
        alike = [other for other, value in enumerate(numbers) if 1 / ALIKE < value / number < ALIKE]
        places.append(number * DODGE ** (alike.index(index) - (len(alike) - 1) / 2))
    return places


def _parameters_axis(axes: Axes, places: Sequence[float], zero: float | None) -> None:
    """A logarithmic axis with the powers of ten named, and 0 at `zero`."""
    low, high = min(places) / 2, max(places) * 2
    decades = [10.0**power for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
    ticks = {decade: EngFormatter(sep="")(decade) for decade in decades if zero is None or decade > 2 * zero}
    if zero is not None:
        ticks[zero] = "0"
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("trainable parameters")


def _parameters_point(axes: Axes, row: StrategyScore, place: float, style: LineStyle) -> None:
    if row.interval:
        axes.vlines(place, row.interval.low, row.interval.high, color=style.colour, linewidth=1, alpha=0.6)
    if len(row.models) > 1:
        axes.plot(
            [place] * len(row.models),
            row.wers,
            color=style.colour,
            marker=style.marker,
            linestyle="none",
            markersize=4,
            alpha=0.7,
        )
    axes.plot(
        place,
        row.wer,
        color=style.colour,
        marker=style.marker,
        linestyle="none",
        markersize=9,
        label=row.group,
    )


def _panels(number: int) -> tuple[Figure, list[Axes], float]:
    """A figure with so many panels, and the width of a panel's title at most, in inches."""
    columns = min(MAX_COLUMNS, number)
    lines = -(-number // columns)
    figure = Figure((WIDTH_INCH, PANEL_INCH * lines + 0.6), layout="constrained")
    panels = list(figure.subplots(lines, columns, squeeze=False).flat)
    for axes in panels[number:]:
        axes.set_axis_off()
    return figure, panels, WIDTH_INCH / columns - SIDES_INCH
