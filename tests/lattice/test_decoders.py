"""Both lattice decoders on a small graph, against costs computed from the posteriors and the n-gram model alone.

k2 runs for real where .venv-k2 is (local/setup_k2.sh makes it; K2_VENV names another place).
"""

import gzip
import os
import re
import subprocess
import sys
import time
from math import inf, log10
from pathlib import Path

import numpy as np
import pytest
from decoding_models import (
    K2_PYTHON,
    WIDE,
    WORDS,
    SmallModel,
    collapsed,
    ctc_cost,
    decoded,
    make_small_model,
    random_log_probs,
    spoken,
    write_posteriors,
)
from numpy.typing import NDArray

import lat_decode
from lorescore.errors import InputError
from lorescore.files import process_name, read_table, read_yaml
from lorescore.lattice.archives import read_lattices
from lorescore.lattice.backends import LOCAL, Backend, choose_backend, make_lattices, prepare_backend
from lorescore.lattice.graph import Graph, make_graph
from lorescore.lattice.nbest import PathSettings, lists_from_lattices
from lorescore.lattice.ngram import NgramModel
from lorescore.lattice.paths import best_path, n_best_paths
from lorescore.lattice.search import SearchOptions
from lorescore.lattice.words import WordTable
from lorescore.nbest import Hypothesis

UTTERANCES = {f"utt{seed:02d}": (seed, frames) for seed, frames in enumerate((6, 9, 12, 15, 10, 8, 14, 11))}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallModel:
    return make_small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory, small: SmallModel) -> Graph:
    """A graph with a unigram model, whose costs no back-off arc changes."""
    folder = tmp_path_factory.mktemp("unigrams")
    shares = {(word,): log10((number + 1) / 100) for number, word in enumerate(WORDS)}
    NgramModel(1, {("<s>",): -99.0, ("</s>",): log10(0.64), **shares}).write(folder / "arpa")
    tokens = small.token_list
    return make_graph(folder / "graph", bpe_model=small.bpe_model, token_list=tokens, arpa=folder / "arpa")


@pytest.fixture(scope="module")
def trigrams(tmp_path_factory: pytest.TempPathFactory, small: SmallModel) -> Graph:
    directory = tmp_path_factory.mktemp("trigrams") / "graph"
    return make_graph(directory, bpe_model=small.bpe_model, token_list=small.token_list, text=small.text)


@pytest.fixture(scope="module", params=["kaldi", "k2"])
def backend(request: pytest.FixtureRequest) -> Backend:
    chosen = choose_backend(request.param, k2_python=K2_PYTHON)
    if chosen.name != request.param:
        pytest.skip(chosen.reason)
    return chosen


def log_probs_of(graph: Graph) -> dict[str, NDArray[np.float32]]:
    return {utt: random_log_probs(seed, frames, graph.num_tokens) for utt, (seed, frames) in UTTERANCES.items()}


def units_of(graph: Graph) -> dict[str, list[int]]:
    """The posterior columns of each word's units."""
    tokens = {token: int(number) - 1 for token, number in read_table(graph.directory / "tokens.txt").items()}
    lexicon = read_table(graph.directory / "lexicon.txt")
    return {word: [tokens[unit] for unit in units.split()] for word, units in lexicon.items()}


def test_costs_of_all_paths_are_those_of_posteriors_and_ngram_model(
    tmp_path: Path, backend: Backend, graph: Graph
) -> None:
    posteriors, units, model = log_probs_of(graph), units_of(graph), NgramModel.read(graph.directory / "lm.arpa")
    lattices = decoded(tmp_path, backend, graph, posteriors)
    assert lattices.keys() == posteriors.keys()
    num_paths = 0
    for utt, lattice in lattices.items():
        for path in n_best_paths(lattice, 30, acoustic_scale=WIDE.acoustic_scale).paths:
            labels = [label for word in path.words for label in units[word]]
            assert path.cost.acoustic == pytest.approx(ctc_cost(posteriors[utt], labels), abs=1e-3)
            assert path.cost.graph == pytest.approx(model.lm_cost(" ".join(path.words)), abs=1e-3)
            num_paths += 1
    assert num_paths > 3 * len(lattices)


