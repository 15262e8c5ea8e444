"""`train`: adapt a PLM with a strategy, choose the best weights on dev, write the rescorer.

What takes seconds to import (torch, transformers, peft) is imported where there is something to train.
"""

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorescore.choices import FROZEN, STRATEGIES
from lorescore.cli.cache_options import add_cache_argument, cache_path
from lorescore.cli.lexicon_options import add_lexicon_arguments, read_pronunciations
from lorescore.cli.plm_options import (
    add_plm_arguments,
    add_tag_arguments,
    is_frozen,
    plm_dir,
    plm_settings,
    read_strategy,
    rescorer_tag,
)
from lorescore.cli.progress import progress
from lorescore.cli.train_options import add_training_arguments, training_settings, true_or_false
from lorescore.errors import InputError
from lorescore.files import checksum, read_lines, single_spaced
from lorescore.locks import lock_beside
from lorescore.nbest import NbestSet, read_nbest_dir
from lorescore.nbest.checks import require_same_metric
from lorescore.perturb.worst import Score
from lorescore.plm.settings import PlmSettings
from lorescore.plm.source import fetched_checksum, not_fetched
from lorescore.plm.strategy import Strategy
from lorescore.scoring.directories import Scoring
from lorescore.scoring.options import ScoringOptions, default_device
from lorescore.scoring.sets import rescorer_checksum
from lorescore.scoring.stored import is_finished, read_config, require_no_members
from lorescore.training.made_from import MADE_FROM, differing, holds_another
from lorescore.training.settings import TrainingSettings, require_objective
from lorescore.training.tensorboard import TensorBoard, no_curves
from lorescore.wer.units import WER

