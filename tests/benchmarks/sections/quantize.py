"""int8 weights on the CPU: seconds and WER against float32."""

from collections.abc import Mapping

from samples import NamedLists

from lorescore.scoring.options import ScoringOptions
from sections import Context, Numbers, Section, Table
from sections.accuracy import EXACT_NAME, HEADER, cells, measure_options, with_references

INT8 = "int8"


def measure(context: Context, lists: NamedLists) -> Numbers:
    """int8 beside float32."""
    return measure_options(context, lists, {INT8: ScoringOptions(quantize=INT8)})


def table(parts: Mapping[str, Numbers]) -> Table:
    """Two rows a set of lists."""
    table = Table(("lists", "utterances", "numbers", *HEADER))
    for lists, part in parts.items():
        for name, what in ((EXACT_NAME, "float32"), (INT8, INT8)):
            table.rows.append((lists, part["utterances"], what, *cells(part, name)))
    return table


SECTION = Section(
    name="quantize",
    title="int8",
    about="Weights and activations of the linear layers in 8 bits (`--quantize int8`) against float32. The weights of "
    "the combined score are tuned on the same lists for each; seconds are of a smaller sample.",
    measure=measure,
    table=table,
    choose=with_references,
)
