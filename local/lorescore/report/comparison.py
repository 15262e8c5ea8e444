"""Strategies against each other: WER over the seeds of their trainings, and whether the differences are more than luck.

Trainings that differ in nothing but the seed are a group; the groups of one PLM, scorer and objective are compared on
each set. Two tests say how sure a difference from a baseline strategy is:

- The paired bootstrap over utterances, on the errors of each utterance summed over a group's seeds. One draw of the
  utterances serves all systems of a set (`lorescore.wer.resampling`). Where a set has speakers enough, a test
  over speakers besides (`lorescore.wer.speakers`).
- MAPSSWE (`lorescore.wer.sc_stats`), seed by seed: the two trainings that have the same seed. What is frozen has no
  seed, and is tested against each of the baseline's.

The interval of a WER is 1.96 standard deviations of the resampled WER to each side, as in `lorescore.wer.bootstrap`; of
one training it is the one that its scoring has found. It says how much the utterances of the set decide; the range over
the seeds says how much the training's luck does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lorescore.choices import FROZEN, OBJECTIVES
from lorescore.combine import FIRST_PASS, ORACLE
from lorescore.report.collect import Results
from lorescore.report.models import Model
from lorescore.report.systems import Systems, has_sc_stats
from lorescore.wer import Interval
from lorescore.wer.resampling import Estimate
from lorescore.wer.sc_stats import MatchedPairs

BASELINES = ("vanilla", "full")
BUDGET_TOLERANCE = 2.0  # percent by which the parameters of one rank may differ between strategies


@dataclass(frozen=True)
class Against:
    """A group compared with a baseline's.

    Attributes:
        group: The baseline.
        p_bootstrap: One-sided: share of the resamples in which the group is not better.
        mapsswe: By seed; above 0 where the group is better. Empty where sctk is not installed.
        p_speakers: As `p_bootstrap`, by exchanges of the speakers' errors; None where they are too few or unknown.
    """

    group: str
    p_bootstrap: float
    mapsswe: Mapping[int | None, MatchedPairs]
    p_speakers: float | None = None


@dataclass(frozen=True)
class StrategyScore:
    """A group on a set.

    Attributes:
        group: Its name, a tag without the seed.
        models: Its trainings, by seed.
        wers: WER of each in percent.
        interval: 95 % interval of their mean over resampled utterances; None where it is not finite.
        change: Of the mean, from the first pass; None where that was not scored.
        gap: Share in percent of the errors between first pass and oracle that go, by the mean; None where undefined.
        against: By the baseline's strategy; without an entry where there is no such group, or it is this one.
        off_budget: By how much percent the trainable parameters differ from those of `vanilla` of the same rank, where
            that is more than 2; else None.
        speaker_interval: As `interval`, over speakers; None also where they are too few or unknown.
    """

    group: str
    models: tuple[Model, ...]
    wers: tuple[float, ...]
    interval: Interval | None
    change: Estimate | None
    gap: float | None
    against: Mapping[str, Against]
    off_budget: float | None
    speaker_interval: Interval | None = None

    @property
    def strategy(self) -> str:
        """The strategy of its trainings."""
        return self.models[0].strategy

    @property
    def wer(self) -> float:
        """Mean over the seeds, in percent."""
        return sum(self.wers) / len(self.wers)

    @property
    def trainable(self) -> float:
        """Trainable parameters, mean over the seeds."""
        return sum(model.trainable for model in self.models) / len(self.models)


@dataclass(frozen=True)
class Comparison:
    """The groups of one PLM, scorer and objective on a set.

    Attributes:
        set: The set's name.
        plm: Short name of the PLM.
        scorer: Kind of the scorer.
        objective: What was trained for; what is frozen is compared with every objective.
        first_pass: WER in percent; None where it was not scored.
        oracle: The same.
        rows: At least two groups, in the order of the tables.
        utterances: How many the set has.
        speakers: How many were tested over; 0: none.
    """

    set: str
    plm: str
    scorer: str
    objective: str
    first_pass: float | None
    oracle: float | None
    rows: tuple[StrategyScore, ...]
    utterances: int
    speakers: int = 0


def compare_strategies(results: Results, exp_dir: Path) -> tuple[Comparison, ...]:
    """Compare the groups on every set that was scored; sets, PLMs and scorers in the order of the tables.

    Args:
        results: Everything that ran.
        exp_dir: The recipe's `exp`.

    Raises:
        InputError: The hypotheses of a set do not fit its references, or sclite fails.
    """
    families = _families(results.models)
    comparisons, tested = [], has_sc_stats()
    for set_name, by_tag in results.scores.items():
        tags = [tag for tag in by_tag if tag in results.models or tag in (FIRST_PASS, ORACLE)]
        wanted = {tag: [one for one in of if one.tag in by_tag] for tag, of in families.items()}
        wanted = {family: models for family, models in wanted.items() if len({one.group for one in models}) > 1}
        if not wanted:
            continue
        systems = Systems.read(exp_dir, set_name, tags, by_tag[tags[0]].metric)
        if systems is not None:
            intervals = {tag: score.interval for tag, score in by_tag.items()}
            comparisons += [_compared(systems, family, models, intervals, tested) for family, models in wanted.items()]
    return tuple(comparisons)


def group_models(models: Sequence[Model]) -> dict[str, tuple[Model, ...]]:
    """The trainings of each group, by seed, in the order in which the groups come first."""
    groups: dict[str, list[Model]] = {}
    for model in models:
        groups.setdefault(model.group, []).append(model)
    return {name: tuple(sorted(of, key=lambda one: one.seed or 0)) for name, of in groups.items()}


def _families(models: Mapping[str, Model]) -> dict[tuple[str, str, str], list[Model]]:
    """The models by PLM, scorer and objective; what is frozen stands with every objective."""
    families: dict[tuple[str, str, str], list[Model]] = {}
    for model in models.values():
        families.setdefault((model.plm, model.scorer, model.objective), []).append(model)
    kinds = dict.fromkeys((plm, scorer) for plm, scorer, _ in families)
    ordered = {}
    for plm, scorer in kinds:
        for objective in OBJECTIVES:
            if (plm, scorer, objective) in families:
                frozen = [model for model in families.get((plm, scorer, ""), []) if model.strategy == FROZEN]
                ordered[plm, scorer, objective] = frozen + families[plm, scorer, objective]
    return ordered


def _compared(
    systems: Systems,
    family: tuple[str, str, str],
    models: Sequence[Model],
    intervals: Mapping[str, Interval | None],
    tested: bool,
) -> Comparison:
    groups = group_models(models)
    rows = []
    for name, own in groups.items():
        tags = [model.tag for model in own]
        bases = {strategy: _baseline(own[0], strategy, groups) for strategy in BASELINES}
        against = {
            strategy: Against(
                base[0].group,
                systems.p_not_better(tags, [model.tag for model in base]),
                dict(_tests(systems, own, base)) if tested else {},
                systems.p_over_speakers(tags, [model.tag for model in base]),
            )
            for strategy, base in bases.items()
            if base and base[0].group != name
        }
        rows.append(
            StrategyScore(
                name,
                own,
                tuple(map(systems.wer, tags)),
                intervals[tags[0]] if len(tags) == 1 else systems.interval(tags),  # one figure has one interval
                systems.change(tags),
                systems.gap(tags),
                against,
                _off_budget(own, _baseline(own[0], "vanilla", groups)),
                systems.speaker_interval(tags),
            )
        )
    first_pass, oracle = (systems.wer(tag) if tag in systems.columns else None for tag in (FIRST_PASS, ORACLE))
    return Comparison(systems.name, *family, first_pass, oracle, tuple(rows), len(systems.refs), systems.speakers)


def _tests(systems: Systems, own: Sequence[Model], base: Sequence[Model]) -> Iterator[tuple[int | None, MatchedPairs]]:
    """MAPSSWE of every two trainings with the same seed."""
    for model in own:
        for other in base:
            if model.seed is None or model.seed == other.seed:
                yield other.seed, systems.mapsswe(model.tag, other.tag)


def _baseline(model: Model, strategy: str, groups: Mapping[str, tuple[Model, ...]]) -> tuple[Model, ...]:
    """The group of a strategy that differs least: of the model's rank, if there is one, and named alike; or ()."""
    found = [of for of in groups.values() if of[0].strategy == strategy]
    return min(found, key=lambda of: model.unlikeness(of[0]), default=())


def _off_budget(own: Sequence[Model], vanilla: Sequence[Model]) -> float | None:
    """The difference in percent from the trainable parameters of `vanilla` of one rank, where it is too large."""
    if not vanilla or own[0].rank is None or own[0].rank != vanilla[0].rank:
        return None
    mean, expected = (sum(model.trainable for model in of) / len(of) for of in (own, vanilla))
    excess = 100.0 * (mean - expected) / expected if expected else 0.0
    return excess if abs(excess) > BUDGET_TOLERANCE else None
