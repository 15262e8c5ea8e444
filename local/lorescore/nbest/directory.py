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
    nbest.yaml                         source, metric (wer or cer), counts, checksum, perturbation, expansion

With the cost in parts, `nbest.yaml` has the `acoustic_scale`, and the first-pass cost is
acoustic_scale x acwt + nolm + lmonly. A directory that was made elsewhere may lack `nbest.yaml`: see
`lorescore.nbest.info`.
"""

import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from lorescore.errors import InputError
from lorescore.files import (
    checksum,
    read_lines,
    read_table,
    single_spaced,
    split_words,
    unwritable,
    write_table,
    write_yaml,
)
from lorescore.nbest.info import (
    INFO,
    MISSING_DIR,
    begin_writing,
    end_writing,
    is_nbest_dir,
    is_unfinished,
    read_info,
)
from lorescore.nbest.lists import COST_DECIMALS, CostParts, Hypothesis, NbestList, NbestSet
from lorescore.wer.units import require_metric

CORRECT_KEYS = "correct the keys, or make the directory again: stage 4"
CONTEXT = "context"
BETWEEN = "<s>"  # in it, between two utterances
PART_FILES = ("lmwt.nolm", "lmwt.lmonly")
MAX_RANK_DIGITS = 9
PARTIAL = ".partial."  # then a process's id: the folder in which it writes a directory
# The files that nbest.yaml has the checksum of, in this order; those after the first two need not be there.
CONTENT = ("words_text", "acwt", "text", *PART_FILES, CONTEXT, "added")


def read_nbest_dir(nbest_dir: Path) -> NbestSet:
    """Read an N-best directory.

    The set's `info` has the checksum of the files as they are, so that files changed by hand count as other files.

    Raises:
        InputError: It is half-written, a file is missing or empty, a key is doubled, malformed or without a score, a
            rank is missing, a score is not a finite number, an utterance has a list but no reference (or the other way
            round), or the cost is in parts of which one or the acoustic scale is missing.
    """
    words_path, ref_path = nbest_dir / "words_text", nbest_dir / "text"
    info = read_info(nbest_dir)
    texts = read_table(words_path, mend=MISSING_DIR)
    if not texts:
        raise InputError("empty, expected `<utt>-<rank> words`", path=words_path, mend=MISSING_DIR)
    info["checksum"] = content_checksum(nbest_dir)
    require_metric(info, nbest_dir / INFO)
    by_utt: dict[str, dict[int, Hypothesis]] = {}
    lines: dict[str, tuple[Path, int]] = {}
    hypotheses = _hypotheses(nbest_dir, texts, info)
    for number, (key, hypothesis) in enumerate(zip(texts, hypotheses, strict=True), start=1):
        utt, rank = _parsed_key(key, words_path, number)
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
    _remove_left_behind(nbest_dir)
    partial = nbest_dir / f"{PARTIAL}{os.getpid()}"
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


def _remove_left_behind(nbest_dir: Path) -> None:
    """Remove what processes that were killed have half-written."""
    for path in nbest_dir.glob(f"{PARTIAL}*"):
        process = path.name.removeprefix(PARTIAL)
        if process.isdecimal() and not _runs(int(process)):
            shutil.rmtree(path, ignore_errors=True)


def _runs(process: int) -> bool:
    """Whether there is a process of this id."""
    try:
        os.kill(process, 0)
    except PermissionError:  # another user's
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


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


def read_costs(path: Path, *, mend: str = "score the set again: stage 6") -> dict[str, float]:
    """A table of costs (negative log scores; lower is better) by `<utt>-<rank>`.

    Args:
        path: The file.
        mend: What the user can do where it is missing.

    Raises:
        InputError: A key stands twice or a cost is not a finite number.
    """
    costs: dict[str, float] = {}
    for number, line in read_lines(path, mend=mend):
        fields = split_words(line)
        if len(fields) != 2:
            raise InputError(
                f"expected `<utt>-<rank> cost`, found {line!r:.60}",
                path=path,
                line=number,
                mend="score this hypothesis again or leave it out of the list",
            )
        key, value = fields
        try:
            cost = float(value)
        except ValueError:
            cost = math.nan
        if not math.isfinite(cost):
            raise InputError(
                f"{key} has the cost {value:.20}, expected a finite number",
                path=path,
                line=number,
                mend="score this hypothesis again or leave it out of the list",
            )
        if key in costs:
            raise InputError(f"key {key} for the second time", path=path, line=number, mend="keep one line a key")
        costs[key] = cost
    return costs


def write_costs(path: Path, costs: Iterable[tuple[str, float]]) -> None:
    """Write costs with four decimals, sorted by key."""
    write_table(path, ((key, f"{cost:.{COST_DECIMALS}f}") for key, cost in costs))


def cost_file(nbest_dir: Path, tag: str) -> Path:
    """Where a scorer's costs of an N-best directory are."""
    return nbest_dir / f"lmwt.{tag}"


