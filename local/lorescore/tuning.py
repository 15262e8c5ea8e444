"""The weights of the combined score with the fewest word errors on a development set.

Along a line in the plane of the two weights the combined score of each hypothesis is a linear function of the position
t, so that the best hypothesis of an utterance changes only at the corners of the upper envelope of its lines, and the
errors of the set are constant between two corners. The best position on a line is therefore found exactly, without a
grid: Och, "Minimum error rate training in statistical machine translation", ACL 2003.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, islice

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
    first_best,
)
from lorescore.errors import InputError

START_LM_WEIGHTS = (0.0, 0.1, 0.3, 1.0)
MAX_ROUNDS = 20
DECIMALS = (4, 6, 8)
END_MARGIN = 1.0  # distance from the last corner, where the best interval has no end
MIN_RELATIVE_WIDTH = 1e-6  # a narrower interval is rounding error, not a place for a weight


def tune(lists: ScoredLists) -> Weights:
    """The weights with the fewest word errors that line searches find; for a development set only.

    From several starts, exact line searches go along `lm_weight`, `word_bonus` and the direction in which the bonus
    makes up for the average PLM score of a word, until none of them gains. The search is a local one, but deterministic
    and independent of the order of the utterances.

    Returns:
        Weights at which the set has no more errors than at (0, 0), rounded to four decimals, or to more
        where four would cost errors.

    Raises:
        InputError: There are no reference words.
    """
    if not lists.ref_words.sum():
        raise InputError("no reference words to tune the weights on", mend="add the references of this set")
    per_word = _cost_per_word(lists)
    best = Weights(metric=lists.metric)
    best_errors = _errors_at(lists, best)
    for lm_weight in START_LM_WEIGHTS:
        found, errors = _descend(lists, Weights(lm_weight, lm_weight * per_word, lists.metric))
        if errors < best_errors:
            best, best_errors = found, errors
    for decimals in DECIMALS:
        rounded = Weights(round(best.lm_weight, decimals), round(best.word_bonus, decimals), lists.metric)
        if _errors_at(lists, rounded) == best_errors:
            return rounded
    return best


def tune_members(members: Sequence[ScoredLists]) -> tuple[list[float], float]:
    """The weights of several PLM scores in one sum, and its word bonus; for a development set only.

        combined score = first-pass score + sum_k weight_k x PLM score_k + word_bonus x number of words

    From each PLM score by itself, and from the mean of all, the line searches of `tune` go along one weight and the
    bonus at a time, until none of them gains: the sum has no more errors than the best of its members.

    Args:
        members: The same lists with the scores of one PLM each, K of them.

    Returns:
        The K weights and the bonus, rounded as those of `tune`.

    Raises:
        InputError: There are no reference words.
    """
    alone = [tune(lists) for lists in members]
    count = len(members)
    starts = [([one.lm_weight if j == k else 0.0 for j in range(count)], one.word_bonus) for k, one in enumerate(alone)]
    starts.append(([one.lm_weight / count for one in alone], math.fsum(one.word_bonus for one in alone) / count))
    found = [_descend_members(members, *start) for start in starts]
    errors, factors, bonus = min(found, key=lambda one: one[0])
    for decimals in DECIMALS:
        rounded = [round(factor, decimals) for factor in factors], round(bonus, decimals)
        if _member_errors(members, *rounded) == errors:
            return rounded
    return factors, bonus


def line_search(lists: ScoredLists, origin: Weights, direction: tuple[float, float]) -> Weights:
    """The point with the fewest word errors on the line `origin` + t x `direction`, where `lm_weight` is at least 0.

    It is the middle of the best interval between two corners; of equally good ones the widest, then the one with the
    smallest t. An interval without an end counts as the narrowest, and its point lies at a distance of 1 from the
    corner. Where there are no corners, it is the origin, or a point beyond where that is at `lm_weight` 0: ties there,
    which are decided by rank, can cost errors that no larger weight makes.

    Args:
        lists: The lists, with references.
        origin: A point on the line.
        direction: Steps of (lm_weight, word_bonus); that of lm_weight is at least 0.
    """
    d_lm, d_bonus = direction
    low = -origin.lm_weight / d_lm if d_lm > 0 else -math.inf
    intercepts = combined_scores(lists, origin)
    slopes = np.round(d_lm * lists.plm + d_bonus * lists.num_words, SCORE_DECIMALS)
    corners, errors = _error_curve(lists, intercepts, slopes, low)
    if not corners.size:
        beyond = Weights(END_MARGIN * d_lm, origin.word_bonus + END_MARGIN * d_bonus, origin.metric)
        return beyond if low == 0 and errors[0] < _errors_at(lists, origin) else origin
    ends = np.concatenate(([low], corners, [math.inf]))
    widths = np.diff(ends)
    usable = widths > MIN_RELATIVE_WIDTH * np.maximum(1.0, np.abs(np.concatenate(([corners[0]], corners))))
    best = usable & (errors == errors[usable].min())
    chosen = int(np.argmax(np.where(best, np.where(np.isfinite(widths), widths, 0.0), -1.0)))
    left, right = float(ends[chosen]), float(ends[chosen + 1])
    if math.isinf(right):
        t = left + END_MARGIN
    elif math.isinf(left):
        t = right - END_MARGIN
    else:
        t = (left + right) / 2
    return Weights(max(0.0, origin.lm_weight + t * d_lm), origin.word_bonus + t * d_bonus, origin.metric)


def _descend_members(
    members: Sequence[ScoredLists], factors: list[float], bonus: float
) -> tuple[int, list[float], float]:
    """Line searches for one member after the other until a round brings no gain: the errors, the weights, the bonus."""
    errors = _member_errors(members, factors, bonus)
    for _ in range(MAX_ROUNDS):
        before = errors
        for index, lists in enumerate(members):
            others = [0.0 if j == index else factor for j, factor in enumerate(factors)]
            rest = replace(lists, first_pass=lists.first_pass + _sum_of_scores(members, others))
            found, found_errors = _descend(rest, Weights(factors[index], bonus, lists.metric))
            if found_errors < errors:
                others[index] = found.lm_weight
                factors, bonus, errors = others, found.word_bonus, found_errors
        if errors == before:
            break
    return errors, factors, bonus


def _member_errors(members: Sequence[ScoredLists], factors: Sequence[float], bonus: float) -> int:
    together = replace(members[0], plm=_sum_of_scores(members, factors))
    return _errors_at(together, Weights(1.0, bonus, together.metric))


def _sum_of_scores(members: Sequence[ScoredLists], factors: Sequence[float]) -> Floats:
    return sum((factor * lists.plm for factor, lists in zip(factors, members, strict=True)), np.zeros(1))


def _cost_per_word(lists: ScoredLists) -> float:
    # fsum is exact, and so does not depend on the order of the utterances.
    return -math.fsum(lists.plm) / max(1.0, float(lists.num_words.sum()))


def _descend(lists: ScoredLists, start: Weights) -> tuple[Weights, int]:
    """Line searches along the weight, the bonus and both together in turn until none of them brings a gain."""
    directions = ((1.0, 0.0), (0.0, 1.0), (1.0, _cost_per_word(lists)))
    weights, errors = start, _errors_at(lists, start)
    without_gain = 0
    for direction in islice(cycle(directions), MAX_ROUNDS * len(directions)):
        candidate = line_search(lists, weights, direction)
        # Counted again, as the scores at the candidate are rounded differently from those on the line.
        candidate_errors = _errors_at(lists, candidate)
        without_gain += 1
        if candidate_errors < errors:
            weights, errors, without_gain = candidate, candidate_errors, 0
        if without_gain == len(directions):
            break
    return weights, errors


def _errors_at(lists: ScoredLists, weights: Weights) -> int:
    return error_count(lists, best_ranks(lists, weights))


def _error_curve(lists: ScoredLists, intercepts: Floats, slopes: Floats, low: float) -> tuple[Floats, Ints]:
    """The errors of the set along a line.

    Args:
        lists: The lists.
        intercepts: Combined score of each hypothesis at t = 0, (H,).
        slopes: Its change with t, (H,).
        low: Where the line begins; -inf where it has no beginning.

    Returns:
        The K distinct corners in increasing order, (K,), and the errors from `low` to the first corner, between the
        corners and after the last one, (K + 1,).
    """
    # Right after `low`: of the lines that are highest there, the steepest.
    if math.isinf(low):
        current = first_best(lists.offsets, -slopes, intercepts)
    else:
        current = first_best(lists.offsets, np.round(intercepts + low * slopes, SCORE_DECIMALS), slopes)
    first_errors = int(lists.errors[current].sum())
    position = np.full(len(current), low)
    # Only steeper lines can take over; `lines` are these, list by list, and `owner` says whose they are.
    lines = np.flatnonzero(slopes > np.repeat(slopes[current], lists.sizes))
    owner = lists.owners[lines]
    all_corners, all_gains = [], []
    while lines.size:
        begins = np.flatnonzero(np.concatenate(([True], owner[1:] != owner[:-1])))
        mine = current[owner]
        crossings = (intercepts[mine] - intercepts[lines]) / (slopes[lines] - slopes[mine])
        taker = first_best(np.concatenate((begins, [len(lines)])), -crossings, slopes[lines])
        utts = owner[begins]
        # In exact arithmetic a corner never lies before the last one.
        position[utts] = np.maximum(position[utts], crossings[taker])
        all_corners.append(position[utts])
        all_gains.append(lists.errors[lines[taker]] - lists.errors[current[utts]])
        current[utts] = lines[taker]
        steeper = slopes[lines] > slopes[current[owner]]
        lines, owner = lines[steeper], owner[steeper]
    if not all_corners:
        return np.empty(0), np.array([first_errors])
    corners, where = np.unique(np.concatenate(all_corners), return_inverse=True)
    gains = np.zeros(len(corners), dtype=np.int64)
    np.add.at(gains, where, np.concatenate(all_gains))
    return corners, first_errors + np.concatenate(([0], np.cumsum(gains)))
