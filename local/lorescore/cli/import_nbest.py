"""`import-nbest`: an ESPnet decode as it stands -> an N-best directory, with first-pass and oracle WER."""

import argparse
from pathlib import Path

from lorescore.combine import first_pass, oracle
from lorescore.files import read_yaml
from lorescore.nbest import NbestSet, write_nbest_dir
from lorescore.nbest.directory import content_checksum
from lorescore.nbest.espnet import read_espnet_decode
from lorescore.wer import EditCounts, edit_counts, wer_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("--decode_dir", type=Path, required=True, help="ESPnet decode of a set, with logdir/output.J")
    parser.add_argument("--ref", type=Path, help="Kaldi text of the references")
    parser.add_argument("--out", type=Path, required=True, help="N-best directory to write: exp/nbest/<set>")


def run(args: argparse.Namespace) -> None:
    """Read everything, check it, write the directory, print its WERs."""
    nbest = read_espnet_decode(args.decode_dir, args.ref)
    wers = _wers(nbest) if nbest.refs else {}
    if _is_up_to_date(args.out, nbest):
        print(f"{args.out}: up to date")
    else:
        write_nbest_dir(args.out, nbest)
    print(f"{args.out}: {len(nbest)} utterances, {nbest.num_hypotheses} hypotheses")
    for name, line in wers.items():
        print(f"{args.out}: {name} {line}")


def _is_up_to_date(nbest_dir: Path, nbest: NbestSet) -> bool:
    """Whether the directory was made from the same input and is as it was written."""
    if not (nbest_dir / "nbest.yaml").is_file():
        return False
    info = read_yaml(nbest_dir / "nbest.yaml")
    same_input = info.get("input_checksum") == nbest.info["input_checksum"]
    return same_input and info.get("checksum") == content_checksum(nbest_dir)


def _wers(nbest: NbestSet) -> dict[str, str]:
    """Kaldi's %WER lines of the first pass's best and of the best that the lists hold."""
    lines = {}
    for name, texts in (("1-best", first_pass(nbest)), ("oracle", oracle(nbest))):
        counts = sum((edit_counts(nbest.refs[utt], text) for utt, text in texts.items()), EditCounts())
        lines[name] = wer_line(counts)
    return lines
