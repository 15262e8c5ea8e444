"""ESPnet's decode directory as a format: `lorescore.nbest.espnet` reads it, and here it is written.

    logdir/output.1/{N}best_recog/text     utt the cat sat
    logdir/output.1/{N}best_recog/score    utt -1.25

ESPnet's `token` and `token_int` are not written: an N-best list has words only.
"""

from pathlib import Path

from lorescore.files import whole_directory, write_table
from lorescore.nbest.espnet import JOB_DIR, read_espnet_decode
from lorescore.nbest.formats.format import (
    LOG_SCORES,
    Format,
    FormatOptions,
    decimal,
    lost_contexts,
    lost_parts,
    lost_record,
    lost_references,
)
from lorescore.nbest.lists import NbestSet

NAME = "espnet"


def looks_like(path: Path) -> str | None:
    """logdir, or the output.J of logdir."""
    if (path / "logdir").is_dir():
        return "logdir"
    if path.is_dir() and any(JOB_DIR.fullmatch(one.name) and one.is_dir() for one in path.iterdir()):
        return "output.J"
    return None


def read(path: Path, options: FormatOptions) -> NbestSet:
    """The lists of a decode directory; raises as `read_espnet_decode`."""
    return read_espnet_decode(path, options.ref)


def write(path: Path, nbest: NbestSet, options: FormatOptions) -> None:
    """Write the decode as that of one job.

    Raises:
        InputError: There is something at `path`.
    """
    with whole_directory(path) as temporary:
        for rank in range(1, max((len(one.hypotheses) for one in nbest), default=0) + 1):
            rank_dir = temporary / "logdir" / "output.1" / f"{rank}best_recog"
            ranked = [(one.utt, one.hypotheses[rank - 1]) for one in nbest if len(one.hypotheses) >= rank]
            write_table(rank_dir / "text", [(utt, hypothesis.text) for utt, hypothesis in ranked])
            write_table(rank_dir / "score", [(utt, decimal(hypothesis.score)) for utt, hypothesis in ranked])


def drops(nbest: NbestSet) -> list[str]:
    """What the format has no room for."""
    return lost_references(nbest) + lost_parts(nbest) + lost_contexts(nbest) + lost_record(nbest)


FORMAT = Format(
    NAME,
    "logdir/output.J/{N}best_recog/{text,score}",
    LOG_SCORES,
    looks_like,
    read,
    write,
    drops,
    unread="token and token_int",
    more="decode with nbest above 1: `nbest: 10` in the decoding configuration, asr.sh --inference_args '--nbest 10'",
)
