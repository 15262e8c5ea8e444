"""Toy lists, and the fresh rescorers that the tests train on them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from plm_models import new_rescorer
from toy_nbest import toy_nbest

from lorescore.nbest import NbestSet
from lorescore.scoring.rescorer import Rescorer


@pytest.fixture(scope="session")
def train_lists() -> NbestSet:
    return toy_nbest(24, seed=1)


@pytest.fixture(scope="session")
def dev_lists() -> NbestSet:
    return toy_nbest(10, seed=2)


@pytest.fixture(scope="session")
def fresh_rescorer(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Rescorer]:
    """Makes a new rescorer of a family and a scorer at each call, on PLMs that are fetched once."""
    folder: Path = tmp_path_factory.mktemp("plms")

    def make(family: str = "llama", scorer: str = "clm", **settings: Any) -> Rescorer:
        return new_rescorer(folder, family, scorer, **({"plm_text": "lower"} | settings))

    return make
