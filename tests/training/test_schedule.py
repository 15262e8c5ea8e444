"""The learning rate over the steps."""

import pytest
import torch

from lorescore.training.schedule import Schedule


def test_linear_by_hand() -> None:
    schedule = Schedule(total_steps=10, warmup_share=0.2, decay="linear")
    rates = [schedule.factor(step) for step in range(1, 11)]
    assert rates == pytest.approx([1 / 2, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8])


def test_cosine_by_hand() -> None:
    schedule = Schedule(total_steps=10, warmup_share=0.2, decay="cosine")
    assert [schedule.factor(step) for step in (1, 2, 3)] == pytest.approx([1 / 2, 1, 1])
    assert schedule.factor(7) == pytest.approx(1 / 2)  # half of the eight steps of the decay are done
    later = [schedule.factor(step) for step in range(3, 11)]
    assert later == sorted(later, reverse=True) and later[-1] > 0
    assert sum(later[:4]) > sum(Schedule(10, 0.2, "linear").factor(step) for step in range(3, 7))


def test_rates_are_set_from_the_peak_whatever_the_steps_before() -> None:
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.4)
    schedule = Schedule(total_steps=4, warmup_share=0.5, decay="linear")
    assert schedule.apply(optimizer, 1) == pytest.approx(0.2)
    assert schedule.apply(optimizer, 4) == optimizer.param_groups[0]["lr"] == pytest.approx(0.2)
    assert schedule.apply(optimizer, 2) == pytest.approx(0.4)


def test_a_single_step_has_the_full_rate() -> None:
    assert Schedule(total_steps=1, warmup_share=0.1, decay="linear").factor(1) == 1.0
