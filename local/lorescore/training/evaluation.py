"""Dev during training: WER at the weights tuned there, the choice of the best weights, and when to stop."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from typing import Any

import torch

from lorescore.combine import ScoredLists, Weights, wer
from lorescore.nbest import NbestSet
from lorescore.nbest.lists import COST_DECIMALS
from lorescore.progress import Progress, silent
from lorescore.scoring.rescorer import NotFiniteError, Rescorer
from lorescore.training.workers import ALONE, Workers
from lorescore.tuning import tune

State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Evaluation:
    """What dev said after a step.

    Attributes:
        step: Optimizer steps so far.
        dev_wer: WER on dev, percent, at the weights tuned on it.
        weights: Those weights.
        ranks: The rank in use of each adapted layer.
    """

    step: int
    dev_wer: float
    weights: Weights
    ranks: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As plain YAML types, for the record."""
        content = {"step": self.step, "dev_wer": round(self.dev_wer, 4)}
        return content | {"lm_weight": self.weights.lm_weight, "word_bonus": self.weights.word_bonus}

    def curves(self) -> dict[str, float]:
        """What there is to watch over the steps, by name."""
        dev = {"wer": self.dev_wer, "lm_weight": self.weights.lm_weight, "word_bonus": self.weights.word_bonus}
        curves = {f"dev/{name}": value for name, value in dev.items()}
        return curves | {f"ranks/{layer}": float(rank) for layer, rank in self.ranks.items()}

    def to_exact_dict(self) -> dict[str, Any]:
        """All of it, for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_exact_dict(cls, content: Mapping[str, Any]) -> "Evaluation":
        """From `to_exact_dict`."""
        return cls(**{**content, "weights": Weights(**content["weights"])})


def evaluation_steps(total: int, evaluations: int) -> set[int]:
    """The steps after which dev is asked, counted from 1: evenly spaced, the last of all among them.

    Args:
        total: Optimizer steps of the training.
        evaluations: How often; more than there are steps: after each of them.
    """
    parts = min(evaluations, total)
    return {round(total * part / parts) for part in range(1, parts + 1)}


def tuned_on(dev: NbestSet, costs: Sequence[Sequence[float]]) -> tuple[Weights, float]:
    """Weights tuned on dev, and the WER that they give there, in percent. `costs` are negative PLM scores by list."""
    # As a cost file holds them, so that it does not matter whether they come from one.
    lists = ScoredLists.build(dev, [[round(cost, COST_DECIMALS) for cost in one] for one in costs])
    weights = tune(lists)
    return weights, wer(lists, weights)


def evaluate(
    rescorer: Rescorer,
    dev: NbestSet,
    step: int,
    ranks: Mapping[str, int],
    costs: Sequence[Sequence[float]] | None = None,
    progress: Progress = silent,
    workers: Workers = ALONE,
) -> Evaluation:
    """What dev says of a rescorer as it is now.

    Args:
        rescorer: Scores the lists, unless `costs` are given.
        dev: The lists, with references.
        step: Optimizer steps so far.
        ranks: The ranks in use.
        costs: The rescorer's costs of dev, where they are known.
        progress: Wraps the loop over the lists.
        workers: The processes that share the lists.

    Raises:
        NotFiniteError: A score is not a finite number.
        InputError: The memory is too small.
    """
    if costs is None:
        costs = _costs(rescorer, dev, progress, workers)
    weights, dev_wer = tuned_on(dev, costs)
    return Evaluation(step, dev_wer, weights, ranks)


def _costs(rescorer: Rescorer, dev: NbestSet, progress: Progress, workers: Workers) -> list[list[float]]:
    """The costs of all lists, each of which one of the processes scores."""
    ends = list(accumulate(len(one.hypotheses) for one in dev))
    costs = torch.zeros(ends[-1] if ends else 0, dtype=torch.float64)
    own = workers.of(list(zip(dev, ends, strict=True)))
    failure = None
    try:
        scores = rescorer.score_lists([one for one, _ in own], progress)
        for (one, end), of_list in zip(own, scores, strict=True):
            costs[end - len(one.hypotheses) : end] = -torch.tensor(of_list, dtype=torch.float64)
    except NotFiniteError as error:
        failure = error
        costs.fill_(math.nan)
    costs = workers.sum(costs)
    if not costs.isfinite().all():
        raise failure or NotFiniteError("a score that is not a finite number")
    return [part.tolist() for part in costs.split([len(one.hypotheses) for one in dev])]


class ModelChoice:
    """The evaluations so far, and the weights that were best.

    Args:
        first: The evaluation before the first step: its weights take part, so that training never ends worse.
        state: The weights then.
        first_choice_step: The first later step whose weights may be chosen.

    Attributes:
        evaluations: In the order of the steps.
        best: The best of those that may be chosen; of equal ones the earliest.
        state: Its weights.
    """

    def __init__(self, first: Evaluation, state: State, first_choice_step: int) -> None:
        self.evaluations = [first]
        self.best, self.state = first, state
        self.first_choice_step = first_choice_step

    @classmethod
    def resumed(
        cls, evaluations: Sequence[Evaluation], best_step: int, state: State, first_choice_step: int
    ) -> "ModelChoice":
        """As it was after some evaluations."""
        choice = cls(evaluations[0], state, first_choice_step)
        choice.evaluations = list(evaluations)
        choice.best = next(one for one in evaluations if one.step == best_step)
        return choice

    def add(self, evaluation: Evaluation, state: Callable[[], State]) -> None:
        """Take in a further evaluation; `state` copies the weights where it is the best."""
        self.evaluations.append(evaluation)
        if evaluation.step >= self.first_choice_step and evaluation.dev_wer < self.best.dev_wer:
            self.best, self.state = evaluation, state()

    def is_exhausted(self, patience: int) -> bool:
        """Whether the last `patience` evaluations that could be chosen brought nothing better (0: never)."""
        waited = sum(one.step > self.best.step and one.step >= self.first_choice_step for one in self.evaluations)
        return 0 < patience <= waited