def test_no_sentence_is_cheaper_than_the_best_path(tmp_path: Path, backend: Backend, graph: Graph) -> None:
    posteriors, units, model = log_probs_of(graph), units_of(graph), NgramModel.read(graph.directory / "lm.arpa")
    sentences = [(), *((word,) for word in WORDS), *((first, second) for first in WORDS for second in WORDS)]
    for utt, lattice in decoded(tmp_path, backend, graph, posteriors).items():
        best = best_path(lattice, acoustic_scale=WIDE.acoustic_scale).cost
        cheapest = min(
            model.lm_cost(" ".join(words))
            + WIDE.acoustic_scale * ctc_cost(posteriors[utt], [label for word in words for label in units[word]])
            for words in sentences
        )
        assert best.graph + WIDE.acoustic_scale * best.acoustic <= cheapest + 1e-3


def test_alignments_have_a_token_for_each_frame_and_spell_the_words(
    tmp_path: Path, backend: Backend, trigrams: Graph
) -> None:
    posteriors, units = log_probs_of(trigrams), units_of(trigrams)
    for utt, lattice in decoded(tmp_path, backend, trigrams, posteriors).items():
        path = best_path(lattice, acoustic_scale=WIDE.acoustic_scale)
        state, alignment = 0, []
        for word in path.words:
            (arc,) = (arc for arc in lattice.leaving[state] if arc.word == word)  # determinized: one arc a word
            alignment += arc.alignment
            state = arc.target
        columns = [token - 1 for token in (*alignment, *lattice.finals[state].alignment)]
        assert collapsed(columns) == [label for word in path.words for label in units[word]]
        assert path.cost.acoustic == pytest.approx(-posteriors[utt][np.arange(len(columns)), columns].sum(), abs=1e-3)
        assert len(columns) == len(posteriors[utt])


def test_what_is_spoken_is_found_with_the_cost_of_the_graph(tmp_path: Path, backend: Backend, trigrams: Graph) -> None:
    units, model = units_of(trigrams), NgramModel.read(trigrams.directory / "lm.arpa")
    sentences = {"utt1": "the cat sat", "utt2": "a cat sat at the hat", "utt3": "hat hat that"}
    posteriors = {
        utt: spoken([label for word in text.split() for label in units[word]], trigrams.num_tokens)
        for utt, text in sentences.items()
    }
    for utt, lattice in decoded(tmp_path, backend, trigrams, posteriors).items():
        path = best_path(lattice, acoustic_scale=WIDE.acoustic_scale)
        assert " ".join(path.words) == sentences[utt]
        # Back-off arcs may only make a sentence cheaper.
        assert path.cost.graph <= model.lm_cost(sentences[utt]) + 1e-3


def test_both_backends_have_the_same_paths(tmp_path: Path, trigrams: Graph) -> None:
    k2 = choose_backend("k2", k2_python=K2_PYTHON)
    if k2.name != "k2":
        pytest.skip(k2.reason)
    posteriors = log_probs_of(trigrams)
    one = decoded(tmp_path / "k2", k2, trigrams, posteriors)
    other = decoded(tmp_path / "kaldi", choose_backend("kaldi"), trigrams, posteriors)
    differing = 0
    for utt in posteriors:
        paths = []
        for lattice in (one[utt], other[utt]):
            found = n_best_paths(lattice, 20, acoustic_scale=WIDE.acoustic_scale).paths
            paths.append({path.words: path.cost for path in found})
        assert next(iter(paths[0])) == next(iter(paths[1]))
        for words in paths[0].keys() & paths[1].keys():
            assert paths[0][words].graph == pytest.approx(paths[1][words].graph, abs=1e-3)
            assert paths[0][words].acoustic == pytest.approx(paths[1][words].acoustic, abs=1e-3)
        differing += len(paths[0].keys() ^ paths[1].keys())
    print(f"paths that only one backend has among its 20 best: {differing} of {20 * len(posteriors)}")
    assert differing <= 2 * len(posteriors)  # where the twentieth costs as much as the next


