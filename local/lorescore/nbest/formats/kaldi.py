"""Kaldi's N-best archives, `archives.JOB/` of rnnlm/lmrescore_nbest.sh and steps/rnnlmrescore.sh: keys `<utt>-<rank>`.

    words_text    utt-1 the cat sat
    acwt          utt-1 842.25        acoustic cost before the acoustic scale
    lmwt.nolm     utt-1 3.21          graph cost without the LM
    lmwt.lmonly   utt-1 8.76          the LM's cost; read from lmwt.withlm - lmwt.nolm where it is missing
    lmwt.withlm   utt-1 11.97         both

The first-pass cost is acoustic_scale x acwt + nolm + lmonly. The archives do not hold the scale: it is 1, or what
`--acoustic_scale` says (those scripts make their lists with 1 / inv_acwt). Where the graph costs are all 0 and the
scale is 1, acwt is the whole cost, which is how lists whose costs are not in parts are written.

Writing makes archives.1 without `ali` and the integer `words`, which need an alignment and a words.txt.
"""

import re
from collections.abc import Callable
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import atomic_write, read_lines, read_table, whole_directory, write_table
from lorescore.nbest.checks import require_same_keys
from lorescore.nbest.costs import read_costs
from lorescore.nbest.directory import parsed_key
from lorescore.nbest.formats.collect import Collector
from lorescore.nbest.formats.format import (
    COSTS,
    Format,
    FormatOptions,
    decimal,
    lost_contexts,
    lost_record,
    lost_references,
)
from lorescore.nbest.info import INFO
from lorescore.nbest.lists import CostParts, Hypothesis, NbestSet

NAME = "kaldi"
JOB_DIR = re.compile(r"archives\.([1-9][0-9]*)")
NO_WORDS_TEXT = "make it: utils/int2sym.pl -f 2- words.txt <words >words_text"
MAKE_AGAIN = "make the archives again: stages 3 to 5 of rnnlm/lmrescore_nbest.sh"
# A file's name, and what it has of a hypothesis.
COST_FILES: dict[str, Callable[[CostParts], float]] = {
    "acwt": lambda parts: parts.acoustic,
    "lmwt.nolm": lambda parts: parts.nolm,
    "lmwt.lmonly": lambda parts: parts.lmonly,
    "lmwt.withlm": lambda parts: parts.nolm + parts.lmonly,
}


def looks_like(path: Path) -> str | None:
    """archives.JOB, or a directory that is one of them."""
    if not path.is_dir():
        return None
    if any(JOB_DIR.fullmatch(one.name) and one.is_dir() for one in path.iterdir()):
        return "archives.JOB"
    is_archive = (path / "acwt").is_file() and (path / "lmwt.nolm").is_file()
    return "acwt and lmwt.nolm" if is_archive and not (path / INFO).exists() else None


def read(path: Path, options: FormatOptions) -> NbestSet:
    """The lists of all jobs.

    Raises:
        InputError: A job or a file is missing, a key is in some of the files only, a rank is missing or taken, or a
            cost is not a finite number.
    """
    lists, inputs = Collector(path), []
    keyed: list[tuple[str, int, str, CostParts, Path, int]] = []
    for job_dir in _job_dirs(path):
        words_path = job_dir / "words_text"
        mend = NO_WORDS_TEXT if (job_dir / "words").is_file() and not words_path.exists() else MAKE_AGAIN
        texts = read_table(words_path, mend=mend)
        acoustic, nolm, lmonly = _costs(job_dir, texts)
        for number, (key, text) in enumerate(texts.items(), start=1):
            utt, rank = parsed_key(key, words_path, number)
            keyed.append((utt, rank, text, CostParts(acoustic[key], nolm[key], lmonly[key]), words_path, number))
        inputs += [words_path, *(job_dir / name for name in COST_FILES if (job_dir / name).is_file())]
    in_parts = options.acoustic_scale != 1 or any(parts.nolm or parts.lmonly for _, _, _, parts, _, _ in keyed)
    if in_parts:
        lists.take_scale(options.acoustic_scale)
    for utt, rank, text, parts, words_path, number in keyed:
        whole = Hypothesis.from_parts(text, parts, options.acoustic_scale)
        lists.add(utt, rank, whole if in_parts else Hypothesis(text, whole.score), line=number, path=words_path)
    return lists.nbest_set(NAME, options, inputs)


