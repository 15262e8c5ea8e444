"""Training objectives: the losses as formulas, and what they make of the scores of a list.

- `mwer`: expected word errors over the list (Prabhavalkar et al. 2018, arXiv 1712.01818).
- `distill`: squared distance to a teacher's sentence scores (RescoreBERT, arXiv 2202.01094).
- `mwer+distill`: both, `distill` with a weight.
- `lm`: the PLM's own loss on references and texts; beside the others, it holds a PLM near to its language.

Beside them, the consistency loss (this project's own) keeps hypotheses and their perturbed versions in their order.
Each goes with the correlation regulariser of LoRB (arXiv 2309.15223), which is over the texts of a whole step, not of a
list (`lorescore.training.states`).
"""

from dataclasses import dataclass

import torch

from lorescore.combine import Weights
from lorescore.training.data import TrainingList, Twin
from lorescore.training.settings import LM, TrainingSettings

MIN_VARIANCE = 1e-12  # a component of the states with less does not vary: its correlations are 0


def mwer_loss(combined: torch.Tensor, errors: torch.Tensor) -> torch.Tensor:
    """Expected word errors over the list, relative to the list's mean (minimum word error rate training).

        P_i = exp(s_i) / sum_j exp(s_j)        loss = sum_i P_i (W_i - mean_j W_j)

    with combined scores s and word errors W: Prabhavalkar et al. 2018 (arXiv 1712.01818), eq. 4, as RescoreBERT
    (arXiv 2202.01094) applies it to rescoring. The mean changes the loss by a constant, not its gradient.

    Args:
        combined: (n,) combined scores: first pass + lm_weight x PLM + word_bonus x words.
        errors: (n,) word errors of each hypothesis against the reference.

    Returns:
        A scalar, in words.
    """
    relative = errors - errors.mean()
    return torch.softmax(combined, dim=0) @ relative


def lm_loss(reference_score: torch.Tensor, num_tokens: int) -> torch.Tensor:
    """The PLM's own loss on a text, in nats a token: the next token's for a `clm`, the masked tokens' for a `pll`.

    Beside `mwer` it holds a PLM while it is trained to discriminate; MWER training is commonly interpolated with a
    maximum-likelihood term (arXiv 1712.01818, sec. 3.3).
    """
    return -reference_score / num_tokens


def distill_loss(scores: torch.Tensor, teacher: torch.Tensor, centred: bool = False) -> torch.Tensor:
    """Mean squared distance to the teacher's sentence scores (RescoreBERT, arXiv 2202.01094: MLM distillation).

        loss = 1/n sum_i (s_i - t_i)^2

    Args:
        scores: (n,) scores of the hypotheses of a list.
        teacher: (n,) what they should be.
        centred: Whether the teacher's scores are differences from their mean over the list. Then the scores are taken
            so too (this project's own): a constant that all hypotheses of a list share changes no choice.
    """
    if centred:
        scores = scores - scores.mean()
    return (scores - teacher).square().mean()


def correlation_loss(states: torch.Tensor) -> torch.Tensor:
    """Mean of the squared correlations of different components of the sentence states.

        loss = 1 / (d (d - 1)) sum_{j != k} r_jk^2

    with Pearson's correlation r_jk of the components j and k over the texts. LoRB (arXiv 2309.15223) names a
    correlation-based regularisation without defining it in its abstract; this is the project's reading, a number
    between 0 and 1.

    Args:
        states: (n, d) a sentence state a text.
    """
    dimensions = states.shape[1]
    centred = states - states.mean(dim=0)
    standardized = centred * centred.square().mean(dim=0).clamp(min=MIN_VARIANCE).rsqrt()
    correlations = standardized.T @ standardized / len(states)
    off_diagonal = correlations - torch.diag(torch.diag(correlations))
    return off_diagonal.square().sum() / max(1, dimensions * (dimensions - 1))