def list_costs(nbest_dir: Path, nbest: NbestSet, tag: str) -> list[list[float]]:
    """A scorer's costs of each list's hypotheses by rank.

    Raises:
        InputError: The file is missing or does not match the lists.
    """
    path = cost_file(nbest_dir, tag)
    return list(costs_by_list(read_costs(path), nbest, path))


def costs_by_list(costs: dict[str, float], nbest: NbestSet, path: Path) -> Iterator[list[float]]:
    """The costs of each list's hypotheses by rank, in the order of the lists.

    Raises:
        InputError: `costs` (read from `path`) lacks a hypothesis, or has one that is in no list.
    """
    if len(costs) != nbest.num_hypotheses:
        known = {key for one in nbest for key in one.nbest_keys()}
        for key in costs:
            if key not in known:
                raise InputError(f"{key} is in no list of this set", path=path, mend="score the set again: stage 6")
    for one in nbest:
        try:
            yield [costs[key] for key in one.nbest_keys()]
        except KeyError as error:
            raise InputError(f"no cost for {error.args[0]}", path=path, mend="score the set again: stage 6") from error


def require_same_keys(texts: dict[str, str], scores: dict[str, float], text_path: Path, score_path: Path) -> None:
    """Check that every hypothesis has a score and every score a hypothesis.

    Raises:
        InputError: It names the first key that only one file has.
    """
    mend = "decode this utterance again or delete the line"
    if alone := _first_alone(texts, scores):
        number, key = alone
        raise InputError(f"{key} has a text but no score in {score_path}", path=text_path, line=number, mend=mend)
    if alone := _first_alone(scores, texts):
        number, key = alone
        raise InputError(f"{key} has a score but no text in {text_path}", path=score_path, line=number, mend=mend)


def require_references(
    lines: Mapping[str, tuple[Path, int]], refs: Mapping[str, str], hyp_path: Path, ref_path: Path
) -> None:
    """Check that the hypotheses and the references are of the same utterances.

    Args:
        lines: The utterances that have hypotheses, with file and line of the first one.
        refs: The references, in the order of `ref_path`.
        hyp_path: Where the hypotheses were sought.
        ref_path: The file of the references.

    Raises:
        InputError: It names the first utterance that is in only one of them.
    """
    if alone := _first_alone(lines, refs):
        path, number = lines[alone[1]]
        raise InputError(
            f"a hypothesis for utterance {alone[1]}, which is not in {ref_path}",
            path=path,
            line=number,
            mend="add its reference or decode the set that the references are of",
        )
    if alone := _first_alone(refs, lines):
        number, utt = alone
        raise InputError(
            f"utterance {utt} has a reference but no hypothesis in {hyp_path}",
            path=ref_path,
            line=number,
            mend="decode it or delete its reference",
        )


def require_same_metric(nbest: NbestSet, path: Path, other: NbestSet, other_name: Path | str) -> None:
    """Check that the errors of two sets are counted in the same.

    Args:
        nbest: A set.
        path: Its directory, or its `nbest.yaml`, which the error names.
        other: What it is used with.
        other_name: What the error calls that.

    Raises:
        InputError: One is of words and the other of characters.
    """
    if nbest.metric != other.metric:
        message = f"metric {nbest.metric}, but {other.metric} in {other_name}"
        raise InputError(message, path=path, mend="make all lists with one --metric: stage 4")


def require_acoustic_scale(nbest: NbestSet, path: Path, scale: float | None, where: Path | str) -> None:
    """Check that acoustic costs weigh in a set what they weighed where the weights of the combined score were tuned.

    Args:
        nbest: A set.
        path: Its directory, or its `nbest.yaml`, which the error names.
        scale: `acoustic_scale` there; None where the costs had no parts.
        where: What the error calls that.

    Raises:
        InputError: They do not.
    """
    own = nbest.info.get("acoustic_scale")
    if None not in (own, scale) and own != scale:
        message = f"acoustic_scale {own}, but the weights are tuned at {scale} in {where}"
        raise InputError(message, path=path, mend="make both lists with one --acoustic_scale (run.sh: --acwt)")


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


def _first_alone(keys: Mapping[str, object], others: Mapping[str, object]) -> tuple[int, str] | None:
    """The first key that the others lack, and its place, counted from 1."""
    if keys.keys() <= others.keys():
        return None
    return next((number, key) for number, key in enumerate(keys, start=1) if key not in others)


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


def _parsed_key(key: str, path: Path, line: int) -> tuple[str, int]:
    """Utterance and rank of a key `<utt>-<rank>`."""
    utt, _, rank = key.rpartition("-")  # the utterance's id may have hyphens and digits itself
    if not (utt and rank.isascii() and rank.isdigit() and rank[0] != "0" and len(rank) <= MAX_RANK_DIGITS):
        raise InputError(
            f"key {key}, expected <utt>-<rank> with ranks from 1", path=path, line=line, mend="correct the key"
        )
    return utt, int(rank)
