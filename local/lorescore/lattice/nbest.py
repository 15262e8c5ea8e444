"""N-best lists from lattices, with the costs apart, and the lattice oracle.

The costs are those of Kaldi's rnnlm/lmrescore_nbest.sh: a path's acoustic cost, its graph cost without the first pass's
LM (`nolm`), and that LM's cost (`lmonly`). Kaldi tells the last two apart by taking the LM out of the lattice; here a
function gives the LM's cost of a text. Without one the whole graph cost counts as the LM's.
"""

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lorescore.choices import require_positive
from lorescore.errors import InputError
from lorescore.lattice.lattices import Lattice
from lorescore.lattice.oracle import lattice_oracle
from lorescore.lattice.paths import MAX_ARCS, FoundPaths, LatticePath, n_best_paths
from lorescore.lattice.sampling import NBEST_SCALE, random_paths
from lorescore.nbest.lists import CostParts, Hypothesis, NbestList, NbestSet

logger = logging.getLogger(__name__)

SOURCE = "lattice"  # in nbest.yaml
NO_FALLBACK = (
    "decode this utterance again, or say what stands in: --fallback, a first pass or `empty` (all its words count as "
    "deleted)"
)
NOTHING = Hypothesis.from_parts("", CostParts(0.0, 0.0, 0.0), 1.0)  # what a decoder that failed has recognised


@dataclass(frozen=True, slots=True)
class PathSettings:
    """Which paths of a lattice become its list.

    Attributes:
        num_hyps: Hypotheses of a list at most; with `sample`, paths that are drawn.
        acoustic_scale: Weight of the acoustic cost against the graph cost, above 0, as confidences need it.
        sample: Draw random paths, as k2 does, and not the n best.
        seed: Seed of the draws.
        nbest_scale: Scale of the costs in the draws.
        max_arcs: Bound on the work for one lattice.

    Raises:
        InputError: A number that makes no sense.
    """

    num_hyps: int = 10
    acoustic_scale: float = 1.0
    sample: bool = False
    seed: int = 0
    nbest_scale: float = NBEST_SCALE
    max_arcs: int = MAX_ARCS

    def __post_init__(self) -> None:
        if self.num_hyps < 1:
            raise InputError(f"num_hyps {self.num_hyps}, expected 1 or more")
        require_positive("acoustic_scale", self.acoustic_scale)
        if not (math.isfinite(self.nbest_scale) and self.nbest_scale >= 0):
            raise InputError(f"nbest_scale {self.nbest_scale:g}, expected a finite number, 0 or more")

    def provenance(self) -> dict[str, Any]:
        """What determines the lists of given lattices, as it stands in nbest.yaml."""
        paths: dict[str, Any] = {"num_hyps": self.num_hyps, "max_arcs": self.max_arcs}
        if self.sample:
            paths["sample"] = {"seed": self.seed, "nbest_scale": self.nbest_scale}
        return {"source": SOURCE, "acoustic_scale": self.acoustic_scale, "paths": paths}

    def find(self, lattice: Lattice) -> FoundPaths:
        """The paths of a lattice.

        Raises:
            InputError: It has a cycle, no path, or a cost that is not a finite number.
        """
        scale = self.acoustic_scale
        if not self.sample:
            return n_best_paths(lattice, self.num_hyps, acoustic_scale=scale, max_arcs=self.max_arcs)
        return random_paths(
            lattice,
            self.num_hyps,
            seed=self.seed,
            nbest_scale=self.nbest_scale,
            acoustic_scale=scale,
            max_arcs=self.max_arcs,
        )


@dataclass(frozen=True)
class LatticeLists:
    """The N-best lists of lattices, and what happened on the way.

    Attributes:
        nbest: The lists, sorted by utterance. `info` has the settings; how many `fallbacks` there are, lists whose one
            hypothesis is the fallback, as their lattice is missing or has no path; and how many searches were
            `stopped`, so that the list may be shorter than it could be.
        oracle: The text of the lattice's path with the fewest word errors by utterance (the fallback where that stands
            in); empty where there are no references.
    """

    nbest: NbestSet
    oracle: Mapping[str, str]


