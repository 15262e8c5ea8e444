"""Everything that ran, read from `exp`. What did not run, or is unfinished, is not there.

exp/rescore/<tag>/<set>/{result.yaml,text}   stages 6 and 7; `first_pass` and `oracle` are tags too
exp/rescore/<tag>/weights.yaml               stage 6; `<tag>_mbr` is the MBR decoding of the rescorer `<tag>`
exp/nbest/<set>/{text,nbest.yaml}            stage 4
exp/plm/<tag>/*.yaml                         stage 5
exp/nprr/<tag>.json                          stage 9
"""

import logging
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lorescore.combine import FIRST_PASS, ORACLE, read_weights
from lorescore.decode import MBR, read_posterior_scale
from lorescore.errors import InputError
from lorescore.files import read_table, read_yaml, table_checksum
from lorescore.nbest.chosen import are_of_other_lists
from lorescore.nbest.directory import CONTEXT, content_checksum
from lorescore.nbest.info import INFO, is_nbest_dir
from lorescore.nprr import AreaRecord, NprrRecord, read_areas, read_records, read_word_errors
from lorescore.nprr.earlier import lists_of
from lorescore.nprr.stored import SUFFIX
from lorescore.perturb.expansion import INFO_KEY as EXPANSION
from lorescore.perturb.sets import INFO_KEY as PERTURBATION
from lorescore.perturb.settings import PERTURBATIONS, WORST
from lorescore.report.fields import Fields
from lorescore.report.mbr import MBR_SUFFIX, MbrComparison, base_tag, compare_mbr
from lorescore.report.models import Model, frozen_counterpart, read_models
from lorescore.scoring.options import DTYPES
from lorescore.scoring.stored import PLM_SCORES, WEIGHTS_FILE, are_for_another, rescorer_of
from lorescore.wer import Interval, p_not_better
from lorescore.wer.kaldi import UTT2SPK
from lorescore.wer.score import HYPS_CHECKSUM, REFS_CHECKSUM, RESULT
from lorescore.wer.speakers import OverSpeakers, resample_speakers
from lorescore.wer.units import CER, WER, require_metric

logger = logging.getLogger(__name__)

EXACT_SCORES = DTYPES["fp32"]  # in `weights.yaml`
MEND = "rescore and score again: ./run.sh --stage 6 --stop_stage 7"
SCORE_AGAIN = "score again: ./run.sh --stage 7 --stop_stage 7"
WHO_WRITES_WHAT = (
    "stage 5 writes exp/plm/<tag>/config.yaml, stages 6 and 7 exp/rescore/<tag>/<set>/result.yaml, stage 9 "
    "exp/nprr/<tag>.json; for example ./run.sh --stage 5 --stop_stage 10"
)


@dataclass(frozen=True)
class SetScore:
    """The word errors of one system on one set.

    Attributes:
        wer: In percent.
        errors: Word errors.
        ref_words: Reference words.
        utterances: Number of utterances.
        interval: 95 % confidence interval of the WER; None where it is not finite.
        lm_weight: Of the PLM score, as tuned on dev.
        word_bonus: Of the number of words, as tuned on dev.
        p_first_pass: One-sided p of being better than the first pass; None where it was not computed.
        p_frozen: The same against the frozen rescorer of the same PLM and scorer.
        metric: What was counted: words (`wer`), or characters (`cer`), and then all of this is of characters.
        over_speakers: Interval and p against the first pass over speakers; None where they are too few, or unknown.
        p_frozen_speakers: The same p against the frozen rescorer.
    """

    wer: float
    errors: int
    ref_words: int
    utterances: int
    interval: Interval | None
    lm_weight: float
    word_bonus: float
    p_first_pass: float | None = None
    p_frozen: float | None = None
    metric: str = WER
    over_speakers: OverSpeakers | None = None
    p_frozen_speakers: float | None = None


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
    models, dev_set = read_models(exp_dir / "plm"), _read_dev_set(exp_dir)
    left_out = _of_other_rescorers(exp_dir)
    scores = _read_scores(exp_dir, left_out)
    nprr_paths = [path for path in sorted(exp_dir.glob("nprr/[!.]*.json")) if path.stem not in left_out]
    changed = _changed_since_measured(nprr_paths, exp_dir)
    records = [one for path in nprr_paths for one in read_records(path) if changed[path].isdisjoint(lists_of(one))]
    areas = [one for path in nprr_paths for one in read_areas(path) if changed[path].isdisjoint(lists_of(one))]
    _require_same_lists(records)
    _warn_of_other_scores(records, scores)
    if not (models or scores or records):
        raise InputError("nothing to report", path=exp_dir, mend=WHO_WRITES_WHAT)
    results = Results(
        dev_set,
        models,
        {
            set_name: {tag: scores[set_name][tag] for tag in _ordered(scores[set_name], models)}
            for set_name in sorted(scores, key=lambda name: (name != dev_set, name))
        },
        (),
    )
    measured = {one.tag for one in records} | {one.tag for one in areas}
    places = {tag: place for place, tag in enumerate(_ordered(measured, models))}
    records.sort(key=lambda one: (one.set != dev_set, one.set, _place(one), one.kind, one.rate, places[one.tag]))
    areas.sort(key=lambda one: (one.set != dev_set, one.set, _place(one), one.kind, one.rates, places[one.tag]))
    mbr = tuple(_compared_with_mbr(results.scores, exp_dir))
    names = dict.fromkeys([*results.scores, *(record.set for record in records)])
    results = replace(
        results,
        nprr=tuple(records),
        areas=tuple(areas),
        mbr=mbr,
        expanded=tuple(name for name in names if EXPANSION in _info(exp_dir, name)),
        in_context=tuple(name for name in names if (exp_dir / "nbest" / name / CONTEXT).is_file()),
        approximate=_approximate(exp_dir, [tag for tag in results.tags if tag not in left_out]),
    )
    return _with_p_frozen(results, exp_dir)


