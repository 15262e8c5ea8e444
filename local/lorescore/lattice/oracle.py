"""Lattice oracle: the path with the fewest word errors, exact, as Kaldi's `lattice-oracle` finds it.

The edit distance (unit costs) is composed with the lattice: for a state s and a position j of the reference, B[s, j] is
the fewest errors of a way from s to the end against the reference's words from j on. It takes time in proportion to
arcs x reference words, and memory to states x reference words.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lorescore.files import split_words
from lorescore.lattice.lattices import EPSILON, Lattice

NO_WAY = 1 << 30  # more errors than any path has, with room for additions in 32 bits

_Ints: TypeAlias = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Oracle:
    """The path of a lattice with the fewest word errors.

    Attributes:
        errors: Its insertions, deletions and substitutions together.
        words: Its words; of several such paths the first in the order of the words.
    """

    errors: int
    words: tuple[str, ...]


def lattice_oracle(lattice: Lattice, ref: str) -> Oracle:
    """The path with the fewest word errors against a reference.

    Args:
        lattice: The lattice.
        ref: Text of the reference; case counts.

    Raises:
        InputError: The lattice has a cycle, or no path.
    """
    lattice.require_path()
    ref_words = split_words(ref)
    fewest = _fewest_errors(lattice, ref_words)
    return Oracle(int(fewest[0, 0]), _first_words(lattice, ref_words, fewest))


def _fewest_errors(lattice: Lattice, ref_words: list[str]) -> _Ints:
    """B of the module's text, (num_states, len(ref_words) + 1)."""
    length = len(ref_words)
    left = np.arange(length, -1, -1, dtype=np.int32)  # the words of the reference from each position on
    fewest = np.full((lattice.num_states, length + 1), NO_WAY, dtype=np.int32)
    wrong_by_word: dict[str, _Ints] = {}
    all_wrong = np.ones(length, dtype=np.int32)
    for word in set(ref_words):
        wrong_by_word[word] = np.array([word != other for other in ref_words], dtype=np.int32)
    for state in reversed(lattice.topological_order):
        errors = fewest[state]
        if state in lattice.finals:
            np.minimum(errors, left, out=errors)
        for arc in lattice.leaving[state]:
            onwards = fewest[arc.target]
            if arc.word == EPSILON:
                np.minimum(errors, onwards, out=errors)
            else:
                wrong = wrong_by_word.get(arc.word, all_wrong)
                np.minimum(errors[:-1], onwards[1:] + wrong, out=errors[:-1])
                np.minimum(errors, onwards + 1, out=errors)  # an insertion
        # Deletions: B[s, j] is at most B[s, i] + i - j for every i >= j.
        np.minimum(errors, np.minimum.accumulate((errors - left)[::-1])[::-1] + left, out=errors)
    return fewest


def _first_words(lattice: Lattice, ref_words: list[str], fewest: _Ints) -> tuple[str, ...]:
    """The words of the best path that comes first in the order of the words.

    Of one word sequence all (state, position) that lie on a best path are followed together.
    """
    length = len(ref_words)
    words: list[str] = []
    pairs = {(0, 0)}
    while True:
        waiting, by_word = list(pairs), dict[str, set[tuple[int, int]]]()
        while waiting:
            state, at = waiting.pop()
            errors = fewest[state, at]
            if state in lattice.finals and at == length:
                return tuple(words)  # nothing is left, and words that went on would come later in the order
            reached = {(state, at + 1)} if at < length and fewest[state, at + 1] + 1 == errors else set()
            for arc in lattice.leaving[state]:
                if arc.word == EPSILON:
                    if fewest[arc.target, at] == errors:
                        reached.add((arc.target, at))
                    continue
                targets = by_word.setdefault(arc.word, set())
                if fewest[arc.target, at] + 1 == errors:
                    targets.add((arc.target, at))
                if at < length and fewest[arc.target, at + 1] + int(arc.word != ref_words[at]) == errors:
                    targets.add((arc.target, at + 1))
            waiting += reached - pairs
            pairs |= reached
        word = min(word for word, targets in by_word.items() if targets)
        words.append(word)
        pairs = by_word[word]
