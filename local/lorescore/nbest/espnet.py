"""Read ESPnet's decode directory: `logdir/output.J/Nbest_recog/{text,score}`, one output.J a decoding job.

A score is written as a plain number or as a tensor prints itself: `-8.75`, `tensor(-8.75)`,
`tensor(-8.75, device='cuda:0')`.
"""

import math
import re
from collections.abc import Container
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import as_number, checksum, read_lines, read_table
from lorescore.nbest.checks import require_references, require_same_keys
from lorescore.nbest.directory import ranked_list
from lorescore.nbest.lists import Hypothesis, NbestSet

JOB_DIR = re.compile(r"output\.([1-9][0-9]*)(\.part)?")  # .part: the job has not ended (local/asr_decode.py)
KEY_FILE = re.compile(r"keys\.[1-9][0-9]*(\.scp)?")  # the utterances of a job; asr.sh's end in .scp
PLAIN_TEXT = "text_nospecial"
RANK_DIR = re.compile(r"([1-9][0-9]*)best_recog")
SCORE = re.compile(r"(\S+)\s+(?:tensor\(\s*([^\s,()]+)\s*(?:,[^()]*)?\)|([^\s,()]+))\s*", re.ASCII)
DECODE_AGAIN = "decode this part again: stage 3"


def read_espnet_decode(decode_dir: Path, ref: Path | None = None) -> NbestSet:
    """The N-best lists of an ESPnet decode.

    Args:
        decode_dir: The directory that holds `logdir`, or `logdir` itself.
        ref: Kaldi `text` of the references; None: no references.

    Raises:
        InputError: No N-best there, or an unfinished or missing job; a missing, empty or non-UTF-8 file; a doubled key,
            a key in only one of text and score, a score that is no finite number; an utterance in only one of lists and
            references.
    """
    logdir = decode_dir / "logdir" if (decode_dir / "logdir").is_dir() else decode_dir
    rank_dirs = sorted(
        (int(match[1]), path)
        for job_dir in _job_dirs(logdir)
        for path in job_dir.iterdir()
        if (match := RANK_DIR.fullmatch(path.name)) is not None
    )
    if not rank_dirs:
        raise InputError(
            "no N-best lists here, expected logdir/output.J/Nbest_recog/{text,score}",
            path=decode_dir,
            mend="decode with nbest above 1 (stage 3) or correct --asr_decode",
        )
    refs = {} if ref is None else read_table(ref, mend="correct --ref")
    ranked: dict[str, dict[int, Hypothesis]] = {}
    lines: dict[str, tuple[Path, int]] = {}  # where each utterance was first met
    sources: list[Path] = []
    for rank, path in rank_dirs:
        # Where a model writes tokens for language and task into its text, as OWSM does, the words are beside it.
        text_path, score_path = path / (PLAIN_TEXT if (path / PLAIN_TEXT).is_file() else "text"), path / "score"
        texts, scores = read_table(text_path, mend=DECODE_AGAIN), _read_scores(score_path)
        if rank == 1 and not texts:
            raise InputError("empty, expected `utt words`", path=text_path, mend=DECODE_AGAIN)
        require_same_keys(texts, scores, text_path, score_path)
        for number, (utt, text) in enumerate(texts.items(), start=1):
            hypotheses = ranked.setdefault(utt, {})
            if rank in hypotheses:
                message = f"utterance {utt} of rank {rank} is in two decoding jobs"
                raise InputError(message, path=text_path, line=number, mend="delete the left-over output.J")
            hypotheses[rank] = Hypothesis(text, scores[utt])
            lines.setdefault(utt, (text_path, number))
        sources += [text_path, score_path]
    _require_all(logdir, lines)
    if ref is not None:
        require_references(lines, refs, logdir, ref)
        sources.append(ref)
    lists = tuple(ranked_list(utt, ranked[utt], logdir, DECODE_AGAIN) for utt in sorted(ranked))
    return NbestSet(lists, refs, {"source": "espnet", "input_checksum": checksum(sources)})


def _job_dirs(logdir: Path) -> list[Path]:
    """The output directories of the decoding jobs.

    Raises:
        InputError: A job is missing or was interrupted, so that its utterances would be left out without a word.
    """
    found = sorted(logdir.iterdir()) if logdir.is_dir() else []
    jobs = {path: match for path in found if path.is_dir() and (match := JOB_DIR.fullmatch(path.name))}
    finished = {match[1] for match in jobs.values() if not match[2]}
    for path, match in jobs.items():
        if match[2] and match[1] not in finished:
            mend = f"{DECODE_AGAIN}; if it is a left-over, delete it"
            raise InputError(f"decoding job {match[1]} has not ended", path=path, mend=mend)
    numbers = {int(number) for number in finished}
    for job in range(1, max(numbers, default=0)):
        if job not in numbers:
            raise InputError(f"output.{job} of {max(numbers)} is missing", path=logdir, mend=DECODE_AGAIN)
    return [path for path, match in jobs.items() if not match[2]]


def _require_all(logdir: Path, decoded: Container[str]) -> None:
    """Check that all utterances of all jobs are decoded, where the files that say which they are lie there.

    Raises:
        InputError: A job has left no output, or a part of it alone.
    """
    for path in sorted(path for path in logdir.iterdir() if KEY_FILE.fullmatch(path.name)):
        for number, utt in enumerate(read_table(path), start=1):
            if utt not in decoded:
                mend = f"{DECODE_AGAIN}; if the file is a left-over, delete it"
                raise InputError(f"utterance {utt} is not decoded", path=path, line=number, mend=mend)


def _read_scores(path: Path) -> dict[str, float]:
    """Log scores by utterance."""
    scores: dict[str, float] = {}
    for number, line in read_lines(path, mend=DECODE_AGAIN):
        match = SCORE.fullmatch(line)
        score = as_number(match[2] or match[3]) if match else math.nan
        if match is None or not math.isfinite(score):
            raise InputError(
                f"expected `utt score` with a finite score, found {line!r:.80}",
                path=path,
                line=number,
                mend=DECODE_AGAIN,
            )
        utt = match[1]
        if utt in scores:
            raise InputError(f"key {utt} for the second time", path=path, line=number, mend="keep one line a key")
        scores[utt] = score
    return scores
