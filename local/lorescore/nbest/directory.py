"""The N-best directory: Kaldi's N-best archive convention, keys `<utt>-<rank>` (as in Kaldi's lmrescore_nbest.sh).

    words_text   utt-1 the cat sat     an empty hypothesis is the key alone
    acwt         utt-1 12.3456         first-pass cost, the negative log score
    lmwt.nolm    utt-1 3.2100          only where the source keeps the parts of the cost apart: graph cost without the
    lmwt.lmonly  utt-1 8.7600          first pass's LM, and that LM's cost; acwt is the acoustic cost alone then
    lmwt.<tag>   utt-1 45.6789         a scorer's cost, the negative PLM score
    text         utt the cat sat       references, where there are any
    context      utt a dog <s> it sat  what stands before an utterance in its recording, where that is taken into
                                       account: utterances, oldest first, between them <s>
    added        utt 6                 how many hypotheses at the end of a list an expansion has added, where any
    cleaner      whisper_en            what is done to texts before their errors are counted, where anything is
    nbest.yaml                         source, metric (wer or cer), counts, checksum, perturbation, expansion

With the cost in parts, `nbest.yaml` has the `acoustic_scale`, and the first-pass cost is
acoustic_scale x acwt + nolm + lmonly. A directory that was made elsewhere may lack `nbest.yaml`: see
`lorescore.nbest.info`.
"""

import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sized
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from lorescore.errors import InputError
from lorescore.files import (
    checksum,
    process_name,
    read_table,
    remove_left_behind,
    single_spaced,
    unwritable,
    write_table,
    write_yaml,
)
from lorescore.nbest.checks import require_references, require_same_keys
from lorescore.nbest.costs import read_costs, write_costs
from lorescore.nbest.info import (
    INFO,
    MISSING_DIR,
    begin_writing,
    end_writing,
    is_nbest_dir,
    is_unfinished,
    read_info,
)
from lorescore.nbest.lists import CostParts, Hypothesis, NbestList, NbestSet
from lorescore.wer.cleaning import INFO_KEY as CLEANER
from lorescore.wer.cleaning import read_cleaner
from lorescore.wer.units import require_metric

CORRECT_KEYS = "correct the keys, or make the directory again: stage 4"
CONTEXT = "context"
BETWEEN = "<s>"  # in it, between two utterances
PART_FILES = ("lmwt.nolm", "lmwt.lmonly")
MAX_RANK_DIGITS = 9
PARTIAL = ".partial."  # then a `process_name`: the folder in which it writes a directory
# The files that nbest.yaml has the checksum of, in this order; those after the first two need not be there.
CONTENT = ("words_text", "acwt", "text", *PART_FILES, CONTEXT, "added", CLEANER)


def read_nbest_dir(nbest_dir: Path) -> NbestSet:
    """Read an N-best directory.

    The set's `info` has the checksum of the files as they are, so that files changed by hand count as other files.

    Raises:
        InputError: It is half-written, a file is missing or empty, a key is doubled, malformed or without a score, a
            rank is missing, a score is not a finite number, an utterance has a list but no reference (or the other way
            round), the cost is in parts of which one or the acoustic scale is missing, or there is no such cleaner.
    """
    words_path, ref_path = nbest_dir / "words_text", nbest_dir / "text"
    info = read_info(nbest_dir)
    texts = read_table(words_path, mend=MISSING_DIR)
    if not texts:
        raise InputError("empty, expected `<utt>-<rank> words`", path=words_path, mend=MISSING_DIR)
    info["checksum"] = content_checksum(nbest_dir)
    require_metric(info, nbest_dir / INFO)
    info.pop(CLEANER, None)  # what import-nbest was asked for; what is there counts
    if cleaner := read_cleaner(nbest_dir):
        info[CLEANER] = cleaner
    by_utt: dict[str, dict[int, Hypothesis]] = {}
    lines: dict[str, tuple[Path, int]] = {}
    hypotheses = _hypotheses(nbest_dir, texts, info)
    for number, (key, hypothesis) in enumerate(zip(texts, hypotheses, strict=True), start=1):
        utt, rank = parsed_key(key, words_path, number)
        if utt not in by_utt:
            by_utt[utt], lines[utt] = {}, (words_path, number)
        by_utt[utt][rank] = hypothesis
    refs = read_table(ref_path) if ref_path.is_file() else {}
    if refs:
        require_references(lines, refs, words_path, ref_path)
    lists = tuple(ranked_list(utt, by_utt[utt], words_path, CORRECT_KEYS) for utt in sorted(by_utt))
    if (nbest_dir / CONTEXT).is_file():
        contexts = _contexts(nbest_dir / CONTEXT, by_utt)
        lists = tuple(replace(one, context=contexts.get(one.utt, ())) for one in lists)
    if (nbest_dir / "added").is_file():
        added = _added(nbest_dir / "added", by_utt)
        lists = tuple(replace(one, added=added.get(one.utt, 0)) for one in lists)
    return NbestSet(lists, refs, info)