if TYPE_CHECKING:
    from lorescore.scoring.rescorer import Rescorer
    from lorescore.training.result import TrainingResult


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options; what is not given comes from conf/strategy and conf/train.yaml."""
    add_plm_arguments(parser)
    parser.add_argument("--lora", default="vanilla", help=f"strategy: {' '.join(STRATEGIES)}")
    add_tag_arguments(parser)
    parser.add_argument("--learning_rate", type=float, help="peak learning rate")
    parser.add_argument("--teacher", type=Path, help="distill: a clm or pll rescorer, exp/plm/<tag>")
    parser.add_argument("--lm_text", type=Path, help="sentences of the domain, one a line, for the PLM's own loss")
    add_training_arguments(parser)
    add_lexicon_arguments(parser, "--train and --dev")
    parser.add_argument("--train", type=Path, default=Path("exp/nbest/train"), help="N-best directory to train on")
    parser.add_argument("--dev", type=Path, default=Path("exp/nbest/dev"), help="N-best directory to choose on")
    parser.add_argument("--out_root", type=Path, default=Path("exp/plm"), help="the rescorer goes to <out_root>/<tag>")
    add_cache_argument(parser, "<out_root>/..")
    parser.add_argument(
        "--tensorboard", type=true_or_false, default=True, help="write curves to <out_root>/../tensorboard/<tag>"
    )


def run(args: argparse.Namespace) -> None:
    """Train, unless the same rescorer is there already."""
    settings = plm_settings(args, args.lora)
    training = training_settings(args)
    out = args.out_root / rescorer_tag(args, args.lora, args.seed)
    if is_frozen(settings, args.lora):
        _write_frozen(args, settings, out)
    else:
        _train(args, settings, training, out)


def _write_frozen(args: argparse.Namespace, settings: PlmSettings, out: Path) -> None:
    """The PLM as it is, as a rescorer: it takes no lists."""
    strategy = Strategy.read(args.lora, args.conf_dir / "strategy")
    asked = dict.fromkeys(MADE_FROM) | _plm(args, settings) | {"strategy": strategy.to_dict()}
    if _is_finished(out, asked):
        return
    from lorescore.plm.strategies import count_parameters
    from lorescore.scoring.rescorer import Rescorer

    rescorer = Rescorer.new(plm_dir(settings, args), settings)
    _save(rescorer, out, asked, count_parameters(rescorer.scorer), {})


def _train(args: argparse.Namespace, settings: PlmSettings, training: TrainingSettings, out: Path) -> None:
    strategy = read_strategy(args, args.lora, learning_rate=args.learning_rate)
    train = _read_lists(args.train) if training.trains_on_lists else NbestSet(())
    dev = _read_lists(args.dev)
    if len(train):
        require_same_metric(dev, args.dev, train, args.train)
    texts = _read_texts(args.lm_text) if args.lm_text else []
    if texts and settings.scorer == "cls":
        print(f"{out}: --lm_text is left out, as a cls scorer has no loss for it")
        texts = []
    require_objective(training, settings.scorer, has_teacher=args.teacher is not None, has_texts=bool(texts))
    lexicon = None
    if training.perturb_train:
        lexicon = read_pronunciations(args, (train, dev), [one.perturbation for one in training.perturbations])
    asked: dict[str, Any] = _plm(args, settings) | {
        "strategy": strategy.to_dict(),
        "objective": args.objective,
        "seed": args.seed,
        "training_settings": training.to_dict(),
        "train_checksum": train.info.get("checksum"),
        "dev_checksum": dev.info["checksum"],
        "lm_text_checksum": checksum([args.lm_text]) if texts else None,
        "lexicon_checksum": lexicon.sound_checksum if lexicon else None,
        # None for words, as in what was trained before there was a choice.
        "metric": None if dev.metric == WER else dev.metric,
        "teacher": _teacher(args.teacher) if args.teacher else None,
    }
    checkpoint_dir = out.with_name(f".{out.name}.checkpoint")
    if _is_finished(out, asked):
        if checkpoint_dir.exists():  # killed before it was removed
            from lorescore.training.checkpoint import Checkpoint

            with lock_beside(out, "trains"):
                Checkpoint(checkpoint_dir, asked).remove_own()
        return
    if asked["plm_checksum"] is None:
        raise not_fetched(settings, plm_dir(settings, args))
    from lorescore.scoring.rescorer import Rescorer
    from lorescore.training.checkpoint import Checkpoint
    from lorescore.training.loop import train_rescorer
    from lorescore.training.result import DivergedError

    with lock_beside(out, "trains"):
        if _is_finished(out, asked):  # by another process, meanwhile
            return
        options = ScoringOptions(dtype=training.precision)  # at which dev is scored
        # `auto` is another precision on another device.
        run = asked | {"precision": options.describe(default_device())}
        checkpoint = Checkpoint(checkpoint_dir, run)
        checkpoint.require_this_run()

        # What the training needs to know before it begins.
        scoring = Scoring(options, cache_path(args.score_cache, args.out_root.parent), progress)
        start_costs, teacher_costs, teacher_score = _frozen_costs(args, scoring, dev), None, None
        if asked["teacher"]:
            teacher_costs = scoring.costs(args.teacher, args.train, train, "teacher's")
            teacher_score = _asked_once(args.teacher, scoring)
        scoring.unload()
        rescorer = Rescorer.new(plm_dir(settings, args), settings)
        rescorer.scorer.to(default_device())
        curves = TensorBoard(args.out_root.parent / "tensorboard" / out.name) if args.tensorboard else None
        try:
            with curves or nullcontext():
                result = train_rescorer(
                    rescorer,
                    train,
                    dev,
                    strategy,
                    training,
                    progress(out.name),
                    texts=texts,
                    start_costs=start_costs,
                    teacher_costs=teacher_costs,
                    lexicon=lexicon,
                    teacher_score=teacher_score,
                    checkpoint=checkpoint,
                    curves=curves or no_curves,
                )
        except DivergedError as error:
            kept = _diverged_dir(args.out_root.parent / "diverged", out.name, asked)
            rescorer.config["diverged"] = error.message
            _save_trained(rescorer, kept, asked, error.result)
            checkpoint.mark_diverged()
            best = f"the best weights so far, of step {error.result.best.step}, are in {kept}"
            raise InputError(error.message, mend=f"{error.mend}; {best}") from error
        print(f"{out}: dev {dev.metric.upper()} {result.evaluations[0].dev_wer:.2f} -> {result.best.dev_wer:.2f}")
        _save_trained(rescorer, out, asked, result)
        checkpoint.remove()


def _diverged_dir(root: Path, tag: str, asked: dict[str, Any]) -> Path:
    """Where the best weights of a training that diverged go: not to what others have left that were asked otherwise."""
    for number in count(1):
        path = root / (tag if number == 1 else f"{tag}.{number}")
        if not is_finished(path) or not differing(asked, read_config(path)):
            return path
    raise AssertionError("unreachable: numbers do not end")


def _save_trained(rescorer: "Rescorer", out: Path, asked: dict[str, Any], result: "TrainingResult") -> None:
    """Write a rescorer with what it was made from and what its training came to."""
    rescorer.config["training"] = result.summary()
    records: dict[str, dict[str, Any]] = {"history": {"evaluations": [one.to_dict() for one in result.evaluations]}}
    if result.rank_history.has_moved:
        records |= {"ranks": result.rank_history.final, "rank_history": result.rank_history.to_dict()}
    _save(rescorer, out, asked, (result.trainable_parameters, result.total_parameters), records)


def _save(
    rescorer: "Rescorer",
    out: Path,
    asked: dict[str, Any],
    parameters: tuple[int, int],
    records: dict[str, dict[str, Any]],
) -> None:
    """Write a rescorer with what it was made from; `parameters`: trained ones, and all."""
    trainable, total = parameters
    rescorer.config |= asked | {"trainable_parameters": trainable, "total_parameters": total}
    rescorer.save(out, records)
    print(f"{out}: {trainable:,} of {total:,} parameters trained")


def _plm(args: argparse.Namespace, settings: PlmSettings) -> dict[str, Any]:
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


def _asked_once(teacher: Path, scoring: Scoring) -> Score:
    """A teacher's scores of further texts; it is let go of again, before the training begins."""

    def score(lists: Sequence[Sequence[str]], contexts: Sequence[Sequence[str]]) -> Sequence[Sequence[float]]:
        try:
            return scoring.score_texts(teacher, lists, contexts, "perturbed")
        finally:
            scoring.unload()

    return score


