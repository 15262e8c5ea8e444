"""The look of the figures, and how they are saved.

They are 10 inches wide, so that they read well when shown at 1000 pixels; wider where names are long.

Colours are those of Okabe and Ito, "Color Universal Design" (2008), which colour-blind people tell apart; markers and
line styles differ too, so that the figures also read in black and white.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

import matplotlib.style
from matplotlib.figure import Figure

from lorescore.files import atomic_write
from lorescore.report.fonts import warned_of_missing

WIDTH_INCH = 10.0
DPI = 150
TEXT_POINTS, SUPTITLE_POINTS = 10.0, 12.0
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # without yellow: too pale on white
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
FIRST_PASS_COLOUR = "#000000"
ORACLE_COLOUR = "#7F7F7F"
SETTINGS = {
    "font.size": TEXT_POINTS,
    "axes.titlesize": TEXT_POINTS,
    "figure.titlesize": SUPTITLE_POINTS,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "lines.markersize": 5.5,
    "text.parse_math": False,  # a name may have a dollar sign
}


@dataclass(frozen=True)
class LineStyle:
    """How one rescorer is drawn, in every figure alike.

    Attributes:
        colour: As `#RRGGBB`.
        marker: matplotlib's letter.
        line: matplotlib's line style.
    """

    colour: str
    marker: str
    line: str | tuple[int, tuple[int, ...]]


def line_styles(tags: Sequence[str]) -> dict[str, LineStyle]:
    """A style for each tag, all different for up to 210 of them."""
    return {
        tag: LineStyle(COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)], LINES[index % len(LINES)])
        for index, tag in enumerate(tags)
    }


@contextmanager
def drawing() -> Iterator[None]:
    """Draw with these settings alone: a user's matplotlibrc does not change the figures."""
    with matplotlib.style.context(SETTINGS, after_reset=True), warned_of_missing():
        yield


def save_png(figure: Figure, path: Path) -> None:
    """Save a figure by way of a temporary file; equal figures give equal bytes.

    Raises:
        InputError: It cannot be written.
    """
    with atomic_write(path) as file:
        # `Figure` without pyplot draws with Agg. By default the PNG would name matplotlib's version.
        figure.savefig(cast(TextIO, file).buffer, format="png", dpi=DPI, metadata={"Software": None})
