"""NPRR at a glance: a heat map of model by rate for each perturbation and kind.

Red is less robust, blue better on perturbed lists than on clean ones, white no change. Each perturbation has its own
scale, which is that of the rescorers: the first pass, which mostly loses far more, has the darkest colour where it is
beyond it.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from lorescore.combine import FIRST_PASS
from lorescore.nprr import Nprr, NprrRecord
from lorescore.report.figures import KIND_TITLES, first_pass_by_rate
from lorescore.report.style import WIDTH_INCH

COLOURS = "RdBu_r"
LABELS_INCH = 3.3  # of the width, for the models' names and the scale
INTERVAL_INCH = 0.8  # width of a cell that has room for an interval
DARK = 0.62  # share of the scale from which text is white


def nprr_map_figure(set_name: str, records: Sequence[NprrRecord]) -> Figure:
    """The heat maps of one set: a row of panels a perturbation, a column a kind; in each a row a model.

    Args:
        set_name: The set.
        records: Its records, at least one, in the order of the tables.
    """
    perturbations = list(dict.fromkeys(record.perturbation for record in records))
    kinds = sorted({record.kind for record in records})
    rates = sorted({record.rate for record in records})
    tags = list(dict.fromkeys(record.tag for record in records))
    height = len(perturbations) * (0.75 + 0.42 * (len(tags) + 1)) + 0.7
    figure = Figure((WIDTH_INCH, height), layout="constrained")
    panels = figure.subplots(len(perturbations), len(kinds), sharex=True, sharey=True, squeeze=False)
    with_interval = (WIDTH_INCH - LABELS_INCH) / (len(kinds) * len(rates)) >= INTERVAL_INCH
    for row, perturbation in zip(panels, perturbations, strict=True):
        of_row = [record for record in records if record.perturbation == perturbation]
        values = [record.nprr.value for record in of_row if record.nprr.value is not None]
        limit = max([1.0, *map(abs, values)])
        for axes, kind in zip(row, kinds, strict=True):
            cells = _cells([record for record in of_row if record.kind == kind], tags, rates)
            image = _panel(axes, cells, limit)
            _write_values(axes, cells, limit, with_interval)
            axes.axhline(len(tags) - 0.5, color="black", linewidth=1)
            axes.set_title(f"{perturbation}, {KIND_TITLES.get(kind, kind)}")
            axes.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
            axes.set_yticks(range(len(tags) + 1), [*tags, FIRST_PASS])
        bar = figure.colorbar(image, ax=list(row), label="NPRR (%)", pad=0.01, aspect=14)
        bar.ax.set_ylim(min([0.0, *values]), limit)  # colours that no model has are not shown
    for axes in panels[-1]:
        axes.set_xlabel("rate")
    figure.suptitle(f"NPRR on {set_name} in % of the clean WER (lower is more robust)")
    return figure


def _cells(records: Sequence[NprrRecord], tags: Sequence[str], rates: Sequence[float]) -> list[list[Nprr | None]]:
    """[model or first pass][rate] of one panel; None where it was not measured."""
    measured = {(record.tag, record.rate): record.nprr for record in records}
    first_pass = first_pass_by_rate(records)
    lines = [[measured.get((tag, rate)) for rate in rates] for tag in tags]
    return [*lines, [first_pass.get(rate) for rate in rates]]


def _panel(axes: Axes, cells: Sequence[Sequence[Nprr | None]], limit: float) -> AxesImage:
    """The colours; grey where there is no value."""
    table = [[np.nan if cell is None or cell.value is None else cell.value for cell in line] for line in cells]
    axes.set_facecolor("#DDDDDD")
    axes.grid(False)
    axes.tick_params(length=0)
    return axes.imshow(np.array(table), cmap=COLOURS, vmin=-limit, vmax=limit, aspect="auto")


def _write_values(axes: Axes, cells: Sequence[Sequence[Nprr | None]], limit: float, with_interval: bool) -> None:
    """The values in figures, in each cell."""
    places = [(row, column, cell) for row, line in enumerate(cells) for column, cell in enumerate(line)]
    for row, column, cell in places:
        if cell is None:
            continue
        if cell.value is None:
            axes.text(column, row, "undefined", ha="center", va="center", fontsize=7)
            continue
        colour = "white" if abs(cell.value) > DARK * limit else "black"
        has_interval = with_interval and cell.low is not None and cell.high is not None
        place = row - 0.14 if has_interval else row
        axes.text(column, place, f"{cell.value:+.1f}", ha="center", va="center", color=colour, fontsize=10)
        if has_interval:
            interval = f"[{cell.low:.1f}, {cell.high:.1f}]"
            axes.text(column, row + 0.26, interval, ha="center", va="center", color=colour, fontsize=7.5)