def _ordered(tags: Collection[str], models: Mapping[str, Model]) -> list[str]:
    """First pass, rescorers in the order of `models`, those without a configuration, oracle; MBR right after MAP."""
    places = {FIRST_PASS: -1, **{tag: place for place, tag in enumerate(models)}, ORACLE: len(models) + 1}
    bases = {tag: base_tag(tag, {*models, *tags}) for tag in tags}
    return sorted(bases, key=lambda tag: (places.get(bases[tag], len(models)), bases[tag], tag))


def _again(system_dir: Path, mend: str) -> str:
    """What mends the files of a system; those of an MBR decoding are written where it is asked for, and stay else."""
    tags = [path.name for path in system_dir.parent.iterdir()]
    if base_tag(system_dir.name, tags) == system_dir.name:
        return mend
    return f"{mend} --decode {MBR}; or delete {system_dir}"


def _read_dev_set(exp_dir: Path) -> str | None:
    """The set on which every rescorer's weights were tuned."""
    dev_set, seen = None, None
    for path in sorted(exp_dir.glob(f"rescore/[!.]*/{WEIGHTS_FILE}")):
        fields = Fields.read(path, MEND)
        tuned_on = fields.text("tuned_on")
        if dev_set not in (None, tuned_on):
            message = f"tuned on {tuned_on}, the weights of {seen} on {dev_set}"
            raise InputError(message, path=path, mend=_again(path.parent, MEND))
        dev_set, seen = tuned_on, path.parent.name
    return dev_set


def _approximate(exp_dir: Path, tags: Iterable[str]) -> dict[str, str]:
    """How stage 6 computed the PLM scores, of the tags where not exactly and in float32."""
    paths = {tag: exp_dir / "rescore" / tag / WEIGHTS_FILE for tag in tags}
    said = {tag: read_yaml(path).get(PLM_SCORES, EXACT_SCORES) for tag, path in paths.items() if path.is_file()}
    return {tag: str(how) for tag, how in said.items() if how != EXACT_SCORES}


def _of_other_rescorers(exp_dir: Path) -> set[str]:
    """The systems whose weights were tuned for another rescorer than is there now, and whose results are of that one.

    Its NPRR is too, as stage 9 refuses such weights.
    """
    found = set()
    for path in sorted(exp_dir.glob(f"rescore/[!.]*/{WEIGHTS_FILE}")):
        rescorer_dir = rescorer_of(path.parent)
        if are_for_another(path, rescorer_dir):
            logger.warning(
                "%s: left out, as tuned for another rescorer than %s holds now (%s)",
                path.parent,
                rescorer_dir,
                _again(path.parent, f"{MEND}; NPRR: --stage 9"),
            )
            found.add(path.parent.name)
    return found


