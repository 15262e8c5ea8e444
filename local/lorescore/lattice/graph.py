"""The decoding graph HLG of a CTC model: topology, lexicon and n-gram model composed (Mohri et al., "Weighted
finite-state transducers in speech recognition", 2002; for CTC: Miao et al., EESEN, ASRU 2015).

A graph directory has what both lattice backends search:

    lm.arpa             the n-gram model
    words.txt           Kaldi's word table: <eps> 0, the words, #0, <s>, </s>
    tokens.txt          the token table: <eps> 0, the model's tokens from 1 (the blank first), #0, #1, ...
    lexicon.txt         `word unit unit...`
    L_disambig.fst.txt  lexicon with disambiguation symbols, OpenFst text with these ids
    G.fst.txt           n-gram model, with #0 on back-off arcs, OpenFst text
    HLG.fst             the graph for kaldi-decoder; k2 makes HLG.k2.npz from L and G
    graph.yaml          counts, and the checksum of what the directory was made from; written last

Token id n + 1 stands for column n of the model's posteriors, as kaldi-decoder wants it: id 0 is no token, not a blank.
The topology is the standard one (a blank between equal tokens is a must); it adds no cost, so that a path's graph cost
is that of the n-gram model. As in every such graph, back-off arcs may be taken where a longer n-gram exists.
"""

import hashlib
import logging
import os
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import kaldifst
import kaldilm
import sentencepiece

from lorescore.errors import InputError
from lorescore.files import atomic_write, checksum, read_lines, read_yaml, split_words, write_yaml
from lorescore.lattice.ngram import BOS, EOS, NgramModel, estimate_arpa
from lorescore.lattice.quiet import quiet
from lorescore.lattice.words import EPSILON_SYMBOL, WordTable, read_words, write_words

if TYPE_CHECKING:
    from kaldifst import StdVectorFst

logger = logging.getLogger(__name__)

BACKOFF = "#0"  # the disambiguation symbol of back-off arcs
DELTA = 1e-5  # costs that differ by less are equal; OpenFst's 1/1024 would round a path's cost by 0.001 and more
VERSION = 1  # a change in how graphs are made makes them anew

