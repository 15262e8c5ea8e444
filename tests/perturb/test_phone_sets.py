"""Lexicons in other phone sets than CMUdict's: phones as they are, and what is a misspelt phone all the same."""

from pathlib import Path

import pytest

from lorescore.errors import InputError
from lorescore.nbest import Hypothesis, NbestList, NbestSet
from lorescore.perturb import HomophoneLexicon, Perturbation, is_up_to_date, lexicon_entries, perturb

MANDARIN = """\
!SIL sil
<SPOKEN_NOISE> SPN
今天 j in1 t ian1
他 t a1
她 t a1
塔 t a3
在 z ai4
再 z ai4
桃 t ao2
涛 t ao1
"""
# は and ha, し and shi: one sequence of phones, several ways to cut it; N is a mora, n is a consonant.
JAPANESE = {
    "は": "h a",
    "し": "sh i",
    "箸": "h a sh i",
    "橋": "h a sh i",
    "本": "h o N",
    "ほん": "h o N",
    "穂の": "h o n",
}


@pytest.fixture
def lexicon_txt(tmp_path: Path) -> Path:
    (tmp_path / "lexicon.txt").write_text(MANDARIN, encoding="utf-8")
    return tmp_path / "lexicon.txt"


@pytest.fixture
def japanese() -> HomophoneLexicon:
    return HomophoneLexicon.from_entries((word, sound.split()) for word, sound in JAPANESE.items())


def lists(*texts: str) -> NbestSet:
    """One list of these texts."""
    hypotheses = tuple(Hypothesis(text, -float(rank)) for rank, text in enumerate(texts))
    return NbestSet((NbestList("utt", hypotheses),), {"utt": texts[0]}, {"checksum": "abc"})


def test_phones_are_taken_as_they_are(lexicon_txt: Path) -> None:
    assert lexicon_entries(lexicon_txt) == [
        ("今天", ("j", "in1", "t", "ian1")),
        ("他", ("t", "a1")),
        ("她", ("t", "a1")),
        ("塔", ("t", "a3")),
        ("在", ("z", "ai4")),
        ("再", ("z", "ai4")),
        ("桃", ("t", "ao2")),
        ("涛", ("t", "ao1")),
    ]


def test_a_tone_makes_another_pronunciation(lexicon_txt: Path) -> None:
    lexicon = HomophoneLexicon.for_vocabulary({"他", "她", "塔", "在", "桃", "涛"}, lexicon_txt)
    assert dict(lexicon.homophones) == {"他": ("她",), "她": ("他",)}


def test_the_whole_lexicon_says_which_phones_it_has(lexicon_txt: Path) -> None:
    # AO is a vowel of CMUdict's, where 1 and 2 would be stress.
    lexicon = HomophoneLexicon.for_vocabulary({"桃", "涛"}, lexicon_txt)
    assert not lexicon.homophones and lexicon.other_phone == "a1"
    assert lexicon.pronunciations["桃"] == (("t", "ao2"),)


def test_case_tells_phones_apart(japanese: HomophoneLexicon) -> None:
    assert japanese.homophones_of("本") == ("ほん",)
    assert japanese.homophones_of("穂の") == ()


def test_a_syllable_with_a_tone_is_no_laughter(lexicon_txt: Path) -> None:
    lexicon_txt.write_text("流 lau4\n褛 lau1\n佬 lou2\n[laughter] lau\n!SIL SIL\n", encoding="utf-8")
    assert [word for word, _ in lexicon_entries(lexicon_txt)] == ["流", "褛", "佬"]


@pytest.mark.parametrize("spell", [str.lower, str.upper])
def test_cmudicts_phones_in_any_case_with_stress_or_without(lexicon_txt: Path, spell: type[str]) -> None:
    lexicon_txt.write_text(f"insight {spell('ih1 n s ay2 t')}\nincite {spell('ih2 n s ay1 t')}\n")
    lexicon = HomophoneLexicon.for_vocabulary({"insight", "incite"}, lexicon_txt)
    assert lexicon.homophones_of("insight") == ("incite",)
    assert lexicon.pronunciations["incite"] == (("IH", "N", "S", "AY", "T"),)
    assert lexicon.other_phone == ""
    entries = [("insight", spell("ih1 n s ay2 t").split()), ("incite", spell("ih2 n s ay1 t").split())]
    assert HomophoneLexicon.from_entries(entries) == lexicon


GOOD = ["sun S AH N", "cat K AE T", "dog D AO G", "bee B IY1"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["bet B EH T", *GOOD, "tie T YA"], "lexicon.txt:6: unknown phone 'YA' of 'tie' .* .did you mean AY. valid: "),
        ([*GOOD, "hat h0 ae1 t"], "lexicon.txt:5: unknown phone 'h0' of 'hat' .* .did you mean HH. valid: AA "),
        ([*GOOD, "a X1", "b AX0"], "lexicon.txt:5: unknown phone 'X1' of 'a' in a lexicon of CMUdict's phones"),
        ([*GOOD[:2], "a AX"], "lexicon.txt:3: unknown phone 'AX' of 'a'"),  # one line in three
    ],
)
def test_a_misspelt_phone_of_cmudicts(lexicon_txt: Path, lines: list[str], message: str) -> None:
    lexicon_txt.write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(InputError, match=message):
        lexicon_entries(lexicon_txt)


