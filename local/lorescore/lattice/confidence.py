"""Confidences of words: the posteriors of a confusion network, calibrated on a development set.

Posteriors over a list of ten hypotheses are no chances: a word that all ten agree on has the posterior 1, and is wrong
now and then. A logistic regression on the development set's words mends that, as Kaldi's steps/conf does with more
features (Platt, "Probabilistic outputs for support vector machines", 1999, whose targets, slightly below 1 and above 0,
keep it finite where all words are right):

    confidence = 1 / (1 + exp(-(slope x log(p / (1 - p)) + intercept)))

with p the posterior, at the posterior scale at which the lists' posteriors are likeliest
(`lorescore.decode.tune_confidence_scale`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lorescore.combine import ScoredLists, Weights, best_ranks, number_in, select
from lorescore.decode import tune_confidence_scale
from lorescore.files import read_yaml, split_words
from lorescore.lattice.confusion import confusion_network
from lorescore.lattice.lattices import EPSILON, Lattice
from lorescore.lattice.rescored import first_pass_acoustic_scale, nbest_paths, rescored_lattice
from lorescore.lattice.trellis import Floats
from lorescore.nbest.lists import NbestSet
from lorescore.wer.alignment import NO_WORD, align
from lorescore.wer.cleaning import clean
from lorescore.wer.units import split_units

CERTAIN = 1e-3  # posteriors closer to 0 or 1 count as this far from them: what else tells them apart is rounding
KEYS = {"scale": "confidence_scale", "slope": "confidence_slope", "intercept": "confidence_intercept"}
Posteriors = dict[tuple[str, str], Floats]  # of the words of a hypothesis, by utterance and text
GRADIENT = 1e-9  # at which the regression has converged; its values have four decimals


@dataclass(frozen=True)
class Calibration:
    """How posteriors become confidences.

    Attributes:
        scale: Of the combined score in the posteriors, above 0.
        slope: Of the posterior's logit.
        intercept: Added to it. With the slope 1 and this at 0 the posteriors are the confidences.
    """

    scale: float = 1.0
    slope: float = 1.0
    intercept: float = 0.0

    def confidences(self, posteriors: Sequence[float] | Floats) -> list[float]:
        """The confidence of each word of a hypothesis, from 0 to 1, with its posterior at `scale`."""
        chances = np.asarray(posteriors, dtype=np.float64)
        if (self.slope, self.intercept) != (1.0, 0.0):
            chances = _sigmoid(self.slope * _logits(chances) + self.intercept)
        found: list[float] = chances.tolist()
        return found

    def to_dict(self) -> dict[str, float]:
        """As `weights.yaml` has it."""
        return {key: getattr(self, name) for name, key in KEYS.items()}

    @classmethod
    def read(cls, weights_path: Path | None) -> "Calibration":
        """What a `weights.yaml` says; where it says nothing, or is none, as it stands above.

        Raises:
            InputError: A value is no finite number, or the scale not above 0.
        """
        content = read_yaml(weights_path) if weights_path else {}
        above_0 = (lambda value: 0 < value < math.inf), "a finite number above 0"
        return cls(
            number_in(content, KEYS["scale"], cls.scale, weights_path, *above_0),
            number_in(content, KEYS["slope"], cls.slope, weights_path),
            number_in(content, KEYS["intercept"], cls.intercept, weights_path),
        )


def word_posteriors(lattice: Lattice, words: Sequence[str], posterior_scale: float, acoustic_scale: float) -> Floats:
    """The posterior of each word of a hypothesis, (num_words,), from 0 to 1.

    Args:
        lattice: A rescored list.
        words: The hypothesis.
        posterior_scale: Of the combined score.
        acoustic_scale: Of the acoustic cost beside the graph cost.
    """
    network = confusion_network(lattice, words, posterior_scale=posterior_scale, acoustic_scale=acoustic_scale)
    # But for rounding errors they are from 0 to 1.
    return np.clip([one.confidence for one in network if one.chosen != EPSILON], 0.0, 1.0)


def tune_confidences(nbest: NbestSet, lists: ScoredLists, weights: Weights) -> tuple[Calibration, Posteriors]:
    """The calibration with which the words of the best hypotheses are likeliest to be right and wrong as they are.

    For a development set only. Where errors are counted in characters, each counts, with its word's posterior. Where
    texts are cleaned before, each word is by itself.

    Args:
        nbest: The lists, with references.
        lists: The same with the rescorer's scores.
        weights: Of the combined score, already tuned.

    Returns:
        The calibration, and the posteriors at its scale of the words of the best hypotheses, which take time.
    """
    hyps = select(nbest, best_ranks(lists, weights))
    scale = tune_confidence_scale(lists, weights)
    acoustic_scale = first_pass_acoustic_scale(nbest)
    posteriors: Posteriors = {}
    of_units: list[Floats] = []
    is_right: list[bool] = []
    for one in nbest:
        words = split_words(hyps[one.utt])
        paths = nbest_paths(one, lists.plm_costs[one.utt])
        lattice = rescored_lattice(one.utt, paths, weights, acoustic_scale=acoustic_scale)
        as_counted = [clean(word, nbest.cleaner) for word in words]
        units = [len(split_units(word, nbest.metric)) for word in as_counted]
        of_words = word_posteriors(lattice, words, scale, acoustic_scale)
        posteriors[one.utt, hyps[one.utt]] = of_words
        of_units.append(np.repeat(of_words, units))
        pairs = align(clean(nbest.refs[one.utt], nbest.cleaner), " ".join(as_counted), nbest.metric)
        is_right += [ref == hyp for ref, hyp in pairs if hyp != NO_WORD]
    if not is_right:  # not a word was chosen
        return Calibration(scale), posteriors
    slope, intercept = _fit(_logits(np.concatenate(of_units)), np.array(is_right))
    return Calibration(scale, round(slope, 4), round(intercept, 4)), posteriors


def _fit(logits: Floats, is_right: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the logistic regression with Platt's targets."""
    from scipy.optimize import minimize  # slow to import

    num_right = int(is_right.sum())
    targets = np.where(is_right, (num_right + 1) / (num_right + 2), 1 / (len(is_right) - num_right + 2))
    design = np.stack([logits, np.ones_like(logits)])

    def loss(solution: Floats) -> tuple[float, Floats]:
        """Mean negative log-likelihood, and its gradient."""
        values = solution @ design
        gradient: Floats = design @ (_sigmoid(values) - targets) / len(targets)
        return float(np.mean(np.logaddexp(0.0, values) - targets * values)), gradient

    slope, intercept = minimize(loss, np.zeros(2), jac=True, method="BFGS", options={"gtol": GRADIENT}).x
    return float(slope), float(intercept)


def _logits(posteriors: Floats) -> Floats:
    clipped = np.clip(posteriors, CERTAIN, 1 - CERTAIN)
    logits: Floats = np.log(clipped / (1 - clipped))
    return logits


def _sigmoid(values: Floats) -> Floats:
    chances: Floats = 0.5 * (1.0 + np.tanh(0.5 * values))  # without an overflow
    return chances
