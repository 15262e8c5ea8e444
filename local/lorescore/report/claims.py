"""The paper's claims on dynamic rank allocation as stated tests with their outcome, whatever it is.

arXiv 2401.10447, of which only the abstract was at hand, says of AdaLoRA that its performance degrades under 1-best
perturbation, and that it degrades less than full fine-tuning and vanilla LoRA under N-best perturbation. How this is
tested is this project's own choice: perturbation by homophones, the area under the NPRR curve as the figure, a level of
5 % for each test, without a correction for their number.

2a   1best: the area of AdaLoRA is above 0: its 95 % interval lies above 0 (refuted: below).
2a'  1best: it degrades more than each of the others: two-sided p of the difference of the areas. This reads the
     abstract's comparison with the others as meant for the 1-best perturbation too.
2b   nbest: it degrades less than each of the others, by the same test.

A rescorer is compared with those of the same PLM and scorer; of several, with the one that differs from it in the least
(`Model.unlikeness`: objective, rank, what else its tag says, seed).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from lorescore.nprr import AreaRecord
from lorescore.nprr.conditions import Condition, areas_compared, mismatch
from lorescore.perturb.settings import HOMOPHONE
from lorescore.report.models import Model
from lorescore.report.tables import NONE, Table, interval_text, p_text
from lorescore.report.word_errors import MeasuredErrors

LEVEL = 0.05
ADALORA, OTHERS = "adalora", ("full", "vanilla")
CONFIRMED, REFUTED, NEITHER = "confirmed", "refuted", "neither confirmed nor refuted"
LEGEND = """\
What the paper's abstract (arXiv 2401.10447) says of dynamic rank allocation, as tests at the level of 5 %; the reading
of the abstract and the tests are this project's own. The figure is the area under the NPRR curve of homophones, in
percent. 2a is confirmed where its 95 % interval lies above 0 and refuted where it lies below. 2a' (the same claim read
as a comparison) and 2b are confirmed or refuted, by the sign of the difference, where its two-sided p (paired bootstrap
over utterances) is below 0.05. Anything else is neither: these data do not decide the claim. Each line is a test of its
own, without a correction for their number. `p over speakers`: two-sided, by exchanging the
two rescorers' errors speaker by speaker, on a set that has enough of them; it decides nothing here.
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


def check_claims(areas: Sequence[AreaRecord], models: Mapping[str, Model], measured: MeasuredErrors) -> list[Claim]:
    """Test the claims on every set on which robustness was measured.

    Args:
        areas: What was measured.
        models: The rescorers by tag.
        measured: The word errors of each utterance.
    """
    by_place = {(one.set, one.kind, one.tag): one for one in areas if one.perturbation == HOMOPHONE}
    claims: list[Claim] = []
    for set_name in dict.fromkeys(one.set for one in areas):
        adaptive = [tag for tag in models if models[tag].strategy == ADALORA and any(one.tag == tag for one in areas)]
        for tag in adaptive or [""]:
            claims.append(_degrades(set_name, tag, by_place.get((set_name, "1best", tag))))
            for number, kind in (("2a'", "1best"), ("2b", "nbest")):
                there = {one for of_set, of_kind, one in by_place if (of_set, of_kind) == (set_name, kind)}
                for strategy in OTHERS:
                    other = _counterpart(models[tag], strategy, models, there) if tag else ""
                    pair = [by_place.get((set_name, kind, one)) for one in (tag, other)]
                    claims.append(_compares(set_name, number, (tag, other or strategy), pair, measured))
    return claims


def claims_table(claims: Sequence[Claim]) -> Table:
    """A row a claim and set."""
    rows = tuple(
        (
            one.set,
            one.number,
            one.text,
            NONE if one.value is None else f"{one.value:+.2f}",
            NONE if one.low is None or one.high is None else interval_text(one.low, one.high),
            p_text(one.p),
            p_text(one.p_speakers),
            one.outcome,
        )
        for one in claims
    )
    columns = ("<set", "<no.", "<claim", "area or difference", "95 % interval", "p", "p over speakers", "<outcome")
    return Table("", columns, rows)


def _degrades(set_name: str, tag: str, record: AreaRecord | None) -> Claim:
    """2a."""
    text = f"{tag or ADALORA} degrades under 1-best perturbation"
    if record is None:
        return _not_tested(set_name, "2a", text, f"no run of {tag or ADALORA} on 1best lists")
    area = record.area
    if area.value is None or area.low is None or area.high is None:
        return _not_tested(set_name, "2a", text, "the WER of its clean lists is 0")
    outcome = CONFIRMED if area.low > 0 else REFUTED if area.high < 0 else NEITHER
    return Claim(set_name, "2a", text, area.value, area.low, area.high, None, outcome)


def _compares(
    set_name: str,
    number: str,
    tags: tuple[str, str],
    pair: Sequence[AreaRecord | None],
    measured: MeasuredErrors,
) -> Claim:
    """2a' or 2b for one other rescorer."""
    more = number == "2a'"
    kind = "1-best" if more else "N-best"
    text = f"{tags[0] or ADALORA} degrades {'more' if more else 'less'} than {tags[1]} under {kind} perturbation"
    first, second = pair
    if first is None or second is None:
        missing = tags[0] or ADALORA if first is None else tags[1]
        return _not_tested(set_name, number, text, f"no run of {missing}")
    if (first.rates, first.seeds) != (second.rates, second.seeds):
        return _not_tested(set_name, number, text, "the two were measured at different rates or seeds")
    without = [tag for tag in tags if tag not in measured.by_tag]
    if without:
        return _not_tested(set_name, number, text, f"no word errors of {without[0]}: run stage 9 again")
    condition = Condition(set_name, first.perturbation, first.kind, first.rates, first.seeds)
    models = [measured.by_tag[tag] for tag in tags]
    if reason := mismatch(condition, tags, models):
        return _not_tested(set_name, number, text, reason)
    difference = areas_compared(condition, tags, models)
    if difference.value is None or difference.p is None:
        return _not_tested(set_name, number, text, "the WER of clean lists is 0")
    outcome = NEITHER
    if difference.p < LEVEL:
        outcome = CONFIRMED if (difference.value > 0) == more else REFUTED
    p_speakers = measured.p_over_speakers(first, tags[1])
    return Claim(
        *(set_name, number, text, difference.value, difference.low, difference.high, difference.p, outcome, p_speakers)
    )


def _counterpart(model: Model, strategy: str, models: Mapping[str, Model], measured: Collection[str]) -> str:
    """The tag of the rescorer of a strategy to compare a model with; empty where none was measured."""
    candidates = (
        other
        for other in models.values()
        if (other.strategy, other.plm, other.scorer) == (strategy, model.plm, model.scorer) and other.tag in measured
    )
    best = min(candidates, key=model.unlikeness, default=None)
    return best.tag if best else ""


def _not_tested(set_name: str, number: str, text: str, why: str) -> Claim:
    return Claim(set_name, number, text, None, None, None, None, f"not tested: {why}")
