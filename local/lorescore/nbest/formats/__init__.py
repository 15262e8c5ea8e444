"""Formats of N-best lists: one module a format, a registry that recognises them, and what each cannot hold.

What a score means is fixed by the format (`Format.scores`) and never guessed: an `NbestSet` has log scores.
"""

from lorescore.nbest.formats.format import Format, FormatOptions
from lorescore.nbest.formats.registry import FORMATS, find_format, format_for_writing, format_named
from lorescore.nbest.formats.summary import reading_lines, writing_lines

__all__ = [
    "FORMATS",
    "Format",
    "FormatOptions",
    "find_format",
    "format_for_writing",
    "format_named",
    "reading_lines",
    "writing_lines",
]
