"""Examples that a person can read: what was perturbed, and what each rescorer chose on clean and on perturbed lists.

Of each perturbation and kind, the lists of the highest rate and the lowest seed are looked at. An utterance whose list
was changed is worth showing where, this project's own order,

1. the rescorers lose or gain unequally many words by the perturbation, or else
2. they choose different hypotheses of the perturbed list, or else
3. any of them chooses a hypothesis with more or fewer errors than on the clean list.

Of equally interesting ones, a hash of a fixed seed and the utterance's id decides, so that the choice is the same every
time and depends on no order. The perturbations take turns, and no utterance is shown twice. Perturbed lists that were
not made from the clean ones as they are now have no examples, and a warning says so.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from lorescore.combine import FIRST_PASS, ORACLE, Ints, ScoredLists, best_ranks, oracle_ranks, read_weights
from lorescore.errors import InputError
from lorescore.files import read_table
from lorescore.nbest import NbestSet, cost_file, list_costs, read_nbest_dir
from lorescore.nbest.filtered import cleaned
from lorescore.nbest.info import is_nbest_dir
from lorescore.nprr import NprrRecord
from lorescore.nprr.groups import require_versions
from lorescore.perturb.replacement import sources
from lorescore.perturb.sets import COUNTS_FILE
from lorescore.perturb.settings import WORST, Perturbation
from lorescore.report.marks import Replacement, Word, marked, replacements
from lorescore.scoring.stored import WEIGHTS_FILE

logger = logging.getLogger(__name__)

MAX_EXAMPLES = 20  # of a set
SEED = 1
EVERYONE = "all"  # stands for all systems where they agree
PERTURB_AGAIN = "stages 8 and 9 perturb and measure again"


@dataclass(frozen=True)
class Choice:
    """A hypothesis that was chosen.

    Attributes:
        systems: Who chose it: `first_pass`, rescorers' tags, `oracle`; or `all` of them.
        rank: In the list, from 1.
        errors: Its errors, of words or, where the metric is `cer`, of characters.
        words: With its errors marked, in words; none where only the segmentation differs and characters are counted.
    """

    systems: tuple[str, ...]
    rank: int
    errors: int
    words: tuple[Word, ...]


@dataclass(frozen=True)
class Example:
    """An utterance before and after a perturbation.

    Attributes:
        set: The clean set.
        utt: The utterance.
        lists: Perturbation and kind in words, as `NprrRecord.lists`.
        rate: Of the perturbation.
        seed: Of the perturbation.
        ref: The reference.
        replacements: What took the place of what, with the number of hypotheses; in the order of the ranks.
        replaced: Words that were replaced, in all hypotheses of the list; None where that was not written down.
        replaceable: Words that could have been.
        clean: What was chosen of the clean list; each hypothesis once.
        perturbed: What was chosen of the perturbed one.
    """

    set: str
    utt: str
    lists: str
    rate: float
    seed: int
    ref: str
    replacements: Mapping[Replacement, int]
    replaced: int | None
    replaceable: int | None
    clean: tuple[Choice, ...]
    perturbed: tuple[Choice, ...]

    @property
    def title(self) -> str:
        """Utterance and perturbation."""
        return f"{self.utt} ({self.lists}, rate {self.rate:g}, seed {self.seed})"

    @property
    def share(self) -> str:
        """How many words of the list's hypotheses were replaced, in words; empty where that was not written down."""
        if self.replaced is None:
            return ""
        return f"{self.replaced} of {self.replaceable} replaceable words of the list"


