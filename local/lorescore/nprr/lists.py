"""The measures of robustness from rescored lists: what is chosen from them, and its word errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lorescore.combine import ScoredLists, Weights, best_ranks, oracle_ranks
from lorescore.nprr.area import Curve, nprr_area
from lorescore.nprr.losses import Losses, losses_of
from lorescore.nprr.measure import Nprr, nprr
from lorescore.wer.resampling import Counts, Estimate


@dataclass(frozen=True)
class ListErrors:
    """Word errors of each utterance in one version of a set's lists, clean or perturbed.

    Attributes:
        first_pass: Of the rank-1 hypothesis, which a first pass need not have given its highest score, shape (U,).
        model: Of the one with the highest combined score, shape (U,).
        oracle: Of the best one, shape (U,).
    """

    first_pass: Counts
    model: Counts
    oracle: Counts

    @classmethod
    def count(cls, lists: ScoredLists, weights: Weights) -> "ListErrors":
        """Choose from lists at these weights, those tuned on clean dev."""
        begins = lists.offsets[:-1]
        return cls(
            first_pass=lists.errors[begins],
            model=lists.errors[begins + best_ranks(lists, weights)],
            oracle=lists.errors[begins + oracle_ranks(lists)],
        )

    @property
    def rows(self) -> Counts:
        """1-best, model and oracle, shape (3, U)."""
        return np.stack([self.first_pass, self.model, self.oracle])


@dataclass(frozen=True)
class Robustness:
    """What perturbed lists of one perturbation, kind and rate tell about a model.

    Attributes:
        nprr: Of the rescored lists.
        first_pass: The first pass's own degradation on the same lists: what its 1-best loses.
        losses: What the lists lost, and what the rescorer lost.
    """

    nprr: Nprr
    first_pass: Nprr
    losses: Losses


def robustness_of(clean: ListErrors, perturbed: Sequence[ListErrors], ref_words: Counts) -> Robustness:
    """The measures at one rate.

    Args:
        clean: Errors on the clean lists.
        perturbed: On the perturbed lists of each seed, the same utterances in the same order.
        ref_words: Reference words of each utterance, shape (U,).

    Raises:
        InputError: The numbers of utterances disagree, or there are no reference words.
    """
    rows = np.stack([one.rows for one in perturbed])
    return Robustness(
        nprr=nprr(clean.model, rows[:, 1], ref_words),
        first_pass=nprr(clean.first_pass, rows[:, 0], ref_words),
        losses=losses_of(clean.rows, rows, ref_words),
    )


def area_of(clean: ListErrors, perturbed: Mapping[float, Sequence[ListErrors]]) -> tuple[Estimate, Estimate]:
    """The area under the NPRR curve of the model, and that of the first pass.

    Args:
        clean: Errors on the clean lists.
        perturbed: By rate, on the perturbed lists of each seed.

    Raises:
        InputError: No rate is above 0, or the numbers of utterances disagree.
    """
    rows = {rate: np.stack([one.rows for one in group]) for rate, group in perturbed.items()}
    model = Curve.of(clean.model, {rate: errors[:, 1] for rate, errors in rows.items()})
    first_pass = Curve.of(clean.first_pass, {rate: errors[:, 0] for rate, errors in rows.items()})
    return nprr_area(model), nprr_area(first_pass)
