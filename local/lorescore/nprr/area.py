"""The area under the curve of NPRR over the rate: the single figure to rank models by.

This project's own definition, in percent like NPRR itself:

    area = 1 / r_max x integral of NPRR(r) dr from 0 to r_max

by the trapezoid rule through NPRR(0) = 0 (rate 0 gives the clean lists back) and the rates that were measured. It is
the mean NPRR over the rates up to the largest one, `r_max`, and so is comparable between models that were measured at
the same rates, but not between different ranges of them. Undefined (None) where the clean lists have no errors.

The area is linear in the errors on perturbed lists, area = sum over rates of weight(r) x NPRR(r), so that a resample of
the utterances gives it at the same cost as NPRR.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lorescore.errors import InputError
from lorescore.nprr.counts import clean_and_perturbed
from lorescore.nprr.measure import NprrDifference, paired_difference
from lorescore.wer.resampling import PERCENT, Counts, Estimate, Floats, estimate
from lorescore.wer.speakers import exchanges

ROUNDING = 1e-9  # percent: areas that are equal but for the order of a sum; not relative, as a difference may be 0


@dataclass(frozen=True)
class Curve:
    """A model's word errors by rate.

    Attributes:
        rates: Increasing, above 0, R of them.
        num_seeds: Perturbed lists at each rate, shape (R,).
        errors: On clean lists (row 0), and at each rate the sum over its seeds, shape (1 + R, U).
    """

    rates: tuple[float, ...]
    num_seeds: Counts
    errors: Counts

    @classmethod
    def of(cls, clean_errors: npt.ArrayLike, perturbed_errors: Mapping[float, npt.ArrayLike]) -> "Curve":
        """Check and sum up the word errors of a model's rescored lists.

        Args:
            clean_errors: Of each utterance on the clean lists, shape (U,).
            perturbed_errors: By rate, on the perturbed lists of each seed, shape (S, U); S may differ between rates.
                What was measured at rate 0 is left out: its NPRR is 0 by definition.

        Raises:
            InputError: No rate is above 0, one is not from 0 to 1, the shapes disagree, or a count is negative.
        """
        rates = tuple(sorted(float(rate) for rate in perturbed_errors if rate != 0))
        if not rates:
            raise InputError("no rate above 0, so that there is no area under the NPRR curve")
        for rate in rates:
            if not 0 < rate <= 1:
                raise InputError(f"perturbation rate {rate:g}, expected a number from 0 to 1")
        stacked = [clean_and_perturbed(clean_errors, perturbed_errors[rate]) for rate in rates]
        rows = [stacked[0][0], *(errors[1:].sum(axis=0) for errors in stacked)]
        return cls(rates, np.array([len(errors) - 1 for errors in stacked]), np.stack(rows))

    def areas(self, totals: Counts) -> Floats:
        """The area for each row of total errors; NaN where there are no clean ones.

        Args:
            totals: Shape (N, 1 + R), columns like the rows of `errors`.

        Returns:
            Shape (N,).
        """
        clean = totals[:, :1].astype(np.float64)
        clean[clean == 0] = np.nan
        changes = PERCENT * (totals[:, 1:] / self.num_seeds - clean) / clean
        areas: Floats = changes @ rate_weights(self.rates)
        return areas


def nprr_area(curve: Curve) -> Estimate:
    """The area under the NPRR curve of a model, divided by the largest rate."""
    return estimate(curve.errors, curve.areas)


def nprr_area_difference(first: Curve, second: Curve) -> NprrDifference:
    """The area of a model minus that of another, with the same resamples of the utterances for both.

    Args:
        first: Of the one model.
        second: Of the other, at the same rates, of the same utterances in the same order.

    Raises:
        InputError: The models were measured at different rates or on different numbers of utterances.
    """
    if first.rates != second.rates:
        raise InputError(f"the first model was measured at the rates {first.rates}, the second at {second.rates}")
    return paired_difference(first.errors, first.areas, second.errors, second.areas)


def nprr_area_p_by_exchanges(first: Curve, second: Curve) -> float | None:
    """Two-sided p of no difference between the areas of two models, their errors exchanged speaker by speaker.

    Args:
        first: Of the one model: the sums over each speaker's utterances, see `lorescore.wer.speakers`.
        second: Of the other, at the same rates and of as many lists.

    Returns:
        Share of the exchanges that make the areas differ as much or more; None where one is undefined.
    """
    exchanged = exchanges(first.errors.shape[1]) @ (second.errors - first.errors).T
    totals, other_totals = first.errors.sum(axis=1) + exchanged, second.errors.sum(axis=1) - exchanged
    differences = np.abs(first.areas(totals) - second.areas(other_totals))
    if not np.isfinite(differences[0]):
        return None
    return float((differences >= differences[0] - ROUNDING)[np.isfinite(differences)].mean())


def rate_weights(rates: Sequence[float]) -> Floats:
    """The weight of NPRR at each rate in the area: weights of the trapezoid rule over the largest rate.

    Args:
        rates: Increasing, above 0, shape (R,).

    Returns:
        Shape (R,). Their sum is below 1, as NPRR(0) = 0 has a weight too: of one rate, it is 1/2.
    """
    points = np.array([0.0, *rates])
    steps = np.diff(points)
    halves: Floats = (steps + np.append(steps[1:], 0.0)) / (2 * points[-1])
    return halves
