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
from lorescore.report.fonts import drawable
from lorescore.report.style import WIDTH_INCH
from lorescore.report.text_room import TICK_INCH, set_suptitle, text_inch, widest_inch, wrapped
from lorescore.rounding import rounded
from lorescore.wer.units import WER

COLOURS = "RdBu_r"
SCALE_INCH = 1.0  # of the width, for the scale and its values
INTERVALS_INCH = 8.0  # of all cells of a row: the figure grows so far for intervals, which are left out otherwise
KIND_INCH = 2.6  # of a column of panels, at least: its title
CELL_SPACE_INCH = 0.1  # in a cell, beside its text
VALUE_POINTS, UNDEFINED_POINTS, INTERVAL_POINTS = 10.0, 7.0, 7.5
DARK = 0.62  # share of the scale from which text is white


def nprr_map_figure(set_name: str, records: Sequence[NprrRecord], metric: str = WER) -> Figure:
    """The heat maps of one set: a row of panels a perturbation, a column a kind; in each a row a model.

    Args:
        set_name: The set.
        records: Its records, at least one, in the order of the tables.
        metric: What errors were counted in.
    """
    perturbations = list(dict.fromkeys(record.perturbation for record in records))
    kinds = sorted({record.kind for record in records})
    rates = sorted({record.rate for record in records})
    tags = list(dict.fromkeys(record.tag for record in records))
    height = len(perturbations) * (0.75 + 0.42 * (len(tags) + 1)) + 0.7
    columns = len(kinds) * len(rates)
    measured = [one for record in records for one in (record.nprr, record.first_pass)]
    value_inch = max(text_inch(*_value_text(one)) for one in measured) + CELL_SPACE_INCH
    interval_inch = widest_inch(map(_interval_text, measured), INTERVAL_POINTS) + CELL_SPACE_INCH
    beside = widest_inch([*tags, FIRST_PASS]) + TICK_INCH + SCALE_INCH
    needed = columns * (interval_inch if columns * interval_inch <= INTERVALS_INCH else value_inch)
    cells_inch = max(WIDTH_INCH - beside, needed, len(kinds) * KIND_INCH)
    figure = Figure((beside + cells_inch, height), layout="constrained")
    panels = figure.subplots(len(perturbations), len(kinds), sharex=True, sharey=True, squeeze=False)
    with_interval = cells_inch >= columns * interval_inch
    for row, perturbation in zip(panels, perturbations, strict=True):
        of_row = [record for record in records if record.perturbation == perturbation]
        values = [record.nprr.value for record in of_row if record.nprr.value is not None]
        limit = max([1.0, *map(abs, values)])
        for axes, kind in zip(row, kinds, strict=True):
            cells = _cells([record for record in of_row if record.kind == kind], tags, rates)
            image = _panel(axes, cells, limit)
            _write_values(axes, cells, limit, with_interval)
            axes.axhline(len(tags) - 0.5, color="black", linewidth=1)
            axes.set_title(wrapped(f"{perturbation}, {KIND_TITLES.get(kind, kind)}", cells_inch / len(kinds)))
            axes.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
            axes.set_yticks(range(len(tags) + 1), [*map(drawable, tags), FIRST_PASS])
        bar = figure.colorbar(image, ax=list(row), label="NPRR (%)", pad=0.01, aspect=14)
        bar.ax.set_ylim(min([0.0, *values]), limit)  # colours that no model has are not shown
    for axes in panels[-1]:
        axes.set_xlabel("rate")
    set_suptitle(figure, f"NPRR on {set_name} in % of the clean {metric.upper()} (lower is more robust)")
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
        colour = "white" if abs(cell.value or 0.0) > DARK * limit else "black"
        interval = _interval_text(cell) if with_interval else ""
        text, points = _value_text(cell)
        place = row - 0.14 if interval else row
        axes.text(column, place, text, ha="center", va="center", color=colour, fontsize=points)
        if interval:
            axes.text(column, row + 0.26, interval, ha="center", va="center", color=colour, fontsize=INTERVAL_POINTS)


def _value_text(nprr: Nprr) -> tuple[str, float]:
    """What a cell says, and its size in points."""
    return ("undefined", UNDEFINED_POINTS) if nprr.value is None else (rounded(nprr.value, "+.1f"), VALUE_POINTS)


def _interval_text(nprr: Nprr) -> str:
    """Empty where there is no interval."""
    return "" if nprr.low is None or nprr.high is None else f"[{rounded(nprr.low, '.1f')}, {rounded(nprr.high, '.1f')}]"
