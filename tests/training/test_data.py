"""What is trained on, and in which order."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from toy_nbest import toy_nbest

from lorescore.errors import InputError
from lorescore.nbest import Hypothesis, NbestList, NbestSet
from lorescore.scoring.rescorer import Rescorer
from lorescore.training.data import (
    num_steps,
    plan_steps,
    shortened,
    steps_of_epoch,
    texts_of_step,
    texts_to_learn,
    training_lists,
    training_text,
)
from lorescore.training.settings import TrainingSettings

FreshRescorer = Callable[..., Rescorer]


def nbest(refs: dict[str, str], **texts: list[str]) -> NbestSet:
    lists = (NbestList(utt, tuple(Hypothesis(text, -1.0) for text in texts[utt])) for utt in sorted(texts))
    return NbestSet(tuple(lists), refs)


def test_lists_without_a_difference_in_errors_are_left_out(fresh_rescorer: FreshRescorer) -> None:
    lists = nbest(
        {"a": "the cat", "b": "the cat", "c": "", "d": "the sea"},
        a=["the cat", "the mat"],
        b=["a cat", "the mat"],  # one error each
        c=["", ""],
        d=["the sea"],
    )
    rescorer = fresh_rescorer()
    assert [one.utt for one in training_lists(rescorer, lists, with_reference=False)] == ["a"]
    with_reference = training_lists(rescorer, lists, with_reference=True)
    assert [one.utt for one in with_reference] == ["a", "b", "d"]  # c has no words to learn
    assert [one.errors.tolist() for one in with_reference] == [[0, 1], [1, 1], [0]]
    assert with_reference[1].encoded.sequences()[-1] == rescorer.encode(["the cat"]).sequences()[0]


def test_an_empty_reference_is_not_trained_on(fresh_rescorer: FreshRescorer) -> None:
    (only,) = training_lists(fresh_rescorer(), nbest({"a": ""}, a=["", "the"]), with_reference=True)
    assert not only.with_reference
    assert (only.errors.tolist(), only.num_words.tolist()) == ([0, 1], [0, 1])


def test_references_that_are_written_otherwise_are_not_learnt(fresh_rescorer: FreshRescorer) -> None:
    lists = nbest({"a": "THE CAT", "b": ""}, a=["The mat.", "The cat.", "the cat"], b=["the", ""])
    lists = replace(lists, info={"cleaner": "whisper_en"})
    assert texts_to_learn(lists) == {"a": "The cat."}
    rescorer = fresh_rescorer()
    first, second = training_lists(rescorer, lists, with_reference=True)
    assert (first.errors.tolist(), first.with_reference, second.with_reference) == ([1, 0, 0], True, False)
    texts = ["The mat.", "The cat.", "the cat", "The cat."]
    assert first.encoded.sequences() == rescorer.encode(texts).sequences()
    assert texts_to_learn(replace(lists, info={})) == lists.refs


@pytest.mark.parametrize("with_reference", [False, True])
def test_nothing_to_learn_from(fresh_rescorer: FreshRescorer, with_reference: bool) -> None:
    with pytest.raises(InputError, match="nothing to learn from"):
        training_lists(fresh_rescorer(), nbest({"a": ""}, a=["", ""]), with_reference)


def test_an_epoch_takes_each_list_once_in_an_order_of_its_own() -> None:
    epochs = [list(steps_of_epoch(10, 4, epoch, seed=5)) for epoch in range(2)]
    for steps in epochs:
        assert [len(step) for step in steps] == [4, 4, 2]
        assert sorted(index for step in steps for index in step) == list(range(10))
    assert epochs[0] != epochs[1]
    assert epochs[0] == list(steps_of_epoch(10, 4, epoch=0, seed=5))
    assert epochs[0] != list(steps_of_epoch(10, 4, epoch=0, seed=6))


def test_a_text_is_a_reference_without_hypotheses(fresh_rescorer: FreshRescorer) -> None:
    rescorer = fresh_rescorer()
    text = training_text(rescorer, "the cat")
    assert (len(text.errors), text.with_reference) == (0, True)
    assert text.encoded.sequences() == rescorer.encode(["the cat"]).sequences()


def test_each_pass_over_the_texts_takes_each_once_in_an_order_of_its_own() -> None:
    texts = [f"text {number}" for number in range(5)]
    steps = [texts_of_step(texts, step, texts_per_step=3, seed=5) for step in range(10)]
    assert [len(step) for step in steps] == [3] * 10
    taken = [text for step in steps for text in step]
    passes = [taken[start : start + 5] for start in range(0, 30, 5)]
    assert all(sorted(one) == texts for one in passes)
    assert len(set(map(tuple, passes))) > 1
    assert steps[7] == texts_of_step(texts, 7, texts_per_step=3, seed=5)  # whatever the steps before it


def test_more_texts_a_step_than_there_are() -> None:
    assert sorted(texts_of_step(["a", "b"], 1, texts_per_step=4, seed=1)) == ["a", "a", "b", "b"]
    assert texts_of_step([], 1, texts_per_step=4, seed=1) == []


def test_the_toy_lists_have_the_reference_last() -> None:
    for one in toy_nbest(3, seed=1):
        assert [text.split().count("door") for text in one.texts] == [2, 1, 1, 0]


def test_lists_are_cut_to_the_first_passs_best() -> None:
    lists = nbest({"a": "the"}, a=["x", "y", "z"], b=["w"])
    assert [one.texts for one in shortened(lists, 2)] == [["x", "y"], ["w"]]
    assert shortened(lists, 0) is lists


@pytest.mark.parametrize(("max_hyps", "own", "added"), [(1, 1, 0), (2, 2, 0), (3, 2, 1), (9, 2, 2)])
def test_cut_lists_know_what_an_expansion_has_added(max_hyps: int, own: int, added: int) -> None:
    hypotheses = tuple(Hypothesis(text, 0.0) for text in ("sun", "see", "son", "sea"))
    (one,) = shortened(NbestSet((NbestList("u", hypotheses, added=2),)), max_hyps)
    assert (len(one.first_pass.hypotheses), one.added) == (own, added)


def test_what_an_objective_takes_of_a_list(fresh_rescorer: FreshRescorer) -> None:
    lists = nbest({"a": "the cat", "b": ""}, a=["a cat", "the mat"], b=["", ""])
    rescorer = fresh_rescorer()
    (reference,) = training_lists(rescorer, lists, with_reference=True, with_hypotheses=False)
    assert (reference.utt, len(reference.errors), reference.with_reference) == ("a", 0, True)
    assert reference.encoded.sequences() == rescorer.encode(["the cat"]).sequences()
    teacher = [torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])]
    taught = training_lists(rescorer, lists, with_reference=False, teacher=teacher)
    assert [(one.utt, one.teacher.tolist()) for one in taught] == [("a", [1, 2]), ("b", [3, 4])]
    with pytest.raises(InputError, match="no reference has words"):
        training_lists(rescorer, nbest({"a": ""}, a=["x"]), with_reference=True, with_hypotheses=False)


def test_the_plan_of_a_run() -> None:
    settings = TrainingSettings(epochs=2, lists_per_step=4, texts_per_step=2, seed=3)
    plan = plan_steps(6, ["a", "b", "c"], settings)
    assert len(plan) == num_steps(6, settings) == 4
    assert [indices for indices, _ in plan[:2]] == list(steps_of_epoch(6, 4, 0, seed=3))
    assert [texts for _, texts in plan] == [texts_of_step(["a", "b", "c"], step, 2, seed=3) for step in range(4)]


def test_a_run_on_texts_alone_passes_over_them() -> None:
    settings = TrainingSettings(epochs=2, texts_per_step=2)
    plan = plan_steps(0, ["a", "b", "c"], settings)
    assert len(plan) == num_steps(0, settings, num_texts=3) == 4
    assert all(indices == [] and len(texts) == 2 for indices, texts in plan)
