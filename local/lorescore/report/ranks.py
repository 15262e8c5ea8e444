"""Where AdaLoRA put its ranks: a heat map of the final rank by layer and module.

A layer's name in the model, such as `model.layers.11.self_attn.q_proj`, has the number of its transformer layer as its
first part that is a number; the parts after it name the module. A name without a number (`pooler.dense`) is a module
outside the layers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lorescore.report.style import WIDTH_INCH
from lorescore.report.text_room import set_suptitle

OUTSIDE = "outside"
MAX_ANNOTATED = 64  # columns; in more of them the numbers would not be readable


@dataclass(frozen=True)
class RankMap:
    """Ranks as a table.

    Attributes:
        modules: What the rows are, in the order in which the model has them.
        layers: What the columns are: the numbers of the layers, and `outside` where there are modules outside.
        ranks: The ranks, NaN where a layer has no such module, shape (len(modules), len(layers)).
    """

    modules: tuple[str, ...]
    layers: tuple[str, ...]
    ranks: npt.NDArray[np.float64]


def rank_map(ranks: Mapping[str, int]) -> RankMap:
    """Sort the ranks by module and layer.

    Args:
        ranks: Final rank by the adapted layer's name, at least one.
    """
    parsed = {name: _parsed(name) for name in ranks}
    stacks = {stack for stack, layer, _ in parsed.values() if layer is not None}
    cells: dict[tuple[str, int | None], int] = {}
    for name, (stack, layer, module) in parsed.items():
        # An encoder and a decoder have layers of the same numbers.
        row = f"{stack}.{module}" if len(stacks) > 1 and layer is not None else module
        cells[row, layer] = ranks[name]
    modules = tuple(dict.fromkeys(row for row, _ in cells))
    numbers: list[int | None] = [*sorted({layer for _, layer in cells if layer is not None})]
    numbers += [None] if any(layer is None for _, layer in cells) else []
    table = np.array([[cells.get((row, layer), np.nan) for layer in numbers] for row in modules], dtype=np.float64)
    return RankMap(modules, tuple(OUTSIDE if layer is None else str(layer) for layer in numbers), table)


def ranks_figure(tag: str, ranks: Mapping[str, int]) -> Figure:
    """The heat map, with the rank written into each cell."""
    table = rank_map(ranks)
    rows, columns = table.ranks.shape
    mean = float(np.nanmean(table.ranks))
    figure = Figure((WIDTH_INCH, 1.9 + 0.42 * rows), layout="constrained")
    axes = figure.subplots()
    highest = max(1.0, float(np.nanmax(table.ranks)))
    image = axes.imshow(table.ranks, cmap="cividis", vmin=0, vmax=highest, aspect="auto")
    axes.set_facecolor("#CCCCCC")
    for row, column in np.argwhere(np.isfinite(table.ranks)) if columns <= MAX_ANNOTATED else ():
        rank = table.ranks[row, column]
        colour = "black" if rank > 0.55 * highest else "white"
        axes.text(column, row, f"{rank:.0f}", ha="center", va="center", color=colour, fontsize=9 if columns < 32 else 7)
    axes.grid(False)
    axes.set_yticks(range(rows), table.modules)
    step = max(1, columns // 32)
    axes.set_xticks(range(0, columns, step), table.layers[::step])
    axes.set_xlabel("transformer layer")
    axes.set_ylabel("module")
    set_suptitle(figure, f"Final rank of each update, {tag} (mean {mean:.2f})")
    bar = figure.colorbar(image, ax=axes, label="rank", pad=0.01)
    bar.locator = MaxNLocator(integer=True, nbins=max(3, rows + 1))
    bar.update_ticks()
    return figure


def _parsed(name: str) -> tuple[str, int | None, str]:
    """What stands before the layer's number, the number, and what stands after it."""
    parts = name.split(".")
    for index, part in enumerate(parts):
        if part.isascii() and part.isdigit():
            return ".".join(parts[:index]), int(part), ".".join(parts[index + 1 :])
    return "", None, name
