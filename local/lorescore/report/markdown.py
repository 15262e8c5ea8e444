"""A report in Markdown that reads well on a terminal too.

In examples a wrong word is **bold**, a word too much **+bold** with a plus, a missing word ~~struck out~~, and a word
that the perturbation put there is _in italics_.
"""

import re
from collections.abc import Iterable
from urllib.parse import quote

from lorescore.report.blocks import EXAMPLE_LEVEL, Block, Heading, Key, Picture, Prose
from lorescore.report.examples import Choice, Example
from lorescore.report.marks import CORRECT, DEL, INS, Word
from lorescore.report.tables import NONE, Table

SPECIAL = re.compile(r"([\\`*~<>\[\]&#]|\b_|_\b)")  # within a word an underscore is no mark


def markdown(blocks: Iterable[Block], top_level: int = 1) -> str:
    """Blocks as Markdown, with an empty line between two of them.

    Args:
        blocks: What to write.
        top_level: The level of heading that becomes the first one.
    """
    return "\n".join(_block(block, top_level - 1) for block in blocks)


def _block(block: Block, raised: int) -> str:
    """One block, its headings raised by so many levels; it ends with a line end."""
    if isinstance(block, Heading):
        return f"{'#' * (block.level - raised)} {_escaped(block.text)}\n"
    if isinstance(block, Prose):
        return f"{block.text.strip()}\n"
    if isinstance(block, Picture):
        return f"![{_escaped(block.caption)}](figures/{quote(block.name)})\n"
    if isinstance(block, Table):
        return block.markdown()
    if isinstance(block, Key):
        return "".join(f"- {_word(word)}: {meaning}\n" for meaning, word in block.words.items())
    return _example(block, "#" * (EXAMPLE_LEVEL - raised))


def _example(example: Example, marks: str) -> str:
    """An example; `marks`: of its heading."""
    told = [f"- reference: {_escaped(example.ref)}", f"- replaced: {_replacements(example)}"]
    columns = ("<lists", "<chosen by", "rank", "errors", "<hypothesis")
    rows = [
        (version, *_choice_cells(choice))
        for version, choices in (("clean", example.clean), ("perturbed", example.perturbed))
        for choice in choices
    ]
    lines = "\n".join(told)
    return (
        f"{marks} {_escaped(example.title)}\n\n{lines}\n\n{Table('', columns, tuple(rows)).markdown(with_marks=True)}"
    )


def _replacements(example: Example) -> str:
    pairs = (f"{_escaped(one.old)} → {_escaped(one.new)} ({number})" for one, number in example.replacements.items())
    return ", ".join(pairs) + (f"; {example.share}" if example.share else "")


def _choice_cells(choice: Choice) -> tuple[str, ...]:
    """Who chose it, rank, errors, words."""
    words = " ".join(_word(word) for word in choice.words) or NONE
    return _escaped(", ".join(choice.systems)), str(choice.rank), str(choice.errors), words


def _word(word: Word) -> str:
    text = f"_{_escaped(word.text)}_" if word.is_perturbed else _escaped(word.text)
    if word.error == CORRECT:
        return text
    if word.error == DEL:
        return f"~~{text}~~"
    return f"**+{text}**" if word.error == INS else f"**{text}**"


def _escaped(text: str) -> str:
    """Text in which nothing is a mark."""
    return SPECIAL.sub(r"\\\1", text)
