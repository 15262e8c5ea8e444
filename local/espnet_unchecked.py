#!/usr/bin/env python3
"""An ESPnet program without typeguard's checks of the types in its calls, which change no result:

    espnet_unchecked.py espnet2.bin.asr_inference OPTIONS

With them ESPnet takes half as long again to import, and the beam search of a small model too. Python's -O leaves them
out as well, but asserts with them, and compiles every module anew.
"""

import runpy
import sys
from collections.abc import Callable

import typeguard


def leave_out_type_checks() -> None:
    """Call it before ESPnet is imported."""
    typeguard.typechecked = _as_it_is  # type: ignore[assignment]


def _as_it_is(function: Callable[..., object]) -> Callable[..., object]:
    """In the place of the decorator of ESPnet's functions and classes."""
    return function


if __name__ == "__main__":
    leave_out_type_checks()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
