"""N-gram models: estimated, written, read, texts scored; by hand on a text of two sentences."""

from collections import Counter
from math import log
from pathlib import Path

import pytest

from lorescore.errors import InputError
from lorescore.lattice.ngram import EOS, NgramModel, estimate_arpa

TEXT = "u1 the cat sat\nu2 the cat ran\nu3 a dog sat down\nu4 the dog ran\n"

# p(a | <s>) = 0.5, p(b | a) = 0.25, backing off from a 0.5, p(</s>) = 0.1
ARPA = """
\\data\\
ngram 1=5
ngram 2=2

\\1-grams:
-99\t<s>\t0
-1\t</s>
-0.602059991\ta\t-0.301029996
-0.903089987\tb\t-0.096910013
-2\t<unk>

\\2-grams:
-0.301029996\t<s> a
-0.602059991\ta b

\\end\\
"""


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text"
    path.write_text(TEXT)
    return path


def arpa_file(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "lm.arpa"
    path.write_text(content)
    return path


@pytest.mark.parametrize(
    ("sentence", "probability"),
    [
        ("a b", 0.5 * 0.25 * (0.8 * 0.1)),  # both bigrams; b backs off to </s> with 10^-0.0969 = 0.8
        ("a", 0.5 * (0.5 * 0.1)),
        ("b a", 0.125 * (0.8 * 0.25) * (0.5 * 0.1)),
        ("", 0.1),
        ("a zebra", 0.5 * (0.5 * 0.01) * 0.1),  # an unknown word
    ],
)
def test_cost_of_a_sentence_by_hand(tmp_path: Path, sentence: str, probability: float) -> None:
    assert NgramModel.read(arpa_file(tmp_path, ARPA)).lm_cost(sentence) == pytest.approx(-log(probability), abs=1e-6)


def test_words_are_without_sentence_ends_and_unknown_word(tmp_path: Path) -> None:
    assert NgramModel.read(arpa_file(tmp_path, ARPA)).words == ["a", "b"]


@pytest.mark.parametrize("extra", [(), ("zebra", "yak", "cat")])
@pytest.mark.parametrize("order", [2, 3])
def test_probabilities_after_each_history_add_up_to_one(
    tmp_path: Path, text: Path, order: int, extra: tuple[str, ...]
) -> None:
    estimate_arpa(text, tmp_path / "lm.arpa", order=order, extra_words=extra)
    model = NgramModel.read(tmp_path / "lm.arpa")
    assert set(extra) <= set(model.words)
    for history in {words[:-1] for words in model.log_probs}:
        total = sum(10.0 ** model.log_prob(history, word) for word in [*model.words, EOS])
        assert total == pytest.approx(1.0, abs=1e-5), history


def test_no_ngram_costs_more_than_to_back_off_from_it(tmp_path: Path, text: Path) -> None:
    estimate_arpa(text, tmp_path / "lm.arpa", extra_words=["zebra"])
    model = NgramModel.read(tmp_path / "lm.arpa")
    longer = [words for words in model.log_probs if len(words) > 1]
    assert any(len(words) == 3 for words in longer)
    for words in longer:
        backed_off = model.backoffs[words[:-1]] + model.log_probs[words[1:]]
        assert model.log_probs[words] >= backed_off - 1e-6


def test_seen_ngrams_are_likelier_than_unseen_ones(tmp_path: Path, text: Path) -> None:
    estimate_arpa(text, tmp_path / "lm.arpa", extra_words=["zebra"])
    cost = NgramModel.read(tmp_path / "lm.arpa").lm_cost
    assert cost("the cat sat") < cost("the sat cat") < cost("zebra sat cat")


def test_further_words_share_what_words_that_occur_once_have(tmp_path: Path, text: Path) -> None:
    estimate_arpa(text, tmp_path / "lm.arpa", extra_words=["zebra", "yak"])
    model = NgramModel.read(tmp_path / "lm.arpa")
    once = sum(count == 1 for count in Counter(w for line in TEXT.splitlines() for w in line.split()[1:]).values())
    tokens = sum(len(line.split()) - 1 for line in TEXT.splitlines())
    assert 10 ** model.log_probs[("yak",)] == pytest.approx(once / (tokens + 1) / 2, rel=1e-5)


def test_the_same_text_gives_the_same_file(tmp_path: Path, text: Path) -> None:
    for name in ("one", "two"):
        estimate_arpa(text, tmp_path / name, extra_words={"yak", "zebra", "gnu"})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_model_written_and_read_again_is_the_same(tmp_path: Path) -> None:
    model = NgramModel.read(arpa_file(tmp_path, ARPA))
    model.write(tmp_path / "again")
    again = NgramModel.read(tmp_path / "again")
    assert again.order == 2
    assert again.log_probs == pytest.approx(model.log_probs, abs=1e-7)
    assert again.backoffs == pytest.approx(model.backoffs, abs=1e-7)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (ARPA.replace("\\end\\", ""), "cut off"),
        (ARPA.replace("-1\t</s>", "minus one\t</s>"), r"lm.arpa:8: not a line of an ARPA file"),
        (ARPA.replace("-2\t<unk>", "-inf\t<unk>"), r"lm.arpa:11: not a line of an ARPA file"),
        (ARPA.replace("-0.301029996\n-0", "nan\n-0"), r"lm.arpa:9: not a line of an ARPA file"),
        (ARPA.replace("ngram 2=2", "ngram 2=3"), "expected"),
        ("once upon a time\n", "no ARPA file"),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, content: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        NgramModel.read(arpa_file(tmp_path, content))


def test_a_word_that_a_model_without_unknown_word_lacks_is_named(tmp_path: Path) -> None:
    closed = ARPA.replace("-2\t<unk>\n", "").replace("ngram 1=5", "ngram 1=4")
    with pytest.raises(InputError, match="zebra"):
        NgramModel.read(arpa_file(tmp_path, closed)).lm_cost("a zebra")


@pytest.mark.parametrize(
    ("content", "order", "problem"),
    [
        ("u1\n", 3, "no words"),
        ("u1 <s> a\n", 3, "<s>"),
        ("u1 <eps>\n", 3, "<eps>"),
        ("u1 a #0\n", 3, "#0"),
        (TEXT, 1, "order 1"),
    ],
)
def test_a_text_that_cannot_be_estimated_from(tmp_path: Path, content: str, order: int, problem: str) -> None:
    (tmp_path / "text").write_text(content)
    with pytest.raises(InputError, match=problem):
        estimate_arpa(tmp_path / "text", tmp_path / "lm.arpa", order=order)
    assert not (tmp_path / "lm.arpa").exists()
