"""The report as one HTML page that needs nothing else: no network, no scripts, figures inside it as data URIs.

The page is filled into `page.html`, a Jinja template with escaping switched on: nothing that comes from a file can
become markup. Its content security policy forbids scripts and every request, so that a browser too holds it to that.
"""

import re
import struct
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from lorescore.files import atomic_write
from lorescore.report.blocks import Block, Heading, Picture

TEMPLATE = "page.html"
CODE = re.compile(r"`([^`]*)`")
NOT_IN_ANCHOR = re.compile(r"[^a-z0-9]+")
CONTENTS_LEVELS = (2, 3)


@dataclass(frozen=True)
class Anchored:
    """A heading that can be linked to.

    Attributes:
        heading: The heading.
        anchor: Its id, another one for each heading.
    """

    heading: Heading
    anchor: str


@dataclass(frozen=True)
class Image:
    """A picture with its content.

    Attributes:
        picture: What it is.
        uri: The PNG as a data URI.
        width: Pixels.
        height: Pixels.
    """

    picture: Picture
    uri: str
    width: int
    height: int


def write_page(path: Path, blocks: Iterable[Block], figure_dir: Path) -> None:
    """Write a report as one HTML file.

    Args:
        path: Where.
        blocks: What is in it; the first is its title.
        figure_dir: Where the figures are, as PNG.

    Raises:
        InputError: It cannot be written.
    """
    used: set[str] = set()
    parts: list[tuple[str, object]] = []
    for block in blocks:
        shown: object = block
        if isinstance(block, Heading):
            shown = Anchored(block, _anchor(block.text, used))
        elif isinstance(block, Picture):
            shown = _image(block, figure_dir)
        parts.append((type(block).__name__.lower(), shown))
    contents = [one for _, one in parts if isinstance(one, Anchored) and one.heading.level in CONTENTS_LEVELS]
    environment = Environment(
        loader=PackageLoader("lorescore", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"paragraphs": _paragraphs, "breakable": _breakable}
    with atomic_write(path) as file:
        file.write(environment.get_template(TEMPLATE).render(parts=parts, contents=contents))


def _anchor(text: str, used: set[str]) -> str:
    """An id made of a heading's words."""
    base = NOT_IN_ANCHOR.sub("-", text.lower()).strip("-") or "section"
    anchor, number = base, 1
    while anchor in used:
        number += 1
        anchor = f"{base}-{number}"
    used.add(anchor)
    return anchor


def _image(picture: Picture, figure_dir: Path) -> Image:
    content = (figure_dir / picture.name).read_bytes()
    width, height = struct.unpack(">II", content[16:24])  # of the PNG's header, which comes first
    return Image(picture, f"data:image/png;base64,{b64encode(content).decode()}", width, height)


def _paragraphs(text: str) -> list[Markup]:
    """The paragraphs of a text, with names in `backticks` as code."""
    return [Markup(CODE.sub(r"<code>\1</code>", str(escape(one)))) for one in text.strip().split("\n\n")]


def _breakable(name: str) -> Markup:
    """A name that may go on in the next line after each underscore."""
    return Markup(str(escape(name)).replace("_", "_<wbr>"))
