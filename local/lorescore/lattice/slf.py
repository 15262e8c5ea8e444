"""Read a lattice in HTK's Standard Lattice Format (SLF), which HTK, SRILM, Julius and PocketSphinx write.

    VERSION=1.0                              header: any number of lines
    lmscale=14.00 wdpenalty=-10.00
    N=3 L=2                                  number of nodes and links
    I=0 t=0.00 W=!NULL                       node
    J=0 S=0 E=1 W=the a=-320.5 l=-2.1        link; word and scores stand here or on the node that it enters

The log score of a link is acscale x a + lmscale x l + prscale x r + wdpenalty, the last where its word is not !NULL:
HTK's LArcTotLike (HTKLib/HNet.h). Acoustic cost is the first term's negative, graph cost that of the rest, so that the
best path of graph plus acoustic cost is the decoder's. Source: Young et al., "The HTK Book", the chapter "HTK Standard
Lattice Format".
"""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from lorescore.errors import InputError
from lorescore.lattice.kaldi import from_start
from lorescore.lattice.lattices import EPSILON, Arc, Cost, Final, Lattice
from lorescore.lattice.words import is_natural

NULL_WORD = "!NULL"
# What is no word of the utterance: HTK's sentence marks, those of ARPA language models, and the fillers of
# PocketSphinx's noise dictionaries. !NULL is never a word.
FILLERS = frozenset(
    ("!ENTER", "!EXIT", "!SENT_START", "!SENT_END", "<s>", "</s>", "<sil>", "[NOISE]", "[SPEECH]", "[COUGH]")
)
FIELD = re.compile(r'([A-Za-z]\w*)=("(?:\\.|[^"\\])*"|(?:\\.|[^\s\\])*)(?=\s|$)', re.ASCII)
ESCAPE = re.compile(rb"\\(?:([0-3][0-7][0-7])|(.))", re.DOTALL)
LONG_NAMES = {
    "NODES": "N", "LINKS": "L", "START": "S", "END": "E", "WORD": "W", "acoustic": "a", "language": "l",
}  # fmt: skip
WRITE_AGAIN = "write the lattice again"


@dataclass(frozen=True)
class _Fields:
    """The fields of a line, or of the whole header.

    Attributes:
        path: The file.
        line: Its line; None for the header.
        values: The value of each field, by its short name.
    """

    path: Path
    line: int | None = None
    values: dict[str, str] = field(default_factory=dict)

    def integer(self, name: str) -> int:
        """A natural number that has to be there."""
        value = self.values.get(name, "")
        if not is_natural(value):
            raise self.error(f"expected {name}= and a number from 0, found {value!r:.60}")
        return int(value)

    def real(self, name: str, default: float) -> float:
        """A finite number."""
        try:
            value = float(self.values.get(name, default))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error(f"expected {name}= and a finite number, found {self.values[name]!r:.60}")
        return value

    def error(self, message: str) -> InputError:
        """An error at this line."""
        return InputError(message, path=self.path, line=self.line, mend=WRITE_AGAIN)


def read_slf(file: BinaryIO, path: Path, utt: str) -> Lattice:
    """The lattice of a file. Arcs have no alignment; times and pronunciation variants are not kept.

    Whether the lattice has a path is not looked at here.

    Args:
        file: The file, uncompressed.
        path: Its name, for messages.
        utt: The utterance's id: the header's UTTERANCE is a path as often as an id.

    Raises:
        InputError: A line is not of this form, a score is not a finite number, there are more or fewer nodes or links
            than the header says, a link's node is missing, the start or the end is not one node, or there are
            sub-lattices.
    """
    header, nodes, links = _Fields(path), dict[int, _Fields](), list[_Fields]()
    for number, raw in enumerate(file, start=1):
        fields = _fields(raw, path, number)
        if "SUBLAT" in fields.values or ("I" in fields.values and "L" in fields.values):
            raise fields.error("a sub-lattice, which this reader does not take")
        if "I" in fields.values:
            nodes[fields.integer("I")] = fields
        elif "J" in fields.values:
            links.append(fields)
        else:
            header.values.update(fields.values)
    for what, found, expected in (("nodes", nodes, header.integer("N")), ("links", links, header.integer("L"))):
        if len(found) != expected:
            raise header.error(f"{len(found)} {what}, the header says {expected}: the file was cut off or changed")
    for node in range(len(nodes)):
        if node not in nodes:
            raise header.error(f"node {node} is missing")

    scores = _Scores.of(header)
    arcs = [_arc(link, nodes, scores) for link in links]
    start = _end_node(header, "start", nodes, {arc.target for arc in arcs})
    end = _end_node(header, "end", nodes, {arc.source for arc in arcs})
    # Words and scores on nodes are those of the links that enter them; nothing enters this one.
    first, cost = _spoken(nodes[start].values.get("W", NULL_WORD)), scores.cost(nodes[start])
    if first != EPSILON or cost != Cost():
        arcs.append(Arc(len(nodes), start, first, cost))
        start = len(nodes)
    return from_start(utt, start, arcs, {end: Final()})