@dataclass(frozen=True)
class _Version:
    """One version of a set's lists, and what each system chooses of them.

    Attributes:
        nbest: The lists.
        lists: With no PLM's scores.
        ranks: By system, index into each list, from 0, (U,).
    """

    nbest: NbestSet
    lists: ScoredLists
    ranks: Mapping[str, Ints]

    @classmethod
    def chosen(cls, nbest: NbestSet, nbest_dir: Path, tags: Iterable[str], exp_dir: Path) -> "_Version":
        """A set with the choices of those of the rescorers whose costs of it are there."""
        lists = ScoredLists.build(nbest, None)
        ranks = {FIRST_PASS: np.zeros(len(nbest), dtype=np.int64)}
        for tag in tags:
            weights = exp_dir / "rescore" / tag / WEIGHTS_FILE
            if cost_file(nbest_dir, tag).is_file() and weights.is_file():
                scored = ScoredLists.build(nbest, list_costs(nbest_dir, nbest, tag))
                ranks[tag] = best_ranks(scored, read_weights(weights))
        return cls(nbest, lists, ranks | {ORACLE: oracle_ranks(lists)})

    @cached_property
    def shown(self) -> NbestSet:
        """The lists as their errors are counted."""
        return cleaned(self.nbest)

    def errors(self, system: str) -> Ints:
        """(U,) word errors of what a system chose."""
        return self.lists.errors[self.lists.offsets[:-1] + self.ranks[system]]

    def choices(self, index: int, systems: Iterable[str], sources: Sequence[str] | None = None) -> tuple[Choice, ...]:
        """What systems chose of one list; `sources`: the clean text of each hypothesis, where it is perturbed."""
        one = self.shown.lists[index]
        by_rank: dict[int, list[str]] = {}
        for system in systems:
            by_rank.setdefault(int(self.ranks[system][index]), []).append(system)
        chosen = []
        for rank, names in by_rank.items():
            text = one.hypotheses[rank].text
            places = replacements(sources[rank], text)[1] if sources else ()
            errors = int(self.lists.errors[self.lists.offsets[index] + rank])
            words = marked(self.shown.refs[one.utt] if errors else text, text, places)
            chosen.append(Choice(tuple(names) if len(by_rank) > 1 else (EVERYONE,), rank + 1, errors, words))
        return tuple(chosen)


@dataclass(frozen=True)
class _Pair:
    """The clean and one perturbed version of a set."""

    set: str
    settings: Perturbation
    label: str
    clean: _Version
    perturbed: _Version
    counts: Mapping[str, str]

    @cached_property
    def tags(self) -> list[str]:
        """The rescorers that have scored both."""
        return [tag for tag in self.perturbed.ranks if tag in self.clean.ranks and tag not in (FIRST_PASS, ORACLE)]

    def candidates(self, seed: int) -> list[int]:
        """The lists that are worth showing, the most interesting first."""
        if not self.tags:
            return []
        changes = np.stack([self.perturbed.errors(tag) - self.clean.errors(tag) for tag in self.tags])
        chosen = np.stack([self.perturbed.ranks[tag] for tag in self.tags])
        levels = np.select([np.ptp(changes, axis=0) > 0, np.ptp(chosen, axis=0) > 0, changes.any(axis=0)], [0, 1, 2], 3)
        found = []
        for index, (before, after) in enumerate(zip(self.clean.nbest, self.perturbed.nbest, strict=True)):
            if levels[index] < 3 and before.texts != after.texts:
                drawn = hashlib.sha256(f"{seed} {self.set} {self.label} {before.utt}".encode()).hexdigest()
                found.append((int(levels[index]), drawn, index))
        return [index for _, _, index in sorted(found)]

    def example(self, index: int) -> Example:
        """One of the lists."""
        before, after = self.clean.shown.lists[index], self.perturbed.shown.lists[index]
        made_from = [
            before.texts[source] for source in sources(self.clean.nbest.lists[index], self.perturbed.nbest.lists[index])
        ]
        made_from += after.texts[len(made_from) :]  # what an expansion has added, no perturbation has made
        made = Counter(
            one
            for source, text in zip(made_from, after.texts, strict=True)
            for one in dict.fromkeys(replacements(source, text)[0])
        )
        systems = [FIRST_PASS, *self.tags, ORACLE]
        counts = [self.counts[key].split() for key in before.nbest_keys() if key in self.counts]
        return Example(
            set=self.set,
            utt=before.utt,
            lists=self.label,
            rate=self.settings.rate,
            seed=self.settings.seed,
            ref=self.clean.shown.refs[before.utt],
            replacements=dict(made),
            replaced=sum(int(one[1]) for one in counts) if counts else None,
            replaceable=sum(int(one[0]) for one in counts) if counts else None,
            clean=self.clean.choices(index, systems),
            perturbed=self.perturbed.choices(index, systems, made_from),
        )


