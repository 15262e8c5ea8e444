"""`train`: adapt a PLM with a strategy, choose the best weights on dev, write the rescorer.

What takes seconds to import (torch, transformers, peft) is imported where there is something to train.
"""

import argparse
from contextlib import nullcontext, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorescore.choices import STRATEGIES
from lorescore.cli.cache_options import add_cache_argument
from lorescore.cli.lexicon_options import add_lexicon_arguments
from lorescore.cli.plm_options import (
    add_plm_arguments,
    add_tag_arguments,
    is_frozen,
    plm_dir,
    plm_settings,
)
from lorescore.cli.progress import progress
from lorescore.cli.train_options import add_training_arguments, training_settings, true_or_false
from lorescore.cli.training_task import TrainingTask, plm_record, rescorer_dir
from lorescore.errors import InputError
from lorescore.locks import lock_beside
from lorescore.plm.settings import PlmSettings
from lorescore.plm.source import not_fetched
from lorescore.plm.strategy import Strategy
from lorescore.scoring.stored import is_finished, read_config
from lorescore.training.made_from import MADE_FROM, differing, holds_another
from lorescore.training.tensorboard import TensorBoard, no_curves

if TYPE_CHECKING:
    from lorescore.scoring.rescorer import Rescorer
    from lorescore.training.result import TrainingResult
    from lorescore.training.workers import Workers


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
    parser.add_argument("--nj", type=int, default=1, help="processes that share the training, each on a GPU of its own")
    add_cache_argument(parser, "<out_root>/..")
    parser.add_argument(
        "--tensorboard", type=true_or_false, default=True, help="write curves to <out_root>/../tensorboard/<tag>"
    )


def run(args: argparse.Namespace) -> None:
    """Train, unless the same rescorer is there already."""
    if args.nj < 1:
        raise InputError(f"--nj is {args.nj}, expected 1 or more")
    settings = plm_settings(args, args.lora)
    if is_frozen(settings, args.lora):
        training_settings(args)  # checked, if not needed
        _write_frozen(args, settings, rescorer_dir(args))
    else:
        _train(args)


def _write_frozen(args: argparse.Namespace, settings: PlmSettings, out: Path) -> None:
    """The PLM as it is, as a rescorer: it takes no lists."""
    strategy = Strategy.read(args.lora, args.conf_dir / "strategy")
    asked = dict.fromkeys(MADE_FROM) | plm_record(args, settings) | {"strategy": strategy.to_dict()}
    if _is_finished(out, asked):
        return
    from lorescore.plm.strategies import count_parameters
    from lorescore.scoring.rescorer import Rescorer

    rescorer = Rescorer.new(plm_dir(settings, args), settings)
    _save(rescorer, out, asked, count_parameters(rescorer.scorer), {})


def _train(args: argparse.Namespace) -> None:
    task = TrainingTask.read(args)
    out, asked = task.out, task.asked
    if _is_finished(out, asked):
        if task.checkpoint_dir.exists():  # killed before it was removed
            with lock_beside(out, "trains"):
                task.checkpoint().remove_own()
        return
    if asked["plm_checksum"] is None:
        raise not_fetched(task.settings, task.plm_dir)
    from lorescore.training.result import DivergedError
    from lorescore.training.workers import started

    with lock_beside(out, "trains"):
        if _is_finished(out, asked):  # by another process, meanwhile
            return
        checkpoint = task.checkpoint()
        checkpoint.require_this_run()
        costs = task.score_before()
        rescorer = task.new_rescorer()
        curves = TensorBoard(args.out_root.parent / "tensorboard" / out.name) if args.tensorboard else None
        try:
            with curves or nullcontext(), started(args.nj, partial(_share, args)) as workers:
                result = task.train(rescorer, costs, workers, progress(out.name), curves or no_curves)
        except DivergedError as error:
            kept = _diverged_dir(args.out_root.parent / "diverged", out.name, asked)
            rescorer.config["diverged"] = error.message
            _save_trained(rescorer, kept, asked, error.result)
            checkpoint.mark_diverged()
            best = f"the best weights so far, of step {error.result.best.step}, are in {kept}"
            raise InputError(error.message, mend=f"{error.mend}; {best}") from error
        print(f"{out}: dev {task.dev.metric.upper()} {result.evaluations[0].dev_wer:.2f} -> {result.best.dev_wer:.2f}")
        _save_trained(rescorer, out, asked, result)
        checkpoint.remove()


def _share(args: argparse.Namespace, workers: "Workers") -> None:
    """What a process does that trains beside the one that was called: that one has scored what there was to score."""
    from lorescore.training.result import DivergedError

    task = TrainingTask.read(args)
    with suppress(DivergedError):  # the leader says so
        task.train(task.new_rescorer(), task.score_before(), workers)


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
