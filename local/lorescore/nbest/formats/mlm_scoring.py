"""mlm-scoring's JSON, which began with Shin et al. (2019): one object with an object for each utterance.

    {"utt": {"ref": "the cat sat", "hyp_1": {"score": -1.25, "text": "the cat sat"}, "hyp_2": ...}, ...}

`score` is a log score and N of `hyp_N` the rank. `ref` may be left out; other keys are passed over, as mlm-scoring does
(github.com/awslabs/mlm-scoring, src/mlm/loaders.py).
"""

import json
import re
from pathlib import Path
from typing import Any

from lorescore.errors import InputError
from lorescore.files import atomic_write, read_lines
from lorescore.nbest.formats.collect import Collector, parse_rank, words_of
from lorescore.nbest.formats.format import (
    LOG_SCORES,
    Format,
    FormatOptions,
    head_text,
    lost_contexts,
    lost_parts,
    lost_record,
)
from lorescore.nbest.formats.json_values import line_of_key, parse_json, require_kind
from lorescore.nbest.lists import Hypothesis, NbestSet

NAME = "mlm-scoring"
BEGIN = re.compile(r'\s*\{\s*"(?:[^"\\]|\\.)*"\s*:\s*\{')
RANK_KEY = re.compile(r'"hyp_[0-9]+"\s*:\s*\{')
PREFIX = "hyp_"


def looks_like(path: Path) -> str | None:
    """A JSON object of objects with a key hyp_N."""
    text = head_text(path)
    return "a JSON object of utterances with hyp_N" if BEGIN.match(text) and RANK_KEY.search(text) else None


def read(path: Path, options: FormatOptions) -> NbestSet:
    """The lists of a file.

    Raises:
        InputError: Not JSON; a value of the wrong type, a score that is no finite number; an utterance without
            hypotheses; a missing rank; a reference for some utterances only.
    """
    text = "\n".join(line for _, line in read_lines(path))
    content = require_kind(parse_json(text, path), dict, "the file", path, 1)
    lists = Collector(path)
    for utt, entry in content.items():
        _add_utterance(lists, utt, entry, path, text)
    return lists.nbest_set(NAME, options, [path])


def _add_utterance(lists: Collector, utt: str, entry: Any, path: Path, text: str) -> None:
    """The hypotheses and the reference of an utterance; its line is sought only where an error needs it."""
    try:
        require_kind(entry, dict, f"utterance {utt!r}", path, None)
        ranks = {key: parse_rank(key.removeprefix(PREFIX), path, None) for key in entry if key.startswith(PREFIX)}
        if not ranks:
            raise InputError(f"utterance {utt!r} has no {PREFIX}1", mend="give its hypotheses or delete it")
        for key, rank in ranks.items():
            what = f"{key} of utterance {utt!r}"
            values = require_kind(entry[key], dict, what, path, None)
            words = words_of(require_kind(values.get("text"), str, f"text of {what}", path, None), path, None)
            score = require_kind(values.get("score"), float, f"score of {what}", path, None)
            lists.add(utt, rank, Hypothesis(words, score))
        if entry.get("ref") is not None:
            ref = require_kind(entry["ref"], str, f"ref of utterance {utt!r}", path, None)
            lists.add_reference(utt, words_of(ref, path, None))
    except InputError as error:
        raise InputError(error.message, path=path, line=line_of_key(text, utt), mend=error.mend) from error


def write(path: Path, nbest: NbestSet, options: FormatOptions) -> None:
    """Write the lists, an utterance a line, so that `head` and `grep` can read them."""
    with atomic_write(path) as file:
        separator = "{\n"
        for one in nbest:
            entry: dict[str, Any] = {"ref": nbest.refs[one.utt]} if nbest.refs else {}
            for rank, hypothesis in enumerate(one.hypotheses, start=1):
                entry[f"{PREFIX}{rank}"] = {"score": float(hypothesis.score), "text": hypothesis.text}
            file.write(f"{separator}{json.dumps(one.utt, ensure_ascii=False)}: ")
            file.write(json.dumps(entry, ensure_ascii=False, allow_nan=False))
            separator = ",\n"
        file.write("\n}\n")


def drops(nbest: NbestSet) -> list[str]:
    """What the format has no room for."""
    return lost_parts(nbest) + lost_contexts(nbest) + lost_record(nbest)


FORMAT = Format(
    NAME,
    "one JSON object: {utt: {ref, hyp_1: {score, text}, ...}}",
    LOG_SCORES,
    looks_like,
    read,
    write,
    drops,
    (".json",),
)
