"""Settings of a training run that do not depend on the strategy."""

from dataclasses import dataclass
from typing import Any

from lorescore.choices import OBJECTIVES, require_choice
from lorescore.errors import InputError


@dataclass(frozen=True)
class TrainingSettings:
    """How a rescorer is trained.

    Attributes:
        objective: `mwer`.
        epochs: Passes over the training lists.
        lists_per_step: Lists whose gradients make one optimizer step.
        score_scale: Factor of the combined scores in the softmax of `mwer`. At 1 a long text's scores differ by tens of
            nats, nearly all the weight is on one hypothesis, and training mostly shrinks the PLM's scores.
        lm_loss: Weight of the PLM's own loss on references and texts beside `mwer` (`clm` only; 0: none).
        texts_per_step: Texts of the domain that each step takes beside its lists, where there are any.
        warmup_share: Share of the steps in which the learning rate rises linearly; then it falls linearly to 0.
        evaluations: Evaluations on dev, evenly spaced over the steps, besides the one before the first step.
        grad_clip: Largest norm of the gradient.
        weight_decay: AdamW's.
        token_budget: Tokens in one forward and backward pass; changes memory, not the result beyond float error.
        seed: Of everything that is drawn.
    """

    objective: str = "mwer"
    epochs: int = 1
    lists_per_step: int = 8
    score_scale: float = 0.5
    lm_loss: float = 1.0
    texts_per_step: int = 32
    warmup_share: float = 0.1
    evaluations: int = 2
    grad_clip: float = 1.0
    weight_decay: float = 0.0
    token_budget: int = 2048
    seed: int = 1

    def __post_init__(self) -> None:
        require_choice("--objective", self.objective, OBJECTIVES)
        for name in ("epochs", "lists_per_step", "texts_per_step", "evaluations", "token_budget"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name} is {getattr(self, name)}, expected 1 or more")

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "TrainingSettings":
        """From plain YAML types; raises InputError where a setting is not known."""
        for key in content:
            require_choice("training setting", key, cls.__dataclass_fields__)
        return cls(**content)
