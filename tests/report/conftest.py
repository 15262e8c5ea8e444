"""An `exp` as the stages write it, made up but of realistic sizes: one PLM, four strategies, two sets."""

from pathlib import Path

import numpy as np
import pytest
from made_up_exp import (
    ERROR_RATES,
    STRATEGIES,
    WEIGHTS,
    WORDS,
    drawn_hyps,
    tag_of,
    write_model,
    write_nprr,
    write_scores,
)


@pytest.fixture
def exp_dir(tmp_path: Path) -> Path:
    """Everything: four models, all scored and measured on two sets."""
    exp_dir = tmp_path / "exp"
    for strategy in STRATEGIES:
        write_model(exp_dir, strategy)
    for set_name, utts, shift in (("dev", 60, 0.0), ("test", 80, 0.02)):
        rng = np.random.default_rng(utts)
        refs = {f"spk{i % 5}-{i:04d}": " ".join(rng.choice(WORDS, 15)) for i in range(utts)}
        hyps_by_tag = {tag_of(name): drawn_hyps(refs, rate + shift) for name, rate in ERROR_RATES.items()}
        write_scores(exp_dir, set_name, refs, hyps_by_tag, **{tag_of(name): pair for name, pair in WEIGHTS.items()})
    write_nprr(exp_dir, STRATEGIES, ("dev", "test"), (0.1, 0.2, 0.3))
    return exp_dir
