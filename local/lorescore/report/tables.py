"""The report's tables, as Markdown whose columns are padded, so that they read well on a terminal too."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lorescore.combine import FIRST_PASS, ORACLE
from lorescore.nprr import AreaRecord, Nprr, NprrRecord
from lorescore.report.collect import Results
from lorescore.report.mbr import MbrComparison, base_tag
from lorescore.report.models import Model
from lorescore.report.scores import SetScore
from lorescore.rounding import rounded
from lorescore.wer.bootstrap import REPLICATIONS, Interval
from lorescore.wer.resampling import Estimate
from lorescore.wer.units import CER

NONE = "-"
UNDEFINED = "undefined ({} WER is 0)"
# Of fewer utterances the resamples of a bootstrap are too much alike: its intervals are too narrow, its p too small.
FEW_UTTERANCES = 50
# What would be a mark in a cell, were it not escaped; an interval's bracket, or `<` before a number, is none.
MARK = re.compile(r"[\\`*~]|<(?=[a-zA-Z/!?])|&(?=#?\w+;)|\[(?=[^]]*\]\()|\b_|_\b")


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        title: What stands above it; may be empty.
        columns: Headings; one that starts with `<` is aligned to the left (the mark is not printed).
        rows: Cells, as many a row as there are columns.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self, with_marks: bool = False) -> str:
        """The table in Markdown with padded columns, without its title; it ends with a line end.

        Args:
            with_marks: The cells are Markdown; else they are text, which shows as it is.
        """
        left = [column.startswith("<") for column in self.columns]
        lines = [
            [column.removeprefix("<") for column in self.columns],
            *([_in_column(cell if with_marks else _escaped(cell)) for cell in row] for row in self.rows),
        ]
        widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
        rule = [
            "-" * width if is_left else "-" * (width - 1) + ":" for width, is_left in zip(widths, left, strict=True)
        ]
        padded = [
            [
                cell.ljust(width) if is_left else cell.rjust(width)
                for cell, width, is_left in zip(line, widths, left, strict=True)
            ]
            for line in lines
        ]
        return "".join(f"| {' | '.join(line)} |\n" for line in [padded[0], rule, *padded[1:]])


def wer_tables(results: Results) -> list[Table]:
    """Table 1: one table a set, a row for the first pass, each rescorer and the oracle."""
    tables = []
    for set_name, by_tag in results.scores.items():
        some = next(iter(by_tag.values()))
        speakers = next((one.over_speakers.speakers for one in by_tag.values() if one.over_speakers), 0)
        columns = (
            "<model",
            some.metric.upper(),
            "95 % interval",
            *(["over speakers"] if speakers else []),
            "change %",
            "gap %",
            "p first pass",
            "p frozen",
            "lm_weight",
            "word_bonus",
            "trainable",
        )
        tuned = ", the set on which the weights were tuned" if set_name == results.dev_set else ""
        units = "characters" if some.metric == CER else "words"
        of_speakers = f" of {speakers} speakers" if speakers else ""
        sizes = f"{some.utterances:,} utterances{of_speakers}, {some.ref_words:,} {units}"
        sizes += f", texts cleaned by {some.cleaner}" if some.cleaner else ""
        title = f"{set_name}{tuned} ({sizes}{if_few(some.utterances)})"
        rows = tuple(
            _wer_row(tag, by_tag, results.models.get(base_tag(tag, results.models)), bool(speakers)) for tag in by_tag
        )
        tables.append(Table(title, columns, rows))
    return tables


def if_few(utterances: int) -> str:
    """What a title says of so many utterances; empty where they are enough."""
    return "; so few that intervals are too narrow and p too small" if utterances < FEW_UTTERANCES else ""


def mbr_table(comparisons: Iterable[MbrComparison]) -> Table:
    """Below table 1: a row for each set and rescorer that decoded by MBR too."""
    columns = ("<set", "<model", "WER by MAP", "WER by MBR", "change %", "95 % interval", "posterior scale")
    rows = tuple(
        (
            one.set,
            one.tag,
            f"{one.map_wer:.2f}",
            f"{one.mbr_wer:.2f}",
            *change_cells(one.change, "MAP"),
            f"{one.posterior_scale:g}",
        )
        for one in comparisons
    )
    return Table("MBR against MAP", columns, rows)


def nprr_tables(results: Results) -> list[Table]:
    """Table 2: one table a set, a row for each perturbation, kind, rate and rescorer."""
    columns = (
        "<lists",
        "rate",
        "<model",
        "seeds",
        "NPRR %",
        "95 % interval",
        "difference",
        "p",
        "first pass %",
        "95 % interval",
        "clean WER",
        "perturbed WER",
    )
    tables = []
    for set_name in dict.fromkeys(record.set for record in results.nprr):
        rows = tuple(
            (
                record.lists,
                f"{record.rate:g}",
                record.tag,
                str(len(record.seeds)),
                *change_cells(record.nprr, "clean"),
                *difference_cells(record),
                *change_cells(record.first_pass, "clean"),
                f"{record.nprr.clean_wer:.2f}",
                f"{record.nprr.perturbed_wer:.2f}",
            )
            for record in results.nprr
            if record.set == set_name
        )
        tuned = ", the set on which the weights were tuned" if set_name == results.dev_set else ""
        few = next((if_few(one.utterances) for one in results.scores.get(set_name, {}).values()), "")
        tables.append(Table(f"{set_name}{tuned}{few}", columns, rows))
    return tables


def training_table(models: Iterable[Model]) -> Table:
    """Table 3: what each rescorer is and how its training went."""
    columns = (
        "<model",
        "<PLM",
        "<scorer",
        "<strategy",
        "rank",
        "<objective",
        "seed",
        "trainable",
        "of all %",
        "lists",
        "epochs",
        "steps",
        "best step",
        "dev WER before",
        "trained",
        "kept",
    )
    return Table("", columns, tuple(_training_row(model) for model in models))


def combination_table(models: Iterable[Model]) -> Table:
    """What each combination adds, a row a member."""
    rows = ((model.tag, tag, f"{weight:.4g}") for model in models for tag, weight in model.members.items())
    return Table("Combinations", ("<model", "<adds the scores of", "weight"), tuple(rows))


def gap_recovered(score: SetScore, first_pass: SetScore | None, oracle: SetScore | None) -> float | None:
    """Share in percent of the errors between the first pass and the oracle that rescoring removes.

    Returns:
        None where one of the two was not scored or they have equally many errors.
    """
    if first_pass is None or oracle is None or first_pass.errors == oracle.errors:
        return None
    return 100.0 * (first_pass.errors - score.errors) / (first_pass.errors - oracle.errors)


def relative_change(score: SetScore, first_pass: SetScore | None) -> float | None:
    """Change of the WER in percent of the first pass's; None where that was not scored or is 0."""
    if first_pass is None or not first_pass.errors:
        return None
    return 100.0 * (score.errors - first_pass.errors) / first_pass.errors


