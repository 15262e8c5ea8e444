"""Progress of long loops with the time left: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence

from tqdm import tqdm

from lorescore.progress import Item, Progress

SECONDS_BETWEEN_LINES = 20.0


def progress(what: str) -> Progress:
    """A progress that reports on standard error; `what` stands before the part that a loop does."""

    def wrap(items: Sequence[Item], part: str) -> Iterable[Item]:
        if sys.stderr.isatty():
            return tqdm(items, desc=f"{what}, {part}", leave=False, dynamic_ncols=True)
        return _lines(f"{what}, {part}", items)

    return wrap


def _lines(what: str, items: Sequence[Item]) -> Iterator[Item]:
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
