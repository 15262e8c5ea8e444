"""The section of the report that shows examples, which is also a page of its own, `exp/examples.md`."""

from collections.abc import Sequence

from lorescore.report.blocks import Block, Heading, Key, Prose
from lorescore.report.examples import MAX_EXAMPLES, Example
from lorescore.report.marks import CORRECT, DEL, INS, SUB, Word

TITLE = "Examples"
POINTER = """\
`examples.md`, beside this file, shows utterances whose perturbed lists some rescorers take worse than others: what was
perturbed, and what each system chose of the clean and of the perturbed list.
"""
HOW_TO_READ = f"""\
Utterances whose perturbed lists some rescorers take worse than others: of each perturbation and kind those with the
highest rate and the lowest seed, up to {MAX_EXAMPLES} a set, the same ones every time. They are chosen for the
differences that they show and are no sample of the set.

`replaced`: what took whose place, with the number of hypotheses of the list where it did. `rank` is that of the first
pass; the `oracle` chooses the fewest errors. A hypothesis stands once, with all who chose it; `-` is an empty one.
Its words are marked (words, even where errors are counted in characters):
"""
KEY = Key(
    {
        "wrong": Word("word", SUB, ""),
        "too much": Word("word", INS, ""),
        "missing": Word("word", DEL, "word"),
        "put there by the perturbation": Word("word", CORRECT, "word", is_perturbed=True),
    }
)


def example_blocks(examples: Sequence[Example]) -> list[Block]:
    """The section; nothing where there are no examples."""
    if not examples:
        return []
    blocks: list[Block] = [Heading(2, TITLE), Prose(HOW_TO_READ), KEY]
    for set_name in dict.fromkeys(example.set for example in examples):
        blocks += [Heading(3, set_name), *(example for example in examples if example.set == set_name)]
    return blocks


def pointer_blocks(examples: Sequence[Example]) -> list[Block]:
    """What stands in the section's place in RESULTS.md."""
    return [Heading(2, TITLE), Prose(POINTER)] if examples else []
