"""The tables beside that of NPRR: the area under its curve, and what the lists lost apart from what a rescorer lost."""

from collections.abc import Iterable, Sequence

from lorescore.nprr import AreaRecord, Losses, NprrRecord
from lorescore.report.tables import NONE, Table, change_cells, difference_cells, interval_text
from lorescore.report.word_errors import MeasuredErrors
from lorescore.rounding import rounded

AREA_LEGEND = """\
The single figure to rank models by: the mean of NPRR over the rates from 0 to the largest one (the area under the curve
by the trapezoid rule from NPRR 0 at rate 0, divided by the largest rate). In each group the most robust model is first.
"""
DIFFERENCE_LEGEND = """\
`difference`: minus the figure of the reference model{reference}, in percentage points; `p`: two-sided, of no
difference, by paired bootstrap over utterances; for areas behind the stroke over speakers, where there are enough.
"""
LOSSES_LEGEND = """\
How to read it: `1-best` and `oracle` are how many points of WER the perturbation costs the lists themselves, whichever
model rescores them; `gap` is the share of the way from the 1-best to the oracle of the same lists that the model
recovers, on clean and on perturbed lists, `change` that share's change in points. The model's WER rises by the sum of
the last two columns: `list` is what it would lose if it still recovered its clean share of the gap, `rescorer` is what
it loses because its share changed (below 0: it recovers a larger one than before). A robust rescorer has a `rescorer`
loss near 0, however bad the lists become.
"""
LIST_COLUMNS: tuple[str, ...] = ("1-best", "oracle")
LOSS_COLUMNS = (*LIST_COLUMNS, "gap clean %", "gap perturbed %", "change", "95 % interval", "list", "rescorer")
UNDEFINED_SHARE = "undefined (no gap)"


def difference_legend(records: Iterable[NprrRecord | AreaRecord]) -> str:
    """How to read the differences; empty where there are none."""
    compared: dict[str, set[str]] = {}
    for one in records:
        if one.reference and one.difference:
            compared.setdefault(one.reference, set()).add(f"`{one.tag}`")
    if not compared:
        return ""
    if len(compared) == 1:
        return DIFFERENCE_LEGEND.format(reference=f", `{next(iter(compared))}`")
    of_each = "; ".join(f"`{name}` for {', '.join(sorted(tags))}" for name, tags in sorted(compared.items()))
    return DIFFERENCE_LEGEND.format(reference=f" ({of_each})")


def area_table(areas: Sequence[AreaRecord], measured: MeasuredErrors) -> Table:
    """A row for each set, perturbation, kind and rescorer; of equal rates and seeds the smallest area first.

    Args:
        areas: What was measured.
        measured: The word errors of each utterance, for p over speakers.
    """
    columns = (
        "<set",
        "<lists",
        "to rate",
        "<seeds",
        "<model",
        "area %",
        "95 % interval",
        "difference",
        "p",
        "first pass %",
        "95 % interval",
    )
    groups: dict[tuple[str, str, tuple[float, ...], tuple[int, ...]], list[AreaRecord]] = {}
    for one in areas:
        groups.setdefault((one.set, one.lists, one.rates, one.seeds), []).append(one)
    rows = tuple(
        (
            one.set,
            one.lists,
            f"{one.rates[-1]:g}",
            " ".join(map(str, one.seeds)),
            one.tag,
            *change_cells(one.area, "clean"),
            *difference_cells(one, measured.p_over_speakers(one) if one.difference else None),
            *change_cells(one.first_pass, "clean"),
        )
        for group in groups.values()
        for one in sorted(group, key=lambda one: (one.area.value is None, one.area.value or 0.0))
    )
    return Table("Area under the NPRR curve", columns, rows)


def losses_table(records: Iterable[NprrRecord]) -> Table:
    """A row for each set, perturbation, kind, rate and rescorer whose losses were measured."""
    rows = tuple(
        (one.set, one.lists, f"{one.rate:g}", one.tag, *loss_cells(one.losses)) for one in records if one.losses
    )
    columns = ("<set", "<lists", "rate", "<model", *LOSS_COLUMNS)
    return Table("What the lists lost, and what the rescorer lost", columns, rows)


def loss_cells(losses: Losses) -> tuple[str, ...]:
    """The cells under `LOSS_COLUMNS`."""
    return (
        _points(losses.first_pass_loss, 2),
        _points(losses.oracle_loss, 2),
        _share(losses.clean_share),
        _share(losses.perturbed_share),
        _points(losses.change, 1),
        interval_text(losses.change_low, losses.change_high),
        _points(losses.list_loss, 2),
        _points(losses.rescorer_loss, 2),
    )


def _points(value: float | None, decimals: int) -> str:
    """A difference in points."""
    return NONE if value is None else rounded(value, f"+.{decimals}f")


def _share(share: float | None) -> str:
    return UNDEFINED_SHARE if share is None else rounded(share, ".1f")
