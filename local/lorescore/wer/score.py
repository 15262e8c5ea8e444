"""Score one hypothesis an utterance against the references: every score file of a set, and `result.yaml`.

    score_wer/{ref.trn,hyp.trn,result.txt}          sclite, as ESPnet keeps it
    scoring_kaldi/{wer_*,best_wer,wer_details/}     Kaldi's
    score_ctm/{ref.stm,hyp.ctm,result.txt}          sclite with the words' confidences, where there is a ctm
    result.yaml                                     the numbers, and the checksums of the references and hypotheses that
                                                    they are of; written last: without it the scoring is unfinished

Where the metric is `cer`, they are numbers of characters (`lorescore.wer.units`): score_cer, scoring_kaldi/cer_*,
best_cer and cer_details stand instead, and `result.yaml` has the CER as `wer`, with `metric: cer`. What a scoring by
the other metric, or of a ctm where there is none now, left in the directory is removed.

Where sclite is not found, a warning says so, and there are neither its directories, be they an earlier scoring's, nor
its rate in `result.yaml`. A later scoring, where it is found, writes all.

The WER of this project is Kaldi's (unit-cost Levenshtein). sclite's is kept beside it; where its errors are more (see
`lorescore.wer.sclite`), a warning names both, and `result.yaml` has both. The CER is Kaldi's too, without spaces;
sclite's is ESPnet's, which counts them.
"""

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lorescore.choices import require_choice
from lorescore.errors import InputError
from lorescore.files import read_yaml, split_words, table_checksum, write_yaml
from lorescore.wer.alignment import EditCounts, word_error_rate
from lorescore.wer.bootstrap import Interval, p_not_better, wer_interval
from lorescore.wer.cleaning import INFO_KEY as CLEANER
from lorescore.wer.cleaning import clean, clean_table, require_cleaner
from lorescore.wer.ctm import CtmWord, ctm_texts, split_ctm, write_score_ctm
from lorescore.wer.kaldi import UTT2SPK, write_scoring_kaldi
from lorescore.wer.sclite import sctk_command, write_score_wer
from lorescore.wer.sclite_characters import character_ctm, character_texts, write_score_cer
from lorescore.wer.speakers import OverSpeakers, default_speaker, resample_speakers
from lorescore.wer.units import CER, METRICS, WER, split_units

logger = logging.getLogger(__name__)

RESULT = "result.yaml"
DIRECTORIES = ("scoring_kaldi", *(f"score_{metric}" for metric in METRICS), "score_ctm")
REFS_CHECKSUM, HYPS_CHECKSUM = "refs_checksum", "hyps_checksum"  # in result.yaml
WHY_SCLITE_DIFFERS = {
    WER: "they weigh substitutions differently",
    CER: "they weigh substitutions differently, and sclite counts spaces and each character of <unk>, as in ESPnet",
}


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """What a scoring found.

    Attributes:
        counts: Errors by Levenshtein, summed over the utterances.
        utterances: Number of utterances.
        interval: 95 % confidence interval of the rate.
        sclite_counts: The same by sclite; None where it is not found.
        p_value: One-sided, of being better than the baseline (see `p_not_better`); None without a baseline.
        over_speakers: Interval and p over speakers; None where they are too few, or unknown.
        lm_weight: The PLM's weight that chose the hypotheses.
        word_bonus: The bonus a word, or a character, that chose the hypotheses.
        wer_path: Kaldi's `wer_*` or `cer_*` file.
        metric: What was counted: `wer` or `cer`.
    """

    counts: EditCounts
    utterances: int
    interval: Interval
    sclite_counts: EditCounts | None
    p_value: float | None
    lm_weight: float
    word_bonus: float
    wer_path: Path
    metric: str = WER
    over_speakers: OverSpeakers | None = None

    @property
    def wer(self) -> float:
        """Word error rate, or character error rate, in percent."""
        return self.counts.wer


