"""Near-homophones: words of a vocabulary with a pronunciation one phone apart, similar phones likelier.

One phone apart: a phone is substituted, put in or left out. A candidate's weight is exp(-distance / SCALE), the
distance that of the two phones (`lorescore.perturb.phones`), or SKIP for a phone put in or left out; of several ways
from a word to another the nearest counts. So `cat` becomes `cap` (T to P, 6) rather than `car` (T to R, 42). A word
that shares a pronunciation with the source is a homophone and no candidate. There are distances of CMUdict's phones
alone, so that a lexicon in another phone set has no near-homophones.

The weighting is this project's own. SCALE and SKIP are what makes the errors of a real first pass likeliest: of the
9,520 substitutions in the 1-bests of LibriSpeech dev-clean and dev-other (an ESPnet decode), 2,055 are by a word one
phone apart, half of them with a phone more or less. Fitted to these the two are 14.6 and 2.0, or 15.9 and 4.4 where
each pair of words counts once; dev-clean by itself, dev-other and the demo's first pass differ little (13 to 21, and -9
to 4). With ALINE's price of a phone left out, 45, these errors are half as likely each.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from itertools import accumulate
from pathlib import Path

from lorescore.files import write_table
from lorescore.perturb.phones import distance
from lorescore.perturb.sites import Alternatives
from lorescore.pronunciation import Pronunciation

SCALE = 15.0  # distance at which a candidate's weight has fallen to 1/e
SKIP = 3.0  # distance to a word with a phone more or less
WEIGHTING = f"scale {SCALE:g}, skip {SKIP:g}"  # of the lists that are made by them


class NearHomophones:
    """The near-homophones of a lexicon's words, found when they are asked for, once each.

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
        self._phones = {phone for sound in words_of for phone in sound}
        self._known: dict[str, Alternatives] = {}

    def of(self, word: str) -> Alternatives:
        """The near-homophones of a word in any case, sorted, with their probabilities; empty where it has none."""
        word = word.lower()
        if word not in self._known:
            weights = self.weights(word)
            total = sum(weights.values())
            cumulative = tuple(accumulate(weight / total for weight in weights.values()))
            self._known[word] = Alternatives(tuple((other,) for other in weights), cumulative)
        return self._known[word]

    def weights(self, word: str) -> dict[str, float]:
        """The weight of each near-homophone of a word in lower case, sorted by word."""
        sounds = self._pronunciations.get(word, ())
        alike = {word}.union(*(self._words_of[sound] for sound in sounds))
        weights: dict[str, float] = {}
        for sound in sounds:
            for neighbour, apart in _neighbours(sound, self._phones):
                for other in self._words_of.get(neighbour, ()):
                    if other not in alike:
                        weights[other] = max(weights.get(other, 0.0), math.exp(-apart / SCALE))
        return dict(sorted(weights.items()))

    def write(self, out_dir: Path) -> None:
        """Write `near.txt`, `word near:probability...`, the likeliest first.

        Raises:
            InputError: The folder cannot be written.
        """
        table = {}
        for word in self._pronunciations:
            weights = self.weights(word)
            total = sum(weights.values())
            ordered = sorted(weights.items(), key=lambda item: -item[1])  # equal ones stay in the order of the words
            if ordered:
                table[word] = " ".join(f"{other}:{weight / total:.3f}" for other, weight in ordered)
        write_table(out_dir / "near.txt", table)


def _neighbours(sound: Pronunciation, phones: Collection[str]) -> Iterator[tuple[Pronunciation, float]]:
    """Every pronunciation one phone apart, with the distance: some 80 a phone, far fewer than a vocabulary's words."""
    for index, phone in enumerate(sound):
        before, after = sound[:index], sound[index + 1 :]
        for other in phones:
            if other != phone:
                yield (*before, other, *after), distance(phone, other)
            yield (*before, other, phone, *after), SKIP
        yield before + after, SKIP
    for other in phones:
        yield (*sound, other), SKIP
