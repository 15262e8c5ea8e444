"""The training loop: accumulate a step's gradients, update, and keep the weights that are best on dev.

The weights before the first step take part in the choice, so that a trained rescorer is never worse on dev than the
one that it started from. A strategy's weights take part only once its ranks are final. A run that was killed goes on
from its last checkpoint and comes to the same weights.
"""

import logging
import math
import time
from collections.abc import Sequence
from typing import Any

import torch

from lorescore.combine import Weights
from lorescore.nbest import NbestSet
from lorescore.plm.adaptation import Adaptation
from lorescore.progress import Progress, silent
from lorescore.scoring.options import ScoringOptions
from lorescore.scoring.rescorer import NotFiniteError, Rescorer, trainable_state
from lorescore.training.checkpoint import Checkpoint
from lorescore.training.data import TrainingList, plan_steps, training_text
from lorescore.training.evaluation import Evaluation, ModelChoice, evaluate, evaluation_steps
from lorescore.training.memory import autocast, gradient_checkpointing, peak_memory_mb, reset_peak_memory
from lorescore.training.objectives import Objective
from lorescore.training.rank_history import RankHistory
from lorescore.training.result import DivergedError, TrainingResult, parameters_at_final_ranks
from lorescore.training.resume import take_on, training_state
from lorescore.training.schedule import Schedule
from lorescore.training.settings import TrainingSettings
from lorescore.training.step import StepGradients
from lorescore.training.tensorboard import Curves, no_curves
from lorescore.training.twins import Twins
from lorescore.training.workers import ALONE, Workers

logger = logging.getLogger(__name__)

SECONDS_PER_MINUTE = 60.0


