"""Tables and figure of `nprr --clean`: N-best directories and cost files from anywhere."""

from collections.abc import Sequence
from dataclasses import replace

from matplotlib.figure import Figure

from lorescore.nprr import NprrRecord
from lorescore.nprr.directories import DirectoriesResult, GroupResult
from lorescore.perturb.settings import KINDS
from lorescore.report.collect import Results
from lorescore.report.figures import nprr_figure, nprr_label
from lorescore.report.fonts import drawable
from lorescore.report.robustness import LIST_COLUMNS, LOSS_COLUMNS, LOSSES_LEGEND, loss_cells
from lorescore.report.style import COLOURS, FIRST_PASS_COLOUR, WIDTH_INCH
from lorescore.report.tables import NONE, Table, change_cells
from lorescore.report.text_room import TICK_INCH, set_suptitle, shared_legend, widest_inch

NPRR_LEGEND = """\
NPRR = 100 x (WER on perturbed lists - WER on clean lists) / WER on clean lists, the mean over the `sets` that differ in
their seed alone; lower is more robust. Intervals are 95 % bootstrap intervals, paired over utterances.
"""
AREA_LEGEND = """\
The mean of NPRR over the rates from 0 to the largest one: the area under the curve by the trapezoid rule from NPRR 0 at
rate 0, divided by the largest rate.
"""
LISTS_LEGEND = """\
Points of WER that the perturbation costs the 1-best and the oracle of the lists.
"""
FIRST_PASS_OFFSET = 0.22  # below the rescorer's point, in rows
POINTS_INCH = 5.0  # for the points, at least


def directories_markdown(result: DirectoriesResult, with_legends: bool = False) -> str:
    """NPRR, the area under its curve where rates are known, and the losses, each with a title.

    Args:
        result: What was measured.
        with_legends: Say how to read the tables.
    """
    losses_legend = LOSSES_LEGEND if result.costs else LISTS_LEGEND
    tables = (
        (_nprr_table(result), NPRR_LEGEND),
        (_area_table(result), AREA_LEGEND),
        (_losses_table(result), losses_legend),
    )
    sections: list[str] = []
    for table, legend in tables:
        if table.rows:
            columns = tuple(_in_units(column, result) for column in table.columns)
            # The first cell is the lists' name, which may be anything.
            rows = tuple((name, *(_in_units(cell, result) for cell in cells)) for name, *cells in table.rows)
            legends = [_in_units(legend, result)] if with_legends else []
            in_units = replace(table, columns=columns, rows=rows)
            sections.append("\n".join([f"## {table.title}\n", *legends, in_units.markdown()]))
    if unknown := [one.group.lists for one in result.groups if one.group.rate is None]:
        sections.append(_unknown_line(unknown, result.clean.resolve().name))
    return "\n".join(sections)


def _unknown_line(names: Sequence[str], clean_name: str) -> str:
    """How directories of which nothing is known come into a curve, in one line."""
    which = f"`{names[0]}`" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
    return (
        f"No rate is known of {which}: for an area under the curve call a directory "
        f"`{clean_name}_<kind>_p<rate>_s<seed>` (kind {' or '.join(KINDS)}), or put the line "
        "`perturbation: {kind: nbest, rate: 0.1, seed: 1}` into its `nbest.yaml`.\n"
    )


def directories_figure(result: DirectoriesResult) -> Figure:
    """NPRR over the rate where a rescorer's groups all have one, else a row a group."""
    if result.costs and all(one.group.rate is not None for one in result.groups):
        records = tuple(
            NprrRecord(
                tag=result.costs,
                set=result.clean.resolve().name,
                kind=one.group.kind,
                rate=one.group.rate,
                seeds=one.group.seeds,
                nprr=one.robustness.nprr,
                first_pass=one.robustness.first_pass,
                perturbation=one.group.perturbation,
                metric=result.metric,
            )
            for one in result.groups
            if one.group.rate is not None
        )
        return nprr_figure(Results(None, {}, {}, records))
    return _row_figure(result)


