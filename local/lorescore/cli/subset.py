"""`subset`: the utterances of some speakers out of N-best directories -> one N-best directory."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lorescore.errors import InputError
from lorescore.files import read_lines
from lorescore.nbest import NbestSet, read_nbest_dir, write_nbest_dir
from lorescore.nbest.checks import require_same_metric
from lorescore.perturb.expansion import INFO_KEY as EXPANSION
from lorescore.perturb.expansion import Expansion
from lorescore.perturb.sets import INFO_KEY as PERTURBATION
from lorescore.wer.cleaning import INFO_KEY as CLEANER
from lorescore.wer.speakers import default_speaker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("--nbest_dir", type=Path, nargs="+", required=True, help="N-best directories to take from")
    parser.add_argument("--spk_list", type=Path, required=True, help="speakers to take, one a line")
    parser.add_argument("--max_utts", type=int, help="take at most so many utterances, evenly over the sorted list")
    parser.add_argument("--out", type=Path, required=True, help="N-best directory to write")


def run(args: argparse.Namespace) -> None:
    """Read, select, write."""
    if args.max_utts is not None and args.max_utts < 1:
        raise InputError(f"--max_utts {args.max_utts}, expected 1 or more", mend="leave it out to take all")
    speakers = dict.fromkeys(line.strip() for _, line in read_lines(args.spk_list) if line.strip())
    sets = [read_nbest_dir(nbest_dir) for nbest_dir in args.nbest_dir]
    for nbest_dir, nbest in zip(args.nbest_dir, sets, strict=True):
        if PERTURBATION in nbest.info:  # it would pass for a clean set
            message = "perturbed lists"
            raise InputError(message, path=nbest_dir, mend="perturb the subset of the clean ones: it comes to the same")
    _require_disjoint(args.nbest_dir, sets)
    lists = sorted(
        (one for nbest in sets for one in nbest if default_speaker(one.utt) in speakers), key=lambda x: x.utt
    )
    if not lists:
        raise InputError(
            "none of these speakers has an utterance in the N-best directories",
            path=args.spk_list,
            mend="a speaker is the part of an utterance id before its first `-`, one a line",
        )
    found = {default_speaker(one.utt) for one in lists}
    absent = [speaker for speaker in speakers if speaker not in found]
    if args.max_utts and len(lists) > args.max_utts:
        lists = [lists[index * len(lists) // args.max_utts] for index in range(args.max_utts)]
    refs = {one.utt: nbest.refs[one.utt] for nbest in sets for one in nbest if nbest.refs}
    kept = {one.utt: refs[one.utt] for one in lists if one.utt in refs}
    info = {"source": "subset", "of": [str(path) for path in args.nbest_dir], "speakers": str(args.spk_list)}
    info |= _acoustic_scale(args.nbest_dir, sets)
    expansion = _expansion(args.nbest_dir, sets)
    for nbest_dir, nbest in zip(args.nbest_dir, sets, strict=True):
        require_same_metric(nbest, nbest_dir, sets[0], args.nbest_dir[0])
    info["metric"] = sets[0].metric
    info |= {CLEANER: sets[0].cleaner} if sets[0].cleaner else {}
    if args.out.resolve() in [path.resolve() for path in args.nbest_dir]:
        raise InputError("--out is one of --nbest_dir", path=args.out, mend="give the subset a name of its own")
    subset = NbestSet(tuple(lists), kept, info | ({EXPANSION: expansion.to_dict()} if expansion else {}))
    write_nbest_dir(args.out, subset)
    if expansion:
        expansion.write(args.out)
    print(f"{args.out}: {len(lists)} utterances")
    if absent:
        some = f"{len(absent)} of {len(speakers)} speakers"
        print(f"{args.spk_list}: {some} have no utterance in the N-best directories, the first is {absent[0]}")


def _acoustic_scale(nbest_dirs: Sequence[Path], sets: Sequence[NbestSet]) -> dict[str, Any]:
    """What the sets' costs in parts are weighted with, the same in all of them; empty where no set has one."""
    scales = [nbest.info.get("acoustic_scale") for nbest in sets]
    for nbest_dir, scale in zip(nbest_dirs, scales, strict=True):
        if scale != scales[0]:
            message = f"acoustic_scale {scale}, but {scales[0]} in {nbest_dirs[0]}"
            raise InputError(message, path=nbest_dir, mend="take sets of one kind, made at one scale")
    return {} if scales[0] is None else {"acoustic_scale": scales[0]}


def _expansion(nbest_dirs: Sequence[Path], sets: Sequence[NbestSet]) -> Expansion | None:
    """How the lists of all sets were expanded, without which what is perturbed of them would not be; None: not at all.

    Raises:
        InputError: They were expanded in different ways, or some of them not.
    """
    first, *others = [Expansion.of(nbest, path) for nbest, path in zip(sets, nbest_dirs, strict=True)]
    for nbest_dir, other in zip(nbest_dirs[1:], others, strict=True):
        if (other and other.to_dict()) != (first and first.to_dict()):
            message = f"not expanded as the lists of {nbest_dirs[0]} are"
            raise InputError(message, path=nbest_dir, mend="take the subset of the lists as they were, and expand that")
    return first


def _require_disjoint(nbest_dirs: Sequence[Path], sets: Sequence[NbestSet]) -> None:
    """Check that no utterance is in two sets, and that either all sets or none have references."""
    owner: dict[str, Path] = {}
    for nbest_dir, nbest in zip(nbest_dirs, sets, strict=True):
        if bool(nbest.refs) != bool(sets[0].refs):
            with_refs, without = (nbest_dir, nbest_dirs[0]) if nbest.refs else (nbest_dirs[0], nbest_dir)
            raise InputError(f"no references, but {with_refs} has them", path=without, mend="give stage 4 --ref")
        for one in nbest:
            if one.utt in owner:
                message = f"utterance {one.utt} is also in {owner[one.utt]}"
                raise InputError(message, path=nbest_dir, mend="take sets of different utterances")
            owner[one.utt] = nbest_dir
