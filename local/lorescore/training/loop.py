"""Training a rescorer: what is trained on, the strategy put to work, and the loop (`lorescore.training.trainer`)."""

from collections.abc import Sequence

import torch

from lorescore.combine import ScoredLists, Weights
from lorescore.errors import InputError
from lorescore.nbest import NbestSet
from lorescore.perturb import HomophoneLexicon
from lorescore.perturb.worst import Score
from lorescore.plm.strategies import adapt
from lorescore.plm.strategy import Strategy
from lorescore.progress import Progress, silent
from lorescore.scoring.bf16 import round_linear_layers
from lorescore.scoring.options import ScoringOptions
from lorescore.scoring.rescorer import Rescorer
from lorescore.training.checkpoint import Checkpoint
from lorescore.training.data import TrainingList, num_steps, shortened, training_lists
from lorescore.training.result import TrainingResult
from lorescore.training.settings import LM, TrainingSettings, require_objective
from lorescore.training.teacher import TeacherScores
from lorescore.training.tensorboard import Curves, no_curves
from lorescore.training.trainer import Trainer
from lorescore.training.twins import Twins
from lorescore.training.workers import ALONE, Workers
from lorescore.tuning import tune

Costs = Sequence[Sequence[float]]  # PLM costs (negative scores) of each list's hypotheses by rank


def train_rescorer(
    rescorer: Rescorer,
    train: NbestSet,
    dev: NbestSet,
    strategy: Strategy,
    settings: TrainingSettings,
    progress: Progress = silent,
    texts: Sequence[str] = (),
    start_costs: Costs | None = None,
    teacher_costs: Costs | None = None,
    lexicon: HomophoneLexicon | None = None,
    teacher_score: Score | None = None,
    checkpoint: Checkpoint | None = None,
    curves: Curves = no_curves,
    workers: Workers = ALONE,
    device: torch.device | None = None,
) -> TrainingResult:
    """Adapt a new rescorer with a strategy and train it; it is changed in place.

    Args:
        rescorer: A new one.
        train: Lists to train on, with references.
        dev: Lists to tune the weights and to choose the model on.
        strategy: How the PLM is adapted.
        settings: How it is trained.
        progress: Wraps the loops over steps and over dev, e.g. a progress bar.
        texts: Texts of the domain, for the PLM's own loss.
        start_costs: The frozen PLM's costs of dev, where they are known.
        teacher_costs: The teacher's costs of `train`, for `distill`.
        lexicon: What sounds alike, for `perturb_train`.
        teacher_score: Gives the teacher's scores of further texts, for `distill` with `perturb_train`.
        checkpoint: Where the run keeps its state, and goes on from.
        curves: Takes what there is to watch.
        workers: The processes that share the training; all call this alike.
        device: Where to train; None: where the rescorer is.

    Raises:
        InputError: The objective is not for this scorer or lacks its teacher or texts, `perturb_train` lacks its
            lexicon, a lexicon with the phones that it needs, or the teacher; or what the Trainer raises.
    """
    require_objective(settings, rescorer.plm.scorer, has_teacher=teacher_costs is not None, has_texts=bool(texts))
    train = shortened(train, settings.max_hyps)
    teacher = None
    if teacher_costs is not None:
        teacher_costs = [costs[: len(one.hypotheses)] for costs, one in zip(teacher_costs, train, strict=True)]
        teacher = TeacherScores.from_costs(teacher_costs, settings.teacher_norm, rescorer.plm.scorer)
    lists = _lists(rescorer, train, settings, teacher)
    twins = None
    if settings.perturb_train:
        if lexicon is None or (teacher is not None and teacher_score is None):
            what = "lexicon" if lexicon is None else "teacher to ask"
            raise InputError(f"--perturb_train without a {what}", mend="give it, or leave out --perturb_train")
        twins = Twins(rescorer, train, settings, lexicon, teacher, teacher_score)
    total_steps = num_steps(len(lists), settings, len(texts))
    device = device or rescorer.scorer.device
    rounds = strategy.multiplies_alone and ScoringOptions(dtype=settings.precision).rounds_weights(device)
    if not rounds:
        rescorer.scorer.to(device)
    adaptation = adapt(rescorer.scorer.model, strategy, rescorer.plm.targets, total_steps, settings.seed)
    rescorer.scorer.model = adaptation.model
    if rounds:  # before it goes to the GPU, which a PLM in float32 may not fit into
        round_linear_layers(rescorer.scorer.model, untie=False)
        rescorer.scorer.to(device)
    trainer = Trainer(
        rescorer,
        adaptation,
        lists,
        dev,
        settings,
        texts=texts,
        start_costs=start_costs,
        start_weights=_teacher_weights(train, teacher_costs, teacher.unit) if teacher and teacher_costs else None,
        centred=teacher is not None and teacher.centred,
        twins=twins,
        checkpoint=checkpoint,
        curves=curves,
        workers=workers,
    )
    return trainer.train(progress)


def _lists(
    rescorer: Rescorer, train: NbestSet, settings: TrainingSettings, teacher: TeacherScores | None
) -> list[TrainingList]:
    """What the objective takes of the lists."""
    if not settings.trains_on_lists:
        return []
    if settings.objective == LM:
        return training_lists(rescorer, train, with_reference=True, with_hypotheses=settings.consistency > 0)
    with_reference = settings.lm_loss > 0 and rescorer.plm.scorer != "cls"
    return training_lists(rescorer, train, with_reference, teacher=teacher.scores if teacher else None)


def _teacher_weights(train: NbestSet, costs: Costs, unit: float) -> Weights | None:
    """The weights that suit the teacher's scores, in units of `unit` nats: those that a new head is to give."""
    weights = tune(ScoredLists.build(train, costs))
    return Weights(weights.lm_weight * unit, weights.word_bonus) if weights.lm_weight > 0 else None