class Trainer:
    """Trains a rescorer whose model `lorescore.plm.strategies.adapt` has prepared.

    Args:
        rescorer: Its trainable parameters are trained in place.
        adaptation: The strategy at work in its model.
        lists: From `training_lists`.
        dev: Lists to tune the weights and to choose the model on.
        settings: Everything that is not the strategy's.
        texts: Texts of the domain, for the PLM's own loss.
        start_costs: The PLM costs of dev before the first step where they are known: a fresh adapter changes nothing,
            so they are the frozen PLM's.
        start_weights: Weights of the combined score in `mwer` where dev has no use for the first scores, as for those
            of a new head.
        centred: Whether the teacher's scores are centred by list.
        twins: Makes the perturbed twins of the lists; None: there are none.
        checkpoint: Where the run keeps its state, and goes on from; None: nowhere.
        curves: Takes what there is to watch.
        workers: The processes that share each step. All read the checkpoint, the leader alone writes it and the curves.
    """

    def __init__(
        self,
        rescorer: Rescorer,
        adaptation: Adaptation,
        lists: Sequence[TrainingList],
        dev: NbestSet,
        settings: TrainingSettings,
        *,
        texts: Sequence[str] = (),
        start_costs: Sequence[Sequence[float]] | None = None,
        start_weights: Weights | None = None,
        centred: bool = False,
        twins: Twins | None = None,
        checkpoint: Checkpoint | None = None,
        curves: Curves = no_curves,
        workers: Workers = ALONE,
    ) -> None:
        self.rescorer, self.adaptation, self.lists, self.dev = rescorer, adaptation, lists, dev
        self.settings, self.start_costs, self.start_weights = settings, start_costs, start_weights
        self.centred, self.twins, self.checkpoint, self.curves = centred, twins, checkpoint, curves
        self.workers = workers
        self.scorer: Any = rescorer.scorer
        self.plan = plan_steps(len(lists), texts, settings)
        self.named = {name: one for name, one in self.scorer.named_parameters() if one.requires_grad}
        self.optimizer = torch.optim.AdamW(
            list(self.named.values()), lr=adaptation.strategy.learning_rate, weight_decay=settings.weight_decay
        )
        self.schedule = Schedule(len(self.plan), settings.warmup_share, settings.decay)
        self.token_budget = settings.token_budget
        self.rank_history = RankHistory()
        self.seconds_before = 0.0
        self.started = self.saved = time.monotonic()

    def train(self, progress: Progress = silent) -> TrainingResult:
        """Train, and leave the rescorer with the weights that were best on dev.

        Args:
            progress: Wraps the loops over steps and over dev, e.g. a progress bar.

        Raises:
            DivergedError: The loss or a score of dev is no longer finite; the rescorer has the best weights so far.
            InputError: Memory ran out, the checkpoint is another run's, or it cannot be written.
        """
        self.started = self.saved = time.monotonic()
        reset_peak_memory(self.scorer.device)
        torch.manual_seed(self.settings.seed)
        total = len(self.plan)
        evaluate_at = evaluation_steps(total, self.settings.evaluations)
        step, choice = self._begin(progress)
        gradients = self._gradients(choice.evaluations[0].weights)
        with gradient_checkpointing(self.scorer, self.settings.gradient_checkpointing):
            for indices, texts in progress(self.plan[step:], "training"):
                if choice.is_exhausted(self.settings.patience):
                    logger.info("no better on dev in %d evaluations: stopped at step %d", self.settings.patience, step)
                    break
                step += 1
                lists = self._lists_of_step(indices, step) + [training_text(self.rescorer, text) for text in texts]
                rate = self.schedule.apply(self.optimizer, step)
                diverged = self._update(step, rate, gradients, lists)
                if not diverged and step in evaluate_at:
                    try:
                        choice.add(self._evaluate(step, progress), lambda: trainable_state(self.scorer))
                    except NotFiniteError as error:
                        diverged = error.message
                if diverged:
                    raise self._divergence(diverged, rate, lists, self._finish(step, choice))
                self.token_budget = gradients.token_budget
                if step < total and (step in evaluate_at or self._is_time_to_save()):
                    self._save(step, choice)
        return self._finish(step, choice)

    def _lists_of_step(self, indices: Sequence[int], step: int) -> list[TrainingList]:
        """The lists of a step, counted from 1, with their twins of its epoch."""
        lists = [self.lists[index] for index in indices]
        if self.twins is None:
            return lists
        epoch = (step - 1) * self.settings.epochs // len(self.plan)
        return [self.twins.beside(one, epoch) for one in lists]

    def _begin(self, progress: Progress) -> tuple[int, ModelChoice]:
        """The steps that are done, and the choice so far: from the checkpoint, or before the first step."""
        self.workers.share(self.scorer.parameters())  # pissa changes frozen weights too, by what each GPU computes
        found = self.checkpoint.read() if self.checkpoint else None
        self.workers.wait()  # until all have read, what is there stays
        if found is not None:
            step, state = found
            logger.info("going on after step %d of %d", step, len(self.plan))
            # The smaller one: memory had run out, or there is less of it now.
            self.token_budget = min(self.token_budget, state["token_budget"])
            self.seconds_before = state["seconds"]
            self.rank_history = RankHistory.from_dict(state["rank_history"])
            return step, take_on(state, self.scorer, self.named, self.optimizer, self.adaptation)
        if self.checkpoint and self.workers.is_leader:
            self.checkpoint.remove()
        self.rank_history.add(0, self.adaptation.ranks())
        first = self._evaluate(0, progress, self.start_costs)
        choice = ModelChoice(first, trainable_state(self.scorer), self.adaptation.first_choice_step)
        self._save(0, choice)
        return 0, choice

    def _gradients(self, weights: Weights) -> StepGradients:
        """The objective on the score scale of `weights`, those that suit the frozen PLM."""
        if weights.lm_weight <= 0:  # a new head has a scale of its own to find
            weights = self.start_weights or Weights(1.0, weights.word_bonus)
        return StepGradients(
            self.scorer,
            self.adaptation,
            Objective.of(self.settings, weights, self.centred),
            correlation=self.settings.correlation,
            precision=self.settings.precision,
            token_budget=self.token_budget,
            workers=self.workers,
        )

    def _update(self, step: int, rate: float, gradients: StepGradients, lists: Sequence[TrainingList]) -> str:
        """One optimizer step; where its loss is not finite, none, and what is wrong."""
        self.adaptation.before_step(step)
        loss = gradients.accumulate(lists)
        largest = self.settings.grad_clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.named.values(), largest).item()
        if not math.isfinite(loss) or not math.isfinite(norm):
            return f"training diverged: loss {loss:.4g}, norm of its gradient {norm:.4g},"
        self.optimizer.step()
        self.adaptation.after_step(step, self.optimizer)
        self.rank_history.add(step, self.adaptation.ranks())
        self.optimizer.zero_grad(set_to_none=True)
        self.curves(step, {"train/loss": loss, "train/learning_rate": rate, "train/gradient_norm": norm})
        return ""

    def _evaluate(self, step: int, progress: Progress, costs: Sequence[Sequence[float]] | None = None) -> Evaluation:
        """Dev, as the model is now."""
        with autocast(self.settings.precision, self.scorer.device):
            evaluation = evaluate(self.rescorer, self.dev, step, self.adaptation.ranks(), costs, progress, self.workers)
        weights = evaluation.weights
        rate = weights.metric.upper()
        logger.info("step %d of %d: dev %s %.2f at %s", step, len(self.plan), rate, evaluation.dev_wer, weights)
        self.curves(step, evaluation.curves())
        return evaluation

    @staticmethod
    def _divergence(what: str, rate: float, lists: Sequence[TrainingList], result: TrainingResult) -> DivergedError:
        named = [one.utt for one in lists if len(one.errors)] or [one.utt for one in lists]
        return DivergedError(
            f"{what} at step {result.steps} (learning rate {rate:.2g}, utterances {' '.join(named)})",
            result,
            mend="lower --learning_rate",
        )

    def _save(self, step: int, choice: ModelChoice) -> None:
        """Write the checkpoint."""
        if self.checkpoint is None or not self.workers.is_leader:
            return
        state = training_state(step, self.scorer, self.named, self.optimizer, self.adaptation, choice)
        run = {"token_budget": self.token_budget, "seconds": self._seconds()}
        self.checkpoint.write(step, state | run | {"rank_history": self.rank_history.to_dict()})
        self.saved = time.monotonic()

    def _is_time_to_save(self) -> bool:
        return time.monotonic() - self.saved >= SECONDS_PER_MINUTE * self.settings.checkpoint_minutes

    def _seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.started

    def _finish(self, step: int, choice: ModelChoice) -> TrainingResult:
        """Leave the rescorer with the best weights, as it is saved; what the training came to by `step`."""
        self.scorer.load_state_dict(choice.state, strict=False)
        self.adaptation.finalize()
        trainable, parameters = parameters_at_final_ranks(self.scorer, self.adaptation)
        self.rank_history.add(
            step, self.adaptation.ranks()
        )  # others than the last step's, where the run diverged early
        return TrainingResult(
            evaluations=choice.evaluations,
            best=choice.best,
            steps=step,
            epochs=self.settings.epochs * step / len(self.plan),
            num_lists=len(self.lists),
            processes=self.workers.count,
            precision=ScoringOptions(dtype=self.settings.precision).describe(self.scorer.device),
            seconds=self._seconds(),
            peak_memory_mb=peak_memory_mb(self.scorer.device),
            trainable_parameters=trainable,
            total_parameters=parameters,
            rank_history=self.rank_history,
        )