def _wer_row(tag: str, by_tag: Mapping[str, SetScore], model: Model | None, with_speakers: bool) -> tuple[str, ...]:
    """A row of table 1. First pass and oracle have no weights, and are compared with nothing."""
    score, first_pass = by_tag[tag], by_tag.get(FIRST_PASS)
    is_rescored = tag not in (FIRST_PASS, ORACLE)
    over = score.over_speakers
    return (
        tag,
        f"{score.wer:.2f}",
        optional_interval(score.interval),
        *([optional_interval(over.interval if over else None)] if with_speakers else []),
        _number(relative_change(score, first_pass), "+.2f") if tag != FIRST_PASS else NONE,
        _number(gap_recovered(score, first_pass, by_tag.get(ORACLE)), ".1f") if is_rescored else NONE,
        p_texts(score.p_first_pass, over.p_value if over else None) if is_rescored else NONE,
        p_texts(score.p_frozen, score.p_frozen_speakers),
        f"{score.lm_weight:.4g}" if is_rescored else NONE,
        f"{score.word_bonus:.4g}" if is_rescored else NONE,
        f"{model.trainable:,}" if model else NONE,
    )


def change_cells(change: Nprr | Estimate, base: str) -> tuple[str, str]:
    """A change in percent of the base's WER, and its interval."""
    if change.value is None:
        return UNDEFINED.format(base), NONE
    return rounded(change.value, "+.2f"), interval_text(change.low, change.high)


def difference_cells(record: NprrRecord | AreaRecord, p_speakers: float | None = None) -> tuple[str, str]:
    """The difference to the reference model in percentage points, and its p-value over utterances, and speakers."""
    if record.reference == record.tag:
        return "reference", NONE
    if record.difference is None or record.difference.value is None:
        return NONE, NONE
    return rounded(record.difference.value, "+.2f"), p_texts(record.difference.p, p_speakers)


def _training_row(model: Model) -> tuple[str, ...]:
    """A row of table 3."""
    training = model.training
    return (
        model.tag,
        model.plm,
        model.scorer,
        model.strategy,
        _number(model.rank, "d"),
        model.objective or NONE,
        _number(model.seed, "d"),
        f"{model.trainable:,}",
        f"{100.0 * model.trainable / max(1, model.total):.2f}",
        _number(training.lists, ","),
        _number(training.epochs, "g"),
        _number(training.steps, ","),
        _number(training.best_step, ","),
        _number(training.dev_wer_start, ".2f"),
        _number(min((one.dev_wer for one in model.history if one.step > 0), default=None), ".2f"),
        _number(training.dev_wer_best, ".2f"),
    )


def interval_text(low: float | None, high: float | None) -> str:
    """An interval of percentages, where there is one."""
    return NONE if low is None or high is None else f"[{rounded(low, '.2f')}, {rounded(high, '.2f')}]"


def optional_interval(interval: Interval | None) -> str:
    """The same of an interval that is one value."""
    return interval_text(interval.low, interval.high) if interval else NONE


def p_texts(over_utterances: float | None, over_speakers: float | None) -> str:
    """A p-value over resamples of the utterances, and behind a stroke that over speakers where there is one."""
    text = p_text(over_utterances)
    return text if over_speakers is None else f"{text} / {p_text(over_speakers)}"


def p_text(p_value: float | None) -> str:
    """A bootstrap p-value: of none of the resamples, no more is known than that it is below one of them."""
    if p_value is None:
        return NONE
    return f"< {1 / REPLICATIONS:.4f}" if p_value < 1 / REPLICATIONS else f"{p_value:.4f}"


def _number(value: float | None, spec: str) -> str:
    return NONE if value is None else rounded(value, spec)


def _escaped(cell: str) -> str:
    """A cell in which nothing is a mark."""
    return MARK.sub(r"\\\g<0>", cell)


def _in_column(cell: str) -> str:
    """A cell in which nothing ends the column."""
    return cell.replace("|", "\\|")
