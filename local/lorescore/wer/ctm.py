"""Time-marked words: NIST's ctm format, `utt channel start duration word [confidence]`, and its scoring by sclite.

    u1 1 0.000 0.320 the 0.9731     seconds from the beginning of the utterance; a confidence from 0 to 1

Each utterance is a recording of its own, as where Kaldi makes a ctm without segments.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lorescore.choices import require_positive
from lorescore.errors import InputError
from lorescore.files import atomic_write, read_lines, split_words
from lorescore.wer.alignment import EditCounts
from lorescore.wer.sclite import TEXT_SPECIALS, sclite_text, score_files

CHANNEL = "1"
COMMENT = ";;"
NOMINAL_WORD_S = 0.3  # English is spoken at some 200 words a minute
# sclite takes a word for a segment's where its middle lies in it: room for words that round off to its end.
SEGMENT_MARGIN_S = 1.0
RESERVED = re.compile(r"(?<!\S)(?:<ALT|IGNORE_TIME_SEGMENT_IN_SCORING)", re.IGNORECASE)  # words of stm and ctm files
STM_LABELS = "<O>"  # always written, as sclite would take a first word such as `<unk>` for the labels


@dataclass(frozen=True, slots=True)
class CtmWord:
    """A word with its time.

    Attributes:
        utt: The utterance's id.
        start: Seconds from the beginning of the utterance.
        duration: Seconds.
        word: The word.
        confidence: From 0 to 1; None where there is none.
        channel: Of the recording.
    """

    utt: str
    start: float
    duration: float
    word: str
    confidence: float | None = None
    channel: str = CHANNEL


def timed_words(
    utt: str,
    words: Sequence[str],
    *,
    confidences: Sequence[float] | None = None,
    spans: Sequence[tuple[float, float]] | None = None,
    frame_shift: float = 0.0,
) -> list[CtmWord]:
    """The words of a hypothesis with their times.

    Args:
        utt: The utterance's id.
        words: The hypothesis.
        confidences: Of each word.
        spans: First frame of each word and the frame after its last; None: NOMINAL_WORD_S a word.
        frame_shift: Seconds from one frame to the next; needed with `spans`.

    Raises:
        InputError: There are spans but no frame shift.
    """
    if spans is None:
        times = [(index * NOMINAL_WORD_S, NOMINAL_WORD_S) for index in range(len(words))]
    else:
        require_positive("frame shift", frame_shift)
        times = [(start * frame_shift, (end - start) * frame_shift) for start, end in spans]
    known: Sequence[float | None] = [None] * len(words) if confidences is None else confidences
    return [
        CtmWord(utt, start, length, word, confidence)
        for word, (start, length), confidence in zip(words, times, known, strict=True)
    ]


def write_ctm(path: Path, words: Iterable[CtmWord]) -> None:
    """Write a ctm, sorted by utterance (C locale), channel and start; words of the same start in the order given.

    Times have three decimals, confidences four.

    Raises:
        InputError: An utterance id begins like a comment, or the file cannot be written.
    """
    with atomic_write(path) as file:
        file.writelines(f"{line}\n" for line in _ctm_lines(words))


def read_ctm(path: Path) -> list[CtmWord]:
    """Read a ctm; lines that are empty or begin with `;;` are left out.

    Raises:
        InputError: The file cannot be read, or a line is not of this format.
    """
    words = []
    for number, line in read_lines(path, mend="write the ctm again"):
        fields = split_words(line)
        if not fields or fields[0].startswith(COMMENT):
            continue
        try:
            utt, channel, start, duration, word, *rest = fields
            times, confidences = [float(start), float(duration)], [float(value) for value in rest]
        except ValueError:
            times, confidences = [-1.0], []
        if not all(math.isfinite(time) and time >= 0 for time in times) or len(confidences) > 1:
            raise InputError(
                f"expected `utt channel start duration word [confidence]`, found {line!r:.80}",
                path=path,
                line=number,
                mend="correct the line",
            )
        if confidences and not 0 <= confidences[0] <= 1:
            raise InputError(
                f"confidence {confidences[0]:g}, expected 0 to 1", path=path, line=number, mend="correct it"
            )
        confidence = confidences[0] if confidences else None
        words.append(CtmWord(utt, times[0], times[1], word, confidence, channel))
    return words


def ctm_texts(words: Iterable[CtmWord], utts: Iterable[str]) -> dict[str, str]:
    """The text of each utterance, its words in the order of their starts; utterances without words are empty."""
    by_utt: dict[str, list[CtmWord]] = {utt: [] for utt in utts}
    for one in words:
        by_utt.setdefault(one.utt, []).append(one)
    return {
        utt: " ".join(one.word for one in sorted(group, key=lambda one: round(one.start, 3)))
        for utt, group in by_utt.items()
    }


def split_ctm(words: Iterable[CtmWord], parts_of: Callable[[str], Sequence[str]]) -> Iterator[CtmWord]:
    """Words taken apart: each part has an equal share of its word's time, and its confidence."""
    for one in words:
        parts = parts_of(one.word)
        duration = one.duration / max(1, len(parts))
        for index, part in enumerate(parts):
            yield replace(one, start=one.start + index * duration, duration=duration, word=part)


