"""Options that several verbs share: which PLM, which strategy, and the tag that names a rescorer."""

import argparse
import re
from dataclasses import replace
from pathlib import Path

from lorescore.choices import (
    DECODES,
    FROZEN,
    OBJECTIVES,
    SCORERS,
    STRATEGIES,
    TEXT_CASES,
    TEXT_SPACES,
    WITHOUT_RANK,
    require_choice,
)
from lorescore.cli.train_options import true_or_false
from lorescore.errors import InputError
from lorescore.plm.settings import CONF_DIR, PLM_ROOT, PlmSettings
from lorescore.plm.strategy import Strategy

NAME = re.compile(r"\w[\w.+-]*")
SUFFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
SEEDS = 2**63  # from 0 to one less
TARGET = re.compile(r"[A-Za-z0-9_.-]+")


def add_plm_arguments(parser: argparse.ArgumentParser) -> None:
    """--plm and what overrides its settings."""
    parser.add_argument("--plm", default="smollm2", help="a file of conf/plm, a model directory or a Hugging Face name")
    parser.add_argument("--scorer", help=f"overrides the PLM's: {' '.join(SCORERS)}")
    parser.add_argument("--plm_text", help=f"overrides the PLM's text case: {' '.join(TEXT_CASES)}")
    parser.add_argument(
        "--plm_spaces",
        help=f"overrides the PLM's: {' '.join(TEXT_SPACES)}: whether text of scripts without spaces loses those it has",
    )
    parser.add_argument(
        "--within_word_l2r",
        type=true_or_false,
        help="pll, overrides the PLM's: true: the later tokens of a word are masked together with each of its tokens",
    )
    parser.add_argument("--targets", help="overrides the PLM's layers that get an adapter, separated by commas")
    parser.add_argument("--plm_root", type=Path, default=PLM_ROOT, help="where fetched PLMs are")
    parser.add_argument("--conf_dir", type=Path, default=CONF_DIR, help="the recipe's conf")


def plm_settings(args: argparse.Namespace, lora: str = "") -> PlmSettings:
    """The PLM's settings with the overrides of the command line.

    Args:
        args: What the user gave.
        lora: The strategy; --targets means nothing to one without an adapter.

    Raises:
        InputError: A setting is not valid, or not one of the scorer's.
    """
    settings = PlmSettings.find(args.plm, args.conf_dir / "plm")
    overrides = {"scorer": args.scorer, "plm_text": args.plm_text, "plm_spaces": args.plm_spaces}
    settings = replace(settings, **{key: value for key, value in overrides.items() if value})
    if args.within_word_l2r is not None:
        if settings.scorer != "pll":
            raise InputError(f"--within_word_l2r is for pll, the scorer is {settings.scorer}", mend="leave it out")
        settings = replace(settings, within_word_l2r=args.within_word_l2r)
    if not args.targets:
        return settings
    targets = tuple(args.targets.split(","))
    for target in targets:
        if not TARGET.fullmatch(target):
            raise InputError(f"--targets {args.targets!r:.60}, expected names of layers", mend="such as q_proj,v_proj")
    return settings if lora in WITHOUT_RANK else replace(settings, targets=targets)


def plm_dir(settings: PlmSettings, args: argparse.Namespace) -> Path:
    """Where a PLM is once it is fetched; the auto class depends on the scorer."""
    return args.plm_root / f"{settings.name}_{settings.scorer}"


def add_tag_arguments(parser: argparse.ArgumentParser) -> None:
    """What a rescorer's tag depends on besides its PLM and strategy."""
    parser.add_argument("--rank", type=int, help="rank of the adapter (default: conf/strategy)")
    scale = "alpha / rank; rslora: alpha / sqrt(rank); adalora: alpha / init_rank"
    parser.add_argument("--alpha", type=int, help=f"the adapter's update is scaled by {scale}")
    parser.add_argument("--objective", default="mwer", help=" ".join(OBJECTIVES))
    parser.add_argument("--seed", type=int, default=1, help="of the training")
    parser.add_argument("--suffix", default="", help="ends the tag, as _NAME: for settings of the training of its own")


def read_strategy(args: argparse.Namespace, lora: str, **overrides: float | None) -> Strategy:
    """The settings of a strategy, with --rank and --alpha where they mean something to it, and others.

    Raises:
        InputError: It is not known, or a setting cannot be.
    """
    if lora not in WITHOUT_RANK:  # what a strategy ignores is not recorded as its setting
        overrides |= {"rank": args.rank, "alpha": args.alpha}
    return Strategy.read(lora, args.conf_dir / "strategy", **overrides)


def rescorer_tag(args: argparse.Namespace, lora: str, seed: int) -> str:
    """The name of a rescorer's directories: PLM, scorer, strategy, objective, seed and suffix.

    What the user chose with an option of its own stands in it too: the PLM's text case and masking behind the scorer,
    the adapter's rank, alpha and targets behind the strategy, as in `smollm2_clm_vanilla_r16_a32_mwer_s1`. A frozen PLM
    (no `cls`, whose head is trained) has neither objective nor seed nor suffix.

    Raises:
        InputError: A word is not known, or cannot be part of a name.
    """
    require_choice("--lora", lora, STRATEGIES)
    if args.suffix in DECODES:
        raise InputError(f"--suffix {args.suffix} is the name of a decoding", mend="give another word, such as robust")
    if args.suffix and not SUFFIX.fullmatch(args.suffix):
        raise InputError(
            f"--suffix {args.suffix!r:.60}, expected letters, digits, dots and hyphens", mend="such as robust"
        )
    if not 0 <= seed < SEEDS:
        raise InputError(f"seed {seed}, expected 0 to {SEEDS - 1}", mend="correct --seed or --seeds")
    settings = plm_settings(args, lora)
    if not NAME.fullmatch(settings.name):
        raise InputError(
            f"--plm: {settings.name!r:.60} cannot be part of a name", mend="rename the directory, or link to it"
        )
    parts = [settings.name, settings.scorer, args.plm_text or ""]
    parts.append(f"spaces-{args.plm_spaces}" if args.plm_spaces else "")
    if args.within_word_l2r is not None:
        parts.append("l2r" if args.within_word_l2r else "nol2r")
    parts.append(lora)
    if lora not in WITHOUT_RANK:
        parts += [f"{letter}{value}" for letter, value in (("r", args.rank), ("a", args.alpha)) if value is not None]
        parts.append(args.targets.replace(",", "+") if args.targets else "")
    if not is_frozen(settings, lora):
        parts += [args.objective, f"s{seed}", args.suffix]
    return "_".join(filter(None, parts))


def is_frozen(settings: PlmSettings, lora: str) -> bool:
    """Whether nothing is trained."""
    return lora == FROZEN and settings.scorer != "cls"
