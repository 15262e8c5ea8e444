"""MWER and LM losses against their formulas."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lorescore.training.objectives import lm_loss, mwer_loss

LISTS = st.lists(st.tuples(st.floats(-20, 20), st.integers(0, 12)), min_size=1, max_size=8)


def reference(scores: np.ndarray, errors: np.ndarray) -> tuple[float, np.ndarray]:
    """loss = sum_i P_i (W_i - mean W), and d loss / d s_k = P_k ((W_k - mean W) - loss), in float64."""
    weights = np.exp(scores - scores.max())
    posteriors = weights / weights.sum()
    relative = errors - errors.mean()
    loss = float((posteriors * relative).sum())
    return loss, posteriors * (relative - loss)


@given(LISTS)
def test_mwer_is_the_formula_and_so_is_its_gradient(hypotheses: list[tuple[float, int]]) -> None:
    scores, errors = (np.array(column, dtype=np.float64) for column in zip(*hypotheses, strict=True))
    expected, expected_gradient = reference(scores, errors)
    combined = torch.tensor(scores, requires_grad=True)
    loss = mwer_loss(combined, torch.tensor(errors))
    loss.backward()
    assert loss.item() == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(combined.grad.numpy(), expected_gradient, atol=1e-6)


def test_mwer_by_hand() -> None:
    # P = (0.75, 0.25), W = (1, 3), mean 2: 0.75 x -1 + 0.25 x 1.
    loss = mwer_loss(torch.tensor([math.log(3.0), 0.0]), torch.tensor([1.0, 3.0]))
    assert loss.item() == pytest.approx(-0.5)


def test_mwer_pulls_up_what_has_fewer_errors_than_the_expectation() -> None:
    combined = torch.zeros(3, requires_grad=True)
    mwer_loss(combined, torch.tensor([0.0, 1.0, 5.0])).backward()
    assert combined.grad[0] < 0 and combined.grad[1] < 0 < combined.grad[2]


def test_lm_loss_is_nats_a_token() -> None:
    assert lm_loss(torch.tensor(-6.0), 4).item() == pytest.approx(1.5)
