"""The tables that compare strategies: what they reach on each set, and what their trainings cost."""

from collections.abc import Iterable, Mapping, Sequence

from lorescore.choices import WITHOUT_RANK
from lorescore.combine import FIRST_PASS, ORACLE
from lorescore.report.comparison import BASELINES, BUDGET_TOLERANCE, Against, Comparison, StrategyScore, group_models
from lorescore.report.models import Model
from lorescore.report.tables import NONE, Table, change_cells, if_few, optional_interval, p_texts
from lorescore.rounding import rounded
from lorescore.wer.sc_stats import MatchedPairs

MINUTE_S = 60.0

STRATEGIES_LEGEND = f"""\
Each row is a strategy, its trainings with other seeds taken together. `WER`: mean over the seeds, `seeds' range` from
the best to the worst. The 95 % intervals (of the mean, and of its change from the first pass) and `p` are by bootstrap
over the utterances, the errors of an utterance summed over the seeds: `p` is the share of the resamples in which the
row is not better than the baseline (one-sided). `over speakers`, and `p` behind the stroke: as in Table 1. `MAPSSWE` is
the matched pairs test of NIST's sc_stats, two-sided, seed by seed: the row's training against the baseline's with the
same seed; in brackets where the row has more errors. `gap %`: share of the gap between first pass and oracle that is
recovered. `final rank`: of each update; with several, lowest to highest and mean. (!): at the same rank budget the
trainable parameters differ from those of `vanilla` by more than {BUDGET_TOLERANCE:g} %. Wall time and memory of the
trainings are in COST.md.
"""
COST_LEGEND = """\
Wall time and peak memory of the trainings, on whatever machine they ran: unlike the tables of RESULTS.md these numbers
change when the same training is run again. Of a training that was resumed, the time of all its parts and the memory of
the last. Memory is the process's while it trained, the libraries included; on a GPU it is that of the tensors. With
several seeds the mean, and lowest to highest.
"""


def comparison_tables(comparisons: Iterable[Comparison]) -> list[Table]:
    """A table for each set, PLM, scorer and objective: first pass, strategies, oracle."""
    tests = [f"{test} {strategy}" for strategy in BASELINES for test in ("p", "MAPSSWE")]
    change, sizes = ("change %", "95 % interval", "gap %"), ("trainable", "of all %", "final rank")
    tables = []
    for one in comparisons:
        intervals = ["95 % interval", *(["over speakers"] if one.speakers else [])]
        columns = ("<strategy", "seeds", "WER", "seeds' range", *intervals, *change, *tests, *sizes)
        rows = (
            *_reference_rows(FIRST_PASS, one.first_pass, len(columns)),
            *(_row(row, bool(one.speakers)) for row in one.rows),
            *_reference_rows(ORACLE, one.oracle, len(columns)),
        )
        of_speakers = f", {one.speakers} speakers" if one.speakers else ""
        title = f"{one.set}: {one.plm}, scorer {one.scorer}, objective {one.objective}{of_speakers}"
        tables.append(Table(f"{title}{if_few(one.utterances)}", columns, rows))
    return tables


def cost_table(models: Mapping[str, Model]) -> Table:
    """Time and memory of the trainings of each group; without rows where nothing was trained."""
    columns = ("<model", "seeds", "steps", "minutes", "minutes' range", "peak MiB", "peak MiB's range")
    rows = []
    for name, of in group_models(list(models.values())).items():
        minutes = [model.training.seconds / MINUTE_S for model in of if model.training.seconds is not None]
        memory = [model.training.peak_memory_mb for model in of if model.training.peak_memory_mb is not None]
        steps = [model.training.steps for model in of if model.training.steps is not None]
        if minutes or memory:
            cells = (*_mean_and_range(minutes, ".1f"), *_mean_and_range(memory, ",.0f"))
            rows.append((name, str(len(of)), _span(steps, ","), *cells))
    return Table("", columns, tuple(rows))


def rank_text(models: Sequence[Model]) -> str:
    """The ranks of a group's updates at the end."""
    model = models[0]
    if model.strategy in WITHOUT_RANK or model.rank is None:
        return NONE
    if model.strategy == "mixed":
        return f"1 to {model.rank}, nested"
    ranks = [rank for one in models for rank in one.ranks.values()]
    if len(set(ranks)) < 2:
        return str(ranks[0] if ranks else model.rank)
    return f"{min(ranks)} to {max(ranks)}, mean {sum(ranks) / len(ranks):.2f}"


def _row(row: StrategyScore, with_speakers: bool) -> tuple[str, ...]:
    cells = [
        row.group,
        str(len(row.models)),
        f"{row.wer:.2f}",
        _span(row.wers, ".2f") if len(row.wers) > 1 else NONE,
        optional_interval(row.interval),
        *([optional_interval(row.speaker_interval)] if with_speakers else []),
        *(change_cells(row.change, "first pass") if row.change else (NONE, NONE)),
        NONE if row.gap is None else rounded(row.gap, ".1f"),
    ]
    for strategy in BASELINES:
        against = row.against.get(strategy)
        if against is None:
            cells += [NONE, NONE]
        else:
            cells += [p_texts(against.p_bootstrap, against.p_speakers), _mapsswe_text(against)]
    trainable = _span([model.trainable for model in row.models], ",")
    mark = "" if row.off_budget is None else f" (!) {row.off_budget:+.1f} %"
    share = 100.0 * row.trainable / max(1, row.models[0].total)
    return (*cells, f"{trainable}{mark}", f"{share:.2f}", rank_text(row.models))


def _reference_rows(name: str, wer: float | None, width: int) -> list[tuple[str, ...]]:
    """The row of a system without a rescorer, where it was scored."""
    return [] if wer is None else [(name, NONE, f"{wer:.2f}", *[NONE] * (width - 3))]


def _mapsswe_text(against: Against) -> str:
    """p by seed."""
    return " ".join(map(_test_text, against.mapsswe.values())) or NONE


def _test_text(test: MatchedPairs) -> str:
    if test.p_value is None:
        return "undefined"
    text = "<0.001" if test.p_value < 0.001 else f"{test.p_value:.3f}"
    return f"({text})" if test.z < 0 else text  # sc_stats rounds the mean to three decimals


def _mean_and_range(values: Sequence[float], spec: str) -> tuple[str, str]:
    if not values:
        return NONE, NONE
    return format(sum(values) / len(values), spec), _span(values, spec) if len(values) > 1 else NONE


def _span(values: Sequence[float], spec: str) -> str:
    """Lowest to highest, or the one value that all have."""
    if not values:
        return NONE
    low, high = format(min(values), spec), format(max(values), spec)
    return low if low == high else f"{low} to {high}"
