"""A teacher's scores: nats, or standardised by set or by list."""

import pytest
import torch

from lorescore.errors import InputError
from lorescore.training.teacher import TeacherScores

COSTS = [[10.0, 14.0], [20.0, 20.0, 26.0]]


def test_nats_are_negative_costs() -> None:
    teacher = TeacherScores.from_costs(COSTS, "none", "clm")
    assert [one.tolist() for one in teacher.scores] == [[-10, -14], [-20, -20, -26]]
    assert (teacher.unit, teacher.centred) == (1.0, False)


def test_by_set() -> None:
    # Mean 18, squared differences 64 + 16 + 4 + 4 + 64 = 152 over five hypotheses.
    teacher = TeacherScores.from_costs(COSTS, "set", "clm")
    assert teacher.unit == pytest.approx((152 / 5) ** 0.5)
    assert torch.cat(teacher.scores).tolist() == pytest.approx([x / teacher.unit for x in (8, 4, -2, -2, -8)])
    assert not teacher.centred


def test_by_list() -> None:
    # Means 12 and 22; squared differences 4 + 4 + 4 + 4 + 16 = 32 over five hypotheses.
    teacher = TeacherScores.from_costs(COSTS, "list", "clm")
    assert teacher.unit == pytest.approx((32 / 5) ** 0.5)
    assert torch.cat(teacher.scores).tolist() == pytest.approx([x / teacher.unit for x in (2, -2, 2, 2, -4)])
    assert teacher.centred


@pytest.mark.parametrize(("scorer", "unit"), [("cls", (32 / 5) ** 0.5), ("clm", 1.0), ("pll", 1.0)])
def test_a_likelihood_learns_nats_and_a_head_differences(scorer: str, unit: float) -> None:
    teacher = TeacherScores.from_costs(COSTS, "auto", scorer)
    assert teacher.unit == pytest.approx(unit)
    assert teacher.centred == (scorer == "cls")


def test_a_teacher_that_tells_nothing_apart() -> None:
    with pytest.raises(InputError, match="the same score"):
        TeacherScores.from_costs([[5.0, 5.0], [9.0]], "list", "cls")


def test_lists_of_one_hypothesis_each() -> None:
    costs = [[5.0], [9.0]]
    with pytest.raises(InputError, match=r"the training lists have one hypothesis each.*--teacher_norm set\)$"):
        TeacherScores.from_costs(costs, "auto", "cls")
    assert TeacherScores.from_costs(costs, "set", "cls").unit == 2.0