def _read_lists(nbest_dir: Path) -> NbestSet:
    """Lists with references."""
    nbest = read_nbest_dir(nbest_dir)
    if not nbest.refs:
        raise InputError("no references, which training needs", path=nbest_dir / "text", mend="give stage 4 --ref")
    return nbest


def _read_texts(path: Path) -> list[str]:
    """The sentences of a text file."""
    texts = [single_spaced(line) for _, line in read_lines(path)]
    if not any(texts):
        raise InputError("empty, expected one sentence a line", path=path, mend="give --lm_text another file")
    return [text for text in texts if text]


def _frozen_costs(args: argparse.Namespace, scoring: Scoring, dev: NbestSet) -> list[list[float]] | None:
    """The frozen PLM's costs of dev, where its `none` rescorer is there (no `cls`) and scores as the training does."""
    settings = plm_settings(args, FROZEN)
    frozen_dir = args.out_root / rescorer_tag(args, FROZEN, args.seed)
    if settings.scorer == "cls" or not is_finished(frozen_dir):
        return None
    if differing(_plm(args, settings), read_config(frozen_dir)):
        return None
    return scoring.costs(frozen_dir, args.dev, dev, "dev")


def _is_finished(out: Path, asked: dict[str, Any]) -> bool:
    """Whether `out` holds the rescorer that is asked for, which is said.

    Raises:
        InputError: It holds another one, which is not overwritten.
    """
    if not is_finished(out):
        return False
    other = differing(asked, read_config(out))
    if other:
        raise holds_another(out, "a rescorer trained", other)
    print(f"{out}: finished before, left as it is")
    return True