def consistency_loss(gains: torch.Tensor, more_errors: torch.Tensor, margin: float) -> torch.Tensor:
    """Hinge on the score that a hypothesis loses by a perturbation, by the errors that it gains (this project's own).

    For a hypothesis h and its perturbed version h' with word errors W and combined scores s,

        loss = mean of max(0, margin - sign(W(h') - W(h)) (s(h) - s(h')))

    over the pairs with W(h') != W(h): whichever has fewer errors is to be ahead by the margin. A pair with as many
    errors, such as one in which a word that is wrong anyway was replaced, has no order to keep.

    Args:
        gains: (n,) s(h) - s(h').
        more_errors: (n,) W(h') - W(h).
        margin: In the units of the scores.

    Returns:
        A scalar; 0 where no pair has an order.
    """
    ordered = more_errors != 0
    hinges = torch.clamp(margin - torch.sign(more_errors[ordered]) * gains[ordered], min=0)
    return hinges.sum() / max(1, len(hinges))


@dataclass(frozen=True)
class Objective:
    """What training minimises over the lists of a step: the weights of its terms, 0 for those that it does not have.

    Attributes:
        mwer: Weight of `mwer_loss`, by list.
        distill: Weight of `distill_loss`, by list.
        lm: Weight of `lm_loss`, by reference or text.
        weights: Weights of the combined scores in `mwer`.
        score_scale: Factor of the combined scores in `mwer`.
        centred: Whether the teacher's scores are centred by list.
        consistency: Weight of `consistency_loss`, by list with a twin.
        margin: Its margin.
    """

    mwer: float
    distill: float
    lm: float
    weights: Weights
    score_scale: float
    centred: bool
    consistency: float
    margin: float

    @classmethod
    def of(cls, settings: TrainingSettings, weights: Weights, centred: bool) -> "Objective":
        """The objective of the settings."""
        distill = {"distill": 1.0, "mwer+distill": settings.distill_weight}.get(settings.objective, 0.0)
        return cls(
            mwer=float("mwer" in settings.objective),
            distill=distill,
            lm=1.0 if settings.objective == LM else settings.lm_loss,
            weights=weights,
            score_scale=settings.score_scale,
            centred=centred,
            consistency=settings.consistency,
            margin=settings.consistency_margin,
        )

    def of_hypotheses(self, one: TrainingList | Twin, scores: torch.Tensor) -> torch.Tensor:
        """The loss on the hypotheses of a list or of its twin, whose scores come first, (n,) or more."""
        device, scores = scores.device, scores[: len(one.errors)]
        losses = [scores[:0].sum()]  # 0: `lm` has hypotheses for the consistency loss alone
        if self.mwer:
            losses.append(self.mwer * mwer_loss(self._combined(one, scores), one.errors.to(device)))
        if self.distill and one.teacher is not None:
            losses.append(self.distill * distill_loss(scores, one.teacher.to(device), self.centred))
        return torch.stack(losses).sum()

    def of_pairs(self, one: TrainingList, twin: Twin, scores: torch.Tensor) -> torch.Tensor:
        """The consistency loss of a list and its twin, whose scores come first and second, (n + m,) or more."""
        errors, device = one.errors.to(scores.device), scores.device
        sources = twin.sources.to(device)
        gains = self._combined(one, scores)[sources] - self._combined(twin, scores[len(errors) :])
        return self.consistency * consistency_loss(gains, twin.errors.to(device) - errors[sources], self.margin)

    def _combined(self, one: TrainingList | Twin, scores: torch.Tensor) -> torch.Tensor:
        """(n,) combined scores, scaled; those of the hypotheses come first in `scores`."""
        combined = one.first_pass.to(scores.device) + self.weights.lm_weight * scores[: len(one.errors)]
        combined = combined + self.weights.word_bonus * one.num_words.to(scores.device)
        return self.score_scale * combined

    def of_reference(self, one: TrainingList, scores: torch.Tensor) -> torch.Tensor:
        """The loss on a list's reference, whose score is the last."""
        num_tokens = int(one.encoded.num_tokens(len(scores) - 1))
        return self.lm * lm_loss(scores[-1], max(1, num_tokens))