def _read_scores(exp_dir: Path, left_out: Collection[str]) -> dict[str, dict[str, SetScore]]:
    """The finished scorings of clean sets, by set and tag; without those of some systems."""
    scores: dict[str, dict[str, SetScore]] = {}
    for path in sorted(exp_dir.glob(f"rescore/[!.]*/*/{RESULT}")):
        tag, set_name = path.parent.parent.name, path.parent.name
        if tag in left_out:
            continue
        if PERTURBATION in _info(exp_dir, set_name):
            continue  # its place is the NPRR table
        if are_of_other_lists(path.parent, exp_dir / "nbest" / set_name):
            logger.warning(
                "%s: left out, as chosen from other lists than nbest/%s has now (%s)",
                path.parent,
                set_name,
                _again(path.parent.parent, MEND),
            )
            continue
        score = _read_score(path, exp_dir / "nbest" / set_name / "text")
        by_tag = scores.setdefault(set_name, {})
        for other_tag, other in by_tag.items():
            if other.metric != score.metric:
                message = f"metric {score.metric}, that of {other_tag} is {other.metric}"
                raise InputError(message, path=path, mend=_again(path.parent.parent, MEND))
            if (other.utterances, other.ref_words) != (score.utterances, score.ref_words):
                raise InputError(
                    f"scored on {score.utterances} utterances with {score.ref_words} reference words, {other_tag} on "
                    f"{other.utterances} with {other.ref_words}",
                    path=path,
                    mend=_again(path.parent.parent, MEND),
                )
        by_tag[tag] = score
    return scores


def _changed_since_measured(nprr_paths: Iterable[Path], exp_dir: Path) -> dict[Path, set[str]]:
    """By file of stage 9, the lists that are others now than those that it measured; deleted ones are none."""
    changed: dict[Path, set[str]] = {}
    checksums: dict[str, str] = {}
    for path in nprr_paths:
        errors_path = path.parent / f"{path.stem}{SUFFIX}"
        measured = read_word_errors(errors_path).checksums if errors_path.is_file() else {}
        for name in measured:
            if name not in checksums and is_nbest_dir(exp_dir / "nbest" / name):
                checksums[name] = content_checksum(exp_dir / "nbest" / name)
        changed[path] = {name for name, known in measured.items() if checksums.get(name, known) != known}
        if changed[path]:
            logger.warning(
                "%s: left out what was measured on other lists than nbest/%s has now (%s)",
                path,
                min(changed[path]),
                "measure it again: ./run.sh --stage 8 --stop_stage 9",
            )
    return changed


def _require_same_lists(records: Iterable[NprrRecord]) -> None:
    """Check that every rescorer had the same lists, but for `worst`, of which each has its own.

    The first pass's WER tells.
    """
    seen: dict[tuple[object, ...], NprrRecord] = {}
    for record in (record for record in records if record.perturbation != WORST):
        other = seen.setdefault((record.set, record.lists, record.rate, record.seeds), record)
        for wer, other_wer in (
            (record.first_pass.clean_wer, other.first_pass.clean_wer),
            (record.first_pass.perturbed_wer, other.first_pass.perturbed_wer),
        ):
            if not math.isclose(wer, other_wer, abs_tol=1e-6):
                raise InputError(
                    f"NPRR of {record.tag} and {other.tag} ({record.set}, {record.lists}, rate {record.rate:g}) is of "
                    f"different lists: the first pass has the error rates {wer:.4f} and {other_wer:.4f}",
                    mend="measure both again: ./run.sh --stage 8 --stop_stage 9",
                )


def _warn_of_other_scores(records: Iterable[NprrRecord], scores: Mapping[str, Mapping[str, SetScore]]) -> None:
    """Say where NPRR was measured with other scores or weights than the WER of the same table of results."""
    for (set_name, tag), nprr in {(one.set, one.tag): one.nprr for one in records}.items():
        score = scores.get(set_name, {}).get(tag)
        if score and not math.isclose(score.wer, nprr.clean_wer, abs_tol=1e-3):
            logger.warning(
                "%s on %s has %s %.2f now, and had %.2f when NPRR was measured: "
                "stage 9 measures it again, with the options of stage 6",
                tag,
                set_name,
                score.metric.upper(),
                score.wer,
                nprr.clean_wer,
            )


def _place(record: NprrRecord | AreaRecord) -> int:
    """Where a perturbation stands in the tables."""
    known = list(PERTURBATIONS)
    return known.index(record.perturbation) if record.perturbation in known else len(known)


