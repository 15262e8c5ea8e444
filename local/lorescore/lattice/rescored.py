"""PLM scores back into a lattice: a rescored N-best list as a lattice that Kaldi's `lattice-*` programs read.

Kaldi's convention (scripts/rnnlm/lmrescore_nbest.sh) at the interpolation weight w; the acoustic cost stays:

    graph = nolm + w x plm + (1 - w) x lmonly

This project's combined score (`lorescore.combine`), as a cost, where the first-pass score is minus
(acoustic_scale x acoustic + nolm + lmonly):

    combined cost = acoustic_scale x acoustic + nolm + lmonly + lm_weight x plm - word_bonus x words

All of it but the first term is `combined_graph_cost`, so that at the first pass's acoustic scale the cost of a path is
its combined cost. The one maps onto the other by dividing all costs by 1 + lm_weight: with

    w = lm_weight / (1 + lm_weight)    and    scale = 1 - w = 1 / (1 + lm_weight)

scale x combined cost is the cost, at the acoustic scale `scale x acoustic_scale`, of Kaldi's path of the same w whose
`nolm` is scale x (nolm - word_bonus x words). Kaldi leaves `nolm` unscaled and has no bonus; where both are 0 (lists
without separate costs, or graphs without pronunciation and transition costs) the two conventions rank alike.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lorescore.combine import Weights
from lorescore.errors import InputError
from lorescore.lattice.lattices import Arc, Cost, Final, Lattice
from lorescore.lattice.paths import best_path
from lorescore.lattice.word_paths import COST_TOLERANCE, Alignment, WordPaths, total_cost
from lorescore.nbest.lists import CostParts, NbestList, NbestSet
from lorescore.wer.units import split_units


@dataclass(frozen=True, slots=True)
class NbestPath:
    """A hypothesis with its costs apart.

    Attributes:
        words: Its words.
        parts: Costs of the first pass; all of them acoustic where it does not keep them apart.
        plm: Cost of the PLM.
    """

    words: tuple[str, ...]
    parts: CostParts
    plm: float = 0.0


def nbest_paths(nbest: NbestList, plm_costs: Sequence[float]) -> list[NbestPath]:
    """The paths of a list with the PLM's cost of each, by rank."""
    return [
        NbestPath(tuple(one.words), one.parts or CostParts(-one.score, 0.0, 0.0), cost)
        for one, cost in zip(nbest.hypotheses, plm_costs, strict=True)
    ]


def first_pass_acoustic_scale(nbest: NbestSet) -> float:
    """The acoustic scale at which a path's cost is its first-pass cost; 1 where that is not in parts."""
    return float(nbest.info["acoustic_scale"]) if nbest.has_parts else 1.0


def combined_graph_cost(path: NbestPath, weights: Weights) -> float:
    """The graph cost with which a path's cost, at the first pass's acoustic scale, is minus its combined score."""
    first_pass = path.parts.nolm + path.parts.lmonly
    num_units = len(split_units(" ".join(path.words), weights.metric))
    return first_pass + weights.lm_weight * path.plm - weights.word_bonus * num_units


def lists_with_lattices(
    nbest: NbestSet, sources: Iterable[Lattice] | None
) -> Iterator[tuple[NbestList, Lattice | None]]:
    """Each list with the lattice that it is of.

    A list of one hypothesis may have none: the first pass's best stands in where a lattice is missing or has no path.

    Args:
        nbest: The lists.
        sources: The lattices, read as they are needed; those without a list are left out. None: there are none.

    Yields:
        The lists in the order of their lattices, then those without one; without sources in their own order.

    Raises:
        InputError: A list of several hypotheses has no lattice, or one without a path.
    """
    waiting = {one.utt: one for one in nbest}
    for source in sources or ():
        if source.utt in waiting and _has_path(source):
            yield waiting.pop(source.utt), source
    for one in waiting.values():
        if sources is not None and len(one.hypotheses) > 1:
            raise InputError(f"no lattice for the list of utterance {one.utt}", mend="give the lattices of all lists")
        yield one, None


