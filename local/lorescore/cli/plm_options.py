"""Options that several verbs share: which PLM, which strategy, and the tag that names a rescorer."""

import argparse
from dataclasses import replace
from pathlib import Path

from lorescore.choices import SCORERS, STRATEGIES, TEXT_CASES, require_choice
from lorescore.plm.settings import PlmSettings

# In the repository a link to the top level's conf, in the wheel the files themselves.
CONF_DIR = Path(__file__).resolve().parents[1] / "conf"


def add_plm_arguments(parser: argparse.ArgumentParser) -> None:
    """--plm and what overrides its settings."""
    parser.add_argument("--plm", default="smollm2", help="a file of conf/plm, a model directory or a Hugging Face name")
    parser.add_argument("--scorer", help=f"overrides the PLM's: {' '.join(SCORERS)}")
    parser.add_argument("--plm_text", help=f"overrides the PLM's text case: {' '.join(TEXT_CASES)}")
    parser.add_argument("--targets", help="overrides the PLM's layers that get an adapter, separated by commas")
    parser.add_argument("--plm_root", type=Path, default=Path("exp/plm_base"), help="where fetched PLMs are")
    parser.add_argument("--conf_dir", type=Path, default=CONF_DIR, help="the recipe's conf")


def plm_settings(args: argparse.Namespace) -> PlmSettings:
    """The PLM's settings with the overrides of the command line."""
    settings = PlmSettings.find(args.plm, args.conf_dir / "plm")
    overrides = {"scorer": args.scorer, "plm_text": args.plm_text}
    settings = replace(settings, **{key: value for key, value in overrides.items() if value})
    return replace(settings, targets=tuple(args.targets.split(","))) if args.targets else settings


def plm_dir(settings: PlmSettings, args: argparse.Namespace) -> Path:
    """Where a PLM is once it is fetched; the auto class depends on the scorer."""
    return args.plm_root / f"{settings.name}_{settings.scorer}"


def rescorer_tag(settings: PlmSettings, lora: str, objective: str, seed: int) -> str:
    """The name of a rescorer's directories. A frozen PLM (no `cls`, whose head is trained) has neither
    objective nor seed.
    """
    require_choice("--lora", lora, STRATEGIES)
    tag = f"{settings.name}_{settings.scorer}_{lora}"
    return tag if lora == "none" and settings.scorer != "cls" else f"{tag}_{objective}_s{seed}"
