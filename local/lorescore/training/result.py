"""What a training run came to."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from lorescore.errors import InputError
from lorescore.plm.adaptation import Adaptation
from lorescore.plm.strategies import count_parameters
from lorescore.training.evaluation import Evaluation
from lorescore.training.rank_history import RankHistory


@dataclass(frozen=True)
class TrainingResult:
    """What a training run came to.

    Attributes:
        evaluations: Dev after step 0 and later.
        best: The evaluation whose weights the rescorer has now.
        steps: Optimizer steps that were taken.
        epochs: Passes over the lists; not whole where training stopped early.
        num_lists: Lists that were trained on in each epoch.
        processes: That shared the training, in its last part where it was resumed.
        precision: Of the matrix products, as `ScoringOptions.describe` names it: what `auto` came to.
        seconds: Wall time, with that of the earlier parts of a run that was resumed.
        peak_memory_mb: Largest memory during the training, in its last part where it was resumed, in MiB: of the
            process, on a GPU of its tensors.
        trainable_parameters: Parameters that were trained, at the final ranks, with a scorer's head.
        total_parameters: Those and the frozen ones.
        rank_history: The ranks over the steps; the last ones are those that the rescorer is saved with.
    """

    evaluations: list[Evaluation]
    best: Evaluation
    steps: int
    epochs: float
    num_lists: int
    processes: int
    precision: str
    seconds: float
    peak_memory_mb: float
    trainable_parameters: int
    total_parameters: int
    rank_history: RankHistory

    def summary(self) -> dict[str, Any]:
        """What config.yaml keeps of it, as plain YAML types."""
        return {
            "steps": self.steps,
            "best_step": self.best.step,
            "epochs": int(self.epochs) if self.epochs == int(self.epochs) else round(self.epochs, 2),
            "lists": self.num_lists,
            "processes": self.processes,
            "precision": self.precision,
            "seconds": round(self.seconds, 1),
            "peak_memory_mb": round(self.peak_memory_mb),
            "dev_wer_start": round(self.evaluations[0].dev_wer, 4),
            "dev_wer_best": round(self.best.dev_wer, 4),
        }


class DivergedError(InputError):
    """A training whose loss, or whose scores of dev, are no longer finite.

    Attributes:
        result: What it came to until then, with the step that diverged.
    """

    def __init__(self, message: str, result: TrainingResult, *, mend: str) -> None:
        super().__init__(message, mend=mend)
        self.result = result


def parameters_at_final_ranks(scorer: nn.Module, adaptation: Adaptation) -> tuple[int, int]:
    """Trainable and all parameters of a scorer, after `finalize`; of what is saved, those that were trained count."""
    trainable, total = count_parameters(scorer)
    dropped = count_parameters(adaptation.model)[0] - adaptation.trained_parameters()
    return trainable - dropped, total - dropped