@dataclass(frozen=True, slots=True)
class _Scores:
    """How the header says that scores are combined, for logarithms of base e."""

    acoustic_scale: float
    lm_scale: float
    pronunciation_scale: float
    word_penalty: float
    log_base: float  # natural logarithm of the base; 0: the scores are probabilities

    @classmethod
    def of(cls, header: _Fields) -> "_Scores":
        base = header.real("base", math.e)
        if base < 0 or base == 1:
            raise header.error(f"base={base:g}, expected the base of the logarithms, or 0 for probabilities")
        log_base = math.log(base) if base else 0.0
        return cls(
            header.real("acscale", 1.0),
            header.real("lmscale", 1.0),
            header.real("prscale", 1.0),
            header.real("wdpenalty", 0.0) * (log_base or 1.0),
            log_base,
        )

    def cost(self, *lines: _Fields, penalty: float = 0.0) -> Cost:
        """The cost of a link, whose scores stand in the first of these lines that has them."""
        graph = self.lm_scale * self._log_score(lines, "l") + self.pronunciation_scale * self._log_score(lines, "r")
        acoustic = self.acoustic_scale * self._log_score(lines, "a")
        return Cost(0.0 - (graph + penalty), 0.0 - acoustic)  # 0.0 - x: no negative zeros

    def _log_score(self, lines: Sequence[_Fields], name: str) -> float:
        """A score as a natural logarithm; 0 where no line has it."""
        for line in lines:
            if name not in line.values:
                continue
            value = line.real(name, 0.0)
            if self.log_base:
                return value * self.log_base
            if value <= 0:
                raise line.error(f"{name}={value:g}, expected a probability above 0")
            return math.log(value)
        return 0.0


def _arc(link: _Fields, nodes: Mapping[int, _Fields], scores: _Scores) -> Arc:
    source, target = link.integer("S"), link.integer("E")
    for node in (source, target):
        if node not in nodes:
            raise link.error(f"a link of node {node}, which is not defined")
    word = link.values.get("W", nodes[target].values.get("W", NULL_WORD))
    # SRILM's -htk-scores-on-nodes leaves none but l on the links.
    cost = scores.cost(link, nodes[target], penalty=0.0 if word == NULL_WORD else scores.word_penalty)
    return Arc(source, target, _spoken(word), cost)


def _spoken(word: str) -> str:
    return EPSILON if word == NULL_WORD or word in FILLERS else word


def _end_node(header: _Fields, name: str, nodes: Collection[int], linked: Collection[int]) -> int:
    """The start or the end: what the header says, or the only node that no link enters or leaves."""
    candidates = [header.integer(name)] if name in header.values else [node for node in nodes if node not in linked]
    if len(candidates) != 1 or candidates[0] not in nodes:
        message = f"the {name} may be any of the nodes {candidates}" if candidates else f"no node can be the {name}"
        raise header.error(f"{message:.80}, expected one, or {name}= and a node in the header")
    return candidates[0]


def _fields(raw: bytes, path: Path, line: int) -> _Fields:
    """The fields of a line; none in a comment."""
    fields = _Fields(path, line)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise fields.error("not UTF-8 text") from None
    if text.startswith("#"):
        return fields
    rest = FIELD.sub("", text).split()
    if rest:
        raise fields.error(f"expected NAME=value, found {' '.join(rest)!r:.60}")
    for name, value in FIELD.findall(text):
        fields.values[LONG_NAMES.get(name, name)] = _unescaped(value)
    return fields


def _unescaped(value: str) -> str:
    r"""A value without its double quotes and HTK's escapes: `\'` for a quote, `\303\251` for the bytes of é."""
    if len(value) > 1 and value.startswith('"'):
        value = value[1:-1]
    if "\\" not in value:
        return value

    def character(match: re.Match[bytes]) -> bytes:
        return bytes([int(match[1], 8)]) if match[1] else match[2]

    return ESCAPE.sub(character, value.encode("utf-8")).decode("utf-8", errors="replace")
