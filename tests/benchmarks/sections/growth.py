"""Growth: seconds and peak memory as lists get longer and sets larger; each size in a process of its own."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from measure import in_child, median, reset_peak, seconds
from samples import NamedLists, cased_texts, shuffled, subset, truncated

from lorescore.nbest import NbestList
from lorescore.scoring.rescorer import Rescorer
from sections import CPU, Context, Numbers, Section, Table

SIZES = (5, 10, 20, 50, 100)  # hypotheses of a list
FACTORS = (1, 4, 16)  # of the utterances, at the first of SIZES that is usual, 10
USUAL_SIZE = 10
UTTERANCES = 8
WARM_UP_LISTS = 2


def score(texts_path: str, rescorer_dir: str, repeats: int) -> Numbers:
    """Score the lists of a file."""
    lists: list[list[str]] = json.loads(Path(texts_path).read_text(encoding="utf-8"))
    rescorer = Rescorer.load(Path(rescorer_dir), CPU)
    rescorer.score(lists[:WARM_UP_LISTS])
    loaded = reset_peak()
    runs = [seconds(lambda: rescorer.score(lists)) for _ in range(repeats)]
    return {
        "seconds": runs,
        "loaded_mb": loaded,
        "utterances": len(lists),
        "hypotheses": sum(map(len, lists)),
        "states": sum(len(rescorer.encode(texts)) for texts in lists),
    }


def measure(context: Context, lists: NamedLists) -> Numbers:
    """Longer lists of the same utterances, then more utterances."""
    order = sorted(shuffled(lists.nbest), key=lambda one: -min(len(one.hypotheses), max(SIZES)))
    sizes = [size for size in SIZES if size <= lists.longest]
    base = min(context.utterances or UTTERANCES, max(1, len(order) // max(FACTORS)))
    longer = {str(size): [truncated(one, size) for one in order[:base]] for size in sizes}
    # More utterances of the same kind: at random over the whole set, so that their texts are as long on average.
    more = [truncated(one, USUAL_SIZE) for one in shuffled(lists.nbest)]
    larger = {f"x{factor}": more[: factor * base] for factor in FACTORS}
    return {
        "longer": {name: _child(context, lists, name, chosen) for name, chosen in longer.items()},
        "larger": {name: _child(context, lists, name, chosen) for name, chosen in larger.items()},
    }


def _child(context: Context, lists: NamedLists, name: str, chosen: Sequence[NbestList]) -> Numbers:
    """One size, in a fresh process."""
    context.log(f"growth {lists.name}: {name}")
    path = context.work_dir / f"growth_{name}.json"
    path.write_text(json.dumps(cased_texts(subset(lists.nbest, chosen), context.plm)), encoding="utf-8")
    return in_child(
        score,
        context.threads,
        texts_path=str(path),
        rescorer_dir=str(context.rescorer_dir),
        repeats=context.repeats,
    )


def table(parts: Mapping[str, Numbers]) -> Table:
    """One row a size; the ratios are to the first row of its kind."""
    table = Table(
        (
            *("lists", "what grows", "size", "utterances", "hypotheses", "x", "tokens scored", "x", "seconds", "x"),
            *("peak MB", "above the loaded model"),
        )
    )
    for lists, part in parts.items():
        for kind, what in (("longer", "hypotheses of a list"), ("larger", "utterances")):
            first = next(iter(part[kind].values()))
            for name, one in part[kind].items():
                ratios = (one[key] / first[key] for key in ("hypotheses", "states"))
                hypotheses, states = ratios
                taken = median(one["seconds"])
                table.rows.append(
                    (
                        *(lists, what, name, one["utterances"], one["hypotheses"], hypotheses, one["states"], states),
                        *(taken, taken / median(first["seconds"])),
                        *(round(one["peak_mb"]), round(one["peak_mb"] - one["loaded_mb"])),
                    )
                )
    return table


SECTION = Section(
    name="growth",
    title="Growth",
    about="The same utterances with longer lists, then more utterances with lists of up to "
    f"{USUAL_SIZE}; x is the ratio to the first row of its kind. Linear or better: the seconds grow no more than the "
    "hypotheses. Each size is scored in a fresh process; peak memory is resident memory while it scores.",
    measure=measure,
    table=table,
    choose=lambda lists: [max(lists, key=lambda one: one.longest)] if lists else [],
)
