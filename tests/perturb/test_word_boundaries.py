"""Other word boundaries: the same phones, none of them the homophones that leave the boundary where it is."""

import random

import pytest

from lorescore.nbest import Hypothesis, NbestList, NbestSet
from lorescore.perturb import HomophoneLexicon, Perturbation, PerturbationCounts, perturb

PHRASES = {
    "a": "AH",
    "nice": "N AY S",
    "an": "AH N",
    "ice": "AY S",
    "gneiss": "N AY S",
    "may": "M EY",
    "be": "B IY",
    "bee": "B IY",
    "maybe": "M EY B IY",
    "day": "D EY",
}


@pytest.fixture
def phrases() -> HomophoneLexicon:
    return HomophoneLexicon.from_entries((word, sound.split()) for word, sound in PHRASES.items())


def perturbed_text(text: str, lexicon: HomophoneLexicon) -> tuple[str, PerturbationCounts]:
    clean = NbestSet((NbestList("utt", (Hypothesis(text, -1.0),)),))
    made = perturb(clean, lexicon, Perturbation("1best", 1, 1, "split"))
    return made.nbest.lists[0].texts[0], made.counts


def test_one_or_two_words_for_one_or_two(phrases: HomophoneLexicon) -> None:
    assert phrases.boundaries.of(("a", "nice")) == (("an", "ice"),)  # not `a gneiss`
    assert phrases.boundaries.of(("AN", "ICE")) == (("a", "gneiss"), ("a", "nice"))
    assert phrases.boundaries.of(("maybe",)) == (("may", "be"), ("may", "bee"))
    assert phrases.boundaries.of(("may", "be")) == (("maybe",),)
    assert phrases.boundaries.of(("nice", "a")) == phrases.boundaries.of(("nice",)) == ()
    assert phrases.boundaries.of(("unheard",)) == phrases.boundaries.of(("a", "unheard")) == ()


@pytest.mark.parametrize(
    ("text", "expected", "replaceable"),
    [
        ("have a nice day", "have an ice day", 2),
        ("A NICE DAY", "AN ICE DAY", 2),
        ("A nice day", "An ice day", 2),
        ("Maybe", "May be|May bee", 1),
        ("MAYBE", "MAY BE|MAY BEE", 1),
        ("it may be so", "it maybe so", 2),
        ("May Be", "Maybe", 2),
        ("a day", "a day", 0),
        ("", "", 0),
    ],
)
def test_text(phrases: HomophoneLexicon, text: str, expected: str, replaceable: int) -> None:
    changed, counts = perturbed_text(text, phrases)
    assert changed in expected.split("|")
    assert counts == PerturbationCounts(1, int(replaceable > 0), len(text.split()), replaceable, replaceable)


def test_of_two_that_overlap_the_left_one_is_changed() -> None:
    # `x y z` is `xy z` or `x yz` elsewhere: A|B C|D, `ab` and `cd` with a boundary moved.
    entries = {"ab": "P T", "c": "K", "de": "S Z", "a": "P", "bc": "T K", "cd": "K S", "e": "Z"}
    lexicon = HomophoneLexicon.from_entries((word, sound.split()) for word, sound in entries.items())
    assert lexicon.boundaries.of(("ab", "c")) == (("a", "bc"),)
    assert lexicon.boundaries.of(("c", "de")) == (("cd", "e"),)
    assert perturbed_text("ab c de", lexicon) == ("a bc de", PerturbationCounts(1, 1, 3, 2, 2))


def test_cmudict_boundaries_have_the_same_phones(cmudict_lexicon: HomophoneLexicon) -> None:
    sounds = cmudict_lexicon.pronunciations
    words = random.Random(1).choices(sorted(word for word in sounds if len(word) < 6), k=600)

    def phrases_of(some: tuple[str, ...]) -> set[tuple[str, ...]]:
        said: set[tuple[str, ...]] = {()}
        for word in some:
            said = {(*before, *sound) for before in said for sound in sounds[word]}
        return said

    pairs = [(words[index], words[index + 1]) for index in range(len(words) - 1)]
    found = [(pair, other) for pair in pairs for other in cmudict_lexicon.boundaries.of(pair)]
    assert len(found) > 100
    for pair, other in found:
        assert pair != other
        assert phrases_of(pair) & phrases_of(other)
