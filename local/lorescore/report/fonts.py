"""Fonts for names in any script.

The one that comes with matplotlib has Latin, Greek, Cyrillic, Arabic and more, but no Han, Kana, Hangul or Thai, for
which it draws boxes, all alike. Where an installed font has them it is taken; else they are written as Python writes
them in ASCII, such as `\\u6e2c`, and a warning says so.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final

import matplotlib
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

logger = logging.getLogger(__name__)

FAMILIES: Final = "font.family"  # matplotlib's setting: fonts in the order in which a character is looked for
GET_FONTS = "apt-get install fonts-noto-cjk, or another font that has them, and make the figures again"

_nowhere: set[str] = set()  # characters that no font here has, of what was drawn


@contextmanager
def warned_of_missing() -> Iterator[None]:
    """Say at the end which characters of the figures no font here has."""
    _nowhere.clear()
    yield
    if _nowhere:
        some = "".join(sorted(_nowhere))
        logger.warning(
            "figures: no font here has %s: %s is written %s (%s)", some, some[0], _escaped(some[0]), GET_FONTS
        )


def drawable(text: str) -> str:
    """A text as figures can show it; a font that it needs is added to those that matplotlib draws with."""
    if text.isascii():
        return text
    missing = _missing(text)
    if missing - _nowhere:
        for family in _families_with(frozenset(missing)):
            matplotlib.rcParams[FAMILIES] = [*matplotlib.rcParams[FAMILIES], family]
        missing = _missing(text)
        _nowhere.update(missing)
    return "".join(_escaped(char) if char in missing else char for char in text)


def _escaped(char: str) -> str:
    return char.encode("ascii", "backslashreplace").decode()


def _missing(text: str) -> set[str]:
    """The characters that none of the fonts in use has."""
    paths = [_path(family) for family in matplotlib.rcParams[FAMILIES]]
    return {char for char in text if not char.isascii() and not any(ord(char) in _characters(path) for path in paths)}


def _families_with(wanted: frozenset[str]) -> list[str]:
    """Installed fonts that have these characters between them, as far as there are any, the one with the most first."""
    left, families = {ord(char) for char in wanted}, []
    while left:
        best = max(_installed(), key=lambda path: len(left & _characters(path)), default="")
        if not best or not left & _characters(best):
            break
        font_manager.fontManager.addfont(best)  # which matplotlib's list, made once, need not have
        families.append(FT2Font(best).family_name)
        left -= _characters(best)
    return families


@cache
def _path(family: str) -> str:
    return str(font_manager.findfont(font_manager.FontProperties(family=[family])))


@cache
def _installed() -> list[str]:
    """The font files of this system."""
    return sorted(font_manager.findSystemFonts())


@cache
def _characters(path: str) -> frozenset[int]:
    """What a font file can draw at any size; nothing where it cannot be read."""
    try:
        font = FT2Font(path)
        return frozenset(font.get_charmap() if font.scalable else ())
    except (OSError, RuntimeError):
        return frozenset()
