"""N-best lists as JSON Lines, rescored as they come: one object a line in, one object a line out, in the same order.

    {"utt": "u1", "hyps": [{"text": "eye see", "score": -0.5}, {"text": "i see", "score": -0.75}]}
    {"utt": "u1", "hyps": [{"text": "i see", "score": -0.75, "plm_score": -5.0, "combined": -3.25, "rank": 2}, ...]}

What comes in is an utterance's record of the format `jsonl` (`lorescore.nbest.formats.records`), in the order of the
first pass; its list may be empty. What goes out has the best combined score first. Further keys of a record or of a
hypothesis stay as they are, and the parts of the costs follow their hypotheses. Lists can be expanded before they are
scored (`lorescore.perturb.expansion`): versions that are added have ranks after the first pass's.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lorescore.combine import Weights
from lorescore.errors import InputError
from lorescore.files import is_encodable
from lorescore.nbest.formats.collect import Collector
from lorescore.nbest.formats.format import FormatOptions
from lorescore.nbest.formats.json_values import parse_json, require_kind
from lorescore.nbest.formats.records import PARTS, add_record
from lorescore.nbest.lists import NbestList
from lorescore.perturb.expansion import Expansion
from lorescore.rerank import RescoredList
from lorescore.scoring.list_scorer import ListScorer

STANDARD_INPUT = "standard input"
EXPECTED = 'write {"utt": ..., "hyps": [{"text": ..., "score": ...}, ...]}'
DECIMALS = 6  # of the scores that are written; a float32 has no more


@dataclass(frozen=True)
class JsonList:
    """A line that came in.

    Attributes:
        record: The object.
        nbest: Its list; it may be empty, and it may have been expanded.
    """

    record: dict[str, Any]
    nbest: NbestList

    @classmethod
    def parse(cls, line: str, source: Path, number: int) -> "JsonList":
        """Read a line.

        Args:
            line: The line.
            source: What an error calls the file.
            number: The number of the line, from 1.

        Raises:
            InputError: It is not JSON or not of this form.
        """
        record = require_kind(parse_json(line, source, number), dict, "the line", source, number)
        if not isinstance(record.get("hyps"), list):
            raise InputError("no list of hyps", path=source, line=number, mend=EXPECTED)
        if not record["hyps"]:
            return cls(record, NbestList(str(record.get("utt", "")), ()))
        lists = Collector(source)
        add_record(lists, record, number)
        return cls(record, lists.nbest_set("jsonl", FormatOptions(), ()).lists[0])

    def rescored(self, done: RescoredList) -> str:
        """The line that goes out, without its end."""
        given = [one if isinstance(one, dict) else {"text": one} for one in self.record["hyps"]]
        added = self.nbest.hypotheses[len(given) :]
        given += [{} for _ in added]
        hypotheses = [
            given[one.rank - 1]
            | {
                "text": one.text,
                "score": one.score,
                "plm_score": round(one.plm_score, DECIMALS),
                "combined": round(one.combined, DECIMALS),
                "rank": one.rank,
            }
            for one in done.hypotheses
        ]
        record = {key: value for key, value in self.record.items() if key != "scores"} | {"hyps": hypotheses}
        for name in PARTS:
            if record.get(name) is not None:
                costs = [*record[name], *(getattr(one.parts, name) for one in added)]
                record[name] = [costs[one.rank - 1] for one in done.hypotheses]
        line = json.dumps(record, ensure_ascii=False, allow_nan=False)
        # Half a surrogate pair in what is passed on can be written as it came alone, as an escape.
        return line if is_encodable(line) else json.dumps(record, allow_nan=False)


def rescored_lines(
    lines: Iterable[str],
    rescorer: ListScorer,
    weights: Weights | None = None,
    *,
    expansion: Expansion | None = None,
    source: str = STANDARD_INPUT,
    lists_at_a_time: int = 1,
) -> Iterator[str]:
    """The rescored lists, one line each.

    Args:
        lines: Lines of JSON; blank ones are passed over.
        rescorer: Scores them.
        weights: Of the combined score; None: those that were tuned for the rescorer.
        expansion: What adds homophone versions of the hypotheses; None: the lists are scored as they come.
        source: What an error calls the lines.
        lists_at_a_time: Lists that are read before they are scored together: more are faster, one answers at once.

    Raises:
        InputError: A line is not of the form (the lists before it are rescored first), there are no weights, a score is
            not a finite number, or `lists_at_a_time` is below 1.
    """
    if lists_at_a_time < 1:
        raise InputError(f"lists_at_a_time is {lists_at_a_time}, expected 1 or more")
    path = Path(source)
    parsed = (JsonList.parse(line, path, number) for number, line in enumerate(lines, start=1) if line.strip())
    if expansion is not None:
        parsed = (replace(one, nbest=expansion.expand_list(one.nbest)) for one in parsed)
    for batch in _batches(parsed, lists_at_a_time):
        done = rescorer.rescore([one.nbest for one in batch], weights)
        for one, rescored in zip(batch, done, strict=True):
            yield one.rescored(rescored)


def _batches(lists: Iterable[JsonList], size: int) -> Iterator[list[JsonList]]:
    """So many lists at a time; before the error of a bad line, those before it."""
    batch: list[JsonList] = []
    try:
        for one in lists:
            batch.append(one)
            if len(batch) == size:
                yield batch
                batch = []
    except InputError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch
