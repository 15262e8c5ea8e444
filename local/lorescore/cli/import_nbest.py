"""`import-nbest`: a decode, or the lattices of a set -> an N-best directory, with first-pass and oracle WER."""

import argparse
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lorescore.choices import require_choice
from lorescore.cli.letter_case import warn_of_case
from lorescore.cli.uses import refuse_options
from lorescore.combine import first_pass, oracle
from lorescore.errors import InputError
from lorescore.files import checksum, read_table, read_yaml
from lorescore.lattice.archives import read_lattices
from lorescore.lattice.nbest import NOTHING, PathSettings, lists_from_lattices, stands_in
from lorescore.lattice.ngram import NgramModel
from lorescore.lattice.sampling import NBEST_SCALE
from lorescore.nbest import Hypothesis, NbestSet, read_nbest_dir, write_nbest_dir
from lorescore.nbest.context import num_recordings, read_segments, with_context
from lorescore.nbest.directory import content_checksum
from lorescore.nbest.espnet import read_espnet_decode
from lorescore.nbest.formats import FORMATS, Format, FormatOptions, find_format, format_named, reading_lines
from lorescore.nbest.formats.format import NO_CHOICE
from lorescore.nbest.info import INFO, is_nbest_dir
from lorescore.nbest.nlsyms import read_nlsyms, without_nlsyms
from lorescore.wer import CER, METRICS, WER, EditCounts, edit_counts, wer_line
from lorescore.wer.cleaning import CLEANERS, clean, require_cleaner
from lorescore.wer.cleaning import INFO_KEY as CLEANER
from lorescore.wer.units import first_decomposed

logger = logging.getLogger(__name__)

NO_REFS = "without references, so no WER; weights cannot be tuned on these lists, nor a rescorer trained (--ref)"
DECODE_OPTIONS = ("format", "utts", "nlsyms_txt")
LATTICE_OPTIONS = ("words", "num_hyps", "lm_arpa", "sample", "seed", "nbest_scale", "fallback")
EMPTY = "empty"  # what --fallback may say instead of naming a first pass
LATTICE_ORACLE = "lattice_oracle"  # where nbest.yaml has the lattices' %WER line, which needs the lattices
# What nbest.yaml says of the lists that were made; everything else there says what they were made from and how.
RESULTS = {"utterances", "hypotheses", "n", "checksum", "fallbacks", "stopped", LATTICE_ORACLE}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--decode_dir",
        type=Path,
        help="N-best lists of a set: an ESPnet decode with logdir/output.J, or a file or directory in another format",
    )
    source.add_argument(
        "--lattice_dir",
        type=Path,
        help="lattices of a set: a directory with Kaldi archives lat.JOB.gz or with SLF files, or one archive",
    )
    parser.add_argument("--ref", type=Path, help="Kaldi text of the references")
    parser.add_argument("--out", type=Path, required=True, help="N-best directory to write: exp/nbest/<set>")
    parser.add_argument(
        "--context",
        type=int,
        default=0,
        help="utterances before each one whose first-pass 1-best a clm reads too (default: those that the lists bring)",
    )
    parser.add_argument(
        "--context_chosen",
        type=int,
        default=0,
        help="further utterances of the recording that a clm reads first: those with words on which hypotheses differ",
    )
    parser.add_argument(
        "--segments",
        type=Path,
        help="Kaldi segments, for --context; else a recording is the utterance id up to its last -",
    )
    parser.add_argument(
        "--metric",
        help="what errors are counted in, here and by all stages: wer, words (the default), or cer, characters, for "
        "languages that are written without spaces",
    )
    parser.add_argument(
        "--cleaner",
        help="what is done to references and hypotheses before errors are counted, here and by all stages, and not to "
        f"what the PLM reads: {', '.join(CLEANERS)} (default: nothing)",
    )
    decode = parser.add_argument_group("with --decode_dir")
    decode.add_argument(
        "--format", help=f"format of --decode_dir: {', '.join(FORMATS)}; else it is found by looking (see `convert`)"
    )
    decode.add_argument("--utts", type=Path, help="nemo: its manifest, or the utterance ids in the order of the beams")
    decode.add_argument(
        "--nlsyms_txt",
        type=Path,
        help="ESPnet's file of non-linguistic symbols, such as [noise], one a line: hypotheses and references come in "
        "without them",
    )
    lattices = parser.add_argument_group("with --lattice_dir")
    lattices.add_argument(
        "--words",
        type=Path,
        help="words.txt of the lattices, or tokens.txt, whose pieces are joined; else the words.txt beside them",
    )
    lattices.add_argument("--num_hyps", type=int, default=10, help="distinct hypotheses of a list at most")
    lattices.add_argument(
        "--acoustic_scale", type=float, default=1.0, help="weight of acoustic against graph cost (kaldi archives too)"
    )
    lattices.add_argument(
        "--lm_arpa",
        type=Path,
        help="the n-gram model that the graph costs hold: its costs go to lmwt.lmonly, the rest to lmwt.nolm; else all "
        "of them count as the model's",
    )
    lattices.add_argument(
        "--sample", action="store_true", help="draw --num_hyps random paths as k2 does, instead of the n best"
    )
    lattices.add_argument("--seed", type=int, default=0, help="seed of --sample")
    lattices.add_argument("--nbest_scale", type=float, default=NBEST_SCALE, help="scale of the costs in --sample")
    lattices.add_argument(
        "--fallback",
        help="ESPnet decode or N-best directory whose best stands in where a lattice is missing or has no path; "
        f"{EMPTY}: an empty hypothesis does; else that is an error",
    )


def run(args: argparse.Namespace) -> None:
    """Read everything, check it, write the directory, print its WERs."""
    if args.metric is not None:
        require_choice("--metric", args.metric, METRICS)
    require_cleaner(args.cleaner)
    used, unused = ("--lattice_dir", DECODE_OPTIONS) if args.lattice_dir else ("--decode_dir", LATTICE_OPTIONS)
    refuse_options(args, unused, add_arguments, used, "leave it out")
    _require_apart(args, used)
    form, why = (None, "") if args.lattice_dir else _decode_format(args)
    if form and form.name != "kaldi" and args.decode_dir.exists():  # else its reader says what is missing
        refuse_options(args, ["acoustic_scale"], add_arguments, f"lists of {form.name}", "leave it out")
    nbest, is_new = _from_decode(args, form) if form else _from_lattices(args)
    _require_choice(nbest, args, form)
    if is_new:
        places = read_segments(args.segments) if args.segments else None
        if args.context or args.context_chosen:  # else lists keep the contexts that they bring
            nbest = with_context(nbest, args.context, places, args.context_chosen)
            _say_contexts(args, nbest, num_recordings(nbest, places))
    wers = wer_lines(nbest) if nbest.refs else []
    _warn_of_decomposed(nbest)
    if nbest.refs:
        decode = args.decode_dir or args.lattice_dir
        warn_of_case(decode, nbest.refs, first_pass(nbest), nbest.metric, nbest.cleaner)
    if is_new:
        write_nbest_dir(args.out, nbest)
    if form and form.name != "espnet":
        for line in reading_lines(args.decode_dir, form, why, nbest):
            print(line)
    if not is_new:
        print(f"{args.out}: up to date")
    print(f"{args.out}: {len(nbest)} utterances, {nbest.num_hypotheses} hypotheses")
    if nbest.info.get("fallbacks"):
        what = stands_in(args.fallback == EMPTY)
        print(f"{args.out}: {nbest.info['fallbacks']} of them without a lattice, with {what} alone")
    if nbest.info.get("stopped"):
        print(f"{args.out}: {nbest.info['stopped']} searches in large lattices were stopped")
    if not nbest.refs:
        print(f"{args.out}: {NO_REFS}")
    for line in wers:
        print(f"{args.out}: {line}")