def write_nbest_dir(nbest_dir: Path, nbest: NbestSet) -> None:
    """Write an N-best directory; `nbest.info` is completed with the counts and the checksum of what was written.

    Raises:
        InputError: Only some hypotheses have their cost in parts, or the set has no acoustic scale for them; there is
            something else under that name, such as lists from elsewhere; or a file cannot be written. What was there
            is left then.
    """
    keyed = [
        (key, hypothesis) for one in nbest for key, hypothesis in zip(one.nbest_keys(), one.hypotheses, strict=True)
    ]
    parts = [(key, hypothesis.parts) for key, hypothesis in keyed if hypothesis.parts is not None]
    if parts:
        _acoustic_scale(nbest.info, nbest_dir / INFO)
        if len(parts) < len(keyed):
            message = f"{len(parts)} of {len(keyed)} hypotheses have their cost in parts, expected all or none"
            raise InputError(message, path=nbest_dir, mend="take lists from one kind of source")
    require_replaceable(nbest_dir)
    # All is written in a folder of its own first: where it cannot be, what the directory holds stays.
    remove_left_behind(nbest_dir, PARTIAL)
    partial = nbest_dir / f"{PARTIAL}{process_name()}"
    try:
        write_table(partial / "words_text", [(key, hypothesis.text) for key, hypothesis in keyed])
        if parts:
            write_costs(partial / "acwt", [(key, one.acoustic) for key, one in parts])
            write_costs(partial / "lmwt.nolm", [(key, one.nolm) for key, one in parts])
            write_costs(partial / "lmwt.lmonly", [(key, one.lmonly) for key, one in parts])
        else:
            write_costs(partial / "acwt", [(key, -hypothesis.score) for key, hypothesis in keyed])
        if nbest.refs:
            write_table(partial / "text", nbest.refs)
        contexts = [(one.utt, f" {BETWEEN} ".join(one.context)) for one in nbest if one.context]
        if contexts:
            write_table(partial / CONTEXT, contexts)
        added = [(one.utt, str(one.added)) for one in nbest if one.added]
        if added:
            write_table(partial / "added", added)
        if nbest.cleaner:
            (partial / CLEANER).write_text(f"{nbest.cleaner}\n", encoding="utf-8")
        info = dict(nbest.info)
        info.update(
            utterances=len(nbest),
            hypotheses=nbest.num_hypotheses,
            n=max((len(one.hypotheses) for one in nbest), default=0),
            checksum=content_checksum(partial),
        )
        write_yaml(partial / INFO, info)
        _move_in(partial, nbest_dir)
    except InputError as error:
        if error.path is None or Path(error.path).parent != partial:
            raise
        raise InputError(error.message, path=nbest_dir / Path(error.path).name, mend=error.mend) from error
    except OSError as error:
        raise unwritable(nbest_dir, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        with suppress(OSError):  # it is not empty where there is anything else in it
            nbest_dir.rmdir()


def require_replaceable(nbest_dir: Path) -> None:
    """Check that there is nothing under that name but a directory that was written here, be it half-written.

    Raises:
        InputError: There is.
    """
    was_written = (nbest_dir / INFO).is_file() or is_unfinished(nbest_dir)
    if not was_written and os.path.lexists(nbest_dir) and not _is_empty(nbest_dir):
        what = "holds lists from elsewhere" if is_nbest_dir(nbest_dir) else "no N-best directory"
        raise InputError(f"is there already and {what}", path=nbest_dir, mend="choose another name or delete it")


def _is_empty(nbest_dir: Path) -> bool:
    """Whether a directory holds nothing, but for what a process that was killed had begun to write."""
    return nbest_dir.is_dir() and all(one.name.startswith(PARTIAL) for one in nbest_dir.iterdir())


def _move_in(partial: Path, nbest_dir: Path) -> None:
    """Put the files of a complete directory in the place of those of the same names, nbest.yaml last."""
    begin_writing(nbest_dir)
    for name in (*CONTENT, INFO):
        if (partial / name).is_file():
            (partial / name).replace(nbest_dir / name)
        else:
            (nbest_dir / name).unlink(missing_ok=True)
    end_writing(nbest_dir)


def content_checksum(nbest_dir: Path) -> str:
    """The checksum of an N-best directory's lists, first-pass costs (all parts) and references as they are."""
    return checksum(path for path in (nbest_dir / name for name in CONTENT) if path.is_file())


def ranked_list(utt: str, ranked: Mapping[int, Hypothesis], path: Path, mend: str) -> NbestList:
    """The list of an utterance from its hypotheses by rank.

    Args:
        utt: The utterance's id.
        ranked: At least one hypothesis.
        path: Where they were read.
        mend: What the user can do where one is missing.

    Raises:
        InputError: The ranks are not 1 to the number of hypotheses.
    """
    try:
        return NbestList(utt, tuple([ranked[rank] for rank in range(1, len(ranked) + 1)]))
    except KeyError as error:
        message = f"utterance {utt} has no hypothesis of rank {error.args[0]}, but one of rank {max(ranked)}"
        raise InputError(message, path=path, mend=mend) from error


def _acoustic_scale(info: Mapping[str, Any], path: Path) -> float:
    """The weight of the acoustic cost that `nbest.yaml` records where the costs are in parts.

    Raises:
        InputError: It is missing, or not a finite number.
    """
    scale = info.get("acoustic_scale")
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not math.isfinite(scale):
        message = f"acoustic_scale is {scale!r}, expected a finite number: the costs are in parts"
        mend = "make the lists again, stage 4; to lists from elsewhere add this file with `acoustic_scale: X`"
        raise InputError(message, path=path, mend=mend)
    return float(scale)


def _hypotheses(nbest_dir: Path, texts: dict[str, str], info: Mapping[str, Any]) -> Iterator[Hypothesis]:
    """The hypotheses of `texts`, read from `words_text`, with their costs."""
    acoustic = _costs_in_order(nbest_dir, "acwt", texts)
    if not any((nbest_dir / name).is_file() for name in PART_FILES):
        return map(Hypothesis, texts.values(), (-cost for cost in acoustic))
    acoustic_scale = _acoustic_scale(info, nbest_dir / INFO)
    graph = (_costs_in_order(nbest_dir, name, texts) for name in PART_FILES)
    parts = map(CostParts, acoustic, *graph)
    return (Hypothesis.from_parts(text, one, acoustic_scale) for text, one in zip(texts.values(), parts, strict=True))


def _contexts(path: Path, known: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """What stands before each utterance that has something before it."""
    contexts: dict[str, tuple[str, ...]] = {}
    for number, (utt, text) in enumerate(read_table(path).items(), start=1):
        if utt not in known:
            raise InputError(f"utterance {utt} has no list", path=path, line=number, mend="delete the line")
        contexts[utt] = tuple(filter(None, (single_spaced(part) for part in text.split(BETWEEN))))
    return contexts


def _added(path: Path, hypotheses: Mapping[str, Sized]) -> dict[str, int]:
    """How many hypotheses of each list were added to those of the first pass, which has at least one."""
    added: dict[str, int] = {}
    for number, (utt, count) in enumerate(read_table(path).items(), start=1):
        most = len(hypotheses.get(utt, ())) - 1
        if not (count.isascii() and count.isdigit() and int(count) <= most):
            message = f"{count:.20} hypotheses of {utt} were added, expected fewer than its list has"
            raise InputError(message, path=path, line=number, mend="expand the lists again")
        added[utt] = int(count)
    return added


def _costs_in_order(nbest_dir: Path, name: str, texts: dict[str, str]) -> list[float]:
    """The costs in one of the files, in the order of `texts`."""
    costs = read_costs(nbest_dir / name, mend=MISSING_DIR)
    require_same_keys(texts, costs, nbest_dir / "words_text", nbest_dir / name)
    return [costs[key] for key in texts]


def is_rank(word: str) -> bool:
    """Whether this is a rank: 1, 2, ..."""
    return word.isascii() and word.isdigit() and word[0] != "0" and len(word) <= MAX_RANK_DIGITS


def parsed_key(key: str, path: Path, line: int) -> tuple[str, int]:
    """Utterance and rank of a key `<utt>-<rank>`.

    Raises:
        InputError: It is none.
    """
    utt, _, rank = key.rpartition("-")  # the utterance's id may have hyphens and digits itself
    if not utt or not is_rank(rank):
        raise InputError(
            f"key {key}, expected <utt>-<rank> with ranks from 1", path=path, line=line, mend="correct the key"
        )
    return utt, int(rank)
