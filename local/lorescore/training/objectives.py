"""Training objectives over the hypotheses of one list."""

import torch


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
    """The PLM's own loss on the reference, in nats a token: holds a causal LM while it is trained to discriminate.

    MWER training is commonly interpolated with a maximum-likelihood term (arXiv 1712.01818, sec. 3.3).
    """
    return -reference_score / num_tokens
