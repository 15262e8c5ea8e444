"""What `train` is to do: what its options name, read and checked, and the training itself.

With several processes each of them has the same task, from the same options.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lorescore.choices import FROZEN
from lorescore.cli.cache_options import cache_path
from lorescore.cli.lexicon_options import read_pronunciations
from lorescore.cli.plm_options import plm_dir, plm_settings, read_strategy, rescorer_tag
from lorescore.cli.progress import progress
from lorescore.cli.train_options import training_settings
from lorescore.errors import InputError
from lorescore.files import checksum, read_lines, single_spaced
from lorescore.nbest import NbestSet, read_nbest_dir
from lorescore.nbest.checks import require_same_metric
from lorescore.perturb import HomophoneLexicon
from lorescore.perturb.worst import Score
from lorescore.plm.settings import PlmSettings
from lorescore.plm.source import fetched_checksum
from lorescore.plm.strategy import Strategy
from lorescore.progress import Progress, silent
from lorescore.scoring.directories import Scoring
from lorescore.scoring.options import ScoringOptions, default_device
from lorescore.scoring.sets import rescorer_checksum
from lorescore.scoring.stored import is_finished, read_config, require_no_members
from lorescore.training.made_from import differing
from lorescore.training.settings import TrainingSettings, require_objective
from lorescore.training.tensorboard import Curves, no_curves
from lorescore.wer.units import WER

if TYPE_CHECKING:
    from lorescore.scoring.rescorer import Rescorer
    from lorescore.training.checkpoint import Checkpoint
    from lorescore.training.result import TrainingResult
    from lorescore.training.workers import Workers


class CostsBefore(NamedTuple):
    """PLM costs that a training needs to know before it begins.

    Attributes:
        start: Of dev, by the frozen PLM; None where they are not known.
        teacher: Of the training lists, by the teacher; None without one.
    """

    start: list[list[float]] | None
    teacher: list[list[float]] | None


@dataclass(frozen=True)
class TrainingTask:
    """What is to be trained, on what.

    Attributes:
        args: The options of `train`.
        out: Where the rescorer goes.
        settings: The PLM and the scorer.
        training: Everything that is not the strategy's.
        strategy: How the PLM is adapted.
        lists: Lists to train on.
        dev: Lists to choose on.
        texts: Sentences of the domain.
        lexicon: What sounds alike, for perturbed lists.
    """

    args: argparse.Namespace
    out: Path
    settings: PlmSettings
    training: TrainingSettings
    strategy: Strategy
    lists: NbestSet
    dev: NbestSet
    texts: Sequence[str]
    lexicon: HomophoneLexicon | None

    @classmethod
    def read(cls, args: argparse.Namespace) -> "TrainingTask":
        """What the options name.

        Raises:
            InputError: A file or a setting cannot be used.
        """
        settings, training, out = plm_settings(args, args.lora), training_settings(args), rescorer_dir(args)
        strategy = read_strategy(args, args.lora, learning_rate=args.learning_rate)
        lists = _read_lists(args.train) if training.trains_on_lists else NbestSet(())
        dev = _read_lists(args.dev)
        if len(lists):
            require_same_metric(dev, args.dev, lists, args.train)
        texts = _read_texts(args.lm_text) if args.lm_text else []
        if texts and settings.scorer == "cls":
            print(f"{out}: --lm_text is left out, as a cls scorer has no loss for it")
            texts = []
        require_objective(training, settings.scorer, has_teacher=args.teacher is not None, has_texts=bool(texts))
        lexicon = None
        if training.perturb_train:
            lexicon = read_pronunciations(args, (lists, dev), [one.perturbation for one in training.perturbations])
        return cls(args, out, settings, training, strategy, lists, dev, texts, lexicon)

    @cached_property
    def asked(self) -> dict[str, Any]:
        """What the rescorer is made from, as its config.yaml keeps it."""
        return plm_record(self.args, self.settings) | {
            "strategy": self.strategy.to_dict(),
            "objective": self.args.objective,
            "seed": self.args.seed,
            "training_settings": self.training.to_dict(),
            "train_checksum": self.lists.info.get("checksum"),
            "dev_checksum": self.dev.info["checksum"],
            "lm_text_checksum": checksum([self.args.lm_text]) if self.texts else None,
            "lexicon_checksum": self.lexicon.sound_checksum if self.lexicon is not None else None,
            # None for words, as in what was trained before there was a choice.
            "metric": None if self.dev.metric == WER else self.dev.metric,
            "cleaner": self.dev.cleaner,
            "teacher": _teacher(self.args.teacher) if self.args.teacher else None,
        }

    @property
    def plm_dir(self) -> Path:
        """Where the PLM is."""
        return plm_dir(self.settings, self.args)

    @property
    def checkpoint_dir(self) -> Path:
        """Where the training keeps its state."""
        return self.out.with_name(f".{self.out.name}.checkpoint")

    def checkpoint(self) -> "Checkpoint":
        """What it keeps there."""
        from lorescore.training.checkpoint import Checkpoint

        # `auto` is another precision on another device.
        return Checkpoint(self.checkpoint_dir, self.asked | {"precision": self.options.describe(default_device())})

    def new_rescorer(self) -> "Rescorer":
        """The PLM before the training."""
        from lorescore.scoring.rescorer import Rescorer

        return Rescorer.new(self.plm_dir, self.settings)

    @property
    def options(self) -> ScoringOptions:
        """How dev is scored: as the training computes."""
        return ScoringOptions(dtype=self.training.precision)

    @cached_property
    def scoring(self) -> Scoring:
        """Scores what the training needs to know before it begins."""
        return Scoring(self.options, cache_path(self.args.score_cache, self.args.out_root.parent), progress)

    def score_before(self) -> CostsBefore:
        """The costs that are not there yet are written beside their lists."""
        teacher = None
        if self.args.teacher:
            teacher = self.scoring.costs(self.args.teacher, self.args.train, self.lists, "teacher's")
        start = self._frozen_costs()
        self.scoring.unload()
        return CostsBefore(start, teacher)

    def train(
        self,
        rescorer: "Rescorer",
        costs: CostsBefore,
        workers: "Workers",
        progress: Progress = silent,
        curves: Curves = no_curves,
    ) -> "TrainingResult":
        """Train, in every process alike.

        Args:
            rescorer: From `new_rescorer`.
            costs: From `score_before`.
            workers: The processes.
            progress: The leader's.
            curves: The leader's.

        Raises:
            InputError: See `train_rescorer`.
        """
        from lorescore.training.loop import train_rescorer

        return train_rescorer(
            rescorer,
            self.lists,
            self.dev,
            self.strategy,
            self.training,
            progress,
            texts=self.texts,
            start_costs=costs.start,
            teacher_costs=costs.teacher,
            lexicon=self.lexicon,
            teacher_score=self._asked_once(workers) if self.args.teacher else None,
            checkpoint=self.checkpoint(),
            curves=curves,
            workers=workers,
            device=default_device(),
        )

    def _frozen_costs(self) -> list[list[float]] | None:
        """The frozen PLM's costs of dev, where its `none` rescorer is there (no `cls`), scored as the training does."""
        args = self.args
        settings, frozen_dir = plm_settings(args, FROZEN), rescorer_dir(args, FROZEN)
        if settings.scorer == "cls" or not is_finished(frozen_dir):
            return None
        if differing(plm_record(args, settings), read_config(frozen_dir)):
            return None
        return self.scoring.costs(frozen_dir, args.dev, self.dev, "dev")

    def _asked_once(self, workers: "Workers") -> Score:
        """The teacher's scores of further texts; it is let go of again, before the training begins."""

        def score(lists: Sequence[Sequence[str]], contexts: Sequence[Sequence[str]]) -> Sequence[Sequence[float]]:
            if not workers.is_leader:
                workers.wait()  # for what it puts into the score cache
            try:
                return self.scoring.score_texts(self.args.teacher, lists, contexts, "perturbed")
            finally:
                self.scoring.unload()
                if workers.is_leader:
                    workers.wait()

        return score


