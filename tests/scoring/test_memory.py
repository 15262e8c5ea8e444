"""The token budget, and what happens when the memory is too small: real allocator failures in a limited process."""

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from plm_models import save_plm

from lorescore.errors import InputError
from lorescore.scoring.batches import default_token_budget
from lorescore.scoring.memory import MIN_TOKEN_BUDGET, halved, in_batches, is_out_of_memory, token_budget_for
from lorescore.scoring.rescorer import Rescorer

# Scores 2 lists of 10,000 texts in a process whose memory does not hold a forward pass of them all.
LIMITED = """
import logging, resource, sys
from itertools import product
from pathlib import Path
import torch
from lorescore.plm.load import fetch_plm
from lorescore.plm.settings import PlmSettings
from lorescore.scoring.rescorer import Rescorer

logging.basicConfig(level=logging.WARNING)
torch.set_num_threads(1)
source, plm_dir, room = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
settings = PlmSettings("llama", str(source), plm_text="lower")
fetch_plm(settings, plm_dir)
rescorer = Rescorer.new(plm_dir, settings)
words = "the cat sat on a mat see sea rain door".split()
lists = [[f"{' '.join(some)} {end}" for some in product(words, repeat=4)] for end in words[:2]]
rescorer.score([words])
if room:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + room, used + room))
for one in rescorer.score(lists, token_budget=1 << 20):
    print(*one)
"""


def run_limited(tmp_path: Path, room: int) -> subprocess.CompletedProcess[str]:
    """The scores that a process with so many bytes of room prints; 0: no limit."""
    source = save_plm(tmp_path, "llama")
    command = [sys.executable, "-c", LIMITED, str(source), str(tmp_path / f"plm{room}"), str(room)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_where_the_allocator_fails_the_budget_is_halved_and_no_score_is_lost(tmp_path: Path) -> None:
    free, limited = run_limited(tmp_path, 0), run_limited(tmp_path, 80 << 20)
    assert free.returncode == 0, free.stderr
    assert limited.returncode == 0, limited.stderr
    assert "out of memory" not in free.stderr
    assert "out of memory: at most" in limited.stderr
    expected, found = ([float(score) for score in one.stdout.split()] for one in (free, limited))
    assert len(found) == 2 * 10**4
    assert found == pytest.approx(expected, abs=1e-4)


def test_what_an_allocator_says() -> None:
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(RuntimeError) as refused:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(refused.value)
    assert is_out_of_memory(RuntimeError("could not create a primitive"))
    assert not is_out_of_memory(RuntimeError("shape '[2]' is invalid"))


def test_a_batch_that_fails_is_halved_and_done_again(caplog: pytest.LogCaptureFixture) -> None:
    sizes = [30, 5, 20, 10, 40, 5]
    budgets = []

    def compute(batch: list[int], budget: int) -> int:
        tokens = sum(sizes[index] for index in batch)
        budgets.append(budget)
        if tokens > 60 and budget > 60:
            raise MemoryError
        return tokens

    with caplog.at_level(logging.WARNING):
        batches = list(in_batches([range(size) for size in sizes], 100, compute))
    assert sorted(index for batch, _ in batches for index in batch) == list(range(len(sizes)))
    assert all(tokens == sum(sizes[index] for index in batch) <= 60 for batch, tokens in batches)
    assert budgets == [100, 50, 50, 50]
    assert [record.message for record in caplog.records] == [
        "out of memory: at most 50 tokens a forward pass from here on"
    ]


def test_an_error_of_another_kind_is_not_tried_again() -> None:
    def compute(batch: list[int], budget: int) -> None:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        list(in_batches([range(3)], 100, compute))


def test_the_smallest_budget_is_the_end() -> None:
    assert halved(100) == 50
    assert halved(MIN_TOKEN_BUDGET + 1) == MIN_TOKEN_BUDGET
    with pytest.raises(InputError, match=f"out of memory with {MIN_TOKEN_BUDGET} tokens in a forward pass"):
        halved(MIN_TOKEN_BUDGET)


def test_the_budget_suits_the_device(rescorer_of: Callable[..., Rescorer]) -> None:
    cpu = torch.device("cpu")
    assert token_budget_for(rescorer_of("llama").scorer.model, cpu) == default_token_budget(cpu)


def test_what_pytorch_keeps_of_a_gpu_s_memory_is_free(
    rescorer_of: Callable[..., Rescorer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the second of two sets that are scored in a process would have smaller forward passes."""
    model, cuda = rescorer_of("llama").scorer.model, torch.device("cuda")

    def budget(free: int, reserved: int, allocated: int, products: torch.dtype = torch.float32) -> int:
        for name, value in (
            ("mem_get_info", (free, 0)),
            ("memory_reserved", reserved),
            ("memory_allocated", allocated),
        ):
            monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
        return token_budget_for(model, cuda, products)

    fresh = budget(2 << 20, 0, 0)
    assert MIN_TOKEN_BUDGET < fresh < default_token_budget(cuda)
    assert budget(1 << 20, 3 << 20, 2 << 20) == fresh
    assert budget(1 << 20, 2 << 20, 2 << 20) == pytest.approx(fresh / 2, abs=1)
    assert fresh < budget(2 << 20, 0, 0, torch.bfloat16) < 2 * fresh, "states are float32 all the same"
