"""Perturb the lists of a set, and say what was done: in `nbest.yaml`, and a line a hypothesis in the file `perturbed`.

perturbed    utt-1 3 1 12    replaceable words, replaced words, words of a perturbed hypothesis; its key in the clean
                             set, which of `insert` is not its key in this one
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from lorescore.files import write_table
from lorescore.nbest import NbestList, NbestSet
from lorescore.perturb.expansion import Expansion
from lorescore.perturb.lexicon import HomophoneLexicon
from lorescore.perturb.near import WEIGHTING
from lorescore.perturb.replacement import PerturbationCounts, perturb_and_count
from lorescore.perturb.settings import NEAR, SPLIT, Perturbation
from lorescore.wer.cleaning import INFO_KEY as CLEANER
from lorescore.wer.units import WER

INFO_KEY = "perturbation"
SOURCE_KEY = "source_checksum"
COUNTS_FILE = "perturbed"


class Perturbed(NamedTuple):
    """A perturbed set.

    Attributes:
        nbest: The lists; `info["perturbation"]` says from what and how they were made and holds the counts.
        counts: What was replaced in the whole set.
        by_hypothesis: The same of each perturbed hypothesis, by its key in the clean set.
    """

    nbest: NbestSet
    counts: PerturbationCounts
    by_hypothesis: Mapping[str, PerturbationCounts]

    def expanded(self, expansion: Expansion) -> "Perturbed":
        """The same with the perturbed lists expanded, as a second pass would do with them."""
        return self._replace(nbest=expansion.expand(self.nbest))

    def write_counts(self, nbest_dir: Path) -> None:
        """Write the file `perturbed`.

        Raises:
            InputError: The folder cannot be written.
        """
        table = ((key, f"{one.replaceable} {one.replaced} {one.words}") for key, one in self.by_hypothesis.items())
        write_table(nbest_dir / COUNTS_FILE, table)


def perturb(nbest: NbestSet, lexicon: HomophoneLexicon, settings: Perturbation) -> Perturbed:
    """Replace words of N-best lists by words that sound alike.

    Args:
        nbest: The clean lists.
        lexicon: The pronunciations; where nothing sounds alike, nothing is replaced.
        settings: Any perturbation but `worst`. Rate 0 gives back equal lists, rate 1 replaces every replaceable word.

    Raises:
        InputError: `worst`, which needs scores.
    """
    made = [perturb_and_count(one, settings, lexicon) for one in nbest]
    return perturbed_set(nbest, [one for one, _ in made], [counts for _, counts in made], lexicon, settings)


def perturbed_set(
    nbest: NbestSet,
    lists: Sequence[NbestList],
    counts: Iterable[Sequence[PerturbationCounts]],
    lexicon: HomophoneLexicon,
    settings: Perturbation,
    versions: Mapping[str, Any] | None = None,
) -> Perturbed:
    """The set of perturbed lists with all that is to be said about them.

    Args:
        nbest: The clean lists.
        lists: The perturbed ones, in the same order.
        counts: Of each list, by rank in the clean list.
        lexicon: The pronunciations.
        settings: What was done.
        versions: What else the result depends on.
    """
    by_hypothesis: dict[str, PerturbationCounts] = {}
    for clean, of_list in zip(nbest, counts, strict=True):
        by_hypothesis.update(zip(clean.nbest_keys(), of_list, strict=False))  # 1best: rank 1 alone
    total = sum(by_hypothesis.values(), PerturbationCounts())
    info = {**nbest.info, INFO_KEY: {**provenance(nbest, lexicon, settings, versions), **asdict(total)}}
    return Perturbed(replace(nbest, lists=tuple(lists), info=info), total, by_hypothesis)


def provenance(
    nbest: NbestSet, lexicon: HomophoneLexicon, settings: Perturbation, versions: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What determines a perturbed set: the settings, the checksums of the clean lists and of the lexicon, and more."""
    by_sound = settings.perturbation in (NEAR, SPLIT)
    checksum = lexicon.sound_checksum if by_sound else lexicon.checksum
    made_from = {SOURCE_KEY: nbest.lists_checksum, "lexicon_checksum": checksum}
    if settings.perturbation == NEAR:
        made_from["weighting"] = WEIGHTING
    return {**settings.to_dict(), **made_from, **(versions or {})}


def was_made_from(recorded: Mapping[str, Any], nbest: NbestSet) -> bool:
    """Whether a perturbed set with this record was made from these lists; False where it does not say."""
    source = recorded.get(SOURCE_KEY)
    # Earlier versions recorded the checksum of the lists with their references.
    return source is not None and source in (nbest.lists_checksum, nbest.info.get("checksum"))


def is_up_to_date(
    info: Mapping[str, Any],
    nbest: NbestSet,
    lexicon: HomophoneLexicon,
    settings: Perturbation,
    versions: Mapping[str, Any] | None = None,
) -> bool:
    """Whether a perturbed set with this `info` has the lists that would be made now; references are not among them."""
    recorded = info.get(INFO_KEY)
    if not isinstance(recorded, Mapping) or not was_made_from(recorded, nbest):
        return False
    # Which a perturbed set has from the clean one, and NPRR compares.
    if (info.get("metric", WER), info.get(CLEANER)) != (nbest.metric, nbest.cleaner):
        return False
    wanted = provenance(nbest, lexicon, settings, versions)
    return all(recorded.get(key) == value for key, value in wanted.items() if key != SOURCE_KEY)
