"""What the lexicons of decoding graphs and of perturbations share."""

from lorescore.files import as_number

Pronunciation = tuple[str, ...]  # a word's phones, or other units, in order

STRESS_MARKS = "012"  # what CMUdict writes after a vowel: no, primary and secondary stress


def probability(text: str) -> float | None:
    """The number, above 0 and at most 1, that lexiconp.txt has after a word; None where it is something else."""
    number = as_number(text)
    return number if 0.0 < number <= 1.0 else None
