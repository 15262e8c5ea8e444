"""Kaldi's text archives of lattices.

    utt1                             CompactLattice: an acceptor of words
    0   1   17   3.5,120.25,2_2_8    source, target, word, graph cost, acoustic cost, transition-ids
    1   0.25,0,                      a final state and its weight
                                     an empty line ends the lattice
    utt2                             Lattice: one transition-id an arc
    0   1   2   17   3.5,120.25      source, target, transition-id, word, costs

As OpenFst's printer writes it for Kaldi (`lattice-copy ark:- ark,t:-`; src/lat/kaldi-lattice.cc, fst/script/
print-impl.h): tabs between fields, the start state first and the others in increasing order, a state's arcs before its
final line, a weight of zero costs and no transition-ids left out, and a state without any arc that is not final as
`2 Infinity,Infinity,`. Costs are written with six significant digits where these are the value, as the OpenFst of most
Kaldi builds does, and otherwise with nine, as newer ones do, which is enough for every 32-bit float.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from lorescore.errors import InputError
from lorescore.files import split_words
from lorescore.lattice.lattices import Arc, Cost, Final, Lattice
from lorescore.lattice.words import WordTable, is_natural

NEVER = "Infinity,Infinity"  # Kaldi's weight Zero, of a state that is not final; a comma follows in a CompactLattice
NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
LATTICE_WEIGHT = re.compile(rf"({NUMBER}),({NUMBER})")
COMPACT_WEIGHT = re.compile(rf"({NUMBER}),({NUMBER}),([0-9]{{1,18}}(?:_[0-9]{{1,18}})*)?")
COPY_AGAIN = "copy it again: lattice-copy ark:... ark,t:..."


def read_text(file: BinaryIO, path: Path, table: WordTable) -> Iterator[Lattice]:
    """The lattices of a text archive, one at a time; Lattice and CompactLattice are told apart line by line.

    Whether a lattice has a path is not looked at here.

    Args:
        file: The archive, uncompressed.
        path: Its name, for messages.
        table: The words.

    Raises:
        InputError: A line is not of this form, has a cost that is not a finite number or a word id that the table
            does not have, a state number is left out, or the file ends within a lattice.
    """
    parts: _Parts | None = None
    for number, raw in enumerate(file, start=1):
        try:
            fields = split_words(raw.decode("utf-8"))
        except UnicodeDecodeError:
            raise InputError("not UTF-8 text", path=path, line=number, mend=COPY_AGAIN) from None
        if parts is None:
            if not fields:
                continue  # Kaldi skips white space before an utterance id
            if len(fields) > 1:
                message = f"expected an utterance id alone, found {' '.join(fields)!r:.60}"
                raise InputError(message, path=path, line=number, mend=COPY_AGAIN)
            parts = _Parts(fields[0], path, number, table)
        elif fields:
            parts.add(fields, number)
        else:
            yield parts.lattice()
            parts = None
    if parts is not None:
        message = f"the file ends within the lattice of utterance {parts.utt}: no empty line after it"
        raise InputError(message, path=path, mend="it was cut off: make or copy it again")


def from_start(utt: str, start: int, arcs: Iterable[Arc], finals: Mapping[int, Final]) -> Lattice:
    """A lattice in the form of the type: the start becomes state 0, the other states keep their order.

    Args:
        utt: The utterance's id.
        start: The start state.
        arcs: The arcs, in any order; those that leave the same state keep theirs.
        finals: The final states.
    """
    if start:

        def moved(state: int) -> int:
            return 0 if state == start else state + (state < start)

        arcs = [replace(arc, source=moved(arc.source), target=moved(arc.target)) for arc in arcs]
        finals = {moved(state): final for state, final in finals.items()}
    return Lattice(utt, tuple(sorted(arcs, key=lambda arc: arc.source)), dict(sorted(finals.items())))


def text_lines(lattice: Lattice, table: WordTable) -> Iterator[str]:
    """What stands in a text archive for a CompactLattice, line by line with line ends.

    Args:
        lattice: The lattice.
        table: The words.

    Raises:
        InputError: The table does not have a word, a cost is not finite, or the utterance id is empty or has white
            space.
    """
    if split_words(lattice.utt) != [lattice.utt]:
        raise InputError(f"utterance id {lattice.utt!r} is empty or has white space", mend="rename the utterance")
    yield f"{lattice.utt} \n"
    for state, leaving in enumerate(lattice.leaving):
        for arc in leaving:
            if arc.word not in table.ids:
                message = f"word {arc.word} of utterance {lattice.utt} is not in {table.path or 'the word table'}"
                raise InputError(message, mend="add it to words.txt")
            yield f"{state}\t{arc.target}\t{table.ids[arc.word]}{_printed_weight(lattice.utt, arc)}\n"
        if final := lattice.finals.get(state):
            yield f"{state}{_printed_weight(lattice.utt, final)}\n"
        elif not leaving:
            yield f"{state}\t{NEVER},\n"
    yield "\n"


def _printed_weight(utt: str, part: Arc | Final) -> str:
    """A weight as Kaldi prints it, after a tab; nothing for the weight One."""
    graph, acoustic = part.cost.graph, part.cost.acoustic
    if not (math.isfinite(graph) and math.isfinite(acoustic)):
        raise InputError(f"a cost of {graph},{acoustic} in the lattice of utterance {utt}", mend="rescore it again")
    if not (graph or acoustic or part.alignment):
        return ""
    return f"\t{_printed_cost(graph)},{_printed_cost(acoustic)},{'_'.join(map(str, part.alignment))}"


def _printed_cost(cost: float) -> str:
    # Not always nine digits: what was read as 1.23457e+06 would be written as 1234570.
    six_digits = f"{cost:.6g}"
    return six_digits if float(six_digits) == cost else f"{cost:.9g}"


@dataclass
class _Parts:
    """What has been read of one lattice.

    Attributes:
        utt: The utterance's id.
        path: The archive.
        line: Where the lattice begins.
        table: The words.
        compact: Whether it is a CompactLattice; None before the first line that tells.
        arcs: Its arcs.
        finals: Its final states.
        states: The states that were named, in the order in which they were.
    """

    utt: str
    path: Path
    line: int
    table: WordTable
    compact: bool | None = None
    arcs: list[Arc] = field(default_factory=list)
    finals: dict[int, Final] = field(default_factory=dict)
    states: dict[int, None] = field(default_factory=dict)

    def add(self, fields: list[str], line: int) -> None:
        """Take one line: `source target [transition-id] word [weight]` or `state [weight]`."""
        is_arc = len(fields) > 2
        compact = len(fields) == 3 or (len(fields) == 4 and "," in fields[3]) if is_arc else fields[-1].count(",") == 2
        num_labels = (3 if compact else 4) if is_arc else 1
        if len(fields) > 5 or not all(map(is_natural, fields[:num_labels])):
            raise self._wrong("`source target word weight` or `state weight`", fields, line)
        labels, weight = list(map(int, fields[:num_labels])), fields[num_labels:]
        if is_arc or weight:  # a state alone stands in both kinds
            if self.compact not in (None, compact):
                raise self._wrong("all lines of a CompactLattice or all of a Lattice", fields, line)
            self.compact = compact
        self.states.setdefault(labels[0])
        if is_arc:
            self.states.setdefault(labels[1])
            cost, alignment = self._weight(weight, compact, line)
            if not compact:
                alignment = (labels[2],) if labels[2] else ()
            word = self.table.word(labels[-1], self.utt, self.path, line)
            self.arcs.append(Arc(labels[0], labels[1], word, cost, alignment))
        elif labels[0] in self.finals:
            raise self._wrong("one line for a final state", fields, line)
        elif weight not in ([NEVER], [f"{NEVER},"]):
            self.finals[labels[0]] = Final(*self._weight(weight, compact, line))

    def lattice(self) -> Lattice:
        """The lattice that is complete."""
        largest = max(self.states, default=0)
        if largest >= len(self.states) > 0:
            missing = next(state for state in range(largest) if state not in self.states)
            message = f"state {missing} of utterance {self.utt} is left out, the last is {largest}"
            raise InputError(message, path=self.path, line=self.line, mend="number the states from 0 without a gap")
        return from_start(self.utt, next(iter(self.states), 0), self.arcs, self.finals)

    def _weight(self, weight: list[str], compact: bool, line: int) -> tuple[Cost, tuple[int, ...]]:
        """Costs and transition-ids of a weight; of the weight One where it is left out."""
        if not weight:
            return Cost(), ()
        match = (COMPACT_WEIGHT if compact else LATTICE_WEIGHT).fullmatch(weight[0])
        cost = Cost(float(match[1]), float(match[2])) if match else Cost(math.nan, math.nan)
        if not match or not math.isfinite(cost.graph + cost.acoustic):
            form = "graph,acoustic,transition-ids" if compact else "graph,acoustic"
            raise self._wrong(f"a weight `{form}` with finite costs", weight, line)
        return cost, tuple(map(int, match[3].split("_"))) if compact and match[3] else ()

    def _wrong(self, expected: str, found: list[str], line: int) -> InputError:
        message = f"utterance {self.utt}: expected {expected}, found {' '.join(found)!r:.60}"
        return InputError(message, path=self.path, line=line, mend=COPY_AGAIN)
