"""What holds for every perturbation of lists, and what is each one's own."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorescore.errors import InputError
from lorescore.nbest import Hypothesis, NbestList, NbestSet, read_nbest_dir, write_nbest_dir
from lorescore.perturb import (
    PERTURBATIONS,
    WORST,
    HomophoneLexicon,
    Perturbation,
    PerturbationCounts,
    epoch_seed,
    is_up_to_date,
    perturb,
    perturb_list,
    sets,
)

UNSCORED = [name for name in PERTURBATIONS if name != WORST]
ENTRIES = {
    "sun": "S AH N",
    "son": "S AH N",
    "sin": "S IH N",
    "a": "AH",
    "nice": "N AY S",
    "niece": "N IY S",
    "an": "AH N",
    "ice": "AY S",
    "eyes": "AY Z",
    "i": "AY",
    "eye": "AY",
    "aye": "AY",
    "gneiss": "N AY S",
}
LEXICON = HomophoneLexicon.from_entries((word, sound.split()) for word, sound in ENTRIES.items())


def random_set(num_utts: int = 12, seed: int = 1) -> NbestSet:
    rng = random.Random(seed)

    def text() -> str:
        return " ".join(rng.choices([*ENTRIES, "unheard"], k=rng.randint(0, 9)))

    lists = (
        NbestList(f"utt{utt:02d}", tuple(Hypothesis(text(), -float(rank)) for rank in range(4)))
        for utt in range(num_utts)
    )
    return NbestSet(tuple(lists), {}, {"checksum": "abc"})


@pytest.mark.parametrize("name", UNSCORED)
@settings(deadline=None, max_examples=15)
@given(order=st.permutations(range(12)), num_jobs=st.sampled_from([1, 3, 8]), seed=st.integers(0, 2**64 - 1))
def test_order_and_jobs_do_not_matter(name: str, order: list[int], num_jobs: int, seed: int) -> None:
    whole, one = random_set(), Perturbation("nbest", 0.4, seed, name)
    shuffled = [whole.lists[index] for index in order]
    parts = [perturb(replace(whole, lists=tuple(shuffled[job::num_jobs])), LEXICON, one) for job in range(num_jobs)]
    expected = perturb(whole, LEXICON, one)
    assert {made.utt: made for part in parts for made in part.nbest} == {made.utt: made for made in expected.nbest}
    assert {key: counts for part in parts for key, counts in part.by_hypothesis.items()} == expected.by_hypothesis


@pytest.mark.parametrize("name", UNSCORED)
def test_what_stands_before_an_utterance_is_not_perturbed(name: str) -> None:
    clean = random_set()
    clean = replace(clean, lists=tuple(replace(one, context=("nice sun", "i")) for one in clean))
    made = perturb(clean, LEXICON, Perturbation("nbest", 1, 1, name)).nbest
    assert [one.context for one in made] == [one.context for one in clean]
    assert [one.texts for one in made] != [one.texts for one in clean]


@pytest.mark.parametrize("name", UNSCORED)
def test_1_and_8_jobs_write_the_same_bytes(name: str, tmp_path: Path) -> None:
    whole, one = random_set(), Perturbation("nbest", 0.4, 3, name)
    for num_jobs in (1, 8):
        parts = [replace(whole, lists=whole.lists[job::num_jobs]) for job in reversed(range(num_jobs))]
        lists = sorted(
            (made for part in parts for made in perturb(part, LEXICON, one).nbest), key=lambda made: made.utt
        )
        write_nbest_dir(tmp_path / f"jobs{num_jobs}", replace(whole, lists=tuple(lists)))
    assert perturb(whole, LEXICON, one).counts.replaced > 0
    for path in sorted((tmp_path / "jobs1").iterdir()):
        assert (tmp_path / "jobs8" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", UNSCORED)
def test_rate_0_writes_the_same_bytes(name: str, tmp_path: Path) -> None:
    write_nbest_dir(tmp_path / "clean", random_set())
    perturbed = perturb(read_nbest_dir(tmp_path / "clean"), LEXICON, Perturbation("nbest", 0, 1, name))
    write_nbest_dir(tmp_path / "perturbed", perturbed.nbest)
    assert perturbed.counts.replaceable > perturbed.counts.replaced == 0
    for file in ("words_text", "acwt"):
        assert (tmp_path / "perturbed" / file).read_bytes() == (tmp_path / "clean" / file).read_bytes()


@pytest.mark.parametrize("name", UNSCORED)
def test_rate_1_replaces_every_replaceable_word(name: str) -> None:
    clean = random_set()
    perturbed = perturb(clean, LEXICON, Perturbation("nbest", 1, 1, name))
    assert perturbed.counts.replaced == perturbed.counts.replaceable > 0
    for key, counts in perturbed.by_hypothesis.items():
        assert counts.replaced == counts.replaceable
        utt, rank = key.split("-")
        text = clean.lists[int(utt[3:])].texts[int(rank) - 1]
        if name in ("homophone", "tied", "insert"):
            assert counts.replaceable == sum(bool(LEXICON.homophones_of(word)) for word in text.split())
        if name == "near":
            assert counts.replaceable == sum(bool(LEXICON.near.weights(word)) for word in text.split())


@pytest.mark.parametrize("name", [name for name in UNSCORED if name not in ("split", "insert")])
@settings(deadline=None, max_examples=20)
@given(low=st.floats(0, 1), high=st.floats(0, 1), seed=st.integers(0, 1000))
def test_rates_are_nested_and_no_word_replaces_itself(name: str, low: float, high: float, seed: int) -> None:
    clean = random_set(4)
    low, high = sorted((low, high))
    fewer, more = (perturb(clean, LEXICON, Perturbation("nbest", rate, seed, name)) for rate in (low, high))
    replaced = 0
    for lists in zip(clean, fewer.nbest, more.nbest, strict=True):
        for words in zip(*([one.words for one in each.hypotheses] for each in lists), strict=True):
            for word, one, other in zip(*words, strict=True):
                assert one in {word, other}
                replaced += other != word
    assert replaced == more.counts.replaced


def test_moved_boundaries_are_nested() -> None:
    clean = NbestSet((NbestList("utt", (Hypothesis(" unheard ".join(["a nice"] * 200), 0.0),)),))
    texts = [
        perturb(clean, LEXICON, Perturbation("1best", rate, 3, "split")).nbest.lists[0].texts[0].split(" unheard ")
        for rate in (0.2, 0.6)
    ]
    fewer, more = ({index for index, text in enumerate(some) if text != "a nice"} for some in texts)
    assert fewer < more
    assert {text for some in texts for text in some} == {"a nice", "an ice"}
    # 200 draws: four standard deviations are 4 x sqrt(0.24 x 200) = 28 at most.
    assert abs(len(fewer) - 40) < 28
    assert abs(len(more) - 120) < 28


@pytest.mark.parametrize("name", UNSCORED)
def test_1best_changes_what_nbest_changes_at_rank_1(name: str) -> None:
    clean = random_set()
    first, every = (perturb(clean, LEXICON, Perturbation(kind, 0.5, 7, name)) for kind in ("1best", "nbest"))
    assert set(first.by_hypothesis) == {f"{one.utt}-1" for one in clean}
    for key, counts in first.by_hypothesis.items():
        assert every.by_hypothesis[key] == counts
    if name != "insert":
        assert [one.hypotheses[0] for one in first.nbest] == [one.hypotheses[0] for one in every.nbest]
        assert [one.hypotheses[1:] for one in first.nbest] == [one.hypotheses[1:] for one in clean]


def test_tied_replaces_a_word_alike_in_the_whole_list() -> None:
    texts = ("i sun i", "I a", "sun eye")
    clean = NbestSet(tuple(NbestList(f"utt{utt}", tuple(Hypothesis(text, 0.0) for text in texts)) for utt in range(60)))
    perturbed = perturb(clean, LEXICON, Perturbation("nbest", 0.5, 1, "tied")).nbest
    seen = set()
    for one in perturbed:
        (first, sun, again), (alone, _), (other_sun, _) = (hypothesis.words for hypothesis in one.hypotheses)
        assert first == again == alone.lower()
        assert sun == other_sun
        seen.add((first, sun))
    assert seen == {(one, other) for one in ("i", "eye", "aye") for other in ("sun", "son")}


def test_insert_keeps_the_list_and_adds_what_homophone_puts_in_place() -> None:
    clean = random_set()
    one = Perturbation("nbest", 0.5, 1)
    replaced, added = (perturb(clean, LEXICON, replace(one, perturbation=name)) for name in ("homophone", "insert"))
    assert added.counts == replaced.counts
    assert added.nbest.num_hypotheses > clean.num_hypotheses
    for before, twin, after in zip(clean, replaced.nbest, added.nbest, strict=True):
        assert after.hypotheses[0] == before.hypotheses[0]
        assert [each for each in after.hypotheses if each in before.hypotheses] == list(before.hypotheses)
        assert after.scores == sorted(after.scores, reverse=True)
        assert set(after.texts) == set(before.texts) | set(twin.texts)


def test_insert_adds_no_text_twice() -> None:
    hypotheses = (Hypothesis("sun", -1.0), Hypothesis("son", -2.0), Hypothesis("a sun", -3.0), Hypothesis("ice", -4.0))
    clean = NbestSet((NbestList("utt", hypotheses),))
    made = perturb(clean, LEXICON, Perturbation("nbest", 1, 1, "insert"))
    # sun and son are there already.
    expected = [("sun", -1.0), ("son", -2.0), ("a sun", -3.0), ("a son", -3.0), ("ice", -4.0)]
    assert [(one.text, one.score) for one in made.nbest.lists[0].hypotheses] == expected
    assert made.counts == PerturbationCounts(4, 3, 5, 3, 3)


def test_a_list_alone_and_afresh_each_epoch() -> None:
    clean = NbestList("utt", (Hypothesis("i sun " * 20, 0.0), Hypothesis("a nice", -1.0)))
    one = Perturbation("nbest", 0.5, 9)
    as_in_a_set = perturb(NbestSet((clean,)), LEXICON, one).nbest.lists[0]
    assert perturb_list(clean, one, LEXICON) == as_in_a_set
    epochs = [perturb_list(clean, one, LEXICON, epoch_seed(9, epoch)) for epoch in range(3)]
    assert len({made.texts[0] for made in [*epochs, as_in_a_set]}) == 4
    assert perturb_list(clean, one, LEXICON, epoch_seed(9, 1)) == epochs[1]


def test_epoch_seeds_are_seeds() -> None:
    seeds = {epoch_seed(seed, epoch) for seed in (0, 1, 2**64 - 1) for epoch in range(20)}
    assert len(seeds) == 60
    assert all(Perturbation("nbest", 0.5, seed) for seed in seeds)


def test_worst_needs_scores() -> None:
    with pytest.raises(InputError, match="needs a rescorer's scores"):
        perturb_list(random_set().lists[0], Perturbation("nbest", 0.5, 1, WORST, "tiny"), LEXICON)


def test_counts_file(tmp_path: Path) -> None:
    clean = NbestSet((NbestList("utt", (Hypothesis("a sun i", -1.0), Hypothesis("", -2.0))),))
    perturb(clean, LEXICON, Perturbation("nbest", 1, 1)).write_counts(tmp_path)
    assert (tmp_path / "perturbed").read_text() == "utt-1 2 2 3\nutt-2 0 0 0\n"


def test_lists_that_do_not_say_what_was_done_are_not_up_to_date() -> None:
    clean, one = random_set(), Perturbation("nbest", 0.5, 1)
    info = perturb(clean, LEXICON, one).nbest.info
    assert is_up_to_date(info, clean, LEXICON, one)
    for left_out in ("perturbation", "source_checksum"):
        less = {key: value for key, value in info["perturbation"].items() if key != left_out}
        assert not is_up_to_date({"perturbation": less}, clean, LEXICON, one)


@pytest.mark.parametrize(("name", "changes"), [("homophone", False), ("near", True), ("split", True)])
def test_up_to_date_with_another_pronunciation(name: str, changes: bool) -> None:
    clean, one = random_set(), Perturbation("nbest", 0.5, 1, name)
    other = HomophoneLexicon.from_entries([*LEXICON.entries(), ("ant", ("AE", "N", "T"))])
    assert is_up_to_date(perturb(clean, LEXICON, one).nbest.info, clean, other, one) != changes


@pytest.mark.parametrize(("name", "changes"), [("near", True), ("split", False)])
def test_up_to_date_with_other_weights(monkeypatch: pytest.MonkeyPatch, name: str, changes: bool) -> None:
    clean, one = random_set(), Perturbation("nbest", 0.5, 1, name)
    info = perturb(clean, LEXICON, one).nbest.info
    monkeypatch.setattr(sets, "WEIGHTING", "of another version")
    assert is_up_to_date(info, clean, LEXICON, one) != changes
