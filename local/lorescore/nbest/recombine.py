"""Recombined lists: what the hypotheses of a list differ in, put together anew, joins it for the PLM to choose from.

The N best of a long utterance differ at a few places, and a beam of ten has room for few of their combinations: the
hypothesis that is right at two places may not be among them. So the list is taken apart into the places where its
hypotheses differ from the best, and what they have there, and each choice of these is a hypothesis. A choice changes
the first pass's log score by so much wherever it is made: by how much is fitted to the scores of the list (least
squares), and no choice is better than the best's own. The likeliest combinations are added until the list is as long as
is asked for: what many hypotheses have at a place is likelier than what one has, whatever the fitted scores say, which
ten hypotheses do not tell apart at many places. A confusion network (Mangu, Brill and Stolcke, 2000) has the same
places; that its paths are scored by a PLM, with first-pass scores, is this project's own.

They stand at the end of their list, likeliest first: the first pass's hypotheses keep their ranks, keys and scores, and
its best stays the best. A list depends on itself and on the settings alone.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import kaldialign
import numpy as np
import numpy.typing as npt

from lorescore.errors import InputError
from lorescore.files import split_words
from lorescore.nbest.cheapest import Chosen, cheapest
from lorescore.nbest.lists import COST_DECIMALS, Hypothesis, NbestList
from lorescore.wer.cleaning import clean
from lorescore.wer.units import CER, CHARACTER, WER, split_units

NUM_HYPS = 50  # of 10-best lists of LibriSpeech two thirds have fewer combinations
MAX_TRIED = 100  # combinations for each hypothesis of the list: different ones may have the same text
RIDGE = 1e-3  # keeps what a list does not tell apart from being fitted to its noise
# Weight of the log share of hypotheses that have a choice, beside its fitted log score. Chosen on dev lists of
# LibriSpeech, frozen PLM: with homophones put into all hypotheses at rate 0.3 they have 15.9 % WER, 16.5 at 1 and 18.7
# at 0; without, 12.7 each time.
VOTES = 4.0
GAP = "\n"  # in no text
CHARACTER_OR_SPACE = re.compile(rf"{CHARACTER.pattern}|\s")

Units = tuple[str, ...]  # the words of a text; its characters, spaces too, where characters are counted


@dataclass(frozen=True)
class Choice:
    """What a list may have at one of its places.

    Attributes:
        units: Instead of the best hypothesis's there.
        cost: By how much it lowers the first-pass log score; 0 for the best's own.
        unlikelihood: The cost less VOTES x the log share of hypotheses that have it, above the likeliest of its place.
    """

    units: Units
    cost: float
    unlikelihood: float


@dataclass(frozen=True)
class Recombination:
    """How lists are recombined.

    Attributes:
        num_hyps: Hypotheses of a list with those that are added, at most.
        metric: What hypotheses differ in: `wer`, words, or `cer`, characters.
        cleaner: What is done to texts before their errors are counted: those that it leaves equal are one.

    Raises:
        InputError: Fewer than two hypotheses.
    """

    num_hyps: int = NUM_HYPS
    metric: str = WER
    cleaner: str | None = None

    def __post_init__(self) -> None:
        if self.num_hyps < 2:
            raise InputError(f"lists are recombined to {self.num_hyps} hypotheses, expected at least 2")

    def recombine(self, one: NbestList) -> NbestList:
        """The list of an utterance with combinations of what the first pass has; one that has none stays as it is.

        Raises:
            InputError: Its first-pass costs are in parts: a lattice has the combinations with their true costs.
        """
        one = one.first_pass
        if any(hypothesis.parts for hypothesis in one.hypotheses):
            raise InputError(
                f"the list of {one.utt} is from a lattice, which has more hypotheses itself",
                mend="take longer lists from the lattices: --num_hyps of import-nbest, instead of recombining",
            )
        if not 0 < len(one.hypotheses) < self.num_hyps:
            return one
        known = {self._counted(text) for text in one.texts}
        added: list[Hypothesis] = []
        for made in islice(self._combinations(one), MAX_TRIED * self.num_hyps):
            if len(one.hypotheses) + len(added) >= self.num_hyps:
                break
            if (counted := self._counted(made.text)) not in known:
                known.add(counted)
                added.append(made)
        return replace(one, hypotheses=(*one.hypotheses, *added), added=len(added))

    def _combinations(self, one: NbestList) -> Iterator[Hypothesis]:
        """All combinations of a list, the likeliest first; among them hypotheses of the list, at scores as fitted."""
        hypotheses = [self._units(hypothesis.text) for hypothesis in one.hypotheses]
        rows = [_beside(hypotheses[0], other) for other in hypotheses]
        places = _places(rows)
        choices = _choices(rows, places, np.array(one.scores) - one.scores[0])

        def unlikelihood(chosen: Chosen) -> float:
            each = (choices[place][index].unlikelihood for place, index in chosen.items())
            return round(sum(each), COST_DECIMALS)

        for _, chosen in cheapest(list(map(len, choices)), unlikelihood):
            units, cost, end = [], 0.0, 0
            for place, ((begin, until), some) in enumerate(zip(places, choices, strict=True)):
                choice = some[chosen.get(place, 0)]
                units += [*_joined(rows[0][end:begin]), *choice.units]
                cost += choice.cost
                end = until
            text = self._text((*units, *_joined(rows[0][end:])))
            yield Hypothesis(text, one.scores[0] - round(cost, COST_DECIMALS))

    def _counted(self, text: str) -> Units:
        """What errors are counted in: texts that differ in their spaces alone are one where that is characters."""
        return tuple(split_units(clean(text, self.cleaner), self.metric))

    def _units(self, text: str) -> Units:
        return tuple(CHARACTER_OR_SPACE.findall(text) if self.metric == CER else split_words(text))

    def _text(self, units: Units) -> str:
        return " ".join(split_words("".join(units)) if self.metric == CER else units)


def _beside(best: Units, other: Units) -> list[Units]:
    """A hypothesis beside the best: what it has before each unit of the best, instead of it, ..., and after the last.

    Returns:
        Odd places are the units of the best, and even ones the gaps between them: 2 x len(best) + 1.
    """
    row: list[Units] = [() for _ in range(2 * len(best) + 1)]
    at = 0  # the gap before the next unit of the best
    for ours, theirs in kaldialign.align(list(best), list(other), GAP):
        if ours == GAP:
            row[at] += (theirs,)
            continue
        row[at + 1] = (theirs,) if theirs != GAP else ()
        at += 2
    return row


def _joined(row: Sequence[Units]) -> Units:
    return tuple(unit for units in row for unit in units)


def _places(rows: Sequence[Sequence[Units]]) -> list[tuple[int, int]]:
    """Where hypotheses differ from the first: begin and end, from left to right; those that overlap are one place."""
    runs: set[tuple[int, int]] = set()
    best = rows[0]
    for row in rows[1:]:
        begin = end = -2  # of differences in a row; an equal gap between two words that differ does not end it
        for at in (at for at, units in enumerate(row) if units != best[at]):
            if at > end + at % 2:
                runs.add((begin, end))
                begin = at
            end = at + 1
        runs.add((begin, end))
    places: list[tuple[int, int]] = []
    for begin, end in sorted(run for run in runs if run[0] >= 0):
        if places and begin < places[-1][1]:
            places[-1] = (places[-1][0], max(places[-1][1], end))
        else:
            places.append((begin, end))
    return places


def _choices(
    rows: Sequence[Sequence[Units]], places: Sequence[tuple[int, int]], gains: npt.NDArray[np.float64]
) -> list[list[Choice]]:
    """What the hypotheses have at each place, the likeliest first.

    Args:
        rows: Of the hypotheses.
        places: Where they differ.
        gains: Their log scores less the best's, (n,).
    """
    taken = [[_joined(row[begin:end]) for begin, end in places] for row in rows]
    columns: dict[tuple[int, Units], int] = {}
    for row in taken:
        for key in enumerate(row):
            if key[1] != taken[0][key[0]]:
                columns.setdefault(key, len(columns))
    has = np.array([[float(row[place] == units) for place, units in columns] for row in taken])
    has = has.reshape(len(rows), len(columns))
    effects = np.linalg.solve(has.T @ has + RIDGE * np.eye(len(columns)), has.T @ gains)
    costs = {key: max(0.0, -float(effect)) for key, effect in zip(columns, effects, strict=True)}
    choices = []
    for place, at_place in enumerate(zip(*taken, strict=True)):
        votes = Counter(at_place)  # the best's own first
        # Rounded as in files, so that the last bits of a machine's arithmetic decide nothing.
        cost = {units: round(costs.get((place, units), 0.0), COST_DECIMALS) for units in votes}
        unlikely = {units: cost[units] - VOTES * math.log(votes[units] / len(rows)) for units in votes}
        first = min(unlikely.values())
        found = [Choice(units, cost[units], round(unlikely[units] - first, COST_DECIMALS)) for units in votes]
        choices.append(sorted(found, key=lambda choice: choice.unlikelihood))
    return choices
