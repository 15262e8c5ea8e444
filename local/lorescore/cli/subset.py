"""`subset`: the utterances of some speakers out of N-best directories -> one N-best directory."""

import argparse
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import read_lines
from lorescore.nbest import NbestSet, read_nbest_dir, write_nbest_dir
from lorescore.wer.score import default_speaker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("--nbest_dir", type=Path, nargs="+", required=True, help="N-best directories to take from")
    parser.add_argument("--spk_list", type=Path, required=True, help="speakers to take, one a line")
    parser.add_argument("--max_utts", type=int, help="take at most so many utterances, evenly over the sorted list")
    parser.add_argument("--out", type=Path, required=True, help="N-best directory to write")


def run(args: argparse.Namespace) -> None:
    """Read, select, write."""
    speakers = {line.strip() for _, line in read_lines(args.spk_list)}
    sets = [read_nbest_dir(nbest_dir) for nbest_dir in args.nbest_dir]
    lists = sorted(
        (one for nbest in sets for one in nbest if default_speaker(one.utt) in speakers), key=lambda x: x.utt
    )
    if not lists:
        raise InputError("none of these speakers has an utterance in the N-best directories", path=args.spk_list)
    if args.max_utts and len(lists) > args.max_utts:
        lists = [lists[index * len(lists) // args.max_utts] for index in range(args.max_utts)]
    refs = {one.utt: nbest.refs[one.utt] for nbest in sets for one in nbest if nbest.refs}
    kept = {one.utt: refs[one.utt] for one in lists if one.utt in refs}
    info = {"source": "subset", "of": [str(path) for path in args.nbest_dir], "speakers": str(args.spk_list)}
    write_nbest_dir(args.out, NbestSet(tuple(lists), kept, info))
    print(f"{args.out}: {len(lists)} utterances")
