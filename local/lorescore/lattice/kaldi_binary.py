"""Read Kaldi's binary archives of lattices: what its decoders leave in lat.JOB.gz.

    archive  = (utterance id, a space, lattice)*
    lattice  = header, state*
    header   = magic number, FST type, arc type (strings with their length), version, flags, properties, start,
               number of states, number of arcs
    state    = final weight, number of arcs, arc*
    arc      = input label, output label, weight, target state
    weight   = graph cost, acoustic cost; in a CompactLattice also the number of transition-ids and these

All numbers are little-endian; costs are 32-bit floats. Sources: OpenFst's fst/fst.cc (FstHeader) and
fst/vector-fst.h (WriteFst); Kaldi's src/lat/kaldi-lattice.cc and src/fstext/lattice-weight.h. kaldifst 1.8.3,
kaldi_native_io 1.23 and kaldiio 2.18 do not read CompactLattices.
"""

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from lorescore.errors import InputError
from lorescore.lattice.kaldi import from_start
from lorescore.lattice.lattices import Arc, Cost, Final, Lattice
from lorescore.lattice.words import WordTable

MAGIC = struct.pack("<i", 2125659606)  # OpenFst's kFstMagicNumber
BINARY_MARK = b"\0B"  # Kaldi's sign of binary data; its lattice writers leave it out, other programs do not
LATTICE, COMPACT_LATTICE = b"lattice4", b"compactlattice44"  # arc types
VECTOR = b"vector"  # the FST type
HEADER = struct.Struct("<iiQqqq")  # version, flags, properties, start, number of states, number of arcs
VERSION = 2
MAX_UTT_BYTES = 1024
MAX_TYPE_BYTES = 64
MAX_FRAMES = 1_000_000  # on one arc: 2.8 hours at 100 frames a second
NEVER = Cost(math.inf, math.inf)  # of a state that is not final
NOT_BINARY = "give lattices as Kaldi's decoders write them, or text: lattice-copy ark:... ark,t:..."


def read_binary(file: BinaryIO, path: Path, table: WordTable) -> Iterator[Lattice]:
    """The lattices of a binary archive, one at a time; each may be a Lattice or a CompactLattice.

    Whether a lattice has a path is not looked at here.

    Args:
        file: The archive, uncompressed.
        path: Its name, for messages.
        table: The words.

    Raises:
        InputError: The bytes are no lattices, the file ends within one, a cost is not finite, or the table does not
            have a word id.
    """
    reader = _Reader(file, path, table)
    while reader.next_utt():
        yield reader.lattice()


class _Reader:
    """Reads an archive from front to back."""

    def __init__(self, file: BinaryIO, path: Path, table: WordTable) -> None:
        self.file, self.path, self.table, self.utt = file, path, table, ""

    def next_utt(self) -> bool:
        """Read the id of the next utterance; False at the end of the file."""
        key = bytearray()
        while (byte := self.file.read(1)) not in (b"", b" ", b"\t") or not key:
            if not byte:
                return False
            if not byte.isspace():  # white space before an id is skipped, as Kaldi does
                key += byte
            if len(key) > MAX_UTT_BYTES or byte == b"\0":
                raise self._garbage("no utterance id and space")
        try:
            self.utt = key.decode("utf-8")
        except UnicodeDecodeError:
            raise self._garbage("an utterance id that is not UTF-8") from None
        return True

    def lattice(self) -> Lattice:
        """The lattice that stands after an utterance id."""
        magic = self._bytes(2)
        magic = self._bytes(4) if magic == BINARY_MARK else magic + self._bytes(2)
        if magic != MAGIC:
            raise self._garbage("no OpenFst header")
        fst_type, arc_type = self._type_name(), self._type_name()
        if fst_type != VECTOR or arc_type not in (LATTICE, COMPACT_LATTICE):
            raise self._garbage(f"an FST of type {fst_type!r} with arcs {arc_type!r}")
        version, flags, _, start, num_states, _ = HEADER.unpack(self._bytes(HEADER.size))
        if version != VERSION or flags or num_states < 0 or not -1 <= start < num_states:
            raise self._garbage(f"version {version}, flags {flags}, {num_states} states, start {start}")

        arcs: list[Arc] = []
        finals: dict[int, Final] = {}
        for state in range(num_states):
            final = Final(*self._weight(arc_type))
            if final.cost != NEVER:
                self._require_finite(final.cost)
                finals[state] = final
            for _ in range(self._numbers("q")[0]):
                arcs.append(self._arc(state, arc_type, num_states))
        return from_start(self.utt, start, arcs, finals) if start >= 0 else Lattice(self.utt, (), {})

    def _arc(self, source: int, arc_type: bytes, num_states: int) -> Arc:
        input_label, word_id = self._numbers("ii")
        cost, alignment = self._weight(arc_type)
        self._require_finite(cost)
        (target,) = self._numbers("i")
        if not 0 <= target < num_states:
            raise self._garbage(f"an arc to state {target} of {num_states}")
        if arc_type == LATTICE:
            alignment = (input_label,) if input_label else ()
        elif input_label != word_id:
            raise self._garbage(f"labels {input_label} and {word_id} on an arc of a CompactLattice, which has one")
        return Arc(source, target, self.table.word(word_id, self.utt, self.path), cost, alignment)

    def _weight(self, arc_type: bytes) -> tuple[Cost, tuple[int, ...]]:
        cost = Cost(*self._numbers("ff"))
        if arc_type == LATTICE:
            return cost, ()
        (frames,) = self._numbers("i")
        if not 0 <= frames <= MAX_FRAMES:
            raise self._garbage(f"{frames} transition-ids on an arc")
        return cost, self._numbers(f"{frames}i")

    def _type_name(self) -> bytes:
        (length,) = self._numbers("i")
        if not 0 < length <= MAX_TYPE_BYTES:
            raise self._garbage(f"a type name of {length} bytes")
        return self._bytes(length)

    def _numbers(self, form: str) -> tuple[Any, ...]:
        form = "<" + form
        return struct.unpack(form, self._bytes(struct.calcsize(form)))

    def _bytes(self, size: int) -> bytes:
        content = self.file.read(size)
        if len(content) < size:
            message = f"the file ends within the lattice of utterance {self.utt}"
            raise InputError(message, path=self.path, mend="it was cut off: make or copy it again")
        return content

    def _require_finite(self, cost: Cost) -> None:
        if not math.isfinite(cost.graph + cost.acoustic):
            raise self._garbage(f"a cost of {cost.graph},{cost.acoustic}")

    def _garbage(self, found: str) -> InputError:
        where = f"utterance {self.utt}: " if self.utt else ""
        return InputError(f"{where}not a binary lattice: {found}", path=self.path, mend=NOT_BINARY)
