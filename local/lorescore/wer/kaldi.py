"""Kaldi's score files, as steps/scoring/score_kaldi_wer.sh writes them, or, for characters, score_kaldi_cer.sh.

    wer_<lm_weight>_<word_bonus>   compute-wer's three lines
    best_wer                       the %WER line and the path of its file (utils/best_wer.sh)
    wer_details/per_utt            alignments (align-text | wer_per_utt_details.pl)
    wer_details/per_spk            counts and rates of each speaker (wer_per_spk_details.pl)
    wer_details/ops                how often each word was right, or mistaken for which (wer_ops_details.pl)
    wer_details/wer_bootci         confidence interval (compute-wer-bootci)
    utt2spk                        the speakers that it was scored with; Kaldi has them in the data directory

With `cer` for `wer` in all names, the errors are those of characters (`lorescore.wer.units`); the line says %WER there
too, as Kaldi's does.

`wer_bootci` gives the WER itself, where Kaldi gives the mean over the resamples, which can differ from it in the last
digit: all files here name the same WER.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from lorescore.files import atomic_write, write_table
from lorescore.wer.alignment import NO_WORD, EditCounts, align
from lorescore.wer.bootstrap import Interval
from lorescore.wer.units import WER

UTT2SPK = "utt2spk"
EMPTY = "***"  # what stands in for the missing word of an insertion or deletion (score_kaldi_wer.sh)
SPEAKER_COLUMNS = ("#SENT", "#WORD", "Corr", "Sub", "Ins", "Del", "Err", "S.Err")
MIN_SPEAKER_WIDTH = 15
MAX_WORD_WIDTH = 16


def wer_line(counts: EditCounts) -> str:
    """Kaldi's line, such as `%WER 6.12 [ 3329 / 54402, 420 ins, 185 del, 2724 sub ]`."""
    return (
        f"%WER {counts.wer:.2f} [ {counts.errors} / {counts.ref_words}, "
        f"{counts.ins} ins, {counts.del_} del, {counts.sub} sub ]"
    )


def write_scoring_kaldi(
    scoring_dir: Path,
    refs: Mapping[str, str],
    hyps: Mapping[str, str],
    utt2spk: Mapping[str, str],
    interval: Interval,
    *,
    lm_weight: float,
    word_bonus: float,
    metric: str = WER,
) -> tuple[Path, EditCounts]:
    """Write all score files of one set at one pair of weights; `wer_*` files of other weights are removed.

    Args:
        scoring_dir: The directory `scoring_kaldi`; it is made.
        refs: Reference text by utterance.
        hyps: Hypothesis text of each of these utterances.
        utt2spk: Speaker of each of these utterances.
        interval: Confidence interval of the WER.
        lm_weight: The PLM's weight that chose the hypotheses.
        word_bonus: The bonus a word, or a character, that chose the hypotheses.
        metric: `wer` or `cer`, which begins the names of the files.

    Returns:
        The path of the `wer_*` file, and the errors of all utterances.

    Raises:
        InputError: There are no reference words, or a file cannot be written.
    """
    for stale in scoring_dir.glob(f"{metric}_*_*"):
        stale.unlink()
    write_table(scoring_dir / UTT2SPK, {utt: utt2spk[utt] for utt in refs})
    counts = write_details(scoring_dir / f"{metric}_details", refs, hyps, utt2spk, interval, metric)
    total = sum(counts.values(), EditCounts())
    wrong = sum(one.errors > 0 for one in counts.values())
    # Adding 0.0 turns -0.0 into 0.0.
    wer_path = scoring_dir / f"{metric}_{lm_weight + 0.0:g}_{word_bonus + 0.0:g}"
    with atomic_write(wer_path) as file:
        file.write(f"{wer_line(total)}\n")
        file.write(f"%SER {100.0 * wrong / len(counts):.2f} [ {wrong} / {len(counts)} ]\n")
        file.write(f"Scored {len(counts)} sentences, 0 not present in hyp.\n")
    with atomic_write(scoring_dir / f"best_{metric}") as file:
        file.write(f"{wer_line(total)} {wer_path}\n")
    return wer_path, total


