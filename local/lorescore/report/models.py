"""The rescorers that stage 5 trained, as the report needs them: `exp/plm/<tag>/{config,ranks,history}.yaml`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lorescore.choices import FROZEN, STRATEGIES, WITHOUT_RANK
from lorescore.errors import InputError
from lorescore.report.fields import Fields
from lorescore.scoring.stored import CONFIG_FILE, finished_rescorers, stored_members

MEND = "train it again: ./run.sh --stage 5 --stop_stage 5"
RANK_OR_ALPHA = re.compile(r"_(r\d+|a\d[\d.]*)(?=_|$)")  # as a tag has them


@dataclass(frozen=True)
class Evaluation:
    """The state of a training at one step.

    Attributes:
        step: Optimizer steps so far.
        dev_wer: WER on the dev lists in percent, the weights tuned on them.
    """

    step: int
    dev_wer: float


@dataclass(frozen=True)
class Training:
    """How a training went; each value None where it was not written down.

    Attributes:
        lists: N-best lists trained on.
        epochs: Passes over them; not whole where the steps were limited.
        steps: Optimizer steps.
        best_step: The step whose weights were kept.
        dev_wer_start: WER on the dev lists before the first step, in percent.
        dev_wer_best: At the best step.
        seconds: Wall time.
        peak_memory_mb: Largest memory during the training, in MiB: of the process, on a GPU of its tensors.
    """

    lists: int | None = None
    epochs: float | None = None
    steps: int | None = None
    best_step: int | None = None
    dev_wer_start: float | None = None
    dev_wer_best: float | None = None
    seconds: float | None = None
    peak_memory_mb: float | None = None


@dataclass(frozen=True)
class Model:
    """A trained (or frozen) rescorer.

    Attributes:
        tag: Its directory's name, by which it goes everywhere.
        plm: Short name of the PLM.
        scorer: `clm`, `cls` or `pll`.
        strategy: `none`, `full`, `vanilla`, `adalora`, ...
        rank: Of a low-rank strategy.
        objective: What it was trained for.
        seed: Of the training.
        trainable: Trainable parameters.
        total: All parameters.
        training: How the training went.
        ranks: AdaLoRA's final rank of each adapted layer, by the layer's name; empty for the others.
        history: The evaluations during training, in order.
        members: Of a combination: the weight of each rescorer whose scores it adds, by tag.
    """

    tag: str
    plm: str
    scorer: str
    strategy: str
    rank: int | None
    objective: str
    seed: int | None
    trainable: int
    total: int
    training: Training
    ranks: Mapping[str, int]
    history: tuple[Evaluation, ...]
    members: Mapping[str, float] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """The tag without the seed: the same for trainings that differ in nothing else."""
        return self.tag.replace(f"_{self.objective}_s{self.seed}", f"_{self.objective}", 1)

    def unlikeness(self, other: "Model") -> tuple[bool, bool, bool, bool, str]:
        """Sort key of models of one other strategy: the smallest differs from this one in the least that matters."""
        other_rank = self.rank is not None and other.rank != self.rank
        rest = other.rest != self.rest
        return other.objective != self.objective, other_rank, rest, other.seed != self.seed, other.tag

    @property
    def rest(self) -> str:
        """What the tag says besides strategy, rank, alpha, objective and seed: how text is put to the PLM, a suffix."""
        rest = self.group.replace(f"_{self.strategy}", "", 1)
        rest = rest.replace(f"_{self.objective}", "", 1) if self.objective else rest
        return RANK_OR_ALPHA.sub("", rest)

    @property
    def order(self) -> tuple[str, str, int, str, int, str]:
        """Sort key: models of one PLM and scorer together, in them the strategies in their usual order."""
        place = STRATEGIES.index(self.strategy) if self.strategy in STRATEGIES else len(STRATEGIES)
        return self.plm, self.scorer, place, self.strategy, self.rank or 0, self.tag


def read_models(plm_dir: Path) -> dict[str, Model]:
    """All finished rescorers by tag, in the order of the tables.

    Raises:
        InputError: A file lacks a key or has a wrong value.
    """
    models = list(map(read_model, finished_rescorers(plm_dir)))
    return {model.tag: model for model in sorted(models, key=lambda model: model.order)}


def read_model(model_dir: Path) -> Model:
    """One rescorer.

    Raises:
        InputError: A file lacks a key or has a wrong value.
    """
    config = Fields.read(model_dir / CONFIG_FILE, MEND)
    plm, strategy, training = config.section("plm"), config.section("strategy"), config.section("training")
    name = strategy.text("name")
    return Model(
        tag=model_dir.name,
        plm=plm.text("name"),
        scorer=plm.text("scorer"),
        strategy=name,
        rank=None if name in WITHOUT_RANK else strategy.optional_integer("rank"),
        objective=config.text("objective") if config.content.get("objective") is not None else "",
        seed=config.optional_integer("seed"),
        trainable=config.integer("trainable_parameters"),
        total=config.integer("total_parameters"),
        training=Training(
            lists=training.optional_integer("lists"),
            epochs=training.optional_number("epochs"),
            steps=training.optional_integer("steps"),
            best_step=training.optional_integer("best_step"),
            dev_wer_start=training.optional_number("dev_wer_start"),
            dev_wer_best=training.optional_number("dev_wer_best"),
            seconds=training.optional_number("seconds"),
            peak_memory_mb=training.optional_number("peak_memory_mb"),
        ),
        ranks=_ranks(model_dir / "ranks.yaml"),
        history=_history(model_dir / "history.yaml"),
        members={one.tag: one.weight for one in stored_members(model_dir)},
    )


def frozen_counterpart(model: Model, models: Mapping[str, Model]) -> Model | None:
    """The frozen rescorer that a model is compared with: of the same PLM and scorer.

    Of several (a `cls` head is trained even then), the one with the model's objective, then the one with its seed.

    Returns:
        None for a frozen model, and where there is none.
    """
    candidates = [
        other
        for other in models.values()
        if (other.strategy, other.plm, other.scorer) == (FROZEN, model.plm, model.scorer)
    ]
    if model.strategy == FROZEN or not candidates:
        return None
    return min(candidates, key=model.unlikeness)


def _ranks(path: Path) -> dict[str, int]:
    """AdaLoRA's final ranks; empty without the file."""
    if not path.is_file():
        return {}
    fields = Fields.read(path, MEND)
    ranks = {str(layer): fields.integer(layer) for layer in fields.content}
    for layer, rank in ranks.items():
        if rank < 0:
            raise InputError(f"{layer} has the rank {rank}, expected 0 or more", path=path, mend=MEND)
    return ranks


def _history(path: Path) -> tuple[Evaluation, ...]:
    """The evaluations in the order of their steps; none without the file."""
    if not path.is_file():
        return ()
    evaluations = [
        Evaluation(one.integer("step"), one.number("dev_wer"))
        for one in Fields.read(path, MEND).sections("evaluations")
    ]
    return tuple(sorted(evaluations, key=lambda one: one.step))
