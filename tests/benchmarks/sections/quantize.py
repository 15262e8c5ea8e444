"""Numbers of fewer bits on the CPU, bf16 and int8: seconds and WER against float32."""

from collections.abc import Mapping

from samples import NamedLists

from lorescore.scoring.options import ScoringOptions
from sections import Context, Numbers, Section, Table
from sections.accuracy import EXACT_NAME, HEADER, cells, measure_options, with_references

FEWER_BITS = {"bf16": ScoringOptions(dtype="bf16"), "int8": ScoringOptions(quantize="int8")}


def measure(context: Context, lists: NamedLists) -> Numbers:
    """Each beside float32."""
    return measure_options(context, lists, FEWER_BITS)


def table(parts: Mapping[str, Numbers]) -> Table:
    """A row for float32 and for each of the others."""
    table = Table(("lists", "utterances", "numbers", *HEADER))
    for lists, part in parts.items():
        for name, what in ((EXACT_NAME, "float32"), *((one, one) for one in FEWER_BITS)):
            table.rows.append((lists, part["utterances"], what, *cells(part, name)))
    return table


SECTION = Section(
    name="quantize",
    title="Fewer bits",
    about="Matrix products in bf16 (`--dtype bf16`, fast on a CPU that multiplies in it: AVX512-BF16 or AMX), and "
    "weights and activations of the linear layers in 8 bits (`--quantize int8`), against float32. The weights of the "
    "combined score are tuned on the same lists for each; 95 % is the paired interval of the difference by "
    "bootstrap over utterances. Seconds are of a smaller sample.",
    measure=measure,
    table=table,
    choose=with_references,
)
