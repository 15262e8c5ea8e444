"""What a report is made of, whichever format it is written in: headings, prose, tables, pictures, examples.

`lorescore.report.markdown` writes RESULTS.md and examples.md from it, `lorescore.report.page` report.html.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from lorescore.report.examples import Example
from lorescore.report.marks import Word
from lorescore.report.tables import Table

EXAMPLE_LEVEL = 4  # of the heading that an example has of its own
# How figures show it, and where the numbers are, by the beginning of the file's name; of several that fit the longest.
SHOWN = {
    "wer": "Points with intervals, a line a system, a panel a set. The numbers are in table 1.",
    "parameters": "Points with intervals over the trainable parameters, one a strategy; numbers in the table above.",
    "mixed_ranks": "Lines over the rank, one a rescorer and set. The numbers are in ranks.json of stage 6.",
    "nprr": "Lines over the rate with confidence bands, a panel a set, perturbation and kind; numbers in table 2.",
    "nprr_map": "Heat map, a line a model, a column a rate, a panel a perturbation and kind; numbers in table 2.",
    "training": "Lines over the optimizer steps, one a rescorer. First and best value are in table 3.",
    "ranks": "Heat map, a line a module, a column a transformer layer. The numbers are in the rescorer's ranks.yaml.",
    "rank_steps": "Heat map of the transformer layers' ranks over the optimizer steps, below it lines of the modules' "
    "ranks. The numbers are in the rescorer's rank_history.yaml.",
}


@dataclass(frozen=True)
class Heading:
    """A heading.

    Attributes:
        level: 1 for the report's title, 2 for a section, 3 for a part of one.
        text: Without marks.
    """

    level: int
    text: str


@dataclass(frozen=True)
class Prose:
    """Text to read.

    Attributes:
        text: Paragraphs with an empty line between them, names in `backticks`; no other marks.
    """

    text: str


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes:
        name: Of its file in `exp/figures`.
        caption: What it shows.
    """

    name: str
    caption: str

    @property
    def alt(self) -> str:
        """What a reader who cannot see it is told."""
        kinds = [kind for kind in SHOWN if self.name.startswith(kind)]
        return f"{self.caption}. {SHOWN[max(kinds, key=len)]}" if kinds else self.caption


@dataclass(frozen=True)
class Key:
    """How words are marked in examples.

    Attributes:
        words: A sample of each mark, by what it means.
    """

    words: Mapping[str, Word]


Block: TypeAlias = Heading | Prose | Table | Picture | Key | Example
