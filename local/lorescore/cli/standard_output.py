"""Standard output whose reader has gone, or whose disk is full."""

import os
import sys


def flush_standard_output(end: str = "") -> OSError | None:
    """Write what is still in the buffer; where that cannot be, why: then nothing is written any more.

    Args:
        end: What to write after it. Without a buffer (PYTHONUNBUFFERED) only an attempt to write something tells.
    """
    try:
        print(end=end, flush=True)  # nothing where standard output is closed
    except OSError as error:
        discard_standard_output()
        return error
    return None


def discard_standard_output() -> None:
    """Let nothing be written any more where nobody reads, not even what is still in the buffer at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
