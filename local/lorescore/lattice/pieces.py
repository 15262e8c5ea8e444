"""Lattices of SentencePiece's pieces, as the search of a transducer leaves them, as lattices of the words they spell.

A word stands where its first piece stood, so that times stay; its other pieces become arcs without a word. Which word a
first piece begins hangs on what follows, so a state is split by the rest of the word that is spelled from it on.
"""

import re

from lorescore.errors import InputError
from lorescore.lattice.lattices import EPSILON, Arc, Cost, Lattice
from lorescore.lattice.words import WORD_BEGIN

SYMBOL = re.compile(r"<[^<>]+>")  # such as <unk>, which begins a word
BYTES = re.compile(r"(?:<0x[0-9A-F]{2}>)+")  # of characters that have no piece

MAX_ARCS = 1_000_000  # of the words of a lattice: a tenth of it is a lot

Node = tuple[int, str]  # a state, and the rest of the word that is spelled from it on
BEFORE_START: Node = (-1, "")


def joined(lattice: Lattice) -> Lattice:
    """The lattice of the words that a lattice of pieces spells, path by path at the same costs.

    Args:
        lattice: With pieces for words: one that has WORD_BEGIN in front begins a word, another goes on with the word
            before it, and begins one where there is none.

    Returns:
        It; a lattice with a cycle as it is, which whoever searches it refuses.

    Raises:
        InputError: It spells too many words.
    """
    try:
        order = lattice.topological_order
    except InputError:
        return lattice
    rests: dict[int, set[str]] = {state: {""} if state in lattice.finals else set() for state in order}
    joined_arcs: list[tuple[Node, Node, str, Arc]] = []
    for state in reversed(order):  # what is spelled from a state on is known when all states after it are
        for arc in lattice.leaving[state]:
            for rest in sorted(rests[arc.target]):
                word, before = _spelled(arc.word, rest)
                rests[state].add(before)
                joined_arcs.append(((state, before), (arc.target, rest), word, arc))
        if len(joined_arcs) > MAX_ARCS:
            raise InputError(
                f"the pieces of utterance {lattice.utt} spell too many words: they would be more than {MAX_ARCS} arcs",
                mend="make its lattice with a smaller beam",
            )
    rests[0] = rests[0] or {""}  # without a path there is a start all the same
    nodes = [(state, rest) for state in order for rest in sorted(rests[state])]
    has_open_beginning = rests[0] != {""}
    if has_open_beginning:
        nodes.insert(0, BEFORE_START)
    numbers = {node: number for number, node in enumerate(nodes)}
    arcs = [
        Arc(numbers[source], numbers[target], word, arc.cost, arc.alignment)
        for source, target, word, arc in joined_arcs
    ]
    if has_open_beginning:
        arcs += [Arc(0, numbers[0, rest], _text(rest), Cost()) for rest in sorted(rests[0])]
    finals = {numbers[state, ""]: lattice.finals[state] for state in order if state in lattice.finals}
    return Lattice(lattice.utt, tuple(sorted(arcs, key=lambda arc: arc.source)), finals)


def _spelled(piece: str, rest: str) -> tuple[str, str]:
    """The word that a piece begins, with the rest of a word after it, and the rest before the piece; one is empty."""
    if piece.startswith(WORD_BEGIN):
        return _text(piece.removeprefix(WORD_BEGIN) + rest), ""
    if SYMBOL.fullmatch(piece) and not BYTES.fullmatch(piece):
        return _text(piece + rest), ""
    return EPSILON, piece + rest


def _text(spelled: str) -> str:
    """A word with its bytes put together; those of no character become U+FFFD, as SentencePiece has it."""
    return BYTES.sub(lambda run: bytes.fromhex(re.sub("<0x|>", "", run[0])).decode("utf-8", "replace"), spelled)
