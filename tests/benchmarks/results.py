"""results.json, which holds every part that was measured, and RESULTS.md, the tables made from it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sections import Numbers, Section, Table

from lorescore.errors import InputError
from lorescore.files import atomic_write

COMMAND = "python tests/benchmarks/run.py"
SIGNIFICANT_DIGITS = 3


class Results:
    """What was measured, by section and name of the lists; saved after each part.

    Args:
        path: results.json; what is there is kept.

    Raises:
        InputError: It is not JSON.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.parts: dict[str, dict[str, Numbers]] = {}
        if path.is_file():
            try:
                self.parts = json.loads(path.read_text(encoding="utf-8"))
            except json.JSONDecodeError as error:
                raise InputError(f"not JSON: {error}", path=path, mend="delete it and measure again") from error

    def add(self, section: str, lists: str, numbers: Numbers, conditions: Mapping[str, Any]) -> None:
        """Put a part in the place of an older one and save."""
        self.parts.setdefault(section, {})[lists] = {"conditions": dict(conditions), "numbers": numbers}
        with atomic_write(self.path) as file:
            json.dump(self.parts, file, indent=1)

    def has(self, section: str, lists: str, settings: Mapping[str, Any]) -> bool:
        """Whether a part was measured under these settings."""
        part = self.parts.get(section, {}).get(lists, {"conditions": {}})
        return bool(part["conditions"]) and all(part["conditions"].get(key) == settings[key] for key in settings)

    def markdown(self, sections: Sequence[Section]) -> str:
        """RESULTS.md: every section that has been measured."""
        lines = ["# Benchmarks", "", f"Written by `{COMMAND}`; `results.json` has every run. Times are medians."]
        for section in sections:
            parts = self.parts.get(section.name, {})
            if parts:
                lines += ["", f"## {section.title}", "", section.about, ""]
                lines += _rows(section.table({name: part["numbers"] for name, part in parts.items()}))
                lines += ["", *_conditions(parts)]
        return "\n".join(lines) + "\n"


def _rows(table: Table) -> list[str]:
    """The lines of a Markdown table; numbers are to the right."""
    numeric = [any(isinstance(row[i], int | float) for row in table.rows) for i in range(len(table.header))]
    lines = [_line(table.header), _line(["---:" if right else "---" for right in numeric])]
    return lines + [_line([_cell(value) for value in row]) for row in table.rows]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: str | float | int | None) -> str:
    """Counts in full, measured numbers to three significant digits."""
    if value is None:
        return ""
    if isinstance(value, float):
        decimals = max(0, SIGNIFICANT_DIGITS - len(str(int(abs(value)))))
        return f"{value:,.{decimals}f}"
    return f"{value:,}" if isinstance(value, int) else value


def _conditions(parts: Mapping[str, Numbers]) -> list[str]:
    """Where and how each set of lists was measured, one line for those that were measured alike."""
    alike: dict[str, list[str]] = {}
    for name, part in parts.items():
        one = part["conditions"]
        versions = ", ".join(f"{package} {version}" for package, version in one["versions"].items())
        how = f"{one['plm']}, {one['threads']} threads, {one['repeats']} runs"
        where = f"{how}; {one['processor']} ({one['instructions']}), {one['cores']} cores; {versions}"
        alike.setdefault(where, []).append(f"{name} (load before: {one['load']})")
    return [f"{', '.join(names)}: {where}." for where, names in alike.items()]
