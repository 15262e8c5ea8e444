"""The confusion network of a lattice around a hypothesis: the words' confidences.

Xu, Povey, Mangu and Zhu, "Minimum Bayes Risk decoding and system combination based on a recursion for edit distance",
Computer Speech and Language 25 (2011), the algorithm of Kaldi's lattice-mbr-decode with the hypothesis left as it is;
names as in the paper's figures. A hypothesis is a row of slots, one a word and an empty one before, between and after
them. The forward pass gives the expected edit distance of all paths to it, the backward pass the posterior of each word
in each slot.

The expected edit distance is exact where no two paths meet before the end, as in `rescored_lattice`; otherwise it is an
upper bound, as paths that have met are aligned alike from there on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lorescore.lattice.lattices import Lattice
from lorescore.lattice.trellis import Floats, Ints, Trellis

# What an insertion beside the slots costs more than one into an empty slot: the latter is wanted (Kaldi's delta).
DELTA = 1e-5
TIE = 1e-9  # smaller differences are rounding errors and decide nothing
MATCH, INSERT, SKIP = 1, 2, 3  # an arc's word goes into the slot; beside the slots; the slot stays empty


@dataclass(frozen=True, slots=True)
class Bin:
    """One slot of a confusion network.

    Attributes:
        chosen: The hypothesis's word; EPSILON where it has none.
        posteriors: Words (EPSILON for none) with their posteriors, the likeliest first; they sum to 1.
    """

    chosen: str
    posteriors: tuple[tuple[str, float], ...]

    @property
    def confidence(self) -> float:
        """The posterior of the chosen word."""
        return dict(self.posteriors).get(self.chosen, 0.0)


def confusion_network(
    lattice: Lattice, words: Sequence[str], *, posterior_scale: float = 1.0, acoustic_scale: float = 1.0
) -> list[Bin]:
    """The slots of a hypothesis's words, and those between them into which some path puts a word.

    Args:
        lattice: The lattice.
        words: The hypothesis, which need not be in the lattice.
        posterior_scale: Of the cost of a whole path in its probability; to be tuned on a development set. Kaldi's
            lattice-mbr-decode has it as its --lm-scale, with the acoustic scale multiplied by it.
        acoustic_scale: Of the acoustic cost beside the graph cost.

    Raises:
        InputError: The lattice has a cycle or no path, or a scale is not a positive number.
    """
    trellis = Trellis.build(lattice, posterior_scale, acoustic_scale, words)
    slots = np.zeros(2 * len(words) + 1, dtype=np.int64)
    slots[1::2] = trellis.ids(words)
    bins = []
    for chosen, gamma in zip(slots.tolist(), _posteriors(trellis, slots), strict=True):
        if chosen or gamma[1:].any():
            order = sorted(np.flatnonzero(gamma).tolist(), key=lambda word: (-gamma[word], word))
            posteriors = tuple((trellis.vocabulary[word], float(gamma[word])) for word in order)
            bins.append(Bin(trellis.vocabulary[chosen], posteriors))
    return bins


class _Distances:
    """The expected edit distances of all paths to the first q slots, q from 0 to Q."""

    def __init__(self, trellis: Trellis, slots: Ints) -> None:
        self._trellis, self._slots = trellis, slots
        self._insertion = np.where(trellis.words != 0, 1.0 + DELTA, 0.0)
        self._skipped = np.concatenate(([0.0], np.cumsum(slots != 0)))  # cost of leaving the first q slots empty
        self.of_state = np.zeros((trellis.num_states, len(slots) + 1))
        self.of_state[0] = self._skipped
        for arcs in trellis.levels:
            rows, _, _ = self.of_arcs(arcs)
            np.add.at(self.of_state, trellis.target[arcs], trellis.entering[arcs, None] * rows)

    def of_arcs(self, arcs: Ints) -> tuple[Floats, Floats, Floats]:
        """Of all paths whose last arc is one of `arcs`.

        Returns:
            The distances, (arcs, Q + 1); what they would be with the arc's word in the last slot, (arcs, Q); with the
            word beside the slots, (arcs, Q + 1).
        """
        before = self.of_state[self._trellis.source[arcs]]
        match = before[:, :-1] + (self._trellis.words[arcs, None] != self._slots)
        insert = before + self._insertion[arcs, None]
        best = insert.copy()
        np.minimum(best[:, 1:], match, out=best[:, 1:])
        rows = np.minimum.accumulate(best - self._skipped, axis=1) + self._skipped
        return rows, match, insert


def _posteriors(trellis: Trellis, slots: Ints) -> Floats:
    """Of each word in each slot, (Q, V): the paper's figure 5, forward over the distances, backward over these."""
    distances = _Distances(trellis, slots)
    num_slots = len(slots)
    gamma = np.zeros((len(trellis.vocabulary), num_slots))
    beta = np.zeros((trellis.num_states, num_slots + 1))
    beta[-1, -1] = 1.0
    for arcs in reversed(trellis.levels):
        rows, match, insert = distances.of_arcs(arcs)
        step = np.where(match <= rows[:, 1:] + TIE, MATCH, np.where(insert[:, 1:] <= rows[:, 1:] + TIE, INSERT, SKIP))
        source, target, words = trellis.source[arcs], trellis.target[arcs], trellis.words[arcs]
        of_arc = trellis.entering[arcs, None] * beta[target]
        _move_over_skipped(of_arc, step == SKIP)
        skipped = np.where(step == SKIP, of_arc[:, 1:], 0.0)
        matched = np.where(step == MATCH, of_arc[:, 1:], 0.0)
        of_arc[:, 1:] -= skipped + matched  # what is left goes beside the slots
        np.add.at(beta, source, of_arc)
        np.add.at(beta[:, :-1], source, matched)
        np.add.at(gamma, words, matched)
        gamma[0] += skipped.sum(axis=0)
    gamma[0] += np.cumsum(beta[0, :0:-1])[::-1]  # slots left empty before the first arc
    return gamma.T


def _move_over_skipped(mass: Floats, is_skipped: np.ndarray) -> None:
    """Add to what an arc has before a slot that stays empty what it has after it, from the last slot to the first.

    Most arcs have all of it in one or two places, and few slots beside these are skipped: only they are looked at.

    Args:
        mass: (arcs, Q + 1), changed in place.
        is_skipped: (arcs, Q).
    """
    first_done = mass.shape[1]  # from here on all has been moved
    for place in np.flatnonzero(mass.any(axis=0))[::-1].tolist():
        slot = min(place, first_done) - 1
        while slot >= 0 and (moved := np.where(is_skipped[:, slot], mass[:, slot + 1], 0.0)).any():
            mass[:, slot] += moved
            slot -= 1
        first_done = min(first_done, slot + 1)
