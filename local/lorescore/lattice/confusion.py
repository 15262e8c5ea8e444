"""Minimum Bayes risk hypothesis, confusion network and word confidences of a lattice.

Xu, Povey, Mangu and Zhu, "Minimum Bayes Risk decoding and system combination based on a recursion for edit distance",
Computer Speech and Language 25 (2011), the algorithm of Kaldi's lattice-mbr-decode; names as in the paper's figures. A
hypothesis is a row of slots, one a word and an empty one before, between and after them. The forward pass gives the
expected edit distance of all paths to it, the backward pass the posterior of each word in each slot; then the slots
take their likeliest words, empty slots are dropped or added, and so on until nothing changes: a local optimum that is
never worse than the start, which is the best path.

The expected edit distance is exact where no two paths meet before the end, as in `rescored_lattice`; otherwise it is an
upper bound, as paths that have met are aligned alike from there on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lorescore.lattice.lattices import EPSILON, Lattice
from lorescore.lattice.paths import best_path
from lorescore.lattice.trellis import Floats, Ints, Trellis

MAX_ROUNDS = 100  # as in Kaldi; a handful is usual
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
        start: Frame at which the chosen word begins, its mean over the paths that have it.
        end: Frame before which it ends.
    """

    chosen: str
    posteriors: tuple[tuple[str, float], ...]
    start: float = 0.0
    end: float = 0.0

    @property
    def confidence(self) -> float:
        """The posterior of the chosen word."""
        return dict(self.posteriors).get(self.chosen, 0.0)


@dataclass(frozen=True)
class ConfusionNetwork:
    """A hypothesis, and what else the lattice has in place of its words.

    Attributes:
        utt: The utterance's id.
        bins: The slots of the hypothesis's words, and those between them into which some path puts a word.
        risk: Expected number of word errors of the hypothesis.
        num_frames: Frames of the lattice's alignments; 0 where it has none.
    """

    utt: str
    bins: tuple[Bin, ...]
    risk: float
    num_frames: int

    @property
    def words(self) -> tuple[str, ...]:
        """The hypothesis."""
        return tuple(one.chosen for one in self.bins if one.chosen != EPSILON)

    @property
    def confidences(self) -> tuple[float, ...]:
        """The posterior of each word."""
        return tuple(one.confidence for one in self.bins if one.chosen != EPSILON)

    @property
    def spans(self) -> tuple[tuple[float, float], ...] | None:
        """Each word's first frame and the frame after its last; None where the lattice has no alignments.

        Words that overlap, as times are means over paths, meet half way.
        """
        if not self.num_frames:
            return None
        spans: list[tuple[float, float]] = []
        for one in self.bins:
            if one.chosen == EPSILON:
                continue
            start = one.start
            if spans and start < spans[-1][1]:
                start = max(spans[-1][0], (start + spans[-1][1]) / 2)
                spans[-1] = (spans[-1][0], start)
            spans.append((start, max(start, one.end)))
        return tuple(spans)


def mbr_decode(lattice: Lattice, *, posterior_scale: float = 1.0, acoustic_scale: float = 1.0) -> ConfusionNetwork:
    """The hypothesis with the smallest expected word error that the iteration finds, and its confusion network.

    Args:
        lattice: The lattice.
        posterior_scale: Of the cost of a whole path in its probability; to be tuned on a development set. Kaldi's
            lattice-mbr-decode has it as its --lm-scale, with the acoustic scale multiplied by it.
        acoustic_scale: Of the acoustic cost beside the graph cost.

    Raises:
        InputError: The lattice has a cycle or no path, or a scale is not a positive number.
    """
    trellis = Trellis.build(lattice, posterior_scale, acoustic_scale)
    slots = _with_empty_slots(trellis.ids(best_path(lattice, acoustic_scale=acoustic_scale).words))
    statistics = _accumulate(trellis, slots)
    for _ in range(MAX_ROUNDS):
        gamma = statistics.gamma
        better = gamma.max(axis=1) > gamma[np.arange(len(slots)), slots] + TIE
        if not better.any():
            break
        slots = _with_empty_slots(np.where(better, gamma.argmax(axis=1), slots))
        statistics = _accumulate(trellis, slots)
    return _network(lattice.utt, trellis, slots, statistics)


