"""The types: a hypothesis, the N-best list of an utterance, and the lists of a set."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from lorescore.files import split_words
from lorescore.wer.cleaning import INFO_KEY as CLEANER
from lorescore.wer.distances import WordCounts, count_words
from lorescore.wer.units import WER

COST_DECIMALS = 4  # of the costs in files


@dataclass(frozen=True, slots=True)
class CostParts:
    """The first-pass cost in parts, as Kaldi's rnnlm/lmrescore_nbest.sh keeps them apart (negative log scores).

    Attributes:
        acoustic: Acoustic cost, before the acoustic scale.
        nolm: Graph cost without the first pass's LM: pronunciation and transition costs.
        lmonly: Cost of the first pass's LM. Where the two were not told apart, it is the whole graph cost, and nolm 0.
    """

    acoustic: float
    nolm: float
    lmonly: float


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One word sequence that the first pass proposes.

    Attributes:
        text: Its words, joined by single spaces; empty for an empty hypothesis.
        score: First-pass log score; higher is better.
        parts: What the score is made of, where the source keeps it apart.
    """

    text: str
    score: float
    parts: CostParts | None = None

    @classmethod
    def from_parts(cls, text: str, parts: CostParts, acoustic_scale: float) -> "Hypothesis":
        """A hypothesis whose score is -(acoustic_scale x acoustic + nolm + lmonly)."""
        return cls(text, -(acoustic_scale * parts.acoustic + parts.nolm + parts.lmonly), parts)

    @property
    def words(self) -> list[str]:
        """The words in order."""
        return split_words(self.text)


@dataclass(frozen=True, slots=True)
class NbestList:
    """The hypotheses of one utterance, best first: rank 1 is `hypotheses[0]`.

    Attributes:
        utt: The utterance's id.
        hypotheses: At least one hypothesis.
        context: What stands before the utterance in its recording, an utterance each (`lorescore.nbest.context`).
        added: How many hypotheses at the end are not the first pass's own (`lorescore.perturb.expansion`).
    """

    utt: str
    hypotheses: tuple[Hypothesis, ...]
    context: tuple[str, ...] = ()
    added: int = 0

    @property
    def first_pass(self) -> "NbestList":
        """The list as the first pass gave it."""
        if not self.added:
            return self
        return replace(self, hypotheses=self.hypotheses[: len(self.hypotheses) - self.added], added=0)

    @property
    def texts(self) -> list[str]:
        """The text of each hypothesis, by rank."""
        return [hypothesis.text for hypothesis in self.hypotheses]

    @property
    def scores(self) -> list[float]:
        """The first-pass log score of each hypothesis, by rank."""
        return [hypothesis.score for hypothesis in self.hypotheses]

    def nbest_keys(self) -> list[str]:
        """Kaldi's N-best keys, `<utt>-<rank>`, by rank."""
        return [f"{self.utt}-{rank}" for rank in range(1, len(self.hypotheses) + 1)]


@dataclass(frozen=True)
class NbestSet:
    """The N-best lists of a set of utterances.

    Attributes:
        lists: One list an utterance, sorted by utterance id.
        refs: The reference text of each utterance; empty where there are none.
        info: What `nbest.yaml` says: source, `metric`, `cleaner`, N, counts, checksum, perturbation, expansion;
            `acoustic_scale` where the hypotheses have their costs in parts.
    """

    lists: tuple[NbestList, ...]
    refs: Mapping[str, str] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)

    def __iter__(self) -> Iterator[NbestList]:
        return iter(self.lists)

    def __len__(self) -> int:
        return len(self.lists)

    @property
    def num_hypotheses(self) -> int:
        """Hypotheses over all lists."""
        return sum(len(nbest.hypotheses) for nbest in self.lists)

    @property
    def has_choice(self) -> bool:
        """Whether an utterance has two different texts, so that there is something to choose from."""
        return any(len(set(one.texts)) > 1 for one in self)

    @property
    def has_parts(self) -> bool:
        """Whether first-pass costs are in parts, as those of lists from lattices are."""
        return any(hypothesis.parts is not None for one in self for hypothesis in one.hypotheses)

    @property
    def metric(self) -> str:
        """What errors are counted in: `wer`, words, or `cer`, characters (`lorescore.wer.units`)."""
        return str(self.info.get("metric", WER))

    @property
    def cleaner(self) -> str | None:
        """What is done to texts before their errors are counted (`lorescore.wer.cleaning`); None: nothing."""
        return self.info.get(CLEANER)

    @cached_property
    def word_counts(self) -> WordCounts:
        """Words and word errors of each hypothesis, counted once for all scorers of these lists; characters for `cer`.

        Raises:
            KeyError: There are references, but not of all utterances.
        """
        refs = [self.refs[one.utt] for one in self] if self.refs else None
        return count_words([one.texts for one in self], refs, self.metric, self.cleaner)

    @cached_property
    def lists_checksum(self) -> str:
        """SHA-256 of the lists alone, whatever the references: hypotheses, contexts, and costs as a directory has them.

        It is the same before a directory is written and after it is read.
        """
        digest = hashlib.sha256(f"{self.info.get('acoustic_scale')}\n".encode())
        for one in self:
            digest.update("\n".join([*one.context, *([f"{one.added} added"] if one.added else []), ""]).encode())
            for key, hypothesis in zip(one.nbest_keys(), one.hypotheses, strict=True):
                parts = hypothesis.parts
                costs = (parts.acoustic, parts.nolm, parts.lmonly) if parts else (-hypothesis.score,)
                digest.update(
                    f"{key} {hypothesis.text}\n{' '.join(f'{cost:.{COST_DECIMALS}f}' for cost in costs)}\n".encode()
                )
        return digest.hexdigest()
