"""Where the ranks went during a training: by layer and by module over the steps.

For strategies that change ranks: AdaLoRA prunes them step by step, high-rank warm-up cuts all of them at once.
"""

import warnings

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lorescore.report.ranks import rank_map
from lorescore.report.style import FIRST_PASS_COLOUR, WIDTH_INCH, line_styles
from lorescore.report.text_room import set_suptitle, shared_legend
from lorescore.training.rank_history import RankHistory

MAX_LABELS = 16  # of layers
MAX_LEGEND_COLUMNS = 4


def rank_steps_figure(tag: str, history: RankHistory, steps: int | None) -> Figure:
    """Above, a heat map of the mean rank of each transformer layer over the steps; below, lines of each module's.

    Args:
        tag: The rescorer.
        history: With at least one layer and step.
        steps: Of the whole training, to which the last ranks stayed; None: to the last change.
    """
    tables = [rank_map(dict(zip(history.layers, ranks, strict=True))) for ranks in history.changes.values()]
    modules, layers = tables[0].modules, tables[0].layers
    ranks = np.stack([table.ranks for table in tables])  # (changes, modules, layers)
    begins = list(history.changes)
    ends = [*begins, max(steps or 0, begins[-1] + 1)]
    figure = Figure((WIDTH_INCH, 6.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    image = above.pcolormesh(
        ends,
        np.arange(len(layers) + 1) - 0.5,
        _mean(ranks, 1).T,
        cmap="cividis",
        vmin=0,
        vmax=max(1.0, np.nanmax(ranks)),
    )
    above.grid(False)
    labelled = range(0, len(layers), -(-len(layers) // MAX_LABELS))
    above.set_yticks(labelled, [layers[index] for index in labelled])
    above.set_ylabel("transformer layer")
    above.set_title("mean rank of each layer's modules")
    bar = figure.colorbar(image, ax=above, label="rank", pad=0.01)
    bar.locator = MaxNLocator(integer=True)
    bar.update_ticks()
    by_module = _mean(ranks, 2)
    for (module, style), values in zip(line_styles(modules).items(), by_module.T, strict=True):
        below.step(ends, [*values, values[-1]], where="post", color=style.colour, linestyle=style.line, label=module)
    mean = np.nanmean(ranks, axis=(1, 2))
    below.step(ends, [*mean, mean[-1]], where="post", color=FIRST_PASS_COLOUR, linewidth=2, alpha=0.5, label="all")
    below.set_xlim(0, ends[-1])
    below.set_ylim(bottom=0)
    below.set_xlabel("optimizer steps")
    below.set_ylabel("mean rank")
    below.set_title("mean rank of each module over the layers")
    below.xaxis.set_major_locator(MaxNLocator(integer=True, steps=(1, 2, 5, 10)))
    shared_legend(figure, [below], MAX_LEGEND_COLUMNS)
    set_suptitle(figure, f"Ranks over the training of {tag}")
    return figure


def _mean(ranks: npt.NDArray[np.float64], axis: int) -> npt.NDArray[np.float64]:
    """The mean along an axis of what is there; NaN where nothing is."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Mean of empty slice")
        return np.nanmean(ranks, axis=axis)
