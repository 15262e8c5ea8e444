#!/usr/bin/env python3
"""Split the speakers of LibriSpeech dev-clean and dev-other into train, dev and test: prints `speaker part` lines.

Within each condition the speakers are ordered by a seeded hash and take the parts in turn, so that every part has
speakers of both. split.txt is this script's output for the default seed.
"""

import argparse
import hashlib
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import read_table
from lorescore.wer.score import default_speaker

# Parts in turn: half of the speakers train, a fifth tunes, the rest is reported.
TURN = ("train", "test", "train", "dev", "train", "test", "train", "dev", "train", "test")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=2401)
    parser.add_argument("refs", type=Path, nargs="+", help="Kaldi text of the references, one a condition")
    args = parser.parse_args()
    try:
        parts = split(args.refs, args.seed)
    except InputError as error:
        raise SystemExit(f"{parser.prog}: {error}") from error
    for speaker, part in sorted(parts.items()):
        print(speaker, part)


def split(ref_paths: list[Path], seed: int) -> dict[str, str]:
    """The part of each speaker.

    Raises:
        InputError: A file cannot be read.
    """
    parts: dict[str, str] = {}
    for path in ref_paths:
        speakers = {default_speaker(utt) for utt in read_table(path)}
        order = sorted(speakers, key=lambda speaker: hashlib.sha256(f"{seed}:{speaker}".encode()).hexdigest())
        parts |= {speaker: TURN[index % len(TURN)] for index, speaker in enumerate(order)}
    return parts


if __name__ == "__main__":
    main()
