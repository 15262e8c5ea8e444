"""What stands before an utterance in its recording, for PLMs that make use of more than a sentence.

The context of an utterance is the first pass's best of the utterances before it: what a second pass knows, and not the
references. Which utterances are of one recording, and in which order, is said by Kaldi's `segments`, or by utterance
ids as LibriSpeech has them: the recording up to the last `-` or `_`, and the utterances of a recording sorted by what
follows, numbers as numbers. That a sentence of another speaker can stand there too, as in a conversation, is what
`segments` is for.

Scoring across utterances is known from n-gram and recurrent LMs (Irie et al., "Training language models for long-span
cross-sentence evaluation", ASRU 2019); the use of first-pass hypotheses as they are is this project's choice.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import as_number, read_table, split_words
from lorescore.nbest.lists import NbestList, NbestSet

Place = tuple[str, float]  # the recording, and the second in it, or the utterance's number
UTTERANCE_ID = re.compile(r"(.+)[-_]([^-_]+)")


def with_context(nbest: NbestSet, size: int, places: Mapping[str, Place] | None = None, chosen: int = 0) -> NbestSet:
    """The lists with the first-pass 1-best of up to `size` utterances before each one in its recording.

    Args:
        nbest: The lists of a set. An empty 1-best is passed over.
        size: Utterances at most; 0: none.
        places: Where each utterance is (`read_segments`); None: as the utterances' ids say.
        chosen: How many further utterances of the recording, before or after it, stand in front of these, in their
            order: those whose 1-best has words on which the list's hypotheses differ, the more and the rarer the
            better, of equals the later (this project's own choice).

    Raises:
        InputError: A negative number, or `places` lacks an utterance.
    """
    if min(size, chosen) < 0:
        raise InputError(f"a context of {min(size, chosen)} utterances, expected 0 or more")
    order = sorted(nbest, key=lambda one: (*_place(one.utt, places), one.utt))
    rarity = _rarity(order) if chosen else {}
    contexts: dict[str, tuple[str, ...]] = {}
    for _, group in groupby(order, key=lambda one: _place(one.utt, places)[0]):
        recording = list(group)
        sharing = _sharing_words(recording) if chosen else {}
        before: list[int] = []  # the places in the recording of those with words
        for place, one in enumerate(recording):
            near = before[-size:] if size else []
            worth: dict[int, float] = {}
            for word in _differing_words(one) if chosen else ():
                for other in sharing.get(word, ()):
                    if other != place and other not in near:
                        worth[other] = worth.get(other, 0.0) + rarity[word]
            by_worth = sorted(filter(worth.get, worth), key=lambda other: (-worth[other], -other))
            taken = sorted(by_worth[:chosen]) + near
            contexts[one.utt] = tuple(recording[other].hypotheses[0].text for other in taken)
            before += [place] if one.hypotheses[0].text else []
    return replace(nbest, lists=tuple(replace(one, context=contexts[one.utt]) for one in nbest))


def _rarity(lists: Sequence[NbestList]) -> dict[str, float]:
    """How rare the words of the 1-bests are: log of the lists over those that have the word."""
    occurrences = Counter(word for one in lists for word in set(one.hypotheses[0].words))
    return {word: math.log(len(lists) / count) for word, count in occurrences.items()}


def _sharing_words(recording: Sequence[NbestList]) -> dict[str, list[int]]:
    """The places in a recording of the utterances whose 1-best has a word, by the word."""
    sharing: dict[str, list[int]] = {}
    for place, one in enumerate(recording):
        for word in set(one.hypotheses[0].words):
            sharing.setdefault(word, []).append(place)
    return sharing


def _differing_words(one: NbestList) -> list[str]:
    """The words that some hypotheses of a list have and others do not, sorted."""
    found = [set(hyp.words) for hyp in one.hypotheses]
    return sorted(set().union(*found) - found[0].intersection(*found[1:]))


def num_recordings(nbest: NbestSet, places: Mapping[str, Place] | None = None) -> int:
    """In how many recordings the utterances of a set are; `places` as for `with_context`."""
    return len({_place(one.utt, places)[0] for one in nbest})


def read_segments(path: Path) -> dict[str, Place]:
    """Where each utterance is, from Kaldi's `segments`: `<utt> <recording> <start> <end>`, in seconds.

    Raises:
        InputError: A line is not of this form.
    """
    places: dict[str, Place] = {}
    for number, (utt, value) in enumerate(read_table(path).items(), start=1):
        fields = split_words(value)
        start = as_number(fields[1]) if len(fields) == 3 else math.nan
        if not math.isfinite(start):
            raise InputError(
                f"expected `<utt> <recording> <start> <end>`, found {utt} {value!r:.60}",
                path=path,
                line=number,
                mend="correct the line",
            )
        places[utt] = fields[0], start
    return places


def _place(utt: str, places: Mapping[str, Place] | None) -> Place:
    """Where an utterance is; one whose id names no recording is a recording of its own."""
    if places is None:
        found = UTTERANCE_ID.fullmatch(utt)
        return (found[1] if found else utt), float(found[2]) if found and found[2].isdecimal() else 0.0
    if utt not in places:
        raise InputError(f"utterance {utt} is not in segments", mend="give the segments of this set, or none")
    return places[utt]
