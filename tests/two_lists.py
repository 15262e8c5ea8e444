"""Two N-best lists and their PLM costs, whose combined scores can be checked by hand."""

from lorescore.nbest.lists import Hypothesis, NbestList, NbestSet

NBEST = NbestSet(
    lists=(
        NbestList("u1", (Hypothesis("the hat", -1.0), Hypothesis("the cat sat", -2.0), Hypothesis("the cat", -3.0))),
        NbestList("u2", (Hypothesis("yes", -1.0), Hypothesis("", -1.5))),
    ),
    refs={"u1": "the cat", "u2": "yes"},
)
PLM_COSTS = [[8.0, 7.0, 4.0], [3.0, 1.0]]
