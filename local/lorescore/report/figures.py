"""The figures over all rescorers: WER by system, NPRR by rate, dev WER during training."""

from collections.abc import Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lorescore.combine import FIRST_PASS, ORACLE
from lorescore.nprr import Nprr, NprrRecord
from lorescore.perturb.settings import HOMOPHONE, WORST
from lorescore.report.collect import Results
from lorescore.report.fonts import drawable
from lorescore.report.models import Model
from lorescore.report.scores import SetScore
from lorescore.report.style import FIRST_PASS_COLOUR, ORACLE_COLOUR, WIDTH_INCH, LineStyle, line_styles
from lorescore.report.text_room import SIDES_INCH, TICK_INCH, set_suptitle, shared_legend, widest_inch, wrapped
from lorescore.wer.units import WER

MAX_COLUMNS, COLUMN_INCH = 3, 2.1  # of the panels of WER, and a column's width at least
BAND_ALPHA = 0.15
NICE_STEPS = (1, 2, 5, 10)  # between two ticks, times a power of ten
OFF_SCALE = 2.0  # the first pass is left out of the scale where it is so many times higher than everything else
DODGE, MAX_DODGE = 0.012, 0.15  # neighbouring models are moved apart, all together at most: shares of the rates' span
SMALL_POINTS = 9.0  # size of a text in a panel
AXIS_INCH = 0.7  # between two panels, for the values and the name of an axis
TEXT_BOX = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # keeps the lines behind a text off it
KIND_TITLES = {"1best": "1-best perturbation", "nbest": "N-best perturbation"}


def styles_of(results: Results) -> dict[str, LineStyle]:
    """A style for each rescorer."""
    return line_styles([tag for tag in results.tags if tag not in (FIRST_PASS, ORACLE)])


def wer_figure(results: Results) -> Figure:
    """WER by system with 95 % intervals, one panel a set; best read down the first pass's line."""
    styles = styles_of(results)
    scored = {tag for by_tag in results.scores.values() for tag in by_tag}
    tags = [tag for tag in results.tags if tag in scored]
    columns = min(MAX_COLUMNS, len(results.scores))
    lines = -(-len(results.scores) // columns)
    names_inch = widest_inch(tags) + TICK_INCH
    width = max(WIDTH_INCH, names_inch + columns * COLUMN_INCH)
    figure = Figure((width, lines * (1.4 + 0.36 * len(tags)) + 0.5), layout="constrained")
    panels = figure.subplots(lines, columns, sharey=True, squeeze=False).flat
    for axes, (set_name, by_tag) in zip(panels, results.scores.items(), strict=False):
        for place, tag in enumerate(tags):
            if tag in by_tag:
                _wer_point(axes, place, by_tag[tag], _system_style(tag, styles))
        if FIRST_PASS in by_tag:
            axes.axvline(by_tag[FIRST_PASS].wer, color=FIRST_PASS_COLOUR, linewidth=1, linestyle="--")
        tuned = " (weights tuned here)" if set_name == results.dev_set else ""
        axes.set_title(wrapped(f"{set_name}{tuned}", (width - names_inch) / columns))
        axes.set_xlabel(f"{next(iter(by_tag.values())).metric.upper()} (%)")
        axes.set_yticks(range(len(tags)), list(map(drawable, tags)))
        axes.set_ylim(len(tags) - 0.5, -0.7)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=NICE_STEPS))
    for axes in figure.axes[len(results.scores) :]:  # the panels that the grid has over
        axes.set_axis_off()
    set_suptitle(figure, "Error rate with 95 % bootstrap intervals; dashed: first pass")
    return figure


