"""Kaldi's binary archives of lattices, against bytes that Kaldi itself wrote."""

import base64
import io
import struct
import zlib
from pathlib import Path

import pytest
from archived_lattices import TABLE, corpora, expanded, write_bytes, write_expanded
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kaldi import COMPACT, EXPANDED, LATTICES, WORDS

from lorescore.errors import InputError
from lorescore.lattice.archives import read_lattices, write_lattices
from lorescore.lattice.kaldi_binary import read_binary
from lorescore.lattice.lattices import Cost, Final, Lattice
from lorescore.lattice.words import WordTable

# Kaldi 5.5 (OpenFst 1.6.7) wrote these from COMPACT and EXPANDED of test_kaldi.py; zlib and base64 make them short.
KALDI_COMPACT = zlib.decompress(
    base64.b64decode(
        "eNorLSkxVLj2d1MdGwMDQ1lqckl+kQCQlZyfW5CYXJKTWFKSmZxqYsLEAAHMDI6hmQwIwMKADhrqIZiBAaEHghkYDtgzMAg4gNiM"
        "UHkYmwVh1j4gtmeAimMzDxsAybFCMQyA9LND7fjJJBrAwODgwAS1h5UBPygtKdE1IilcpkZlNaDazUDYDmOSrGiMykLSzkxS0KM6"
        "DZs47uBFmAsDAG5DOYY="
    )
)
KALDI_LATTICE = zlib.decompress(
    base64.b64decode(
        "eNorLSkxVLj2d1MdGwMDQ1lqckl+EQeQlZNYUpKZnGrCxAABzAxOqY0MCMDBgA4a6kEYpp4RrAcEDtgzMAg4sEDFofQ+ILZnxKIP"
        "HYDE2YGYFUmMGUkfI6q5DD+ZRAMYGBwc2LCahqoH3U5WLGqY0dQwYlHDiqaGHYvNpSUlukZEhfPUqKwGdPtwA6C5xkQZ2xSZhRGE"
        "uKMPXQ224GDCE8QwHgDHfThE"
    )
)
NEVER = Final(Cost(float("inf"), float("inf")))


def packed(lattice: Lattice, table: WordTable, *, compact: bool = True, properties: int = 0) -> bytes:
    """A lattice as OpenFst writes it."""

    def weight(part: Final) -> bytes:
        costs = struct.pack("<ff", part.cost.graph, part.cost.acoustic)
        return costs + struct.pack(f"<i{len(part.alignment)}i", len(part.alignment), *part.alignment) * compact

    arc_type = b"compactlattice44" if compact else b"lattice4"
    parts = [lattice.utt.encode(), b" ", struct.pack("<ii", 2125659606, 6), b"vector"]
    parts += [struct.pack("<i", len(arc_type)), arc_type]
    parts += [struct.pack("<iiQqqq", 2, 0, properties, 0, lattice.num_states, 0)]
    for state, leaving in enumerate(lattice.leaving):
        parts += [weight(lattice.finals.get(state, NEVER)), struct.pack("<q", len(leaving))]
        for arc in leaving:
            word = table.ids[arc.word]
            first = word if compact else sum(arc.alignment)
            parts += [struct.pack("<ii", first, word), weight(Final(arc.cost, arc.alignment))]
            parts += [struct.pack("<i", arc.target)]
    return b"".join(parts)


def without_properties(archive: bytes) -> bytes:
    """OpenFst's property bits, of which this project makes no use, set to 0."""
    pieces = archive.split(arc_type := b"lattice44" if b"lattice44" in archive else b"lattice4")
    return arc_type.join([pieces[0], *(piece[:8] + bytes(8) + piece[16:] for piece in pieces[1:])])


@pytest.mark.parametrize("name", ["lat.1", "lat.1.gz"])
@pytest.mark.parametrize("mark", [b" ", b" \0B"])
def test_archives_that_kaldi_wrote(tmp_path: Path, name: str, mark: bytes) -> None:
    """With Kaldi's sign of binary data as well, which its lattice writers leave out."""
    magic = struct.pack("<i", 2125659606)
    for archive, lattices, text, write in (
        (KALDI_COMPACT, LATTICES, COMPACT, write_lattices),
        (KALDI_LATTICE, [expanded(lattice) for lattice in LATTICES], EXPANDED, write_expanded),
    ):
        found = list(read_lattices(write_bytes(tmp_path / name, archive.replace(b" " + magic, mark + magic)), WORDS))
        assert [lattice.utt for lattice in found] == ["utt1", "utt-2", "utt3"]
        assert [lattice.finals.keys() for lattice in found] == [lattice.finals.keys() for lattice in lattices]
        write(tmp_path / "text", found, WORDS)
        assert (tmp_path / "text").read_text() == text


def test_the_archives_of_these_tests_are_those_of_kaldi() -> None:
    assert b"".join(packed(lattice, WORDS) for lattice in LATTICES) == without_properties(KALDI_COMPACT)
    lattices = b"".join(packed(expanded(lattice), WORDS, compact=False) for lattice in LATTICES)
    assert lattices == without_properties(KALDI_LATTICE)