def _say_contexts(args: argparse.Namespace, nbest: NbestSet, recordings: int) -> None:
    num_with = sum(bool(one.context) for one in nbest)
    said = f"{num_with} of {len(nbest)} utterances have a context, in {recordings} recordings"
    if num_with:
        print(f"{args.out}: {said}")
    else:
        by_ids = "" if args.segments else " by their ids; give --segments"
        given = f"--context {args.context}" if args.context else f"--context_chosen {args.context_chosen}"
        logger.warning("%s: %s does nothing: %s%s", args.out, given, said, by_ids)


def _require_choice(nbest: NbestSet, args: argparse.Namespace, form: Format | None) -> None:
    """Check that there is something to rescore; one hypothesis of a lattice may be asked for.

    Raises:
        InputError: No utterance has two different hypotheses.
    """
    if nbest.has_choice or form is None and args.num_hyps == 1:
        return
    mend = form.more if form else "make lattices with a wider beam; --num_hyps 1 takes the best alone"
    raise InputError(NO_CHOICE, path=args.decode_dir if form else args.lattice_dir, mend=mend)


def _require_apart(args: argparse.Namespace, option: str) -> None:
    """Check that the lists do not go into what they are made from.

    Raises:
        InputError: --out is --decode_dir or --lattice_dir, or lies in it.
    """
    source, out = (args.decode_dir or args.lattice_dir).resolve(), args.out.resolve()
    if source in (out, *out.parents):
        where = "is" if source == out else "lies in"
        raise InputError(f"--out {where} {option}", path=args.out, mend="name another: exp/nbest/<set>")


def _decode_format(args: argparse.Namespace) -> tuple[Format, str]:
    """The format of --decode_dir, and why; ESPnet's, whose reader says what it misses, where it looks like none."""
    if args.format:
        return format_named(args.format, "--format"), "as given"
    path = args.decode_dir
    if not path.exists() or path.is_dir() and all(form.looks_like(path) is None for form in FORMATS.values()):
        return FORMATS["espnet"], ""
    return find_format(path)


def _from_decode(args: argparse.Namespace, form: Format) -> tuple[NbestSet, bool]:
    """The lists of a decode, and whether the directory has yet to be written."""
    nbest = form.read(args.decode_dir, FormatOptions(args.ref, args.utts, args.acoustic_scale))
    info = {**nbest.info, "metric": args.metric or nbest.metric, **_cleaner(args), **_context_settings(args)}
    if args.nlsyms_txt:
        symbols = read_nlsyms(args.nlsyms_txt)
        info["nlsyms"] = symbols
        nbest = without_nlsyms(replace(nbest, info=info), symbols)
    return replace(nbest, info=info), not _is_up_to_date(args.out, info)


def _from_lattices(args: argparse.Namespace) -> tuple[NbestSet, bool]:
    """The lists of lattices, and whether the directory has yet to be written; what is up to date is not made again."""
    settings = PathSettings(args.num_hyps, args.acoustic_scale, args.sample, args.seed, args.nbest_scale)
    refs = read_table(args.ref, mend="correct --ref") if args.ref else {}
    if args.ref and not refs:
        raise InputError("empty, expected `utt words`", path=args.ref, mend="correct --ref")
    fallback: dict[str, Hypothesis] | Hypothesis = NOTHING if args.fallback == EMPTY else {}
    wanted = settings.provenance() | {"input_checksum": checksum(_input_files(args))}
    wanted |= {"metric": args.metric or WER} | _cleaner(args) | _context_settings(args)
    if args.fallback == EMPTY:
        wanted["fallback_checksum"] = EMPTY
    elif args.fallback:
        stand_in = _first_pass(Path(args.fallback))
        wanted["fallback_checksum"] = stand_in.info.get("checksum") or stand_in.info["input_checksum"]
        fallback = {one.utt: one.hypotheses[0] for one in stand_in}
    if _is_up_to_date(args.out, wanted):
        return read_nbest_dir(args.out), False
    lattices = read_lattices(args.lattice_dir, args.words, require_path=False)
    lm_cost = NgramModel.read(args.lm_arpa).lm_cost if args.lm_arpa else None
    made = lists_from_lattices(lattices, settings, refs=refs, fallback=fallback, lm_cost=lm_cost)
    info = {**made.nbest.info, **wanted}
    # The path with the fewest word errors need not be that of characters, or of cleaned texts.
    if refs and wanted["metric"] == WER and not args.cleaner:
        info[LATTICE_ORACLE] = _wer_of(refs, made.oracle, WER, None)
    return replace(made.nbest, info=info), True


