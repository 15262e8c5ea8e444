"""The text of an InputError: where, what, how to mend it."""

from pathlib import Path

import pytest

from lorescore.errors import InputError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (InputError("empty"), "empty"),
        (InputError("empty", path=Path("a/text")), "a/text: empty"),
        (InputError("empty", path="a/text", line=3), "a/text:3: empty"),
        (InputError("empty", path="a/text", line=3, mend="decode again"), "a/text:3: empty (decode again)"),
        (InputError("empty", mend="decode again"), "empty (decode again)"),
    ],
)
def test_text(error: InputError, text: str) -> None:
    assert str(error) == text
