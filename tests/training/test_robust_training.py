"""Training on perturbed lists with the consistency loss: it learns, it holds, and it goes on to the same bytes."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ended_runs import EndedError, ending_after, kill_itself, raise_ended, run_until_killed, saved
from plm_models import new_rescorer
from toy_lexicon import LEXICON
from toy_nbest import toy_nbest

from lorescore.combine import ScoredLists, Weights, best_ranks, error_count
from lorescore.errors import InputError
from lorescore.nbest import NbestSet
from lorescore.perturb import Perturbation, perturb
from lorescore.plm.strategies import adapt
from lorescore.plm.strategy import Strategy
from lorescore.scoring.rescorer import Rescorer
from lorescore.training.checkpoint import Checkpoint
from lorescore.training.data import training_lists
from lorescore.training.loop import train_rescorer
from lorescore.training.objectives import Objective
from lorescore.training.result import TrainingResult
from lorescore.training.settings import TrainingSettings
from lorescore.training.step import StepGradients
from lorescore.training.twins import Twins

FreshRescorer = Callable[..., Rescorer]
FAMILIES = {"clm": "llama", "cls": "bert", "pll": "roberta"}
SETTINGS = TrainingSettings(
    epochs=2,
    lists_per_step=4,
    evaluations=2,
    score_scale=1.0,
    lm_loss=0.1,
    perturb_train="homophone:0.5,insert:0.5",
    perturb_share=0.7,
    consistency=0.5,
    checkpoint_minutes=0,
)
STRATEGIES = {
    "full": Strategy("full", learning_rate=1e-2),
    "vanilla": Strategy("vanilla", rank=4, alpha=8, learning_rate=5e-2),
    "adalora": Strategy("adalora", rank=2, init_rank=4, alpha=8, learning_rate=1e-1),
    "warmup": Strategy("warmup", rank=2, init_rank=4, learning_rate=5e-2),
    "mixed": Strategy("mixed", rank=4, learning_rate=5e-2),
}


def train(
    folder: Path,
    scorer: str,
    strategy: str = "vanilla",
    checkpoint: Checkpoint | None = None,
    settings: TrainingSettings = SETTINGS,
    **options: Any,
) -> tuple[Rescorer, TrainingResult]:
    rescorer = new_rescorer(folder / "plms", FAMILIES[scorer], scorer, plm_text="lower")
    lists = toy_nbest(16, seed=1), toy_nbest(10, seed=2)
    options = {"checkpoint": checkpoint, "lexicon": LEXICON} | options
    return rescorer, train_rescorer(rescorer, *lists, STRATEGIES[strategy], settings, **options)


@pytest.mark.parametrize("scorer", FAMILIES)
def test_the_loss_falls_and_a_run_that_goes_on_comes_to_the_same_bytes(tmp_path: Path, scorer: str) -> None:
    losses: dict[int, float] = {}

    def keep(step: int, values: Any) -> None:
        if "train/loss" in values:
            losses[step] = values["train/loss"]

    undisturbed, expected = train(tmp_path, scorer, curves=keep)
    assert list(losses) == list(range(1, 9)) and (expected.steps, expected.num_lists) == (8, 16)
    by_epoch = [np.mean([losses[step] for step in range(first, first + 4)]) for first in (1, 5)]
    assert by_epoch[1] < by_epoch[0] - 0.1
    assert expected.best.dev_wer < expected.evaluations[0].dev_wer

    checkpoint = Checkpoint(tmp_path / ".checkpoint", {"seed": 1})
    if scorer == "clm":
        run_until_killed("test_robust_training", tmp_path)
    else:
        with pytest.raises(EndedError):
            train(tmp_path, scorer, checkpoint=checkpoint, progress=ending_after(5, raise_ended))
    assert json.loads((checkpoint.directory / "state.json").read_text())["step"] == 5  # in the second epoch
    resumed, result = train(tmp_path, scorer, checkpoint=checkpoint)
    assert result.evaluations == expected.evaluations
    assert saved(resumed, tmp_path / "resumed") == saved(undisturbed, tmp_path / "undisturbed")


def test_a_training_takes_the_twins_of_its_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, beside = [], Twins.beside
    monkeypatch.setattr(Twins, "beside", lambda self, one, epoch: asked.append(epoch) or beside(self, one, epoch))
    train(tmp_path, "clm")
    assert asked == [0] * 16 + [1] * 16


def train_and_die(folder: Path) -> None:
    """What is run in a process of its own, and killed after five steps."""
    checkpoint = Checkpoint(folder / ".checkpoint", {"seed": 1})
    train(folder, "clm", checkpoint=checkpoint, progress=ending_after(5, kill_itself))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy(tmp_path: Path, strategy: str) -> None:
    _, result = train(tmp_path, "clm", strategy)
    assert result.best.step > 0
    assert result.best.dev_wer < result.evaluations[0].dev_wer


def test_every_objective(tmp_path: Path) -> None:
    def score(lists: Any, contexts: Any = None) -> list[list[float]]:
        return [[-5.0 * len(text.split()) - 9.0 * text.split().count("door") for text in texts] for texts in lists]

    costs = [[-value for value in one] for one in score([one.texts for one in toy_nbest(16, seed=1)])]
    taught = {"teacher_costs": costs, "teacher_score": score}
    for objective, options in (("mwer+distill", taught), ("lm", {})):
        losses: list[float] = []
        for consistency in (1.0, 2.0, 3.0):  # `lm` has the hypotheses for it alone

            def keep(step: int, values: Any, losses: list[float] = losses) -> None:
                if step == 1 and "train/loss" in values:
                    losses.append(values["train/loss"])

            settings = replace(
                SETTINGS, objective=objective, epochs=1, consistency=consistency, consistency_margin=50.0
            )
            train(tmp_path, "clm", settings=settings, curves=keep, **options)
        assert losses[2] - losses[1] == pytest.approx(losses[1] - losses[0], rel=1e-4)
        assert losses[1] > losses[0] + 0.1
    with pytest.raises(InputError, match="--perturb_train without a teacher to ask"):
        train(tmp_path, "clm", settings=replace(SETTINGS, objective="distill"), teacher_costs=costs)
    with pytest.raises(InputError, match="--perturb_train without a lexicon"):
        train(tmp_path, "clm", lexicon=None)


def test_twins_are_what_is_between_a_clean_run_and_a_perturbed_one(tmp_path: Path) -> None:
    clean = replace(SETTINGS, perturb_train="", consistency=0.0, epochs=1)
    states = []
    for settings in (clean, replace(clean, perturb_train="homophone:0"), replace(clean, perturb_train="homophone:0.5")):
        rescorer, _ = train(tmp_path, "clm", settings=settings)
        states.append(saved(rescorer, tmp_path / f"run{len(states)}"))
    assert states[0] == states[1] != states[2]


@pytest.mark.parametrize("scorer", FAMILIES)
def test_a_step_is_the_mean_over_lists_and_twins_whatever_the_token_budget(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, scorer: str
) -> None:
    losses, gradients = [], []
    for token_budget in (100_000, 200 if scorer == "pll" else 16):
        rescorer = fresh_rescorer(FAMILIES[scorer], scorer)
        if scorer == "cls":  # at its first weights, 0, a head passes no gradient on
            torch.nn.init.normal_(rescorer.scorer.head.weight, generator=torch.Generator().manual_seed(1))
        adaptation = adapt(rescorer.scorer.model, STRATEGIES["full"], rescorer.plm.targets, total_steps=10, seed=1)
        rescorer.scorer.eval()
        some = NbestSet(train_lists.lists[:6], train_lists.refs)
        twins = Twins(rescorer, some, SETTINGS, LEXICON)
        lists = [twins.beside(one, 0) for one in training_lists(rescorer, some, with_reference=False)]
        objective = Objective.of(SETTINGS, Weights(0.3, 0.1), centred=False)
        step = StepGradients(
            rescorer.scorer, adaptation, objective, correlation=0.0, precision="fp32", token_budget=token_budget
        )
        losses.append(step.accumulate(lists))
        gradients.append(
            torch.cat([one.grad.flatten() for one in rescorer.scorer.parameters() if one.grad is not None])
        )
    # By hand, each list scored alone: the softmax of the combined scores, and the hinges.
    by_list, by_twin = [], []
    for one in some:
        ref, perturbed = some.refs[one.utt], twins.perturbed(one.utt, 0)
        combined, errors = combined_scores(rescorer, one.texts, one.scores, ref)
        by_list.append(expected_errors(combined, errors))
        if perturbed is not None:
            of_twin, twin_errors = combined_scores(rescorer, perturbed.texts, perturbed.scores, ref)
            by_list.append(expected_errors(of_twin, twin_errors))
            by_twin.append(hinge(one.texts, perturbed.texts, combined, of_twin, errors, twin_errors))
    assert 2 < len(by_twin) <= 6 and any(by_twin)
    expected = np.mean(by_list) + SETTINGS.consistency * np.mean(by_twin)
    assert losses == pytest.approx([expected] * 2, abs=1e-4)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-5)


def combined_scores(rescorer: Rescorer, texts: list[str], first_pass: list[float], ref: str) -> tuple[Any, Any]:
    """Combined scores at the weights of the test, and word errors, which a change of words in place makes."""
    (plm,) = rescorer.score([texts])
    combined = np.array(first_pass) + 0.3 * np.array(plm) + 0.1 * np.array([len(text.split()) for text in texts])
    errors = [sum(a != b for a, b in zip(text.split(), ref.split(), strict=True)) for text in texts]
    return combined, np.array(errors)


def expected_errors(combined: Any, errors: Any) -> float:
    posteriors = np.exp(combined - combined.max()) / np.exp(combined - combined.max()).sum()
    return float(posteriors @ (errors - errors.mean()))


def hinge(clean: list[str], perturbed: list[str], combined: Any, of_twin: Any, errors: Any, twin_errors: Any) -> float:
    """The consistency loss of a list by a loop over its twin's hypotheses."""
    found, source = [], -1
    inserted = len(perturbed) > len(clean)
    for index, text in enumerate(perturbed):
        is_new = inserted and text not in clean
        source = source if is_new else source + 1
        more = twin_errors[index] - errors[source]
        if more:
            found.append(max(0.0, 1.0 - np.sign(more) * (combined[source] - of_twin[index])))
    return float(np.mean(found)) if found else 0.0


def test_a_rescorer_so_trained_loses_less_on_perturbed_lists(tmp_path: Path) -> None:
    # Competitors are added, so that the lists lose nothing: all that is lost, the rescorer loses.
    clean = toy_nbest(60, seed=7)
    perturbed = perturb(clean, LEXICON, Perturbation("nbest", 1.0, seed=9, perturbation="insert")).nbest
    settings = replace(SETTINGS, epochs=4, consistency=1.0, perturb_train="insert:0.5", perturb_share=1.0)
    lost = {}
    for name, how in (("clean", replace(settings, perturb_train="", consistency=0.0)), ("robust", settings)):
        rescorer, result = train(tmp_path, "cls", settings=how)
        before, after = (errors_chosen(rescorer, lists, result.best.weights) for lists in (clean, perturbed))
        lost[name] = after - before
    assert lost["clean"] > 20
    assert lost["robust"] < 0.5 * lost["clean"]


def errors_chosen(rescorer: Rescorer, nbest: NbestSet, weights: Weights) -> int:
    costs = [[-score for score in one] for one in rescorer.score([one.texts for one in nbest])]
    lists = ScoredLists.build(nbest, costs)
    return error_count(lists, best_ranks(lists, weights))
