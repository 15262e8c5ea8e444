"""Waiting for what another process does."""

import time
from collections.abc import Callable


def wait_for(holds: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Whether something comes to hold before the time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.1)
    return holds()
