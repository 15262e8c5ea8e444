"""Everything that ran, read from `exp`. What did not run, or is unfinished, is not there.

exp/rescore, exp/nbest   stages 4, 6 and 7: `lorescore.report.scores`
exp/plm/<tag>/*.yaml     stage 5: `lorescore.report.models`
exp/nprr/<tag>.json      stage 9: `lorescore.report.measured`
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lorescore.combine import FIRST_PASS, ORACLE
from lorescore.decode import read_posterior_scale
from lorescore.errors import InputError
from lorescore.nbest.directory import CONTEXT
from lorescore.nprr import AreaRecord, NprrRecord
from lorescore.perturb.expansion import INFO_KEY as EXPANSION
from lorescore.perturb.settings import PERTURBATIONS
from lorescore.report.mbr import MBR_SUFFIX, MbrComparison, base_tag, compare_mbr
from lorescore.report.measured import read_measured, warn_of_other_scores
from lorescore.report.models import Model, frozen_counterpart, read_models
from lorescore.report.scores import (
    SetScore,
    approximate_scores,
    of_other_rescorers,
    read_dev_set,
    read_scores,
    read_set_info,
    read_texts,
    read_utt2spk,
)
from lorescore.scoring.stored import WEIGHTS_FILE
from lorescore.wer import p_not_better
from lorescore.wer.speakers import resample_speakers
from lorescore.wer.units import CER, WER

WHO_WRITES_WHAT = (
    "stage 5 writes exp/plm/<tag>/config.yaml, stages 6 and 7 exp/rescore/<tag>/<set>/result.yaml, stage 9 "
    "exp/nprr/<tag>.json; for example ./run.sh --stage 5 --stop_stage 10"
)


@dataclass(frozen=True)
class Results:
    """Everything that ran.

    Attributes:
        dev_set: The set on which the weights were tuned; None where none were.
        models: The trained rescorers by tag, in the order of the tables.
        scores: By set (dev first), then by tag in the order of the tables.
        nprr: The robustness records; sets, kinds, rates and tags in the order of the tables.
        mbr: MBR against MAP, sets and tags in the order of the tables.
        areas: Under the NPRR curves; in the order of `nprr`.
        expanded: The sets whose lists hold versions of the first pass's hypotheses (`lorescore.perturb.expansion`).
        recombined: Those whose lists hold combinations of them (`lorescore.nbest.recombine`).
        in_context: The sets whose utterances have a context (`lorescore.nbest.context`).
        approximate: How PLM scores were computed, of the tags where not exactly and in float32.
    """

    dev_set: str | None
    models: Mapping[str, Model]
    scores: Mapping[str, Mapping[str, SetScore]]
    nprr: tuple[NprrRecord, ...]
    mbr: tuple[MbrComparison, ...] = ()
    areas: tuple[AreaRecord, ...] = ()
    expanded: tuple[str, ...] = ()
    recombined: tuple[str, ...] = ()
    in_context: tuple[str, ...] = ()
    approximate: Mapping[str, str] = field(default_factory=dict)

    @property
    def tags(self) -> list[str]:
        """Every tag that appears, in the order of the tables."""
        scored = {tag for by_tag in self.scores.values() for tag in by_tag}
        return _ordered({*self.models, *scored, *(record.tag for record in self.nprr)}, self.models)

    @property
    def metric(self) -> str:
        """What errors were counted in: `wer` or `cer`, on all sets alike (stage 6 refuses others)."""
        return CER if self.in_characters else WER

    @property
    def in_characters(self) -> list[str]:
        """The sets whose errors are those of characters; NPRR was measured on some that were not scored."""
        scored = [name for name, by_tag in self.scores.items() if any(one.metric == CER for one in by_tag.values())]
        return list(dict.fromkeys([*scored, *(record.set for record in self.nprr if record.metric == CER)]))


def collect(exp_dir: Path) -> Results:
    """Read everything that ran.

    Args:
        exp_dir: The recipe's `exp`.

    Raises:
        InputError: There is nothing at all, a file is not what its stage writes, or two systems were tuned on different
            sets, were scored on different references or with other weights than stage 6 tuned, or were measured on
            different perturbed lists; or references or hypotheses are not those that were scored.
    """
    models, dev_set = read_models(exp_dir / "plm"), read_dev_set(exp_dir)
    left_out = of_other_rescorers(exp_dir)
    scores = read_scores(exp_dir, left_out)
    records, areas = read_measured(exp_dir, left_out)
    warn_of_other_scores(records, scores)
    if not (models or scores or records):
        raise InputError("nothing to report", path=exp_dir, mend=WHO_WRITES_WHAT)
    by_set = sorted(scores, key=lambda name: (name != dev_set, name))
    ordered = {name: {tag: scores[name][tag] for tag in _ordered(scores[name], models)} for name in by_set}
    measured = {one.tag for one in records} | {one.tag for one in areas}
    places = {tag: place for place, tag in enumerate(_ordered(measured, models))}
    records.sort(key=lambda one: (one.set != dev_set, one.set, _place(one), one.kind, one.rate, places[one.tag]))
    areas.sort(key=lambda one: (one.set != dev_set, one.set, _place(one), one.kind, one.rates, places[one.tag]))
    names = dict.fromkeys([*ordered, *(record.set for record in records)])
    expansions = {name: read_set_info(exp_dir, name).get(EXPANSION, {}) for name in names}
    results = Results(
        dev_set,
        models,
        _with_p_frozen(ordered, models, exp_dir),
        tuple(records),
        mbr=tuple(_compared_with_mbr(ordered, exp_dir)),
        areas=tuple(areas),
        expanded=tuple(name for name, how in expansions.items() if "versions" in how),
        recombined=tuple(name for name, how in expansions.items() if "recombine" in how),
        in_context=tuple(name for name in names if (exp_dir / "nbest" / name / CONTEXT).is_file()),
    )
    scored_now = [tag for tag in results.tags if tag not in left_out]
    return replace(results, approximate=approximate_scores(exp_dir, scored_now))


def _ordered(tags: Collection[str], models: Mapping[str, Model]) -> list[str]:
    """First pass, rescorers in the order of `models`, those without a configuration, oracle; MBR right after MAP."""
    places = {FIRST_PASS: -1, **{tag: place for place, tag in enumerate(models)}, ORACLE: len(models) + 1}
    bases = {tag: base_tag(tag, {*models, *tags}) for tag in tags}
    return sorted(bases, key=lambda tag: (places.get(bases[tag], len(models)), bases[tag], tag))


def _place(record: NprrRecord | AreaRecord) -> int:
    """Where a perturbation stands in the tables."""
    known = list(PERTURBATIONS)
    return known.index(record.perturbation) if record.perturbation in known else len(known)


def _compared_with_mbr(scores: Mapping[str, Mapping[str, SetScore]], exp_dir: Path) -> Iterator[MbrComparison]:
    """Compare each `<tag>_mbr` with `<tag>` where both have the same weights: no leftovers of other training."""
    for set_name, by_tag in scores.items():
        for tag, score in by_tag.items():
            mbr_tag = tag + MBR_SUFFIX
            other = by_tag.get(mbr_tag)
            if other is None or (other.lm_weight, other.word_bonus) != (score.lm_weight, score.word_bonus):
                continue
            refs, map_hyps, mbr_hyps = read_texts(exp_dir, set_name, tag, mbr_tag)
            weights_path = exp_dir / "rescore" / mbr_tag / WEIGHTS_FILE
            if refs and weights_path.is_file():
                scale = read_posterior_scale(weights_path)
                yield compare_mbr(set_name, tag, refs, map_hyps, mbr_hyps, scale, score.metric)


def _with_p_frozen(
    scores: Mapping[str, Mapping[str, SetScore]], models: Mapping[str, Model], exp_dir: Path
) -> dict[str, dict[str, SetScore]]:
    """Compare each adapted rescorer with the frozen one on every set on which both have their hypotheses."""
    compared = {set_name: dict(by_tag) for set_name, by_tag in scores.items()}
    for set_name, by_tag in compared.items():
        for model in models.values():
            frozen = frozen_counterpart(model, models)
            if frozen is None or not {model.tag, frozen.tag} <= by_tag.keys():
                continue
            refs, frozen_hyps, hyps = read_texts(exp_dir, set_name, frozen.tag, model.tag)
            if refs:
                score = by_tag[model.tag]
                utt2spk = read_utt2spk(exp_dir, set_name, model.tag)
                over = resample_speakers(refs, hyps, utt2spk, frozen_hyps, score.metric)
                by_tag[model.tag] = replace(
                    score,
                    p_frozen=p_not_better(refs, frozen_hyps, hyps, metric=score.metric),
                    p_frozen_speakers=over.p_value if over else None,
                )
    return compared
