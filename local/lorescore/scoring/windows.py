"""What an encoder scorer gives to its PLM of a text: its tokens between the PLM's special tokens, whole or in windows.

A text that is longer than the PLM's context is seen in windows of the PLM's length that overlap by half (this project's
own): a score that is summed over tokens takes each token from the window in which it is farthest from a cut, so that
the PLM sees at least a quarter of its length on either side of it, or all of the text there is on that side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from transformers import PreTrainedTokenizerBase as Tokenizer

from lorescore.errors import InputError

PROBE = "a"  # a text of at least one token, to see what a tokenizer puts around it


@dataclass(frozen=True)
class Window:
    """A part of a token sequence.

    Attributes:
        start: First token that the PLM sees.
        end: The token after the last that it sees.
        first: First token that is scored in this window.
        last: The token after the last that is scored in it.
    """

    start: int
    end: int
    first: int
    last: int


def windows(num_tokens: int, size: int | None) -> list[Window]:
    """The windows of a sequence: one of all of it where it fits, else windows of `size` that overlap by at least half.

    Each token is scored in one window: the one in which it is farthest from a cut, the earlier one of two. The ends of
    the text are no cuts.

    Args:
        num_tokens: Length of the sequence.
        size: Longest window, at least 1; None: no limit.
    """
    if size is None or num_tokens <= size:
        return [Window(0, num_tokens, 0, num_tokens)]
    step = max(1, size // 2)
    starts = [*range(0, num_tokens - size, step), num_tokens - size]
    # Between two windows the tokens of the overlap's first half, and its middle one, are nearer to the second's start.
    bounds = [0, *((left + size + right + 1) // 2 for left, right in pairwise(starts)), num_tokens]
    return [
        Window(start, start + size, first, last) for start, (first, last) in zip(starts, pairwise(bounds), strict=True)
    ]


@dataclass(frozen=True)
class Frame:
    """The special tokens that a PLM's tokenizer puts around a text.

    Attributes:
        before: Their ids before the text, such as [CLS].
        after: Their ids after it, such as [SEP].
    """

    before: tuple[int, ...]
    after: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "Frame":
        """The frame of a tokenizer, found by trying it on a text.

        Raises:
            InputError: The tokenizer gives a text other tokens with special tokens than without them.
        """
        inner = tokenizer(PROBE, add_special_tokens=False)["input_ids"]
        outer = tokenizer(PROBE)["input_ids"]
        for start in range(len(outer) - len(inner) + 1):
            if outer[start : start + len(inner)] == inner:
                return cls(tuple(outer[:start]), tuple(outer[start + len(inner) :]))
        raise InputError(
            f"this PLM's tokenizer turns {PROBE!r} into {inner}, but with special tokens into {outer}",
            mend="choose another PLM",
        )

    def room(self, max_tokens: int | None) -> int | None:
        """Tokens of a text that fit into a PLM which takes `max_tokens`.

        Raises:
            InputError: There is no room.
        """
        if max_tokens is None:
            return None
        room = max_tokens - len(self.before) - len(self.after)
        if room < 1:
            raise InputError(f"this PLM takes {max_tokens} tokens: no room for a text", mend="choose another PLM")
        return room

    def around(self, ids: Sequence[int]) -> tuple[int, ...]:
        """Token ids with the special tokens around them."""
        return (*self.before, *ids, *self.after)
