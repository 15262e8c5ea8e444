"""The 39 phones of CMUdict (ARPAbet without stress marks) and how far apart two of them are to articulate.

Source of the features: the chart of the International Phonetic Association (2020) for the place, manner and voicing of
the consonants and for height, backness and rounding of the vowels. Source of their values and weights: ALINE
(G. Kondrak, Algorithms for Language Reconstruction, PhD thesis, Toronto 2002, chapter 4), which places each feature on
a scale from 0 to 1 and gives it a salience. ALINE has three heights; here the chart's seven are spread evenly over the
same scale, and a diphthong is the vowel that it starts from and the one that it glides to (this project's own).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from lorescore.pronunciation import STRESS_MARKS

# ALINE's positions on the scales of place and manner.
PLACES = {
    "bilabial": 1.0,
    "labiodental": 0.95,
    "dental": 0.9,
    "alveolar": 0.85,
    "retroflex": 0.8,
    "palato-alveolar": 0.75,
    "palatal": 0.7,
    "velar": 0.6,
    "glottal": 0.1,
}
MANNERS = {"stop": 1.0, "affricate": 0.9, "fricative": 0.8, "approximant": 0.6}
# Their saliences in ALINE: how much a difference of 1 in a feature weighs.
PLACE, MANNER, VOICE, NASAL, RETROFLEX, LATERAL = 40.0, 50.0, 10.0, 10.0, 10.0, 10.0
HEIGHT, BACKNESS, ROUND = 5.0, 5.0, 5.0
# ALINE scores a substitution C_sub - distance = 35 - distance, and does not compare a vowel with a consonant: here they
# are so far apart that nothing speaks for the one as the other (this project's own).
VOWEL_FOR_CONSONANT = 35.0


@dataclass(frozen=True, slots=True)
class Consonant:
    """How a consonant is made."""

    place: str
    manner: str
    voiced: bool
    nasal: bool = False
    retroflex: bool = False
    lateral: bool = False


@dataclass(frozen=True, slots=True)
class Vowel:
    """Where the tongue is in a vowel.

    Attributes:
        height: 1 close, 1/2 mid, 0 open.
        front: 1 front, 1/2 central, 0 back.
        rounded: Whether the lips are.
        retroflex: Whether it is r-coloured.
    """

    height: float
    front: float
    rounded: bool = False
    retroflex: bool = False


CONSONANTS: Mapping[str, Consonant] = MappingProxyType(
    {
        "P": Consonant("bilabial", "stop", False),
        "B": Consonant("bilabial", "stop", True),
        "T": Consonant("alveolar", "stop", False),
        "D": Consonant("alveolar", "stop", True),
        "K": Consonant("velar", "stop", False),
        "G": Consonant("velar", "stop", True),
        "M": Consonant("bilabial", "stop", True, nasal=True),
        "N": Consonant("alveolar", "stop", True, nasal=True),
        "NG": Consonant("velar", "stop", True, nasal=True),
        "CH": Consonant("palato-alveolar", "affricate", False),
        "JH": Consonant("palato-alveolar", "affricate", True),
        "F": Consonant("labiodental", "fricative", False),
        "V": Consonant("labiodental", "fricative", True),
        "TH": Consonant("dental", "fricative", False),
        "DH": Consonant("dental", "fricative", True),
        "S": Consonant("alveolar", "fricative", False),
        "Z": Consonant("alveolar", "fricative", True),
        "SH": Consonant("palato-alveolar", "fricative", False),
        "ZH": Consonant("palato-alveolar", "fricative", True),
        "HH": Consonant("glottal", "fricative", False),
        "L": Consonant("alveolar", "approximant", True, lateral=True),
        "R": Consonant("retroflex", "approximant", True, retroflex=True),
        "Y": Consonant("palatal", "approximant", True),
        "W": Consonant("bilabial", "approximant", True),  # labiovelar; ALINE takes the lips' place
    }
)
_CLOSE_FRONT, _NEAR_CLOSE_FRONT, _NEAR_CLOSE_BACK = Vowel(1, 1), Vowel(5 / 6, 0.75), Vowel(5 / 6, 0.25, True)
_OPEN_FRONT, _OPEN_MID_ROUND = Vowel(0, 1), Vowel(1 / 3, 0, True)
# Where each vowel starts and where it ends: the same place, but for a diphthong.
VOWELS: Mapping[str, tuple[Vowel, Vowel]] = MappingProxyType(
    {
        "IY": (_CLOSE_FRONT, _CLOSE_FRONT),
        "IH": (_NEAR_CLOSE_FRONT, _NEAR_CLOSE_FRONT),
        "EH": (Vowel(1 / 3, 1), Vowel(1 / 3, 1)),
        "AE": (Vowel(1 / 6, 1), Vowel(1 / 6, 1)),
        "AH": (
            Vowel(1 / 2, 0.5),
            Vowel(1 / 2, 0.5),
        ),  # the schwa and the vowel of `but`, which CMUdict does not tell apart
        "ER": (Vowel(1 / 2, 0.5, False, True), Vowel(1 / 2, 0.5, False, True)),
        "AA": (Vowel(0, 0), Vowel(0, 0)),
        "AO": (_OPEN_MID_ROUND, _OPEN_MID_ROUND),
        "UH": (_NEAR_CLOSE_BACK, _NEAR_CLOSE_BACK),
        "UW": (Vowel(1, 0, True), Vowel(1, 0, True)),
        "EY": (Vowel(2 / 3, 1), _NEAR_CLOSE_FRONT),
        "OW": (Vowel(2 / 3, 0, True), _NEAR_CLOSE_BACK),
        "AY": (_OPEN_FRONT, _NEAR_CLOSE_FRONT),
        "AW": (_OPEN_FRONT, _NEAR_CLOSE_BACK),
        "OY": (_OPEN_MID_ROUND, _NEAR_CLOSE_FRONT),
    }
)
PHONES = tuple(sorted([*CONSONANTS, *VOWELS]))


@cache
def as_cmudict(phone: str) -> str:
    """A phone in upper case and without stress (`AH1` is AH): the one of `PHONES` that it is, if it is one."""
    return phone.upper().rstrip(STRESS_MARKS)


@cache
def distance(phone: str, other: str) -> float:
    """How far apart two phones are, on ALINE's scale: 0 for the same, 6 for T and P, 10 for T and D, 40 for T and R.

    Raises:
        KeyError: A phone that is not one of `PHONES`.
    """
    if phone in VOWELS and other in VOWELS:
        steps = zip(VOWELS[phone], VOWELS[other], strict=True)
        return sum(_vowel_distance(one, two) for one, two in steps) / 2
    if phone in VOWELS or other in VOWELS:
        return VOWEL_FOR_CONSONANT
    one, two = CONSONANTS[phone], CONSONANTS[other]
    return (
        PLACE * abs(PLACES[one.place] - PLACES[two.place])
        + MANNER * abs(MANNERS[one.manner] - MANNERS[two.manner])
        + VOICE * (one.voiced != two.voiced)
        + NASAL * (one.nasal != two.nasal)
        + RETROFLEX * (one.retroflex != two.retroflex)
        + LATERAL * (one.lateral != two.lateral)
    )


def _vowel_distance(one: Vowel, two: Vowel) -> float:
    return (
        HEIGHT * abs(one.height - two.height)
        + BACKNESS * abs(one.front - two.front)
        + ROUND * (one.rounded != two.rounded)
        + RETROFLEX * (one.retroflex != two.retroflex)
    )