def score_hypotheses(
    refs: Mapping[str, str],
    hyps: Mapping[str, str],
    utt2spk: Mapping[str, str] | None,
    out_dir: Path,
    lm_weight: float,
    word_bonus: float,
    baseline_hyps: Mapping[str, str] | None = None,
    ctm: Sequence[CtmWord] | None = None,
    metric: str = WER,
    cleaner: str | None = None,
) -> ScoreResult:
    """Score hypotheses and write all score files.

    Args:
        refs: Reference text by utterance.
        hyps: Hypothesis text of each of these utterances.
        utt2spk: Speaker of each of these utterances; None: see `default_speaker`.
        out_dir: Where the files go; it is made.
        lm_weight: The PLM's weight that chose the hypotheses.
        word_bonus: The bonus a word, or a character, that chose the hypotheses.
        baseline_hyps: The baseline's hypothesis text of each of these utterances, to compare with.
        ctm: The words of the hypotheses with their times, and confidences.
        metric: What is counted: `wer` or `cer`.
        cleaner: What is done to all texts before (`lorescore.wer.cleaning`): the score files have the texts after it.

    Returns:
        The numbers that `result.yaml` has.

    Raises:
        InputError: An utterance is missing on one side, the ctm has other words than the hypotheses, there are no
            reference words, `out_dir` has scores from elsewhere, sclite fails, or a file cannot be written.
    """
    require_choice("metric", metric, METRICS)
    require_cleaner(cleaner)
    require_same_utterances(refs, hyps, "hypothesis")
    scored = {REFS_CHECKSUM: table_checksum(refs), HYPS_CHECKSUM: table_checksum(hyps)}
    scored |= {CLEANER: cleaner} if cleaner else {}
    if ctm is not None:
        _require_same_words(hyps, ctm)
        # Word by word, which is not quite the text cleaned as a whole: "twenty" and "five" stay two numbers.
        ctm = list(split_ctm(ctm, lambda word: split_words(clean(word, cleaner)))) if cleaner else ctm
    refs, hyps = clean_table(refs, cleaner), clean_table(hyps, cleaner)
    if baseline_hyps is not None:
        require_same_utterances(refs, baseline_hyps, "baseline hypothesis")
        baseline_hyps = clean_table(baseline_hyps, cleaner)
    if utt2spk is None:
        utt2spk = {utt: default_speaker(utt) for utt in refs}
    for utt in sorted(refs):
        if utt not in utt2spk:
            raise InputError(f"utterance {utt} has no speaker in utt2spk", mend="add it to utt2spk")
    num_units = sum(len(split_units(text, metric)) for text in refs.values())
    word_error_rate(0, num_units)  # fails before anything is written

    _require_own(out_dir)
    result_path = out_dir / RESULT
    result_path.unlink(missing_ok=True)
    _remove_scores(out_dir, CER if metric == WER else WER)
    shutil.rmtree(out_dir / "score_ctm", ignore_errors=True)  # an earlier scoring's need not be of these hypotheses
    has_sclite = _has_sclite(out_dir, [f"score_{metric}", *(["score_ctm"] if ctm is not None else [])])
    interval = wer_interval(refs, hyps, metric=metric)
    wer_path, counts = write_scoring_kaldi(
        out_dir / "scoring_kaldi",
        refs,
        hyps,
        utt2spk,
        interval,
        lm_weight=lm_weight,
        word_bonus=word_bonus,
        metric=metric,
    )
    sclite_counts = _score_by_sclite(out_dir, refs, hyps, utt2spk, ctm, metric) if has_sclite else None
    if sclite_counts is not None and sclite_counts.errors != counts.errors:
        logger.warning(
            "%s: sclite counts %d errors (%s %.2f), Levenshtein %d (%s %.2f): %s",
            out_dir,
            sclite_counts.errors,
            metric.upper(),
            sclite_counts.wer,
            counts.errors,
            metric.upper(),
            counts.wer,
            WHY_SCLITE_DIFFERS[metric],
        )
    p_value = None if baseline_hyps is None else p_not_better(refs, baseline_hyps, hyps, metric=metric)
    over_speakers = resample_speakers(refs, hyps, utt2spk, baseline_hyps, metric)
    result = ScoreResult(
        *(counts, len(refs), interval, sclite_counts, p_value, lm_weight, word_bonus, wer_path, metric, over_speakers)
    )
    write_yaml(result_path, _summary(result) | scored)
    return result


def remove_other_scores(out_dir: Path, hyps: Mapping[str, str]) -> None:
    """Remove the score files of a scoring of other hypotheses than those that are to be written there now.

    Scores without a `result.yaml` are somebody else's, and stay.
    """
    result_path = out_dir / RESULT
    if not result_path.is_file() or read_yaml(result_path).get(HYPS_CHECKSUM) == table_checksum(hyps):
        return
    for metric in METRICS:
        _remove_scores(out_dir, metric)
    shutil.rmtree(out_dir / "score_ctm", ignore_errors=True)
    result_path.unlink()  # last: where this is cut off, it is done the next time


