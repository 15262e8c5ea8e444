"""Words of a hypothesis with what is to be said about each: is it an error, has a perturbation put it there."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lorescore.files import split_words
from lorescore.wer.alignment import NO_WORD, align

CORRECT, SUB, INS, DEL = "", "sub", "ins", "del"


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a hypothesis, or of the reference where the hypothesis lacks it.

    Attributes:
        text: The hypothesis's word; for `DEL` the reference's.
        error: `CORRECT`, `SUB`, `INS` or `DEL`.
        ref: The reference's word; empty for `INS`.
        is_perturbed: Whether the perturbation put it there.
    """

    text: str
    error: str
    ref: str
    is_perturbed: bool = False


@dataclass(frozen=True, slots=True)
class Replacement:
    """What a perturbation did at one place of a hypothesis.

    Attributes:
        old: The words that stood there, joined by spaces.
        new: Those that stand there now.
    """

    old: str
    new: str


def marked(ref: str, hyp: str, perturbed: Collection[int] = ()) -> tuple[Word, ...]:
    """The words of a hypothesis with its errors, as `edit_counts` counts them.

    Args:
        ref: The reference.
        hyp: The hypothesis.
        perturbed: Positions, from 0, of the hypothesis's words that a perturbation put there.
    """
    words, position = [], 0
    for ref_word, hyp_word in align(ref, hyp):
        if hyp_word == NO_WORD:
            words.append(Word(ref_word, DEL, ref_word))
            continue
        error = CORRECT if ref_word == hyp_word else INS if ref_word == NO_WORD else SUB
        words.append(Word(hyp_word, error, ref_word, position in perturbed))
        position += 1
    return tuple(words)


def replacements(old: str, new: str) -> tuple[list[Replacement], set[int]]:
    """What was replaced in a text by a perturbation.

    Args:
        old: The clean text.
        new: The perturbed one. With as many words, each replaced word is told by itself; else, where word boundaries
            moved, neighbouring ones are told together.

    Returns:
        The replacements in order, and the positions, from 0, of the words of `new` that were put there.
    """
    old_words, new_words = split_words(old), split_words(new)
    pairs = align(old, new)
    if len(old_words) == len(new_words):
        positions = [index for index, pair in enumerate(zip(old_words, new_words, strict=True)) if pair[0] != pair[1]]
        # Where boundaries moved in two places, all words between them are shifted.
        if len(positions) <= sum(before != after for before, after in pairs):
            return [Replacement(old_words[index], new_words[index]) for index in positions], set(positions)
    made: list[Replacement] = []
    places: set[int] = set()
    run: list[tuple[str, str]] = []
    position = 0
    for pair in [*pairs, (NO_WORD, NO_WORD)]:  # the last one ends a run
        if pair[0] != pair[1]:
            run.append(pair)
        elif run:
            made.append(Replacement(*(_joined([words[side] for words in run]) for side in (0, 1))))
            run = []
        if pair[1] != NO_WORD:
            if pair[0] != pair[1]:
                places.add(position)
            position += 1
    return made, places


def _joined(words: Sequence[str]) -> str:
    return " ".join(word for word in words if word != NO_WORD)
