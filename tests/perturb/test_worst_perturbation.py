"""`worst`: what the scores like best, as much replaced as `homophone` replaces, scored once."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from lorescore.errors import InputError
from lorescore.nbest import Hypothesis, NbestList, NbestSet
from lorescore.perturb import HomophoneLexicon, Perturbation, perturb, perturb_worst
from lorescore.perturb.expansion import Expansion
from lorescore.perturb.sets import is_up_to_date
from lorescore.perturb.worst import worst_versions

LEXICON = HomophoneLexicon.from_entries(
    [(word, ["AY"]) for word in ("i", "eye", "aye")] + [("sun", ["S", "AH", "N"]), ("son", ["S", "AH", "N"])]
)
WORST = Perturbation("nbest", 0.4, 1, "worst", "tiny")


def random_set() -> NbestSet:
    rng = random.Random(1)
    lists = (
        NbestList(
            f"utt{utt:02d}",
            tuple(
                Hypothesis(" ".join(rng.choices(["i", "eye", "sun", "the"], k=8)), -float(rank)) for rank in range(3)
            ),
        )
        for utt in range(20)
    )
    return NbestSet(tuple(lists), {}, {"checksum": "abc"})


class Liking:
    """Scores that like a word, by how often a text has it; and what was asked for."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.calls: list[list[list[str]]] = []

    def of(self, text: str) -> float:
        return float(text.split().count(self.word))

    def __call__(self, lists: Sequence[Sequence[str]], contexts: Sequence[Sequence[str]]) -> list[list[float]]:
        assert list(contexts) == [()] * len(lists)
        self.calls.append([list(texts) for texts in lists])
        return [[self.of(text) for text in texts] for texts in lists]


def test_likes_its_version_at_least_as_much_as_any_homophone_version() -> None:
    clean, liking = random_set(), Liking("aye")
    (worst,) = perturb_worst(clean, LEXICON, [WORST], liking)
    plain = perturb(clean, LEXICON, replace(WORST, perturbation="homophone", tag=""))
    gains = [
        liking.of(text) - liking.of(other)
        for one, two in zip(worst.nbest, plain.nbest, strict=True)
        for text, other in zip(one.texts, two.texts, strict=True)
    ]
    assert min(gains) == 0
    assert max(gains) > 0
    assert worst.by_hypothesis == plain.by_hypothesis
    for before, after in zip(clean, worst.nbest, strict=True):
        for one, two in zip(before.hypotheses, after.hypotheses, strict=True):
            changed = [pair for pair in zip(one.words, two.words, strict=True) if pair[0] != pair[1]]
            assert all(new in LEXICON.homophones_of(old) for old, new in changed)
            assert one.score == two.score


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_replaces_as_many_words_as_homophone(rate: float) -> None:
    clean, setting = random_set(), replace(WORST, rate=rate)
    (worst,) = perturb_worst(clean, LEXICON, [setting], Liking("son"))
    for before, after in zip(clean, worst.nbest, strict=True):
        for rank, (one, two) in enumerate(zip(before.hypotheses, after.hypotheses, strict=True), start=1):
            replaced = sum(a != b for a, b in zip(one.words, two.words, strict=True))
            assert replaced == worst.by_hypothesis[f"{before.utt}-{rank}"].replaced
    share = worst.counts.replaced / worst.counts.replaceable
    assert share == pytest.approx(rate, abs=0.1)


def test_one_candidate_is_homophone() -> None:
    clean = random_set()
    (worst,) = perturb_worst(clean, LEXICON, [WORST], Liking("aye"), num_candidates=1)
    assert worst.nbest.lists == perturb(clean, LEXICON, Perturbation("nbest", 0.4, 1)).nbest.lists


def test_more_candidates_are_never_liked_less() -> None:
    clean, liking = random_set(), Liking("aye")
    totals = []
    for num_candidates in (1, 2, 4, 8):
        (worst,) = perturb_worst(clean, LEXICON, [WORST], liking, num_candidates)
        totals.append(sum(liking.of(text) for one in worst.nbest for text in one.texts))
    assert totals == sorted(totals)
    assert totals[0] < totals[-1]


def test_every_setting_is_scored_in_one_call_without_doubles() -> None:
    clean, liking = random_set(), Liking("aye")
    settings = [replace(WORST, kind=kind, rate=rate) for kind in ("1best", "nbest") for rate in (0.3, 0.5)]
    together = perturb_worst(clean, LEXICON, settings, liking)
    ((lists),) = liking.calls
    assert len(lists) == len(clean)
    assert all(len(texts) == len(set(texts)) for texts in lists)
    for setting, made in zip(settings, together, strict=True):
        (alone,) = perturb_worst(clean, LEXICON, [setting], liking)
        assert alone.nbest == made.nbest
    assert together[0].nbest.lists[3].hypotheses[1:] == clean.lists[3].hypotheses[1:]


def test_order_does_not_matter() -> None:
    clean = random_set()
    (made,) = perturb_worst(clean, LEXICON, [WORST], Liking("aye"))
    turned = replace(clean, lists=clean.lists[::-1])
    (other,) = perturb_worst(turned, LEXICON, [WORST], Liking("aye"))
    assert other.nbest.lists == made.nbest.lists[::-1]


def test_up_to_date_only_for_the_same_rescorer_and_candidates() -> None:
    clean = random_set()
    (made,) = perturb_worst(clean, LEXICON, [WORST], Liking("aye"), versions={"rescorer_checksum": "one"})
    for versions, same in [((4, "one"), True), ((5, "one"), False), ((4, "two"), False)]:
        wanted = worst_versions(versions[0], {"rescorer_checksum": versions[1]})
        assert is_up_to_date(made.nbest.info, clean, LEXICON, WORST, wanted) == same


def test_bad_settings() -> None:
    with pytest.raises(InputError, match="0 candidates"):
        perturb_worst(random_set(), LEXICON, [WORST], Liking("i"), num_candidates=0)
    with pytest.raises(InputError, match="homophone, expected worst"):
        perturb_worst(random_set(), LEXICON, [Perturbation("nbest", 0.4)], Liking("i"))


def test_of_expanded_lists_it_is_made_from_these_and_of_the_first_passs_hypotheses() -> None:
    clean = random_set()
    expanded = Expansion(LEXICON.homophones, {}).expand(clean)
    liking = Liking("aye")
    (made,) = perturb_worst(expanded, LEXICON, [WORST], liking)
    (plain,) = perturb_worst(clean, LEXICON, [WORST], liking)
    assert made.nbest.lists == plain.nbest.lists
    assert is_up_to_date(made.nbest.info, expanded, LEXICON, WORST, worst_versions(4))
    assert not is_up_to_date(plain.nbest.info, expanded, LEXICON, WORST, worst_versions(4))
