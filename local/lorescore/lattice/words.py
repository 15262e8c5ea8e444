"""The words of lattices and their ids.

words.txt has `word id` a line, as Kaldi's graphs and OpenFst have it. In memory a lattice has words; ids are on disk
only.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import atomic_write, behind_link, read_table
from lorescore.lattice.lattices import EPSILON

EPSILON_SYMBOL = "<eps>"  # what words.txt calls id 0
WORD_BEGIN = "\u2581"  # what SentencePiece writes for the space before a word
MAX_DIGITS = 18  # what fits in 64 bits
OTHER_WORDS = "give the words.txt of the graph that the lattices were made with"


@dataclass(frozen=True)
class WordTable:
    """The words and their ids, as words.txt has them.

    Attributes:
        words: The word of each id. Id 0 is no word, whatever the table calls it.
        path: Where it was read; None where it was made.
    """

    words: Mapping[int, str]
    path: Path | None = None

    def extended(self, words: Iterable[str]) -> "WordTable":
        """The table with what it lacks of these words at its end, in the order of the C locale."""
        missing = sorted(set(words) - self.ids.keys())
        return WordTable(dict(self.words) | dict(enumerate(missing, start=max(self.words) + 1)))

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of each word."""
        return {word: number for number, word in self.words.items() if number} | {EPSILON: 0, EPSILON_SYMBOL: 0}

    @cached_property
    def are_pieces(self) -> bool:
        """Whether these are SentencePiece's pieces: the tokens.txt of a transducer, not the words.txt of a graph."""
        return any(word.startswith(WORD_BEGIN) for word in self.words.values())

    def word(self, number: int, utt: str, path: Path, line: int | None = None) -> str:
        """The word of an id that stands in a lattice; EPSILON for id 0.

        Raises:
            InputError: The table does not have it.
        """
        if not number:
            return EPSILON
        try:
            return self.words[number]
        except KeyError:
            table = behind_link(self.path) if self.path else "the word table"
            message = f"word id {number} of utterance {utt} is not in {table}"
            raise InputError(message, path=path, line=line, mend=OTHER_WORDS) from None


def read_words(path: Path) -> WordTable:
    """Read words.txt, `word id` a line.

    Raises:
        InputError: The file is missing or empty, an id is no natural number, or a word or an id stands twice.
    """
    origin = behind_link(path)
    table = read_table(origin, mend=OTHER_WORDS)
    words: dict[int, str] = {}
    for line, (word, number) in enumerate(table.items(), start=1):
        if not is_natural(number):
            message = f"expected `word id` with an id of at least 0, found {f'{word} {number}'!r:.60}"
            raise InputError(message, path=origin, line=line, mend="correct the line")
        if int(number) in words:
            raise InputError(f"id {number} for the second time", path=origin, line=line, mend="one id a word")
        words[int(number)] = word
    if not words:
        raise InputError("empty, expected `word id`", path=origin, mend=OTHER_WORDS)
    return WordTable(words, path)


def write_words(path: Path, table: WordTable) -> None:
    """Write words.txt, sorted by id."""
    with atomic_write(path) as file:
        for number, word in sorted(table.words.items()):
            file.write(f"{word} {number}\n")


def is_natural(text: str) -> bool:
    """Whether this is a natural number of at most 18 ASCII digits; int() takes `1_0` and more."""
    return text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS
