"""The decoding graph: lexicon, disambiguation symbols, files, and when it is made anew."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from decoding_models import SENTENCES, WORDS, SmallModel, make_small_model
from hypothesis import given
from hypothesis import strategies as st

from lorescore.errors import InputError
from lorescore.files import process_name, read_table, read_yaml
from lorescore.lattice.graph import Graph, add_disambiguation, make_graph
from lorescore.lattice.lexicon import make_lexicon


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallModel:
    return make_small_model(tmp_path_factory.mktemp("model"))


def make(directory: Path, small: SmallModel, **options: object) -> Graph:
    given = {"text": small.text} | options
    return make_graph(directory, bpe_model=small.bpe_model, token_list=small.token_list, **given)  # type: ignore[arg-type]


def test_words_that_begin_others_or_sound_alike_get_symbols() -> None:
    lexicon = {
        "cat": {("c", "at"): 0.0},
        "cats": {("c", "at", "s"): 0.0},
        "kat": {("c", "at"): 0.5, ("k", "at"): 0.0},
        "hat": {("h", "at"): 0.0},
        "c": {("c",): 0.0},
    }
    assert add_disambiguation(lexicon) == (
        {
            "cat": {("c", "at", "#1"): 0.0},
            "cats": {("c", "at", "s"): 0.0},
            "kat": {("c", "at", "#2"): 0.5, ("k", "at"): 0.0},
            "hat": {("h", "at"): 0.0},
            "c": {("c", "#1"): 0.0},
        },
        2,
    )


pronunciations = st.dictionaries(st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(tuple), st.just(0.0))


@given(st.dictionaries(st.sampled_from("stuvwxyz"), pronunciations))
def test_with_symbols_no_pronunciation_is_another_or_the_beginning_of_another(
    lexicon: dict[str, dict[tuple[str, ...], float]],
) -> None:
    with_symbols, _ = add_disambiguation(lexicon)
    spelled = [units for found in with_symbols.values() for units in found]
    for number, units in enumerate(spelled):
        assert not any(other[: len(units)] == units for other in spelled[:number] + spelled[number + 1 :])
    assert [len(found) for found in with_symbols.values()] == [len(found) for found in lexicon.values()]


def test_units_of_a_word_spell_it_and_foreign_letters_are_left_out(small: SmallModel) -> None:
    lexicon = make_lexicon([*WORDS, "naïve", "zoo"], small.token_list, bpe_model=small.bpe_model)
    assert list(lexicon) == list(WORDS)
    for word, pronunciations in lexicon.items():
        assert ["".join(units) for units in pronunciations] == [f"\u2581{word}"]


def test_files_of_a_graph(tmp_path: Path, small: SmallModel) -> None:
    graph = make(tmp_path / "graph", small)
    words = list(read_table(graph.directory / "words.txt").items())
    assert words[0] == ("<eps>", "0")
    assert [word for word, _ in words[-3:]] == ["#0", "<s>", "</s>"]
    assert {word for word, _ in words[1:-3]} == {word for line in SENTENCES for word in line.split()}
    assert [int(number) for _, number in words] == list(range(len(words)))
    tokens = list(read_table(graph.directory / "tokens.txt"))
    assert tokens[: len(small.token_list) + 2] == ["<eps>", *small.token_list, "#0"]
    assert graph.num_tokens == len(small.token_list)
    assert graph.hlg.is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["graph"]


def test_a_graph_is_made_once_and_anew_when_its_text_changes(tmp_path: Path, small: SmallModel) -> None:
    directory = tmp_path / "graph"
    made = make(directory, small).hlg.stat().st_mtime_ns
    assert make(directory, small).hlg.stat().st_mtime_ns == made
    content = (directory / "HLG.fst").read_bytes()
    other = tmp_path / "text"
    other.write_text(small.text.read_text() + "u99 the mat sat\n")
    graph = make(directory, small, text=other)
    assert "mat" not in read_table(directory / "words.txt")  # no m among the units
    assert read_yaml(directory / "graph.yaml")["left_out"] == 1
    assert graph.hlg.read_bytes() != content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["graph", "text"]
    assert not (directory / "old").exists()


def test_what_a_killed_process_has_left_is_removed(tmp_path: Path, small: SmallModel) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for process in (ended.pid, os.getppid()):
        (tmp_path / f".graph.{process_name(process)}.part/old").mkdir(parents=True)
    make(tmp_path / "graph", small)
    left = f".graph.{process_name(os.getppid())}.part"
    assert sorted(path.name for path in tmp_path.iterdir()) == [left, "graph"]


def test_the_same_inputs_give_the_same_graph(tmp_path: Path, small: SmallModel) -> None:
    one, other = (make(tmp_path / name, small) for name in ("one", "other"))
    for name in ("HLG.fst", "L_disambig.fst.txt", "G.fst.txt", "lm.arpa", "words.txt", "graph.yaml"):
        assert (one.directory / name).read_bytes() == (other.directory / name).read_bytes(), name


def test_further_words_and_a_model_of_ones_own(tmp_path: Path, small: SmallModel) -> None:
    (tmp_path / "list").write_text("chat\ntea\n")
    wider = make(tmp_path / "wider", small, word_list=tmp_path / "list")
    assert {"chat", "tea"} <= wider.words.ids.keys()
    own = make(tmp_path / "own", small, text=None, arpa=wider.directory / "lm.arpa")
    assert own.words.words == wider.words.words
    assert own.hlg.read_bytes() == wider.hlg.read_bytes()


def test_an_arpa_file_with_the_line_ends_of_windows(tmp_path: Path, small: SmallModel) -> None:
    one = make(tmp_path / "one", small)
    arpa = tmp_path / "arpa"
    arpa.write_bytes(b"\xef\xbb\xbf" + (one.directory / "lm.arpa").read_bytes().replace(b"\n", b"\r\n"))
    assert make(tmp_path / "other", small, text=None, arpa=arpa).hlg.read_bytes() == one.hlg.read_bytes()


def test_unusable_inputs_are_refused_and_leave_no_graph(tmp_path: Path, small: SmallModel) -> None:
    directory = tmp_path / "graph"
    foreign = tmp_path / "text"
    foreign.write_text("u1 öü\n")
    with pytest.raises(InputError, match="no word of the n-gram model"):
        make(directory, small, text=foreign)
    with pytest.raises(InputError, match="not both"):
        make(directory, small, arpa=foreign)
    with pytest.raises(InputError, match="not a SentencePiece model"):
        make_graph(directory, bpe_model=foreign, token_list=small.token_list, text=small.text)
    with pytest.raises(InputError, match="cannot be read"):
        Graph.read(directory)
    assert [path.name for path in tmp_path.iterdir()] == ["text"]


def test_a_directory_of_something_else_is_left_alone(tmp_path: Path, small: SmallModel) -> None:
    (tmp_path / "graph").mkdir()
    make(tmp_path / "graph", small)  # an empty one
    (tmp_path / "graph/graph.yaml").unlink()
    kept = sorted(path.name for path in (tmp_path / "graph").iterdir())
    with pytest.raises(InputError, match="graph: is there already and no graph that was made here"):
        make(tmp_path / "graph", small)
    assert sorted(path.name for path in (tmp_path / "graph").iterdir()) == kept
    assert [path.name for path in tmp_path.iterdir()] == ["graph"]


@pytest.mark.parametrize("line", ["<eps> 0", "<eps>", "chat 1", "<unk>", "<s>", "#0"])
def test_a_word_list_with_other_than_words_is_what_the_error_names(
    tmp_path: Path, small: SmallModel, line: str
) -> None:
    (tmp_path / "list").write_text(f"tea\n\n{line}\n")
    with pytest.raises(InputError, match=r"list:3: expected one word of the language, found "):
        make(tmp_path / "graph", small, word_list=tmp_path / "list")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("<s>", "<x>", "did not contain the beginning-of-sentence symbol <s>"),
        ("\tcat", "\t#0", "disambiguation symbol"),
        ("\tcat", "\t<eps>", "epsilon symbol '<eps>' is illegal"),
        ("\\end\\", "", r"no \\end\\ in the file"),
    ],
)
def test_an_ngram_model_that_makes_no_graph_ends_in_an_error_that_names_it(
    tmp_path: Path, small: SmallModel, old: str, new: str, problem: str
) -> None:
    content = "\\data\\\nngram 1=4\n\n\\1-grams:\n-99\t<s>\n-1\t</s>\n-0.5\tthe\n-0.5\tcat\n\n\\end\\\n"
    arpa = tmp_path / "own.arpa"
    arpa.write_text(content)
    assert set(make(tmp_path / "graph", small, text=None, arpa=arpa).words.ids) >= {"the", "cat"}
    arpa.write_text(content.replace(old, new))
    with pytest.raises(InputError, match=problem) as error:
        make(tmp_path / "other", small, text=None, arpa=arpa)
    assert str(error.value).startswith(f"{arpa}: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["graph", "own.arpa"]