def find_examples(
    exp_dir: Path, records: Sequence[NprrRecord], max_examples: int = MAX_EXAMPLES, seed: int = SEED
) -> list[Example]:
    """Examples of every set that was measured and whose lists and costs are still there.

    Args:
        exp_dir: The recipe's `exp`.
        records: What was measured, in the order of the tables.
        max_examples: Of each set.
        seed: Of the choice between equally interesting utterances.

    Returns:
        Set by set, perturbation by perturbation, in the order of the records.

    Raises:
        InputError: A file is not what its stage writes.
    """
    examples = []
    for set_name in dict.fromkeys(record.set for record in records):
        pairs = list(_pairs(exp_dir, set_name, [record for record in records if record.set == set_name]))
        chosen: dict[int, int] = {}  # by list, the number of the pair
        waiting = [pair.candidates(seed) for pair in pairs]
        while len(chosen) < max_examples and any(waiting):
            for number, indices in enumerate(waiting):
                index = next((one for one in indices if one not in chosen), None)
                waiting[number] = indices[indices.index(index) + 1 :] if index is not None else []
                if index is not None and len(chosen) < max_examples:
                    chosen[index] = number
        examples += [
            pairs[number].example(index) for index, number in sorted(chosen.items(), key=lambda one: one[::-1])
        ]
    return examples


def _pairs(exp_dir: Path, set_name: str, records: Sequence[NprrRecord]) -> Iterator[_Pair]:
    """The clean set with each perturbed one that is to be looked at; `worst` has one for each rescorer."""
    groups: dict[tuple[str, str, str], list[NprrRecord]] = {}
    for record in records:
        groups.setdefault(
            (record.perturbation, record.kind, record.tag if record.perturbation == WORST else ""), []
        ).append(record)
    clean_dir = exp_dir / "nbest" / set_name
    tags = list(dict.fromkeys(record.tag for record in records))
    clean: _Version | None = None
    for (perturbation, kind, tag), some in groups.items():
        rate = max(record.rate for record in some)
        seed = min(seed for record in some if record.rate == rate for seed in record.seeds)
        settings = Perturbation(kind, rate, seed, perturbation, tag)
        perturbed_dir = exp_dir / "nbest" / f"{set_name}_{settings.name}"
        if not all(is_nbest_dir(path) for path in (clean_dir, perturbed_dir)):
            continue  # the lists were deleted, the figures kept
        clean = clean or _Version.chosen(read_nbest_dir(clean_dir), clean_dir, tags, exp_dir)
        lists = read_nbest_dir(perturbed_dir)
        try:
            require_versions(clean.nbest, clean_dir, {perturbed_dir: lists})
        except InputError as error:
            logger.warning("%s: %s: no examples of them; %s", perturbed_dir, error.message, PERTURB_AGAIN)
            continue
        lists = replace(lists, refs=clean.nbest.refs)  # which perturbed lists may lack
        perturbed = _Version.chosen(lists, perturbed_dir, [tag] if tag else tags, exp_dir)
        counts = read_table(perturbed_dir / COUNTS_FILE) if (perturbed_dir / COUNTS_FILE).is_file() else {}
        yield _Pair(set_name, settings, some[0].lists, clean, perturbed, counts)
