"""The gradients of one optimizer step: batches up to a token budget, and a smaller budget where memory ran out."""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from lorescore.plm.adaptation import Adaptation
from lorescore.scoring.batches import batches_in_order
from lorescore.scoring.memory import halved, is_out_of_memory
from lorescore.training.data import TrainingList
from lorescore.training.memory import autocast
from lorescore.training.objectives import Objective, correlation_loss
from lorescore.training.states import sentence_states
from lorescore.training.workers import ALONE, Workers

logger = logging.getLogger(__name__)


class StepGradients:
    """Accumulates the gradients of a step's loss.

    Args:
        scorer: Scores the lists.
        adaptation: May add a term of its own.
        objective: The loss of a list.
        correlation: Weight of the correlation regulariser.
        precision: Of the forward passes (`training.memory.autocast`).
        token_budget: Tokens in one forward and backward pass.
        workers: The processes that share the step.

    Attributes:
        token_budget: What it has come down to where memory ran out.
    """

    def __init__(
        self,
        scorer: nn.Module,
        adaptation: Adaptation,
        objective: Objective,
        *,
        correlation: float,
        precision: str,
        token_budget: int,
        workers: Workers = ALONE,
    ) -> None:
        self.scorer: Any = scorer
        self.adaptation, self.objective = adaptation, objective
        self.correlation, self.precision, self.token_budget = correlation, precision, token_budget
        self.workers = workers

    def accumulate(self, lists: Sequence[TrainingList]) -> float:
        """Leave the gradients of a step in the parameters; the loss.

        Where the allocator fails, the gradients so far are dropped and the step begins again with half the budget.

        Raises:
            InputError: Memory runs out at the smallest budget too.
        """
        while True:
            try:
                loss = self._accumulate(lists)
                break
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
            # Past the handler, when nothing holds the tensors of the failed attempt any more.
            self.scorer.zero_grad(set_to_none=True)
            largest = max(sum(len(lists[index]) for index in batch) for batch in self._batches(lists))
            self.token_budget = halved(min(self.token_budget, largest))
        self.workers.sum_gradients(one for one in self.scorer.parameters() if one.requires_grad)
        return self.workers.sum(torch.tensor(loss, dtype=torch.float64)).item()

    def _batches(self, lists: Sequence[TrainingList]) -> list[list[int]]:
        """What goes through the model at once, of the lists that this process takes; indices."""
        return list(batches_in_order(lists, self.workers.of(range(len(lists))), self.token_budget))

    def _accumulate(self, lists: Sequence[TrainingList]) -> float:
        """The part of this process."""
        # No dropout: the hypotheses of a list differ by a word or two, less than noise of their own would; and what is
        # drawn would depend on the batches.
        self.scorer.eval()
        self.scorer.token_budget = self.token_budget
        num_twins = sum(one.twin is not None for one in lists)
        num_lists = sum(len(one.errors) > 0 for one in lists) + num_twins
        num_references = sum(one.with_reference for one in lists)
        total = 0.0
        for batch in self._batches(lists):
            with autocast(self.precision, self.scorer.device):
                scores = self.scorer([lists[index].encoded for index in batch])
            losses = []
            for index, score in zip(batch, scores, strict=True):
                one = lists[index]
                if len(one.errors):
                    losses.append(self.objective.of_hypotheses(one, score) / num_lists)
                if one.twin is not None:  # it counts as a list
                    losses.append(self.objective.of_hypotheses(one.twin, score[len(one.errors) :]) / num_lists)
                    if self.objective.consistency:
                        losses.append(self.objective.of_pairs(one, one.twin, score) / num_twins)
                if one.with_reference:
                    losses.append(self.objective.of_reference(one, score) / num_references)
            total += self._backward(torch.stack(losses).sum())
        if not self.workers.is_leader:  # what is left is of the step as a whole
            return total
        if self.correlation:
            with autocast(self.precision, self.scorer.device):
                states = sentence_states(self.scorer, [one.encoded for one in lists], self.token_budget)
            total += self._backward(self.correlation * correlation_loss(states))
        term = self.adaptation.regularizer()
        return total if term is None else total + self._backward(term)

    @staticmethod
    def _backward(loss: torch.Tensor) -> float:
        if loss.requires_grad:  # of empty texts alone there is nothing to learn
            loss.backward()
        return loss.item()