def _job_dirs(path: Path) -> list[Path]:
    """The directories of the jobs in their order, or the directory itself where it is that of a job.

    Raises:
        InputError: One is missing, so that its utterances would be left out without a word.
    """
    try:
        jobs = {int(match[1]): one for one in path.iterdir() if (match := JOB_DIR.fullmatch(one.name)) and one.is_dir()}
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path, mend="check the path") from error
    if not jobs:
        return [path]
    expected = max(jobs)
    if (path / "num_jobs").is_file():
        written = "".join(line.strip() for _, line in read_lines(path / "num_jobs"))
        expected = max(expected, int(written)) if written.isascii() and written.isdigit() else expected
    for job in range(1, expected + 1):
        if job not in jobs:
            raise InputError(f"archives.{job} of {expected} is missing", path=path, mend=MAKE_AGAIN)
    return [jobs[job] for job in sorted(jobs)]


def _costs(job_dir: Path, texts: dict[str, str]) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """The acoustic, nolm and lmonly costs of a job by key."""

    def costs(name: str) -> dict[str, float]:
        found = read_costs(job_dir / name, mend=MAKE_AGAIN)
        require_same_keys(texts, found, job_dir / "words_text", job_dir / name)
        return found

    acoustic, nolm = costs("acwt"), costs("lmwt.nolm")
    if (job_dir / "lmwt.lmonly").is_file() or not (job_dir / "lmwt.withlm").is_file():
        return acoustic, nolm, costs("lmwt.lmonly")
    with_lm = costs("lmwt.withlm")
    return acoustic, nolm, {key: with_lm[key] - nolm[key] for key in texts}


def write(path: Path, nbest: NbestSet, options: FormatOptions) -> None:
    """Write archives.1 and num_jobs.

    Raises:
        InputError: There is something at `path`; or only some hypotheses have their cost in parts.
    """
    keyed = [(key, one) for a in nbest for key, one in zip(a.nbest_keys(), a.hypotheses, strict=True)]
    parts = [(key, one.parts or CostParts(-one.score, 0.0, 0.0)) for key, one in keyed]
    if len({one.parts is None for _, one in keyed}) > 1:
        mend = "take lists from one kind of source"
        raise InputError("only some hypotheses have their cost in parts, expected all or none", path=path, mend=mend)
    with whole_directory(path) as temporary:
        job_dir = temporary / "archives.1"
        write_table(job_dir / "words_text", [(key, one.text) for key, one in keyed])
        for name, part_of in COST_FILES.items():
            write_table(job_dir / name, [(key, decimal(part_of(one))) for key, one in parts])
        with atomic_write(temporary / "num_jobs") as file:
            file.write("1\n")


def drops(nbest: NbestSet) -> list[str]:
    """What the format has no room for."""
    scale = nbest.info.get("acoustic_scale", 1.0)
    lost = [f"the acoustic scale (read back with --acoustic_scale {scale:g})"] if nbest.has_parts and scale != 1 else []
    return lost + lost_references(nbest) + lost_contexts(nbest) + lost_record(nbest)


FORMAT = Format(
    NAME,
    "archives.JOB/{words_text,acwt,lmwt.nolm,lmwt.lmonly}, keys utt-rank",
    COSTS,
    looks_like,
    read,
    write,
    drops,
    unread="ali, words and the costs of other LMs (lmwt.*)",
    more="make the archives with --N above 1",
)
