"""AdaLoRA (arXiv 2303.10512) in a training loop that has its own loss, at the parameter count of LoRA.

Each update is P diag(E) Q with a learnt singular value per rank; PEFT stores P as lora_B, E as lora_E, Q as lora_A.
PEFT adds the orthogonality term only to outputs that carry a `loss`, so a loop with an objective of its own has to add
it (eq. 4 of the paper); and it has to call `update_and_allocate` between the backward pass and clearing the gradients,
since importance is |weight x gradient|.

PEFT scales the updates by alpha / init_rank throughout, whatever the layers are pruned to.

The paper's budget is a number of ranks, whatever a rank of a layer costs. Where the adapted layers differ in size, that
leaves the number of parameters open; this project's comparisons hold it equal. So a pruning keeps as many ranks as the
paper's schedule says, the most important ones, and where their parameters are not those of a LoRA with as many ranks
on average, each parameter has a price that is taken off the importance: the smallest that puts the sum right.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.adalora import RankAllocator
from torch import nn

from lorescore.plm.adaptation import ADAPTER, PREFIX, Adaptation
from lorescore.plm.strategy import Strategy

E_SUFFIX = f".lora_E.{ADAPTER}"
BUDGET_TOLERANCE = 0.01  # share of the parameter budget that may be left unused
BISECTIONS = 60
RANK_NUMBER = ".ranknum."  # the initial rank of a layer, which its update is divided by
AVERAGES = ("ipt", "exp_avg_ipt", "exp_avg_unc")  # what the allocator remembers, by parameter


class AdaLora(Adaptation):
    """Adds the orthogonality term, and moves the ranks between the layers."""

    def __init__(self, model: PeftModel, strategy: Strategy) -> None:
        super().__init__(model, strategy)
        self._tuner: Any = model.base_model
        self._config: Any = self._tuner.peft_config[ADAPTER]
        self._tuner.rankallocator = EqualParametersAllocator(self._tuner.model, self._config, ADAPTER)
        for name, parameter in self._tuner.model.named_parameters():
            if RANK_NUMBER in name:  # PEFT makes it trainable where it puts the adapter on a GPU
                parameter.requires_grad_(False)

    @property
    def first_choice_step(self) -> int:
        """The step at which the budget is met: from there on the ranks stay."""
        return self._config.total_step - self._config.tfinal

    def regularizer(self) -> torch.Tensor | None:
        """The weighted orthogonality term."""
        weight = self.strategy.orthogonality
        return weight * orthogonality(self.model) if weight else None

    def after_step(self, step: int, optimizer: torch.optim.Optimizer) -> None:
        """Update the importance of every rank; where a pruning is due, mask the least important ones."""
        for name, parameter in self._tuner.model.named_parameters():
            if "lora_" in name and parameter.grad is None:  # a layer without a part in the score; PEFT would fail on it
                parameter.grad = torch.zeros_like(parameter)
        self._tuner.update_and_allocate(step)

    def ranks(self) -> dict[str, int]:
        """See `ranks`."""
        return ranks(self.model)

    def trained_parameters(self) -> int:
        """See `trimmed_parameters`."""
        return trimmed_parameters(self.model)

    def state_dict(self) -> dict[str, Any]:
        """What the allocator remembers of the gradients, and which ranks the last pruning has kept."""
        allocator = self._tuner.rankallocator
        averages = {name: dict(getattr(allocator, name)) for name in AVERAGES}
        return averages | {"rank_pattern": dict(self._config.rank_pattern or {})}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        devices = {name: parameter.device for name, parameter in self._tuner.model.named_parameters()}
        for average in AVERAGES:
            values = {name: value.to(devices[name]) for name, value in state[average].items()}
            setattr(self._tuner.rankallocator, average, values)
        self._config.rank_pattern = dict(state["rank_pattern"]) or None

    def finalize(self) -> None:
        """Drop the masked ranks."""
        layers = self.ranks()
        if sum(layers.values()) > self.strategy.rank * len(layers):  # stopped before the budget was met
            budget = self._tuner.rankallocator.target_bgt
            self._config.rank_pattern = self._tuner.rankallocator.mask_to_budget(self._tuner.model, budget)
        self._tuner.resize_modules_by_rank_pattern(self._config.rank_pattern, ADAPTER)


class EqualParametersAllocator(RankAllocator):
    """PEFT's allocator of ranks, which also holds the parameters to those of a LoRA with as many ranks on average."""

    @torch.no_grad()
    def mask_to_budget(self, model: nn.Module, budget: int) -> dict[str, list[bool]]:
        """Zero the singular values of all but `budget` ranks.

        Returns:
            For the singular values of each layer, by the parameter's name, which are kept.
        """
        parameters = dict(model.named_parameters())
        names = [name for name in parameters if name.endswith(E_SUFFIX)]
        scores = torch.stack([self._importance(name, parameters[name]) for name in names])
        sizes = [parameters_of_a_rank(parameters, name.removesuffix(E_SUFFIX)) for name in names]
        kept = choose_ranks(scores, sizes, budget).to(scores.device)
        for name, mask in zip(names, kept, strict=True):
            parameters[name].masked_fill_(~mask[:, None], 0.0)
        return {name: mask.tolist() for name, mask in zip(names, kept, strict=True)}

    def _importance(self, name: str, singular_values: torch.Tensor) -> torch.Tensor:
        """Of each rank of a layer, (r,): its singular value's and its vectors' mean (eq. 7 to 9 of the paper)."""
        if name not in self.exp_avg_ipt:  # no step was taken yet
            return torch.zeros(len(singular_values), device=singular_values.device)
        e, a, b = (self._element_score(name.replace("lora_E", factor)) for factor in ("lora_E", "lora_A", "lora_B"))
        return e.flatten() + a.mean(dim=1) + b.mean(dim=0)


