"""Tiny PLMs that the scoring tests share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from plm_models import new_rescorer

from lorescore.scoring.rescorer import Rescorer


@pytest.fixture(scope="session")
def rescorer_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Rescorer]:
    """Makes the rescorer of a family, a scorer and settings, each once. Tests leave its weights as they are."""
    folder: Path = tmp_path_factory.mktemp("plms")
    made: dict[object, Rescorer] = {}

    def make(family: str, scorer: str = "clm", **settings: Any) -> Rescorer:
        key = (family, scorer, *sorted(settings.items()))
        if key not in made:
            made[key] = new_rescorer(folder, family, scorer, **settings)
        return made[key]

    return make
