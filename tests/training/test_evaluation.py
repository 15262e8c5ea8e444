"""The choice of the best weights on dev, and early stopping."""

import torch

from lorescore.combine import Weights
from lorescore.training.evaluation import Evaluation, ModelChoice, State, evaluation_steps


def evaluated(step: int, dev_wer: float) -> Evaluation:
    return Evaluation(step, dev_wer, Weights(0.1, 0.2), {"layer": 4})


def state(step: int) -> State:
    return {"step": torch.tensor(step)}


def chosen(dev_wers: list[float], first_choice_step: int = 0) -> ModelChoice:
    choice = ModelChoice(evaluated(0, dev_wers[0]), state(0), first_choice_step)
    for step, dev_wer in enumerate(dev_wers[1:], start=1):
        choice.add(evaluated(step, dev_wer), lambda step=step: state(step))
    return choice


def test_the_best_and_of_equal_ones_the_earliest() -> None:
    choice = chosen([9.0, 10.0, 8.0, 8.0, 8.5])
    assert (choice.best.step, choice.state["step"].item()) == (2, 2)


def test_the_start_stays_where_nothing_is_better() -> None:
    assert chosen([9.0, 9.0, 9.5]).best.step == 0


def test_what_comes_before_the_ranks_are_final_is_not_chosen() -> None:
    choice = chosen([9.0, 5.0, 6.0, 7.0], first_choice_step=2)
    assert (choice.best.step, choice.best.dev_wer) == (2, 6.0)


def test_patience() -> None:
    assert not chosen([9.0, 8.0, 8.5, 8.0]).is_exhausted(3)
    assert chosen([9.0, 8.0, 8.5, 8.0]).is_exhausted(2)
    assert not chosen([9.0, 8.0, 8.5, 7.0]).is_exhausted(1)
    assert not chosen([9.0, *[10.0] * 20]).is_exhausted(0)
    # What could not be chosen does not count.
    assert not chosen([9.0, 10.0, 10.0, 10.0], first_choice_step=3).is_exhausted(2)


def test_when_dev_is_asked() -> None:
    assert evaluation_steps(24, 4) == {6, 12, 18, 24}
    assert evaluation_steps(5, 2) == {2, 5}
    assert evaluation_steps(7, 1) == {7}


def test_dev_is_asked_after_each_step_where_there_are_fewer_steps_than_evaluations() -> None:
    for total in range(1, 30):
        for evaluations in range(total, 3 * total):
            evenly = {round(total * part / evaluations) for part in range(1, evaluations + 1)} - {0}
            assert evaluation_steps(total, evaluations) == evenly == set(range(1, total + 1))
    assert evaluation_steps(3, 10**9) == {1, 2, 3}  # counting so far would take minutes


def test_an_evaluation_survives_a_checkpoint_exactly() -> None:
    one = Evaluation(3, 100 / 3, Weights(1 / 3, -0.1), {"layer": 4})
    assert Evaluation.from_exact_dict(one.to_exact_dict()) == one