def choose_ranks(scores: torch.Tensor, sizes: Sequence[int], budget: int) -> torch.Tensor:
    """The most important ranks whose parameters are, together, those of `budget` ranks of average size.

    Of `score - price x size` the `budget` highest are kept, at the price nearest to 0 that puts the parameters between
    99 % and 100 % of that. The price is negative where the most important ranks are too small. Where layers are so few
    that no price gets there, it is the nearest below. Of equals the lower component is kept.

    Args:
        scores: Importance of each layer's ranks, (layers, ranks), 0 or more.
        sizes: Parameters of a rank, by layer.
        budget: Ranks to keep, up to layers x ranks.

    Returns:
        Which are kept, (layers, ranks), on the CPU.
    """
    num_layers, num_ranks = scores.shape
    allowed = budget * sum(sizes) / num_layers
    lowest = (1 - BUDGET_TOLERANCE) * allowed
    flat = scores.detach().cpu().double().T.flatten()  # component by component, so that a stable sort settles ties
    flat = flat / flat.max().clamp_min(torch.finfo(flat.dtype).tiny)
    flat_sizes = torch.tensor(sizes, dtype=flat.dtype).repeat(num_ranks)

    def choice(price: float) -> tuple[torch.Tensor, float]:
        order = torch.argsort(flat - price * flat_sizes, descending=True, stable=True)
        kept = torch.zeros(len(flat), dtype=torch.bool)
        kept[order[:budget]] = True
        return kept, float(flat_sizes[kept].sum())

    kept, total = choice(0.0)
    if not lowest <= total <= allowed:
        too_large = total > allowed
        # Scores go up to 1 and sizes are whole numbers, so at a price of 2 the sizes alone decide.
        near, far = 0.0, 2.0 if too_large else -2.0
        for _ in range(BISECTIONS):
            price = (near + far) / 2
            total = choice(price)[1]
            near, far = (near, price) if (total <= allowed if too_large else total >= lowest) else (price, far)
        kept, total = choice(far)
        if total > allowed:
            kept, _ = choice(near)
    return kept.view(num_ranks, num_layers).T


def orthogonality(model: nn.Module) -> torch.Tensor:
    """Mean over the adapted layers' P and Q of ||P'P - I||_F (Q Q' for Q), a scalar with gradient."""
    terms = []
    for name, parameter in model.named_parameters():
        if "lora_A." in name or "lora_B." in name:
            gram = parameter @ parameter.T if "lora_A." in name else parameter.T @ parameter
            terms.append(torch.linalg.matrix_norm(gram - torch.eye(len(gram), device=gram.device, dtype=gram.dtype)))
    return torch.stack(terms).mean()


def ranks(model: PeftModel) -> dict[str, int]:
    """The ranks in use by layer: those that the last pruning has kept, or the initial ones before the first."""
    config = model.peft_config[ADAPTER]
    kept = {name: sum(mask) for name, mask in (config.rank_pattern or {}).items()}
    layers = [name.removesuffix(E_SUFFIX) for name, _ in model.named_parameters() if name.endswith(E_SUFFIX)]
    layers = [layer.removeprefix(PREFIX) for layer in layers]
    # PEFT names the pattern's parameters with the adapter, and without it once the adapter is saved.
    return {layer: kept.get(f"{layer}{E_SUFFIX}", kept.get(f"{layer}.lora_E", config.init_r)) for layer in layers}


def trimmed_parameters(model: PeftModel) -> int:
    """Parameters of the adapter as it is saved, without its masked ranks."""
    parameters = dict(model.named_parameters())
    return sum(rank * parameters_of_a_rank(parameters, PREFIX + layer) for layer, rank in ranks(model).items())


def parameters_of_a_rank(parameters: Mapping[str, torch.Tensor], layer: str) -> int:
    """A column of P, a singular value and a row of Q. `layer` is a layer's name as `parameters` have it."""
    inputs = parameters[f"{layer}.lora_A.{ADAPTER}"].shape[1]
    outputs = parameters[f"{layer}.lora_B.{ADAPTER}"].shape[0]
    return inputs + outputs + 1
