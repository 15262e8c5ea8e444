"""Progress of long loops with the time left: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 20.0


def progress(what: str) -> Callable[[Iterable[Any]], Iterable[Any]]:
    """A wrapper for a loop over something that has a length, which reports on standard error."""

    def wrap(items: Iterable[Any]) -> Iterable[Any]:
        if sys.stderr.isatty():
            return tqdm(items, desc=what, leave=False, dynamic_ncols=True)
        return _lines(what, list(items))

    return wrap


def _lines(what: str, items: list[Any]) -> Iterator[Any]:
    """Yield `items`, with a line now and then."""
    started = last = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if done and now - last >= SECONDS_BETWEEN_LINES:
            left = (now - started) / done * (len(items) - done)
            print(f"{what}: {done} of {len(items)}, {duration(left)} left", file=sys.stderr, flush=True)
            last = now
        yield item


def duration(seconds: float) -> str:
    """Like 3 min 20 s."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
