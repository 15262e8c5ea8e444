"""Log-probabilities by chunks of states and blocks of the vocabulary equal those of all logits at once."""

import numpy as np
import pytest
import torch
from torch import nn

from lorescore.scoring.int8 import Int8Linear
from lorescore.scoring.projection import BLOCK_TOKENS, CHUNK_STATES, CHUNK_STATES_IN_BLOCKS, log_probs

VOCABULARY = 2 * BLOCK_TOKENS + 7


def expected(projection: nn.Module, cap: float | None, states: torch.Tensor) -> torch.Tensor:
    """All log-probabilities by torch's own log-softmax."""
    logits = projection(states)
    return torch.log_softmax(logits if cap is None else cap * torch.tanh(logits / cap), dim=-1)


@pytest.mark.parametrize("cap", [None, 3.0])
@pytest.mark.parametrize("kind", ["linear", "bias", "int8", "layers"])
def test_blocks_equal_the_whole(kind: str, cap: float | None) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(8, VOCABULARY, bias=kind == "bias")
    states = torch.randn(CHUNK_STATES_IN_BLOCKS + 5, 8)
    with torch.no_grad():
        projection = {"int8": Int8Linear(linear, states), "layers": nn.Sequential(nn.Tanh(), linear)}.get(kind, linear)
    rng = np.random.default_rng(1)
    rows = np.sort(rng.integers(0, len(states), 40))
    targets = rng.integers(0, VOCABULARY, 40)
    with torch.no_grad():
        found = log_probs(projection, cap, states, rows, targets)
        torch.testing.assert_close(found, expected(projection, cap, states)[rows, targets], rtol=0, atol=1e-5)


def test_a_token_that_is_never_said_does_not_cost_digits() -> None:
    torch.manual_seed(0)
    projection = nn.Linear(8, VOCABULARY)
    states, targets = torch.randn(3, 8), np.array([1, BLOCK_TOKENS + 1, VOCABULARY - 1])
    with torch.no_grad():
        projection.bias[::BLOCK_TOKENS] = -1e6
        found = log_probs(projection, None, states, np.arange(3), targets)
        torch.testing.assert_close(found, expected(projection, None, states)[np.arange(3), targets], rtol=0, atol=1e-5)


def test_gradients_equal_those_of_the_whole() -> None:
    torch.manual_seed(0)
    linear = nn.Linear(8, VOCABULARY)
    states = torch.randn(CHUNK_STATES + 5, 8, requires_grad=True)
    rows, targets = np.array([0, 0, 7, CHUNK_STATES + 1]), np.array([3, VOCABULARY - 1, 5, 0])
    weights = torch.tensor([1.0, -2.0, 0.5, 3.0])
    parameters = [states, linear.weight, linear.bias]
    found = torch.autograd.grad((log_probs(linear, None, states, rows, targets) * weights).sum(), parameters)
    whole = torch.autograd.grad((expected(linear, None, states)[rows, targets] * weights).sum(), parameters)
    for one, other in zip(found, whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