# A decode.py of icefall, as local/k2_lattices.py says: get_lattice's search over batches, longest utterance first.
ICEFALL = """
import sys
sys.path.insert(0, sys.argv[1])
import kaldiio, k2, torch
from pathlib import Path
from k2_decode import load_graph
from k2_lattices import LatticeWriter

HLG = load_graph(Path(sys.argv[2]))
posteriors = dict(kaldiio.load_scp(sys.argv[3]))
utts = sorted(posteriors, key=lambda utt: -len(posteriors[utt]))
with LatticeWriter(sys.argv[4]) as lattices:
    for batch in (utts[:3], utts[3:]):
        rows = [torch.from_numpy(posteriors[utt].copy()) for utt in batch]
        segments = torch.tensor([[row, 0, len(one)] for row, one in enumerate(rows)], dtype=torch.int32)
        dense = k2.DenseFsaVec(torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), segments)
        lattice = k2.intersect_dense_pruned(HLG, dense, 200.0, 10.0, 30, 10000)
        print(lattices.write(batch, lattice))
    try:
        lattices.write(batch[:1], lattice)
    except ValueError as error:
        print(error)
"""


def test_lattices_of_icefall(tmp_path: Path, trigrams: Graph) -> None:
    """Its batches give the paths and costs of utterances that are decoded one by one, whatever the search does."""
    k2 = choose_backend("k2", k2_python=K2_PYTHON)
    if k2.name != "k2":
        pytest.skip(k2.reason)
    posteriors = log_probs_of(trigrams)
    options = SearchOptions(acoustic_scale=1.0, beam=200.0, lattice_beam=10.0)
    expected = decoded(tmp_path / "k2", k2, trigrams, posteriors, options)
    scp, archive = write_posteriors(tmp_path, posteriors), tmp_path / "exp/lat_test/lat.1.gz"
    command = [
        str(k2.python),
        "-c",
        ICEFALL,
        str(LOCAL),
        str(trigrams.directory / "HLG.k2.npz"),
        str(scp),
        str(archive),
    ]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    said = subprocess.run(command, env=environment, capture_output=True, check=True, encoding="utf-8").stdout
    assert said.splitlines() == ["[]", "[]", "5 lattices for 1 utterances"]
    assert [path.name for path in archive.parent.iterdir()] == ["lat.1.gz"]
    found = {one.utt: one for one in read_lattices(archive, trigrams.words)}
    assert found.keys() == expected.keys() and len(found) == 8
    for utt, lattice in found.items():
        some, others = (
            {path.words: path.cost for path in n_best_paths(one, 20).paths} for one in (lattice, expected[utt])
        )
        assert next(iter(some)) == next(iter(others))
        assert len(some.keys() ^ others.keys()) <= 2  # where the twentieth costs as much as the next
        for words in some.keys() & others.keys():
            assert some[words].graph == pytest.approx(others[words].graph, abs=1e-3)
            assert some[words].acoustic == pytest.approx(others[words].acoustic, abs=1e-3)


def test_an_archive_of_icefall_appears_when_it_is_complete(tmp_path: Path) -> None:
    sys.path.insert(0, str(LOCAL))
    try:
        from k2_lattices import LatticeWriter
    finally:
        sys.path.remove(str(LOCAL))
    path = tmp_path / "lat.1.gz"
    path.write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt), LatticeWriter(path) as lattices:
        lattices.write_one("utt", ["0\t0,0,\n"])
        raise KeyboardInterrupt
    assert path.read_bytes() == b"before"
    with LatticeWriter(path) as lattices:
        lattices.write_one("utt", ["0\t0,0,\n"])
    assert gzip.decompress(path.read_bytes()) == b"utt \n0\t0,0,\n\n"
    assert [one.name for one in tmp_path.iterdir()] == ["lat.1.gz"]


