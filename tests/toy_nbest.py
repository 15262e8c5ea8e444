"""Toy N-best lists from which a rescorer can learn: the word `door` is always an error, and the first pass likes it."""

import numpy as np

from lorescore.nbest import Hypothesis, NbestList, NbestSet

WORDS = ("the", "cat", "sat", "sea", "rain", "plain", "home", "mat")
ERROR = "door"


def toy_nbest(num_lists: int, seed: int) -> NbestSet:
    """Lists of four hypotheses: two errors, one error, another error, the reference."""
    rng = np.random.default_rng(seed)
    lists, refs = [], {}
    for number in range(num_lists):
        ref = [WORDS[index] for index in rng.integers(len(WORDS), size=4)]
        first, second = rng.permutation(4)[:2]
        both, one, other = ref.copy(), ref.copy(), ref.copy()
        both[first] = both[second] = one[first] = other[second] = ERROR
        texts = [" ".join(words) for words in (both, one, other, ref)]
        utt = f"utt{number:03d}"
        scores = (-1.0, -1.1, -1.2, -1.3)
        hypotheses = (Hypothesis(text, score) for text, score in zip(texts, scores, strict=True))
        lists.append(NbestList(utt, tuple(hypotheses)))
        refs[utt] = " ".join(ref)
    return NbestSet(tuple(lists), refs)
