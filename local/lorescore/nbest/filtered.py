"""Lists and references as their errors are counted: after a cleaner, or after the filters of a Kaldi recipe."""

from collections.abc import Set
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
    lists = tuple(
        replace(one, hypotheses=tuple(replace(each, text=clean(each.text, nbest.cleaner)) for each in one.hypotheses))
        for one in nbest
    )
    return replace(nbest, lists=lists, refs=clean_table(nbest.refs, nbest.cleaner))


def filtered(nbest: NbestSet, words_path: Path | None, ref_path: Path | None) -> NbestSet:
    """A set with the texts that `local/wer_hyp_filter` and `local/wer_ref_filter` leave.

    Args:
        nbest: Lists with references.
        words_path: `words_text` of the lists after the filter; None: as they are.
        ref_path: The references after the filter; None: as they are.

    Raises:
        InputError: A file cannot be read, or a line is missing there or of nothing in the lists.
    """
    lists, refs = nbest.lists, nbest.refs
    if words_path:
        texts = _table(words_path, {key for one in nbest for key in one.nbest_keys()})
        lists = tuple(
            replace(
                one,
                hypotheses=tuple(
                    replace(hypothesis, text=texts[key])
                    for key, hypothesis in zip(one.nbest_keys(), one.hypotheses, strict=True)
                ),
            )
            for one in lists
        )
    if ref_path:
        refs = _table(ref_path, refs.keys())
    return replace(nbest, lists=lists, refs=refs)


def _table(path: Path, keys: Set[str]) -> dict[str, str]:
    table = read_table(path, mend=MEND)
    if different := table.keys() ^ keys:
        raise InputError(f"{min(different)} is missing, or not in the lists", path=path, mend=MEND)
    return table
