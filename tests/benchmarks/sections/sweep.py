"""The NPRR sweep: clean and perturbed lists scored together, against each list anew."""

import itertools
from collections.abc import Mapping

from measure import median, side_by_side
from samples import NamedLists, cased_texts, flat_tokens

from lorescore.nbest import NbestSet
from lorescore.perturb import HomophoneLexicon, Perturbation, nbest_vocabulary, perturb
from lorescore.scoring.rescorer import Rescorer
from sections import Context, Numbers, Section, Table

# run.sh's own sweep.
KINDS, RATES, SEEDS = ("1best", "nbest"), (0.1, 0.3), (1, 2, 3)
SAMPLE_WORDS = 600  # distinct word prefixes of the clean lists that are timed


def versions(nbest: NbestSet, lexicon: HomophoneLexicon) -> list[NbestSet]:
    """The clean lists and every perturbation of them."""
    settings = [Perturbation(*combination) for combination in itertools.product(KINDS, RATES, SEEDS)]
    return [nbest, *(perturb(nbest, lexicon, one).nbest for one in settings)]


def distinct_texts(sets: list[list[list[str]]]) -> list[list[str]]:
    """The distinct texts of each list over all versions, [list][text]."""
    return [list(dict.fromkeys(text for texts in same for text in texts)) for same in zip(*sets, strict=True)]


def states(rescorer: Rescorer, lists: list[list[str]]) -> int:
    """States that the PLM computes for some lists, one tree each."""
    return sum(len(rescorer.encode(texts)) for texts in lists)


def measure(context: Context, lists: NamedLists) -> Numbers:
    """Tokens over all the lists, seconds over a sample."""
    rescorer = context.rescorer()
    lexicon = HomophoneLexicon.from_cmudict(nbest_vocabulary([lists.nbest]))
    all_sets = [cased_texts(nbest, context.plm) for nbest in versions(lists.nbest, lexicon)]
    nbest = context.sample(lists.nbest, SAMPLE_WORDS)
    few = [cased_texts(one, context.plm) for one in versions(nbest, lexicon)]
    context.log(f"sweep {lists.name}: {len(nbest)} utterances timed")
    runs = side_by_side(
        {
            "anew": lambda: [rescorer.score(one) for one in few],
            "shared": lambda: rescorer.score(distinct_texts(few)),
        },
        context.repeats,
    )
    return {
        "versions": len(all_sets),
        "utterances": len(lists.nbest),
        "texts": sum(len(texts) for one in all_sets for texts in one),
        "flat_tokens": sum(flat_tokens(rescorer.encode(texts).sequences()) for one in all_sets for texts in one),
        "anew": sum(states(rescorer, one) for one in all_sets),
        "distinct_texts": sum(map(len, distinct_texts(all_sets))),
        "shared": states(rescorer, distinct_texts(all_sets)),
        "clean": states(rescorer, all_sets[0]),
        "utterances_timed": len(nbest),
        "seconds": runs,
    }


def table(parts: Mapping[str, Numbers]) -> Table:
    """One row a way and set of lists."""
    table = Table(
        (
            *("lists", "versions", "way", "texts", "tokens scored", "of the clean lists' by tree"),
            *("x those of sharing", "seconds of the sample", "x those of sharing"),
        )
    )
    for lists, part in parts.items():
        anew, shared = (median(part["seconds"][name]) for name in ("anew", "shared"))
        for way, texts, tokens, taken in (
            ("each hypothesis by itself", part["texts"], part["flat_tokens"], None),
            ("each list anew, by tree", part["texts"], part["anew"], anew),
            ("versions share trees and texts", part["distinct_texts"], part["shared"], shared),
        ):
            table.rows.append(
                (
                    *(lists, part["versions"], way, texts, tokens, tokens / part["clean"]),
                    *(tokens / part["shared"], taken, None if taken is None else taken / shared),
                )
            )
    return table


SECTION = Section(
    name="sweep",
    title="NPRR sweep",
    about=f"The clean lists and {len(KINDS) * len(RATES) * len(SEEDS)} homophone perturbations of them (kinds "
    f"{', '.join(KINDS)}; rates {', '.join(map(str, RATES))}; seeds {', '.join(map(str, SEEDS))}). Tokens are those "
    "whose states the PLM computes, over all utterances; seconds are of a sample.",
    measure=measure,
    table=table,
)
