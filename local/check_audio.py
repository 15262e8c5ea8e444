#!/usr/bin/env python3
"""Stage 2: check the audio of Kaldi data directories against a model's configuration, before it is trained on."""

import argparse
import sys
from pathlib import Path

from lorescore.cli.audio import read_wav_scp, require_sound
from lorescore.errors import InputError


def main(argv: list[str] | None = None) -> int:
    """Check; the exit status: 0, or 1 for bad input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="ESPnet training configuration")
    parser.add_argument("data_dirs", type=Path, nargs="+", help="Kaldi data directories with wav.scp")
    args = parser.parse_args(argv)
    try:
        for data_dir in args.data_dirs:
            require_sound(read_wav_scp(data_dir), data_dir, args.config)
    except InputError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
