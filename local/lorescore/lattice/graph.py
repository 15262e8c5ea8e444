"""The decoding graph HLG of a CTC model: topology, lexicon and n-gram model composed (Mohri et al., "Weighted
finite-state transducers in speech recognition", 2002; for CTC: Miao et al., EESEN, ASRU 2015).

A graph directory has what both lattice backends search:

    lm.arpa             the n-gram model
    words.txt           Kaldi's word table: <eps> 0, the words, #0, <s>, </s>
    tokens.txt          the token table: <eps> 0, the model's tokens from 1 (the blank first), #0, #1, ...
    lexicon.txt         `word unit unit...`, a line for each pronunciation
    L_disambig.fst.txt  lexicon with disambiguation symbols, OpenFst text with these ids
    G.fst.txt           n-gram model, with #0 on back-off arcs, OpenFst text
    HLG.fst             the graph for kaldi-decoder; k2 makes HLG.k2.npz from L and G
    graph.yaml          counts, and the checksum of what the directory was made from; written last

Token id n + 1 stands for column n of the model's posteriors, as kaldi-decoder wants it: id 0 is no token, not a blank.
The topology is the standard one (a blank between equal tokens is a must); it adds no cost, so that a path's graph cost
is that of the n-gram model, and of its pronunciations where the lexicon has probabilities. As in every such graph,
back-off arcs may be taken where a longer n-gram exists.

There is no optional silence as in Kaldi's lexicons: the blank is emitted there. Where a model of phones or letters has
a space (ESPnet's g2p_en writes one between words), it is a word boundary: a path has exactly one between two words, and
none at its ends, as the transcripts that the model was trained on.
"""

import hashlib
import logging
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import kaldifst

from lorescore.errors import InputError
from lorescore.files import (
    atomic_write,
    checksum,
    process_name,
    read_lines,
    read_yaml,
    remove_left_behind,
    split_words,
    write_yaml,
)
from lorescore.lattice.lexicon import SPACE, Lexicon, make_lexicon, token_names, write_lexicon
from lorescore.lattice.ngram import ARPA_MEND, BACKOFF, BOS, EOS, NO_WORDS, NgramModel, estimate_arpa
from lorescore.lattice.words import EPSILON_SYMBOL, WordTable, read_words, write_words
from lorescore.pronunciation import Pronunciation

if TYPE_CHECKING:
    from kaldifst import StdVectorFst

logger = logging.getLogger(__name__)

DELTA = 1e-5  # costs that differ by less are equal; OpenFst's 1/1024 would round a path's cost by 0.001 and more
VERSION = 1  # a change in how graphs are made makes them anew
ERROR = "[E] "  # what an error of kaldilm's begins with
NAMED = 5  # words without a pronunciation that the log names


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


