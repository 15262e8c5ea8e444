"""The NPRR sweep: clean and perturbed lists scored together, against each list anew."""

import itertools
from collections.abc import Mapping, Sequence

from measure import median, side_by_side
from samples import NamedLists, cased_texts, flat_tokens, sample

from lorescore.nbest import NbestSet
from lorescore.perturb import KINDS as ALL_KINDS
from lorescore.perturb import PERTURBATIONS, WORST, HomophoneLexicon, Perturbation, nbest_vocabulary, perturb
from lorescore.perturb.worst import perturb_worst
from lorescore.scoring.rescorer import Rescorer
from lorescore.scoring.text import plm_text
from sections import Context, Numbers, Section, Table

# run.sh's own sweep.
KINDS, RATES, SEEDS = ("1best", "nbest"), (0.1, 0.3), (1, 2, 3)
SAMPLE_WORDS = 600  # distinct word prefixes of the clean lists that are timed
# A full sweep: every perturbation of a kind.
FULL_RATES, FULL_SEEDS = (0.05, 0.1, 0.2, 0.3), (1, 2, 3, 4, 5)
FULL_UTTERANCES = 40  # of which its tokens are counted


def versions(nbest: NbestSet, lexicon: HomophoneLexicon) -> list[NbestSet]:
    """The clean lists and every perturbation of them."""
    settings = [Perturbation(*combination) for combination in itertools.product(KINDS, RATES, SEEDS)]
    return [nbest, *(perturb(nbest, lexicon, one).nbest for one in settings)]


def full_sweep(rescorer: Rescorer, context: Context, nbest: NbestSet, lexicon: HomophoneLexicon) -> Numbers:
    """Tokens of a full sweep over those of the clean lists, by kind."""
    clean = cased_texts(nbest, context.plm)
    found: Numbers = {"utterances": len(nbest), "kinds": {}}
    for kind in ALL_KINDS:
        settings = {
            name: [Perturbation(kind, rate, seed, name) for rate in FULL_RATES for seed in FULL_SEEDS]
            for name in PERTURBATIONS
            if name != WORST
        }
        sets = [nbest, *(perturb(nbest, lexicon, one).nbest for some in settings.values() for one in some)]
        texts = [cased_texts(one, context.plm) for one in sets]
        texts.append(worst_candidates(nbest, lexicon, kind, context))
        together = distinct_texts(texts)
        found["kinds"][kind] = {
            "versions": 1 + len(PERTURBATIONS) * len(FULL_RATES) * len(FULL_SEEDS),
            "texts": sum(map(len, together)),
            "clean": states(rescorer, clean),
            "shared": states(rescorer, together),
        }
    return found


def worst_candidates(nbest: NbestSet, lexicon: HomophoneLexicon, kind: str, context: Context) -> list[list[str]]:
    """What the PLM has to score for `worst`: the candidates of every hypothesis, rate and seed."""
    asked: list[list[str]] = []

    def score(lists: Sequence[Sequence[str]], contexts: Sequence[Sequence[str]]) -> list[list[float]]:
        asked.extend([list(texts) for texts in lists])
        return [[0.0] * len(texts) for texts in lists]

    settings = [Perturbation(kind, rate, seed, WORST, "any") for rate in FULL_RATES for seed in FULL_SEEDS]
    perturb_worst(nbest, lexicon, settings, score)
    return [[plm_text(text, context.plm.plm_text) for text in texts] for texts in asked]


def distinct_texts(sets: list[list[list[str]]]) -> list[list[str]]:
    """The distinct texts of each list over all versions, [list][text]."""
    return [list(dict.fromkeys(text for texts in same for text in texts)) for same in zip(*sets, strict=True)]


def states(rescorer: Rescorer, lists: list[list[str]]) -> int:
    """States that the PLM computes for some lists, one tree each."""
    return sum(len(rescorer.encode(texts)) for texts in lists)


def measure(context: Context, lists: NamedLists) -> Numbers:
    """Tokens over all the lists, seconds over a sample."""
    rescorer = context.rescorer()
    lexicon = HomophoneLexicon.for_vocabulary(nbest_vocabulary([lists.nbest]))
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
        "full": full_sweep(rescorer, context, sample(lists.nbest, FULL_UTTERANCES), lexicon),
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
        for kind, full in part["full"]["kinds"].items():
            utterances, tokens = f"{lists}, {part['full']['utterances']} utterances", full["shared"]
            table.rows.append(
                (
                    *(utterances, full["versions"], f"full sweep, {kind}", full["texts"]),
                    *(tokens, tokens / full["clean"], None, None, None),
                )
            )
    return table


SECTION = Section(
    name="sweep",
    title="NPRR sweep",
    about=f"The clean lists and {len(KINDS) * len(RATES) * len(SEEDS)} homophone perturbations of them (kinds "
    f"{', '.join(KINDS)}; rates {', '.join(map(str, RATES))}; seeds {', '.join(map(str, SEEDS))}). Tokens are those "
    "whose states the PLM computes, over all utterances; seconds are of a sample. The full sweep has all "
    f"{len(PERTURBATIONS)} perturbations at the rates {', '.join(map(str, FULL_RATES))} with {len(FULL_SEEDS)} seeds, "
    "of one kind, with the candidates of `worst`; its tokens, versions sharing trees and texts, are over those of the "
    "clean lists.",
    measure=measure,
    table=table,
)
