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
        alt: What a reader who cannot see it is told; empty: the caption.
    """

    name: str
    caption: str
    alt: str = ""


@dataclass(frozen=True)
class Key:
    """How words are marked in examples.

    Attributes:
        words: A sample of each mark, by what it means.
    """

    words: Mapping[str, Word]


Block: TypeAlias = Heading | Prose | Table | Picture | Key | Example
