"""What is counted of a version of the lists."""

import numpy as np

from lorescore.combine import ScoredLists, Weights
from lorescore.nbest import Hypothesis, NbestList, NbestSet
from lorescore.nprr.lists import ListErrors


def test_the_first_pass_is_rank_1_even_where_its_score_is_not_the_highest() -> None:
    """As where a first pass sorts by normalised scores and writes the others."""
    hypotheses = (Hypothesis("a b", -5.0), Hypothesis("a c", -4.0), Hypothesis("d c", -9.0))
    nbest = NbestSet((NbestList("utt", hypotheses),), {"utt": "a b"})
    errors = ListErrors.count(ScoredLists.build(nbest, [[3.0, 2.0, 1.0]]), Weights(10.0, 0.0))
    assert np.array_equal(errors.rows, [[0], [2], [0]])
