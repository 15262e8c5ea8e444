"""Confusion networks and the confidences of words, by hand and against what has to hold."""

import math
from collections.abc import Mapping, Sequence

import pytest
from drawn_lattices import lattices
from hypothesis import given, settings
from hypothesis import strategies as st

from lorescore.combine import Weights
from lorescore.errors import InputError
from lorescore.lattice.confusion import Bin, confusion_network
from lorescore.lattice.lattices import EPSILON, Arc, Cost, Final, Lattice
from lorescore.lattice.rescored import NbestPath, rescored_lattice
from lorescore.nbest.lists import CostParts
from lorescore.wer import edit_counts

scales = st.sampled_from([0.25, 1.0, 3.0])
texts = st.lists(st.sampled_from("abc"), max_size=4).map(" ".join)
weighted_texts = st.dictionaries(texts, st.sampled_from([1, 1.5, 2, 3, 7]), min_size=1, max_size=5)


def list_lattice(probabilities: Mapping[str, float]) -> Lattice:
    """The lattice of a list whose texts have these probabilities, up to a common factor."""
    paths = [
        NbestPath(tuple(text.split()), CostParts(-math.log(value), 0.0, 0.0)) for text, value in probabilities.items()
    ]
    return rescored_lattice("u", paths, Weights())


def rounded(network: Sequence[Bin]) -> list[dict[str, float]]:
    """The posteriors of each bin."""
    return [{word: round(posterior, 6) for word, posterior in one.posteriors} for one in network]


def confidences(network: Sequence[Bin]) -> list[float]:
    """Those of the words."""
    return [one.confidence for one in network if one.chosen != EPSILON]


def test_costs_that_would_overflow() -> None:
    lattice = Lattice("u", (Arc(0, 1, "a", Cost(-4e4, 1e5)), Arc(0, 1, "b", Cost(-4e4, 1e5 + 1))), {1: Final()})
    (one,) = confusion_network(lattice, ["a"])
    assert dict(one.posteriors) == pytest.approx({"a": 1 / (1 + math.exp(-1)), "b": 1 / (1 + math.exp(1))})


def test_a_network_by_hand() -> None:
    network = confusion_network(list_lattice({"a b": 6, "a c": 3, "a": 1}), ["a", "b"])
    assert [one.chosen for one in network] == ["a", "b"] and confidences(network) == pytest.approx([1.0, 0.6])
    assert rounded(network) == [{"a": 1.0}, {"b": 0.6, "c": 0.3, "": 0.1}]


def test_words_that_only_some_paths_have() -> None:
    network = confusion_network(list_lattice({"a b": 7, "a x b": 3}), ["a", "b"])
    assert [one.chosen for one in network] == ["a", EPSILON, "b"]
    assert rounded(network) == [{"a": 1.0}, {"": 0.7, "x": 0.3}, {"b": 1.0}]


def test_the_scale_sharpens_or_flattens() -> None:
    lattice = list_lattice({"a b": 4, "a c": 3, "d c": 3})
    posteriors = dict(confusion_network(lattice, ["a", "b"], posterior_scale=2.0)[1].posteriors)
    assert posteriors == pytest.approx({"b": 16 / 34, "c": 18 / 34})
    acoustic = list_lattice({"a": 4, "b": 2})  # the costs of these lists are acoustic ones
    network = confusion_network(acoustic, ["a"], acoustic_scale=0.5)
    assert confidences(network) == pytest.approx([2 / (2 + math.sqrt(2))])


def test_confidences_of_words_that_the_lattice_lacks() -> None:
    network = confusion_network(list_lattice({"a b": 3, "a c": 1}), ("a", "c", "z"))
    assert confidences(network) == pytest.approx([1.0, 0.25, 0.0])


def test_a_lattice_without_words() -> None:
    assert confusion_network(Lattice("u", (), {0: Final()}), []) == []


@settings(deadline=None)
@given(lattices(), st.lists(st.sampled_from("abc"), max_size=4), scales, scales)
def test_bins_sum_to_one(lattice: Lattice, words: list[str], posterior_scale: float, acoustic_scale: float) -> None:
    network = confusion_network(lattice, words, posterior_scale=posterior_scale, acoustic_scale=acoustic_scale)
    assert [one.chosen for one in network if one.chosen != EPSILON] == words
    for one in network:
        assert sum(posterior for _, posterior in one.posteriors) == pytest.approx(1.0)
        assert all(posterior > 0 for _, posterior in one.posteriors)
        assert len({word for word, _ in one.posteriors}) == len(one.posteriors)


@settings(deadline=None)
@given(texts, weighted_texts)
def test_words_are_aligned_with_the_fewest_errors(text: str, weights: dict[str, float]) -> None:
    # Of several words that are put into one slot, one counts there.
    errors = sum(weight * edit_counts(other, text).errors for other, weight in weights.items()) / sum(weights.values())
    network = confusion_network(list_lattice(weights), text.split())
    assert sum(1.0 - one.confidence for one in network) <= errors + 1e-9


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from("abc")] * 3), min_size=1, max_size=5))
def test_confidences_of_words_in_place(rows: list[tuple[str, ...]]) -> None:
    # Each path twice as likely as the next; where all words differ from place to place, the bins are the places.
    weights = {
        " ".join(f"{word}{place}" for place, word in enumerate(row)): 2.0**-rank for rank, row in enumerate(rows)
    }
    words = max(weights, key=weights.__getitem__).split()
    found = confidences(confusion_network(list_lattice(weights), words))
    total = sum(weights.values())
    for place, (word, confidence) in enumerate(zip(words, found, strict=True)):
        share = sum(weight for text, weight in weights.items() if text.split()[place] == word) / total
        assert confidence == pytest.approx(share)


def test_confidence_of_a_bin() -> None:
    assert Bin("a", (("b", 0.75), ("a", 0.25))).confidence == 0.25
    assert Bin("z", (("b", 1.0),)).confidence == 0.0


@pytest.mark.parametrize("scale", [0.0, -1.0, math.inf, math.nan])
def test_scales_that_are_none(scale: float) -> None:
    with pytest.raises(InputError, match="posterior_scale .*, expected a finite number above 0"):
        confusion_network(list_lattice({"a": 1}), ["a"], posterior_scale=scale)


def test_lattices_that_are_none() -> None:
    with pytest.raises(InputError, match="has a cycle"):
        confusion_network(Lattice("u", (Arc(0, 1, "a", Cost()), Arc(1, 0, "b", Cost())), {1: Final()}), ["a"])
    with pytest.raises(InputError, match="has no path"):
        confusion_network(Lattice("u", (Arc(0, 1, "a", Cost()),), {}), ["a"])
