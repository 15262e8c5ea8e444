"""Calls of the verb `perturb` with a set in `exp/nbest`."""

import argparse
from pathlib import Path

from lorescore.cli import perturb as verb


def run(clean_dir: Path, *options: str) -> None:
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    exp = clean_dir.parent.parent
    places = ["--nbest_dir", str(clean_dir), "--out_dir", str(exp / "nbest"), "--lexicon_dir", str(exp / "lexicon")]
    verb.run(parser.parse_args([*places, *options]))