def _nprr_table(result: DirectoriesResult) -> Table:
    columns = ("<lists", "rate", "sets", "NPRR %", "95 % interval", *_first_pass_columns(result))
    rows = tuple(
        (
            *_group_cells(one),
            str(len(one.group.dirs)),
            *change_cells(one.robustness.nprr, "clean"),
            *(change_cells(one.robustness.first_pass, "clean") if result.costs else ()),
            f"{one.robustness.nprr.clean_wer:.2f}",
            f"{one.robustness.nprr.perturbed_wer:.2f}",
        )
        for one in result.groups
    )
    return Table(f"NPRR of {result.costs or 'the first pass'}", (*columns, "clean WER", "perturbed WER"), rows)


def _area_table(result: DirectoriesResult) -> Table:
    rows = tuple(
        (
            one.lists,
            f"{one.rates[-1]:g}",
            *change_cells(one.area, "clean"),
            *(change_cells(one.first_pass, "clean") if result.costs else ()),
        )
        for one in result.areas
    )
    columns = ("<lists", "to rate", "area %", "95 % interval", *_first_pass_columns(result))
    return Table("Area under the NPRR curve", columns, rows)


def _losses_table(result: DirectoriesResult) -> Table:
    title, columns = "What the lists lost", LIST_COLUMNS
    if result.costs:
        title, columns = "What the lists lost, and what the rescorer lost", LOSS_COLUMNS
    rows = tuple((*_group_cells(one), *loss_cells(one.robustness.losses)[: len(columns)]) for one in result.groups)
    return Table(title, ("<lists", "rate", *columns), rows)


def _first_pass_columns(result: DirectoriesResult) -> tuple[str, ...]:
    """Those of the first pass's own degradation, beside that of a rescorer."""
    return ("first pass %", "95 % interval") if result.costs else ()


def _in_units(text: str, result: DirectoriesResult) -> str:
    """A text on the word error rate, for lists whose errors are those of characters too."""
    return text.replace("WER", result.metric.upper())


def _group_cells(one: GroupResult) -> tuple[str, str]:
    return one.group.lists, NONE if one.group.rate is None else f"{one.group.rate:g}"


def _row_figure(result: DirectoriesResult) -> Figure:
    """NPRR with its interval, a row a group, the first pass below the rescorer."""
    groups, costs = result.groups, result.costs
    names = [one.group.lists if one.group.rate is None else " ".join(_group_cells(one)) for one in groups]
    width = max(WIDTH_INCH, widest_inch(names) + TICK_INCH + POINTS_INCH)
    figure = Figure((width, 1.2 + 0.45 * len(groups)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0.0, color="#999999", linewidth=0.8)
    systems = [(costs, COLOURS[0], "o", 0.0)] if costs else []
    for name, colour, marker, offset in [*systems, ("first pass", FIRST_PASS_COLOUR, "x", FIRST_PASS_OFFSET)]:
        label = name
        for place, one in enumerate(groups):
            nprr = one.robustness.nprr if name == costs else one.robustness.first_pass
            if nprr.value is None or nprr.low is None or nprr.high is None:
                axes.annotate(
                    _in_units("undefined (clean WER is 0)", result), (0.0, place + offset), color=colour, va="center"
                )
                continue
            axes.plot([nprr.low, nprr.high], [place + offset] * 2, color=colour, linewidth=2, alpha=0.6)
            axes.plot(nprr.value, place + offset, color=colour, marker=marker, linestyle="none", label=label)
            label = "_" + name  # matplotlib's legend leaves out what begins so: once is enough
    axes.set_yticks(range(len(groups)), list(map(drawable, names)))
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.set_xlabel(nprr_label(result.metric))
    shared_legend(figure, [axes])
    set_suptitle(figure, "Robustness (NPRR, lower is more robust) with 95 % bootstrap intervals")
    return figure
