"""Checks that files, and sets of lists, go together."""

from collections.abc import Mapping
from pathlib import Path

from lorescore.errors import InputError
from lorescore.nbest.lists import NbestSet


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


def require_refs(nbest: NbestSet, nbest_dir: Path, purpose: str) -> None:
    """Check that lists have references; `purpose` says what for, such as `to tune on`.

    Raises:
        InputError: They have none.
    """
    if not nbest.refs:
        raise InputError(f"no references {purpose}", path=nbest_dir / "text", mend="give stage 4 or convert --ref")


def require_same_metric(nbest: NbestSet, path: Path, other: NbestSet, other_name: Path | str) -> None:
    """Check that the errors of two sets are counted in the same.

    Args:
        nbest: A set.
        path: Its directory, or its `nbest.yaml`, which the error names.
        other: What it is used with.
        other_name: What the error calls that.

    Raises:
        InputError: One is of words and the other of characters, or their texts are not cleaned alike before.
    """
    if nbest.metric != other.metric:
        message = f"metric {nbest.metric}, but {other.metric} in {other_name}"
        raise InputError(message, path=path, mend="make all lists with one --metric: stage 4")
    if nbest.cleaner != other.cleaner:
        message = f"cleaner {nbest.cleaner or 'none'}, but {other.cleaner or 'none'} in {other_name}"
        raise InputError(message, path=path, mend="make all lists with one --cleaner: stage 4")


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


def _first_alone(keys: Mapping[str, object], others: Mapping[str, object]) -> tuple[int, str] | None:
    """The first key that the others lack, and its place, counted from 1."""
    if keys.keys() <= others.keys():
        return None
    return next((number, key) for number, key in enumerate(keys, start=1) if key not in others)
