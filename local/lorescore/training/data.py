"""Training lists: what an objective needs of each list, and the order in which steps take them."""

from collections.abc import Iterator
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
    """One list, ready for a scorer.

    Attributes:
        utt: The utterance's id.
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


def steps_of_epoch(num_lists: int, lists_per_step: int, epoch: int, seed: int) -> Iterator[list[int]]:
    """The lists of each step of an epoch, shuffled by (seed, epoch); the last step takes what is left."""
    order = np.random.default_rng([seed, epoch]).permutation(num_lists).tolist()
    for start in range(0, num_lists, lists_per_step):
        yield order[start : start + lists_per_step]