Lexicon = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Graph:
    """A decoding graph on disk.

    Attributes:
        directory: The graph directory.
        words: The words and their ids.
        num_tokens: Tokens of the model, the blank included.
    """

    directory: Path
    words: WordTable
    num_tokens: int

    @classmethod
    def read(cls, directory: Path) -> "Graph":
        """Open a finished graph directory.

        Raises:
            InputError: A file is missing or is not what it should be.
        """
        summary = read_yaml(directory / "graph.yaml")
        try:
            return cls(directory, read_words(directory / "words.txt"), int(summary["tokens"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                "expected the entry `tokens`", path=directory / "graph.yaml", mend="make the graph again"
            ) from error

    @property
    def hlg(self) -> Path:
        """The graph for kaldi-decoder."""
        return self.directory / "HLG.fst"

    @property
    def arpa(self) -> Path:
        """The n-gram model."""
        return self.directory / "lm.arpa"


def make_graph(
    directory: Path,
    *,
    bpe_model: Path,
    token_list: Collection[str],
    text: Path | None = None,
    arpa: Path | None = None,
    word_list: Path | None = None,
    order: int = 3,
) -> Graph:
    """Make a graph directory, unless it is there already, made from the same.

    Args:
        directory: The graph directory; it appears when it is complete.
        bpe_model: The SentencePiece model.
        token_list: The acoustic model's tokens in the order of its outputs, the blank first.
        text: Kaldi `text` to estimate the n-gram model from.
        arpa: An n-gram model, in place of `text`. Its words are the lexicon.
        word_list: Words besides those of `text`, one a line.
        order: Of the estimated n-gram model.

    Raises:
        InputError: Not exactly one of `text` and `arpa` is given, or an input cannot be used.
    """
    if (text is None) == (arpa is None):
        raise InputError("expected a text or an ARPA file for the n-gram model, and not both")
    if arpa is not None and word_list is not None:
        raise InputError("a word list goes with a text; the words of an ARPA file are its unigrams", path=arpa)
    inputs = [bpe_model, *(path for path in (text, arpa, word_list) if path is not None)]
    settings = (VERSION, order, text is None, list(token_list), checksum(inputs))
    made_from = hashlib.sha256(repr(settings).encode()).hexdigest()
    if (directory / "graph.yaml").is_file() and read_yaml(directory / "graph.yaml").get("made_from") == made_from:
        return Graph.read(directory)

    partial = directory.with_name(f".{directory.name}.{os.getpid()}.part")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        if arpa is not None:
            shutil.copyfile(arpa, partial / "lm.arpa")
        elif text is not None:
            extra = [] if word_list is None else _read_words(word_list)
            estimate_arpa(text, partial / "lm.arpa", order=order, extra_words=extra)
        counts = _write_pieces(partial, bpe_model, tuple(token_list))
        states, arcs = _compose(partial)
        counts |= {"hlg_states": states, "hlg_arcs": arcs}
        write_yaml(partial / "graph.yaml", {**counts, "made_from": made_from})
        shutil.rmtree(directory, ignore_errors=True)
        partial.rename(directory)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", path=directory) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Graph.read(directory)


def make_lexicon(words: Iterable[str], bpe_model: Path, token_list: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The SentencePiece units of words, as the model cuts them.

    Args:
        words: The words.
        bpe_model: The SentencePiece model.
        token_list: The acoustic model's tokens.

    Returns:
        The units of each word. Words with a unit that the acoustic model has not are left out.

    Raises:
        InputError: The SentencePiece model cannot be read.
    """
    try:
        model = sentencepiece.SentencePieceProcessor(model_file=str(bpe_model))
    except (OSError, RuntimeError) as error:
        raise InputError("not a SentencePiece model", path=bpe_model, mend="stage 2 makes it") from error
    known = set(token_list) - {model.id_to_piece(model.unk_id())}
    units = {word: tuple(model.encode(word, out_type=str)) for word in words}
    return {word: pieces for word, pieces in units.items() if pieces and known.issuperset(pieces)}


def add_disambiguation(lexicon: Lexicon) -> tuple[dict[str, tuple[str, ...]], int]:
    """Add #1, #2, ... to the units of words that sound like others or like the beginning of others.

    As Kaldi's add_lex_disambig.pl: words with the same units get different symbols; a word whose units begin another's
    gets #1.

    Returns:
        The lexicon, and the highest number used.
    """
    same = Counter(lexicon.values())
    beginnings = {units[:length] for units in lexicon.values() for length in range(1, len(units))}
    used: Counter[tuple[str, ...]] = Counter()
    result: dict[str, tuple[str, ...]] = {}
    for word, units in lexicon.items():
        if same[units] > 1 or units in beginnings:
            used[units] += 1
            result[word] = (*units, f"#{used[units]}")
        else:
            result[word] = units
    return result, max(used.values(), default=0)


def _write_pieces(directory: Path, bpe_model: Path, token_list: tuple[str, ...]) -> dict[str, int]:
    """Write everything up to G into a directory that has lm.arpa; the numbers of tokens and words."""
    words = NgramModel.read(directory / "lm.arpa").words
    lexicon = make_lexicon(words, bpe_model, token_list)
    if not lexicon:
        raise InputError(
            "no word of the n-gram model can be written in the units of the acoustic model", path=bpe_model
        )
    if left_out := len(words) - len(lexicon):
        logger.warning("%d of %d words have letters without a unit and are left out", left_out, len(words))
    with_symbols, highest = add_disambiguation(lexicon)
    disambiguation = [BACKOFF, *(f"#{number}" for number in range(1, highest + 1))]
    tokens = _write_symbols(directory / "tokens.txt", [EPSILON_SYMBOL, *token_list, *disambiguation])
    word_ids = _write_symbols(directory / "words.txt", [EPSILON_SYMBOL, *lexicon, BACKOFF, BOS, EOS])
    with atomic_write(directory / "lexicon.txt") as file:
        file.writelines(f"{word} {' '.join(units)}\n" for word, units in lexicon.items())
    with atomic_write(directory / "L_disambig.fst.txt") as file:
        file.writelines(f"{line}\n" for line in _lexicon_fst(with_symbols, tokens, word_ids))
    with quiet():  # a line for each section
        text = kaldilm.arpa2fst(
            input_arpa=str(directory / "lm.arpa"),
            disambig_symbol=BACKOFF,
            read_symbol_table=str(directory / "words.txt"),
            max_arpa_warnings=0,  # n-grams with a word that was left out are skipped
        )
    with atomic_write(directory / "G.fst.txt") as file:
        file.write(text)
    return {"words": len(lexicon), "left_out": left_out, "tokens": len(token_list)}


def _lexicon_fst(lexicon: Lexicon, tokens: Mapping[str, int], words: Mapping[str, int]) -> Iterable[str]:
    """L as OpenFst text: one state from which each word loops, and #0 through it for G's back-off arcs."""
    yield f"0 0 {tokens[BACKOFF]} {words[BACKOFF]}"
    state = 0
    for word, units in lexicon.items():
        source = 0
        for position, unit in enumerate(units):
            last = position == len(units) - 1
            target = 0 if last else (state := state + 1)
            yield f"{source} {target} {tokens[unit]} {words[word] if position == 0 else 0}"
            source = target
    yield "0"


def _ctc_topology(num_tokens: int) -> "StdVectorFst":
    """H: a state for each token, the blank's first; a token leads to its state and is emitted when that is entered."""
    lines = []
    for source in range(num_tokens):
        for target in range(num_tokens):
            emitted = target + 1 if target not in (source, 0) else 0
            lines.append(f"{source} {target} {target + 1} {emitted}\n")
        lines.append(f"{source}\n")
    return kaldifst.compile("".join(lines), acceptor=False)


def _compose(directory: Path) -> tuple[int, int]:
    """Make HLG.fst; its states and arcs."""
    token_ids, word_ids = (read_words(directory / name).ids for name in ("tokens.txt", "words.txt"))
    lexicon, ngrams = (
        kaldifst.compile((directory / name).read_text(encoding="utf-8"), acceptor=False)
        for name in ("L_disambig.fst.txt", "G.fst.txt")
    )
    kaldifst.arcsort(lexicon, sort_type="olabel")
    kaldifst.arcsort(ngrams, sort_type="ilabel")
    graph = kaldifst.compose(lexicon, ngrams)
    kaldifst.determinize_star(graph, delta=DELTA)
    kaldifst.minimize_encoded(graph, delta=DELTA)
    graph = _without_disambiguation(graph, token_ids[BACKOFF], word_ids[BACKOFF])
    kaldifst.arcsort(graph, sort_type="ilabel")
    topology = _ctc_topology(token_ids[BACKOFF] - 1)
    kaldifst.arcsort(topology, sort_type="olabel")
    graph = kaldifst.compose(topology, graph)
    kaldifst.connect(graph)
    if graph.num_states == 0:
        raise InputError("the decoding graph is empty", path=directory, mend="check the lexicon and the n-gram model")
    kaldifst.arcsort(graph, sort_type="ilabel")
    kaldifst.StdConstFst(graph).write(str(directory / "HLG.fst"))
    return graph.num_states, sum(graph.num_arcs(state) for state in kaldifst.StateIterator(graph))


def _without_disambiguation(graph: "StdVectorFst", first_token: int, first_word: int) -> "StdVectorFst":
    """A copy in which disambiguation symbols are epsilons. Changed in place, arcs would not be counted as epsilons."""
    copy = kaldifst.StdVectorFst()
    for _ in range(graph.num_states):
        copy.add_state()
    copy.start = graph.start
    for state in range(graph.num_states):
        copy.set_final(state, graph.final(state))
        for arc in kaldifst.ArcIterator(graph, state):
            token = arc.ilabel if arc.ilabel < first_token else 0
            word = arc.olabel if arc.olabel < first_word else 0
            copy.add_arc(state, kaldifst.StdArc(token, word, arc.weight, arc.nextstate))
    return copy


def _write_symbols(path: Path, symbols: Iterable[str]) -> dict[str, int]:
    table = WordTable(dict(enumerate(symbols)))
    write_words(path, table)
    return table.ids


def _read_words(path: Path) -> list[str]:
    return [word for _, line in read_lines(path) for word in split_words(line)]
