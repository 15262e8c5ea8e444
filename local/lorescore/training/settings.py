"""Settings of a training run that do not depend on the strategy."""

import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from lorescore.choices import DECAYS, OBJECTIVES, PRECISIONS, TEACHER_NORMS, require_choice, require_kind
from lorescore.errors import InputError
from lorescore.perturb.settings import Perturbation

# What changes the run of a training, not the weights that come of it.
OPERATIONAL = ("checkpoint_minutes",)
# What changes the memory that a training takes, and the weights by float error alone: a run may go on with another.
MEMORY = ("token_budget", "gradient_checkpointing")
LM = "lm"
MEND_CLS = "choose another objective, or --scorer clm or pll"
NOT_NEGATIVE = (
    "distill_weight",
    "lm_loss",
    "correlation",
    "consistency",
    "consistency_margin",
    "grad_clip",
    "weight_decay",
    "max_hyps",
    "patience",
    "checkpoint_minutes",
)
# Of these, where infinity means something: no limit, and never.
MAY_BE_INFINITE = ("grad_clip", "checkpoint_minutes")


@dataclass(frozen=True)
class TrainingSettings:
    """How a rescorer is trained.

    Attributes:
        objective: `mwer`, `distill`, `mwer+distill` or `lm` (`lorescore.training.objectives`).
        score_scale: Factor of the combined scores in the softmax of `mwer`. At 1 a long text's scores differ by tens of
            nats, nearly all the weight is on one hypothesis, and training mostly shrinks the PLM's scores.
        distill_weight: Weight of `distill` beside `mwer` in `mwer+distill`.
        teacher_norm: How `distill` takes the teacher's scores: `none`, `set`, `list`, or `auto` (`training.teacher`).
        lm_loss: Weight of the PLM's own loss on references and texts beside another objective (`clm` and `pll`; 0:
            none).
        lm_references: Whether `lm` trains on the references of the lists; without them, on the texts alone.
        correlation: Weight of the correlation regulariser (0: none).
        perturb_train: Perturbations that make a twin of a training list (`lorescore.training.twins`), separated by
            commas: `homophone:0.2,near:1best:0.1`; empty: none.
        perturb_share: Share of the lists that have a twin in an epoch, where there are perturbations.
        consistency: Weight of the consistency loss of hypotheses and their perturbed versions (0: none).
        consistency_margin: Difference of their combined scores, times score_scale, from which it is 0.
        epochs: Passes over the training lists.
        lists_per_step: Lists whose gradients make one optimizer step.
        max_hyps: Hypotheses of a training list that are taken, the first pass's best (0: all).
        texts_per_step: Texts of the domain that each step takes beside its lists, where there are any.
        warmup_share: Share of the steps in which the learning rate rises linearly; then it falls to 0.
        decay: How it falls: `linear` or `cosine`.
        evaluations: Evaluations on dev, evenly spaced over the steps, besides the one before the first step.
        patience: Evaluations without a new best one after which training stops (0: it never stops early).
        grad_clip: Largest norm of the gradient; a longer one is scaled down to it (0: none is).
        weight_decay: AdamW's.
        token_budget: Tokens in one forward and backward pass; changes memory, not the result beyond float error (which
            alone moves the bias of a `cls` head, as `mwer` sees no constant: all scores of a set shift alike).
        precision: Of the matrix products, for dev too: `fp32`, `bf16`, or `auto`: bf16 on a GPU that has it.
        gradient_checkpointing: Whether the layers' states are computed again in the backward pass rather than kept:
            less memory, a third more time, the same result.
        checkpoint_minutes: Minutes between two checkpoints from which a run can go on (0: after every step).
        seed: Of everything that is drawn.
    """

    objective: str = "mwer"
    score_scale: float = 0.5
    distill_weight: float = 1.0
    teacher_norm: str = "auto"
    lm_loss: float = 1.0
    lm_references: bool = True
    correlation: float = 0.0
    perturb_train: str = ""
    perturb_share: float = 0.5
    consistency: float = 0.0
    consistency_margin: float = 1.0
    epochs: int = 1
    lists_per_step: int = 8
    max_hyps: int = 0
    texts_per_step: int = 32
    warmup_share: float = 0.1
    decay: str = "linear"
    evaluations: int = 2
    patience: int = 0
    grad_clip: float = 1.0
    weight_decay: float = 0.0
    token_budget: int = 2048
    precision: str = "auto"
    gradient_checkpointing: bool = False
    checkpoint_minutes: float = 10.0
    seed: int = 1

    def __post_init__(self) -> None:
        for field in fields(self):
            require_kind(f"--{field.name}", getattr(self, field.name), type(field.default))
        require_choice("--objective", self.objective, OBJECTIVES)
        require_choice("--teacher_norm", self.teacher_norm, TEACHER_NORMS)
        require_choice("--decay", self.decay, DECAYS)
        require_choice("--precision", self.precision, PRECISIONS)
        for name in ("epochs", "lists_per_step", "texts_per_step", "evaluations", "token_budget"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name} is {getattr(self, name)}, expected 1 or more")
        for name in NOT_NEGATIVE:
            if not getattr(self, name) >= 0:
                raise InputError(f"--{name} is {getattr(self, name)}, expected 0 or more")
            if getattr(self, name) == math.inf and name not in MAY_BE_INFINITE:
                raise InputError(f"--{name} is {getattr(self, name)}, expected a finite number")
        if not 0 < self.score_scale < math.inf:
            raise InputError(f"--score_scale is {self.score_scale}, expected a number above 0")
        if not 0 <= self.warmup_share <= 1:
            raise InputError(f"--warmup_share is {self.warmup_share}, expected a number from 0 to 1")
        if not 0 < self.perturb_share <= 1:
            raise InputError(f"--perturb_share is {self.perturb_share}, expected a number above 0, at most 1")
        # In one way of writing, so that settings that mean the same are the same.
        object.__setattr__(self, "perturb_train", ",".join(one.spec for one in self.perturbations))

    @property
    def perturbations(self) -> tuple[Perturbation, ...]:
        """What makes the twins of training lists."""
        return tuple(Perturbation.parse(one) for one in self.perturb_train.split(",")) if self.perturb_train else ()

    @property
    def distils(self) -> bool:
        """Whether the objective needs a teacher."""
        return self.objective in ("distill", "mwer+distill")

    @property
    def trains_on_lists(self) -> bool:
        """Whether training lists are used at all: `lm` may do with texts alone."""
        return self.objective != LM or self.lm_references

    def to_dict(self) -> dict[str, Any]:
        """What the trained weights depend on, as plain YAML types."""
        return {name: value for name, value in asdict(self).items() if name not in OPERATIONAL}

    @classmethod
    def from_dict(cls, content: dict[str, Any], path: Path | None = None) -> "TrainingSettings":
        """From plain YAML types.

        Args:
            content: The settings that are not the defaults.
            path: The file that they are from, for the error.

        Raises:
            InputError: A setting is not known or not valid.
        """
        try:
            for key in content:
                require_choice("training setting", key, cls.__dataclass_fields__)
            return cls(**content)
        except InputError as error:
            raise InputError(error.message, path=path, mend=error.mend) from error


