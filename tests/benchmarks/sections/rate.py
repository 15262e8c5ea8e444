"""Share of the machine's own matrix-multiply rate that scoring reaches, counting the arithmetic that has to be done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from measure import median, seconds
from samples import NamedLists, cased_texts, context_lengths
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

from lorescore.plm import onednn
from lorescore.plm.load import load_plm
from sections import Context, Numbers, Section, Table

SAMPLE_WORDS = 4000  # some forward passes
ROWS = 2048  # of the left matrix: a token budget's worth
PROJECTION_ROWS = 256
BEST_OF = 5
GIGA = 1e9


@dataclass(frozen=True)
class Arithmetic:
    """What one state costs.

    Attributes:
        layers: (inputs, outputs) of every linear layer below the vocabulary projection.
        projection: (inputs, outputs) of the vocabulary projection.
        attention: Floating-point operations for each token that a state looks at, over all layers.
    """

    layers: Sequence[tuple[int, int]]
    projection: tuple[int, int]
    attention: int

    @classmethod
    def of(cls, model: PreTrainedModel) -> "Arithmetic":
        """Of a causal LM whose layers are nn.Linear, such as the Llama family."""
        decoder, head = model.get_decoder(), model.get_output_embeddings()
        layers = [
            (layer.in_features, layer.out_features) for layer in decoder.modules() if isinstance(layer, nn.Linear)
        ]
        config = model.config
        head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        # A product with the keys and one with the values: a multiplication and an addition for each number of a head.
        attention = 2 * 2 * config.num_hidden_layers * config.num_attention_heads * head_dim
        return cls(layers, (head.in_features, head.out_features), attention)

    def operations(self, lengths: Sequence[int]) -> int:
        """Floating-point operations of distinct prefixes of these lengths, each with a prediction."""
        return sum(self.products().values()) * len(lengths) + self.attention * sum(lengths)

    def products(self) -> dict[str, int]:
        """Floating-point operations of a state by the shape of the matrix product that they are done in."""
        operations: dict[str, int] = {}
        for rows, (inputs, outputs) in [*((ROWS, layer) for layer in self.layers), (PROJECTION_ROWS, self.projection)]:
            shape = f"{rows}x{inputs}x{outputs}"
            operations[shape] = operations.get(shape, 0) + 2 * inputs * outputs
        return operations


def multiply_rates(shape: str) -> dict[str, float]:
    """Floating-point operations a second of a float32 matrix product `rows x inputs x outputs`, the best of several.

    By PyTorch's own product, which any program gets, and by what the PLM's layers here compute with, where it is not
    the same (`lorescore.plm.onednn`), the weights by rows and by columns.
    """
    rows, inputs, outputs = map(int, shape.split("x"))
    left, weight = torch.randn(rows, inputs), torch.randn(outputs, inputs)
    ways = {"torch": (functional.linear, weight)}
    if onednn.is_faster():
        by_columns = weight.t().contiguous().t()
        ways |= {"onednn": (onednn.linear, weight), "onednn_columns": (onednn.linear, by_columns)}
    taken = {}
    with torch.inference_mode():
        for name, (product, stored) in ways.items():
            call = partial(product, left, stored, None)
            call()
            taken[name] = min(seconds(call) for _ in range(BEST_OF))
    return {name: 2 * rows * inputs * outputs / one for name, one in taken.items()}


def measure(context: Context, lists: NamedLists) -> Numbers:
    """The rates before and after each run of scoring; the best counts as the machine's."""
    model, _ = load_plm(context.plm_dir, context.plm)
    arithmetic = Arithmetic.of(model)
    del model
    rescorer = context.rescorer()
    nbest = context.sample(lists.nbest, SAMPLE_WORDS)
    texts = cased_texts(nbest, context.plm)
    lengths = [length for one in texts for length in context_lengths(rescorer.encode(one).sequences())]
    products = arithmetic.products()
    rates: dict[str, dict[str, float]] = {shape: {} for shape in products}
    rescorer.score(texts)  # to warm up
    runs = []
    context.log(f"rate {lists.name}: {len(nbest)} utterances")
    for _ in range(context.repeats):
        for shape in products:
            for way, rate in multiply_rates(shape).items():
                rates[shape][way] = max(rates[shape].get(way, 0.0), rate)
        runs.append(seconds(lambda: rescorer.score(texts)))
    best = {shape: max(rate.values()) for shape, rate in rates.items()}
    return {
        "utterances": len(nbest),
        "distinct_prefixes": len(lengths),
        "operations": arithmetic.operations(lengths),
        "rates": best,
        "torch_rates": {shape: rate["torch"] for shape, rate in rates.items()},
        "all_products_rate": sum(products.values()) / sum(products[shape] / best[shape] for shape in products),
        "seconds": runs,
    }


def table(parts: Mapping[str, Numbers]) -> Table:
    """The machine's rates, and the share that scoring reaches, one row a set of lists."""
    product = "product, rows x inputs x outputs"
    table = Table(("lists", "distinct prefixes", "seconds", product, "PyTorch's GFLOP/s", "best GFLOP/s", "share"))
    for lists, part in parts.items():
        taken = median(part["seconds"])
        best = max(part["rates"].values())
        rows = [
            *((None, None, name, part["torch_rates"][name] / GIGA, rate) for name, rate in part["rates"].items()),
            (None, None, "all of a state's", None, part["all_products_rate"]),
            (part["distinct_prefixes"], taken, "scoring", None, part["operations"] / taken),
        ]
        table.rows.extend((lists, *cells, rate / GIGA, f"{100 * rate / best:.0f} %") for *cells, rate in rows)
    return table


SECTION = Section(
    name="rate",
    title="Share of the machine's matrix-multiply rate",
    about="Products of float32 matrices of the PLM's own shapes, the best of several, measured between the runs of "
    "scoring, by PyTorch's own product and by the best that PyTorch has (`lorescore.plm.onednn`); 100 % is the fastest "
    "shape. `all of a state's` has each shape as often as the PLM has it: what scoring "
    "could reach with nothing but these products. Of scoring only what has to be computed counts: the linear layers, "
    "the attention and the vocabulary projection of each distinct prefix from which a token is predicted. "
    "Tokenisation, norms, activations, softmax and everything that a mask hides are overhead.",
    measure=measure,
    table=table,
)
