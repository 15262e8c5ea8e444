"""What was read, in a few lines, so that a wrong guess of the format cannot be missed."""

from collections.abc import Iterator
from pathlib import Path

from lorescore.nbest.formats.format import NO_CHOICE, Format
from lorescore.nbest.lists import NbestList, NbestSet

SHOWN_LISTS = 3
SHOWN_SCORES = 3


def reading_lines(path: Path, form: Format, why: str, nbest: NbestSet) -> Iterator[str]:
    """What was read: format, counts, meaning of the scores, and the first lists.

    Args:
        path: Where it was read.
        form: As which format.
        why: What spoke for that format.
        nbest: The lists.
    """
    refs = "with references" if nbest.refs else "without references"
    yield f"{path}: read as {form.name} ({why}): {size(nbest)}, {refs}; {form.scores}"
    if form.unread:
        yield f"{path}: not read: {form.unread}"
    if "acoustic_scale" in nbest.info:
        yield f"{path}: acoustic scale {nbest.info['acoustic_scale']:g}"
    for one in nbest.lists[:SHOWN_LISTS]:
        yield f"{path}: {_first_of(one)}" + (f'; reference "{nbest.refs[one.utt]}"' if nbest.refs else "")
    if warning := order_warning(nbest):
        yield f"{path}: warning: {warning}"
    if not nbest.has_choice:
        yield f"{path}: warning: {NO_CHOICE} ({form.more})"


def writing_lines(path: Path, form: Format, why: str, nbest: NbestSet) -> Iterator[str]:
    """What was written, and what of it the format cannot hold.

    Args:
        path: Where it was written.
        form: In which format.
        why: What spoke for that format.
        nbest: The lists as they were, with all that they hold.
    """
    yield f"{path}: written as {form.name} ({why}): {size(nbest)}; {form.scores}"
    lost = form.drops(nbest)
    yield f"{path}: lost: {'; '.join(lost) if lost else 'nothing'}"


def size(nbest: NbestSet) -> str:
    """The number of utterances and hypotheses."""
    return f"{len(nbest)} utterances, {nbest.num_hypotheses} hypotheses"


def order_warning(nbest: NbestSet) -> str:
    """What to think of where rank 1 often is not the best by score; empty where all is well."""
    ranked = [one.scores for one in nbest if len(one.hypotheses) > 1]
    upset = sum(scores[0] < max(scores) for scores in ranked)
    if 2 * upset <= len(ranked):
        return ""
    return (
        f"in {upset} of {len(ranked)} lists rank 1 does not have the best score: are these the right utterances"
        " (--utts), the right sign, the right scale (--acoustic_scale)?"
    )


def _first_of(one: NbestList) -> str:
    """The 1-best of a list, with the first scores."""
    scores = " ".join(f"{score:g}" for score in one.scores[:SHOWN_SCORES])
    more = " ..." if len(one.scores) > SHOWN_SCORES else ""
    return f'{one.utt}: 1-best "{one.texts[0]}"; log scores {scores}{more}'
