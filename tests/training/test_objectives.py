"""The losses and their gradients against plain references in float64, written from the formulas."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lorescore.combine import Weights
from lorescore.errors import InputError
from lorescore.training.data import TrainingList
from lorescore.training.objectives import (
    Objective,
    correlation_loss,
    distill_loss,
    lm_loss,
    mwer_loss,
)
from lorescore.training.settings import TrainingSettings, require_objective

LISTS = st.lists(st.tuples(st.floats(-20, 20), st.integers(0, 12)), min_size=1, max_size=8)


STATES = st.tuples(st.integers(2, 12), st.integers(1, 6), st.integers(0, 2**32 - 1))


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


@pytest.mark.parametrize("centred", [False, True])
@given(hypotheses=st.lists(st.tuples(st.floats(-200, 0), st.floats(-200, 0)), min_size=1, max_size=8))
def test_distill_is_the_formula_and_so_is_its_gradient(hypotheses: list[tuple[float, float]], centred: bool) -> None:
    scores, teacher = (np.array(column, dtype=np.float64) for column in zip(*hypotheses, strict=True))
    distances = (scores - scores.mean() if centred else scores) - teacher
    # Through the mean over the list, every score has a part in every distance.
    expected_gradient = 2 * (distances - distances.mean() if centred else distances) / len(scores)
    student = torch.tensor(scores, requires_grad=True)
    loss = distill_loss(student, torch.tensor(teacher), centred)
    loss.backward()
    assert loss.item() == pytest.approx(float((distances**2).sum()) / len(scores), abs=1e-6)
    np.testing.assert_allclose(student.grad.numpy(), expected_gradient, atol=1e-6)


def test_distill_by_hand() -> None:
    scores, teacher = torch.tensor([-3.0, -1.0]), torch.tensor([-1.0, 0.0])
    assert distill_loss(scores, teacher).item() == pytest.approx((4 + 1) / 2)
    # Centred, the scores are -1 and 1.
    assert distill_loss(scores, teacher, centred=True).item() == pytest.approx((0 + 1) / 2)


def correlation_reference(states: np.ndarray) -> tuple[float, np.ndarray]:
    """loss = mean of r_jk^2 over j != k, and its gradient by the chain rule over r and the standardised states z."""
    n, d = states.shape
    deviation = states.std(axis=0)
    z = (states - states.mean(axis=0)) / deviation
    off_diagonal = np.corrcoef(states, rowvar=False).reshape(d, d) * (1 - np.eye(d))
    pairs = max(1, d * (d - 1))
    by_z = 2 * z @ (2 * off_diagonal / pairs) / n
    gradient = (by_z - by_z.mean(axis=0) - z * (by_z * z).mean(axis=0)) / deviation
    return float((off_diagonal**2).sum()) / pairs, gradient


@given(STATES)
def test_the_correlation_regulariser_is_the_formula_and_so_is_its_gradient(shape: tuple[int, int, int]) -> None:
    num_texts, dimensions, seed = shape
    states = np.random.default_rng(seed).normal(3.0, 2.0, size=(num_texts, dimensions))
    expected, expected_gradient = correlation_reference(states)
    tensor = torch.tensor(states, requires_grad=True)
    loss = correlation_loss(tensor)
    loss.backward()
    assert loss.item() == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(tensor.grad.numpy(), expected_gradient, atol=1e-6)


def test_correlation_by_hand() -> None:
    # The first two components are of one line, the third is correlated with neither: r = 1 for one pair of three.
    states = torch.tensor([[1.0, -2.0, 1.0], [-1.0, 2.0, 1.0], [1.0, -2.0, -1.0], [-1.0, 2.0, -1.0]])
    assert correlation_loss(states).item() == pytest.approx(1 / 3, abs=1e-6)
    assert correlation_loss(states[:, [0, 2]]).item() == pytest.approx(0.0, abs=1e-6)


def test_a_component_that_does_not_vary_has_no_correlation() -> None:
    states = torch.tensor([[1.0, 5.0], [2.0, 5.0]], requires_grad=True)
    loss = correlation_loss(states)
    loss.backward()
    assert loss.item() == 0.0
    assert torch.isfinite(states.grad).all()


class Encoded:
    """Three texts, the last of four tokens."""

    def num_tokens(self, index: int) -> int:
        return (2, 3, 4)[index]


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        # score_scale x (first pass + lm_weight x score + word_bonus x words): both are 0.5, so the loss is 0.
        ("mwer", 0.0),
        ("distill", ((-2 - 0) ** 2 + (-1 + 2) ** 2) / 2),
        ("mwer+distill", 3.0 * ((-2 - 0) ** 2 + (-1 + 2) ** 2) / 2),
    ],
)
def test_what_an_objective_makes_of_a_list(objective: str, expected: float) -> None:
    first_pass, num_words, errors = torch.tensor([1.0, 2.0]), torch.tensor([4.0, 2.0]), torch.tensor([0.0, 2.0])
    one = TrainingList("utt", Encoded(), first_pass, num_words, errors, True, teacher=torch.tensor([0.0, -2.0]))
    settings = TrainingSettings(objective=objective, distill_weight=3.0, score_scale=0.25, lm_loss=0.5)
    built = Objective.of(settings, Weights(1.0, 1.0), centred=False)
    # Combined: 1 - 2 + 4 = 3 and 2 - 1 + 2 = 3.
    scores = torch.tensor([-2.0, -1.0, -8.0])
    assert built.of_hypotheses(one, scores).item() == pytest.approx(expected)
    assert built.of_reference(one, scores).item() == pytest.approx(0.5 * 8 / 4)


def test_lm_has_its_own_weight() -> None:
    built = Objective.of(TrainingSettings(objective="lm", lm_loss=0.0), Weights(), centred=False)
    assert (built.mwer, built.distill, built.lm) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("settings", "scorer", "given", "message"),
    [
        ({"objective": "lm"}, "cls", {}, "--objective lm is for clm and pll"),
        ({"objective": "lm", "lm_references": False}, "clm", {}, "needs --lm_text"),
        ({}, "cls", {"has_texts": True}, "--lm_text"),
        ({"lm_loss": 0.0}, "pll", {"has_texts": True}, "--lm_text"),
        ({"objective": "mwer+distill"}, "cls", {}, r"--objective mwer\+distill needs a teacher .*--teacher exp/plm"),
        ({}, "clm", {"has_teacher": True}, "no use for a teacher"),
        ({"correlation": 0.1}, "pll", {}, "--correlation is for cls and clm"),
    ],
)
def test_what_an_objective_needs(
    settings: dict[str, object], scorer: str, given: dict[str, bool], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        require_objective(TrainingSettings(**settings), scorer, **({"has_teacher": False, "has_texts": False} | given))
