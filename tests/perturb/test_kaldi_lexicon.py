"""A user's own lexicon.txt, and pronunciations by eSpeak NG of words that the dictionary lacks."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lorescore.errors import InputError
from lorescore.perturb import HomophoneLexicon, lexicon_entries
from lorescore.perturb.g2p import PHONES_OF_IPA, espeak_entries
from lorescore.perturb.phones import PHONES

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is missing")


@pytest.fixture
def lexicon_txt(tmp_path: Path) -> Path:
    return tmp_path / "lexicon.txt"


def test_reads_a_kaldi_lexicon(lexicon_txt: Path) -> None:
    lexicon_txt.write_text("!SIL SIL\n<UNK>\tSPN\nREAD R EH1 D\nRead r iy d\nÉTÉ  EY T EY\nact'ed AE K T\n")
    assert lexicon_entries(lexicon_txt) == [
        ("read", ("R", "EH", "D")),
        ("read", ("R", "IY", "D")),
        ("été", ("EY", "T", "EY")),
        ("act'ed", ("AE", "K", "T")),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("cat", "lexicon.txt:2: no phones for 'cat', expected `word PH PH`"),
        ("", "lexicon.txt:2: empty line"),
        ("cat K EA T", "lexicon.txt:2: unknown phone 'EA' of 'cat' .* .did you mean AE. valid: AA AE "),
        ("cat 0.99 K AE T", "lexicon.txt:2: unknown phone '0.99' of 'cat' .*not lexiconp.txt"),
        ("cat K_B AE_I T_E", "unknown phone 'K_B'"),
    ],
)
def test_a_bad_line_is_named(lexicon_txt: Path, line: str, message: str) -> None:
    lexicon_txt.write_text(f"sun S AH N\n{line}\nson S AH N\n")
    with pytest.raises(InputError, match=message):
        lexicon_entries(lexicon_txt)


def test_a_lexicon_of_noises_alone(lexicon_txt: Path) -> None:
    lexicon_txt.write_text("!SIL SIL\n<UNK> SPN\n")
    with pytest.raises(InputError, match="no words with phones"):
        lexicon_entries(lexicon_txt)


def test_a_users_lexicon_replaces_cmudict(lexicon_txt: Path) -> None:
    lexicon_txt.write_text("sun S AH N\nmoon S AH N\n")
    lexicon = HomophoneLexicon.for_vocabulary(["SUN", "MOON", "SON"], lexicon_txt)
    assert dict(lexicon.homophones) == {"moon": ("sun",), "sun": ("moon",)}
    assert "son" not in lexicon.pronunciations


def test_what_is_written_can_be_read(lexicon: HomophoneLexicon, tmp_path: Path) -> None:
    lexicon.write(tmp_path)
    assert HomophoneLexicon.from_entries(lexicon_entries(tmp_path / "lexicon.txt")) == lexicon


@needs_espeak
def test_espeak_pronounces_what_cmudict_lacks() -> None:
    vocab = ["there", "theyre", "catte", "cat", "dog", "<unk>", "42", "naïve"]
    without = HomophoneLexicon.for_vocabulary(vocab)
    assert set(without.pronunciations) == {"there", "cat", "dog"}
    lexicon = HomophoneLexicon.for_vocabulary(vocab, g2p="espeak-ng")
    assert set(lexicon.pronunciations) == {"there", "theyre", "catte", "cat", "dog"}
    assert lexicon.homophones_of("catte") == ("cat",)
    assert lexicon.pronunciations["dog"] == without.pronunciations["dog"] == (("D", "AO", "G"),)  # eSpeak: D AA G


@needs_espeak
def test_espeak_in_cmudicts_phones() -> None:
    words = ["cat", "bird", "furry", "cheese", "joy", "measure", "singing"]
    assert dict(espeak_entries(words)) == {
        "bird": ("B", "ER", "D"),
        "cat": ("K", "AE", "T"),
        "cheese": ("CH", "IY", "Z"),
        "furry": ("F", "ER", "IY"),
        "joy": ("JH", "OY"),
        "measure": ("M", "EH", "ZH", "ER"),
        "singing": ("S", "IH", "NG", "IH", "NG"),
    }


def test_ipa_maps_to_phones() -> None:
    assert {phone for phones in PHONES_OF_IPA.values() for phone in phones.split()} == set(PHONES)


def test_espeak_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="apt-get install espeak-ng"):
        espeak_entries(["catte"])
    assert espeak_entries([]) == []


@pytest.fixture
def espeak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a shell script in the place of espeak-ng."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def install(script: str) -> None:
        (tmp_path / "espeak-ng").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "espeak-ng").chmod(0o755)

    return install


def test_words_with_sounds_that_are_not_english_are_left_out(
    espeak: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    # A trill, and no sound at all; what is no plain word is not asked for.
    espeak("sed -e 's/^cat$/k ˈæ t/; s/^burr$/b ʙ/; s/^hm$//'")
    assert espeak_entries(["hm", "cat", "burr", "<unk>"]) == [("cat", ("K", "AE", "T"))]
    assert caplog.messages == ["espeak-ng: 2 of 3 words have sounds that are not English"]
    caplog.clear()
    assert espeak_entries(["cat"])
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("cat >/dev/null; echo 'k æ t'", "espeak-ng gave 1 lines for 2 words"),
        ("cat; echo 'no voice' >&2; exit 1", "espeak-ng failed: no voice"),
    ],
)
def test_an_espeak_that_fails(espeak: Callable[[str], None], script: str, message: str) -> None:
    espeak(script)
    with pytest.raises(InputError, match=message):
        espeak_entries(["cat", "dog"])


def test_unknown_g2p() -> None:
    with pytest.raises(InputError, match="did you mean espeak-ng"):
        HomophoneLexicon.for_vocabulary(["cat"], g2p="espeak")
