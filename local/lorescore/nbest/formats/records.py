"""The columns of JSON Lines and of Hugging Face tables: one record an utterance, or one record a hypothesis.

An utterance (what the writers write):

    utt             string
    ref             string, may be left out or null
    context         list of strings: what stands before it in its recording, an utterance each, oldest first
                    (`NbestList.context`); may be left out or null
    hyps            list of strings by rank, or of objects {text, score}
    scores          list of log scores by rank, where hyps are strings
    acoustic nolm lmonly    lists of the parts of the cost by rank (`CostParts`), and
    acoustic_scale          the weight of the acoustic cost; all four or none

A hypothesis: `utt`, `text`, `score`, and, where they are known, `ref`, `context` and `rank` (else the order counts).

Other columns are passed over. The schema is this project's own.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from lorescore.errors import InputError
from lorescore.nbest.formats.collect import Collector, words_of
from lorescore.nbest.formats.json_values import require_kind
from lorescore.nbest.lists import CostParts, Hypothesis, NbestSet

PARTS = ("acoustic", "nolm", "lmonly")
SCORE_TOLERANCE = 1e-3  # relative, between a score and the sum of its parts, which may have been rounded


def is_record(columns: Mapping[str, Any] | list[str]) -> bool:
    """Whether these columns are an utterance's or a hypothesis's."""
    return "utt" in columns and ("hyps" in columns or ("text" in columns and "score" in columns))


def add_record(lists: Collector, record: Mapping[str, Any], line: int | None) -> None:
    """Take the hypotheses of a record, its reference and its context.

    Args:
        lists: Where they go.
        record: The values by column.
        line: Where it stands.

    Raises:
        InputError: A column is missing or of the wrong type, lists are not of equal length, a record of an utterance
            comes twice.
    """
    path = lists.path
    if not is_record(record):
        message = f"the columns are {' '.join(map(str, record)) or 'none'}, expected utt hyps scores, or utt text score"
        raise InputError(message, path=path, line=line, mend="rename the columns")
    utt = require_kind(record["utt"], str, "utt", path, line)
    if record.get("hyps") is None:
        text = words_of(require_kind(record.get("text"), str, f"text of utterance {utt!r}", path, line), path, line)
        score = require_kind(record.get("score"), float, f"score of utterance {utt!r}", path, line)
        rank = record.get("rank")
        if rank is not None:
            require_kind(rank, int, f"rank of utterance {utt!r}", path, line)
        lists.add(utt, rank, Hypothesis(text, score), line=line)
    else:
        if utt in lists:
            raise InputError(f"utterance {utt} for the second time", path=path, line=line, mend="keep one list")
        for rank, hypothesis in enumerate(_hypotheses(lists, utt, record, line), start=1):
            lists.add(utt, rank, hypothesis, line=line)
    if record.get("ref") is not None:
        ref = require_kind(record["ref"], str, f"ref of utterance {utt!r}", path, line)
        lists.add_reference(utt, words_of(ref, path, line), line=line)
    if record.get("context") is not None:
        context = require_kind(record["context"], list, f"context of utterance {utt!r}", path, line)
        texts = (require_kind(text, str, f"the context of utterance {utt!r}", path, line) for text in context)
        lists.add_context(utt, tuple(filter(None, (words_of(text, path, line) for text in texts))), line=line)


def _hypotheses(lists: Collector, utt: str, record: Mapping[str, Any], line: int | None) -> Iterator[Hypothesis]:
    """The hypotheses of an utterance's record by rank."""
    path = lists.path
    hyps = require_kind(record["hyps"], list, f"hyps of utterance {utt!r}", path, line)
    if not hyps:
        raise InputError(
            f"utterance {utt} has no hypotheses", path=path, line=line, mend="delete it or decode it again"
        )
    if all(isinstance(hyp, dict) for hyp in hyps):
        hyps, scores = [hyp.get("text") for hyp in hyps], [hyp.get("score") for hyp in hyps]
    elif record.get("scores") is None:
        mend = 'give "scores", a log score for each hypothesis; where the first pass has none, 0 for each'
        raise InputError(f"utterance {utt} has no scores of the first pass", path=path, line=line, mend=mend)
    else:
        scores = _as_long(record.get("scores"), hyps, f"scores of utterance {utt!r}", lists, line)
    parts = _parts(lists, utt, hyps, record, line)
    for rank, (hyp, value) in enumerate(zip(hyps, scores, strict=True), start=1):
        what = f"rank {rank} of utterance {utt!r}"
        text = words_of(require_kind(hyp, str, f"the text of {what}", path, line), path, line)
        score = require_kind(value, float, f"the score of {what}", path, line)
        if parts is None:
            yield Hypothesis(text, score)
            continue
        hypothesis = Hypothesis.from_parts(text, parts[rank - 1], lists.acoustic_scale or 0.0)
        if not math.isclose(hypothesis.score, score, rel_tol=SCORE_TOLERANCE, abs_tol=SCORE_TOLERANCE):
            message = f"the score of {what} is {score}, but {hypothesis.score} from its parts"
            raise InputError(message, path=path, line=line, mend="leave out the parts, or correct acoustic_scale")
        yield hypothesis


def _parts(
    lists: Collector, utt: str, hyps: list[Any], record: Mapping[str, Any], line: int | None
) -> list[CostParts] | None:
    """The parts of the costs of an utterance's hypotheses, where the record has them."""
    given = [name for name in (*PARTS, "acoustic_scale") if record.get(name) is not None]
    if not given:
        return None
    if len(given) <= len(PARTS):
        message = f"utterance {utt} has {' '.join(given)} alone, expected {' '.join(PARTS)} and acoustic_scale"
        raise InputError(message, path=lists.path, line=line, mend="give all parts of the cost or none")
    scale = require_kind(record["acoustic_scale"], float, "acoustic_scale", lists.path, line)
    lists.take_scale(scale, line=line)
    columns = []
    for name in PARTS:
        values = _as_long(record[name], hyps, f"{name} of utterance {utt!r}", lists, line)
        columns.append(
            [require_kind(value, float, f"{name} of utterance {utt!r}", lists.path, line) for value in values]
        )
    return [CostParts(*values) for values in zip(*columns, strict=True)]


def _as_long(values: Any, hyps: list[Any], what: str, lists: Collector, line: int | None) -> list[Any]:
    """A list with an element for each hypothesis."""
    if len(require_kind(values, list, what, lists.path, line)) != len(hyps):
        message = f"{what}: {len(values)} of them for {len(hyps)} hypotheses"
        raise InputError(message, path=lists.path, line=line, mend="give one for each hypothesis")
    return list(values)


def records(nbest: NbestSet) -> Iterator[dict[str, Any]]:
    """A record for each utterance, all with the same columns."""
    in_parts, in_context = nbest.has_parts, any(one.context for one in nbest)
    for one in nbest:
        record: dict[str, Any] = {"utt": one.utt}
        if nbest.refs:
            record["ref"] = nbest.refs[one.utt]
        if in_context:
            record["context"] = list(one.context)
        record |= {"hyps": one.texts, "scores": [float(score) for score in one.scores]}
        parts = [hypothesis.parts for hypothesis in one.hypotheses if hypothesis.parts is not None]
        if in_parts:
            whole = len(parts) == len(one.hypotheses)
            columns = {name: [float(getattr(part, name)) for part in parts] if whole else None for name in PARTS}
            record |= columns | {"acoustic_scale": nbest.info.get("acoustic_scale") if whole else None}
        yield record
