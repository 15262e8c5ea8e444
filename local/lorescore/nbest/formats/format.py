"""What a format of N-best lists is: how it is recognised, read and written, and what it cannot hold."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lorescore.choices import require_positive
from lorescore.nbest.lists import NbestSet
from lorescore.wer.units import WER

HEAD_BYTES = 1 << 16  # of a file, in which its format is looked for, and at least its first line
LINE_BYTES = 1 << 26  # of that line at most
HEAD_LINES = 100
MAGIC_BYTES = 8
LOG_SCORES = "log scores (higher is better)"
COSTS = "costs (negative log scores, lower is better)"
NO_CHOICE = "no utterance has two different hypotheses: there is nothing to rescore"
NO_SCORES = "no scores (every score is 0)"


@dataclass(frozen=True, slots=True)
class FormatOptions:
    """What some formats need to be told.

    Attributes:
        ref: Kaldi `text` of the references; they take the place of the lists' own.
        utts: Utterance ids in the order of the lists, for a format that does not hold ids (NeMo).
        acoustic_scale: Weight of the acoustic cost, above 0, where a format has the cost in parts without it (Kaldi).
    """

    ref: Path | None = None
    utts: Path | None = None
    acoustic_scale: float = 1.0

    def __post_init__(self) -> None:
        """Check the scale."""
        require_positive("--acoustic_scale", self.acoustic_scale, "correct it")


@dataclass(frozen=True, slots=True)
class Format:
    """A format.

    Attributes:
        name: The user's word for it.
        layout: What it looks like, in a few words.
        scores: What its scores mean; fixed, never guessed.
        looks_like: What in the content of a file or directory speaks for this format; None: it is another one.
        read: Its lists. Raises InputError.
        write: Write lists; what stood under that name is replaced where it is a file. Raises InputError.
        drops: What of these lists the format cannot hold, in a few words each.
        suffixes: Ends of a name by which it is chosen for writing; "" is a name without any.
        unread: What the reader leaves aside.
        more: How a user comes by more than the best hypothesis of an utterance.
    """

    name: str
    layout: str
    scores: str
    looks_like: Callable[[Path], str | None]
    read: Callable[[Path, FormatOptions], NbestSet]
    write: Callable[[Path, NbestSet, FormatOptions], None]
    drops: Callable[[NbestSet], list[str]]
    suffixes: tuple[str, ...] = ()
    unread: str = ""
    more: str = "take lists of more than the decoder's best hypothesis"


def head_lines(path: Path) -> list[str]:
    """The first lines of a file as far as they are whole; empty for what is no file or cannot be read.

    Bytes that are not UTF-8 are replaced here: the reader names their line.
    """
    lines = head_text(path).split("\n")
    return [line.rstrip("\r") for line in lines[:HEAD_LINES] if line.rstrip("\r")]


def head_text(path: Path) -> str:
    """The beginning of a file, up to a line end where there is one; empty for what is no file or cannot be read."""
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            raw = file.read(HEAD_BYTES)
            if b"\n" not in raw:
                raw += file.readline(LINE_BYTES)
    except OSError:
        return ""  # the reader says why
    if len(raw) >= HEAD_BYTES and b"\n" in raw:
        raw = raw[: raw.rindex(b"\n")]
    return raw.decode("utf-8", errors="replace").removeprefix("\ufeff")


def first_bytes(path: Path) -> bytes:
    """The bytes that tell a binary file; empty for what is no file or cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(MAGIC_BYTES)
    except OSError:
        return b""  # the reader says why


def mostly(lines: list[str], fits: Callable[[str], object]) -> bool:
    """Whether more than half of the lines fit: one bad line does not hide the format, the reader names it."""
    return 2 * sum(bool(fits(line)) for line in lines) > len(lines)


def is_number(word: str) -> bool:
    """Whether a word is a number, finite or not."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def decimal(score: float) -> str:
    """A score as text from which exactly the same number is read."""
    return repr(float(score))


def lost_parts(nbest: NbestSet) -> list[str]:
    """For `drops`: the parts of costs, where a format has room for their sum alone."""
    return ["the parts of the costs (their weighted sum is kept)"] if nbest.has_parts else []


def lost_references(nbest: NbestSet) -> list[str]:
    """For `drops`: references."""
    return ["the references (keep the file for --ref)"] if nbest.refs else []


def lost_contexts(nbest: NbestSet) -> list[str]:
    """For `drops`: contexts."""
    return ["the contexts of the utterances"] if any(one.context for one in nbest) else []


def lost_record(nbest: NbestSet) -> list[str]:
    """For `drops`: what an N-best directory has besides the lists: a metric of its own, a cleaner, an expansion."""
    lost = ["which hypotheses an expansion has added"] if any(one.added for one in nbest) else []
    lost += [f"the metric {nbest.metric} (give import-nbest --metric {nbest.metric})"] if nbest.metric != WER else []
    lost += [f"the cleaner {nbest.cleaner} (give import-nbest --cleaner {nbest.cleaner})"] if nbest.cleaner else []
    return lost + (["the record of the perturbation in nbest.yaml"] if "perturbation" in nbest.info else [])
