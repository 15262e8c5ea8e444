"""What a place in a hypothesis can be replaced by, with which odds, and the change."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorescore.nbest import Hypothesis
from lorescore.perturb.draws import Draw
from lorescore.perturb.sites import Alternatives, Site, change

WORDS = (("a",), ("b",), ("c",))


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=5))
def test_some_of_the_alternatives_keep_their_odds(drawn: list[tuple[int, bool]]) -> None:
    weights, wanted = zip(*drawn, strict=True)
    words = tuple((str(place),) for place in range(len(drawn)))
    sums = [sum(weights[:end]) / sum(weights) for end in range(1, len(weights) + 1)]
    some = Alternatives(words, tuple(sums)).only(wanted)
    kept = [place for place, is_wanted in enumerate(wanted) if is_wanted]
    assert some.replacements == tuple(words[place] for place in kept)
    total = sum(weights[place] for place in kept)
    assert [high - low for low, high in pairwise((0.0, *some.cumulative))] == pytest.approx(
        [weights[place] / total for place in kept]
    )
    assert Alternatives(words).only(wanted) == Alternatives(some.replacements)  # all as likely


@pytest.mark.parametrize(("share", "word"), [(0, "a"), (0.24, "a"), (0.25, "b"), (0.49, "b"), (0.5, "c"), (0.999, "c")])
def test_an_alternative_is_picked_by_its_share_of_all_draws(share: float, word: str) -> None:
    draw = Draw(0.0, int(share * 2**64))
    assert Alternatives(WORDS, (0.25, 0.5, 1.0)).pick(draw) == (word,)
    # What is above a sum that was rounded down is the last one's.
    assert Alternatives(WORDS, (0.25, 0.5, 0.75)).pick(draw) == (word,)


def test_changes_of_other_lengths_do_not_move_each_other() -> None:
    sites = [Site(0, 2, 0.0, ("maybe",)), Site(2, 2, 0.0, ("an", "ice")), Site(5, 1, 0.0, ("to", "day"))]
    for given_sites in (sites, sites[::-1]):
        changed = change(Hypothesis("may be a nice hot today", -1.0), given_sites)
        assert changed == Hypothesis("maybe an ice hot to day", -1.0)
