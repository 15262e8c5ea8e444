"""`worst`: of several homophone versions of a hypothesis, the one that a rescorer likes best (this project's own).

An adversary who knows the rescorer chooses the homophones. It says how far a rescorer can be led, and is no bound on
its errors: the likeliest homophone can be the right word. The first candidate is what `homophone` makes with the same
seed; each further one is another draw that replaces as many words as the first, so that the adversary chooses where and
by what but never how much, and rate 0 and 1 mean what they mean for `homophone`. Candidates of a hypothesis have its
first-pass score and its number of words, so that for `wer` the best PLM score is the best combined score at any
positive weight; of equal scores the first candidate is taken. Unlike the other perturbations it is not nested over
rates. It depends on the list, the settings and the scores alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from lorescore.errors import InputError
from lorescore.nbest import Hypothesis, NbestList, NbestSet
from lorescore.perturb.lexicon import HomophoneLexicon
from lorescore.perturb.replacement import PerturbationCounts, changed_sites, find_sites
from lorescore.perturb.sets import Perturbed, perturbed_set
from lorescore.perturb.settings import WORST, Perturbation
from lorescore.perturb.sites import change

NUM_CANDIDATES = 4

# (texts of each list, what stands before each list) -> PLM scores
Score = Callable[[Sequence[Sequence[str]], Sequence[Sequence[str]]], Sequence[Sequence[float]]]


def perturb_worst(
    nbest: NbestSet,
    lexicon: HomophoneLexicon,
    settings: Sequence[Perturbation],
    score: Score,
    num_candidates: int = NUM_CANDIDATES,
    versions: Mapping[str, str] | None = None,
) -> list[Perturbed]:
    """The worst versions of a set for several kinds, rates and seeds.

    Args:
        nbest: The clean lists.
        lexicon: The homophones.
        settings: Each of the perturbation `worst`.
        score: PLM scores, higher is better, of the texts of each list after its context, as `Rescorer.score` gives
            them; called once, for every setting together, with each list's distinct candidates.
        num_candidates: Of each hypothesis.
        versions: What else the result depends on, such as the rescorer's checksum; written to `nbest.yaml`.

    Raises:
        InputError: Fewer than one candidate, or another perturbation.
    """
    require_candidates(num_candidates)
    for setting in settings:
        if setting.perturbation != WORST:
            raise InputError(f"the perturbation {setting.perturbation}, expected {WORST}")
    first_pass = [one.first_pass for one in nbest]
    found = [
        [list(_hypotheses(one, lexicon, setting, num_candidates)) for setting in settings] for one in first_pass
    ]  # [list][setting][rank]: candidates and counts
    texts = [
        list(dict.fromkeys(each.text for ranks in of_list for candidates, _ in ranks for each in candidates))
        for of_list in found
    ]
    given = score(texts, [one.context for one in nbest])
    scores = [dict(zip(some, values, strict=True)) for some, values in zip(texts, given, strict=True)]
    made = []
    for index, setting in enumerate(settings):
        lists, counts = [], []
        for one, of_list, known in zip(first_pass, found, scores, strict=True):
            best = [max(candidates, key=lambda each: known[each.text]) for candidates, _ in of_list[index]]
            lists.append(replace(one, hypotheses=(*best, *one.hypotheses[len(best) :])))
            counts.append([of_hypothesis for _, of_hypothesis in of_list[index]])
        made.append(perturbed_set(nbest, lists, counts, lexicon, setting, worst_versions(num_candidates, versions)))
    return made


def require_candidates(num_candidates: int) -> None:
    """Check the number of candidates.

    Raises:
        InputError: It is below 1.
    """
    if num_candidates < 1:
        raise InputError(f"{num_candidates} candidates for {WORST}, expected at least 1")


def worst_versions(num_candidates: int, versions: Mapping[str, str] | None = None) -> dict[str, int | str]:
    """What the worst version of a list depends on besides the settings, as `nbest.yaml` has it."""
    return {"num_candidates": num_candidates, **(versions or {})}


def _hypotheses(
    one: NbestList, lexicon: HomophoneLexicon, settings: Perturbation, num_candidates: int
) -> Iterator[tuple[list[Hypothesis], PerturbationCounts]]:
    """The distinct candidates of each perturbed hypothesis, by rank, and its counts, which all of them have."""
    for rank, (hypothesis, changed, counts) in enumerate(changed_sites(one, settings, lexicon), start=1):
        candidates = {(first := change(hypothesis, changed)).text: first}
        for number in range(1, num_candidates if changed else 1):
            drawn = find_sites(hypothesis.words, one.utt, rank, settings, lexicon, candidate=number)
            chosen = sorted(drawn, key=lambda site: (site.uniform, site.start))[: len(changed)]
            other = change(hypothesis, chosen)
            candidates.setdefault(other.text, other)
        yield list(candidates.values()), counts
