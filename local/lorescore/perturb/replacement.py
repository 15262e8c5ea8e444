"""Replace words of N-best lists by words that sound alike (DESIGN section 3; this project's definitions).

Each replaceable word of the perturbed hypotheses is replaced with probability `rate`. First-pass scores stay, since the
replacement sounds the same or nearly so; references are never touched. Nor is what stands before an utterance: with
`--context` the PLM reads the clean 1-best of those before it, so that what is measured is the loss by the list alone,
and versions of a list share the scores of their texts.

- `homophone`: by one of its homophones, each as likely as the others.
- `near`: by a word one phone apart, similar phones likelier (`lorescore.perturb.near`); with a lexicon in CMUdict's
  phones alone, as only their distances are known.
- `split`: one or two words by one or two with the same phones and another boundary (`lorescore.perturb.boundaries`).
- `tied`: as homophone, but a word has the same replacement wherever it stands in the hypotheses of its list.
- `insert`: as homophone, but the list keeps its hypotheses, and each changed one follows its source, with the source's
  first-pass score. One whose text is in the list already is not added, as a decoder gives each text once. Ranks are
  counted anew, the first pass's best stays at rank 1, and the oracle cannot get worse.
- `worst`: see `lorescore.perturb.worst`; it needs a rescorer's scores.

What is perturbed is the first pass's list: of an expanded one (`lorescore.perturb.expansion`) without what was added.

A word's draw depends on nothing but (seed, utt, rank, position), of `tied` (seed, utt, word). Therefore

- the result is independent of the order of the lists and of how a set is split into jobs;
- perturbations are nested: what is replaced at rate 0.1 is replaced, by the same word, at rate 0.3 with the same seed.
  These common random numbers take noise out of a curve over rates, and texts that two rates share need one scoring;
- `1best` perturbs rank 1 exactly as `nbest` does with the same seed, so that their difference is the other ranks;
- `insert` adds exactly the hypotheses that `homophone` puts in their source's place.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from lorescore.errors import InputError
from lorescore.nbest import Hypothesis, NbestList
from lorescore.perturb.draws import Draw, Draws
from lorescore.perturb.lexicon import HomophoneLexicon
from lorescore.perturb.settings import INSERT, NEAR, SPLIT, TIED, WORST, Perturbation
from lorescore.perturb.sites import Alternatives, Site, boundary_sites, change, word_sites


@dataclass(frozen=True)
class PerturbationCounts:
    """What was replaced, over the hypotheses that the kind perturbs (`1best`: one a list).

    Attributes:
        hypotheses: These hypotheses.
        hypotheses_changed: Those with at least one replaced word.
        words: Their words, before.
        replaceable: Words that have a replacement; of two overlapping ways to move a boundary, the left one counts.
        replaced: Words that were replaced.
    """

    hypotheses: int = 0
    hypotheses_changed: int = 0
    words: int = 0
    replaceable: int = 0
    replaced: int = 0

    def __add__(self, other: "PerturbationCounts") -> "PerturbationCounts":
        """The counts of two parts of a set together."""
        return PerturbationCounts(
            self.hypotheses + other.hypotheses,
            self.hypotheses_changed + other.hypotheses_changed,
            self.words + other.words,
            self.replaceable + other.replaceable,
            self.replaced + other.replaced,
        )

    @classmethod
    def of(cls, words: Sequence[str], sites: Sequence[Site], changed: Sequence[Site]) -> "PerturbationCounts":
        """The counts of one hypothesis with its sites and those that are changed."""
        replaceable, replaced = (sum(site.length for site in some) for some in (sites, changed))
        return cls(1, int(bool(changed)), len(words), replaceable, replaced)


def perturb_list(
    one: NbestList, settings: Perturbation, lexicon: HomophoneLexicon, seed: int | None = None
) -> NbestList:
    """The perturbed list of an utterance.

    Args:
        one: The clean list.
        settings: All but `worst`.
        lexicon: It keeps what it has found, so that further lists, epochs and settings are faster.
        seed: Instead of that of the settings; for a training that perturbs afresh, `epoch_seed(seed, epoch)`.

    Raises:
        InputError: `worst`, which needs scores.
    """
    if seed is not None:
        settings = replace(settings, seed=seed)
    return perturb_and_count(one, settings, lexicon)[0]


def perturb_and_count(
    one: NbestList, settings: Perturbation, lexicon: HomophoneLexicon
) -> tuple[NbestList, list[PerturbationCounts]]:
    """The perturbed list of an utterance, and the counts of each perturbed hypothesis by its rank in the clean list.

    Raises:
        InputError: `worst`, which needs scores.
    """
    if settings.perturbation == WORST:
        raise InputError("the perturbation worst needs a rescorer's scores", mend="choose another one")
    one = one.first_pass
    perturbed: list[Hypothesis] = []
    counts: list[PerturbationCounts] = []
    for hypothesis, changed, count in changed_sites(one, settings, lexicon):
        perturbed.append(change(hypothesis, changed))
        counts.append(count)
    if settings.perturbation == INSERT:
        return replace(one, hypotheses=_with_competitors(one, perturbed)), counts
    return replace(one, hypotheses=(*perturbed, *one.hypotheses[len(perturbed) :])), counts


def sources(clean: NbestList, perturbed: NbestList) -> Sequence[int]:
    """The hypothesis that each of a perturbed list's was made from, (m,), as its index in the clean list.

    It is the one of the same rank; of `insert`, whose list is longer, the last of the clean list's before it. What
    expansion has added to either list is left out.
    """
    clean, perturbed = clean.first_pass, perturbed.first_pass
    if len(perturbed.hypotheses) == len(clean.hypotheses):
        return range(len(clean.hypotheses))
    found: list[int] = []
    taken = 0
    for hypothesis in perturbed.hypotheses:
        if taken < len(clean.hypotheses) and hypothesis == clean.hypotheses[taken]:
            taken += 1
        found.append(taken - 1)
    return found


def changed_sites(
    one: NbestList, settings: Perturbation, lexicon: HomophoneLexicon
) -> Iterator[tuple[Hypothesis, list[Site], PerturbationCounts]]:
    """The hypotheses of a list that are perturbed, by rank: each with the sites that are changed, and its counts."""
    for rank, hypothesis in enumerate(one.hypotheses[:1] if settings.kind == "1best" else one.hypotheses, start=1):
        words = hypothesis.words
        sites = find_sites(words, one.utt, rank, settings, lexicon)
        changed = [site for site in sites if site.uniform < settings.rate]
        yield hypothesis, changed, PerturbationCounts.of(words, sites, changed)


def find_sites(
    words: Sequence[str], utt: str, rank: int, settings: Perturbation, lexicon: HomophoneLexicon, candidate: int = 0
) -> list[Site]:
    """Where a hypothesis can be changed, with what is drawn for each place.

    Args:
        words: Of the hypothesis.
        utt: Its utterance.
        rank: Its rank.
        settings: Perturbation and seed; kind and rate play no part.
        lexicon: What sounds alike.
        candidate: Another number is another draw from the same seed.
    """
    draw = _drawing(utt, rank, settings, candidate)
    if settings.perturbation == SPLIT:
        return boundary_sites(words, lexicon.boundaries.of, draw)
    if settings.perturbation == NEAR:
        return word_sites(words, lexicon.near.of, draw)
    return word_sites(words, lambda word: Alternatives(tuple((one,) for one in lexicon.homophones_of(word))), draw)


def _drawing(utt: str, rank: int, settings: Perturbation, candidate: int) -> Callable[[int, str], Draw]:
    """What draws for a position and the word there."""
    if settings.perturbation == TIED:
        of_list = Draws(settings.seed, utt, "tied")
        return lambda position, word: of_list.draw(word.lower())
    of_hypothesis = Draws(settings.seed, f"{utt} {rank}", f"candidate {candidate}" if candidate else "")
    return lambda position, word: of_hypothesis.draw(position)


def _with_competitors(one: NbestList, perturbed: Sequence[Hypothesis]) -> tuple[Hypothesis, ...]:
    """The list with each perturbed hypothesis after its source, if its text is new."""
    texts = set(one.texts)
    together: list[Hypothesis] = []
    for index, hypothesis in enumerate(one.hypotheses):
        together.append(hypothesis)
        if index < len(perturbed) and perturbed[index].text not in texts:
            together.append(perturbed[index])
            texts.add(perturbed[index].text)
    return tuple(together)
