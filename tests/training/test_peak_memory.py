"""The peak that a training reports is its own, not that of what the process did before."""

import numpy as np
import pytest
import torch
from plm_models import new_rescorer
from toy_nbest import toy_nbest

from lorescore.plm.strategy import Strategy
from lorescore.training.loop import train_rescorer
from lorescore.training.memory import CLEAR_REFS, peak_memory_mb, reset_peak_memory
from lorescore.training.settings import TrainingSettings

CPU = torch.device("cpu")
MIB = 2**20

pytestmark = pytest.mark.skipif(not CLEAR_REFS.exists(), reason="the peak can be reset on Linux alone")


def hold(mib: int) -> None:
    """Have so much memory for a moment."""
    np.ones(mib * MIB, dtype=np.uint8)


def test_what_was_held_before_does_not_count() -> None:
    reset_peak_memory(CPU)
    before = peak_memory_mb(CPU)
    hold(300)
    assert peak_memory_mb(CPU) > before + 250
    reset_peak_memory(CPU)
    assert peak_memory_mb(CPU) < before + 50
    hold(100)
    assert before + 50 < peak_memory_mb(CPU) < before + 200


def test_small_pieces_that_were_freed_do_not_count() -> None:
    reset_peak_memory(CPU)
    before = peak_memory_mb(CPU)
    pieces = [np.ones(MIB // 16, dtype=np.uint8) for _ in range(16 * 200)]
    assert peak_memory_mb(CPU) > before + 150
    del pieces
    reset_peak_memory(CPU)
    assert peak_memory_mb(CPU) < before + 100  # pages on which something else lies stay, of 200 MiB the lesser part


def test_a_training_reports_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    rescorer = new_rescorer(tmp_path_factory.mktemp("plms"), "llama", plm_text="lower")
    hold(1000)
    result = train_rescorer(
        rescorer,
        toy_nbest(8, seed=1),
        toy_nbest(4, seed=2),
        Strategy("vanilla", rank=2),
        TrainingSettings(lists_per_step=8, evaluations=1),
    )
    reset_peak_memory(CPU)
    assert result.peak_memory_mb < peak_memory_mb(CPU) + 500


def test_a_gpu_counts_its_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = {"cuda:1": 5000 * MIB}
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: peaks.update({str(device): 0}))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: peaks[str(device)])
    gpu = torch.device("cuda", 1)
    assert peak_memory_mb(gpu) == 5000
    reset_peak_memory(gpu)
    assert peak_memory_mb(gpu) == 0