@pytest.mark.parametrize(
    "lines",
    [
        # Spanish: 9 of 13 phones look like CMUdict's, but no word has these alone.
        ["casa K a S a", "perro P e R o", "lunes L u N e S", "fin F i N", "dato D a T o"],
        # English for the most part, but most phones are Mandarin.
        [*GOOD, *GOOD, "我 uo3", "国 g uo2", "学 x ve2 j iong3", "好 h ao3 q vn4 ia1 ua1 ie1 ou5 ei3"],
        # British: the schwa is a phone of its own.
        [*GOOD[:3], "about AX B AW T", "sofa S OW F AX"],
    ],
    ids=["Spanish", "English and Mandarin", "British"],
)
def test_other_phone_sets_that_look_like_cmudicts(lexicon_txt: Path, lines: list[str]) -> None:
    lexicon_txt.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    assert lexicon_entries(lexicon_txt) == [(word, tuple(phones)) for word, *phones in map(str.split, lines)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("今天 j in1 t ian1\n他\n", "lexicon.txt:2: no phones for '他', expected `word PH PH`"),
        ("今天 j in1 t ian1\n\n", "lexicon.txt:2: empty line"),
        ("!SIL 1.0 sil\n今天 1.0 j in1\n他 0.5 t a1\n", "lexicon.txt:2: unknown phone '1.0' of '今天' .*not lexiconp"),
        ("今天 1 j in1 t ian1\n他 1 t a1\n", "lexicon.txt:1: unknown phone '1' of '今天' .*not lexiconp.txt"),
        ("今天 j in1 t ian1\n他 0.25 t a1\n", "lexicon.txt:2: unknown phone '0.25' of '他' .*not lexiconp.txt"),
        ("cat 1e-05 K AE T\nbat 1 B AE T\n", "lexicon.txt:1: unknown phone '1e-05' of 'cat' .*not lexiconp.txt"),
    ],
)
def test_a_bad_line_of_another_phone_set_is_named(lexicon_txt: Path, text: str, message: str) -> None:
    lexicon_txt.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        lexicon_entries(lexicon_txt)


def test_a_number_can_be_a_phone(lexicon_txt: Path) -> None:
    lexicon_txt.write_text("öl 2: l\nöffnen 9 f n @ n\nsie z i:\nы 1\n", encoding="utf-8")  # SAMPA; X-SAMPA's 1
    assert lexicon_entries(lexicon_txt)[1::2] == [("öffnen", ("9", "f", "n", "@", "n")), ("ы", ("1",))]


def test_homophone_tied_and_insert(lexicon_txt: Path) -> None:
    lexicon = HomophoneLexicon.for_vocabulary({"今天", "他", "她", "在", "再"}, lexicon_txt)
    clean = lists("今天 他 在", "今天 他 再")
    expected = {
        "homophone": ["今天 她 再", "今天 她 在"],
        "tied": ["今天 她 再", "今天 她 在"],
        "insert": ["今天 他 在", "今天 她 再", "今天 他 再", "今天 她 在"],
    }
    for name, texts in expected.items():
        assert perturb(clean, lexicon, Perturbation("nbest", 1, perturbation=name)).nbest.lists[0].texts == texts


def test_split(japanese: HomophoneLexicon) -> None:
    assert japanese.boundaries.of(("は", "し")) == (("橋",), ("箸",))
    assert japanese.boundaries.of(("橋",)) == (("は", "し"),)
    (one,) = perturb(lists("橋 本"), japanese, Perturbation("1best", 1, perturbation="split")).nbest
    assert one.texts == ["は し 本"]


def test_near_is_refused(japanese: HomophoneLexicon, lexicon_txt: Path) -> None:
    message = "the perturbation near knows how far apart CMUdict's phones are, .* such as 'a' .take homophone, split, "
    with pytest.raises(InputError, match=message):
        perturb(lists("橋 本"), japanese, Perturbation("1best", 1, perturbation="near"))
    with pytest.raises(InputError, match=f"{lexicon_txt}: the perturbation near"):
        japanese.require_phones_for(["homophone", "near"], lexicon_txt)
    japanese.require_phones_for(["homophone", "split", "tied", "insert", "worst"])


def test_espeak_is_refused_before_it_is_called(lexicon_txt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match=f"{lexicon_txt}: --g2p espeak-ng pronounces words in CMUdict's .* 'a1'"):
        HomophoneLexicon.for_vocabulary(["他", "cat"], lexicon_txt, "espeak-ng")


def test_what_is_written_can_be_read(lexicon_txt: Path, tmp_path: Path) -> None:
    vocab = {word for word, _ in lexicon_entries(lexicon_txt)}
    lexicon = HomophoneLexicon.for_vocabulary(vocab, lexicon_txt)
    lexicon.write(tmp_path / "out")
    homophones = (tmp_path / "out" / "homophones.txt").read_text(encoding="utf-8")
    assert homophones == "他 她\n再 在\n在 再\n她 他\n"
    assert HomophoneLexicon.from_entries(lexicon_entries(tmp_path / "out" / "lexicon.txt")) == lexicon


@pytest.mark.parametrize(("old", "new"), [("她 t a1", "她 t a2"), ("她 t a1", "她 T a1"), ("塔 t a3", "塔 t a1")])
def test_another_tone_or_case_is_another_lexicon(lexicon_txt: Path, old: str, new: str) -> None:
    vocab, clean, settings = {"他", "她", "塔"}, lists("他"), Perturbation("1best", 1)
    before = HomophoneLexicon.for_vocabulary(vocab, lexicon_txt)
    made = perturb(clean, before, settings).nbest
    lexicon_txt.write_text(MANDARIN.replace(old, new), encoding="utf-8")
    after = HomophoneLexicon.for_vocabulary(vocab, lexicon_txt)
    assert after.checksum != before.checksum and after.sound_checksum != before.sound_checksum
    assert is_up_to_date(made.info, clean, before, settings)
    assert not is_up_to_date(made.info, clean, after, settings)