def nprr_figure(results: Results) -> Figure:
    """NPRR against the rate with 95 % intervals.

    A row of panels for each set and perturbation, a column a kind, in them a line a rescorer. All lines begin at rate
    0, which leaves the lists as they are.
    """
    styles = styles_of(results)
    rows = list(dict.fromkeys((record.set, record.perturbation) for record in results.nprr))
    kinds = sorted({record.kind for record in results.nprr})
    rates = sorted({record.rate for record in results.nprr})
    figure = Figure((WIDTH_INCH, 3.2 * len(rows) + 0.6), layout="constrained")
    panels = figure.subplots(len(rows), len(kinds), sharex=True, squeeze=False)
    panel_inch = WIDTH_INCH / len(kinds) - AXIS_INCH
    for row, (set_name, perturbation) in zip(panels, rows, strict=True):
        of_row = [record for record in results.nprr if (record.set, record.perturbation) == (set_name, perturbation)]
        named = set_name if perturbation == HOMOPHONE else f"{set_name}, {perturbation}"
        for axes, kind in zip(row, kinds, strict=True):
            _nprr_panel(axes, [record for record in of_row if record.kind == kind], styles, rates, panel_inch)
            axes.set_title(wrapped(f"{named}, {KIND_TITLES.get(kind, kind)}", panel_inch))
        row[0].set_ylabel(nprr_label(results.metric))
    for axes in panels[-1]:
        axes.set_xlabel("rate (chance of a replacement)")
    shared_legend(figure, panels.flat)
    set_suptitle(figure, "Robustness (NPRR, lower is more robust) with 95 % bootstrap intervals")
    return figure


def nprr_label(metric: str) -> str:
    """Of an axis with NPRR."""
    return f"NPRR (% of the clean {metric.upper()})"


