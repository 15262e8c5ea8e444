"""What the lexicons of decoding graphs and of perturbations share."""

Pronunciation = tuple[str, ...]  # a word's phones, or other units, in order

STRESS_MARKS = "012"  # what CMUdict writes after a vowel: no, primary and secondary stress


def probability(text: str) -> float | None:
    """The number, above 0 and at most 1, that lexiconp.txt has after a word; None where it is something else."""
    try:
        return float(text) if 0.0 < float(text) <= 1.0 else None
    except ValueError:
        return None
