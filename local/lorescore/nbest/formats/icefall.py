"""icefall's `recogs-*.txt`: reference and 1-best of each utterance, as Python writes a list of words.

    utt:	ref=['THE', 'CAT']
    utt:	hyp=['THE', "CAT'S"]

`store_transcripts` of github.com/k2-fsa/icefall (icefall/utils.py) writes them; a text instead of a list is read too.
There is one hypothesis an utterance and no score: enough to be scored or converted, nothing to rescore. icefall keeps
lattices and N-best lists in memory and writes none; local/k2_lattices.py makes it write the lattices.
"""

import ast
import re
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import atomic_write, read_lines
from lorescore.nbest.formats.collect import Collector, words_of
from lorescore.nbest.formats.format import (
    NO_SCORES,
    Format,
    FormatOptions,
    head_lines,
    lost_contexts,
    lost_parts,
    lost_record,
    mostly,
)
from lorescore.nbest.lists import Hypothesis, NbestSet

NAME = "icefall"
LINE = re.compile(r"(\S.*):\t(ref|hyp|timestamp_ref|timestamp_hyp)=(.*)", re.ASCII)
MEND_LINE = "expected lines as utt:<TAB>hyp=['A', 'WORD']"


def looks_like(path: Path) -> str | None:
    """Lines with `:<TAB>hyp=` and `:<TAB>ref=`."""
    lines = head_lines(path)
    return "lines as utt:<TAB>hyp=[...]" if lines and mostly(lines, LINE.fullmatch) else None


def read(path: Path, options: FormatOptions) -> NbestSet:
    """The 1-best of a file, each with score 0.

    Raises:
        InputError: A line of another form, a list that is not of words, an utterance twice, a reference without a
            hypothesis, or the other way round.
    """
    lists = Collector(path)
    refs: set[str] = set()
    for number, line in read_lines(path):
        if not line:
            continue
        match = LINE.fullmatch(line)
        if match is None:
            raise InputError(f"found {line!r:.60}", path=path, line=number, mend=MEND_LINE)
        utt, kind, value = match.groups()
        if kind.startswith("timestamp"):
            continue
        if utt in (refs if kind == "ref" else lists):
            message = f"{kind} of utterance {utt} for the second time"
            raise InputError(message, path=path, line=number, mend="keep one line each")
        text = words_of(_text(value, path, number), path, number)
        if kind == "ref":
            refs.add(utt)
            lists.add_reference(utt, text, line=number)
        else:
            lists.add(utt, 1, Hypothesis(text, 0.0), line=number)
    return lists.nbest_set(NAME, options, [path])


def _text(value: str, path: Path, line: int) -> str:
    """The words of a written list, or the text itself."""
    if not (value.startswith("[") and value.endswith("]")):
        return value
    try:
        words = ast.literal_eval(value)  # literals only: nothing in a file is run
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        words = None
    if not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
        raise InputError(f"no list of words: {value!r:.60}", path=path, line=line, mend=MEND_LINE)
    return " ".join(words)


def write(path: Path, nbest: NbestSet, options: FormatOptions) -> None:
    """Write the 1-best, with the references where there are any."""
    with atomic_write(path) as file:
        for one in nbest:
            if nbest.refs:
                file.write(f"{one.utt}:\tref={nbest.refs[one.utt].split(' ') if nbest.refs[one.utt] else []}\n")
            file.write(f"{one.utt}:\thyp={one.hypotheses[0].words}\n")


def drops(nbest: NbestSet) -> list[str]:
    """What the format has no room for."""
    lost = []
    if beyond := nbest.num_hypotheses - len(nbest):
        lost.append(f"ranks beyond 1 ({beyond} hypotheses)")
    if any(one.hypotheses[0].score for one in nbest):
        lost.append("the scores")
    return lost + lost_parts(nbest) + lost_contexts(nbest) + lost_record(nbest)


FORMAT = Format(
    NAME,
    "recogs-*.txt: utt:<TAB>ref=[...] and utt:<TAB>hyp=[...], 1-best",
    NO_SCORES,
    looks_like,
    read,
    write,
    drops,
    unread="timestamps",
    more="recogs hold the best alone: write lattices by local/k2_lattices.py, for import-nbest --lattice_dir",
)
