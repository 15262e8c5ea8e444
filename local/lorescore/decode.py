"""Which hypothesis of a list is chosen: `map`, the highest combined score, or `mbr`, the fewest expected word errors.

Minimum Bayes risk over an N-best list (Stolcke, Konig and Weintraub, "Explicit word error minimization in N-best list
rescoring", Eurospeech 1997): with the posteriors

    p(hypothesis) = softmax over the list of posterior_scale x combined score

the expected word errors of a hypothesis are its edit distances to all hypotheses of the list, weighted with their
posteriors. The scale is chosen on a development set, where an infinite one stands for MAP: its posterior is 1 for the
best hypothesis. MBR is therefore never worse than MAP on that set.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lorescore.combine import (
    SCORE_DECIMALS,
    Floats,
    Ints,
    ScoredLists,
    Weights,
    best_ranks,
    combined_scores,
    error_count,
    number_in,
)
from lorescore.errors import InputError
from lorescore.files import read_yaml
from lorescore.nbest.lists import NbestSet
from lorescore.wer.cleaning import clean
from lorescore.wer.distances import NumberedTexts
from lorescore.wer.units import WER

MBR = "mbr"  # ends the name of a system whose hypotheses MBR chose: <tag>_mbr
MAP_SCALE = math.inf
POSTERIOR_SCALES = (MAP_SCALE, 4.0, 2.0, 1.0, 0.7, 0.5, 0.35, 0.25, 0.18, 0.125, 0.0625)


def chosen_ranks(lists: ScoredLists, nbest: NbestSet, weights: Weights, posterior_scale: float) -> Ints:
    """The hypothesis with the fewest expected word errors; of equal ones the one that MAP prefers.

    Args:
        lists: The scored lists.
        nbest: The lists that they were built of.
        weights: Of the combined score.
        posterior_scale: Of the combined score in the posteriors, above 0; MAP_SCALE for MAP.

    Returns:
        Index into each list, from 0, (U,), as `combine.best_ranks` returns it.
    """
    if math.isinf(posterior_scale):
        return best_ranks(lists, weights)
    return _mbr_ranks(lists, _list_distances(nbest), weights, posterior_scale)


def tune_posterior_scale(lists: ScoredLists, nbest: NbestSet, weights: Weights) -> float:
    """The scale with the fewest word errors; of equally good ones the highest. For a development set only.

    As MAP_SCALE is one of POSTERIOR_SCALES, MBR is no worse than MAP on these lists.

    Args:
        lists: The scored lists, with references.
        nbest: The lists that they were built of.
        weights: Of the combined score, already tuned.

    Raises:
        InputError: There are no reference words.
    """
    if not lists.ref_words.sum():
        raise InputError("no reference words to tune the posterior scale on", mend="add the references of this set")
    distances = _list_distances(nbest)
    return min(
        POSTERIOR_SCALES, key=lambda scale: (error_count(lists, _mbr_ranks(lists, distances, weights, scale)), -scale)
    )


def tune_confidence_scale(lists: ScoredLists, weights: Weights) -> float:
    """The scale at which posteriors serve best as confidences. For a development set only.

    It is the finite one of POSTERIOR_SCALES that gives the hypotheses with the fewest word errors of their list,
    together, the highest likelihood over the lists; of equally good ones the highest.

    Args:
        lists: The scored lists, with references.
        weights: Of the combined score, already tuned.
    """
    begins = lists.offsets[:-1]
    is_best = lists.errors == np.repeat(np.minimum.reduceat(lists.errors, begins), lists.sizes)

    def log_likelihood(scale: float) -> float:
        of_best = np.add.reduceat(np.where(is_best, posteriors(lists, weights, scale), 0.0), begins)
        return math.fsum(np.log(np.maximum(of_best, np.finfo(np.float64).tiny)))

    return max(filter(math.isfinite, POSTERIOR_SCALES), key=lambda scale: (log_likelihood(scale), scale))


def posteriors(lists: ScoredLists, weights: Weights, posterior_scale: float) -> Floats:
    """The posterior of each hypothesis in its list, softmax of posterior_scale x combined score, (H,)."""
    begins = lists.offsets[:-1]
    scores = combined_scores(lists, weights)
    scores -= np.repeat(np.maximum.reduceat(scores, begins), lists.sizes)  # before scaling: an overflow is 0 then
    exponentials = np.exp(posterior_scale * scores)
    normalized: Floats = exponentials / np.repeat(np.add.reduceat(exponentials, begins), lists.sizes)
    return normalized


def pairwise_errors(texts: Sequence[str], metric: str = WER) -> Ints:
    """The edit distance (Levenshtein, unit costs) of every two texts of a list, (N, N), symmetric.

    Args:
        texts: The list.
        metric: `wer` to count words, `cer` to count characters.
    """
    errors = np.zeros((len(texts), len(texts)), dtype=np.int64)
    first, second = np.triu_indices(len(texts), 1)
    errors[first, second] = NumberedTexts.of(texts, metric).edit_distances(first, second)
    return errors + errors.T


def read_posterior_scale(path: Path) -> float:
    """Read `posterior_scale` of a `weights.yaml`; MAP_SCALE where it is left out.

    Raises:
        InputError: The file cannot be read, or the scale is not above 0.
    """
    expected = "a number above 0, or .inf for MAP"
    return number_in(read_yaml(path), "posterior_scale", MAP_SCALE, path, lambda value: value > 0, expected)


def _list_distances(nbest: NbestSet) -> list[Ints]:
    return [pairwise_errors([clean(text, nbest.cleaner) for text in one.texts], nbest.metric) for one in nbest]


def _mbr_ranks(lists: ScoredLists, distances: Sequence[Ints], weights: Weights, posterior_scale: float) -> Ints:
    if math.isinf(posterior_scale):
        return best_ranks(lists, weights)
    begins = lists.offsets[:-1]
    parts = np.split(posteriors(lists, weights, posterior_scale), begins[1:])
    expected = np.concatenate([errors @ part for errors, part in zip(distances, parts, strict=True)])
    # lexsort is stable and its last key counts first; what is equal to nine decimals is equal.
    order = np.lexsort((-combined_scores(lists, weights), np.round(expected, SCORE_DECIMALS), lists.owners))
    ranks: Ints = order[begins] - begins
    return ranks
