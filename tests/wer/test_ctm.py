"""ctm files, the times in them, and their scoring by sclite."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorescore.errors import InputError
from lorescore.wer import EditCounts, edit_counts, write_score_wer
from lorescore.wer.ctm import NOMINAL_WORD_S, CtmWord, ctm_texts, read_ctm, timed_words, write_ctm, write_score_ctm

needs_sclite = pytest.mark.skipif(
    not (shutil.which("sclite") or shutil.which("sctk")), reason="sclite is missing: apt-get install sctk"
)


def times(words: list[CtmWord]) -> list[tuple[float, float]]:
    """Start and duration of each word."""
    return [(one.start, one.duration) for one in words]


def test_times_from_an_alignment() -> None:
    words = timed_words("u", ["a", "b"], confidences=[0.5, 1.0], spans=[(0, 2.5), (4, 8)], frame_shift=0.04)
    assert [(one.utt, one.channel, one.word, one.confidence) for one in words] == [
        ("u", "1", "a", 0.5),
        ("u", "1", "b", 1.0),
    ]
    assert [time for pair in times(words) for time in pair] == pytest.approx([0.0, 0.1, 0.16, 0.16])


def test_words_without_an_alignment_are_equally_long() -> None:
    assert times(timed_words("u", ["a", "b"])) == [(0.0, NOMINAL_WORD_S), (NOMINAL_WORD_S, NOMINAL_WORD_S)]
    assert timed_words("u", []) == []


def test_times_that_cannot_be_given() -> None:
    with pytest.raises(InputError, match="frame shift 0, expected a finite number above 0"):
        timed_words("u", ["a"], spans=[(0, 1)])


def test_the_file_is_sorted(tmp_path: Path) -> None:
    words = [
        CtmWord("u2", 0.5, 0.25, "c", 0.75),
        CtmWord("u10", 0.0, 1.0, "z"),
        CtmWord("u2", 0.0004, 0.5, "b"),
        CtmWord("u2", 0.0, 0.0, "a"),  # of the same start as it is written: in the order given
        CtmWord("U2", 1.0, 0.12345, "é", 1.0, "A"),
    ]
    write_ctm(tmp_path / "ctm", words)
    assert (tmp_path / "ctm").read_text() == (
        "U2 A 1.000 0.123 é 1.0000\n"
        "u10 1 0.000 1.000 z\n"
        "u2 1 0.000 0.500 b\n"
        "u2 1 0.000 0.000 a\n"
        "u2 1 0.500 0.250 c 0.7500\n"
    )
    assert ctm_texts(read_ctm(tmp_path / "ctm"), ["u1", "u10", "u2"]) == {
        "u1": "",
        "u10": "z",
        "u2": "b a c",
        "U2": "é",
    }


milliseconds = st.integers(0, 99_999).map(lambda count: count / 1000)
ctm_words = st.builds(
    CtmWord,
    utt=st.sampled_from(["a", "b-1", "ü"]),
    start=milliseconds,
    duration=milliseconds,
    word=st.text("ab1.'\u00a0ł<", min_size=1, max_size=4),
    confidence=st.none() | st.integers(0, 10_000).map(lambda share: share / 10_000),
    channel=st.sampled_from(["1", "A"]),
)


@given(st.lists(ctm_words, max_size=8))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, words: list[CtmWord]) -> None:
    path = tmp_path_factory.getbasetemp() / "ctm"
    write_ctm(path, words)
    found = read_ctm(path)
    assert found == sorted(words, key=lambda one: (one.utt, one.channel, one.start))
    content = path.read_bytes()
    write_ctm(path, found)
    assert path.read_bytes() == content


def test_comments_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "ctm").write_text(";; made by hand\n\nu 1 0 0.5 a\n")
    assert read_ctm(tmp_path / "ctm") == [CtmWord("u", 0.0, 0.5, "a")]
    with pytest.raises(InputError, match=r"utterance ;;u would be a comment"):
        write_ctm(tmp_path / "ctm", [CtmWord(";;u", 0.0, 0.5, "a")])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("u 1 0.0 a", "expected `utt channel start duration word"),
        ("u 1 0.0 long a", "expected `utt channel start duration word"),
        ("u 1 -1 0.5 a", "expected `utt channel start duration word"),
        ("u 1 0.0 inf a", "expected `utt channel start duration word"),
        ("u 1 0.0 0.5 a 0.5 more", "expected `utt channel start duration word"),
        ("u 1 0.0 0.5 a 0.5 0.5", "expected `utt channel start duration word"),
        ("u 1 0.0 0.5 a 1.5", "confidence 1.5, expected 0 to 1"),
        ("u 1 0.0 0.5 a nan", "confidence nan, expected 0 to 1"),
    ],
)
def test_lines_that_are_no_ctm(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "ctm").write_text(f"u 1 0 0.5 ok\n{line}\n")
    with pytest.raises(InputError, match=f"ctm:2: {message}"):
        read_ctm(tmp_path / "ctm")


def spread(hyps: dict[str, str]) -> list[CtmWord]:
    """The ctm of texts without times."""
    return [word for utt, text in hyps.items() for word in timed_words(utt, text.split())]


@needs_sclite
def test_the_counts_are_those_of_trn_files(tmp_path: Path) -> None:
    refs = {"s1-u2": "the cat", "s1-u1": "a b c", "S1-u0": "", "s2-u3": "hello there", "s2_u4": "p q r a b"}
    hyps = {"s1-u1": "a x c d", "s1-u2": "", "S1-u0": "oh", "s2-u3": "Hello there", "s2_u4": "a b s t u"}
    utt2spk = {utt: utt[:2] for utt in refs}
    counts = write_score_ctm(tmp_path / "ctm", refs, spread(hyps), utt2spk)
    assert counts == write_score_wer(tmp_path / "trn", refs, hyps, utt2spk)
    assert counts == EditCounts(ins=5, del_=5, sub=2, ref_words=12)
    assert sorted(path.name for path in (tmp_path / "ctm").iterdir()) == ["hyp.ctm", "ref.stm", "result.txt"]
    assert (tmp_path / "ctm" / "ref.stm").read_text().splitlines()[:2] == [
        "S1-u0 1 S1 0.000 2.500 <O>",  # the five words of the longest hypothesis, and a second
        "s1-u1 1 s1 0.000 2.500 <O> a b c",
    ]


# What means something to sclite in a trn, stm or ctm file: see test_sclite.py.
SPECIAL = ["{", "/", "@", "a@", "(a)", "(", "a-", ";;", ";;a", "a;3", "*", "**", "\\a", "%a", "<a>", "<", "[a]", "A"]
SPECIAL += ["é", "日本", "a" * 1200, "<ALT_BEGIN>", "<ALT>", "<NA>", "IGNORE_TIME_SEGMENT_IN_SCORING", "1", "0.5", "-"]


@needs_sclite
@pytest.mark.parametrize("word", SPECIAL)
def test_words_are_taken_literally(tmp_path: Path, word: str) -> None:
    pairs = [(f"{word} b", f"{word} b"), (f"b {word}", "b a"), ("a c", f"{word} c"), ("c", f"c {word}"), (word, "")]
    refs = {f"u{number}": ref for number, (ref, _) in enumerate(pairs)}
    hyps = {f"u{number}": hyp for number, (_, hyp) in enumerate(pairs)}
    counts = write_score_ctm(tmp_path, refs, spread(hyps), dict.fromkeys(refs, "spk"))
    assert counts == sum((edit_counts(ref, hyp) for ref, hyp in pairs), EditCounts())
    assert counts.errors == 4


@needs_sclite
@pytest.mark.parametrize("utt", ["u(1)", "a)", "a_b-c", "é", "U1", "(", "-", "50%d", ";;u", "{u}", "a;b", "*"])
def test_odd_ids(tmp_path: Path, utt: str) -> None:
    refs, hyps = {utt: "a b", "u1": "c", "z": "d"}, {utt: "a x", "u1": "c", "z": "d"}
    counts = write_score_ctm(tmp_path, refs, spread(hyps), {utt: utt, "u1": "s(1", "z": "é"})
    assert counts == EditCounts(ins=0, del_=0, sub=1, ref_words=4)


@needs_sclite
def test_words_without_a_duration_count(tmp_path: Path) -> None:
    words = timed_words("u", ["a", "b", "c"], spans=[(0, 0), (0, 0), (9, 9)], frame_shift=0.04)
    assert write_score_ctm(tmp_path, {"u": "a b c"}, words, {"u": "s"}) == EditCounts(ref_words=3)


@needs_sclite
def test_good_confidences_have_a_high_cross_entropy(tmp_path: Path) -> None:
    refs, hyp = {"u": "a b c d"}, ["a", "x", "c", "d"]
    for name, confidences in (("good", [0.99, 0.01, 0.99, 0.99]), ("bad", [0.01, 0.99, 0.01, 0.01])):
        words = timed_words("u", hyp, confidences=confidences)
        assert write_score_ctm(tmp_path / name, refs, words, {"u": "s"}).errors == 1
    good, bad = (
        float((tmp_path / name / "result.txt").read_text().split("Sum/Avg|")[1].split("|")[2])
        for name in ("good", "bad")
    )
    assert good > 0.9 > 0 > bad


@settings(deadline=None, max_examples=10)
@given(st.lists(st.tuples(*[st.lists(st.sampled_from("abc"), max_size=5).map(" ".join)] * 2), min_size=1, max_size=5))
@needs_sclite
def test_counts_of_random_texts(tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]) -> None:
    refs = {f"u{number}": ref for number, (ref, _) in enumerate(pairs)}
    hyps = {f"u{number}": hyp for number, (_, hyp) in enumerate(pairs)}
    folder, utt2spk = tmp_path_factory.mktemp("score"), dict.fromkeys(refs, "s")
    trn = write_score_wer(folder / "trn", refs, hyps, utt2spk)
    assert write_score_ctm(folder / "ctm", refs, spread(hyps), utt2spk) == trn


def test_words_of_an_utterance_without_reference(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="utterance u2 has words but no reference"):
        write_score_ctm(tmp_path, {"u1": "a"}, [CtmWord("u2", 0.0, 1.0, "a")], {"u1": "s"})