def write_score_ctm(
    score_dir: Path, refs: Mapping[str, str], words: Sequence[CtmWord], utt2spk: Mapping[str, str]
) -> EditCounts:
    """Score a ctm by sclite: write ref.stm, hyp.ctm and result.txt.

    The reference is one segment an utterance, so that the counts are those of the trn files (`write_score_wer`). The
    report also has the normalized cross entropy of the confidences, where all words have one. In these copies,
    characters that mean something to sclite are replaced as there.

    Args:
        score_dir: The directory; it is made.
        refs: Reference text by utterance.
        words: The hypotheses' words; an utterance may have none.
        utt2spk: Speaker of each of these utterances.

    Returns:
        sclite's counts.

    Raises:
        InputError: A word is of an utterance without reference, sclite is missing or fails, or did not count the words
            and utterances that it was given.
    """
    for one in words:
        if one.utt not in refs:
            raise InputError(f"utterance {one.utt} has words but no reference", mend="add its reference or drop it")
    end = SEGMENT_MARGIN_S + max((one.start + one.duration for one in words), default=0.0)
    # sclite wants both files in the same order; the ids are those that it will see.
    ids = {utt: utt.translate(TEXT_SPECIALS) for utt in refs}
    segments = (
        f"{ids[utt]} {CHANNEL} {utt2spk[utt].translate(TEXT_SPECIALS)} 0.000 {end:.3f} {STM_LABELS} "
        f"{_literal(refs[utt])}".rstrip(" ")
        for utt in sorted(refs, key=lambda utt: ids[utt])
    )
    copies = (CtmWord(ids[one.utt], one.start, one.duration, _literal(one.word), one.confidence) for one in words)
    return score_files(
        score_dir,
        {"ref.stm": segments, "hyp.ctm": _ctm_lines(copies)},
        ["-r", "ref.stm", "stm", "-h", "hyp.ctm", "ctm"],
        refs,
        hyp_words=len(words),
    )


def _ctm_lines(words: Iterable[CtmWord]) -> Iterator[str]:
    """The lines of a ctm, sorted."""
    for one in sorted(words, key=lambda one: (one.utt, one.channel, round(one.start, 3))):
        if one.utt.startswith(COMMENT):
            raise InputError(f"utterance {one.utt} would be a comment in a ctm", mend="rename it")
        confidence = "" if one.confidence is None else f" {one.confidence:.4f}"
        yield f"{one.utt} {one.channel} {one.start:.3f} {one.duration:.3f} {one.word}{confidence}"


def _literal(text: str) -> str:
    """A text in which sclite sees the words that are in it: reserved words begin with a full-width character."""
    return RESERVED.sub(lambda match: chr(ord(match[0][0]) + 0xFEE0) + match[0][1:], sclite_text(text))
