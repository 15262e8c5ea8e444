"""Recombined lists: which combinations there are, in what order and at what scores, and the verb."""

import math
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorescore.__main__ import main
from lorescore.combine import oracle
from lorescore.errors import InputError
from lorescore.nbest import CostParts, Hypothesis, NbestList, NbestSet, read_nbest_dir, write_nbest_dir
from lorescore.nbest.espnet import read_espnet_decode
from lorescore.nbest.recombine import VOTES, Recombination
from lorescore.perturb.expansion import Expansion
from lorescore.wer import edit_counts

SENTENCE = list("abcdefgh")


def lists(*scored: tuple[str, float]) -> NbestList:
    return NbestList("u", tuple(Hypothesis(text, score) for text, score in scored), ("before",))


def run(*call: object) -> None:
    assert main(list(map(str, call))) == 0


def test_what_differs_at_two_places_is_put_together() -> None:
    one = lists(("i see the sun", -1.0), ("i see the son", -1.5), ("eye see the sun", -3.0))
    found = Recombination().recombine(one)
    assert found.first_pass == one
    assert (found.added, found.context) == (1, ("before",))
    assert found.texts[3] == "eye see the son"
    assert found.scores[3] == pytest.approx(-3.5, abs=0.01)


@pytest.mark.parametrize(
    ("texts", "added"),
    [
        # Words that are replaced together stay together, and so do those that another hypothesis replaces with them.
        (["no one saw", "noone saw", "no one sow"], ["noone sow"]),
        (["a b c", "x y c", "a z c"], []),
        # What is put in between two words goes with either of them, and nothing with what overlaps it.
        (["a b", "a x b", "a c"], ["a x c"]),
        (["a b", "x a b", "a b y"], ["x a b y"]),
        (["a b c", "b c", "a b"], ["b"]),
        (["", "a", "b"], []),
        (["a", "", "b"], []),
        (["a b", "a b"], []),
        (["a b c"], []),
    ],
)
def test_places(texts: list[str], added: list[str]) -> None:
    found = Recombination().recombine(lists(*((text, -float(rank)) for rank, text in enumerate(texts))))
    assert found.texts == [*texts, *added]


@given(
    st.lists(st.lists(st.floats(0, 5), max_size=2), min_size=len(SENTENCE), max_size=len(SENTENCE)),
    st.integers(2, 60),
)
def test_the_likeliest_combinations_come_first(costs: list[list[float]], num_hyps: int) -> None:
    """Lists of all that differ from a sentence at one place, so that what each choice costs is known."""
    options = [
        {word: 0.0, **{f"{word}{cost}": cost for cost in some}} for word, some in zip(SENTENCE, costs, strict=True)
    ]
    others = {
        " ".join([*SENTENCE[:at], word, *SENTENCE[at + 1 :]]): -cost
        for at, (own, some) in enumerate(zip(SENTENCE, options, strict=True))
        for word, cost in some.items()
        if word != own
    }
    one = lists((" ".join(SENTENCE), 0.0), *others.items())
    found = Recombination(num_hyps).recombine(one)
    scores, votes = {}, {}
    for chosen in product(*options):
        text = " ".join(chosen)
        scores[text] = -sum(some[word] for word, some in zip(chosen, options, strict=True))
        # One hypothesis has each other word, and all that remain have the sentence's own.
        own = zip(chosen, SENTENCE, options, strict=True)
        counts = (1 if word != here else len(one.hypotheses) - len(some) + 1 for word, here, some in own)
        votes[text] = sum(math.log(count / len(one.hypotheses)) for count in counts)
    likelihoods = {text: score + VOTES * votes[text] for text, score in scores.items()}
    assert found.first_pass == one
    assert len(set(found.texts)) == len(found.texts)
    assert len(found.texts) == max(len(one.texts), min(num_hyps, len(scores)))
    added = found.hypotheses[len(one.hypotheses) :]
    for before, after in pairwise(added):
        assert likelihoods[before.text] >= likelihoods[after.text] - 0.2
    for hypothesis in added:
        assert hypothesis.score == pytest.approx(scores[hypothesis.text], abs=0.1)
    left_out = scores.keys() - set(found.texts)
    if added and left_out:
        assert min(likelihoods[one.text] for one in added) >= max(likelihoods[text] for text in left_out) - 0.2


def test_what_most_have_comes_before_what_one_has() -> None:
    """Whatever the scores say: the best alone has a word here, and one that is nearly as good another."""
    texts = [("a o b o c", 0.0), ("a o y o z", -0.1), *((f"{first} o y o c", -5.0) for first in "klmn")]
    found = Recombination(7).recombine(lists(*texts))
    assert found.texts[6:] == ["a o y o c"]


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=5).map(" ".join), min_size=1, max_size=6), st.integers(2, 30))
def test_any_list(texts: list[str], num_hyps: int) -> None:
    one = lists(*((text, -1.5 * rank) for rank, text in enumerate(texts)))
    found = Recombination(num_hyps).recombine(one)
    assert found.first_pass == one
    assert len(found.hypotheses) <= max(num_hyps, len(texts))
    assert not set(found.texts[len(texts) :]) & set(texts)
    assert all(score <= one.scores[0] for score in found.scores)
    assert Recombination(num_hyps).recombine(found) == found


