"""The ways of scoring lists under a causal LM that the benchmark compares, one module each.

All of them get the same lists in the same case and score the same tokens: bos is conditioned on, eos is scored where
the PLM's settings name one.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from lorescore.errors import InputError
from lorescore.plm import onednn
from lorescore.plm.settings import PlmSettings
from lorescore.scoring.rescorer import Rescorer

REQUIRED = ("minicons", "speechbrain")


class Competitor(Protocol):
    """A way of scoring."""

    @property
    def name(self) -> str:
        """What the table calls it."""

    @property
    def batch_sizes(self) -> Sequence[int]:
        """Sizes to choose the fastest of; one where there is nothing to choose."""

    def score(self, lists: Sequence[Sequence[str]], batch_size: int) -> list[list[float]]:
        """Log-likelihoods in nats of the texts of each list, [list][text]."""


def load_competitors(plm_dir: Path, plm: PlmSettings, rescorer: Rescorer, work_dir: Path) -> list[Competitor]:
    """Every way, this project's first.

    Args:
        plm_dir: A fetched PLM.
        plm: How text is put to it.
        rescorer: This project's, on the same PLM.
        work_dir: Where files may be put that have to stay while the competitors are used.

    Raises:
        InputError: A package is not installed.
    """
    for package in REQUIRED:
        if find_spec(package) is None:
            raise InputError(f"the Python package {package} is not installed", mend="pip install '.[bench]'")
    # These take seconds to import, and only this function needs them.
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from competitors.lorescore_tree import LorescoreTree, LorescoreTreeByMkl
    from competitors.minicons_scorer import MiniconsScorer
    from competitors.one_by_one import OneByOne
    from competitors.padded_batches import PaddedBatches
    from competitors.speechbrain_rescorer import SpeechBrainRescorer

    # As a user of Transformers has it: not with the linear layers that `load_plm` gives (`lorescore.plm.onednn`).
    model = AutoModelForCausalLM.from_pretrained(plm_dir, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(plm_dir)
    by_mkl = [LorescoreTreeByMkl(plm_dir, plm)] if onednn.is_faster() else []
    return [
        LorescoreTree(rescorer),
        *by_mkl,
        PaddedBatches(model, tokenizer, plm),
        MiniconsScorer(model, plm_dir, plm),
        SpeechBrainRescorer(plm_dir, plm, work_dir),
        OneByOne(model, tokenizer, plm),
    ]
