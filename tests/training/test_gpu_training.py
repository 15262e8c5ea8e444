"""Training where a GPU is seen: everything that meets has been put there, and it comes to the same as on the CPU."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from pretended_gpu import pretended_gpu

from lorescore.nbest import NbestSet
from lorescore.plm.strategy import Strategy
from lorescore.scoring.rescorer import Rescorer
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
