"""Verbs that are for two things: the options of the one do not go with those of the other."""

import argparse
from collections.abc import Callable, Iterable

from lorescore.errors import InputError


def refuse_options(
    args: argparse.Namespace,
    of_other_use: Iterable[str],
    add_arguments: Callable[[argparse.ArgumentParser], None],
    told_by: str,
    mend: str,
) -> None:
    """Check that the options of a verb's other use were left out: they would be ignored without a word.

    Args:
        args: What the user gave.
        of_other_use: The names of those options.
        add_arguments: Declares the verb's options, with their defaults.
        told_by: The option that told the use.
        mend: How to mend it.

    Raises:
        InputError: One was given.
    """
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    for option in of_other_use:
        if getattr(args, option) != parser.get_default(option):
            raise InputError(f"--{option} does not go with {told_by}", mend=mend)
