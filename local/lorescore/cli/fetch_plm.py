"""`fetch-plm`: fetch a PLM once, and check it by scoring a sentence against the same words in a bad order."""

import argparse

from lorescore.cli.plm_options import add_plm_arguments, plm_dir, plm_settings
from lorescore.errors import InputError

SENTENCE = "he closed the door and went home"
SHUFFLED = "door the home closed and went he"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    add_plm_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Fetch and check."""
    settings = plm_settings(args)
    from lorescore.plm.load import fetch_plm, in_one_line  # imports torch and transformers, the next one peft too
    from lorescore.scoring.rescorer import Rescorer

    directory = plm_dir(settings, args)
    fetch_plm(settings, directory)
    unusable = f"this architecture cannot be used as a {settings.scorer}"
    with in_one_line(unusable, directory, "choose another --scorer, or another PLM"):
        rescorer = Rescorer.new(directory, settings)
        (good, bad), *_ = rescorer.score([[SENTENCE, SHUFFLED]])
    if settings.scorer != "cls" and not good > bad:
        raise InputError(
            f"{settings.name} gives {SHUFFLED!r} a better score ({bad:.1f}) than {SENTENCE!r} ({good:.1f})",
            path=directory,
            mend="check bos, eos (clm) and plm_text in conf/plm; a PLM without training cannot rescore",
        )
    size = sum(parameter.numel() for parameter in rescorer.scorer.model.parameters())
    print(f"{directory}: {settings.model}, {size / 1e6:.1f} M parameters, scorer {settings.scorer}")
