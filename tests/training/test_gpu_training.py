"""Training where a GPU is seen: everything that meets has been put there, and it comes to the same as on the CPU."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from pretended_gpu import pretended_gpu

from lorescore.nbest import NbestSet
from lorescore.plm.strategies import adapt
from lorescore.plm.strategy import Strategy
from lorescore.scoring.options import ScoringOptions
from lorescore.scoring.rescorer import Rescorer, trainable_state
from lorescore.training.loop import train_rescorer
from lorescore.training.settings import TrainingSettings

SETTINGS = TrainingSettings(epochs=1, lists_per_step=4, evaluations=2, score_scale=1.0, lm_loss=0.1, precision="fp32")
STRATEGIES = (
    Strategy("full", learning_rate=1e-2),
    Strategy("vanilla", rank=4, alpha=8, learning_rate=5e-2),
    Strategy("adalora", rank=2, init_rank=4, alpha=8, learning_rate=1e-1),
    Strategy("warmup", rank=2, init_rank=4, alpha=8, learning_rate=5e-2),
    Strategy("mixed", rank=4, alpha=8, learning_rate=5e-2),
    Strategy("dora", rank=4, alpha=8, learning_rate=5e-2),
)
BF16 = replace(SETTINGS, precision="bf16")


@pytest.mark.parametrize(
    ("strategy", "correlation"),
    [*((strategy, 0.0) for strategy in STRATEGIES), (STRATEGIES[1], 0.1)],
    ids=lambda value: value.name if isinstance(value, Strategy) else f"correlation{value:g}",
)
def test_a_training_on_a_gpu(
    fresh_rescorer: Callable[..., Rescorer],
    train_lists: NbestSet,
    dev_lists: NbestSet,
    strategy: Strategy,
    correlation: float,
) -> None:
    settings = replace(SETTINGS, correlation=correlation)
    expected = train_rescorer(fresh_rescorer(), train_lists, dev_lists, strategy, settings)
    rescorer = fresh_rescorer()
    with pretended_gpu() as device:
        rescorer.scorer.to(device)
        found = train_rescorer(rescorer, train_lists, dev_lists, strategy, settings)
        assert rescorer.scorer.device == device
    assert [one.dev_wer for one in found.evaluations] == [one.dev_wer for one in expected.evaluations]
    assert found.best.step == expected.best.step


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda value: value.name)
def test_in_bf16_frozen_weights_are_held_so_and_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
    fresh_rescorer: Callable[..., Rescorer],
    train_lists: NbestSet,
    dev_lists: NbestSet,
    strategy: Strategy,
) -> None:
    trained = []
    for rounds in (True, False):
        rescorer = fresh_rescorer()
        with pretended_gpu() as device, monkeypatch.context() as patched:
            if not rounds:
                patched.setattr(ScoringOptions, "rounds_weights", lambda self, device: False)
            result = train_rescorer(rescorer, train_lists, dev_lists, strategy, BF16, device=device)
            assert rescorer.scorer.device == device
            parameters = {name: one.here for name, one in rescorer.scorer.named_parameters()}
        types = {one.dtype for one in parameters.values()}
        holds = rounds and strategy.name in ("vanilla", "warmup", "mixed")
        assert types == ({torch.float32, torch.bfloat16} if holds else {torch.float32})
        trained.append((result.evaluations, result.total_parameters, trainable_state(rescorer.scorer)))
    (evaluations, total, state), (expected, expected_total, expected_state) = trained
    assert evaluations == expected and total == expected_total
    assert state.keys() == expected_state.keys() and len(state) > 0
    for name, values in state.items():
        assert values.dtype == torch.float32 and torch.equal(values, expected_state[name])


def test_what_adalora_divides_by_is_not_trained_on_a_gpu(fresh_rescorer: Callable[..., Rescorer]) -> None:
    rescorer = fresh_rescorer()
    with pretended_gpu() as device:
        rescorer.scorer.to(device)
        model = adapt(rescorer.scorer.model, STRATEGIES[2], rescorer.plm.targets, total_steps=20, seed=1).model
        ranks = {name: one.requires_grad for name, one in model.named_parameters() if "ranknum" in name}
    assert len(ranks) > 0 and not any(ranks.values())