# A token, a token with two words and the way to the final state with two: as k2's search may give it.
SEVERAL_WORDS = """
import sys
sys.path.insert(0, sys.argv[1])
import k2, k2_lattices
lattice = k2.Fsa.from_str("0 1 1 -0.5\\n1 2 2 -0.25\\n2 3 -1 -1\\n3")
lattice.aux_labels = k2.RaggedTensor([[], [1, 2], [3, 4]])
lattice.lm_scores = lattice.scores.clone()
print("utt\\n" + "".join(k2_lattices.lattice_lines(lattice, [2.0, 2.0, 0.0])))
"""


def test_arcs_with_several_words_leave_no_state_out(tmp_path: Path) -> None:
    k2 = choose_backend("k2", k2_python=K2_PYTHON)
    if k2.name != "k2":
        pytest.skip(k2.reason)
    command = [str(k2.python), "-c", SEVERAL_WORDS, str(LOCAL)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    text = subprocess.run(command, env=environment, capture_output=True, check=True, encoding="utf-8").stdout
    (tmp_path / "lat.1").write_text(text)
    words = WordTable(dict(enumerate(("<eps>", "one", "two", "three", "four"))))
    (lattice,) = read_lattices(tmp_path / "lat.1", words)
    (path,) = n_best_paths(lattice, 2).paths
    assert path.words == ("one", "two", "three", "four")
    assert (path.cost.graph, path.cost.acoustic) == (1.75, 4.0)
    assert sorted({arc.source for arc in lattice.arcs} | lattice.finals.keys()) == [*range(6)]


def test_an_utterance_without_a_complete_path_is_named(tmp_path: Path, graph: Graph) -> None:
    units = units_of(graph)
    begun = next(word[:-1] for word in units.values() if len(word) > 1 and word[:-1] not in units.values())
    posteriors = {
        "begun": spoken(begun, graph.num_tokens),  # the end of the word is far outside the beam
        "spoken": spoken(units["the"], graph.num_tokens),
    }
    scp, archive = write_posteriors(tmp_path, posteriors), tmp_path / "lat.1.gz"
    narrow = SearchOptions(acoustic_scale=1.0, beam=0.5, lattice_beam=0.5)
    assert make_lattices(choose_backend("kaldi"), graph, scp, archive, narrow) == ["begun"]
    assert [lattice.utt for lattice in read_lattices(archive, graph.words)] == ["spoken"]


# A process that starts another one and ends, as if it were killed, once that one has said something.
CALLER = """
import subprocess, sys, time
with open(sys.argv[1], "wb") as log:
    subprocess.Popen(sys.argv[2:], stdout=log)
while not open(sys.argv[1]).read():
    time.sleep(0.05)
"""


def test_k2_ends_where_its_caller_was_killed(tmp_path: Path, graph: Graph) -> None:
    k2 = choose_backend("k2", k2_python=K2_PYTHON)
    if k2.name != "k2":
        pytest.skip(k2.reason)
    prepare_backend(k2, graph)
    log_probs = random_log_probs(1, 15, graph.num_tokens)
    scp = write_posteriors(tmp_path, {f"utt{number:04d}": log_probs for number in range(300)})
    command = [str(k2.python), str(LOCAL / "k2_decode.py"), "--graph_dir", str(graph.directory), "--scp", str(scp)]
    caller = [sys.executable, "-c", CALLER, str(tmp_path / "log"), *command, "--out", str(tmp_path / "raw.gz")]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(caller, env=environment, check=True)
    deadline = time.monotonic() + 60
    while list(tmp_path.glob(".raw.gz.*.tmp")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not list(tmp_path.glob("*raw.gz*"))
    assert (tmp_path / "log").read_text().count("\n") < 300


def test_what_a_killed_job_has_left_is_removed(tmp_path: Path, graph: Graph) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for name in (f".lat.1.gz.{process_name(ended.pid)}.tmp", f"..lat.1.gz.raw.gz.{process_name(ended.pid)}.tmp"):
        (tmp_path / name).touch()
    scp = write_posteriors(tmp_path, {"spoken": spoken(units_of(graph)["the"], graph.num_tokens)})
    make_lattices(choose_backend("kaldi"), graph, scp, tmp_path / "lat.1.gz", WIDE)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("beam", [0.0, -1.0, inf])
def test_beams_are_positive_numbers(beam: float) -> None:
    with pytest.raises(InputError, match="expected a finite number above 0"):
        SearchOptions(beam=beam)


def test_posteriors_of_another_model_are_refused(tmp_path: Path, backend: Backend, graph: Graph) -> None:
    prepare_backend(backend, graph)
    for log_probs in (random_log_probs(1, 5, graph.num_tokens + 1), np.full((5, graph.num_tokens), np.nan, np.float32)):
        scp = write_posteriors(tmp_path, {"utt": log_probs})
        with pytest.raises(InputError, match="posteriors of utterance utt"):
            make_lattices(backend, graph, scp, tmp_path / "lat.1.gz", WIDE)
        assert not (tmp_path / "lat.1.gz").exists()


def test_a_missing_k2_is_said_and_kaldi_decoder_taken(tmp_path: Path) -> None:
    chosen = choose_backend("k2", k2_python=tmp_path / ".venv-k2" / "bin" / "python")
    if chosen.name == "k2":
        assert chosen.python == Path(sys.executable)
    else:
        assert chosen.name == "kaldi"
        assert "No module named 'k2'" in chosen.reason
        assert f"{tmp_path}/.venv-k2 does not exist" in chosen.reason


def test_a_k2_that_does_not_work_is_said(tmp_path: Path) -> None:
    python = tmp_path / ".venv-k2" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho 'ImportError: libcudart.so.11' >&2\nexit 1\n")
    python.chmod(0o755)
    chosen = choose_backend("k2", k2_python=python)
    assert chosen.name == "k2" or "ImportError: libcudart.so.11" in chosen.reason


class TestLatDecode:
    """local/lat_decode.py with kaldi-decoder: what is there afterwards, and what a second call does."""

    @pytest.fixture
    def ctc_dir(self, tmp_path: Path, graph: Graph) -> Path:
        items = list(log_probs_of(graph).items())
        for job, part in enumerate((items[:4], items[4:]), start=1):
            write_posteriors(tmp_path / "ctc", dict(part), job)
        (tmp_path / "ctc" / "ctc.stamp").write_text("made from\n")
        (tmp_path / "ctc" / "frame_shift").write_text("0.04\n")
        return tmp_path / "ctc"

    def call(self, graph: Graph, ctc_dir: Path, *options: str) -> int:
        lat_dir = ctc_dir.parent / "lat"
        common = ["--graph_dir", str(graph.directory), "--ctc_dir", str(ctc_dir), "--lat_dir", str(lat_dir)]
        return lat_decode.main([*common, "--lattice_backend", "kaldi", *options])

    @pytest.mark.parametrize("lost", ["failed.2", "lat.2.gz"])
    def test_archives_in_kaldis_layout_and_nothing_done_twice(
        self, graph: Graph, ctc_dir: Path, capsys: pytest.CaptureFixture[str], lost: str
    ) -> None:
        lat_dir = ctc_dir.parent / "lat"
        assert self.call(graph, ctc_dir) == 0
        assert "lattices by kaldi: kaldi-decoder was asked for" in capsys.readouterr().out
        assert [lattice.utt for lattice in read_lattices(lat_dir)] == list(UTTERANCES)
        assert (lat_dir / "num_jobs").read_text() == "2\n"
        assert (lat_dir / "frame_shift").read_text() == "0.04\n"
        for name in ("words.txt", "tokens.txt", "lexicon.txt"):
            assert (lat_dir / name).read_bytes() == (graph.directory / name).read_bytes()
        assert read_yaml(lat_dir / "backend.yaml")["backend"] == "kaldi"
        content = {path.name: path.read_bytes() for path in lat_dir.glob("lat.*.gz")}
        times = {path.name: path.stat().st_mtime_ns for path in lat_dir.glob("lat.*.gz")}

        (lat_dir / lost).unlink()  # as a job leaves it that was stopped, or who makes room on the disk
        assert self.call(graph, ctc_dir) == 0
        assert "jobs 2 of 2" in capsys.readouterr().out
        after = {path.name: path.stat().st_mtime_ns for path in lat_dir.glob("lat.*.gz")}
        assert after["lat.1.gz"] == times["lat.1.gz"]
        assert after["lat.2.gz"] != times["lat.2.gz"]
        assert {path.name: path.read_bytes() for path in lat_dir.glob("lat.*.gz")} == content

    def test_other_options_make_other_lattices(self, graph: Graph, ctc_dir: Path) -> None:
        lat_dir = ctc_dir.parent / "lat"
        assert self.call(graph, ctc_dir) == 0
        wide = sum(len(lattice.arcs) for lattice in read_lattices(lat_dir))
        assert self.call(graph, ctc_dir, "--lattice_beam", "0.5") == 0
        assert sum(len(lattice.arcs) for lattice in read_lattices(lat_dir)) < wide
        assert read_yaml(lat_dir / "backend.yaml")["lattice_beam"] == 0.5

    def test_the_stamp_of_other_lattices_goes_last(
        self, graph: Graph, ctc_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without it, after a kill, what is left would be somebody else's lattices."""
        assert self.call(graph, ctc_dir) == 0
        removed: list[str] = []
        unlink = Path.unlink

        def noted(path: Path, missing_ok: bool = False) -> None:
            removed.append(path.name)
            unlink(path, missing_ok)

        monkeypatch.setattr(Path, "unlink", noted)
        assert self.call(graph, ctc_dir, "--lattice_beam", "0.5") == 0
        assert removed.index("lat.stamp") == 4
        assert set(removed[:4]) == {"lat.1.gz", "lat.2.gz", "failed.1", "failed.2"}

    @pytest.mark.parametrize("found", ["", "0.04 s\n", "-1\n"])
    def test_a_frame_shift_that_is_none(
        self, graph: Graph, ctc_dir: Path, found: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (ctc_dir / "frame_shift").write_text(found)
        assert self.call(graph, ctc_dir) == 1
        assert re.search(r"expected seconds, found .* \(give --frame_shift", capsys.readouterr().err)
        assert self.call(graph, ctc_dir, "--frame_shift", "0.03") == 0
        assert (ctc_dir.parent / "lat" / "frame_shift").read_text() == "0.03\n"

    def test_a_failed_job_is_named_with_its_reason(
        self, graph: Graph, ctc_dir: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_posteriors(ctc_dir, {"utt99": random_log_probs(1, 5, graph.num_tokens + 1)}, job=2)
        assert self.call(graph, ctc_dir) == 1
        message = capsys.readouterr().err
        assert "job 2 failed" in message
        assert "posteriors of utterance utt99" in message

    def test_utterances_without_posteriors_have_no_lattice_and_no_job_is_without_an_archive(
        self, graph: Graph, ctc_dir: Path, backend: Backend, capsys: pytest.CaptureFixture[str]
    ) -> None:
        lat_dir, (first, *others) = ctc_dir.parent / "lat", UTTERANCES
        (ctc_dir / "ctc.1.too_short").write_text(f"{first}\n")
        write_posteriors(ctc_dir, {utt: log_probs_of(graph)[utt] for utt in others[:3]})
        write_posteriors(ctc_dir, {}, job=3)
        (ctc_dir / "ctc.3.too_short").write_text("utt98\nutt99\n")
        assert self.call(graph, ctc_dir, "--lattice_backend", backend.name) == 0
        assert "lattices of 7 utterances, 3 without a complete path" in capsys.readouterr().out
        assert [lattice.utt for lattice in read_lattices(lat_dir)] == others
        failed = [(lat_dir / f"failed.{job}").read_text().split() for job in (1, 2, 3)]
        assert failed == [[first], [], ["utt98", "utt99"]]
        best = {utt: Hypothesis("what the first pass says", -1.0) for utt in (first, "utt98", "utt99")}
        made = lists_from_lattices(read_lattices(lat_dir, require_path=False), PathSettings(), fallback=best)
        assert [one.utt for one in made.nbest if one.texts == ["what the first pass says"]] == [first, "utt98", "utt99"]

    def test_missing_posteriors_are_said(
        self, graph: Graph, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "empty").mkdir()
        assert self.call(graph, tmp_path / "empty") == 1
        assert "no posteriors" in capsys.readouterr().err