def require_objective(settings: TrainingSettings, scorer: str, *, has_teacher: bool, has_texts: bool) -> None:
    """Check that a scorer can be trained with an objective and what there is for it.

    Args:
        settings: With the objective.
        scorer: `clm`, `cls` or `pll`.
        has_teacher: Whether there are a teacher's scores.
        has_texts: Whether there are texts of the domain.

    Raises:
        InputError: It cannot.
    """
    objective = settings.objective
    if objective == LM and scorer == "cls":
        raise InputError("--objective lm is for clm and pll: a cls scorer's score is no likelihood", mend=MEND_CLS)
    if objective == LM and not settings.lm_references and not has_texts:
        raise InputError("--objective lm without the references needs --lm_text", mend="give it a file of sentences")
    if has_texts and objective != LM and (scorer == "cls" or not settings.lm_loss):
        raise InputError(
            "texts train a clm or a pll by its lm_loss alone",
            mend="leave out --lm_text (run.sh: --lm_text none), or set --lm_loss",
        )
    if settings.distils and not has_teacher:
        raise InputError(
            f"--objective {objective} needs a teacher", mend="name a clm or pll rescorer: --teacher exp/plm/<tag>"
        )
    if has_teacher and not settings.distils:
        raise InputError(f"--objective {objective} has no use for a teacher", mend="leave out --teacher")
    if settings.consistency and not settings.perturb_train:
        raise InputError("--consistency is of perturbed lists", mend="give --perturb_train, such as homophone:0.2")
    if settings.perturb_train and objective == LM and not (settings.lm_references and settings.consistency):
        message = "--objective lm trains on references and texts, and --perturb_train perturbs neither"
        raise InputError(message, mend="leave it out, or set --consistency, with lm_references true")
    if settings.correlation and scorer == "pll":
        raise InputError("--correlation is for cls and clm: a pll has no sentence state", mend="leave it out")