def _info(exp_dir: Path, set_name: str) -> Mapping[str, Any]:
    """What `nbest.yaml` says of a set's lists; nothing where it is not there."""
    path = exp_dir / "nbest" / set_name / INFO
    return read_yaml(path) if path.is_file() else {}


def _read_score(path: Path, ref_path: Path) -> SetScore:
    """One `result.yaml`, checked against the weights that stage 6 tuned, and the references and hypotheses now."""
    fields = Fields.read(path, MEND)
    low, high, p_value = (fields.optional_number(key) for key in ("ci_low", "ci_high", "p_value"))
    score = SetScore(
        wer=fields.number("wer"),
        errors=fields.integer("errors"),
        ref_words=fields.integer("ref_words"),
        utterances=fields.integer("utterances"),
        interval=None if low is None or high is None else Interval(low, high),
        lm_weight=fields.number("lm_weight"),
        word_bonus=fields.number("word_bonus"),
        p_first_pass=p_value,
        metric=require_metric(fields.content, path),
        over_speakers=_over_speakers(fields),
    )
    weights_path = path.parent.parent / WEIGHTS_FILE
    if weights_path.is_file():
        tuned = read_weights(weights_path)
        for name, used, best in (
            ("lm_weight", score.lm_weight, tuned.lm_weight),
            ("word_bonus", score.word_bonus, tuned.word_bonus),
        ):
            if not math.isclose(used, best, abs_tol=1e-9):
                message = f"scored with {name} {used}, {weights_path} has {best}"
                mend = f"{MEND}, of the set {path.parent.name} too"
                raise InputError(message, path=path, mend=_again(weights_path.parent, mend))
    for what, key, text, mend in (
        ("references", REFS_CHECKSUM, ref_path, MEND),
        ("hypotheses", HYPS_CHECKSUM, path.parent / "text", SCORE_AGAIN),
    ):
        if text.is_file() and fields.text(key) != table_checksum(read_table(text)):
            message = f"of other {what} than {text} has now"
            raise InputError(message, path=path, mend=_again(weights_path.parent, mend))
    return score


def _over_speakers(fields: Fields) -> OverSpeakers | None:
    """What was resampled over speakers, where it was."""
    speakers = fields.optional_integer("speakers")
    if speakers is None:
        return None
    low, high, p_value = (fields.optional_number(key) for key in ("spk_ci_low", "spk_ci_high", "spk_p_value"))
    return OverSpeakers(speakers, None if low is None or high is None else Interval(low, high), p_value)


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


def _with_p_frozen(results: Results, exp_dir: Path) -> Results:
    """Compare each adapted rescorer with the frozen one on every set on which both have their hypotheses."""
    scores = {set_name: dict(by_tag) for set_name, by_tag in results.scores.items()}
    for set_name, by_tag in scores.items():
        for model in results.models.values():
            frozen = frozen_counterpart(model, results.models)
            if frozen is None or not {model.tag, frozen.tag} <= by_tag.keys():
                continue
            refs, frozen_hyps, hyps = read_texts(exp_dir, set_name, frozen.tag, model.tag)
            if refs:
                score = by_tag[model.tag]
                over = resample_speakers(
                    refs, hyps, read_utt2spk(exp_dir, set_name, model.tag), frozen_hyps, score.metric
                )
                by_tag[model.tag] = replace(
                    score,
                    p_frozen=p_not_better(refs, frozen_hyps, hyps, metric=score.metric),
                    p_frozen_speakers=over.p_value if over else None,
                )
    return replace(results, scores=scores)


def read_texts(exp_dir: Path, set_name: str, *tags: str) -> list[dict[str, str]]:
    """The references of a set and the hypotheses of some systems; empty ones where a file is not there."""
    paths = [exp_dir / "nbest" / set_name / "text", *(exp_dir / "rescore" / tag / set_name / "text" for tag in tags)]
    if not all(path.is_file() for path in paths):
        return [{} for _ in paths]
    return [read_table(path) for path in paths]


def read_utt2spk(exp_dir: Path, set_name: str, *tags: str) -> dict[str, str]:
    """The speakers with which a set was scored, for the first system that has them; empty where none has."""
    paths = (exp_dir / "rescore" / tag / set_name / "scoring_kaldi" / UTT2SPK for tag in tags)
    return next((read_table(path) for path in paths if path.is_file()), {})
