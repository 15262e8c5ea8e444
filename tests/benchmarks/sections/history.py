"""History merging: WER and states against the number K of tokens that have to agree, and to follow."""

from collections.abc import Mapping

from samples import NamedLists

from lorescore.scoring.options import ScoringOptions
from sections import Context, Numbers, Section, Table
from sections.accuracy import EXACT_NAME, HEADER, cells, measure_options, with_references

HISTORIES = (1, 2, 3, 4, 5, 6, 7, 8, 12)


def measure(context: Context, lists: NamedLists) -> Numbers:
    """Every K, beside the exact scores."""
    options = {str(history): ScoringOptions(history=history) for history in HISTORIES}
    return measure_options(context, lists, options, context.wer_dtype) | {"wer_dtype": context.wer_dtype}


def table(parts: Mapping[str, Numbers]) -> Table:
    """One row a K, the exact scores (K without end) last."""
    table = Table(("lists", "utterances", "WER scored in", "K", *HEADER))
    for lists, part in parts.items():
        for name in (*map(str, HISTORIES), EXACT_NAME):
            table.rows.append((lists, part["utterances"], part["wer_dtype"], name, *cells(part, name)))
    return table


SECTION = Section(
    name="history",
    title="History merging",
    about="Two states of a list are one where their last K tokens agree and at least K more follow. The weights are "
    "tuned on the same lists for each K, so that the WERs compare what the scores hold; 95 % is the paired interval of "
    "the difference by bootstrap over utterances. Seconds are of a smaller sample, in float32. `recombined` lists are "
    "those 10-best lists of LibriSpeech that `--recombine 50` takes to 50 hypotheses (`recombine.py`); "
    "they were measured before their combinations came by votes, which leaves the number of tokens as it is, within "
    "one in a thousand.",
    measure=measure,
    table=table,
    choose=with_references,
)