def confusion_network(
    lattice: Lattice,
    words: Sequence[str] | None = None,
    *,
    posterior_scale: float = 1.0,
    acoustic_scale: float = 1.0,
) -> ConfusionNetwork:
    """The confusion network around a hypothesis that stays as it is: confidences of a MAP decoding.

    Args:
        lattice: The lattice.
        words: The hypothesis, which need not be in the lattice; None: the best path's words.
        posterior_scale: As in `mbr_decode`.
        acoustic_scale: As in `mbr_decode`.

    Raises:
        InputError: The lattice has a cycle or no path, or a scale is not a positive number.
    """
    trellis = Trellis.build(lattice, posterior_scale, acoustic_scale, words or ())
    chosen = best_path(lattice, acoustic_scale=acoustic_scale).words if words is None else words
    slots = _with_empty_slots(trellis.ids(chosen))
    return _network(lattice.utt, trellis, slots, _accumulate(trellis, slots))


@dataclass(frozen=True)
class _Statistics:
    """What the backward pass gathers, over Q slots and V words.

    Attributes:
        gamma: Posterior of each word in each slot, (Q, V).
        start: Sum over paths of posterior x frame at which the word begins, (Q, V).
        end: The same of the frame before which it ends, (Q, V).
    """

    gamma: Floats
    start: Floats
    end: Floats


class _Distances:
    """The expected edit distances of all paths to the first q slots, q from 0 to Q."""

    def __init__(self, trellis: Trellis, slots: Ints, delta: float) -> None:
        self._trellis, self._slots = trellis, slots
        self._insertion = np.where(trellis.words != 0, 1.0 + delta, 0.0)
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


def _accumulate(trellis: Trellis, slots: Ints) -> _Statistics:
    """The paper's figure 5: forward over the distances, backward over the posteriors."""
    distances = _Distances(trellis, slots, DELTA)
    num_slots = len(slots)
    gamma, start, end = np.zeros((3, len(trellis.vocabulary), num_slots))
    beta = np.zeros((trellis.num_states, num_slots + 1))
    beta[-1, -1] = 1.0
    for arcs in reversed(trellis.levels):
        rows, match, insert = distances.of_arcs(arcs)
        step = np.where(match <= rows[:, 1:] + TIE, MATCH, np.where(insert[:, 1:] <= rows[:, 1:] + TIE, INSERT, SKIP))
        source, target, words = trellis.source[arcs], trellis.target[arcs], trellis.words[arcs]
        of_arc = trellis.entering[arcs, None] * beta[target]
        for slot in reversed(range(num_slots)):
            of_arc[:, slot] += np.where(step[:, slot] == SKIP, of_arc[:, slot + 1], 0.0)
        skipped = np.where(step == SKIP, of_arc[:, 1:], 0.0)
        matched = np.where(step == MATCH, of_arc[:, 1:], 0.0)
        inserted = of_arc - np.pad(skipped + matched, ((0, 0), (1, 0)))
        np.add.at(beta, source, inserted)
        np.add.at(beta[:, :-1], source, matched)
        ends = trellis.frames[target, None]
        for sums, of_match, of_skip in (
            (gamma, 1, 1),
            (start, trellis.frames[source, None], ends),
            (end, ends, ends),
        ):
            np.add.at(sums, words, matched * of_match)
            sums[0] += (skipped * of_skip).sum(axis=0)
    gamma[0] += np.cumsum(beta[0, :0:-1])[::-1]  # slots left empty before the first arc, at frame 0
    return _Statistics(gamma.T, start.T, end.T)


def _with_empty_slots(ids: Ints) -> Ints:
    """Words with an empty slot before, between and after them."""
    words = ids[ids != 0]
    slots = np.zeros(2 * len(words) + 1, dtype=np.int64)
    slots[1::2] = words
    return slots


def _network(utt: str, trellis: Trellis, slots: Ints, statistics: _Statistics) -> ConfusionNetwork:
    bins = []
    for slot, chosen in enumerate(slots.tolist()):
        gamma = statistics.gamma[slot]
        if not chosen and not gamma[1:].any():
            continue
        order = sorted(np.flatnonzero(gamma).tolist(), key=lambda word: (-gamma[word], word))
        times = chosen if gamma[chosen] else order  # a word that no path has there: the slot's mean
        posterior = gamma[times].sum()
        bins.append(
            Bin(
                trellis.vocabulary[chosen],
                tuple((trellis.vocabulary[word], float(gamma[word])) for word in order),
                float(statistics.start[slot, times].sum() / posterior),
                float(statistics.end[slot, times].sum() / posterior),
            )
        )
    risk = float(_Distances(trellis, slots, delta=0.0).of_state[-1, -1])
    return ConfusionNetwork(utt, tuple(bins), risk, int(trellis.frames[-1]))
