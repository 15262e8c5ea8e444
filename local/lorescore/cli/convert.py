"""`convert`: N-best lists from one format to another; shows what was read and says what is lost."""

import argparse
from pathlib import Path

from lorescore.cli.import_nbest import wer_lines
from lorescore.cli.letter_case import warn_of_case
from lorescore.combine import first_pass
from lorescore.errors import InputError
from lorescore.nbest.formats import (
    FORMATS,
    FormatOptions,
    find_format,
    format_for_writing,
    format_named,
    reading_lines,
    writing_lines,
)

GIVEN = "as given"
LAYOUTS = "; ".join(f"{form.name}: {form.layout}" for form in FORMATS.values())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.epilog = LAYOUTS
    parser.add_argument("input", type=Path, metavar="IN", help="N-best lists: a file or a directory")
    parser.add_argument("output", type=Path, metavar="OUT", help="where to write them")
    parser.add_argument(
        "--from", "--format", dest="source", metavar="FORMAT", help="format of IN; else it is found by looking"
    )
    parser.add_argument("--to", dest="target", metavar="FORMAT", help="format of OUT; else the name of OUT says it")
    parser.add_argument("--ref", type=Path, help="Kaldi text of the references; else those that IN has")
    parser.add_argument(
        "--utts", type=Path, help="nemo, IN or OUT: its manifest, or the utterance ids in the order of the beams"
    )
    parser.add_argument(
        "--acoustic_scale", type=float, default=1.0, help="kaldi, IN: weight of acwt against the graph costs"
    )


def run(args: argparse.Namespace) -> None:
    """Find the formats, read, show, write."""
    source, why_source = (format_named(args.source, "--from"), GIVEN) if args.source else find_format(args.input)
    target, why_target = (format_named(args.target, "--to"), GIVEN) if args.target else format_for_writing(args.output)
    if args.utts and "nemo" not in (source.name, target.name):
        raise InputError(f"--utts is for nemo, not for {source.name} to {target.name}", mend="leave it out")
    if args.acoustic_scale != 1 and source.name != "kaldi":
        raise InputError(f"--acoustic_scale is for kaldi, not for {source.name}", mend="leave it out")
    if args.input.exists() and args.output.exists() and args.output.samefile(args.input):
        raise InputError("IN and OUT are the same", path=args.output, mend="choose another name for OUT")
    options = FormatOptions(args.ref, args.utts, args.acoustic_scale)
    nbest = source.read(args.input, options)
    wers = wer_lines(nbest) if nbest.refs else []
    if nbest.refs:
        warn_of_case(args.input, nbest.refs, first_pass(nbest), nbest.metric, nbest.cleaner)
    target.write(args.output, nbest, options)
    for line in reading_lines(args.input, source, why_source, nbest):
        print(line)
    for line in wers:
        print(f"{args.input}: {line}")
    for line in writing_lines(args.output, target, why_target, nbest):
        print(line)
