"""Words with punctuation attached: they are replaced as the words that they are, and the punctuation stays."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorescore.nbest import Hypothesis, NbestList, NbestSet
from lorescore.perturb import HomophoneLexicon, Perturbation, nbest_vocabulary, perturb, perturb_list
from lorescore.perturb.expansion import Expansion, word_counts
from lorescore.perturb.punctuation import bare

ENTRIES = {
    **{"sun": "S AH N", "son": "S AH N", "a": "AH", "nice": "N AY S", "niece": "N IY S", "an": "AH N", "ice": "AY S"},
    **{"i": "AY", "eye": "AY"},
}
LEXICON = HomophoneLexicon.from_entries((word, sound.split()) for word, sound in ENTRIES.items())
MARKS = re.compile(r"[\w'’ ]")


def one_list(*texts: str) -> NbestSet:
    return NbestSet((NbestList("u", tuple(Hypothesis(text, -float(rank)) for rank, text in enumerate(texts))),))


def perturbed(text: str, perturbation: str = "homophone", lexicon: HomophoneLexicon = LEXICON) -> str:
    settings = Perturbation("nbest", 1, 1, perturbation)
    return perturb_list(one_list(text).lists[0], settings, lexicon).texts[0]


@pytest.mark.parametrize(
    ("written", "apart"),
    [
        ("sun,", ("", "sun", ",")),
        ('("Sun!"', ('("', "Sun", '!"')),
        ("¿sol?", ("¿", "sol", "?")),
        ("son's.", ("", "son's", ".")),
        ("天气。", ("", "天气", "。")),
        ("हिन्दी।", ("", "हिन्दी", "।")),  # ends in a vowel sign
        *((whole, ("", whole, "")) for whole in ("sun", "—", "<unk>", "[noise],", "!SIL", "o'clock", "well-known", "")),
    ],
)
def test_a_word_and_what_is_attached(written: str, apart: tuple[str, str, str]) -> None:
    assert bare(written) == apart


@given(st.text(max_size=8))
def test_nothing_is_lost(written: str) -> None:
    parts = bare(written)
    assert "".join(parts) == written and bool(parts.word) == bool(written)


@pytest.mark.parametrize(
    ("perturbation", "text", "expected"),
    [
        ("homophone", '"The sun, I saw; the Sun!"', '"The son, Eye saw; the Son!"'),
        ("homophone", "THE SUN. [SUN], I? <sun>", "THE SON. [SUN], EYE? <sun>"),
        ("tied", "Sun, sun. SUN", "Son, son. SON"),
        ("split", "(a nice, day", "(an ice, day"),
        ("split", "an ice.", "a nice."),
        ("split", "a, nice day", "a, nice day"),  # what is between two words keeps them apart
        ("near", "niece!", "nice!"),
    ],
)
def test_punctuation_stays(perturbation: str, text: str, expected: str) -> None:
    assert perturbed(text, perturbation) == expected


@given(st.lists(st.sampled_from(["sun", "Sun", "a", "nice", "i", "x"]), max_size=6), st.sampled_from([",", "!?", '."']))
def test_as_without_punctuation(words: list[str], mark: str) -> None:
    """What a word is replaced by does not depend on what is attached to it, nor do the counts."""
    for perturbation in ("homophone", "tied", "near"):
        settings = Perturbation("nbest", 0.5, 3, perturbation)
        plain = perturb(one_list(" ".join(words)), LEXICON, settings)
        marked = perturb(one_list(" ".join(f"{word}{mark}" for word in words)), LEXICON, settings)
        assert marked.nbest.lists[0].texts[0].replace(mark, "") == plain.nbest.lists[0].texts[0]
        assert marked.counts == plain.counts


def test_a_dictionary_that_has_the_punctuation_itself() -> None:
    """WSJ's spelled letters, `B.` and `C.`: they are replaced as they are written."""
    entries = [("b.", ["B", "IY"]), ("bee", ["B", "IY"]), ("sun", ["S", "AH", "N"])]
    assert perturbed("B. sun.", lexicon=HomophoneLexicon.from_entries(entries)) == "BEE sun."


def test_lexicon_and_versions_of_written_lists() -> None:
    nbest = one_list("The sun, I saw.", "The son. Sun?", "Sun, sun.")
    lexicon = HomophoneLexicon.for_vocabulary(nbest_vocabulary([nbest]))
    assert lexicon.homophones_of("Sun") == ("son",)
    counts = word_counts([nbest])
    assert (counts["sun"], counts["sun,"], counts["saw"]) == (1, 1, 1)
    versions = Expansion(lexicon.homophones, counts).expand(one_list("The Son."))
    assert versions.lists[0].texts == ["The Son.", "The Sun."]
    assert not MARKS.sub("", "".join(lexicon.pronunciations))
