"""The values of a YAML file by key, each checked for its type: an error names the file and the key."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorescore.errors import InputError
from lorescore.files import read_yaml


@dataclass(frozen=True)
class Fields:
    """A mapping of a YAML file.

    Attributes:
        content: The mapping.
        path: The file, for errors.
        mend: How to get a good one, for errors.
        prefix: The keys that lead to this mapping inside the file, each followed by a dot.
    """

    content: Mapping[str, Any]
    path: Path
    mend: str
    prefix: str = ""

    @classmethod
    def read(cls, path: Path, mend: str) -> "Fields":
        """Read a YAML file.

        Raises:
            InputError: It is missing or is not a mapping.
        """
        return cls(read_yaml(path), path, mend)

    def text(self, key: str) -> str:
        """A string.

        Raises:
            InputError: The key is missing or has another type; so for the methods below.
        """
        value = self.content.get(key)
        if not isinstance(value, str):
            raise self.wrong(key, "a string")
        return value

    def integer(self, key: str) -> int:
        """A whole number."""
        value = self.content.get(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(key, "a whole number")
        return value

    def number(self, key: str) -> float:
        """A finite number."""
        value = self.optional_number(key)
        if value is None:
            raise self.wrong(key, "a finite number")
        return value

    def optional_number(self, key: str) -> float | None:
        """A number; None where it is left out, null or not finite."""
        value = self.content.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(key, "a number")
        return float(value) if math.isfinite(value) else None

    def optional_integer(self, key: str) -> int | None:
        """A whole number; None where it is left out or null."""
        return None if self.content.get(key) is None else self.integer(key)

    def section(self, key: str) -> "Fields":
        """The mapping inside; an empty one where it is left out or null."""
        value = self.content.get(key) or {}
        if not isinstance(value, dict):
            raise self.wrong(key, "a mapping")
        return Fields(value, self.path, self.mend, f"{self.prefix}{key}.")

    def sections(self, key: str) -> "list[Fields]":
        """The mappings of the list inside; none where it is left out or null."""
        values = self.content.get(key) or []
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            raise self.wrong(key, "a list of mappings")
        return [
            Fields(value, self.path, self.mend, f"{self.prefix}{key}[{index}].") for index, value in enumerate(values)
        ]

    def wrong(self, key: str, expected: str) -> InputError:
        """The error for a key whose value is not what was expected."""
        found = f"is {self.content[key]!r:.60}" if key in self.content else "is missing"
        return InputError(f"{self.prefix}{key} {found}, expected {expected}", path=self.path, mend=self.mend)
