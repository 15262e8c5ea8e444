"""Lists and references as their errors are counted: after a cleaner, or after the filters of a Kaldi recipe."""

from collections.abc import Callable, Set
from dataclasses import replace
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import read_table
from lorescore.nbest.lists import NbestSet
from lorescore.wer.cleaning import clean, clean_table

MEND = "a filter keeps the first word of each line, and all lines"


def cleaned(nbest: NbestSet) -> NbestSet:
    """A set with the texts that its cleaner leaves; without one as it is."""
    if nbest.cleaner is None:
        return nbest
    refs = clean_table(nbest.refs, nbest.cleaner)
    return replace(_with_texts(nbest, lambda key, text: clean(text, nbest.cleaner)), refs=refs)


def filtered(nbest: NbestSet, words_path: Path | None, ref_path: Path | None) -> NbestSet:
    """A set with the texts that `local/wer_hyp_filter` and `local/wer_ref_filter` leave.

    Args:
        nbest: Lists with references.
        words_path: `words_text` of the lists after the filter; None: as they are.
        ref_path: The references after the filter; None: as they are.

    Raises:
        InputError: A file cannot be read, or a line is missing there or of nothing in the lists.
    """
    if words_path:
        texts = _table(words_path, {key for one in nbest for key in one.nbest_keys()})
        nbest = _with_texts(nbest, lambda key, text: texts[key])
    return replace(nbest, refs=_table(ref_path, nbest.refs.keys())) if ref_path else nbest


def _with_texts(nbest: NbestSet, text_of: Callable[[str, str], str]) -> NbestSet:
    """A set with other texts; text_of: (key, text) -> the other one."""
    lists = []
    for one in nbest:
        keyed = zip(one.nbest_keys(), one.hypotheses, strict=True)
        hypotheses = tuple(replace(each, text=text_of(key, each.text)) for key, each in keyed)
        lists.append(replace(one, hypotheses=hypotheses))
    return replace(nbest, lists=tuple(lists))


def _table(path: Path, keys: Set[str]) -> dict[str, str]:
    table = read_table(path, mend=MEND)
    if different := table.keys() ^ keys:
        raise InputError(f"{min(different)} is missing, or not in the lists", path=path, mend=MEND)
    return table
