"""Training lists and texts: what an objective needs of each, and the order in which steps take them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lorescore.combine import ScoredLists
from lorescore.errors import InputError
from lorescore.nbest import NbestSet
from lorescore.scoring.rescorer import Rescorer


@dataclass(frozen=True)
class TrainingList:
    """One list, ready for a scorer; or a text, which is the reference of a list without hypotheses.

    Attributes:
        utt: The utterance's id; of a text, the text.
        encoded: The texts of the hypotheses, and the reference's last where `with_reference`, as the scorer encodes
            them.
        first_pass: (n,) log scores.
        num_words: (n,) words.
        errors: (n,) word errors.
        with_reference: Whether the reference is the last of the encoded texts.
    """

    utt: str
    encoded: Any
    first_pass: torch.Tensor
    num_words: torch.Tensor
    errors: torch.Tensor
    with_reference: bool

    def __len__(self) -> int:
        return len(self.encoded)


def training_lists(rescorer: Rescorer, nbest: NbestSet, with_reference: bool) -> list[TrainingList]:
    """The lists of a set that have something to teach.

    A list whose hypotheses all have the same number of errors has no MWER gradient; it is left out, unless its
    reference is trained on too and has words.

    Raises:
        InputError: No list is left.
    """
    arrays = ScoredLists.build(nbest, None)
    kept = []
    for index, one in enumerate(nbest):
        span = slice(arrays.offsets[index], arrays.offsets[index + 1])
        errors = arrays.errors[span]
        ref = [nbest.refs[one.utt]] if with_reference and nbest.refs[one.utt] else []
        if not ref and errors.min() == errors.max():
            continue
        texts = one.texts + ref
        columns = (arrays.first_pass[span], arrays.num_words[span], errors)
        first_pass, num_words, errors_ = (torch.tensor(column, dtype=torch.float32) for column in columns)
        kept.append(TrainingList(one.utt, rescorer.encode(texts), first_pass, num_words, errors_, bool(ref)))
    if not kept:
        raise InputError("no training list has hypotheses with different errors: nothing to learn from")
    return kept


def training_text(rescorer: Rescorer, text: str) -> TrainingList:
    """A text of the domain, for the PLM's own loss alone."""
    nothing = torch.empty(0)
    return TrainingList(text, rescorer.encode([text]), nothing, nothing, nothing, with_reference=True)


def texts_of_step(texts: Sequence[str], step: int, texts_per_step: int, seed: int) -> list[str]:
    """The texts of a step, counted from 0: pass after pass over them all, each shuffled by (seed, pass)."""
    chosen: list[str] = []
    position = step * texts_per_step
    while len(chosen) < texts_per_step and texts:
        epoch, first = divmod(position + len(chosen), len(texts))
        order = np.random.default_rng([seed, epoch]).permutation(len(texts))
        chosen += [texts[index] for index in order[first : first + texts_per_step - len(chosen)]]
    return chosen


def steps_of_epoch(num_lists: int, lists_per_step: int, epoch: int, seed: int) -> Iterator[list[int]]:
    """The lists of each step of an epoch, shuffled by (seed, epoch); the last step takes what is left."""
    order = np.random.default_rng([seed, epoch]).permutation(num_lists).tolist()
    for start in range(0, num_lists, lists_per_step):
        yield order[start : start + lists_per_step]
