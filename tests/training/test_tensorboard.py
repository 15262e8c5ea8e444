"""Curves for TensorBoard, as TensorBoard reads them."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lorescore.nbest import NbestSet
from lorescore.plm.strategy import Strategy
from lorescore.scoring.rescorer import Rescorer
from lorescore.training.loop import train_rescorer
from lorescore.training.settings import TrainingSettings
from lorescore.training.tensorboard import TensorBoard


def curves(directory: Path) -> dict[str, list[tuple[int, float]]]:
    accumulator = EventAccumulator(str(directory))
    accumulator.Reload()
    return {
        name: [(event.step, event.value) for event in accumulator.Scalars(name)]
        for name in accumulator.Tags()["scalars"]
    }


def test_a_training_run(
    fresh_rescorer: Callable[..., Rescorer], train_lists: NbestSet, dev_lists: NbestSet, tmp_path: Path
) -> None:
    settings = TrainingSettings(epochs=1, lists_per_step=4, evaluations=2)
    with TensorBoard(tmp_path / "run") as board:
        result = train_rescorer(
            fresh_rescorer(),
            train_lists,
            dev_lists,
            Strategy("adalora", rank=2, init_rank=4, learning_rate=1e-2),
            settings,
            curves=board,
        )
    found = curves(tmp_path / "run")
    assert [step for step, _ in found["train/loss"]] == [1, 2, 3, 4, 5, 6]
    assert [rate for _, rate in found["train/learning_rate"]] == pytest.approx(
        [1e-2 * share for share in (1, 1, 0.8, 0.6, 0.4, 0.2)]
    )
    assert all(norm > 0 for _, norm in found["train/gradient_norm"])
    assert found["dev/wer"] == [(one.step, pytest.approx(one.dev_wer)) for one in result.evaluations]
    layer, rank = next(iter(result.evaluations[-1].ranks.items()))
    assert found[f"ranks/{layer}"][0] == (0, 4) and found[f"ranks/{layer}"][-1] == (6, rank)


def test_a_run_that_goes_on_takes_the_place_of_what_was_lost(tmp_path: Path) -> None:
    with TensorBoard(tmp_path) as board:
        for step in range(4):
            board(step, {"loss": 1.0})
    time.sleep(1.1)  # TensorBoard orders a run's files by the second in their names
    with TensorBoard(tmp_path) as board:  # after the checkpoint of step 2
        for step in (3, 4):
            board(step, {"loss": 2.0})
    assert curves(tmp_path)["loss"] == [(0, 1.0), (1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0)]


def test_a_run_that_begins_anew_has_no_curves_of_another(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        with TensorBoard(tmp_path) as board:
            board(0, {"loss": value})
    assert curves(tmp_path) == {"loss": [(0, 2.0)]}


def test_nothing_is_written_where_there_is_nothing_to_write(tmp_path: Path) -> None:
    with TensorBoard(tmp_path / "run"):
        pass
    assert list(tmp_path.iterdir()) == []