def _first_pass(directory: Path) -> NbestSet:
    """The lists of an N-best directory or an ESPnet decode."""
    return read_nbest_dir(directory) if is_nbest_dir(directory) else read_espnet_decode(directory)


def _cleaner(args: argparse.Namespace) -> dict[str, Any]:
    """The cleaner, as `nbest.yaml` has it."""
    return {CLEANER: args.cleaner} if args.cleaner else {}


def _context_settings(args: argparse.Namespace) -> dict[str, Any]:
    """What the contexts of the lists depend on besides the lists, as `nbest.yaml` has it."""
    chosen = {"context_chosen": args.context_chosen} if args.context_chosen else {}
    segments = {"segments_checksum": checksum([args.segments])} if args.segments else {}
    return {"context": args.context} | chosen | segments


def _input_files(args: argparse.Namespace) -> Iterator[Path]:
    """Everything that the lists of lattices depend on."""
    if args.lattice_dir.is_dir():
        yield from sorted(path for path in args.lattice_dir.iterdir() if path.is_file())
    else:
        yield args.lattice_dir
        if not args.words and (beside := args.lattice_dir.with_name("words.txt")).is_file():
            yield beside
    yield from (path for path in (args.words, args.ref, args.lm_arpa) if path)


def _is_up_to_date(nbest_dir: Path, wanted: Mapping[str, Any]) -> bool:
    """Whether the directory was made from the same input with the same settings, and is as it was written.

    Args:
        nbest_dir: The directory.
        wanted: What its `nbest.yaml` would say; a setting that is recorded there but not here was taken away.
    """
    if not (nbest_dir / INFO).is_file():
        return False
    info = read_yaml(nbest_dir / INFO)
    recorded, now = ({key: one[key] for key in one.keys() - RESULTS} for one in (info, wanted))
    return recorded == now and info.get("checksum") == content_checksum(nbest_dir)


def wer_lines(nbest: NbestSet) -> list[str]:
    """Kaldi's %WER lines, named: of the first pass's best, and of the best that the lists, and the lattices, hold."""
    lines = {
        name: _wer_of(nbest.refs, texts, nbest.metric, nbest.cleaner)
        for name, texts in (("1-best", first_pass(nbest)), ("oracle", oracle(nbest)))
    }
    if LATTICE_ORACLE in nbest.info:
        lines["lattice oracle"] = nbest.info[LATTICE_ORACLE]
    return [f"{name}{', characters:' if nbest.metric == CER else ''} {line}" for name, line in lines.items()]


def _wer_of(refs: Mapping[str, str], texts: Mapping[str, str], metric: str, cleaner: str | None) -> str:
    """The %WER line of texts."""
    pairs = ((clean(refs[utt], cleaner), clean(text, cleaner)) for utt, text in texts.items())
    return wer_line(sum((edit_counts(ref, hyp, metric) for ref, hyp in pairs), EditCounts()))


def _warn_of_decomposed(nbest: NbestSet) -> None:
    """Say where marks that are written apart count as characters: then two forms of one text are not equal."""
    if nbest.metric != CER:
        return
    hyps = (text for one in nbest for text in one.texts)
    for what, texts in (("references", nbest.refs.values()), ("hypotheses", hyps)):
        if text := first_decomposed(texts):
            logger.warning(
                "%s are not in Unicode's form NFC, such as %r: a mark that is written apart counts as a character; "
                "normalize references and decode alike where their forms differ",
                what,
                text[:40],
            )
