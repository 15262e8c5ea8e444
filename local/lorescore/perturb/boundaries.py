"""Other word boundaries over the same phones: `a nice` -> `an ice`, `maybe` -> `may be`, `may be` -> `maybe`.

One word or two adjacent ones are replaced by one or two words of the vocabulary whose phones, without stress, are the
same in the same order, with the boundary elsewhere; a replacement with the boundary where it was would be a homophone
of one of the words (`lorescore.perturb.lexicon`).
"""

from collections.abc import Iterator, Mapping
from itertools import product

from lorescore.pronunciation import Pronunciation

Words = tuple[str, ...]


class OtherBoundaries:
    """What words can be split or joined to, found when it is asked for, once each.

    Args:
        pronunciations: Word -> its pronunciations.
        words_of: Pronunciation -> its words.
    """

    def __init__(
        self,
        pronunciations: Mapping[str, tuple[Pronunciation, ...]],
        words_of: Mapping[Pronunciation, tuple[str, ...]],
    ) -> None:
        self._pronunciations, self._words_of = pronunciations, words_of
        self._known: dict[Words, tuple[Words, ...]] = {}

    def of(self, words: Words) -> tuple[Words, ...]:
        """What one or two adjacent words, in any case, can be replaced by: in lower case and sorted; may be empty."""
        words = tuple(word.lower() for word in words)
        if words not in self._known:
            self._known[words] = tuple(sorted(set(self._replacements(words)) - {words}))
        return self._known[words]

    def _replacements(self, words: Words) -> Iterator[Words]:
        for variants in product(*(self._pronunciations.get(word, ()) for word in words)):
            sound: Pronunciation = sum(variants, ())
            boundary = len(variants[0])  # the end where there is one word
            if len(words) > 1:
                for word in self._words_of.get(sound, ()):
                    yield (word,)
            for end in range(1, len(sound)):
                if end != boundary:
                    firsts = self._words_of.get(sound[:end], ())
                    yield from product(firsts, self._words_of.get(sound[end:], ()))
