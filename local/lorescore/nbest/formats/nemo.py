"""NeMo's beams: `text<TAB>log score`, the candidates of an utterance one after the other, best first, without its id.

`eval_beamsearch_ngram_ctc.py` writes them to `preds_output_folder/preds_out_*.tsv` and `eval_neural_rescorer.py` reads
them (github.com/NVIDIA/NeMo, scripts/asr_language_modeling). The utterances are those of the manifest, in its order,
and all have the same number of lines (`beam_size`), without which the file cannot be taken apart.

The ids come from `--utts`: the manifest (its `id` or `utt_id`, else the name of the audio file; its `text` is the
references), or a file that begins each line with an id, as Kaldi's `text` and `wav.scp` do.

Writing fills lists that are shorter than the longest with copies of their last candidate; reading takes such copies
off.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from lorescore.errors import InputError
from lorescore.files import atomic_write, read_lines, split_words
from lorescore.nbest.formats.collect import Collector, parse_score, require_utt, words_of
from lorescore.nbest.formats.format import (
    LOG_SCORES,
    Format,
    FormatOptions,
    decimal,
    head_lines,
    is_number,
    lost_contexts,
    lost_parts,
    lost_record,
    lost_references,
    mostly,
)
from lorescore.nbest.formats.json_values import parse_json, require_kind
from lorescore.nbest.lists import Hypothesis, NbestSet

logger = logging.getLogger(__name__)

NAME = "nemo"
ID_KEYS = ("utt_id", "id")
MIN_SHARE_MERGED = 0.25  # of lists in no order at all fewer rise only where a shorter beam would end
MEND_UTTS = "give --utts FILE: the manifest of the decode, or its utterance ids in the order of the beams"


@dataclass(frozen=True, slots=True)
class Utterance:
    """An utterance of a manifest or a list of ids.

    Attributes:
        utt: Its id.
        ref: Its reference, where a manifest has one.
        line: Where it stands.
    """

    utt: str
    ref: str | None
    line: int


def looks_like(path: Path) -> str | None:
    """Two columns, the second a number."""
    lines = head_lines(path)
    if not lines or not mostly(lines, _is_candidate):
        return None
    return "2 columns, a text and a score, without utterance ids"


def _is_candidate(line: str) -> bool:
    """Whether a line is a text, a tab and a number."""
    fields = line.split("\t")
    return len(fields) == 2 and is_number(fields[1])


def read(path: Path, options: FormatOptions) -> NbestSet:
    """The lists of a file.

    Raises:
        InputError: No `utts`, or an id in it twice; a line that is not a text and a finite score (a tab in a text); a
            number of lines that is no multiple of the number of utterances.
    """
    if options.utts is None:
        raise InputError("NeMo's beams do not say which utterance they are of", path=path, mend=MEND_UTTS)
    utterances = list(_utterances(options.utts))
    beams = [_candidate(line, path, number) for number, line in read_lines(path)]
    if not beams or len(beams) % len(utterances):
        message = f"{len(beams)} lines for the {len(utterances)} utterances of {options.utts}, expected a multiple"
        raise InputError(message, path=path, mend="give the ids of this decode; each has the same number of beams")
    beam_size = len(beams) // len(utterances)
    lists = Collector(path)
    _warn_of_merged(path, [beams[first : first + beam_size] for first in range(0, len(beams), beam_size)], options.utts)
    has_refs = any(utterance.ref for utterance in utterances)  # empty ones alone stand for none
    for number, utterance in enumerate(utterances):
        first = number * beam_size
        for place, hypothesis in enumerate(_without_copies(beams[first : first + beam_size]), start=first + 1):
            lists.add(utterance.utt, None, hypothesis, line=place)
        if has_refs and utterance.ref is not None:
            lists.add_reference(utterance.utt, utterance.ref, line=first + 1)
    return lists.nbest_set(NAME, options, [path])


def _warn_of_merged(path: Path, lists: list[list[Hypothesis]], utts: Path) -> None:
    """Say where the beams look like those of more utterances than there are ids: they begin anew in the same place.

    A beam has its best candidate first. Of two that were put together the second need not begin with a better score
    than the first ended with, so that a part of the lists decides: those that rise nowhere else.
    """
    size = len(lists[0])
    rises = [
        {place for place in range(1, size) if one[place].score > one[place - 1].score} for one in lists if size > 1
    ]
    num_with_rises = sum(map(bool, rises))
    for length in range(size // 2, 1, -1):
        merged = sum(bool(of_list) and all(place % length == 0 for place in of_list) for of_list in rises)
        if size % length == 0 and merged >= MIN_SHARE_MERGED * len(lists) and 2 * merged > num_with_rises:
            logger.warning(
                "%s: in %d of %d lists the scores rise again after %d candidates: "
                "is %s of a part of this decode alone?",
                path,
                merged,
                len(lists),
                length,
                utts,
            )
            return


def _candidate(line: str, path: Path, number: int) -> Hypothesis:
    """The hypothesis of a line."""
    fields = line.split("\t")
    if len(fields) != 2:
        message = f"{len(fields)} columns, expected a text and a score"
        raise InputError(message, path=path, line=number, mend="no tab within a text, and one before the score")
    return Hypothesis(words_of(fields[0], path, number), parse_score(fields[1], path, number))


def _without_copies(hypotheses: list[Hypothesis]) -> list[Hypothesis]:
    """A list without copies of its last hypothesis, text and score."""
    length = len(hypotheses)
    while length > 1 and hypotheses[length - 1] == hypotheses[length - 2]:
        length -= 1
    return hypotheses[:length]


def _utterances(path: Path) -> Iterator[Utterance]:
    """The utterances of a manifest or a list of ids, in its order.

    Raises:
        InputError: There are none, or an id stands twice or is missing.
    """
    seen: set[str] = set()
    for number, line in read_lines(path, mend="correct --utts"):
        if line.lstrip().startswith("{"):
            utterance = _manifest_utterance(
                require_kind(parse_json(line, path, number), dict, "it", path, number), path, number
            )
        else:
            utterance = Utterance((split_words(line) or [""])[0], None, number)
        require_utt(utterance.utt, path, number)
        if utterance.utt in seen:
            message = f"utterance {utterance.utt} for the second time"
            raise InputError(message, path=path, line=number, mend="give each utterance an id of its own")
        seen.add(utterance.utt)
        yield utterance
    if not seen:
        raise InputError("empty, expected utterance ids", path=path, mend="correct --utts")


def _manifest_utterance(entry: dict[str, Any], path: Path, line: int) -> Utterance:
    """The utterance of a manifest's line."""
    key = next((key for key in (*ID_KEYS, "audio_filepath") if key in entry), "audio_filepath")
    name = require_kind(entry.get(key), str, key, path, line)
    utt = PurePosixPath(name).stem if key == "audio_filepath" else name
    ref = entry.get("text")
    return Utterance(
        utt, None if ref is None else words_of(require_kind(ref, str, "text", path, line), path, line), line
    )


def write(path: Path, nbest: NbestSet, options: FormatOptions) -> None:
    """Write the candidates, the utterances in the order of `options.utts`, else sorted by id.

    Raises:
        InputError: `options.utts` are not the utterances of these lists.
    """
    by_utt = {one.utt: one for one in nbest}
    order = list(by_utt)
    if options.utts is not None:
        utterances = list(_utterances(options.utts))
        order = [utterance.utt for utterance in utterances]
        for utterance in utterances:
            if utterance.utt not in by_utt:
                message = f"utterance {utterance.utt} is not among the lists"
                raise InputError(message, path=options.utts, line=utterance.line, mend="correct --utts")
        if missing := by_utt.keys() - set(order):
            raise InputError(f"utterance {min(missing)} is missing", path=options.utts, mend="correct --utts")
    beam_size = _beam_size(nbest)
    with atomic_write(path) as file:
        for utt in order:
            hypotheses = list(by_utt[utt].hypotheses)
            for hypothesis in hypotheses + hypotheses[-1:] * (beam_size - len(hypotheses)):
                file.write(f"{hypothesis.text}\t{decimal(hypothesis.score)}\n")


def _beam_size(nbest: NbestSet) -> int:
    """The length of the longest list."""
    return max((len(one.hypotheses) for one in nbest), default=0)


def drops(nbest: NbestSet) -> list[str]:
    """What the format has no room for."""
    lost = ["the utterance ids (keep them in the order of the lists for --utts)"]
    short = sum(len(one.hypotheses) < _beam_size(nbest) for one in nbest)
    if short:
        lost.append(f"the length of {short} lists (filled with copies of their last hypothesis)")
    copies = sum(len(one.hypotheses) - len(_without_copies(list(one.hypotheses))) for one in nbest)
    if copies:
        lost.append(f"{copies} copies of the last hypothesis of a list (reading takes them off)")
    return lost + lost_references(nbest) + lost_parts(nbest) + lost_contexts(nbest) + lost_record(nbest)


FORMAT = Format(
    NAME,
    "text and score of a candidate a line, beam after beam; needs --utts",
    LOG_SCORES,
    looks_like,
    read,
    write,
    drops,
    more="decode with a beam_width above 1",
)
