"""The path of a lattice with the fewest word errors."""

import pytest
from drawn_lattices import every_path, lattices
from hypothesis import given, settings
from hypothesis import strategies as st

from lorescore.errors import InputError
from lorescore.lattice.lattices import Arc, Cost, Final, Lattice
from lorescore.lattice.oracle import Oracle, lattice_oracle
from lorescore.wer import edit_counts


def lattice_of(*arcs: tuple[int, int, str], final: int) -> Lattice:
    return Lattice("u", tuple(Arc(source, target, word, Cost()) for source, target, word in arcs), {final: Final()})


# a {cat | hat} {sat |} on the mat
MAT = lattice_of(
    (0, 1, "a"),
    (1, 2, "cat"),
    (1, 2, "hat"),
    (2, 3, "sat"),
    (2, 3, ""),
    (3, 4, "on"),
    (4, 5, "the"),
    (5, 6, "mat"),
    final=6,
)


@pytest.mark.parametrize(
    ("ref", "errors", "words"),
    [
        ("a hat sat on the mat", 0, "a hat sat on the mat"),
        ("a hat on the mat", 0, "a hat on the mat"),
        ("the hat sat on mat", 2, "a hat sat on the mat"),
        ("hat on the mat", 1, "a hat on the mat"),
        # `cat` and `hat` are both wrong: the first in the order of the words.
        ("a bat sat on the mat", 1, "a cat sat on the mat"),
        ("", 5, "a cat on the mat"),
        ("A HAT", 5, "a cat on the mat"),
        ("a cat sat on the mat and a hat on the mat", 6, "a cat sat on the mat"),
    ],
)
def test_small_lattice(ref: str, errors: int, words: str) -> None:
    assert lattice_oracle(MAT, ref) == Oracle(errors, tuple(words.split()))


def test_an_empty_path() -> None:
    assert lattice_oracle(Lattice("u", (), {0: Final()}), "a b") == Oracle(2, ())
    assert lattice_oracle(Lattice("u", (), {0: Final()}), "") == Oracle(0, ())


def test_no_path() -> None:
    with pytest.raises(InputError, match="the lattice of utterance u has no path"):
        lattice_oracle(lattice_of((0, 1, "a"), final=2), "a")


@settings(deadline=None, max_examples=400)
@given(lattices(), st.lists(st.sampled_from("abcd"), max_size=6).map(" ".join))
def test_oracle_is_brute_force(lattice: Lattice, ref: str) -> None:
    errors = {words: edit_counts(ref, " ".join(words)).errors for words, _ in every_path(lattice)}
    best = min((count, words) for words, count in errors.items())
    assert lattice_oracle(lattice, ref) == Oracle(*best)