def make_graph(
    directory: Path,
    *,
    token_list: Sequence[str],
    bpe_model: Path | None = None,
    lexicon: Path | None = None,
    text: Path | None = None,
    arpa: Path | None = None,
    word_list: Path | None = None,
    order: int = 3,
) -> Graph:
    """Make a graph directory, unless it is there already, made from the same.

    Args:
        directory: The graph directory; it appears when it is complete.
        token_list: The acoustic model's tokens in the order of its outputs, the blank first.
        bpe_model: The SentencePiece model whose units the tokens are; None: the tokens are phones or letters.
        lexicon: Kaldi's lexicon.txt or lexiconp.txt in the model's tokens, for words of the n-gram model. The others
            are cut by the SentencePiece model, or pronounced as CMUdict says: see `make_lexicon`.
        text: Kaldi `text` to estimate the n-gram model from.
        arpa: An n-gram model, in place of `text`. Its words are the lexicon.
        word_list: Words besides those of `text`, one a line.
        order: Of the estimated n-gram model.

    Raises:
        InputError: Not exactly one of `text` and `arpa` is given, an input cannot be used, or the directory holds
            something else.
    """
    if (text is None) == (arpa is None):
        raise InputError("expected a text or an ARPA file for the n-gram model, and not both")
    if arpa is not None and word_list is not None:
        raise InputError("a word list goes with a text; the words of an ARPA file are its unigrams", path=arpa)
    inputs = [path for path in (bpe_model, lexicon, text, arpa, word_list) if path is not None]
    dictionary = [] if bpe_model else [f"cmudict {version('cmudict')}"]
    settings = (VERSION, order, text is None, list(token_list), checksum(inputs), *dictionary)
    made_from = hashlib.sha256(repr(settings).encode()).hexdigest()
    if (directory / "graph.yaml").is_file() and read_yaml(directory / "graph.yaml").get("made_from") == made_from:
        return Graph.read(directory)
    is_empty = not directory.exists() or directory.is_dir() and not any(directory.iterdir())
    if not is_empty and not (directory / "graph.yaml").is_file():
        message = "is there already and no graph that was made here"
        raise InputError(message, path=directory, mend="name another directory or delete it")

    before, after = f".{directory.name}.", ".part"
    remove_left_behind(directory.parent, before, after)
    partial = directory.with_name(f"{before}{process_name()}{after}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        if arpa is not None:
            with atomic_write(partial / "lm.arpa") as file:  # kaldilm takes a carriage return for a letter
                file.writelines(f"{line}\n" for _, line in read_lines(arpa))
        elif text is not None:
            extra = [] if word_list is None else _read_words(word_list)
            estimate_arpa(text, partial / "lm.arpa", order=order, extra_words=extra)
        tokens = token_names(token_list)
        # The user's own file, as an error names it.
        words = NgramModel.read(arpa or partial / "lm.arpa").words
        pronounced = make_lexicon(words, tokens, bpe_model=bpe_model, lexicon=lexicon)
        _report_left_out([word for word in words if word not in pronounced], len(words))
        has_space = bpe_model is None and SPACE in tokens
        counts = _write_pieces(partial, pronounced, tokens, SPACE if has_space else None)
        _write_ngram_fst(partial, arpa or text)
        counts["left_out"] = len(words) - len(pronounced)
        states, arcs = _compose(partial)
        counts |= {"hlg_states": states, "hlg_arcs": arcs}
        write_yaml(partial / "graph.yaml", {**counts, "made_from": made_from})
        if directory.exists():  # an older graph goes as a whole
            directory.rename(partial / "old")
        partial.rename(directory)
        shutil.rmtree(directory / "old", ignore_errors=True)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", path=directory) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Graph.read(directory)


def add_disambiguation(lexicon: Lexicon) -> tuple[Lexicon, int]:
    """Add #1, #2, ... to pronunciations that other words have too or that others begin with.

    As Kaldi's add_lex_disambig.pl: words with the same units get different symbols; units that begin others get #1.

    Returns:
        The lexicon, and the highest number used.
    """
    all_units = [units for pronunciations in lexicon.values() for units in pronunciations]
    same = Counter(all_units)
    beginnings = {units[:length] for units in all_units for length in range(1, len(units))}
    used: Counter[Pronunciation] = Counter()
    result: dict[str, dict[Pronunciation, float]] = {word: {} for word in lexicon}
    for word, pronunciations in lexicon.items():
        for units, cost in pronunciations.items():
            symbol: Pronunciation = ()
            if same[units] > 1 or units in beginnings:
                used[units] += 1
                symbol = (f"#{used[units]}",)
            result[word][units + symbol] = cost
    return result, max(used.values(), default=0)


def _report_left_out(words: Sequence[str], total: int) -> None:
    """A line on the words that have no pronunciation.

    Raises:
        InputError: All words.
    """
    if len(words) == total:
        raise InputError(
            "no word of the n-gram model can be written in the units of the acoustic model",
            mend="check the case of the words, or give a lexicon: --lexicon",
        )
    if words:
        named = " ".join(words[:NAMED]) + (" ..." if len(words) > NAMED else "")
        logger.warning("%d of %d words have no pronunciation and are left out: %s", len(words), total, named)


def _write_pieces(directory: Path, lexicon: Lexicon, tokens: Sequence[str], space: str | None) -> dict[str, int]:
    """Write everything before G into a directory; the numbers of words, pronunciations and tokens."""
    with_symbols, highest = add_disambiguation(lexicon)
    disambiguation = [BACKOFF, *(f"#{number}" for number in range(1, highest + 1))]
    token_ids = _write_symbols(directory / "tokens.txt", [EPSILON_SYMBOL, *tokens, *disambiguation])
    word_ids = _write_symbols(directory / "words.txt", [EPSILON_SYMBOL, *lexicon, BACKOFF, BOS, EOS])
    write_lexicon(directory / "lexicon.txt", lexicon)
    with atomic_write(directory / "L_disambig.fst.txt") as file:
        file.writelines(f"{line}\n" for line in _lexicon_fst(with_symbols, token_ids, word_ids, space))
    return {"words": len(lexicon), "pronunciations": sum(map(len, lexicon.values())), "tokens": len(tokens)}


def _write_ngram_fst(directory: Path, source: Path | None) -> None:
    """Write G into a directory that has lm.arpa and words.txt.

    In a process of its own, as kaldilm ends the process where an ARPA file is not to its liking.

    Args:
        directory: The graph directory.
        source: What lm.arpa was made from, for an error.

    Raises:
        InputError: kaldilm refuses the n-gram model.
    """
    command = [sys.executable, "-m", "kaldilm", f"--disambig-symbol={BACKOFF}"]
    command += ["--max-arpa-warnings=0"]  # n-grams with a word that was left out are skipped
    command += [f"--read-symbol-table={directory / 'words.txt'}", str(directory / "lm.arpa")]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        said = next((line.removeprefix(ERROR) for line in lines if line.startswith(ERROR)), lines[-1])
        raise InputError(f"kaldilm makes no graph of the n-gram model: {said.strip()}", path=source, mend=ARPA_MEND)
    with atomic_write(directory / "G.fst.txt") as file:
        file.write(done.stdout.removesuffix("\n"))  # that of print()


def _lexicon_fst(
    lexicon: Lexicon, tokens: Mapping[str, int], words: Mapping[str, int], space: str | None
) -> Iterable[str]:
    """L as OpenFst text: each word from the start to the end, and #0 through it for G's back-off arcs.

    Without a space, one state is start, end and the place between words. With one, it leads from the end to a state of
    its own, from which there are only words. There are no epsilons: k2 does not determinize with them.
    """
    start, end, between = (0, 0, 0) if space is None else (0, 1, 2)
    for state in dict.fromkeys((start, end)):
        yield f"{state} {state} {tokens[BACKOFF]} {words[BACKOFF]}"
    if space is not None:
        yield f"{end} {between} {tokens[space]} 0"
    newest = between
    for word, pronunciations in lexicon.items():
        for units, cost in pronunciations.items():
            inner = list(range(newest + 1, newest + len(units)))
            newest += len(inner)
            entered = [*inner, end]
            for source in dict.fromkeys((start, between)):
                weight = f" {cost:.9g}" if cost else ""
                yield f"{source} {entered[0]} {tokens[units[0]]} {words[word]}{weight}"
            for source, target, unit in zip(inner, entered[1:], units[1:], strict=True):
                yield f"{source} {target} {tokens[unit]} 0"
    yield from map(str, dict.fromkeys((start, end)))


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
        raise InputError("the decoding graph is empty", mend="check the lexicon and the n-gram model")
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
    """The words of a list, one a line; empty lines are passed over.

    Raises:
        InputError: A line has several, as those of words.txt have, or what cannot be a word.
    """
    words = []
    for number, line in read_lines(path):
        found = split_words(line)
        if len(found) > 1 or not set(found).isdisjoint(NO_WORDS):
            message = f"expected one word of the language, found {line!r:.60}"
            raise InputError(
                message, path=path, line=number, mend="a word a line, without ids, <s>, <unk>, <eps> and #0"
            )
        words += found
    return words
