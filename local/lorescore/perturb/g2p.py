"""Pronunciations of words that no dictionary has, by the rules and exceptions of eSpeak NG (Debian's `espeak-ng`).

eSpeak NG is called as a program, with its voice en-us, and its IPA is mapped to CMUdict's phones, so that it goes with
CMUdict or a lexicon in its phones; the map is this project's own. On every eighth word of CMUdict (version 1.51) 10 %
of the phones are wrong and 60 % of the words right. It needs no network and no model, is a system package of the demo
anyway, and gives one pronunciation a word. Of the Python packages at hand, g2p-en fetches NLTK data when it is
imported, and phonemizer, which calls the same eSpeak NG, is under the GPL.
"""

import logging
import re
import subprocess
from collections.abc import Iterable

from lorescore.errors import InputError
from lorescore.pronunciation import Pronunciation

logger = logging.getLogger(__name__)

G2PS = ("none", "espeak-ng")
# A word that eSpeak NG reads as one: letters, with apostrophes inside.
PLAIN_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")
COMMAND = ("espeak-ng", "-q", "--ipa", "--sep= ", "-v", "en-us")
STRESS = str.maketrans("", "", "ˈˌ")
# IPA of eSpeak NG's en-us voice -> ARPAbet.
PHONES_OF_IPA = {
    **{"p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "ɡ": "G", "m": "M", "n": "N", "ŋ": "NG", "tʃ": "CH"},
    **{"dʒ": "JH", "f": "F", "v": "V", "θ": "TH", "ð": "DH", "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH", "h": "HH"},
    **{"l": "L", "ɹ": "R", "j": "Y", "w": "W", "ɾ": "T", "ʔ": "T", "x": "K", "r": "R", "ɬ": "L", "nʲ": "N Y"},
    **{"iː": "IY", "i": "IY", "ɪ": "IH", "ᵻ": "IH", "ɛ": "EH", "æ": "AE", "ʌ": "AH", "ə": "AH", "ɐ": "AH"},
    **{"ɜː": "ER", "ɚ": "ER", "ɑː": "AA", "ɔː": "AO", "ɔ": "AO", "oː": "AO", "ʊ": "UH", "uː": "UW"},
    **{"eɪ": "EY", "oʊ": "OW", "o": "OW", "aɪ": "AY", "aʊ": "AW", "ɔɪ": "OY", "iə": "IY AH", "əl": "AH L", "n̩": "AH N"},
    **{"ɑːɹ": "AA R", "oːɹ": "AO R", "ɔːɹ": "AO R", "ɛɹ": "EH R", "ʊɹ": "UH R", "ɪɹ": "IH R", "aɪɚ": "AY ER"},
    **{"aɪə": "AY AH", "ɔ̃": "AA N", "ɑ̃": "AA N"},
}


def espeak_entries(words: Iterable[str]) -> list[tuple[str, Pronunciation]]:
    """The pronunciations of words by eSpeak NG, sorted by word.

    Args:
        words: In lower case; those that are not letters with apostrophes inside are left out, as are those with a sound
            that is not in English.

    Raises:
        InputError: espeak-ng is not installed or fails.
    """
    plain = sorted({word for word in words if PLAIN_WORD.fullmatch(word)})
    if not plain:
        return []
    try:
        text = "".join(f"{word}\n" for word in plain)
        done = subprocess.run(COMMAND, input=text.encode(), capture_output=True, check=True)
    except FileNotFoundError as error:
        raise InputError("espeak-ng not found on the PATH", mend="apt-get install espeak-ng, or --g2p none") from error
    except subprocess.CalledProcessError as error:
        reason = " ".join(error.stderr.decode(errors="replace").split())
        raise InputError(f"espeak-ng failed: {reason:.200}", mend="check it, or give --g2p none") from error
    lines = done.stdout.decode().splitlines()
    if len(lines) != len(plain):
        message = f"espeak-ng gave {len(lines)} lines for {len(plain)} words"
        raise InputError(message, mend="update espeak-ng, or give --g2p none")
    entries = []
    for word, line in zip(plain, lines, strict=True):
        sounds = line.translate(STRESS).split()
        if sounds and all(sound in PHONES_OF_IPA for sound in sounds):
            phones = " ".join(PHONES_OF_IPA[sound] for sound in sounds)
            # CMUdict has no R after the r-coloured vowel: `furry` F ER IY.
            entries.append((word, tuple(phones.replace("ER R ", "ER ").split())))
    if len(entries) < len(plain):
        logger.warning(
            "espeak-ng: %d of %d words have sounds that are not English", len(plain) - len(entries), len(plain)
        )
    return entries
