"""The gradients of a step: independent of how it is cut into batches, and right after memory ran out."""

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from lorescore.combine import Weights
from lorescore.errors import InputError
from lorescore.nbest import NbestSet
from lorescore.plm.strategies import adapt
from lorescore.plm.strategy import Strategy
from lorescore.scoring.rescorer import Rescorer
from lorescore.training.data import training_lists, training_text
from lorescore.training.memory import gradient_checkpointing
from lorescore.training.objectives import Objective
from lorescore.training.settings import TrainingSettings
from lorescore.training.states import sentence_states
from lorescore.training.step import StepGradients

FreshRescorer = Callable[..., Rescorer]
Gradients = dict[str, torch.Tensor]
HUGE = 2**60  # bytes


def out_of_memory() -> None:
    """The error that PyTorch's CPU allocator raises."""
    torch.empty(HUGE, dtype=torch.uint8)


def step_of(
    rescorer: Rescorer,
    train: NbestSet,
    token_budget: int = 10_000,
    correlation: float = 0.0,
    precision: str = "fp32",
    **settings: Any,
) -> tuple[StepGradients, list[Any]]:
    """A step of full fine-tuning over five lists and, where the scorer is a language model, a text."""
    adaptation = adapt(rescorer.scorer.model, Strategy("full"), rescorer.plm.targets, total_steps=10, seed=1)
    is_lm = rescorer.plm.scorer != "cls"
    lists = training_lists(rescorer, NbestSet(train.lists[:5], train.refs), with_reference=is_lm)
    lists += [training_text(rescorer, "the cat sat on the mat")] if is_lm else []
    objective = Objective.of(TrainingSettings(score_scale=1.0, **settings), Weights(1.0, 0.0), centred=False)
    step = StepGradients(
        rescorer.scorer,
        adaptation,
        objective,
        correlation=correlation,
        precision=precision,
        token_budget=token_budget,
    )
    return step, lists


def gradients(module: nn.Module) -> Gradients:
    return {name: one.grad.clone() for name, one in module.named_parameters() if one.grad is not None}


def assert_close(found: Gradients, expected: Gradients, tolerance: float = 1e-5) -> None:
    assert found.keys() == expected.keys() and any(one.abs().max() > 1e-3 for one in expected.values())
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=tolerance, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("correlation", [0.0, 2.0])
@pytest.mark.parametrize(("family", "scorer"), [("llama", "clm"), ("bert", "cls"), ("llama", "cls")])
def test_the_token_budget_does_not_change_the_gradients(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, family: str, scorer: str, correlation: float
) -> None:
    losses, found = [], []
    for token_budget in (10_000, 60, 16):
        rescorer = fresh_rescorer(family, scorer)
        if scorer == "cls":  # at its first weights, 0, a head passes no gradient on
            nn.init.normal_(rescorer.scorer.head.weight, generator=torch.Generator().manual_seed(1))
        step, lists = step_of(rescorer, train_lists, token_budget, correlation)
        losses.append(step.accumulate(lists))
        found.append(gradients(rescorer.scorer))
    assert losses[1:] == pytest.approx([losses[0]] * 2, abs=1e-4)
    assert_close(found[1], found[0])
    assert_close(found[2], found[0])


def test_a_step_of_empty_texts_teaches_nothing(fresh_rescorer: FreshRescorer, train_lists: NbestSet) -> None:
    rescorer = fresh_rescorer("llama", "clm")
    step, lists = step_of(rescorer, train_lists)
    empty = replace(lists[0], encoded=rescorer.encode(["", ""]), with_reference=False)
    empty = replace(empty, **{name: getattr(empty, name)[:2] for name in ("first_pass", "num_words", "errors")})
    assert math.isfinite(step.accumulate([empty]))
    assert not gradients(rescorer.scorer)


