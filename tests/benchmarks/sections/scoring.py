"""Scoring: this project beside what a user would take instead, on the same lists and the same PLM."""

from collections.abc import Mapping, Sequence
from functools import partial

from competitors import Competitor, load_competitors
from measure import median, seconds, side_by_side
from samples import NamedLists, cased_texts, context_lengths, flat_tokens, largest_difference, sample

from sections import Context, Numbers, Section, Table

SAMPLE_WORDS = 2000  # distinct word prefixes: 5 to 10 s of this project's scoring with SmolLM2-135M on two cores
TOLERANCE = 1e-3  # nats by which two ways may differ in a hypothesis's score
TUNING_UTTERANCES = 8  # on which a way's fastest batch size is chosen
OURS, BASELINE = "lorescore", "padded batches (Transformers)"


def require_agreement(competitors: Sequence[Competitor], lists: Sequence[Sequence[str]]) -> dict[str, float]:
    """Check that every way gives the scores of the last one, by the definition; the largest differences by name.

    Raises:
        RuntimeError: One does not: its speed would mean nothing.
    """
    *ways, definition = competitors
    expected = definition.score(lists, definition.batch_sizes[0])
    differences = {}
    for way in ways:
        differences[way.name] = largest_difference(way.score(lists, way.batch_sizes[0]), expected)
        if not differences[way.name] <= TOLERANCE:
            raise RuntimeError(f"{way.name}: a score differs by {differences[way.name]:.2g} from {definition.name}")
    return differences | {definition.name: 0.0}


def fastest_batch_size(way: Competitor, lists: Sequence[Sequence[str]]) -> int:
    """The batch size at which a way is fastest on some lists, after a run to warm it up."""
    if len(way.batch_sizes) == 1:
        return way.batch_sizes[0]
    way.score(lists, way.batch_sizes[0])
    taken = {size: seconds(partial(way.score, lists, size)) for size in way.batch_sizes}
    return min(taken, key=lambda size: taken[size])


def measure(context: Context, lists: NamedLists) -> Numbers:
    """Every way on a sample of the lists, in turn, `repeats` times."""
    nbest = context.sample(lists.nbest, SAMPLE_WORDS)
    texts = cased_texts(nbest, context.plm)
    rescorer = context.rescorer()
    ways = load_competitors(context.plm_dir, context.plm, rescorer, context.work_dir)
    differences = require_agreement(ways, texts)
    few = cased_texts(sample(nbest, TUNING_UTTERANCES), context.plm)
    sizes = {way.name: fastest_batch_size(way, few) for way in ways}
    context.log(f"scoring {lists.name}: {len(nbest)} utterances, batch sizes {sizes}")
    runs = side_by_side({way.name: partial(way.score, texts, sizes[way.name]) for way in ways}, context.repeats)
    sequences = [rescorer.encode(one).sequences() for one in texts]
    return {
        "utterances": len(nbest),
        "hypotheses": nbest.num_hypotheses,
        "flat_tokens": sum(map(flat_tokens, sequences)),
        "distinct_prefixes": sum(len(context_lengths(one)) for one in sequences),
        "ways": {
            name: {"seconds": taken, "batch_size": sizes[name], "difference": differences[name]}
            for name, taken in runs.items()
        },
    }


def table(parts: Mapping[str, Numbers]) -> Table:
    """One row a way and set of lists."""
    table = Table(
        (
            *("lists", "utterances", "hypotheses", "way", "batch", "seconds", "from", "to"),
            *("utterances/s", "hypotheses/s", f"x {BASELINE}", f"{OURS} is faster by", "largest difference, nats"),
        )
    )
    for lists, part in parts.items():
        ours, baseline = (median(part["ways"][name]["seconds"]) for name in (OURS, BASELINE))
        for name, way in part["ways"].items():
            taken = median(way["seconds"])
            table.rows.append(
                (
                    *(lists, part["utterances"], part["hypotheses"], name, way["batch_size"] or None),
                    *(taken, min(way["seconds"]), max(way["seconds"])),
                    *(part["utterances"] / taken, part["hypotheses"] / taken, baseline / taken, taken / ours),
                    f"{way['difference']:.1e}",
                )
            )
    return table


SECTION = Section(
    name="scoring",
    title="Scoring",
    about="Log-likelihoods of the same hypotheses under the same PLM in float32. Every way scores the same tokens (bos "
    "is conditioned on, eos is scored) of the same text; `largest difference` is to one hypothesis at a time. Each way "
    "has the batch size that was fastest on a few utterances (hypotheses; lists for SpeechBrain), and all run with the "
    "memory settings of `path.sh`. Times are from texts to scores, tokenisation included.",
    measure=measure,
    table=table,
)
