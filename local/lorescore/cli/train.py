"""`train`: adapt a PLM with a strategy, choose the best weights on dev, write the rescorer."""

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lorescore.choices import OBJECTIVES, STRATEGIES
from lorescore.cli.plm_options import add_plm_arguments, plm_dir, plm_settings, rescorer_tag
from lorescore.cli.progress import progress
from lorescore.errors import InputError
from lorescore.files import checksum, read_lines, read_yaml, split_words
from lorescore.nbest import NbestSet, read_nbest_dir
from lorescore.plm import adalora
from lorescore.plm.settings import PlmSettings
from lorescore.plm.strategies import Strategy, count_parameters
from lorescore.scoring.rescorer import Rescorer, default_device
from lorescore.scoring.sets import list_costs, score_nbest_dirs
from lorescore.training.loop import TrainingResult, train_rescorer
from lorescore.training.settings import TrainingSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options; what is not given comes from conf/strategy and conf/train.yaml."""
    add_plm_arguments(parser)
    parser.add_argument("--lora", default="vanilla", help=f"strategy: {' '.join(STRATEGIES)}")
    parser.add_argument("--rank", type=int, help="rank of the adapter")
    parser.add_argument("--learning_rate", type=float, help="peak learning rate")
    parser.add_argument("--objective", default="mwer", help=" ".join(OBJECTIVES))
    parser.add_argument("--epochs", type=int, help="passes over the training lists")
    parser.add_argument("--lm_loss", type=float, help="weight of the PLM's own loss on references and --lm_text")
    parser.add_argument("--lm_text", type=Path, help="sentences of the domain, one a line, for the PLM's own loss")
    parser.add_argument("--seed", type=int, default=1, help="of the training")
    parser.add_argument("--train", type=Path, default=Path("exp/nbest/train"), help="N-best directory to train on")
    parser.add_argument("--dev", type=Path, default=Path("exp/nbest/dev"), help="N-best directory to choose on")
    parser.add_argument("--out_root", type=Path, default=Path("exp/plm"), help="the rescorer goes to <out_root>/<tag>")


def run(args: argparse.Namespace) -> None:
    """Train, unless the same rescorer is there already."""
    settings = plm_settings(args)
    strategy = Strategy.read(args.lora, args.conf_dir / "strategy", rank=args.rank, learning_rate=args.learning_rate)
    training = _training_settings(args)
    out = args.out_root / rescorer_tag(settings, args.lora, args.objective, args.seed)
    frozen = args.lora == "none" and settings.scorer == "clm"
    train, dev = _read_lists(args.train), _read_lists(args.dev)
    texts = _read_texts(args.lm_text) if args.lm_text else []
    if texts and settings.scorer != "clm":
        print(f"{out}: --lm_text is left out, as a {settings.scorer} scorer has no loss for it")
        texts = []
    asked: dict[str, Any] = {
        "plm": settings.to_dict(),
        "strategy": strategy.to_dict(),
        "objective": None if frozen else args.objective,
        "seed": None if frozen else args.seed,
        "training_settings": None if frozen else asdict(training),
        "train_checksum": None if frozen else train.info["checksum"],
        "dev_checksum": None if frozen else dev.info["checksum"],
        "lm_text_checksum": checksum([args.lm_text]) if texts and not frozen else None,
    }
    if _is_finished(out, asked):
        print(f"{out}: finished before, left as it is")
        return
    rescorer = Rescorer.new(plm_dir(settings, args), settings, args.seed)
    rescorer.scorer.to(default_device())
    result = None
    if not frozen:
        start_costs = _frozen_costs(settings, args, dev)
        result = train_rescorer(
            rescorer, train, dev, strategy, training, progress(out.name), texts=texts, start_costs=start_costs
        )
    trainable, total = count_parameters(rescorer.scorer)
    records: dict[str, dict[str, Any]] = {}
    if result is not None:
        rescorer.config["training"] = _summary(result, training)
        records["history"] = {"evaluations": [one.to_dict() for one in result.evaluations]}
        if result.evaluations[-1].ranks:
            records["ranks"] = result.evaluations[-1].ranks
            masked = trainable - adalora.trimmed_parameters(rescorer.scorer.model)
            trainable, total = trainable - masked, total - masked
        print(f"{out}: dev WER {result.evaluations[0].dev_wer:.2f} -> {result.best.dev_wer:.2f}")
    rescorer.config |= asked | {"trainable_parameters": trainable, "total_parameters": total}
    rescorer.save(out, records)
    print(f"{out}: {trainable:,} of {total:,} parameters trained")


def _training_settings(args: argparse.Namespace) -> TrainingSettings:
    """conf/train.yaml with the overrides of the command line."""
    settings = TrainingSettings.from_dict(read_yaml(args.conf_dir / "train.yaml"))
    overrides = {name: getattr(args, name) for name in ("objective", "epochs", "lm_loss", "seed")}
    return replace(settings, **{name: value for name, value in overrides.items() if value is not None})


def _read_lists(nbest_dir: Path) -> NbestSet:
    """Lists with references."""
    nbest = read_nbest_dir(nbest_dir)
    if not nbest.refs:
        raise InputError("no references, which training needs", path=nbest_dir / "text", mend="give stage 4 --ref")
    return nbest


def _read_texts(path: Path) -> list[str]:
    """The sentences of a text file."""
    texts = [" ".join(split_words(line)) for _, line in read_lines(path)]
    if not any(texts):
        raise InputError("empty, expected one sentence a line", path=path, mend="give --lm_text another file")
    return [text for text in texts if text]


def _frozen_costs(settings: PlmSettings, args: argparse.Namespace, dev: NbestSet) -> list[list[float]] | None:
    """The frozen PLM's costs of dev, for a `clm` whose `none` rescorer is there; scored once for every strategy."""
    frozen_dir = args.out_root / rescorer_tag(settings, "none", args.objective, args.seed)
    if settings.scorer != "clm" or not (frozen_dir / "config.yaml").is_file():
        return None
    if read_yaml(frozen_dir / "config.yaml")["plm"] != settings.to_dict():
        return None
    score_nbest_dirs(lambda: Rescorer.load(frozen_dir), frozen_dir, [args.dev], progress(f"{frozen_dir.name} dev"))
    return list_costs(args.dev, dev, frozen_dir.name)


def _is_finished(out: Path, asked: dict[str, Any]) -> bool:
    """Whether `out` holds the rescorer that is asked for.

    Raises:
        InputError: It holds another one, which is not overwritten.
    """
    if not (out / "config.yaml").is_file():
        return False
    config = read_yaml(out / "config.yaml")
    other = [key for key, value in asked.items() if config.get(key) != value]
    if other:
        raise InputError(
            f"holds a rescorer trained with another {', '.join(other)}",
            path=out,
            mend="move it away or train in another directory",
        )
    return True


def _summary(result: TrainingResult, settings: TrainingSettings) -> dict[str, Any]:
    """What config.yaml keeps of a training run."""
    return {
        "steps": result.steps,
        "best_step": result.best.step,
        "epochs": settings.epochs,
        "lists": result.num_lists,
        "seconds": round(result.seconds, 1),
        "peak_memory_mb": round(result.peak_memory_mb),
        "dev_wer_start": round(result.evaluations[0].dev_wer, 4),
        "dev_wer_best": round(result.best.dev_wer, 4),
    }
