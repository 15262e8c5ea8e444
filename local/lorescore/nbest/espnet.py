"""Read ESPnet's decode directory: `logdir/output.J/Nbest_recog/{text,score}`, one output.J a decoding job.

A score is written as a plain number or as a tensor prints itself: `-8.75`, `tensor(-8.75)`,
`tensor(-8.75, device='cuda:0')`.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import checksum, read_lines, read_table
from lorescore.nbest.directory import require_references, require_same_keys
from lorescore.nbest.lists import Hypothesis, NbestList, NbestSet

RANK_DIR = re.compile(r"([1-9][0-9]*)best_recog")
SCORE = re.compile(r"(?:tensor\()?\s*([-+0-9.einfa]+)\s*(?:,[^)]*)?\)?", re.IGNORECASE)
DECODE_AGAIN = "decode this part again: stage 3"


def read_espnet_decode(decode_dir: Path, ref: Path | None = None) -> NbestSet:
    """The N-best lists of an ESPnet decode.

    Args:
        decode_dir: The directory that holds `logdir`, or `logdir` itself.
        ref: Kaldi `text` of the references; None: no references.

    Raises:
        InputError: No N-best there; a missing, empty or non-UTF-8 file; a doubled key, a key in only one of text and
            score, a score that is no finite number; an utterance in only one of lists and references.
    """
    logdir = decode_dir / "logdir" if (decode_dir / "logdir").is_dir() else decode_dir
    rank_dirs = sorted(
        (int(match[1]), path)
        for path in logdir.glob("output.*/*best_recog")
        if (match := RANK_DIR.fullmatch(path.name)) is not None
    )
    if not rank_dirs:
        raise InputError(
            "no N-best lists here, expected logdir/output.J/Nbest_recog/{text,score}",
            path=decode_dir,
            mend="decode with nbest above 1 (stage 3) or correct --asr_decode",
        )
    ranked: dict[str, dict[int, Hypothesis]] = {}
    sources: list[Path] = []
    for rank, path in rank_dirs:
        text_path, score_path = path / "text", path / "score"
        texts, scores = read_table(text_path), _read_scores(score_path)
        if rank == 1 and not texts:
            raise InputError("empty, expected `utt words`", path=text_path, mend=DECODE_AGAIN)
        require_same_keys(texts, scores, text_path, score_path)
        for number, (utt, text) in enumerate(texts.items(), start=1):
            hypotheses = ranked.setdefault(utt, {})
            if rank in hypotheses:
                message = f"utterance {utt} of rank {rank} is in two decoding jobs"
                raise InputError(message, path=text_path, line=number, mend="delete the left-over output.J")
            hypotheses[rank] = Hypothesis(text, scores[utt])
        sources += [text_path, score_path]
    lists = tuple(_list(utt, ranked[utt], logdir) for utt in sorted(ranked))
    refs: Mapping[str, str] = {}
    if ref is not None:
        refs = read_table(ref)
        require_references([nbest.utt for nbest in lists], refs, logdir, ref)
        sources.append(ref)
    return NbestSet(lists, refs, {"source": "espnet", "input_checksum": checksum(sources)})


def _read_scores(path: Path) -> dict[str, float]:
    """Log scores by utterance."""
    scores: dict[str, float] = {}
    for number, line in read_lines(path):
        utt, _, value = line.partition(" ")
        match = SCORE.fullmatch(value.strip())
        try:
            score = float(match[1]) if match else math.nan
        except ValueError:
            score = math.nan
        if not utt or not math.isfinite(score):
            raise InputError(
                f"expected `utt score` with a finite score, found {line!r:.80}",
                path=path,
                line=number,
                mend=DECODE_AGAIN,
            )
        if utt in scores:
            raise InputError(f"key {utt} for the second time", path=path, line=number, mend="keep one line a key")
        scores[utt] = score
    return scores


def _list(utt: str, ranked: dict[int, Hypothesis], logdir: Path) -> NbestList:
    """The list of one utterance, whose ranks must be 1..n."""
    for rank in range(1, len(ranked) + 1):
        if rank not in ranked:
            raise InputError(f"utterance {utt} has no hypothesis of rank {rank}", path=logdir, mend=DECODE_AGAIN)
    return NbestList(utt, tuple(ranked[rank] for rank in range(1, len(ranked) + 1)))
