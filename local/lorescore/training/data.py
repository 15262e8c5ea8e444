"""Training lists and texts: what an objective needs of each, and the order in which steps take them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from lorescore.combine import ScoredLists, oracle
from lorescore.errors import InputError
from lorescore.nbest import NbestList, NbestSet
from lorescore.scoring.rescorer import Rescorer
from lorescore.training.settings import TrainingSettings


@dataclass(frozen=True)
class Twin:
    """The perturbed hypotheses of a training list (`lorescore.training.twins`).

    Attributes:
        first_pass: (m,) log scores.
        num_words: (m,) words.
        errors: (m,) word errors against the reference, which is not perturbed.
        sources: (m,) index of the list's hypothesis that each was made from.
        teacher: (m,) what a teacher's scores say of them, where there is one.
    """

    first_pass: torch.Tensor
    num_words: torch.Tensor
    errors: torch.Tensor
    sources: torch.Tensor
    teacher: torch.Tensor | None = None


@dataclass(frozen=True)
class TrainingList:
    """One list, ready for a scorer; or a text, which is the reference of a list without hypotheses.

    Attributes:
        utt: The utterance's id; of a text, the text.
        encoded: The texts of the hypotheses, those of the twin where there is one, and the reference's last where
            `with_reference`, as the scorer encodes them.
        first_pass: (n,) log scores.
        num_words: (n,) words.
        errors: (n,) word errors.
        with_reference: Whether the reference is the last of the encoded texts.
        teacher: (n,) what a teacher's scores say of the hypotheses, where there is one.
        twin: The perturbed list that is trained on beside it in this epoch, where there is one.
    """

    utt: str
    encoded: Any
    first_pass: torch.Tensor
    num_words: torch.Tensor
    errors: torch.Tensor
    with_reference: bool
    teacher: torch.Tensor | None = None
    twin: Twin | None = None

    def __len__(self) -> int:
        return len(self.encoded)


def training_lists(
    rescorer: Rescorer,
    nbest: NbestSet,
    with_reference: bool,
    *,
    with_hypotheses: bool = True,
    teacher: Sequence[torch.Tensor] | None = None,
) -> list[TrainingList]:
    """The lists of a set that have something to teach.

    A list whose hypotheses all have the same number of errors has no MWER gradient; it is left out, unless there is a
    teacher, or its reference is trained on too and has words.

    Args:
        rescorer: Encodes the texts.
        nbest: The lists, with references.
        with_reference: Whether the references are trained on.
        with_hypotheses: Whether the hypotheses are.
        teacher: (n,) a teacher's scores of each list's hypotheses.

    Raises:
        InputError: No list is left.
    """
    arrays, learnt = ScoredLists.build(nbest, None), texts_to_learn(nbest) if with_reference else {}
    kept = []
    for index, one in enumerate(nbest):
        ref = [learnt[one.utt]] if learnt.get(one.utt) else []
        if not with_hypotheses:
            kept += [replace(training_text(rescorer, text, one.context), utt=one.utt) for text in ref]
            continue
        span = slice(arrays.offsets[index], arrays.offsets[index + 1])
        errors = arrays.errors[span]
        if not ref and teacher is None and errors.min() == errors.max():
            continue
        texts = one.texts + ref
        columns = (arrays.first_pass[span], arrays.num_words[span], errors)
        first_pass, num_words, errors_ = (torch.tensor(column, dtype=torch.float32) for column in columns)
        targets = None if teacher is None else teacher[index]
        encoded = rescorer.encode(texts, one.context)
        kept.append(TrainingList(one.utt, encoded, first_pass, num_words, errors_, bool(ref), targets))
    if not kept and with_hypotheses:
        raise InputError("no training list has hypotheses with different errors: nothing to learn from")
    if not kept:
        raise InputError("no reference has words: nothing to learn from")
    return kept


def texts_to_learn(nbest: NbestSet) -> Mapping[str, str]:
    """What the PLM's own loss is of, by utterance: the references.

    Where a cleaner is between these and the hypotheses, they are written otherwise: there it is the hypothesis with the
    fewest errors, the first of several. (This project's choice.)
    """
    if nbest.cleaner is None:
        return nbest.refs
    return {utt: text for utt, text in oracle(nbest).items() if nbest.refs[utt]}


def shortened(nbest: NbestSet, max_hyps: int) -> NbestSet:
    """The lists cut to their first `max_hyps` hypotheses; 0 leaves them as they are."""
    if not max_hyps:
        return nbest

    def cut(one: NbestList) -> NbestList:
        taken, own = one.hypotheses[:max_hyps], len(one.hypotheses) - one.added
        return replace(one, hypotheses=taken, added=max(0, len(taken) - own))

    return replace(nbest, lists=tuple(map(cut, nbest)))


def training_text(rescorer: Rescorer, text: str, context: Sequence[str] = ()) -> TrainingList:
    """A text of the domain, for the PLM's own loss alone, after what stands before it."""
    nothing = torch.empty(0)
    return TrainingList(text, rescorer.encode([text], context), nothing, nothing, nothing, with_reference=True)


def num_steps(num_lists: int, settings: TrainingSettings, num_texts: int = 0) -> int:
    """Optimizer steps of a training run; an epoch is a pass over the lists, or over the texts where there are none."""
    per_epoch = num_lists / settings.lists_per_step if num_lists else num_texts / settings.texts_per_step
    return settings.epochs * math.ceil(per_epoch)


def plan_steps(num_lists: int, texts: Sequence[str], settings: TrainingSettings) -> list[tuple[list[int], list[str]]]:
    """The lists, by index, and the texts of every step."""
    if num_lists:
        by_epoch = (
            steps_of_epoch(num_lists, settings.lists_per_step, epoch, settings.seed) for epoch in range(settings.epochs)
        )
        lists = [indices for steps in by_epoch for indices in steps]
    else:
        lists = [[] for _ in range(num_steps(0, settings, len(texts)))]
    return [
        (indices, texts_of_step(texts, step, settings.texts_per_step, settings.seed))
        for step, indices in enumerate(lists)
    ]


def texts_of_step(texts: Sequence[str], step: int, texts_per_step: int, seed: int) -> list[str]:
    """The texts of a step, counted from 0: pass after pass over them all, each shuffled by (seed, pass)."""
    chosen: list[str] = []
    position = step * texts_per_step
    while len(chosen) < texts_per_step and texts:
        epoch, first = divmod(position + len(chosen), len(texts))
        order = _order(len(texts), seed, epoch)
        chosen += [texts[index] for index in order[first : first + texts_per_step - len(chosen)]]
    return chosen


def steps_of_epoch(num_lists: int, lists_per_step: int, epoch: int, seed: int) -> Iterator[list[int]]:
    """The lists of each step of an epoch, shuffled by (seed, epoch); the last step takes what is left."""
    order = _order(num_lists, seed, epoch).tolist()
    for start in range(0, num_lists, lists_per_step):
        yield order[start : start + lists_per_step]


@lru_cache(maxsize=2)  # steps come in order, and one can reach into the next pass
def _order(num: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(num)
