"""The systems that were rescored and scored, on clean sets, as stages 6 and 7 leave them in `exp`.

exp/rescore/<tag>/<set>/{result.yaml,text}   stages 6 and 7; `first_pass` and `oracle` are tags too
exp/rescore/<tag>/weights.yaml               stage 6; `<tag>_mbr` is the MBR decoding of the rescorer `<tag>`
exp/nbest/<set>/{text,nbest.yaml}            stage 4
"""

import logging
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorescore.combine import read_weights
from lorescore.decode import MBR
from lorescore.errors import InputError
from lorescore.files import read_table, read_yaml, table_checksum
from lorescore.nbest.chosen import are_of_other_lists
from lorescore.nbest.info import INFO
from lorescore.perturb.sets import INFO_KEY as PERTURBATION
from lorescore.report.fields import Fields
from lorescore.report.mbr import base_tag
from lorescore.scoring.options import DTYPES
from lorescore.scoring.stored import PLM_SCORES, WEIGHTS_FILE, are_for_another, rescorer_of
from lorescore.wer import Interval
from lorescore.wer.cleaning import INFO_KEY as CLEANER
from lorescore.wer.cleaning import clean_table, read_cleaner
from lorescore.wer.kaldi import UTT2SPK
from lorescore.wer.score import HYPS_CHECKSUM, REFS_CHECKSUM, RESULT
from lorescore.wer.speakers import OverSpeakers
from lorescore.wer.units import WER, require_metric

logger = logging.getLogger(__name__)

EXACT_SCORES = DTYPES["fp32"]  # in `weights.yaml`
MEND = "rescore and score again: ./run.sh --stage 6 --stop_stage 7"
SCORE_AGAIN = "score again: ./run.sh --stage 7 --stop_stage 7"


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
        cleaner: What was done to the texts before (`lorescore.wer.cleaning`).
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
    cleaner: str | None = None
    over_speakers: OverSpeakers | None = None
    p_frozen_speakers: float | None = None


def read_scores(exp_dir: Path, left_out: Collection[str]) -> dict[str, dict[str, SetScore]]:
    """The finished scorings of clean sets, by set and tag; without those of some systems."""
    scores: dict[str, dict[str, SetScore]] = {}
    for path in sorted(exp_dir.glob(f"rescore/[!.]*/*/{RESULT}")):
        tag, set_name = path.parent.parent.name, path.parent.name
        if tag in left_out:
            continue
        if PERTURBATION in read_set_info(exp_dir, set_name):
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
        cleaner = read_cleaner(exp_dir / "nbest" / set_name)
        if score.cleaner != cleaner:
            message = f"scored after the cleaner {score.cleaner or 'none'}, nbest/{set_name} has {cleaner or 'none'}"
            raise InputError(message, path=path, mend=_again(path.parent.parent, MEND))
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
        cleaner=fields.content.get(CLEANER),
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


def read_dev_set(exp_dir: Path) -> str | None:
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


def of_other_rescorers(exp_dir: Path) -> set[str]:
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


def approximate_scores(exp_dir: Path, tags: Iterable[str]) -> dict[str, str]:
    """How stage 6 computed the PLM scores, of the tags where not exactly and in float32."""
    paths = {tag: exp_dir / "rescore" / tag / WEIGHTS_FILE for tag in tags}
    said = {tag: read_yaml(path).get(PLM_SCORES, EXACT_SCORES) for tag, path in paths.items() if path.is_file()}
    return {tag: str(how) for tag, how in said.items() if how != EXACT_SCORES}


def _again(system_dir: Path, mend: str) -> str:
    """What mends the files of a system; those of an MBR decoding are written where it is asked for, and stay else."""
    tags = [path.name for path in system_dir.parent.iterdir()]
    if base_tag(system_dir.name, tags) == system_dir.name:
        return mend
    return f"{mend} --decode {MBR}; or delete {system_dir}"


def read_set_info(exp_dir: Path, set_name: str) -> Mapping[str, Any]:
    """What `nbest.yaml` says of a set's lists; nothing where it is not there."""
    path = exp_dir / "nbest" / set_name / INFO
    return read_yaml(path) if path.is_file() else {}


def read_texts(exp_dir: Path, set_name: str, *tags: str) -> list[dict[str, str]]:
    """The references of a set and the hypotheses of some systems, as scored; empty ones where a file is not there."""
    paths = [exp_dir / "nbest" / set_name / "text", *(exp_dir / "rescore" / tag / set_name / "text" for tag in tags)]
    if not all(path.is_file() for path in paths):
        return [{} for _ in paths]
    cleaner = read_cleaner(exp_dir / "nbest" / set_name)
    return [clean_table(read_table(path), cleaner) for path in paths]


def read_utt2spk(exp_dir: Path, set_name: str, *tags: str) -> dict[str, str]:
    """The speakers with which a set was scored, for the first system that has them; empty where none has."""
    paths = (exp_dir / "rescore" / tag / set_name / "scoring_kaldi" / UTT2SPK for tag in tags)
    return next((read_table(path) for path in paths if path.is_file()), {})
