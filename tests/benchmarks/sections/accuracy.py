"""What an approximation costs in accuracy and saves in time, against the exact scores of the same lists."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from measure import median, side_by_side
from samples import NamedLists, cased_texts, largest_difference, sample, sample_by_words, tuned

from lorescore.combine import ScoredLists, Weights, best_ranks
from lorescore.scoring.options import EXACT, ScoringOptions
from lorescore.wer.resampling import (
    PERCENT,
    Counts,
    percentile_interval,
    resampled_totals,
)
from sections import Context, Numbers, Row

WER_UTTERANCES = 3000  # of which the WER is measured: the whole of each of LibriSpeech's dev sets
SAMPLE_WORDS = 4000  # distinct word prefixes that are timed: some forward passes
EXACT_NAME = "exact"


def measure_options(
    context: Context, lists: NamedLists, options: Mapping[str, ScoringOptions], wer_dtype: str = EXACT.dtype
) -> Numbers:
    """WER, states and seconds of the exact scores and at each of some options.

    The weights are tuned at each option anew, on the lists that the WER is of.

    Args:
        context: What every section works with.
        lists: What is scored.
        options: By name.
        wer_dtype: Numbers in which those are scored that the WERs are of, where an option has none of its own.
    """
    nbest = sample(lists.nbest, context.utterances or WER_UTTERANCES)
    texts = cased_texts(nbest, context.plm)
    few = cased_texts(sample_by_words(nbest, SAMPLE_WORDS), context.plm)
    rescorers = {name: context.rescorer(one) for name, one in ({EXACT_NAME: EXACT} | dict(options)).items()}
    rows: dict[str, Numbers] = {}
    exact: list[list[float]] = []  # the first
    exact_errors = np.zeros(len(nbest), dtype=np.int64)
    for name, rescorer in rescorers.items():
        context.log(f"{lists.name}: WER of {len(nbest)} utterances at {name}")
        of_wer = options.get(name, EXACT)
        if of_wer.dtype == EXACT.dtype != wer_dtype:
            scores = context.rescorer(replace(of_wer, dtype=wer_dtype)).score(texts)
        else:
            scores = rescorer.score(texts)
        exact = exact or scores
        scored, weights = tuned(nbest, scores)
        errors = chosen_errors(scored, weights)
        exact_errors = errors if name == EXACT_NAME else exact_errors
        rows[name] = {
            "wer": PERCENT * float(errors.sum() / scored.ref_words.sum()),
            "change": change_interval(errors, exact_errors, scored.ref_words),
            "lm_weight": weights.lm_weight,
            "word_bonus": weights.word_bonus,
            "states": sum(len(rescorer.encode(one)) for one in texts),
            "sample_states": sum(len(rescorer.encode(one)) for one in few),
            "difference": largest_difference(scores, exact),
        }
    runs = side_by_side({name: partial(rescorer.score, few) for name, rescorer in rescorers.items()}, context.repeats)
    for name, taken in runs.items():
        rows[name]["seconds"] = taken
    return {"utterances": len(nbest), "words": sum(len(ref.split()) for ref in nbest.refs.values()), "rows": rows}


def chosen_errors(lists: ScoredLists, weights: Weights) -> Counts:
    """Word errors of the best hypothesis of each list, (U,)."""
    errors: Counts = lists.errors[lists.offsets[:-1] + best_ranks(lists, weights)]
    return errors


def change_interval(errors: Counts, exact_errors: Counts, ref_words: Counts) -> list[float | None]:
    """The paired 95 % bootstrap interval over utterances of a WER minus the exact one, in percent."""
    totals = resampled_totals(np.stack([errors, exact_errors, ref_words]))
    return list(percentile_interval(PERCENT * (totals[:, 0] - totals[:, 1]) / totals[:, 2]))


HEADER = (
    "WER",
    "WER - exact",
    "95 %",
    "tokens scored",
    "of the exact ones",
    "seconds of the sample",
    "faster than exact by",
    "fewer tokens there by",
    "largest difference, nats",
)


def cells(part: Numbers, name: str) -> Row:
    """The cells under HEADER of one option."""
    one, exact = part["rows"][name], part["rows"][EXACT_NAME]
    taken = median(one["seconds"])
    interval = "" if one is exact else "{:+.2f} to {:+.2f}".format(*one["change"])
    return (
        f"{one['wer']:.2f}",
        f"{one['wer'] - exact['wer']:+.2f}",
        interval,
        one["states"],
        one["states"] / exact["states"],
        taken,
        median(exact["seconds"]) / taken,
        exact["sample_states"] / one["sample_states"],
        f"{one['difference']:.1e}",
    )


def with_references(lists: Sequence[NamedLists]) -> list[NamedLists]:
    """The lists that a WER can be measured on."""
    return [one for one in lists if one.nbest.refs]
