"""Graphs of phones, with several pronunciations a word and homophones, searched by both decoders.

Costs are computed from the posteriors, the pronunciations and the n-gram model alone.
"""

from dataclasses import dataclass
from itertools import product
from math import log, log10
from pathlib import Path

import numpy as np
import pytest
from decoding_models import K2_PYTHON, WIDE, collapsed, ctc_cost, decoded, random_log_probs, spoken
from numpy.typing import NDArray

from lorescore.lattice.archives import write_lattices
from lorescore.lattice.backends import Backend, choose_backend
from lorescore.lattice.graph import Graph, make_graph
from lorescore.lattice.lattices import Lattice
from lorescore.lattice.lexicon import SPACE
from lorescore.lattice.ngram import NgramModel
from lorescore.lattice.paths import best_path, n_best_paths
from lorescore.lattice.source import LatticeSource
from lorescore.lattice.word_paths import AlignedPath

PHONES = ("AH", "B", "D", "DH", "EH", "EY", "IY", "K", "R", "UH")
# Probability and units; `red` is how `read` may sound and `reed` too, `a` begins `abed`.
LEXICON = {
    "a": {"AH": 1.0, "EY": 0.5},
    "abed": {"AH B EH D": 1.0},
    "bed": {"B EH D": 1.0},
    "book": {"B UH K": 1.0},
    "read": {"R EH D": 0.25, "R IY D": 1.0},
    "red": {"R EH D": 1.0},
    "reed": {"R IY D": 1.0},
    "the": {"DH AH": 1.0},
}
# What is spoken, in phones, with `|` between words; and the words that are meant.
SPOKEN = {
    "utt1": ("AH | R EH D | B UH K", "a red book"),
    "utt2": ("DH AH | B UH K | AH | R EH D", "the book a read"),
    "utt3": ("EY | R IY D", "a reed"),
    "utt4": ("R IY D | DH AH | B UH K", "read the book"),
    "utt5": ("AH | B EH D", "a bed"),
    "utt6": ("AH B EH D", "abed"),
}
RANDOM = {f"utt{seed}": (seed, frames) for seed, frames in ((11, 6), (12, 9), (13, 12), (14, 10))}


