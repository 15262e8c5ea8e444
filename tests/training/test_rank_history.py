"""The ranks over the steps: what is kept, on disk, and in a run that was killed."""

from pathlib import Path
from typing import Any

import pytest
from ended_runs import EndedError, ending_after, raise_ended
from plm_models import new_rescorer
from toy_nbest import toy_nbest

from lorescore.errors import InputError
from lorescore.files import write_yaml
from lorescore.plm.strategy import Strategy
from lorescore.training.checkpoint import Checkpoint
from lorescore.training.loop import train_rescorer
from lorescore.training.rank_history import RankHistory
from lorescore.training.result import TrainingResult
from lorescore.training.settings import TrainingSettings

ADALORA = Strategy("adalora", rank=2, init_rank=4, alpha=8, learning_rate=1e-1)
SETTINGS = TrainingSettings(epochs=2, lists_per_step=4, evaluations=1, score_scale=1.0, checkpoint_minutes=0)


def run(folder: Path, strategy: Strategy, checkpoint: Checkpoint | None = None, **options: Any) -> TrainingResult:
    rescorer = new_rescorer(folder / "plms", "llama", "clm", plm_text="lower")
    train, dev = toy_nbest(24, seed=1), toy_nbest(6, seed=2)
    return train_rescorer(rescorer, train, dev, strategy, SETTINGS, checkpoint=checkpoint, **options)


def test_only_changes_are_kept() -> None:
    history = RankHistory()
    for step, rank in enumerate((4, 4, 3, 3, 3, 1)):
        history.add(step, {"q": 2, "v": rank})
    assert history.changes == {0: (2, 4), 2: (2, 3), 5: (2, 1)}
    assert history.layers == ("q", "v")
    assert history.has_moved


def test_a_full_fine_tuning_has_no_ranks() -> None:
    history = RankHistory()
    history.add(0, {})
    assert (history.changes, history.has_moved) == ({}, False)


def test_on_disk(tmp_path: Path) -> None:
    history = RankHistory(("q", "v"), {0: (12, 12), 50: (12, 3)})
    write_yaml(tmp_path / "rank_history.yaml", history.to_dict())
    assert (tmp_path / "rank_history.yaml").read_text() == "layers:\n- q\n- v\nranks:\n  0: 12 12\n  50: 12 3\n"
    assert RankHistory.read(tmp_path / "rank_history.yaml") == history


def test_one_layer_has_one_number_a_step(tmp_path: Path) -> None:
    write_yaml(tmp_path / "rank_history.yaml", RankHistory(("q",), {0: (4,), 3: (2,)}).to_dict())
    assert RankHistory.read(tmp_path / "rank_history.yaml").changes == {0: (4,), 3: (2,)}


@pytest.mark.parametrize(
    "content", [{"layers": ["q"]}, {"layers": ["q"], "ranks": {0: "1 2"}}, {"layers": ["q"], "ranks": {0: "-1"}}]
)
def test_another_file_is_refused(tmp_path: Path, content: dict[str, object]) -> None:
    write_yaml(tmp_path / "rank_history.yaml", content)
    with pytest.raises(InputError, match="rank_history.yaml: not the ranks by step"):
        RankHistory.read(tmp_path / "rank_history.yaml")


def test_adalora_goes_from_the_initial_ranks_to_the_budget(tmp_path: Path) -> None:
    result = run(tmp_path, ADALORA)
    changes = result.rank_history.changes
    assert set(changes[0]) == {4}
    totals = [sum(ranks) for ranks in changes.values()]
    assert totals == sorted(totals, reverse=True)
    assert totals[-1] == 2 * len(result.rank_history.layers)
    assert dict(zip(result.rank_history.layers, list(changes.values())[-1], strict=True)) == dict(
        result.evaluations[-1].ranks
    )
    assert len(changes) > 2  # more steps than the two evaluations


@pytest.mark.parametrize("end_after", [5, 9])
def test_a_run_that_goes_on_has_the_same_history(tmp_path: Path, end_after: int) -> None:
    checkpoint = Checkpoint(tmp_path / ".checkpoint", {"seed": 1})
    with pytest.raises(EndedError):
        run(tmp_path, ADALORA, checkpoint, progress=ending_after(end_after, raise_ended))
    assert run(tmp_path, ADALORA, checkpoint).rank_history == run(tmp_path, ADALORA).rank_history


def test_warmup_changes_once_and_mixed_never(tmp_path: Path) -> None:
    changes = run(tmp_path, Strategy("warmup", rank=2, init_rank=4, learning_rate=5e-2)).rank_history.changes
    assert [set(ranks) for ranks in changes.values()] == [{4}, {2}]
    assert not run(tmp_path, Strategy("mixed", rank=4, learning_rate=5e-2)).rank_history.has_moved