def rescored_lattice(
    utt: str,
    paths: Iterable[NbestPath],
    weights: Weights,
    *,
    source: WordPaths | None = None,
    acoustic_scale: float = 1.0,
) -> Lattice:
    """The lattice of exactly these paths: a deterministic acceptor in which common beginnings are shared.

    A path's whole cost stands at its final state, so that it is exact. Its alignment is whole, too: what paths with a
    common beginning emit differently in it comes after they part, so that a shared word ends, at the latest, where they
    all agree. Of several paths with the same words the cheapest is kept, of equal ones the first.

    Args:
        utt: The utterance's id.
        paths: At least one.
        weights: Of the combined score, which the paths' new graph costs are of (`combined_graph_cost`).
        source: The paths of the lattice that the list is of, at this acoustic scale; None: no alignments.
        acoustic_scale: At which paths are compared, here and in the source.

    Raises:
        InputError: There are no paths, or one is not in the source.
    """
    costs: dict[tuple[str, ...], Cost] = {}
    first_pass: dict[tuple[str, ...], float] = {}
    for path in paths:
        cost = Cost(combined_graph_cost(path, weights), path.parts.acoustic)
        own = path.parts.nolm + path.parts.lmonly + acoustic_scale * path.parts.acoustic
        first_pass[path.words] = min(own, first_pass.get(path.words, own))
        if path.words not in costs or total_cost(cost, acoustic_scale) < total_cost(costs[path.words], acoustic_scale):
            costs[path.words] = cost
    if not costs:
        raise InputError(f"no hypotheses for the lattice of utterance {utt}", mend="make the lists again: stage 4")
    alignments = {words: _source_alignments(source, utt, words, first_pass[words]) for words in costs}
    return _prefix_tree(utt, costs, alignments)


def reproduces(original: Lattice, rescored: Lattice, *, acoustic_scale: float = 1.0) -> bool:
    """The check of a rescoring with unchanged scores (both weights 0): whether it reproduces the original.

    It does where the original's best path has the same graph and acoustic cost in the rescored lattice (to
    COST_TOLERANCE), and no path there is cheaper; a tie is no difference.

    Args:
        original: The lattice that a list is of.
        rescored: The lattice made of the list.
        acoustic_scale: At which paths are compared.

    Raises:
        InputError: A lattice has a cycle or no path.
    """
    first, best = (best_path(lattice, acoustic_scale=acoustic_scale) for lattice in (original, rescored))
    again = WordPaths(rescored, acoustic_scale).find(first.words)
    return (
        again is not None
        and abs(again.cost.graph - first.cost.graph) <= COST_TOLERANCE
        and abs(again.cost.acoustic - first.cost.acoustic) <= COST_TOLERANCE
        and total_cost(best.cost, acoustic_scale) >= total_cost(first.cost, acoustic_scale) - COST_TOLERANCE
    )


def _has_path(lattice: Lattice) -> bool:
    try:
        lattice.require_path()
    except InputError:
        return False
    return True


def _source_alignments(source: WordPaths | None, utt: str, words: tuple[str, ...], cost: float) -> list[Alignment]:
    """The alignment of each word and of the end, (words + 1,); empty ones without a source."""
    if source is None:
        return [()] * (len(words) + 1)
    path = source.find(words, cost)
    if path is None:
        raise InputError(
            f"hypothesis `{' '.join(words):.60}` of utterance {utt} is not in its lattice",
            mend="give the lattices that the lists were made of, or none",
        )
    return path.word_alignments()


def _prefix_tree(
    utt: str, costs: Mapping[tuple[str, ...], Cost], alignments: Mapping[tuple[str, ...], list[Alignment]]
) -> Lattice:
    """The tree of word sequences, states numbered as they are first met."""
    children: list[dict[str, int]] = [{}]
    # What has been emitted when a state is reached: as far as all paths through it agree.
    emitted: list[Alignment] = [()]
    ends: dict[int, tuple[str, ...]] = {}
    for words in costs:
        state = 0
        so_far: Alignment = ()
        for word, alignment in zip(words, alignments[words], strict=False):  # the last alignment is that of the end
            so_far += alignment
            if word not in children[state]:
                children[state][word] = len(children)
                children.append({})
                emitted.append(so_far)
            state = children[state][word]
            emitted[state] = _common_beginning(emitted[state], so_far)
        ends[state] = words
    arcs = tuple(
        Arc(state, target, word, Cost(), emitted[target][len(emitted[state]) :])
        for state, leaving in enumerate(children)
        for word, target in leaving.items()
    )
    finals = {
        state: Final(costs[words], sum(alignments[words], ())[len(emitted[state]) :])
        for state, words in sorted(ends.items())
    }
    return Lattice(utt, arcs, finals)


def _common_beginning(first: Alignment, second: Alignment) -> Alignment:
    length = next(
        (index for index, (a, b) in enumerate(zip(first, second, strict=False)) if a != b),
        min(len(first), len(second)),
    )
    return first[:length]
