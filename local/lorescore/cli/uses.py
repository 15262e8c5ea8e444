"""Verbs that are for two things: the options of the one do not go with those of the other."""

import argparse
from collections.abc import Mapping

from lorescore.errors import InputError


def refuse_options(args: argparse.Namespace, of_other_use: Mapping[str, object], told_by: str, mend: str) -> None:
    """Check that the options of a verb's other use were left out: they would be ignored without a word.

    Args:
        args: What the user gave.
        of_other_use: Those options with their defaults.
        told_by: The option that told the use.
        mend: How to mend it.

    Raises:
        InputError: One was given.
    """
    for option, default in of_other_use.items():
        if getattr(args, option) != default:
            raise InputError(f"--{option} does not go with {told_by}", mend=mend)