@dataclass(frozen=True)
class Decoded:
    """What a backend makes of the utterances."""

    graph: Graph
    columns: dict[str, int]
    posteriors: dict[str, NDArray[np.float32]]
    lattices: dict[str, Lattice]

    def best_words(self, utt: str) -> str:
        return " ".join(best_path(self.lattices[utt], acoustic_scale=WIDE.acoustic_scale).words)

    def cost(self, utt: str, words: tuple[str, ...], model: NgramModel) -> tuple[float, float]:
        """Graph and acoustic cost of words in their best pronunciation."""
        ways = []
        for pronunciation in product(*(LEXICON[word].items() for word in words)):
            space = f" {SPACE} " if SPACE in self.columns else " "
            units = space.join(units for units, _ in pronunciation).split()
            graph = model.lm_cost(" ".join(words)) - sum(log(prob) for _, prob in pronunciation)
            ways.append((graph, ctc_cost(self.posteriors[utt], [self.columns[unit] for unit in units])))
        return min(ways, key=lambda way: way[0] + WIDE.acoustic_scale * way[1])


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lexiconp.txt."""
    path = tmp_path_factory.mktemp("lexicon") / "lexiconp.txt"
    lines = (f"{word} {prob} {units}\n" for word, found in LEXICON.items() for units, prob in found.items())
    path.write_text("".join(lines))
    return path


@pytest.fixture(scope="module", params=["kaldi", "k2"])
def backend(request: pytest.FixtureRequest) -> Backend:
    chosen = choose_backend(request.param, k2_python=K2_PYTHON)
    if chosen.name != request.param:
        pytest.skip(chosen.reason)
    return chosen


@pytest.fixture(scope="module", params=[False, True], ids=["bare", "space"])
def result(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, lexicon: Path, backend: Backend
) -> Decoded:
    """All utterances through a graph with a unigram model, in which `read` is rarer than `red` and `reed`."""
    folder = tmp_path_factory.mktemp("phones")
    shares = {(word,): log10(0.05 if word == "read" else 0.1) for word in LEXICON}
    NgramModel(1, {("<s>",): -99.0, ("</s>",): log10(0.25), **shares}).write(folder / "arpa")
    token_list = ("<blank>", "<unk>", *PHONES, *([" "] if request.param else []), "<sos/eos>")
    graph = make_graph(folder / "graph", token_list=token_list, lexicon=lexicon, arpa=folder / "arpa")
    columns = {SPACE if token == " " else token: column for column, token in enumerate(token_list)}
    boundary = f"{SPACE} " if request.param else ""
    posteriors = {
        utt: spoken([columns[unit] for unit in phones.replace("| ", boundary).split()], len(token_list))
        for utt, (phones, _) in SPOKEN.items()
    } | {utt: random_log_probs(seed, frames, len(token_list)) for utt, (seed, frames) in RANDOM.items()}
    return Decoded(graph, columns, posteriors, decoded(folder / "lat", backend, graph, posteriors))


def test_homophones_come_with_what_was_said_and_the_ngram_model_decides(result: Decoded) -> None:
    for utt, (_, text) in SPOKEN.items():
        if utt in ("utt2", "utt4"):
            text = text.replace("read", "red" if utt == "utt2" else "reed")  # the likelier one
        # Without a space `a bed` is `abed`, one word, which is likelier than two.
        expected = "abed" if utt == "utt5" and SPACE not in result.columns else text
        assert result.best_words(utt) == expected
        paths = n_best_paths(result.lattices[utt], 20, acoustic_scale=WIDE.acoustic_scale).paths
        assert text in [" ".join(path.words) for path in paths]


def test_a_model_of_more_than_single_words_finds_the_homophone_that_is_meant(tmp_path: Path, lexicon: Path) -> None:
    often = (f"{utt}-{number} {text}\n" for utt, (_, text) in SPOKEN.items() for number in range(9))
    (tmp_path / "text").write_text("".join(often))
    token_list = ("<blank>", "<unk>", *PHONES, "<space>", "<sos/eos>")
    graph = make_graph(tmp_path / "graph", token_list=token_list, lexicon=lexicon, text=tmp_path / "text")
    columns = {token: column for column, token in enumerate(token_list)}
    posteriors = {
        utt: spoken([columns[unit] for unit in phones.replace("|", SPACE).split()], len(token_list))
        for utt, (phones, _) in SPOKEN.items()
    }
    lattices = decoded(tmp_path / "lat", choose_backend("kaldi"), graph, posteriors)
    for utt, (_, text) in SPOKEN.items():
        assert " ".join(best_path(lattices[utt], acoustic_scale=WIDE.acoustic_scale).words) == text


def test_homophones_before_a_back_off_arc_are_in_the_lattices_of_both_backends(tmp_path: Path) -> None:
    k2 = choose_backend("k2", k2_python=K2_PYTHON)
    if k2.name != "k2":
        pytest.skip(k2.reason)
    (tmp_path / "lexicon.txt").write_text("x A B\ny A B\nz C\n")
    # Between words, `x z` alone has a bigram: all others go by the back-off arcs of x, y and z.
    shares = {("</s>",): log10(0.2), ("x",): log10(0.4), ("y",): log10(0.1), ("z",): log10(0.3)}
    pairs = {("x", "z"): log10(0.6), ("<s>", "x"): log10(0.5), ("y", "</s>"): log10(0.3), ("z", "</s>"): log10(0.5)}
    backoffs = {("<s>",): -0.1, ("x",): -0.2, ("y",): -0.3, ("z",): -0.4}
    NgramModel(2, {("<s>",): -99.0, **shares, **pairs}, backoffs).write(tmp_path / "arpa")
    token_list = ("<blank>", "<unk>", "A", "B", "C", "<sos/eos>")
    graph = make_graph(
        tmp_path / "graph", token_list=token_list, lexicon=tmp_path / "lexicon.txt", arpa=tmp_path / "arpa"
    )
    said = {"ab": ("xy",), "abab": ("xy", "xy"), "abc": ("xy", "z"), "abcab": ("xy", "z", "xy")}
    posteriors = {utt: spoken([token_list.index(unit.upper()) for unit in utt], len(token_list)) for utt in said}
    posteriors["random"] = random_log_probs(5, 8, len(token_list))
    one, other = (
        costs_within(WIDE.lattice_beam - 1e-2, decoded(tmp_path / backend.name, backend, graph, posteriors))
        for backend in (k2, choose_backend("kaldi"))
    )
    for utt, words in said.items():
        assert {(utt, *sequence) for sequence in product(*words)} <= one.keys()
    assert one.keys() == other.keys()
    for path, cost in one.items():
        assert cost == pytest.approx(other[path], abs=1e-3)


def costs_within(beam: float, lattices: dict[str, Lattice]) -> dict[tuple[str, ...], tuple[float, float]]:
    """Graph and acoustic cost of each path, by utterance and words, that costs at most `beam` more than the best.

    Outside the lattice beam, which paths are left is a matter of each decoder's pruning.
    """
    costs: dict[tuple[str, ...], tuple[float, float]] = {}
    for utt, lattice in lattices.items():
        paths = n_best_paths(lattice, 1000, acoustic_scale=WIDE.acoustic_scale).paths
        totals = [path.cost.graph + WIDE.acoustic_scale * path.cost.acoustic for path in paths]
        for path, total in zip(paths, totals, strict=True):
            if total <= totals[0] + beam:
                costs[(utt, *path.words)] = (path.cost.graph, path.cost.acoustic)
    return costs


def test_costs_of_all_paths_are_those_of_posteriors_pronunciations_and_ngram_model(result: Decoded) -> None:
    model, num_paths = NgramModel.read(result.graph.directory / "lm.arpa"), 0
    for utt, lattice in result.lattices.items():
        paths = n_best_paths(lattice, 15, acoustic_scale=WIDE.acoustic_scale).paths
        totals = [path.cost.graph + WIDE.acoustic_scale * path.cost.acoustic for path in paths]
        for path, total in zip(paths, totals, strict=True):
            # What is outside the beam may have lost its best alignment.
            if total <= totals[0] + WIDE.lattice_beam:
                graph, acoustic = result.cost(utt, path.words, model)
                assert path.cost.graph == pytest.approx(graph, abs=1e-3)
                assert path.cost.acoustic == pytest.approx(acoustic, abs=1e-3)
                num_paths += 1
    assert num_paths > 5 * len(result.lattices)


def test_no_sentence_is_cheaper_than_the_best_path(result: Decoded) -> None:
    model = NgramModel.read(result.graph.directory / "lm.arpa")
    sentences = [(), *((word,) for word in LEXICON), *product(LEXICON, repeat=2)]
    for utt in RANDOM:
        best = best_path(result.lattices[utt], acoustic_scale=WIDE.acoustic_scale).cost
        costs = [result.cost(utt, words, model) for words in sentences]
        cheapest = min(graph + WIDE.acoustic_scale * acoustic for graph, acoustic in costs)
        assert best.graph + WIDE.acoustic_scale * best.acoustic <= cheapest + 1e-3


def test_words_are_where_their_phones_are(tmp_path: Path, result: Decoded) -> None:
    for name in ("words.txt", "tokens.txt", "lexicon.txt"):
        (tmp_path / name).write_bytes((result.graph.directory / name).read_bytes())
    write_lattices(tmp_path / "lat.1.gz", result.lattices.values(), result.graph.words)
    source = LatticeSource.read(tmp_path, 0.04)
    for utt, (phones, _) in SPOKEN.items():
        path = aligned_best(result, utt)
        frames = [*(token - 1 for arc in path.arcs for token in arc.alignment)]
        frames += [token - 1 for token in path.final.alignment]
        labels = collapsed(frames)
        boundary = f" {SPACE} " if SPACE in result.columns else " "
        assert labels == [result.columns[unit] for unit in phones.replace(" | ", boundary).split()]
        # `spoken` has each unit in a frame of its own, a blank before and after it.
        sounds = [phones.replace(" | ", " ")] if result.best_words(utt) == "abed" else phones.split(" | ")
        step = 2 if SPACE in result.columns else 0
        begins = np.cumsum([1, *(2 * len(sound.split()) + step for sound in sounds)]).tolist()
        ends = [*begins[1:-1], len(frames) - 1]
        assert source.word_spans(path) == list(zip(begins[:-1], ends, strict=True))


def aligned_best(result: Decoded, utt: str) -> AlignedPath:
    """The best path with its alignments; the lattices are determinized, so that its words are its arcs."""
    lattice, state, arcs = result.lattices[utt], 0, []
    for word in result.best_words(utt).split():
        (arc,) = (arc for arc in lattice.leaving[state] if arc.word == word)
        arcs.append(arc)
        state = arc.target
    return AlignedPath(tuple(arcs), lattice.finals[state])