def in_floats(lattice: Lattice) -> list[tuple[object, ...]]:
    """A lattice with its costs in 32 bits, as they are in an archive."""

    def costs(cost: Cost) -> tuple[float, ...]:
        return struct.unpack("<ff", struct.pack("<ff", cost.graph, cost.acoustic))

    arcs = [(arc.source, arc.target, arc.word, costs(arc.cost), arc.alignment) for arc in lattice.arcs]
    return [lattice.utt, *arcs, *((state, costs(final.cost)) for state, final in lattice.finals.items())]


@settings(deadline=None)
@given(st.booleans().flatmap(lambda compact: st.tuples(corpora(3 if compact else 1), st.just(compact))))
def test_lattices_read_back(tmp_path_factory: pytest.TempPathFactory, drawn: tuple[list[Lattice], bool]) -> None:
    corpus, compact = drawn
    path, text = (tmp_path_factory.getbasetemp() / name for name in ("binary", "from_binary"))
    path.write_bytes(b"".join(packed(lattice, TABLE, compact=compact) for lattice in corpus))
    found = list(read_lattices(path, TABLE))
    assert list(map(in_floats, found)) == list(map(in_floats, corpus))
    (write_lattices if compact else write_expanded)(text, found, TABLE)  # nine digits are enough for 32 bits
    assert list(map(in_floats, read_lattices(text, TABLE))) == list(map(in_floats, found))


@pytest.mark.parametrize("archive", [KALDI_COMPACT, KALDI_LATTICE])
def test_every_cut_is_noticed(archive: bytes) -> None:
    """Only between two lattices an archive cannot be told from a shorter one."""
    ends = [len(archive)] + [archive.index(utt) for utt in (b"utt1 ", b"utt-2 ", b"utt3 ")]
    for length in set(range(len(archive))) - set(ends):
        cut = archive[:length]
        with pytest.raises(InputError, match="the file ends within") as error:
            list(read_binary(io.BytesIO(cut), Path("lat.1"), WORDS))
        assert str(error.value).startswith("lat.1: ") and error.value.mend


def at(place: int, form: str, value: float) -> bytes:
    """The first compact lattice with a number changed; header: 5 bytes of key, 4 magic, 10 + 20 types, then numbers."""
    changed = bytearray(packed(LATTICES[0], WORDS))
    struct.pack_into(form, changed, place, value)
    return bytes(changed)


NUMBERS = 5 + 4 + 10 + 20
STATES = NUMBERS + struct.calcsize("<iiQqqq")


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (at(5 + 4 + 4, "<c", b"c"), "not a binary lattice: an FST of type b'cector' with arcs b'compactlattice44'"),
        (at(5 + 4 + 10 + 4, "<c", b"x"), "an FST of type b'vector' with arcs b'xompactlattice44'"),
        (at(5 + 4, "<i", -1), "not a binary lattice: a type name of -1 bytes"),
        (at(NUMBERS, "<i", 3), "not a binary lattice: version 3, flags 0, 4 states, start 0"),
        (at(NUMBERS + 4, "<i", 1), "not a binary lattice: version 2, flags 1, 4 states, start 0"),
        (at(NUMBERS + 16, "<q", 4), "not a binary lattice: version 2, flags 0, 4 states, start 4"),
        (at(NUMBERS + 24, "<q", -1), "not a binary lattice: version 2, flags 0, -1 states, start 0"),
        (at(STATES, "<f", float("nan")), "not a binary lattice: a cost of nan,inf"),
        (at(STATES + 8, "<i", 2**31 - 1), "not a binary lattice: 2147483647 transition-ids on an arc"),
        (at(STATES + 20, "<i", 4), "not a binary lattice: labels 4 and 3 on an arc of a CompactLattice"),
        (at(STATES + 28, "<f", float("inf")), "not a binary lattice: a cost of inf,2.25"),
        (at(STATES + 52, "<i", 4), "not a binary lattice: an arc to state 4 of 4"),
        (at(STATES + 52, "<i", -1), "not a binary lattice: an arc to state -1 of 4"),
        (at(STATES + 52, "<i", 0), "the lattice of utterance utt1 has a cycle"),
        (at(NUMBERS + 16, "<q", -1), "the lattice of utterance utt1 has no path"),
        (packed(Lattice("utt1", (), {}), WORDS), "the lattice of utterance utt1 has no path"),
        (packed(Lattice("utt1", LATTICES[0].arcs, {}), WORDS), "the lattice of utterance utt1 has no path"),
        (KALDI_COMPACT + KALDI_LATTICE, "utterance utt1 for the second time"),
        (packed(LATTICES[0], WordTable({0: "-", 3: "the", 4: "a", 9: "cat"})), "word id 9 of utterance utt1 is not in"),
    ],
)
def test_garbage_is_named(tmp_path: Path, archive: bytes, message: str) -> None:
    path = write_bytes(tmp_path / "lat.1.gz", archive)
    with pytest.raises(InputError) as error:
        list(read_lattices(path, WORDS))
    assert message in str(error.value)
    assert "utt1" in str(error.value) and error.value.path == path and error.value.mend


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_any_bytes_are_read_or_refused_with_one_line(data: st.DataObject) -> None:
    archive = bytearray(packed(LATTICES[0], WORDS) * 2)
    for place in data.draw(st.lists(st.integers(0, len(archive) - 1), min_size=1, max_size=4)):
        archive[place] = data.draw(st.integers(0, 255))
    try:
        list(read_binary(io.BytesIO(bytes(archive)), Path("lat.1"), WORDS))
    except InputError as error:
        assert "\n" not in str(error) and str(error).startswith("lat.1: ")
