"""The training settings as options of `train`: conf/train.yaml, and what overrides it."""

import argparse
from dataclasses import fields, replace
from pathlib import Path

from lorescore.choices import DECAYS, PRECISIONS, TEACHER_NORMS
from lorescore.errors import InputError
from lorescore.files import read_yaml
from lorescore.training.settings import TrainingSettings

# Settings of conf/train.yaml that have an option of their own, in the order of --help.
TRAINING_OPTIONS = {
    "distill_weight": "mwer+distill: weight of distill",
    "teacher_norm": f"distill: how the teacher's scores are taken: {' '.join(TEACHER_NORMS)}",
    "lm_loss": "weight of the PLM's own loss on references and --lm_text beside another objective",
    "lm_references": "lm: whether to train on the references of --train; false: on --lm_text alone",
    "correlation": "weight of the correlation regulariser",
    "perturb_train": "perturbed lists beside the clean ones, NAME:RATE or NAME:KIND:RATE, separated by commas",
    "perturb_share": "share of the lists that have a perturbed twin in an epoch",
    "consistency": "weight of the order of hypotheses and their perturbed versions",
    "consistency_margin": "difference of their combined scores, times score_scale, from which it is 0",
    "epochs": "passes over the training lists",
    "lists_per_step": "training lists of an optimizer step",
    "max_hyps": "hypotheses of a training list that are taken; 0: all",
    "warmup_share": "share of the steps in which the learning rate rises",
    "decay": f"how it falls then: {' '.join(DECAYS)}",
    "evaluations": "evaluations on dev during the training",
    "patience": "evaluations without a new best one after which training stops; 0: never",
    "token_budget": "tokens in one forward and backward pass",
    "precision": f"of the training: {' '.join(PRECISIONS)}",
    "gradient_checkpointing": "true: compute states again in the backward pass, for less memory",
    "checkpoint_minutes": "minutes between two checkpoints",
}
# What a file of settings cannot hold, as the rescorer's tag depends on it.
OPTIONS_ALONE = ("objective", "seed")


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    """An option for each of them; what is not given comes from conf/train.yaml."""
    defaults = {field.name: field.default for field in fields(TrainingSettings)}
    for name, meaning in TRAINING_OPTIONS.items():
        kind = true_or_false if isinstance(defaults[name], bool) else type(defaults[name])
        parser.add_argument(f"--{name}", type=kind, help=meaning)
    parser.add_argument("--train_config", type=Path, help="settings of the training, instead of conf/train.yaml")


def true_or_false(word: str) -> bool:
    """The value of an option that is one of the two."""
    if word not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{word!r}, expected true or false")
    return word == "true"


def training_settings(args: argparse.Namespace) -> TrainingSettings:
    """conf/train.yaml with the overrides of the command line."""
    settings = read_training_settings(args.train_config or args.conf_dir / "train.yaml")
    overrides = {name: getattr(args, name) for name in (*OPTIONS_ALONE, *TRAINING_OPTIONS)}
    return replace(settings, **{name: value for name, value in overrides.items() if value is not None})


def read_training_settings(path: Path) -> TrainingSettings:
    """The settings of a file such as conf/train.yaml.

    Raises:
        InputError: It cannot be read, a setting is not known or not valid, or is one that has to be an option.
    """
    content = read_yaml(path)
    for name in OPTIONS_ALONE:
        if name in content:
            raise InputError(f"{name} names the rescorer too, not only its training", path=path, mend=f"give --{name}")
    return TrainingSettings.from_dict(content, path)
