"""The consistency loss and its gradient against a plain reference in float64; and what it is over."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lorescore.combine import Weights
from lorescore.errors import InputError
from lorescore.training.data import TrainingList, Twin
from lorescore.training.objectives import Objective, consistency_loss, mwer_loss
from lorescore.training.settings import TrainingSettings, require_objective

PAIRS = st.lists(st.tuples(st.floats(-20, 20), st.integers(-3, 3)), min_size=0, max_size=8)
SETTINGS = TrainingSettings(perturb_train="homophone:0.5", consistency=3.0, consistency_margin=2.0, score_scale=0.5)


def reference(gains: np.ndarray, more_errors: np.ndarray, margin: float) -> tuple[float, np.ndarray]:
    """loss = mean over W' != W of max(0, m - sign(W' - W) (s - s')), and its gradient by s - s', in float64."""
    pairs = int(np.count_nonzero(more_errors))
    loss, gradient = 0.0, np.zeros(len(gains))
    for k, (gain, more) in enumerate(zip(gains, more_errors, strict=True)):
        order = math.copysign(1.0, more) if more else 0.0
        if order and margin - order * gain > 0:
            loss += (margin - order * gain) / pairs
            gradient[k] = -order / pairs
    return loss, gradient


@given(PAIRS, st.floats(0.1, 5.0))
def test_it_is_the_formula_and_so_is_its_gradient(pairs: list[tuple[float, int]], margin: float) -> None:
    gains = np.array([gain for gain, _ in pairs], dtype=np.float64)
    more_errors = np.array([more for _, more in pairs], dtype=np.float64)
    expected, expected_gradient = reference(gains, more_errors, margin)
    tensor = torch.tensor(gains, requires_grad=True)
    loss = consistency_loss(tensor, torch.tensor(more_errors), margin)
    loss.backward()
    assert loss.item() == pytest.approx(expected, abs=1e-9)
    at_the_margin = np.isclose(np.abs(gains), margin)  # where the hinge has no derivative
    np.testing.assert_allclose(tensor.grad.numpy()[~at_the_margin], expected_gradient[~at_the_margin], atol=1e-9)


def test_by_hand() -> None:
    # An error more: ahead by 0.5 of 1, so 0.5 is missing. Two more: ahead by 3. One fewer, behind by 2: 3 are missing.
    # As many errors: no order.
    gains, more_errors = torch.tensor([0.5, 3.0, 2.0, -9.0]), torch.tensor([1.0, 2.0, -1.0, 0.0])
    assert consistency_loss(gains, more_errors, margin=1.0).item() == pytest.approx((0.5 + 0 + 3.0) / 3)


def test_what_falls_below_the_margin_is_pushed_apart() -> None:
    gains = torch.zeros(2, requires_grad=True)
    consistency_loss(gains, torch.tensor([1.0, -1.0]), margin=1.0).backward()
    assert gains.grad.tolist() == [-0.5, 0.5]


def list_and_twin() -> tuple[TrainingList, Twin]:
    """Two hypotheses, and three of `insert`: the two and, after the first, one of a word more and an error more."""
    twin = Twin(
        first_pass=torch.tensor([1.0, 1.0, 2.0]),
        num_words=torch.tensor([4.0, 5.0, 2.0]),
        errors=torch.tensor([0.0, 1.0, 2.0]),
        sources=torch.tensor([0, 0, 1]),
    )
    first_pass, num_words, errors = torch.tensor([1.0, 2.0]), torch.tensor([4.0, 2.0]), torch.tensor([0.0, 2.0])
    return TrainingList("utt", None, first_pass, num_words, errors, with_reference=False, twin=twin), twin


def test_it_is_over_the_scaled_combined_scores_of_the_pairs_with_an_order() -> None:
    one, twin = list_and_twin()
    objective = Objective.of(SETTINGS, Weights(lm_weight=0.5, word_bonus=-1.0), centred=False)
    scores = torch.tensor([-2.0, -1.0, -2.0, -3.0, -1.0, -7.0], requires_grad=True)  # list, twin, reference
    # Combined: 1 - 0.5 x 2 - 4 = -4 and 1 - 0.5 x 3 - 5 = -5.5; scaled, ahead by 0.75 of 2.
    loss = objective.of_pairs(one, twin, scores)
    assert loss.item() == pytest.approx(3.0 * (2 - 0.75))
    loss.backward()
    # weight x score_scale x lm_weight, down for the hypothesis, up for its perturbed version.
    assert scores.grad.tolist() == pytest.approx([-0.75, 0, 0, 0.75, 0, 0])


def test_a_twin_is_a_list_to_the_other_losses() -> None:
    _, twin = list_and_twin()
    objective = Objective.of(SETTINGS, Weights(lm_weight=0.5, word_bonus=-1.0), centred=False)
    loss = objective.of_hypotheses(twin, torch.tensor([-2.0, -3.0, -1.0, -7.0]))
    expected = mwer_loss(0.5 * torch.tensor([-4.0, -5.5, -0.5]), twin.errors)
    assert loss.item() == pytest.approx(expected.item())


def test_lm_trains_on_hypotheses_by_their_order_alone() -> None:
    one, twin = list_and_twin()
    objective = Objective.of(replace(SETTINGS, objective="lm"), Weights(1.0, 0.0), centred=False)
    scores = torch.tensor([-2.0, -1.0, -2.0, -3.0, -1.0], requires_grad=True)
    loss = objective.of_hypotheses(one, scores)
    loss.backward()
    assert loss.item() == 0.0 and not scores.grad.any()
    assert objective.of_pairs(one, twin, scores).item() > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"consistency": 1.0}, "--consistency is of perturbed lists .*--perturb_train"),
        ({"objective": "lm", "perturb_train": "near:0.1"}, "--perturb_train perturbs neither .*set --consistency"),
        (
            {"objective": "lm", "perturb_train": "near:0.1", "consistency": 1.0, "lm_references": False},
            "--perturb_train perturbs neither .*lm_references true",
        ),
    ],
)
def test_settings_that_do_not_go_together(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        require_objective(TrainingSettings(**settings), "clm", has_teacher=False, has_texts=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"perturb_train": "worst:0.1"}, "worst needs a rescorer's scores"),
        ({"perturb_train": "homophone"}, "perturbation 'homophone', expected NAME:RATE or NAME:KIND:RATE"),
        ({"perturb_train": "homophone:much"}, "perturbation 'homophone:much', expected NAME:RATE"),
        ({"perturb_train": "homophone:0.1,"}, "perturbation '', expected NAME:RATE"),
        ({"perturb_train": "homophone:nbest:0.1:0.2"}, "perturbation 'homophone:nbest:0.1:0.2', expected NAME:RATE"),
        ({"perturb_train": "homofone:0.1"}, "'homofone' is not known .*did you mean homophone"),
        ({"perturb_train": "near:2best:0.1"}, "unknown kind of perturbation '2best'"),
        ({"perturb_train": "near:20"}, "perturbation rate 20, .*give 0.2"),
        ({"perturb_train": "near:nan"}, "perturbation rate nan"),
        ({"perturb_share": 0.0}, "--perturb_share is 0.0, expected a number above 0, at most 1"),
        ({"perturb_share": 1.5}, "--perturb_share is 1.5"),
        ({"perturb_share": float("nan")}, "--perturb_share is nan"),
        ({"consistency": -1.0}, "--consistency is -1.0, expected 0 or more"),
        ({"consistency_margin": float("nan")}, "--consistency_margin is nan, expected 0 or more"),
    ],
)
def test_bad_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TrainingSettings(**settings)


def test_settings_that_mean_the_same_are_the_same() -> None:
    settings = TrainingSettings(perturb_train=" homophone:0.20, near:1best:.1")
    assert settings.perturb_train == "homophone:nbest:0.2,near:1best:0.1"
    assert settings == TrainingSettings(perturb_train="homophone:nbest:0.2,near:1best:0.1")
    assert TrainingSettings.from_dict(settings.to_dict()) == settings
    assert [(one.perturbation, one.kind, one.rate) for one in settings.perturbations] == [
        ("homophone", "nbest", 0.2),
        ("near", "1best", 0.1),
    ]