def training_figure(models: Sequence[Model], styles: Mapping[str, LineStyle], metric: str = WER) -> Figure:
    """WER on the dev lists during training, one panel a PLM and scorer; a ring marks the step that was kept.

    Args:
        models: Those with a history.
        styles: A style for each of their tags.
        metric: What errors were counted in.
    """
    groups = list(dict.fromkeys((model.plm, model.scorer) for model in models))
    figure = Figure((WIDTH_INCH, 3.2 * len(groups) + 0.6), layout="constrained")
    panels = figure.subplots(len(groups), 1, squeeze=False)[:, 0]
    for axes, group in zip(panels, groups, strict=True):
        for model in models:
            if (model.plm, model.scorer) == group:
                _training_line(axes, model, styles[model.tag])
        axes.set_title(wrapped(f"{group[0]}, scorer {group[1]}", WIDTH_INCH - SIDES_INCH))
        axes.set_xlabel("optimizer steps")
        axes.set_ylabel(f"{metric.upper()} on dev (%)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=NICE_STEPS))
    shared_legend(figure, panels)
    set_suptitle(figure, f"{metric.upper()} on the dev lists during training; ring: the step that was kept")
    return figure


def _system_style(tag: str, styles: Mapping[str, LineStyle]) -> LineStyle:
    references = {FIRST_PASS: LineStyle(FIRST_PASS_COLOUR, "X", "--"), ORACLE: LineStyle(ORACLE_COLOUR, "*", ":")}
    return references.get(tag) or styles[tag]


def _wer_point(axes: Axes, place: int, score: SetScore, style: LineStyle) -> None:
    """A WER, its interval and its value in figures."""
    if score.interval:
        axes.plot([score.interval.low, score.interval.high], [place, place], color=style.colour, linewidth=2, alpha=0.6)
    axes.plot(score.wer, place, color=style.colour, marker=style.marker, linestyle="none", markersize=8)
    axes.annotate(
        f"{score.wer:.2f}",
        (score.wer, place),
        (0, 7),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=SMALL_POINTS,
        bbox=TEXT_BOX,
    )


def _nprr_panel(
    axes: Axes, records: Sequence[NprrRecord], styles: Mapping[str, LineStyle], rates: Sequence[float], inch: float
) -> None:
    """The lines of one set and kind; where NPRR is undefined there is no point.

    Args:
        axes: The panel.
        records: What is in it; where there is nothing, that is said.
        styles: A style for each tag.
        rates: Of all panels.
        inch: The panel's width.
    """
    span = rates[-1] or 1.0
    axes.set_xticks([0.0, *(rate for rate in rates if rate > 0)])  # all panels have one axis
    axes.set_xlim(-0.03 * span, 1.1 * span)
    if not records:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", va="center", fontsize=SMALL_POINTS)
        return
    axes.axhline(0.0, color="#999999", linewidth=0.8)
    tags = list(dict.fromkeys(record.tag for record in records))
    for index, tag in enumerate(tags):
        points = [(record.rate, record.nprr) for record in records if record.tag == tag]
        shift = (index - (len(tags) - 1) / 2) * min(DODGE, MAX_DODGE / len(tags)) * span
        _nprr_line(axes, points, styles[tag], tag, shift)
    first_pass = first_pass_by_rate(records)
    style = LineStyle(FIRST_PASS_COLOUR, "x", "--")
    _nprr_line(axes, sorted(first_pass.items(), key=lambda point: point[0]), style, FIRST_PASS, 0.0)
    _limit_scale(axes, [record.nprr for record in records], first_pass, inch)


def first_pass_by_rate(records: Sequence[NprrRecord]) -> dict[float, Nprr]:
    """The first pass of the records of one set, perturbation and kind: that of the first rescorer, by rate.

    It is the same on the same lists, whichever rescorer's record it stands in. Of `worst` each rescorer has its own
    lists: with several there is none.
    """
    if any(record.perturbation == WORST and record.tag != records[0].tag for record in records):
        return {}
    return {record.rate: record.first_pass for record in reversed(records)}


def _limit_scale(axes: Axes, nprrs: Iterable[Nprr], first_pass: Mapping[float, Nprr], inch: float) -> None:
    """Keep a first pass that lies far above the rescorers from squeezing them; its values are written instead."""
    ends = [end for nprr in nprrs for end in (nprr.low, nprr.high) if end is not None]
    lowest, highest = min(ends, default=0.0), max(ends, default=0.0)
    values = {rate: nprr.value for rate, nprr in first_pass.items() if nprr.value is not None}
    if not values or highest <= 0 or max(values.values()) <= OFF_SCALE * highest:
        return
    listed = ", ".join(
        f"{value:.1f}\N{NO-BREAK SPACE}at\N{NO-BREAK SPACE}{rate:g}" for rate, value in sorted(values.items())
    )
    text = wrapped(f"{FIRST_PASS}, off the scale: {listed}", inch, SMALL_POINTS)
    room = 0.2 + 0.15 * (1 + text.count("\n"))  # for the text
    axes.set_ylim(min(0.0, lowest) - 0.1 * highest, (1 + room) * highest)
    axes.text(
        0.5,
        0.99,
        text,
        transform=axes.transAxes,
        ha="center",
        va="top",
        fontsize=SMALL_POINTS,
        bbox=TEXT_BOX,
    )


def _nprr_line(axes: Axes, points: Sequence[tuple[float, Nprr]], style: LineStyle, label: str, shift: float) -> None:
    """The values over the rates, with a band for the intervals and a bar at each of them; from 0 at rate 0 on."""
    defined = [
        (rate + shift, nprr.value, nprr.low, nprr.high)
        for rate, nprr in points
        if rate > 0 and nprr.value is not None and nprr.low is not None and nprr.high is not None
    ]
    if not defined:
        return
    rates, values, lows, highs = zip((0.0, 0.0, 0.0, 0.0), *defined, strict=True)
    marked = slice(1, None)
    axes.plot(
        rates,
        values,
        color=style.colour,
        marker=style.marker,
        markevery=marked,
        linestyle=style.line,
        label=label,
        zorder=3,
    )
    if label != FIRST_PASS:  # its interval is in the table; here it would hide the others
        axes.vlines(rates[marked], lows[marked], highs[marked], color=style.colour, linewidth=1, alpha=0.7)
        axes.fill_between(rates, lows, highs, color=style.colour, alpha=BAND_ALPHA, linewidth=0)


def _training_line(axes: Axes, model: Model, style: LineStyle) -> None:
    steps = [one.step for one in model.history]
    wers = [one.dev_wer for one in model.history]
    axes.plot(steps, wers, color=style.colour, marker=style.marker, linestyle=style.line, label=model.tag)
    if model.training.best_step in steps:
        kept = steps.index(model.training.best_step)
        axes.plot(
            steps[kept], wers[kept], color=style.colour, marker="o", markersize=13, fillstyle="none", linestyle="none"
        )
