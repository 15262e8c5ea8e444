"""Writers of a made-up `exp`, by way of the functions with which the stages write theirs."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lorescore.files import write_table, write_yaml
from lorescore.nprr import NprrRecord, nprr, write_records
from lorescore.wer import score_hypotheses

WORDS = ["the", "of", "and", "to", "in", "he", "was", "that", "it", "his", "her", "with", "as", "had", "for", "she"]
STRATEGIES = {"none": 0, "full": 134_515_008, "vanilla": 921_600, "adalora": 921_600}
ERROR_RATES = {
    "first_pass": 0.080,
    "none": 0.072,
    "full": 0.066,
    "vanilla": 0.065,
    "adalora": 0.064,
    "oracle": 0.040,
}
WEIGHTS = {"none": (0.31, 0.52), "full": (0.58, 0.85), "vanilla": (0.61, 0.9), "adalora": (0.64, 1.05)}
DEGRADATION = {
    "1best": {"none": 0.012, "full": 0.016, "vanilla": 0.017, "adalora": 0.02},
    "nbest": {"none": 0.10, "full": 0.14, "vanilla": 0.13, "adalora": 0.12},
}
LAYERS, MODULES = 30, ("q_proj", "k_proj", "v_proj", "o_proj")

needs_sclite = pytest.mark.skipif(
    not (shutil.which("sclite") or shutil.which("sctk")), reason="sclite is missing: apt-get install sctk"
)


def tag_of(strategy: str) -> str:
    return strategy if strategy in ("first_pass", "oracle") else f"smollm2_clm_{strategy}_mwer_s1"


def write_scores(
    exp_dir: Path, set_name: str, refs: Mapping[str, str], hyps_by_tag: Mapping[str, Mapping[str, str]], **weights: Any
) -> None:
    """What stages 4, 6 and 7 leave of a set; `weights`: lm_weight and word_bonus by tag, 0 where left out."""
    write_table(exp_dir / "nbest" / set_name / "text", refs)
    for tag, hyps in hyps_by_tag.items():
        lm_weight, word_bonus = weights.get(tag, (0.0, 0.0))
        set_dir = exp_dir / "rescore" / tag / set_name
        write_table(set_dir / "text", hyps)
        if tag in weights:
            content = {"lm_weight": lm_weight, "word_bonus": word_bonus, "tuned_on": "dev", "dev_wer": 5.0}
            write_yaml(set_dir.parent / "weights.yaml", content)
        score_hypotheses(refs, hyps, None, set_dir, lm_weight, word_bonus, hyps_by_tag.get("first_pass"))


def write_model(exp_dir: Path, strategy: str, /, tag: str = "", **changes: Any) -> Path:
    """What stage 5 leaves, under the strategy's usual tag or another; `changes` to the configuration."""
    model_dir = exp_dir / "plm" / (tag or tag_of(strategy))
    steps = [0, 100, 200, 300, 400, 500]
    wers = [7.4 - 1.1 * (1 - 0.5 ** (step / 120)) - 0.02 * len(strategy) for step in steps]
    training = {
        "steps": 500,
        "best_step": 400 if strategy != "none" else 0,
        "epochs": 1,
        "lists": 2000,
        "seconds": 123.45,
        "peak_memory_mb": 1789,
        "dev_wer_start": wers[0],
        "dev_wer_best": wers[-2],
    }
    config = {
        "plm": {"name": "smollm2", "scorer": "clm"},
        "strategy": {"name": strategy, "rank": 8},
        "objective": "mwer",
        "seed": 1,
        "trainable_parameters": STRATEGIES[strategy],
        "total_parameters": 134_515_008,
        "training": training,
    }
    if strategy != "none":
        evaluations = [
            {"step": step, "dev_wer": wer, "lm_weight": 0.5, "word_bonus": 0.0}
            for step, wer in zip(steps, wers, strict=True)
        ]
        write_yaml(model_dir / "history.yaml", {"evaluations": evaluations})
    if strategy == "adalora":
        rng = np.random.default_rng(3)
        ranks = {
            f"model.layers.{layer}.self_attn.{module}": int(np.clip(rng.normal(4 + layer / 4, 2.5), 0, 12))
            for layer in range(LAYERS)
            for module in MODULES
        }
        write_yaml(model_dir / "ranks.yaml", ranks)
    write_yaml(model_dir / "config.yaml", config | changes)
    return model_dir


def make_record(
    strategy: str, set_name: str, kind: str, rate: float, utts: int = 200, degradation: float | None = None
) -> NprrRecord:
    """A robustness record from drawn error counts."""
    rng = np.random.default_rng([*strategy.encode(), *set_name.encode(), *kind.encode(), round(100 * rate)])
    clean = rng.poisson(0.9, utts)

    def perturbed(share: float) -> np.ndarray:
        return clean + rng.poisson(0.9 * share * rate / 0.1, (3, utts))

    words = np.full(utts, 15)
    own = perturbed(DEGRADATION[kind].get(strategy, 0.1) if degradation is None else degradation)
    # The first pass is the same for every strategy.
    rng = np.random.default_rng([*set_name.encode(), round(100 * rate)])
    first = rng.poisson(1.0, utts)
    first_perturbed = first + rng.poisson(0.11 * rate / 0.1, (3, utts))
    return NprrRecord(
        tag_of(strategy), set_name, kind, rate, (1, 2, 3), nprr(clean, own, words), nprr(first, first_perturbed, words)
    )


def write_nprr(exp_dir: Path, strategies: Iterable[str], sets: Iterable[str], rates: Iterable[float]) -> None:
    """What stage 9 leaves."""
    for strategy in strategies:
        records = [
            make_record(strategy, set_name, kind, rate) for set_name in sets for kind in DEGRADATION for rate in rates
        ]
        write_records(exp_dir / "nprr" / f"{tag_of(strategy)}.json", records)


def drawn_hyps(refs: Mapping[str, str], error_rate: float) -> dict[str, str]:
    """Each word replaced with this chance; what a lower chance replaces, a higher one replaces too."""
    rng = np.random.default_rng(0)
    hyps = {}
    for utt, text in refs.items():
        words = text.split()
        wrong = rng.random(len(words)) + rng.normal(0, 0.004, len(words)) < error_rate
        hyps[utt] = " ".join("zzz" if bad else word for word, bad in zip(words, wrong, strict=True))
    return hyps