def write_details(
    details_dir: Path,
    refs: Mapping[str, str],
    hyps: Mapping[str, str],
    utt2spk: Mapping[str, str],
    interval: Interval,
    metric: str,
) -> dict[str, EditCounts]:
    """Write `wer_details`, or `cer_details`; returns the counts of each utterance, sorted by utterance."""
    counts: dict[str, EditCounts] = {}
    ops: Counter[tuple[str, str]] = Counter()
    cells = _Cells()
    with atomic_write(details_dir / "per_utt") as file:
        for utt in sorted(refs):
            alignment = align(refs[utt], hyps[utt], metric)
            ops.update(alignment)
            columns = [cells[pair] for pair in alignment]
            ref_row, hyp_row, op_row = ("  ".join([column[row] for column in columns]) for row in range(3))
            one = counts[utt] = _counts(op_row)
            file.write(f"{utt} ref  {ref_row}\n{utt} hyp  {hyp_row}\n{utt} op   {op_row}\n")
            file.write(f"{utt} #csid {one.correct} {one.sub} {one.ins} {one.del_}\n")
    with atomic_write(details_dir / "per_spk") as file:
        file.writelines(f"{line}\n" for line in _speaker_lines(counts, utt2spk))
    with atomic_write(details_dir / "ops") as file:
        file.writelines(f"{line}\n" for line in _op_lines(ops))
    with atomic_write(details_dir / f"{metric}_bootci") as file:
        wer = sum(counts.values(), EditCounts()).wer
        file.write(f"Set1: %WER {wer:.2f} 95% Conf Interval [ {interval.low:.2f}, {interval.high:.2f} ]\n")
    return counts


def _op(ref: str, hyp: str) -> str:
    if ref == NO_WORD:
        return "insertion"
    if hyp == NO_WORD:
        return "deletion"
    return "correct" if ref == hyp else "substitution"


class _Cells(dict[tuple[str, str], tuple[str, str, str]]):
    """The cells of aligned words in `per_utt` (reference, hypothesis, kind) in one width, made once for each pair."""

    def __missing__(self, pair: tuple[str, str]) -> tuple[str, str, str]:
        ref, hyp = pair
        cells = ref or EMPTY, hyp or EMPTY, _op(ref, hyp)[0].upper()
        width = max(map(len, cells))
        rights = [(width - len(cell)) // 2 for cell in cells]
        padded = [cell.rjust(width - right) + " " * right for cell, right in zip(cells, rights, strict=True)]
        self[pair] = padded[0], padded[1], padded[2]
        return self[pair]


def _counts(op_row: str) -> EditCounts:
    """The errors of an utterance, from its row of letters."""
    correct, sub, ins, del_ = map(op_row.count, "CSID")
    return EditCounts(ins, del_, sub, correct + sub + del_)


def _speaker_lines(counts: Mapping[str, EditCounts], utt2spk: Mapping[str, str]) -> Iterator[str]:
    by_speaker: dict[str, list[EditCounts]] = defaultdict(list)
    for utt, one in counts.items():
        by_speaker[utt2spk[utt]].append(one)
    width = max(MIN_SPEAKER_WIDTH, *map(len, by_speaker))
    yield " ".join([f"{'SPEAKER':<{width}}", "id ", *(f"{column:>10}" for column in SPEAKER_COLUMNS)])
    for speaker, group in [*sorted(by_speaker.items()), ("SUM", list(counts.values()))]:
        total, sentences = sum(group, EditCounts()), len(group)
        words, wrong = total.ref_words, sum(one.errors > 0 for one in group)
        kinds = (total.correct, total.sub, total.ins, total.del_, total.errors)
        raw = (sentences, words, *kinds, wrong)
        yield " ".join([f"{speaker:<{width}}", "raw", *(f"{value:10d}" for value in raw)])
        if words:
            rates = (*(100.0 * value / words for value in kinds), 100.0 * wrong / sentences)
            yield " ".join(
                [
                    f"{speaker:<{width}}",
                    f"sys {sentences:10d} {words:10d}",
                    *(f"{rate:10.2f}" for rate in rates),
                ]
            )


def _op_lines(ops: Counter[tuple[str, str]]) -> Iterator[str]:
    rows = [(_op(ref, hyp), -count, ref or EMPTY, hyp or EMPTY) for (ref, hyp), count in ops.items()]
    width = min(MAX_WORD_WIDTH, max((len(word) for row in rows for word in row[2:]), default=0))
    digits = max((len(str(-row[1])) for row in rows), default=0)
    for op, negative, ref, hyp in sorted(rows):
        yield f"{op:<12}  {ref:>{width}}    {hyp:>{width}}    {-negative:{digits}d}"
