"""Replace words of N-best lists by homophones (DESIGN section 3; this project's definition).

Each replaceable word (one that has a homophone) of the perturbed hypotheses is replaced with probability `rate` by one
of its homophones, each as likely as the others. First-pass scores stay, since a homophone sounds the same; references
are never touched.

A word's draw depends on nothing but (seed, utt, rank, position): two numbers from a keyed hash, `u` in [0, 1), compared
with the rate, and the choice among the homophones. Therefore

- the result is independent of the order of the lists and of how a set is split into jobs;
- perturbations are nested: what is replaced at rate 0.1 is replaced, by the same word, at rate 0.3 with the same seed.
  These common random numbers take noise out of a curve over rates, and texts that two rates share need one scoring;
- `1best` perturbs rank 1 exactly as `nbest` does with the same seed, so that their difference is the other ranks.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from lorescore.nbest import Hypothesis, NbestList, NbestSet
from lorescore.perturb.lexicon import HomophoneLexicon
from lorescore.perturb.settings import SEED_BYTES, Perturbation

INFO_KEY = "perturbation"
DRAW_BYTES = 8  # of each of a word's two draws
FLOAT_BITS = 53  # a float's precision: more bits could round up to 1


@dataclass(frozen=True)
class PerturbationCounts:
    """What was replaced, over the hypotheses that the kind perturbs (`1best`: one a list).

    Attributes:
        hypotheses: These hypotheses.
        hypotheses_changed: Those with at least one replaced word.
        words: Their words.
        replaceable: Words that have a homophone.
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


def perturb(nbest: NbestSet, lexicon: HomophoneLexicon, settings: Perturbation) -> tuple[NbestSet, PerturbationCounts]:
    """Replace words of N-best lists by homophones.

    The case follows the word replaced: `SUN` SON, `Sun` Son, `sun` son. A word of one letter (`I`) counts as upper case
    where its whole hypothesis is in upper case, and as capitalised elsewhere.

    Args:
        nbest: The clean lists.
        lexicon: The homophones; where it is empty nothing is replaced.
        settings: Kind, rate and seed. Rate 0 gives back equal lists, rate 1 replaces every replaceable word.

    Returns:
        The perturbed set, whose `info["perturbation"]` says from what and how it was made and holds the counts; and the
        counts.
    """
    counts = PerturbationCounts()
    lists = []
    for one in nbest:
        perturbed, of_list = _perturb_list(one, lexicon, settings)
        lists.append(perturbed)
        counts += of_list
    info = {**nbest.info, INFO_KEY: {**provenance(nbest, lexicon, settings), **asdict(counts)}}
    return replace(nbest, lists=tuple(lists), info=info), counts


def provenance(nbest: NbestSet, lexicon: HomophoneLexicon, settings: Perturbation) -> dict[str, Any]:
    """What determines a perturbed set: kind, rate, seed, and the checksums of the clean lists and of the lexicon."""
    return {**asdict(settings), "source_checksum": nbest.info.get("checksum"), "lexicon_checksum": lexicon.checksum}


def is_up_to_date(info: Mapping[str, Any], nbest: NbestSet, lexicon: HomophoneLexicon, settings: Perturbation) -> bool:
    """Whether a perturbed set with this `info` is what `perturb` would make now; never where a checksum is missing."""
    recorded = info.get(INFO_KEY)
    wanted = provenance(nbest, lexicon, settings)
    if not isinstance(recorded, Mapping) or wanted["source_checksum"] is None:
        return False
    return all(recorded.get(key) == value for key, value in wanted.items())


def _perturb_list(
    one: NbestList, lexicon: HomophoneLexicon, settings: Perturbation
) -> tuple[NbestList, PerturbationCounts]:
    """The perturbed list of an utterance, and its counts."""
    num_perturbed = 1 if settings.kind == "1best" else len(one.hypotheses)
    counts = PerturbationCounts()
    hypotheses = list(one.hypotheses)
    for rank in range(1, num_perturbed + 1):
        draws = _Draws(settings.seed, one.utt, rank)
        hypotheses[rank - 1], of_hypothesis = _perturb_hypothesis(
            one.hypotheses[rank - 1], lexicon, settings.rate, draws
        )
        counts += of_hypothesis
    return NbestList(one.utt, tuple(hypotheses)), counts


def _perturb_hypothesis(
    hypothesis: Hypothesis, lexicon: HomophoneLexicon, rate: float, draws: "_Draws"
) -> tuple[Hypothesis, PerturbationCounts]:
    """The perturbed hypothesis, the very same object where nothing was replaced, and its counts."""
    words = hypothesis.words
    replaceable = replaced = 0
    for position, word in enumerate(words):
        homophones = lexicon.homophones_of(word)
        if homophones:
            replaceable += 1
            uniform, choice = draws.draw(position, len(homophones))
            if uniform < rate:
                words[position] = _in_case_of(word, homophones[choice], hypothesis.text.isupper())
                replaced += 1
    counts = PerturbationCounts(1, int(replaced > 0), len(words), replaceable, replaced)
    return (replace(hypothesis, text=" ".join(words)) if replaced else hypothesis), counts


class _Draws:
    """The random numbers of one hypothesis, a function of (seed, utt, rank, position) alone."""

    def __init__(self, seed: int, utt: str, rank: int) -> None:
        # Keyed BLAKE2b (RFC 7693). An utterance id has no space, so that no two hypotheses share the text hashed.
        self._hash = hashlib.blake2b(
            f"{utt} {rank} ".encode(), key=seed.to_bytes(SEED_BYTES, "big"), digest_size=2 * DRAW_BYTES
        )

    def draw(self, position: int, num_choices: int) -> tuple[float, int]:
        """A number in [0, 1), uniform, and independently of it one of 0..num_choices-1, for the word at a position."""
        at_position = self._hash.copy()
        at_position.update(str(position).encode())
        digest = at_position.digest()
        first = int.from_bytes(digest[:DRAW_BYTES], "big")
        second = int.from_bytes(digest[DRAW_BYTES:], "big")
        uniform = (first >> (8 * DRAW_BYTES - FLOAT_BITS)) / 2**FLOAT_BITS
        return uniform, (second * num_choices) >> (8 * DRAW_BYTES)


def _in_case_of(word: str, homophone: str, text_is_upper: bool) -> str:
    """The homophone (lower case) in the case of the word that it replaces."""
    if word.isupper() and (len(word) > 1 or text_is_upper):
        return homophone.upper()
    return homophone.capitalize() if word[0].isupper() else homophone