def require_same_utterances(refs: Mapping[str, str], hyps: Mapping[str, str], what: str) -> None:
    """Check that references and hypotheses are of the same utterances.

    Raises:
        InputError: It names the first utterance that is on one side only.
    """
    for utt in sorted(refs.keys() ^ hyps.keys()):
        if utt in refs:
            raise InputError(f"utterance {utt} has a reference but no {what}", mend="decode it or drop its reference")
        raise InputError(f"utterance {utt} has a {what} but no reference", mend="add its reference or drop it")


def _require_same_words(hyps: Mapping[str, str], ctm: Sequence[CtmWord]) -> None:
    """Check that the ctm is of these hypotheses.

    Raises:
        InputError: It names the first utterance that has other words.
    """
    of_ctm = ctm_texts(ctm, hyps)
    for utt in sorted(of_ctm):
        if split_words(hyps.get(utt, "")) != split_words(of_ctm[utt]):
            raise InputError(
                f"utterance {utt} has other words in the ctm than in the hypotheses", mend="write both again: stage 6"
            )


def _has_sclite(out_dir: Path, names: Sequence[str]) -> bool:
    """Whether sclite is found; where it is not, say what is not written for that, and remove what an earlier one left.

    Args:
        out_dir: What is scored into.
        names: The directories that sclite would write there.
    """
    try:
        sctk_command("sclite")
    except InputError as error:
        logger.warning("%s: scoring_kaldi alone, no %s: %s", out_dir, " and no ".join(names), error)
        for left in (out_dir / name for name in names):
            if left.is_dir():
                shutil.rmtree(left)
        return False
    return True


def _score_by_sclite(
    out_dir: Path,
    refs: Mapping[str, str],
    hyps: Mapping[str, str],
    utt2spk: Mapping[str, str],
    ctm: Sequence[CtmWord] | None,
    metric: str,
) -> EditCounts:
    """Write the directories that are sclite's; its counts."""
    if metric == CER:
        counts = write_score_cer(out_dir / "score_cer", refs, hyps, utt2spk)
    else:
        counts = write_score_wer(out_dir / "score_wer", refs, hyps, utt2spk)
    if ctm is not None and metric == CER:
        write_score_ctm(out_dir / "score_ctm", character_texts(refs), list(character_ctm(ctm)), utt2spk)
    elif ctm is not None:
        write_score_ctm(out_dir / "score_ctm", refs, ctm, utt2spk)
    return counts


def _require_own(out_dir: Path) -> None:
    """Check that there are no scores but those of an earlier scoring here, be it one that was cut off.

    Raises:
        InputError: There are, such as the `wer_*` that Kaldi's own script leaves beside a decode.
    """
    if (out_dir / RESULT).is_file() or (out_dir / "scoring_kaldi" / UTT2SPK).is_file():
        return
    for path in (out_dir / name for name in DIRECTORIES):
        if path.is_dir() and any(not one.name.startswith(".") for one in path.iterdir()):
            message = "is there already and of another scoring: its files would be lost"
            raise InputError(message, path=path, mend="choose another name: --out")


def _remove_scores(out_dir: Path, metric: str) -> None:
    """Remove what an earlier scoring by a metric left: it need not be of these hypotheses."""
    scoring_dir = out_dir / "scoring_kaldi"
    for path in (scoring_dir / f"best_{metric}", *scoring_dir.glob(f"{metric}_*_*")):
        path.unlink(missing_ok=True)
    for directory in (out_dir / f"score_{metric}", scoring_dir / f"{metric}_details"):
        shutil.rmtree(directory, ignore_errors=True)


def _summary(result: ScoreResult) -> dict[str, str | float | int | None]:
    """The content of `result.yaml`, rates in percent with four decimals."""
    summary: dict[str, str | float | int | None] = {
        "metric": result.metric,
        "wer": round(result.wer, 4),
        "errors": result.counts.errors,
        "ref_words": result.counts.ref_words,
        "ins": result.counts.ins,
        "del": result.counts.del_,
        "sub": result.counts.sub,
        "utterances": result.utterances,
        "ci_low": round(result.interval.low, 4),
        "ci_high": round(result.interval.high, 4),
    }
    if result.sclite_counts is not None:
        summary["sclite_wer"] = round(result.sclite_counts.wer, 4)
    summary |= {"lm_weight": result.lm_weight, "word_bonus": result.word_bonus}
    if result.p_value is not None:
        summary["p_value"] = result.p_value
    if result.over_speakers is not None:
        over = result.over_speakers
        summary["speakers"] = over.speakers
        if over.interval is not None:
            summary |= {"spk_ci_low": round(over.interval.low, 4), "spk_ci_high": round(over.interval.high, 4)}
        if over.p_value is not None:
            summary["spk_p_value"] = over.p_value
    return summary
