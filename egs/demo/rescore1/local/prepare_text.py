#!/usr/bin/env python3
"""Take the example sentences out of WordNet and split them into the demo's four sets.

Source: the glosses of WordNet 3.0 (Debian package `wordnet-base`), `data.{adj,adv,noun,verb}`: a gloss is a
definition followed by example sentences in double quotes.

A sentence's set depends on a seeded hash of the sentence alone, so that no sentence can be in two sets and adding
or removing sentences moves no other.
"""

import argparse
import hashlib
import re
from collections import defaultdict
from pathlib import Path

from lorescore.files import atomic_write

PARTS_OF_SPEECH = ("adj", "adv", "noun", "verb")
MIN_WORDS, MAX_WORDS = 3, 14
# Shares of the hash range, in this order; what is left is asr_train.
SHARES = {"test": 0.0125, "dev": 0.0125, "train": 0.050}
EXAMPLE = re.compile(r'"([^"]+)"')
ABBREVIATION = re.compile(r"\b[A-Za-z]\.(?:\s?[A-Za-z]\.)+|\b(?:Mr|Mrs|Dr|St|etc|vs)\.")
PUNCTUATION = re.compile(r"[.,;:!?()\[\]`]|--+|\.\.\.")
WORD = re.compile(r"[a-z]+(?:'[a-z]+)*'?")


def normalise(sentence: str) -> str | None:
    """Lower-case words without punctuation, or None where a sentence has digits, symbols or abbreviations."""
    if ABBREVIATION.search(sentence):
        return None
    words = PUNCTUATION.sub(" ", sentence).replace("-", " ").lower().split()
    if not MIN_WORDS <= len(words) <= MAX_WORDS or not all(WORD.fullmatch(word) for word in words):
        return None
    return " ".join(words)


def hash_fraction(sentence: str, seed: int) -> float:
    """A number in [0, 1) that depends on the sentence and the seed alone."""
    digest = hashlib.sha256(f"{seed}:{sentence}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def set_of(fraction: float) -> str:
    """The set that owns this part of the hash range."""
    for name, share in SHARES.items():
        if fraction < share:
            return name
        fraction -= share
    return "asr_train"


def read_wordnet(wordnet_dir: Path) -> set[str]:
    """All distinct normalised example sentences."""
    sentences: set[str] = set()
    for part in PARTS_OF_SPEECH:
        path = wordnet_dir / f"data.{part}"
        if not path.is_file():
            raise SystemExit(f"{path}: not found: install Debian's wordnet-base or name its folder by --wordnet_dir")
        for line in path.read_text(encoding="latin-1").splitlines():
            if line.startswith("  "):  # the licence, at the top of each file
                continue
            _, _, gloss = line.partition("|")
            sentences.update(filter(None, map(normalise, EXAMPLE.findall(gloss))))
    return sentences


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wordnet_dir", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--seed", type=int, default=2401)
    parser.add_argument("out_dir", type=Path, help="gets <set>.txt, a sentence a line, in the order of the hash")
    args = parser.parse_args()

    sets: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for sentence in read_wordnet(args.wordnet_dir):
        fraction = hash_fraction(sentence, args.seed)
        sets[set_of(fraction)].append((fraction, sentence))
    for name, members in sorted(sets.items()):
        path = args.out_dir / f"{name}.txt"
        with atomic_write(path) as file:
            file.writelines(f"{sentence}\n" for _, sentence in sorted(members))
        print(f"{path}: {len(members)} sentences")


if __name__ == "__main__":
    main()
