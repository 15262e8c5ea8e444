"""Random numbers that are a function of their key alone, whatever else was drawn and in whatever order.

A keyed hash (BLAKE2b, RFC 7693; the seed is its key) of what a draw is for, such as (utt, rank, position), gives its
numbers. So perturbed lists do not depend on the order of the lists or on how a set is split into jobs.
"""

import hashlib
from dataclasses import dataclass

from lorescore.perturb.settings import SEED_BYTES

DRAW_BYTES = 8  # of each of a draw's two numbers
FLOAT_BITS = 53  # a float's precision: more bits could round up to 1


@dataclass(frozen=True, slots=True)
class Draw:
    """Two independent random numbers.

    Attributes:
        uniform: In [0, 1): the place is changed where it is below the rate.
        bits: 64 random bits: which of the alternatives.
    """

    uniform: float
    bits: int

    def index(self, num_choices: int) -> int:
        """One of 0..num_choices-1, each as likely as the others."""
        return (self.bits * num_choices) >> (8 * DRAW_BYTES)

    def fraction(self) -> float:
        """A number in [0, 1), uniform, independently of `uniform`."""
        return _unit(self.bits)


class Draws:
    """The draws of one hypothesis or list.

    Args:
        seed: Of the perturbation.
        key: What they are for, its parts separated by spaces; an utterance id has none, so that no two keys are alike.
        purpose: Keeps draws for different purposes apart; at most 16 bytes.
    """

    def __init__(self, seed: int, key: str, purpose: str = "") -> None:
        self._hash = hashlib.blake2b(
            f"{key} ".encode(),
            key=seed.to_bytes(SEED_BYTES, "big"),
            digest_size=2 * DRAW_BYTES,
            person=purpose.encode(),
        )

    def draw(self, what: int | str) -> Draw:
        """The draw for a position or a word."""
        keyed = self._hash.copy()
        keyed.update(str(what).encode())
        digest = keyed.digest()
        first, second = (int.from_bytes(half, "big") for half in (digest[:DRAW_BYTES], digest[DRAW_BYTES:]))
        return Draw(_unit(first), second)


def epoch_seed(seed: int, epoch: int) -> int:
    """A seed for each (seed, epoch), for perturbations that training draws afresh in every epoch."""
    return Draws(seed, str(epoch), "epoch").draw(0).bits


def _unit(bits: int) -> float:
    """64 random bits as a number in [0, 1)."""
    return (bits >> (8 * DRAW_BYTES - FLOAT_BITS)) / 2**FLOAT_BITS