def rescorer_dir(args: argparse.Namespace, lora: str | None = None) -> Path:
    """Where the rescorer of a strategy goes, by default the one that the options name."""
    return Path(args.out_root / rescorer_tag(args, lora or args.lora, args.seed))


def plm_record(args: argparse.Namespace, settings: PlmSettings) -> dict[str, Any]:
    """What a rescorer keeps of its PLM; without a checksum where that is not fetched."""
    return {"plm": settings.to_dict(), "plm_checksum": fetched_checksum(plm_dir(settings, args))}


def _teacher(teacher: Path) -> dict[str, str]:
    """What a rescorer keeps of its teacher.

    Raises:
        InputError: There is none, or it is a `cls`, which knows of no language what its own teacher did not.
    """
    config = read_config(teacher, mend="correct --teacher")
    require_no_members(config, teacher, "learn from one of its members")
    scorer = config["plm"]["scorer"]
    if scorer == "cls":
        raise InputError("a cls rescorer, but a teacher is a clm or a pll", path=teacher, mend="correct --teacher")
    return {"tag": teacher.name, "checksum": rescorer_checksum(teacher)}


def _read_lists(nbest_dir: Path) -> NbestSet:
    """Lists with references."""
    nbest = read_nbest_dir(nbest_dir)
    if not nbest.refs:
        raise InputError("no references, which training needs", path=nbest_dir / "text", mend="give stage 4 --ref")
    return nbest


def _read_texts(path: Path) -> list[str]:
    """The sentences of a text file, which every process of a training reads, and reads again where it goes on."""
    if path.is_fifo():
        raise InputError("a pipe, expected a file: it is read again", path=path, mend="write it to a file first")
    texts = [single_spaced(line) for _, line in read_lines(path)]
    if not any(texts):
        raise InputError("empty, expected one sentence a line", path=path, mend="give --lm_text another file")
    return [text for text in texts if text]
