"""Longer lists from short ones, as a decode with a wider beam would give them; JSON Lines, for `lorescore convert`.

    python tests/benchmarks/recombine.py exp/nbest/dev_other 50 recombined.jsonl

The hypotheses of a list differ from its best at some places. Each choice of what they have there is a hypothesis; its
score is the best's and the difference that each choice makes, by least squares over the list. Lists that do not give as
many hypotheses are left out.
"""

import argparse
import heapq
import json
from collections.abc import Sequence
from pathlib import Path

import kaldialign
import numpy as np

from lorescore.files import atomic_write
from lorescore.nbest import NbestList, read_nbest_dir

GAP = "*EPS*"
MAX_TRIED = 5000  # combinations of a list
RIDGE = 1e-3

Words = tuple[str, ...]
Edit = tuple[int, int, Words]  # begin and end in the best hypothesis, and what another has there


def edits_of(best: Sequence[str], other: Sequence[str]) -> list[Edit]:
    """Where a hypothesis differs from the best, from left to right."""
    edits: list[Edit] = []
    place, begin, words = 0, -1, []
    for ours, theirs in [*kaldialign.align(list(best), list(other), GAP), ("", "")]:
        if ours == theirs:
            if begin >= 0:
                edits.append((begin, place, tuple(words)))
            place, begin, words = place + 1, -1, []
            continue
        begin = place if begin < 0 else begin
        place += ours != GAP
        words += [theirs] if theirs != GAP else []
    return edits


def slots_of(edits: Sequence[Sequence[Edit]]) -> list[tuple[int, int]]:
    """The places of all hypotheses; those that overlap are one."""
    slots: list[tuple[int, int]] = []
    for begin, end in sorted({(begin, end) for one in edits for begin, end, _ in one}):
        if slots and (begin < slots[-1][1] or (begin == slots[-1][1] and begin in (slots[-1][0], end))):
            slots[-1] = (slots[-1][0], max(slots[-1][1], end))
        else:
            slots.append((begin, end))
    return slots


def choice_in(slot: tuple[int, int], following: int, best: Words, edits: Sequence[Edit]) -> Words:
    """What a hypothesis has at a slot; an insertion where the next slot begins is that one's."""
    words: Words = ()
    place, end = slot
    for edit_begin, edit_end, put in edits:
        is_of_next = edit_begin == edit_end == end == following and edit_begin != slot[0]
        if edit_begin >= slot[0] and edit_end <= end and not is_of_next:
            words += (*best[place:edit_begin], *put)
            place = edit_end
    return (*words, *best[place:end])


def recombined(one: NbestList, size: int) -> list[tuple[str, float]]:
    """The texts of a longer list with their scores, best first; fewer than `size` where the list gives no more."""
    hyps = [tuple(hyp.words) for hyp in one.hypotheses]
    best, edits = hyps[0], [edits_of(hyps[0], hyp) for hyp in hyps]
    slots = slots_of(edits)
    followings = [*(begin for begin, _ in slots[1:]), -1]
    chosen = [
        [choice_in(slot, following, best, edit) for slot, following in zip(slots, followings, strict=True)]
        for edit in edits
    ]
    choices = [
        list(dict.fromkeys([best[begin:end], *(row[at] for row in chosen)])) for at, (begin, end) in enumerate(slots)
    ]
    keys = [(at, words) for at, options in enumerate(choices) for words in options[1:]]
    columns = {key: number for number, key in enumerate(keys)}
    has = np.array([[float(row[at] == words) for at, words in columns] for row in chosen]).reshape(len(hyps), -1)
    gains = np.array(one.scores) - one.scores[0]
    effects = np.linalg.solve(has.T @ has + RIDGE * np.eye(len(columns)), has.T @ gains) if columns else np.zeros(0)
    ordered = [
        sorted(
            ((min(0.0, effects[columns[at, words]]) if rank else 0.0, words) for rank, words in enumerate(options)),
            key=lambda choice: -choice[0],
        )
        for at, options in enumerate(choices)
    ]
    texts: dict[str, float] = {}
    for hyp, score in zip(hyps, one.scores, strict=True):
        texts.setdefault(" ".join(hyp), score)
    start = (0,) * len(slots)
    waiting, seen = [(0.0, start)], {start}
    for _ in range(MAX_TRIED):
        if not waiting or len(texts) >= size:
            break
        cost, ranks = heapq.heappop(waiting)
        words, place = [], 0
        for (begin, end), options, rank in zip(slots, ordered, ranks, strict=True):
            words += [*best[place:begin], *options[rank][1]]
            place = end
        texts.setdefault(" ".join([*words, *best[place:]]), one.scores[0] - cost)
        for at, options in enumerate(ordered):
            following = (*ranks[:at], ranks[at] + 1, *ranks[at + 1 :])
            if following[at] < len(options) and following not in seen:
                seen.add(following)
                cost = -sum(options[rank][0] for options, rank in zip(ordered, following, strict=True))
                heapq.heappush(waiting, (cost, following))
    return sorted(texts.items(), key=lambda text: -text[1])[:size]


def main() -> None:
    """Write the lists that are long enough."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nbest_dir", type=Path)
    parser.add_argument("size", type=int, help="hypotheses of a list")
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    nbest = read_nbest_dir(args.nbest_dir)
    with atomic_write(args.out) as file:
        for one in nbest:
            texts = recombined(one, args.size)
            if len(texts) == args.size:
                hyps, scores = zip(*texts, strict=True)
                line = {"utt": one.utt, "ref": nbest.refs[one.utt], "hyps": hyps, "scores": scores}
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
