"""Arc posteriors, confusion networks and the minimum Bayes risk hypothesis, against enumeration and by hand."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

import pytest
from drawn_lattices import every_path, lattices
from hypothesis import given, settings
from hypothesis import strategies as st

from lorescore.errors import InputError
from lorescore.lattice.confusion import DELTA, Bin, ConfusionNetwork, confusion_network, mbr_decode
from lorescore.lattice.lattices import Arc, Cost, Final, Lattice
from lorescore.lattice.rescored import NbestPath, kaldi_graph_cost, rescored_lattice
from lorescore.nbest.lists import CostParts
from lorescore.wer import edit_counts

UNCHANGED = partial(kaldi_graph_cost, lm_weight=0.0)

scales = st.sampled_from([0.25, 1.0, 3.0])
texts = st.lists(st.sampled_from("abc"), max_size=4).map(" ".join)
weighted_texts = st.dictionaries(texts, st.sampled_from([1, 1.5, 2, 3, 7]), min_size=1, max_size=5)


def list_lattice(probabilities: Mapping[str, float]) -> Lattice:
    """The lattice of a list whose texts have these probabilities, up to a common factor."""
    paths = [
        NbestPath(tuple(text.split()), CostParts(-math.log(value), 0.0, 0.0)) for text, value in probabilities.items()
    ]
    return rescored_lattice("u", paths, UNCHANGED)


def probabilities(lattice: Lattice, posterior_scale: float, acoustic_scale: float) -> dict[str, float]:
    """The probability of each text, by enumeration of the paths."""
    weights: dict[str, float] = {}
    for words, cost in every_path(lattice):
        weight = math.exp(-posterior_scale * (cost.graph + acoustic_scale * cost.acoustic))
        weights[" ".join(words)] = weights.get(" ".join(words), 0.0) + weight
    return {text: weight / sum(weights.values()) for text, weight in weights.items()}


def expected_errors(text: str, weights: Mapping[str, float]) -> float:
    """The expected word errors of a text, by enumeration."""
    total = sum(weights.values())
    return sum(weight / total * edit_counts(other, text).errors for other, weight in weights.items())


def arc_weights(lattice: Lattice, posterior_scale: float, state: int = 0) -> Iterable[tuple[float, tuple[int, ...]]]:
    """Weight and arcs, as indices, of every path from a state."""
    if state in lattice.finals:
        cost = lattice.finals[state].cost
        yield math.exp(-posterior_scale * (cost.graph + cost.acoustic)), ()
    for index, arc in enumerate(lattice.arcs):
        if arc.source == state:
            weight = math.exp(-posterior_scale * (arc.cost.graph + arc.cost.acoustic))
            for rest, indices in arc_weights(lattice, posterior_scale, arc.target):
                yield weight * rest, (index, *indices)


def rounded(network: ConfusionNetwork) -> list[dict[str, float]]:
    """The posteriors of each bin."""
    return [{word: round(posterior, 6) for word, posterior in one.posteriors} for one in network.bins]


def test_costs_that_would_overflow() -> None:
    lattice = Lattice("u", (Arc(0, 1, "a", Cost(-4e4, 1e5)), Arc(0, 1, "b", Cost(-4e4, 1e5 + 1))), {1: Final()})
    (one,) = confusion_network(lattice).bins
    assert dict(one.posteriors) == pytest.approx({"a": 1 / (1 + math.exp(-1)), "b": 1 / (1 + math.exp(1))})


def test_a_network_by_hand() -> None:
    network = confusion_network(list_lattice({"a b": 6, "a c": 3, "a": 1}))
    assert network.words == ("a", "b") and network.confidences == pytest.approx((1.0, 0.6))
    assert rounded(network) == [{"a": 1.0}, {"b": 0.6, "c": 0.3, "": 0.1}]
    assert network.risk == pytest.approx(0.4)
    assert network.num_frames == 0 and network.spans is None


def test_words_that_only_some_paths_have() -> None:
    network = confusion_network(list_lattice({"a b": 7, "a x b": 3}))
    assert network.words == ("a", "b")
    assert rounded(network) == [{"a": 1.0}, {"": 0.7, "x": 0.3}, {"b": 1.0}]


def test_a_majority_of_words_beats_the_best_path() -> None:
    # Expected errors: a b 0.3 + 2 x 0.3, a c 0.4 + 0.3, d c 2 x 0.4 + 0.3.
    lattice = list_lattice({"a b": 4, "a c": 3, "d c": 3})
    assert confusion_network(lattice).words == ("a", "b")
    assert confusion_network(lattice).risk == pytest.approx(0.9)
    found = mbr_decode(lattice)
    assert found.words == ("a", "c") and found.risk == pytest.approx(0.7)
    assert found.confidences == pytest.approx((0.7, 0.6))


def test_the_hypothesis_need_not_be_a_path() -> None:
    # Each path has one word wrong, another one each; the consensus has none of them.
    found = mbr_decode(list_lattice({"x b c": 4, "a y c": 3, "a b z": 3}))
    assert found.words == ("a", "b", "c") and found.risk == pytest.approx(1.0)


def test_words_come_and_go() -> None:
    assert mbr_decode(list_lattice({"a b c": 4, "b c": 3.5, "b d": 3})).words == ("b", "c")
    assert mbr_decode(list_lattice({"b": 4, "a b": 3.5, "a b c": 3})).words == ("a", "b")
    assert mbr_decode(list_lattice({"a": 1, "": 3})).words == ()


def test_the_scale_sharpens_or_flattens() -> None:
    lattice = list_lattice({"a b": 4, "a c": 3, "d c": 3})
    assert mbr_decode(lattice, posterior_scale=20.0).words == ("a", "b")
    posteriors = dict(confusion_network(lattice, posterior_scale=2.0).bins[1].posteriors)
    assert posteriors == pytest.approx({"b": 16 / 34, "c": 18 / 34})
    acoustic = list_lattice({"a": 4, "b": 2})  # the costs of these lists are acoustic ones
    assert confusion_network(acoustic, acoustic_scale=0.5).confidences == pytest.approx((2 / (2 + math.sqrt(2)),))


def test_confidences_of_words_that_the_lattice_lacks() -> None:
    network = confusion_network(list_lattice({"a b": 3, "a c": 1}), ("a", "c", "z"))
    assert network.words == ("a", "c", "z") and network.confidences == pytest.approx((1.0, 0.25, 0.0))
    assert network.risk == pytest.approx(0.75 * 2 + 0.25)


def test_a_lattice_without_words() -> None:
    assert mbr_decode(Lattice("u", (), {0: Final()})) == ConfusionNetwork("u", (), 0.0, 0)


def test_of_equal_words_the_best_paths_stays() -> None:
    for first, second in (("a", "b"), ("b", "a")):
        lattice = rescored_lattice(
            "u", [NbestPath((word,), CostParts(1.0, 0.0, 0.0)) for word in (first, second)], UNCHANGED
        )
        assert mbr_decode(lattice).words == confusion_network(lattice).words


@settings(deadline=None)
@given(lattices(), scales, scales)
def test_bins_sum_to_one_and_risk_is_a_bound(lattice: Lattice, posterior_scale: float, acoustic_scale: float) -> None:
    weights = probabilities(lattice, posterior_scale, acoustic_scale)
    at = {"posterior_scale": posterior_scale, "acoustic_scale": acoustic_scale}
    best, found = confusion_network(lattice, **at), mbr_decode(lattice, **at)
    for network in (best, found):
        for one in network.bins:
            assert sum(posterior for _, posterior in one.posteriors) == pytest.approx(1.0)
            assert all(posterior > 0 for _, posterior in one.posteriors)
            assert len({word for word, _ in one.posteriors}) == len(one.posteriors)
        assert network.risk >= expected_errors(" ".join(network.words), weights) - 1e-9
    assert found.risk <= best.risk + DELTA * len(lattice.arcs)


@settings(deadline=None)
@given(weighted_texts)
def test_risk_is_exact_on_lists(weights: dict[str, float]) -> None:
    best, found = confusion_network(list_lattice(weights)), mbr_decode(list_lattice(weights))
    for network in (best, found):
        assert network.risk == pytest.approx(expected_errors(" ".join(network.words), weights))
    assert found.risk <= best.risk + 10 * DELTA


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from("abc")] * 3), min_size=1, max_size=5))
def test_confidences_of_words_in_place(rows: list[tuple[str, ...]]) -> None:
    # Each path twice as likely as the next; where all words differ from place to place, the bins are the places.
    weights = {
        " ".join(f"{word}{place}" for place, word in enumerate(row)): 2.0**-rank for rank, row in enumerate(rows)
    }
    network = mbr_decode(list_lattice(weights))
    total = sum(weights.values())
    for place, (word, confidence) in enumerate(zip(network.words, network.confidences, strict=True)):
        shares = {
            option: sum(weight for text, weight in weights.items() if text.split()[place] == option) / total
            for option in {text.split()[place] for text in weights}
        }
        assert confidence == pytest.approx(shares[word]) and shares[word] == pytest.approx(max(shares.values()))


def test_times_are_means_over_the_paths() -> None:
    # Frames of `a`: 0 to 2 (0.75) and 0 to 4 (0.25); of `b`: 2 to 5, `c`: 4 to 5; one frame at the end.
    lattice = Lattice(
        "u",
        (
            Arc(0, 1, "a", Cost(-math.log(0.75)), (1, 1)),
            Arc(0, 2, "a", Cost(-math.log(0.25)), (1, 1, 1, 1)),
            Arc(1, 3, "b", Cost(), (2, 2, 2)),
            Arc(2, 3, "c", Cost(), (3,)),
        ),
        {3: Final(Cost(), (0,))},
    )
    network = mbr_decode(lattice)
    assert network.words == ("a", "b") and network.num_frames == 6
    assert network.spans is not None
    # Half way between the mean end of `a`, 2.5, and the start of `b`, 2.
    assert [time for span in network.spans for time in span] == pytest.approx([0, 2.25, 2.25, 5])


@settings(deadline=None)
@given(lattices(), st.data())
def test_times_are_in_order(lattice: Lattice, data: st.DataObject) -> None:
    frames = st.integers(0, 3).map(lambda count: (1,) * count)
    arcs = tuple(replace(arc, alignment=data.draw(frames)) for arc in lattice.arcs)
    network = mbr_decode(Lattice("u", arcs, lattice.finals))
    if network.spans is None:
        assert network.num_frames == 0
        return
    times = [time for span in network.spans for time in span]
    assert len(network.spans) == len(network.words)
    assert times == sorted(times)
    assert all(-1e-9 <= time <= network.num_frames + 1e-9 for time in times)


def test_confidence_of_a_bin() -> None:
    assert Bin("a", (("b", 0.75), ("a", 0.25))).confidence == 0.25
    assert Bin("z", (("b", 1.0),)).confidence == 0.0


@pytest.mark.parametrize("scale", [0.0, -1.0, math.inf, math.nan])
def test_scales_that_are_none(scale: float) -> None:
    with pytest.raises(InputError, match="posterior_scale is .*, expected a positive number"):
        mbr_decode(list_lattice({"a": 1}), posterior_scale=scale)


def test_lattices_that_are_none() -> None:
    with pytest.raises(InputError, match="has a cycle"):
        mbr_decode(Lattice("u", (Arc(0, 1, "a", Cost()), Arc(1, 0, "b", Cost())), {1: Final()}))
    with pytest.raises(InputError, match="has no path"):
        mbr_decode(Lattice("u", (Arc(0, 1, "a", Cost()),), {}))
