"""The training loop: accumulate a step's gradients, update, and keep the weights that are best on dev.

The weights before the first step take part in the choice, so that a trained rescorer is never worse on dev than the
one that it started from. AdaLoRA's weights take part only once its budget is met.
"""

import logging
import math
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from peft import AdaLoraModel, PeftModel

from lorescore.combine import ScoredLists, Weights, tune, wer
from lorescore.errors import InputError
from lorescore.nbest import NbestSet
from lorescore.plm import adalora
from lorescore.plm.strategies import Strategy, adapt
from lorescore.progress import Progress, silent
from lorescore.scoring.batches import batches_in_order
from lorescore.scoring.rescorer import Rescorer, trainable_state
from lorescore.training.data import TrainingList, steps_of_epoch, texts_of_step, training_lists, training_text
from lorescore.training.objectives import lm_loss, mwer_loss
from lorescore.training.settings import TrainingSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluation:
    """What dev said after a step.

    Attributes:
        step: Optimizer steps so far.
        dev_wer: WER on dev, percent, at the weights tuned on it.
        weights: Those weights.
        ranks: AdaLoRA: ranks in use by layer.
    """

    step: int
    dev_wer: float
    weights: Weights
    ranks: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As plain YAML types."""
        content = {"step": self.step, "dev_wer": round(self.dev_wer, 4)}
        return content | {"lm_weight": self.weights.lm_weight, "word_bonus": self.weights.word_bonus}


@dataclass(frozen=True)
class TrainingResult:
    """What a training run came to.

    Attributes:
        evaluations: Dev after step 0 and later.
        best: The evaluation whose weights the rescorer has now.
        steps: Optimizer steps.
        num_lists: Lists that were trained on in each epoch.
        seconds: Wall time.
        peak_memory_mb: Largest resident memory of the process.
    """

    evaluations: list[Evaluation]
    best: Evaluation
    steps: int
    num_lists: int
    seconds: float
    peak_memory_mb: float


def num_steps(num_lists: int, settings: TrainingSettings) -> int:
    """Optimizer steps of a training run."""
    return settings.epochs * math.ceil(num_lists / settings.lists_per_step)


def tuned_on(dev: NbestSet, costs: Sequence[Sequence[float]]) -> tuple[Weights, float]:
    """Weights tuned on dev, and the WER that they give there, in percent. `costs` are negative PLM scores by list."""
    # As a cost file holds them, so that it does not matter whether they come from one.
    lists = ScoredLists.build(dev, [[round(cost, 4) for cost in one] for one in costs])
    weights = tune(lists)
    return weights, wer(lists, weights)


class Trainer:
    """Trains a rescorer whose model `lorescore.plm.strategies.adapt` has prepared.

    Args:
        rescorer: Its trainable parameters are trained in place.
        lists: From `training_lists`.
        dev: Lists to tune the weights and to choose the model on.
        strategy: Gives the learning rate and AdaLoRA's settings.
        settings: Everything else.
        texts: Texts of the domain, for the PLM's own loss.
        start_costs: The PLM costs of dev before the first step where they are known: a fresh adapter changes nothing,
            so they are the frozen PLM's.
    """

    def __init__(
        self,
        rescorer: Rescorer,
        lists: list[TrainingList],
        dev: NbestSet,
        strategy: Strategy,
        settings: TrainingSettings,
        *,
        texts: Sequence[str] = (),
        start_costs: Sequence[Sequence[float]] | None = None,
    ) -> None:
        self.rescorer, self.lists, self.texts, self.dev = rescorer, lists, texts, dev
        self.strategy, self.settings, self.start_costs = strategy, settings, start_costs
        self.scorer = rescorer.scorer
        self.total_steps = num_steps(len(lists), settings)
        model = self.scorer.model
        self.adalora = model if isinstance(model, PeftModel) and isinstance(model.base_model, AdaLoraModel) else None
        self.parameters = [parameter for parameter in self.scorer.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=strategy.learning_rate, weight_decay=settings.weight_decay
        )
        warmup = max(1, round(settings.warmup_share * self.total_steps))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer,
            lambda step: min((step + 1) / warmup, (self.total_steps - step) / max(1, self.total_steps - warmup)),
        )

    def train(self, progress: Progress = silent) -> TrainingResult:
        """Train, and leave the rescorer with the weights that were best on dev.

        Args:
            progress: Wraps the loops over steps and over dev, e.g. a progress bar.

        Raises:
            InputError: The loss or a score of dev is no longer finite; the rescorer then has the best weights so far.
        """
        started = time.monotonic()
        torch.manual_seed(self.settings.seed)
        # An AdaLoRA model before its budget is met does not have the ranks that were asked for.
        first_choice = adalora.budget_step(self.adalora) if self.adalora else 0
        evaluate_at = {
            round(self.total_steps * part / self.settings.evaluations)
            for part in range(1, self.settings.evaluations + 1)
        }
        evaluations = [self._evaluate(0, progress, self.start_costs)]
        best, best_state = evaluations[0], trainable_state(self.scorer)
        # Score scale of the objective: the weights that suit the frozen PLM. A new head has a scale of its own to find.
        start_weights = best.weights if best.weights.lm_weight > 0 else Weights(1.0, best.weights.word_bonus)
        for step, lists in enumerate(progress(self._all_steps(), "training"), start=1):
            rate = self.schedule.get_last_lr()[0]
            loss = self._step(lists, start_weights)
            if not math.isfinite(loss):
                self._restore(best_state)
                raise self._diverged(f"the loss is {loss}", step, rate, lists)
            if self.adalora:
                adalora.allocate(self.adalora, step)
            self.optimizer.zero_grad(set_to_none=True)
            if step in evaluate_at:
                try:
                    evaluations.append(self._evaluate(step, progress))
                except InputError as error:
                    self._restore(best_state)
                    raise self._diverged(error.message, step, rate, lists) from error
                if step >= first_choice and evaluations[-1].dev_wer < best.dev_wer:
                    best, best_state = evaluations[-1], trainable_state(self.scorer)
        self._restore(best_state)
        peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seconds = time.monotonic() - started
        return TrainingResult(evaluations, best, self.total_steps, len(self.lists), seconds, peak_kb / 1024)

    def _diverged(self, what: str, step: int, rate: float, lists: list[TrainingList]) -> InputError:
        utts = " ".join(one.utt for one in lists if len(one.errors))
        return InputError(
            f"{what} at step {step} (learning rate {rate:.2g}, utterances {utts})", mend="lower --learning_rate"
        )

    def _all_steps(self) -> list[list[TrainingList]]:
        """The lists and texts of every step."""
        settings = self.settings
        steps: list[list[TrainingList]] = []
        for epoch in range(settings.epochs):
            for indices in steps_of_epoch(len(self.lists), settings.lists_per_step, epoch, settings.seed):
                texts = texts_of_step(self.texts, len(steps), settings.texts_per_step, settings.seed)
                steps.append([self.lists[index] for index in indices])
                steps[-1] += [training_text(self.rescorer, text) for text in texts]
        return steps

    def _step(self, lists: list[TrainingList], weights: Weights) -> float:
        """One optimizer step over some lists and texts; its gradients are left for AdaLoRA. Returns the loss."""
        # No dropout: the hypotheses of a list differ by a word or two, less than noise of their own would; and what is
        # drawn would depend on the batches.
        self.scorer.eval()
        num_lists = sum(len(one.errors) > 0 for one in lists)
        num_references = sum(one.with_reference for one in lists)
        total = 0.0
        for batch in batches_in_order(lists, range(len(lists)), self.settings.token_budget):
            scores = self.scorer([lists[index].encoded for index in batch])
            losses = []
            for index, score in zip(batch, scores, strict=True):
                if len(lists[index].errors):
                    losses.append(self._mwer(lists[index], score, weights) / num_lists)
                if lists[index].with_reference:
                    losses.append(self.settings.lm_loss * self._reference_loss(lists[index], score) / num_references)
            loss = torch.stack(losses).sum()
            loss.backward()
            total += loss.item()
        if self.adalora and self.strategy.orthogonality:
            term = self.strategy.orthogonality * adalora.orthogonality(self.adalora)
            term.backward()
            total += term.item()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.grad_clip)
        if not (math.isfinite(total) and math.isfinite(norm.item())):
            return math.nan
        self.optimizer.step()
        self.schedule.step()
        return total

    def _mwer(self, one: TrainingList, scores: torch.Tensor, weights: Weights) -> torch.Tensor:
        """The objective on a list's hypotheses."""
        device = scores.device
        combined = one.first_pass.to(device) + weights.lm_weight * scores[: len(one.errors)]
        combined = combined + weights.word_bonus * one.num_words.to(device)
        return mwer_loss(self.settings.score_scale * combined, one.errors.to(device))

    @staticmethod
    def _reference_loss(one: TrainingList, scores: torch.Tensor) -> torch.Tensor:
        """The PLM's own loss on a list's reference, whose score is the last."""
        tokens = int(one.encoded.depths[one.encoded.leaves[-1]])
        return lm_loss(scores[-1], max(1, tokens))

    def _evaluate(self, step: int, progress: Progress, costs: Sequence[Sequence[float]] | None = None) -> Evaluation:
        if costs is None:
            scores = self.rescorer.score([one.texts for one in self.dev], progress=progress)
            costs = [[-score for score in one] for one in scores]
        weights, dev_wer = tuned_on(self.dev, costs)
        ranks = adalora.ranks(self.adalora) if self.adalora else {}
        logger.info("step %d of %d: dev WER %.2f at %s", step, self.total_steps, dev_wer, weights)
        return Evaluation(step, dev_wer, weights, ranks)

    def _restore(self, state: dict[str, torch.Tensor]) -> None:
        self.scorer.load_state_dict(state, strict=False)


def train_rescorer(
    rescorer: Rescorer,
    train: NbestSet,
    dev: NbestSet,
    strategy: Strategy,
    settings: TrainingSettings,
    progress: Progress = silent,
    texts: Sequence[str] = (),
    start_costs: Sequence[Sequence[float]] | None = None,
) -> TrainingResult:
    """Adapt a new rescorer with a strategy and train it; it is changed in place. Arguments as the Trainer's.

    Raises:
        InputError: There are texts, but the scorer has no loss for them; or what the Trainer raises.
    """
    with_reference = settings.lm_loss > 0 and rescorer.plm.scorer == "clm"
    if texts and not with_reference:
        raise InputError("texts train a clm by its lm_loss alone", mend="leave out --lm_text, or set --lm_loss")
    lists = training_lists(rescorer, train, with_reference)
    total_steps = num_steps(len(lists), settings)
    rescorer.scorer.model = adapt(rescorer.scorer.model, strategy, rescorer.plm.targets, total_steps, settings.seed)
    return Trainer(rescorer, lists, dev, strategy, settings, texts=texts, start_costs=start_costs).train(progress)
