"""The paper's claims on dynamic rank allocation as stated tests with their outcome, whatever it is.

arXiv 2401.10447, of which only the abstract was at hand, says of AdaLoRA that its performance degrades under 1-best
perturbation, and that it degrades less than full fine-tuning and vanilla LoRA under N-best perturbation. How this is
tested is this project's own choice: perturbation by homophones, the area under the NPRR curve as the figure, a level of
5 % for each test, without a correction for their number.

2a   1best: the area of AdaLoRA is above 0: its 95 % interval lies above 0 (refuted: below).
2a'  1best: it degrades more than each of the others: two-sided p of the difference of the areas. This reads the
     abstract's comparison with the others as meant for the 1-best perturbation too.
2b   nbest: it degrades less than each of the others, by the same test.

Trainings that differ in the seed alone are one: their errors are summed, so that a line is about a strategy rather than
about the luck of one training. A strategy is compared with those of the same PLM and scorer; of several, with the one
that differs from it in the least (`Model.unlikeness`: objective, rank, what else its tag says).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from lorescore.nprr import AreaRecord, WordErrors
from lorescore.nprr.conditions import Condition, area_in, areas_compared, condition_of, mismatch
from lorescore.perturb.settings import HOMOPHONE, KINDS
from lorescore.report.comparison import group_models
from lorescore.report.models import Model
from lorescore.report.tables import FEW_UTTERANCES, NONE, Table, interval_text, p_text
from lorescore.report.word_errors import MeasuredErrors
from lorescore.rounding import rounded

LEVEL = 0.05
ADALORA, OTHERS = "adalora", ("full", "vanilla")
CONFIRMED, REFUTED, NEITHER = "confirmed", "refuted", "neither confirmed nor refuted"
LEGEND = """\
What the paper's abstract (arXiv 2401.10447) says of dynamic rank allocation, as tests at the level of 5 %; the reading
of the abstract and the tests are this project's own. The figure is the area under the NPRR curve of homophones, in
percent. 2a is confirmed where its 95 % interval lies above 0 and refuted where it lies below. 2a' (the same claim read
as a comparison) and 2b are confirmed or refuted, by the sign of the difference, where its two-sided p (paired bootstrap
over utterances) is below 0.05. Anything else is neither: these data do not decide the claim. Each line is a test of its
own, without a correction for their number. Trainings that differ in the seed alone are taken together, their errors
summed; where a line is of one training, another seed may decide otherwise. `p over speakers`: two-sided, by exchanging
the two rescorers' errors speaker by speaker, on a set that has enough of them; it decides nothing here.
"""


@dataclass(frozen=True)
class Claim:
    """One claim on one set.

    Attributes:
        set: The clean set.
        number: `2a`, `2a'` or `2b`.
        text: What is claimed, with the rescorers' tags.
        value: Area, or difference of areas, in percent; None where it was not tested.
        low: Lower end of its 95 % interval.
        high: Upper end.
        p: Two-sided p of a difference; None for an area.
        outcome: In words; where it was not tested, why.
        p_speakers: The same over speakers; None also where they are too few or unknown.
    """

    set: str
    number: str
    text: str
    value: float | None
    low: float | None
    high: float | None
    p: float | None
    outcome: str
    p_speakers: float | None = None


@dataclass(frozen=True)
class Strategy:
    """Trainings that differ in the seed alone, as measured on a set's lists of one kind.

    Attributes:
        label: The tag; of several what the tags share, and how many they are.
        condition: The lists.
        errors: Word errors, summed over the trainings.
        trainings: How many they are.
        unfit: Why they cannot be tested; empty where they can.
    """

    label: str
    condition: Condition
    errors: WordErrors
    trainings: int
    unfit: str = ""


def check_claims(areas: Sequence[AreaRecord], models: Mapping[str, Model], measured: MeasuredErrors) -> list[Claim]:
    """Test the claims on every set on which robustness was measured.

    Args:
        areas: What was measured.
        models: The rescorers by tag.
        measured: The word errors of each utterance.
    """
    groups = group_models([model for tag, model in models.items() if any(one.tag == tag for one in areas)])
    adaptive = [name for name, of in groups.items() if of[0].strategy == ADALORA]
    claims: list[Claim] = []
    for set_name in dict.fromkeys(one.set for one in areas):
        by_kind = {}
        for kind in KINDS:
            there = [one for one in areas if (one.set, one.kind, one.perturbation) == (set_name, kind, HOMOPHONE)]
            of_groups = {name: [one for one in there if one.tag in {m.tag for m in of}] for name, of in groups.items()}
            by_kind[kind] = {name: _taken_together(name, of, measured) for name, of in of_groups.items() if of}
        for name in adaptive or [""]:
            claims.append(_degrades(set_name, name or ADALORA, by_kind["1best"].get(name)))
            for number, kind in (("2a'", "1best"), ("2b", "nbest")):
                for strategy in OTHERS:
                    other = _counterpart(groups[name][0], strategy, groups, by_kind[kind]) if name else ""
                    pair = [by_kind[kind].get(one) for one in (name, other)]
                    claims.append(_compares(set_name, number, (name or ADALORA, other or strategy), pair, measured))
    return claims


def claims_table(claims: Sequence[Claim]) -> Table:
    """A row a claim and set."""
    rows = tuple(
        (
            one.set,
            one.number,
            one.text,
            NONE if one.value is None else rounded(one.value, "+.2f"),
            interval_text(one.low, one.high),
            p_text(one.p),
            p_text(one.p_speakers),
            one.outcome,
        )
        for one in claims
    )
    columns = ("<set", "<no.", "<claim", "area or difference", "95 % interval", "p", "p over speakers", "<outcome")
    return Table("", columns, rows)


def _taken_together(group: str, areas: Sequence[AreaRecord], measured: MeasuredErrors) -> Strategy:
    """The trainings of a group that were measured."""
    condition = condition_of(areas[0])
    models = [measured.by_tag[one.tag] for one in areas if one.tag in measured.by_tag]
    unfit = _unfit(areas, condition, measured)
    errors = WordErrors({}, {}) if unfit else WordErrors.summed(models)
    label = areas[0].tag if len(areas) == 1 else f"{group} ({len(areas)} seeds)"
    return Strategy(label, condition, errors, len(areas), unfit)


def _unfit(areas: Sequence[AreaRecord], condition: Condition, measured: MeasuredErrors) -> str:
    """Why the trainings of a group cannot be tested; empty where they can."""
    first = areas[0].tag
    for one in areas:
        if one.tag not in measured.by_tag:
            return f"no word errors of {one.tag}: run stage 9 again"
        if condition_of(one) != condition:
            return f"{first} and {one.tag} were measured at different rates or seeds"
        if reason := mismatch(condition, (first, one.tag), [measured.by_tag[tag] for tag in (first, one.tag)]):
            return reason
    few = len(measured.by_tag[first].errors[condition.set]) < FEW_UTTERANCES
    return f"fewer than {FEW_UTTERANCES} utterances" if few else ""


def _degrades(set_name: str, name: str, strategy: Strategy | None) -> Claim:
    """2a."""
    text = f"{strategy.label if strategy else name} degrades under 1-best perturbation"
    if strategy is None or strategy.unfit:
        return _not_tested(set_name, "2a", text, strategy.unfit if strategy else f"no run of {name} on 1best lists")
    area = area_in(strategy.condition, strategy.errors)
    if area.value is None or area.low is None or area.high is None:
        return _not_tested(set_name, "2a", text, "the WER of its clean lists is 0")
    outcome = CONFIRMED if area.low > 0 else REFUTED if area.high < 0 else NEITHER
    return Claim(set_name, "2a", text, area.value, area.low, area.high, None, outcome)


def _compares(
    set_name: str, number: str, names: tuple[str, str], pair: Sequence[Strategy | None], measured: MeasuredErrors
) -> Claim:
    """2a' or 2b for one other strategy."""
    more = number == "2a'"
    kind = "1-best" if more else "N-best"
    labels = [one.label if one else name for name, one in zip(names, pair, strict=True)]
    text = f"{labels[0]} degrades {'more' if more else 'less'} than {labels[1]} under {kind} perturbation"
    first, second = pair
    if first is None or second is None:
        missing = names[0] if first is None else names[1]
        return _not_tested(set_name, number, text, f"no run of {missing} on {'1best' if more else 'nbest'} lists")
    if unfit := first.unfit or second.unfit:
        return _not_tested(set_name, number, text, unfit)
    if first.condition != second.condition:
        return _not_tested(set_name, number, text, "the two were measured at different rates or seeds")
    condition, errors = first.condition, (first.errors, second.errors)
    if reason := mismatch(condition, labels, errors):
        return _not_tested(set_name, number, text, reason)
    difference = areas_compared(condition, labels, errors)
    if difference.value is None or difference.p is None:
        return _not_tested(set_name, number, text, "the WER of clean lists is 0")
    outcome = NEITHER
    if difference.p < LEVEL:
        outcome = CONFIRMED if (difference.value > 0) == more else REFUTED
    # As many trainings of both, as they are exchanged.
    alike = (errors[0].times(second.trainings), errors[1].times(first.trainings))
    p_speakers = measured.p_by_exchanges(condition, labels, alike)
    return Claim(
        *(set_name, number, text, difference.value, difference.low, difference.high, difference.p, outcome, p_speakers)
    )


def _counterpart(model: Model, strategy: str, groups: Mapping[str, Sequence[Model]], measured: Collection[str]) -> str:
    """The group of a strategy to compare a model with; empty where none was measured."""
    candidates = {
        name: of[0]
        for name, of in groups.items()
        if (of[0].strategy, of[0].plm, of[0].scorer) == (strategy, model.plm, model.scorer) and name in measured
    }
    return min(candidates, key=lambda name: model.unlikeness(candidates[name]), default="")


def _not_tested(set_name: str, number: str, text: str, why: str) -> Claim:
    return Claim(set_name, number, text, None, None, None, None, f"not tested: {why}")