@pytest.mark.parametrize(("family", "scorer"), [("llama", "clm"), ("bert", "cls"), ("llama", "cls")])
def test_sentence_states_are_those_of_the_texts_alone(fresh_rescorer: FreshRescorer, family: str, scorer: str) -> None:
    rescorer = fresh_rescorer(family, scorer, eos="</s>" if scorer == "clm" else "")
    texts = ["the cat", "the cat sat on the mat", "a sea"]
    encoded = [rescorer.encode(texts[:2]), rescorer.encode([texts[2], texts[0]])]  # one of them twice
    states = sentence_states(rescorer.scorer, encoded, token_budget=1000)
    tokenizer, model = rescorer.scorer.tokenizer, rescorer.scorer.model
    expected = []
    for text in texts:
        ids = tokenizer(text)["input_ids"]
        ids = [tokenizer.bos_token_id, *ids] if scorer == "clm" else ids
        hidden = model(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states[-1][0]
        expected.append(hidden[0 if family == "bert" else -1])
    assert states.shape == (3, 32)
    for one in expected:
        assert (states - one).abs().amax(dim=1).min() < 1e-4


def test_the_regulariser_is_on_the_states_of_the_step(fresh_rescorer: FreshRescorer, train_lists: NbestSet) -> None:
    losses = []
    for correlation in (0.0, 0.5, 1.0):
        step, lists = step_of(fresh_rescorer("bert", "cls"), train_lists, correlation=correlation)
        losses.append(step.accumulate(lists))
    assert losses[2] - losses[0] == pytest.approx(2 * (losses[1] - losses[0]), abs=1e-5)
    assert 0 < losses[2] - losses[0] < 1


def checkpointed(rescorer: Rescorer, train: NbestSet, enabled: bool) -> tuple[Gradients, int]:
    """The gradients of a step, and how often the first layer ran in the backward pass."""
    if rescorer.plm.scorer == "cls":
        nn.init.normal_(rescorer.scorer.head.weight, generator=torch.Generator().manual_seed(1))
    step, lists = step_of(rescorer, train)
    scorer = rescorer.scorer
    scorer.blocks = False  # which layers that run again cannot have; without them the sums are in the same order
    layer = next(part for name, part in scorer.named_modules() if name.endswith(("layers.0", "h.0", "layer.0")))
    norm = next(part for part in layer.modules() if "Norm" in type(part).__name__)
    runs, before_backward = 0, 0

    def count(*_: object) -> None:
        nonlocal runs
        runs += 1

    def note(*_: object) -> None:
        nonlocal before_backward
        before_backward = runs

    with gradient_checkpointing(scorer, enabled):
        norm.register_forward_hook(count)
        scorer.register_forward_hook(note)
        step.accumulate(lists)
    return gradients(scorer), runs - before_backward


@pytest.mark.parametrize(
    ("family", "scorer"), [("llama", "clm"), ("gpt2", "clm"), ("opt", "clm"), ("bert", "cls"), ("llama", "cls")]
)
def test_gradient_checkpointing_changes_nothing(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, family: str, scorer: str
) -> None:
    expected, runs = checkpointed(fresh_rescorer(family, scorer), train_lists, enabled=False)
    assert runs == 0
    found, runs = checkpointed(fresh_rescorer(family, scorer), train_lists, enabled=True)
    assert runs > 0
    assert_close(found, expected, tolerance=1e-7)


def test_gradient_checkpointing_leaves_the_model_as_it_was(fresh_rescorer: FreshRescorer) -> None:
    rescorer = fresh_rescorer("llama", "cls")
    config, before = rescorer.scorer.model.config, [vars(part).copy() for part in rescorer.scorer.modules()]
    assert config.use_cache
    with gradient_checkpointing(rescorer.scorer, True):
        assert not config.use_cache
    assert config.use_cache
    assert [vars(part) for part in rescorer.scorer.modules()] == before


def test_bf16_is_near_to_fp32(fresh_rescorer: FreshRescorer, train_lists: NbestSet) -> None:
    losses, found = [], []
    for precision in ("fp32", "bf16", "auto"):
        rescorer = fresh_rescorer("bert", "cls")
        nn.init.normal_(rescorer.scorer.head.weight, generator=torch.Generator().manual_seed(1))
        step, lists = step_of(rescorer, train_lists, precision=precision)
        losses.append(step.accumulate(lists))
        found.append(torch.cat([one.flatten() for one in gradients(rescorer.scorer).values()]))
        assert found[-1].dtype == torch.float32
    assert losses[1] != losses[0]
    assert losses[1] == pytest.approx(losses[0], abs=0.1)
    assert torch.cosine_similarity(found[1], found[0], dim=0) > 0.95
    if not torch.cuda.is_available():  # there, auto is fp32
        assert losses[2] == losses[0]


@pytest.mark.parametrize("failing_pass", [1, 2])
def test_gradients_after_memory_ran_out_are_those_of_the_step(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, caplog: pytest.LogCaptureFixture, failing_pass: int
) -> None:
    expected, lists = step_of(fresh_rescorer(), train_lists, token_budget=40)
    expected_loss = expected.accumulate(lists)
    rescorer = fresh_rescorer()
    step, lists = step_of(rescorer, train_lists, token_budget=40)
    passes = 0

    def fail_once(*_: object) -> None:
        nonlocal passes
        passes += 1
        if passes == failing_pass:
            out_of_memory()

    rescorer.scorer.register_forward_pre_hook(fail_once)
    with caplog.at_level(logging.WARNING):
        assert step.accumulate(lists) == pytest.approx(expected_loss, abs=1e-4)
    assert_close(gradients(rescorer.scorer), gradients(expected.scorer))
    assert passes > failing_pass
    assert step.token_budget < 40
    assert [record.message for record in caplog.records] == [
        f"out of memory: at most {step.token_budget} tokens a forward pass from here on"
    ]


def test_a_budget_above_the_step_is_halved_from_what_the_step_needs(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet
) -> None:
    rescorer = fresh_rescorer()
    step, lists = step_of(rescorer, train_lists, token_budget=1_000_000)
    tokens = sum(map(len, lists))

    def fail_above_half(_: object, inputs: tuple[Any]) -> None:
        if sum(map(len, inputs[0])) > tokens // 2:
            out_of_memory()

    rescorer.scorer.register_forward_pre_hook(fail_above_half)
    step.accumulate(lists)
    assert step.token_budget == tokens // 2


def test_memory_that_is_never_enough(fresh_rescorer: FreshRescorer, train_lists: NbestSet) -> None:
    rescorer = fresh_rescorer()
    step, lists = step_of(rescorer, train_lists)
    rescorer.scorer.register_forward_pre_hook(lambda *_: out_of_memory())
    with pytest.raises(InputError, match="out of memory with 16 tokens"):
        step.accumulate(lists)


def test_another_error_is_not_taken_for_memory(fresh_rescorer: FreshRescorer, train_lists: NbestSet) -> None:
    rescorer = fresh_rescorer()
    step, lists = step_of(rescorer, train_lists)
    rescorer.scorer.register_forward_pre_hook(lambda *_: torch.zeros(2) @ torch.zeros(3))
    with pytest.raises(RuntimeError, match="size"):
        step.accumulate(lists)
