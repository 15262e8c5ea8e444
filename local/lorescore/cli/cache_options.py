"""The option that the verbs that score share: where the score cache is."""

import argparse
from pathlib import Path

CACHE_NAME = "score_cache.sqlite"


def add_cache_argument(parser: argparse.ArgumentParser, exp_dir: str = "<exp_dir>") -> None:
    """--score_cache; `exp_dir` is what the verb's help calls the directory where the cache is by default."""
    parser.add_argument(
        "--score_cache",
        help=f"SQLite file of scores that were given before; empty: none; not given: {exp_dir}/{CACHE_NAME}",
    )


def cache_path(score_cache: str | None, exp_dir: Path) -> Path | None:
    """The file that --score_cache names; None where there is to be none.

    Args:
        score_cache: What the user gave; None: nothing.
        exp_dir: Where it is by default.
    """
    if score_cache is None:
        return exp_dir / CACHE_NAME
    return Path(score_cache) if score_cache else None