def test_characters() -> None:
    """Where they are counted, what differs in its spaces alone is no other hypothesis, and a symbol stays whole."""
    one = lists(("今天 天气 好 <unk>", -1.0), ("今天 田气 好 [noise]", -2.0), ("今天天气 号 <unk>", -3.0))
    texts = Recombination(metric="cer").recombine(one).texts
    assert len(texts) == len({text.replace(" ", "") for text in texts}) == 8
    assert {text[-5:] for text in texts} == {"<unk>", "oise]"}
    assert Recombination(metric="wer").recombine(one).texts != texts


def test_texts_that_a_cleaner_leaves_equal() -> None:
    """They are one hypothesis; what is added is as it is written."""
    one = lists(("The sun, he said.", -1.0), ("the sun he said", -2.0), ("The sun, she said.", -3.0))
    assert Recombination(cleaner="whisper_en").recombine(one).added == 0
    assert Recombination().recombine(one).added > 0
    other = replace(one, hypotheses=(*one.hypotheses, Hypothesis("The son, he said.", -4.0)))
    assert Recombination(cleaner="whisper_en").recombine(other).texts[4:] == ["The son, she said."]


def test_lists_that_it_is_not_for() -> None:
    one = NbestList("u", (Hypothesis.from_parts("a b", CostParts(1.0, 1.0, 1.0), 1.0), Hypothesis("a c", -4.0)))
    with pytest.raises(InputError, match="the list of u is from a lattice, .* longer lists from the lattices"):
        Recombination().recombine(one)
    with pytest.raises(InputError, match="recombined to 1 hypotheses, expected at least 2"):
        Recombination(1)
    assert Recombination().recombine(NbestList("u", ())).hypotheses == ()


def test_with_homophone_versions() -> None:
    """Of the first pass's hypotheses alone; those of two sources, and what is there already, come once."""
    one = lists(("the sun set", -1.0), ("a sun set", -2.0), ("the sun sat", -3.0))
    expansion = Expansion({"sun": ("son",), "son": ("sun",)}, {}, 1, recombination=Recombination())
    found = expansion.expand_list(one)
    assert found.texts[3:] == ["a sun sat", "the son set", "a son set", "the son sat"]
    assert found.added == 4


@pytest.fixture
def test_dir(tmp_path: Path) -> Path:
    """exp/nbest/test, its reference among the combinations."""
    one = lists(("i see the sun", -1.0), ("i see the son", -1.5), ("eye sea the sun", -3.0))
    write_nbest_dir(tmp_path / "lists" / "test", NbestSet((one,), {"u": "eye sea the son"}))
    return tmp_path / "lists" / "test"


def test_the_verb(test_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("expand", "--nbest_dir", test_dir, "--out_dir", tmp_path, "--recombine", 50)
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path / 'test'}: 1 utterances, 3 hypotheses and 1 added ones",
        f"{tmp_path / 'test'}: 1-best %WER 75.00 [ 3 / 4, 0 ins, 0 del, 3 sub ]",
        f"{tmp_path / 'test'}: oracle %WER 0.00 [ 0 / 4, 0 ins, 0 del, 0 sub ]",
    ]
    made = read_nbest_dir(tmp_path / "test")
    assert made.info["expansion"] == {"recombine": 50}
    assert not (tmp_path / "test" / "homophones").exists()
    assert Expansion.read(tmp_path / "test").expand(read_nbest_dir(test_dir)).lists == made.lists
    # What is perturbed is the first pass's list, which is then recombined: the clean best is a combination of it.
    options = ("--out_dir", tmp_path, "--lexicon_dir", tmp_path, "--kinds", "nbest", "--seeds", 1, "--rates", "0 1")
    run("perturb", "--nbest_dir", tmp_path / "test", *options)
    assert read_nbest_dir(tmp_path / "test_nbest_p0_s1").lists == made.lists
    perturbed = read_nbest_dir(tmp_path / "test_nbest_p1_s1")
    assert perturbed.info["expansion"] == {"recombine": 50}
    assert perturbed.lists[0].texts == ["eye sea the son", "eye sea the sun", "i see the son", "i see the sun"]
    assert [one.added for one in perturbed] == [1]
    # With versions it is made anew.
    run("expand", "--nbest_dir", tmp_path / "test", "--out_dir", tmp_path, "--recombine", 50, "--versions", 2)
    both = read_nbest_dir(tmp_path / "test")
    assert both.lists[0].texts[:4] == made.lists[0].texts
    assert both.lists[0].added > 1
    assert both.info["expansion"].keys() == {"recombine", "versions", "cost", "homophones_checksum"}
    assert Expansion.read(tmp_path / "test").expand(read_nbest_dir(test_dir)).lists == both.lists


@pytest.mark.parametrize("recombine", [0, "two"])
def test_another_record(test_dir: Path, recombine: object) -> None:
    write_nbest_dir(test_dir, NbestSet(read_nbest_dir(test_dir).lists, {}, {"expansion": {"recombine": recombine}}))
    with pytest.raises(InputError):
        Expansion.read(test_dir)


def test_on_real_lists_the_oracle_gets_better(librispeech_dev: Path) -> None:
    decode = librispeech_dev / "dev_other"
    nbest = read_espnet_decode(decode, decode / "ref_text")
    some = NbestSet(nbest.lists[:300], nbest.refs)
    longer = NbestSet(tuple(map(Recombination().recombine, some)), nbest.refs)
    errors, fewer = (
        sum(edit_counts(nbest.refs[utt], text).errors for utt, text in oracle(one).items()) for one in (some, longer)
    )
    assert 2 * some.num_hypotheses < longer.num_hypotheses < 5 * some.num_hypotheses
    assert 0.9 * errors < fewer < 0.98 * errors
