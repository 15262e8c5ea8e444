"""Room for names of any length in a figure: how wide they are, where they break, and a legend below the panels."""

import re
from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from lorescore.report.fonts import drawable
from lorescore.report.style import DPI, SUPTITLE_POINTS, TEXT_POINTS

POINTS_PER_INCH = 72.0
RENDERER = RendererAgg(1, 1, DPI)  # which `save_png` draws with: here it measures alone
AFTER_SPACE = re.compile(r"(?<= )")
AFTER_JOINT = re.compile(r"(?<=[_+.-])|(?<=[\u2e80-\ud7af])|(?=\\[uU])")  # also between characters of East Asia
SIDES_INCH = 0.3  # what is left free beside a title or legend, of a figure's or panel's width
TICK_INCH = 0.2  # between an axis and the edge of the figure, besides its labels
SUPTITLE_LINE_INCH = 0.2
LEGEND_LINE_INCH, LEGEND_COLUMNS = 0.22, 2
LEGEND_HANDLE, LEGEND_SPACES = 4.0, 2.8  # of a column, in font sizes: its sample of the line, and what is free


def text_inch(text: str, points: float = TEXT_POINTS) -> float:
    """The width of a line of text in inches, as it will be drawn."""
    width, _, _ = RENDERER.get_text_width_height_descent(drawable(text), FontProperties(size=points), ismath=False)
    return float(width) / DPI


def widest_inch(texts: Iterable[str], points: float = TEXT_POINTS) -> float:
    """The width of the widest of some lines of text."""
    return max((text_inch(text, points) for text in texts), default=0.0)


def wrapped(text: str, inch: float, points: float = TEXT_POINTS) -> str:
    """A text in lines of at most this width: broken at spaces, a word that is wider itself after `_`, `+`, `.`, `-`."""
    lines = [""]
    for word in AFTER_SPACE.split(drawable(text)):
        for part in AFTER_JOINT.split(word) if text_inch(word.rstrip(), points) > inch else [word]:
            if lines[-1] and text_inch((lines[-1] + part).rstrip(), points) > inch:
                lines.append("")
            lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


def set_suptitle(figure: Figure, text: str) -> None:
    """A title over all panels, in lines that the figure has room for; it grows by those after the first."""
    lines = wrapped(text, figure.get_figwidth() - SIDES_INCH, SUPTITLE_POINTS)
    figure.set_figheight(figure.get_figheight() + lines.count("\n") * SUPTITLE_LINE_INCH)
    figure.suptitle(lines)


def shared_legend(figure: Figure, panels: Iterable[Axes], most: int = LEGEND_COLUMNS) -> None:
    """One legend below all panels, each label once; the figure grows by it.

    Args:
        figure: Of the panels.
        panels: Where the labels are.
        most: Columns at most: fewer where labels are long.
    """
    handles: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(drawable(label), handle)
    if not handles:
        return
    labels, width = list(handles), figure.get_figwidth()
    columns = next((number for number in range(most, 1, -1) if _legend_inch(labels, number) <= width), 1)
    width = max(width, _legend_inch(labels, columns))
    lines = -(-len(handles) // columns)
    figure.set_size_inches(width, figure.get_figheight() + lines * LEGEND_LINE_INCH)
    figure.legend(
        list(handles.values()),
        labels,
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        handlelength=LEGEND_HANDLE,
    )


def _legend_inch(labels: Sequence[str], columns: int) -> float:
    """The width of a legend; matplotlib shares out its labels so."""
    names_inch = sum(widest_inch(part.tolist()) for part in np.array_split(np.array(labels), columns))
    return names_inch + columns * (LEGEND_HANDLE + LEGEND_SPACES) * TEXT_POINTS / POINTS_PER_INCH + SIDES_INCH
