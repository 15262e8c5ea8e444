"""Training runs with each objective: what they bring the scores to, and on what."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from toy_nbest import ERROR

from lorescore.errors import InputError
from lorescore.nbest import NbestSet
from lorescore.plm.strategy import Strategy
from lorescore.scoring.rescorer import Rescorer
from lorescore.training.loop import train_rescorer
from lorescore.training.settings import TrainingSettings

FreshRescorer = Callable[..., Rescorer]
SETTINGS = TrainingSettings(epochs=4, lists_per_step=4, evaluations=4, score_scale=1.0, lm_loss=0.0)
FULL = Strategy("full", learning_rate=5e-3)
TEXTS = ["the cat sat on the sea", "a mat saw the cat"]


def teacher_costs(lists: NbestSet) -> list[list[float]]:
    """A teacher in nats, which knows what the toy lists are about: 5 nats a word, 9 more for an error."""
    return [[5.0 * len(text.split()) + 9.0 * text.split().count(ERROR) for text in one.texts] for one in lists]


def scores_of(rescorer: Rescorer, lists: NbestSet) -> torch.Tensor:
    return torch.tensor(rescorer.score([one.texts for one in lists]))


def likelihood(rescorer: Rescorer, texts: list[str]) -> float:
    return math.fsum(score for one in rescorer.score([[text] for text in texts]) for score in one)


@pytest.mark.parametrize(
    ("norm", "expected"),
    [
        # In units of the teacher's spread, whatever they are: differences of a list, or of the set.
        ("list", lambda nats: (nats - nats.mean(1, keepdim=True)) / (nats - nats.mean(1, keepdim=True)).std()),
        ("set", lambda nats: (nats - nats.mean()) / nats.std()),
    ],
)
def test_a_head_learns_a_teachers_scores(
    fresh_rescorer: FreshRescorer,
    train_lists: NbestSet,
    dev_lists: NbestSet,
    norm: str,
    expected: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    rescorer = fresh_rescorer("bert", "cls")
    settings = replace(SETTINGS, objective="distill", teacher_norm=norm, epochs=8, evaluations=1)
    result = train_rescorer(rescorer, train_lists, dev_lists, FULL, settings, teacher_costs=teacher_costs(train_lists))
    assert result.best.step > 0 and result.num_lists == 24
    scores, targets = scores_of(rescorer, dev_lists), expected(-torch.tensor(teacher_costs(dev_lists)))
    if norm == "list":
        scores = scores - scores.mean(1, keepdim=True)
    assert (scores - targets).square().mean() < 0.3 * targets.square().mean()


def test_a_likelihood_learns_nats(fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet) -> None:
    def distance(rescorer: Rescorer) -> float:
        return (scores_of(rescorer, train_lists) + torch.tensor(teacher_costs(train_lists))).square().mean().item()

    rescorer, start = fresh_rescorer(), distance(fresh_rescorer())
    settings = replace(SETTINGS, objective="distill", evaluations=1)
    result = train_rescorer(rescorer, train_lists, dev_lists, FULL, settings, teacher_costs=teacher_costs(train_lists))
    assert result.best.step > 0
    assert distance(rescorer) < 0.5 * start


def test_mwer_and_distill_start_from_the_weights_that_suit_the_teacher(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet
) -> None:
    losses: dict[str, float] = {}

    def first_loss(name: str, **settings: Any) -> None:
        def keep(step: int, values: Any) -> None:
            if step == 1 and "train/loss" in values:
                losses[name] = values["train/loss"]

        train_rescorer(
            fresh_rescorer("bert", "cls"),
            train_lists,
            dev_lists,
            FULL,
            replace(SETTINGS, epochs=1, evaluations=1, **settings),
            teacher_costs=teacher_costs(train_lists) if settings["objective"] != "mwer" else None,
            curves=keep,
        )

    first_loss("mwer", objective="mwer")
    first_loss("distill", objective="distill")
    first_loss("both", objective="mwer+distill", distill_weight=2.0)
    # The new head gives 0 everywhere, so that mwer is the same at any weight.
    assert losses["both"] == pytest.approx(losses["mwer"] + 2 * losses["distill"], abs=1e-5)


def test_a_list_without_a_difference_in_errors_teaches_by_its_teacher(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet
) -> None:
    # Only the two hypotheses with one error each are left of every list.
    cut = NbestSet(tuple(replace(one, hypotheses=one.hypotheses[1:3]) for one in train_lists), train_lists.refs)
    settings = replace(SETTINGS, objective="mwer+distill", epochs=1)
    costs = [[1.0, 2.0]] * 24
    assert (
        train_rescorer(fresh_rescorer("bert", "cls"), cut, dev_lists, FULL, settings, teacher_costs=costs).num_lists
        == 24
    )
    with pytest.raises(InputError, match="nothing to learn from"):
        train_rescorer(fresh_rescorer("bert", "cls"), cut, dev_lists, FULL, replace(settings, objective="mwer"))


@pytest.mark.parametrize(("family", "scorer"), [("llama", "clm"), ("roberta", "pll")])
def test_lm_raises_the_likelihood_of_references_and_texts(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet, family: str, scorer: str
) -> None:
    references = list(train_lists.refs.values())

    def trained(**settings: Any) -> tuple[float, float]:
        rescorer = fresh_rescorer(family, scorer)
        result = train_rescorer(
            rescorer,
            train_lists,
            dev_lists,
            FULL,
            replace(SETTINGS, objective="lm", texts_per_step=2, evaluations=1, **settings),
            texts=TEXTS,
        )
        assert result.best.step > 0
        assert result.num_lists == (24 if settings.get("lm_references", True) else 0)
        return likelihood(rescorer, references), likelihood(rescorer, TEXTS)

    start = fresh_rescorer(family, scorer)
    before = likelihood(start, references), likelihood(start, TEXTS)
    both, texts_alone = trained(epochs=2), trained(lm_references=False, epochs=10)
    assert both[0] > before[0] + 50 and both[1] > before[1] + 5
    assert texts_alone[1] > before[1] + 5
    assert texts_alone[0] < both[0]


def test_lm_without_texts_takes_the_references_alone(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet
) -> None:
    rescorer = fresh_rescorer()
    before = likelihood(rescorer, list(train_lists.refs.values()))
    train_rescorer(rescorer, train_lists, dev_lists, FULL, replace(SETTINGS, objective="lm", epochs=2))
    assert likelihood(rescorer, list(train_lists.refs.values())) > before + 50


def test_a_pll_is_trained_with_mwer_and_held_by_its_own_loss(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet
) -> None:
    rescorer = fresh_rescorer("roberta", "pll")
    result = train_rescorer(rescorer, train_lists, dev_lists, FULL, replace(SETTINGS, epochs=2, lm_loss=0.1))
    assert result.best.dev_wer < 0.7 * result.evaluations[0].dev_wer


def test_lists_for_training_may_be_cut(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet
) -> None:
    cut = NbestSet(tuple(replace(one, hypotheses=one.hypotheses[:2]) for one in train_lists), train_lists.refs)
    scores = []
    for lists, max_hyps in ((train_lists, 2), (cut, 0)):
        rescorer = fresh_rescorer("bert", "cls")
        train_rescorer(rescorer, lists, dev_lists, FULL, replace(SETTINGS, max_hyps=max_hyps, epochs=1))
        scores.append(scores_of(rescorer, dev_lists))
    assert torch.equal(scores[0], scores[1])
    # The teacher's costs are those of the whole lists.
    settings = replace(SETTINGS, objective="distill", max_hyps=2, epochs=1)
    train_rescorer(
        fresh_rescorer("bert", "cls"), train_lists, dev_lists, FULL, settings, teacher_costs=teacher_costs(train_lists)
    )


def test_the_correlations_of_the_states_fall(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet
) -> None:
    def correlation(weight: float) -> float:
        rescorer = fresh_rescorer("bert", "cls")
        states: list[torch.Tensor] = []
        train_rescorer(rescorer, train_lists, dev_lists, FULL, replace(SETTINGS, correlation=weight))
        hook = rescorer.scorer.head.register_forward_pre_hook(lambda _, inputs: states.append(inputs[0]))
        rescorer.score([one.texts for one in dev_lists])
        hook.remove()
        correlations = torch.corrcoef(torch.cat(states).T)
        return (correlations - torch.eye(len(correlations))).square().mean().item()

    assert correlation(20.0) < 0.8 * correlation(0.0)


def test_early_stopping(fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet) -> None:
    # At this rate dev gets no better after the first steps.
    settings = replace(SETTINGS, evaluations=12, patience=2)
    strategy = Strategy("full", learning_rate=0.3)
    result = train_rescorer(fresh_rescorer("bert", "cls"), train_lists, dev_lists, strategy, settings)
    steps = [one.step for one in result.evaluations]
    assert result.steps == steps[-1] < 24
    assert result.epochs == pytest.approx(result.steps / 6)  # six steps an epoch
    assert steps[-3] == result.best.step
    to_the_end = train_rescorer(
        fresh_rescorer("bert", "cls"), train_lists, dev_lists, strategy, replace(settings, patience=0)
    )
    assert to_the_end.evaluations[: len(steps)] == result.evaluations
    assert to_the_end.steps == 24