def lists_from_lattices(
    lattices: Iterable[Lattice],
    settings: PathSettings,
    *,
    refs: Mapping[str, str] | None = None,
    fallback: Mapping[str, Hypothesis] | Hypothesis | None = None,
    lm_cost: Callable[[str], float] | None = None,
) -> LatticeLists:
    """The N-best lists of lattices, which are read one at a time.

    Args:
        lattices: At most one an utterance.
        settings: Which paths.
        refs: Reference text by utterance; None or empty: there are none. With references the lists are of exactly
            their utterances, otherwise of those that have a lattice or a fallback.
        fallback: The first pass's best by utterance, for utterances whose lattice is missing or has no path; or one
            hypothesis for any of them, such as `NOTHING`.
        lm_cost: The cost (negative log score) that the first pass's LM gives a text; None: it is not told apart.

    Raises:
        InputError: An utterance has neither a lattice with a path nor a fallback, or a lattice but no reference, or
            two lattices; there are no utterances; or `lattices` raises one.
    """
    refs = refs or {}
    by_utt = fallback if isinstance(fallback, Mapping) else {}
    for_any = fallback if isinstance(fallback, Hypothesis) else None
    lists: dict[str, NbestList] = {}
    oracle: dict[str, str] = {}
    unusable: dict[str, InputError] = {}
    stopped = 0
    for lattice in lattices:
        utt = lattice.utt
        if utt in lists or utt in unusable:
            raise InputError(f"a second lattice for utterance {utt}", mend="keep one lattice an utterance")
        if refs and utt not in refs:
            mend = "add its reference or take the lattices of the set that the references are of"
            raise InputError(f"a lattice for utterance {utt}, which has no reference", mend=mend)
        try:
            found = settings.find(lattice)
        except InputError as error:
            unusable[utt] = error
            continue
        hypotheses = (_hypothesis(path, settings.acoustic_scale, lm_cost) for path in found.paths)
        lists[utt] = NbestList(utt, tuple(hypotheses))
        if refs:
            oracle[utt] = " ".join(lattice_oracle(lattice, refs[utt]).words)
        if not found.complete:
            stopped += 1
            logger.warning("utterance %s: the search in its lattice was stopped at %d paths", utt, len(found.paths))
    fallbacks = sorted((set(refs) or {*lists, *unusable, *by_utt}) - set(lists))
    for utt in fallbacks:
        hypothesis = _fallback(utt, unusable.get(utt), by_utt.get(utt, for_any), settings.acoustic_scale)
        lists[utt] = NbestList(utt, (hypothesis,))
        if refs:
            oracle[utt] = hypothesis.text
    if not lists:
        raise InputError("no lattices", mend="decode again: stage 3")
    if fallbacks:
        logger.warning("%d of %d utterances have %s alone", len(fallbacks), len(lists), stands_in(for_any is NOTHING))
    if stopped:
        logger.warning("the search was stopped in %d of %d lattices", stopped, len(lists) - len(fallbacks))
    info = {**settings.provenance(), "fallbacks": len(fallbacks), "stopped": stopped}
    ordered = tuple(lists[utt] for utt in sorted(lists))
    return LatticeLists(NbestSet(ordered, refs, info), oracle)


def stands_in(is_nothing: bool) -> str:
    """What a fallback is, in words."""
    return "an empty hypothesis" if is_nothing else "the first pass's best"


def _hypothesis(path: LatticePath, acoustic_scale: float, lm_cost: Callable[[str], float] | None) -> Hypothesis:
    text = " ".join(path.words)
    lmonly = path.cost.graph if lm_cost is None else lm_cost(text)
    return Hypothesis.from_parts(text, CostParts(path.cost.acoustic, path.cost.graph - lmonly, lmonly), acoustic_scale)


def _fallback(utt: str, error: InputError | None, one: Hypothesis | None, acoustic_scale: float) -> Hypothesis:
    """What stands in, with a warning; where its cost is not in parts, all of it counts as nolm.

    Raises:
        InputError: There is none; it names the utterance.
    """
    problem = error.message if error else f"no lattice for utterance {utt}"
    if one is None:
        raise InputError(problem, mend=NO_FALLBACK)
    logger.warning("%s: %s stands in", problem, stands_in(one is NOTHING))
    return Hypothesis.from_parts(one.text, one.parts or CostParts(0.0, -one.score, 0.0), acoustic_scale)
