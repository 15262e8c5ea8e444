"""Text cleaners: what their names stand for, and where errors are counted after one."""

from pathlib import Path

import numpy as np
import pytest

from lorescore.combine import ScoredLists
from lorescore.decode import pairwise_errors
from lorescore.errors import InputError
from lorescore.nbest import Hypothesis, NbestList, NbestSet, read_nbest_dir, write_nbest_dir
from lorescore.wer.cleaning import CLEANERS, clean, clean_table, read_cleaner, require_cleaner
from lorescore.wer.ctm import CtmWord
from lorescore.wer.distances import count_words
from lorescore.wer.score import score_hypotheses


@pytest.mark.parametrize(
    ("cleaner", "text", "cleaned"),
    [
        (None, "Mr.  Smith", "Mr.  Smith"),
        ("whisper_en", "Mr. Smith paid twenty-five dollars; didn't he? [laughs]", "mister smith paid $25 did not he"),
        ("whisper_en", "The COLOUR, uh, of 3rd Street.", "the color of 3rd street"),
        ("whisper_basic", "Élan vital! (applause) Él — aquí.", "élan vital él aquí"),
        ("tacotron", "Dr. Smith has 2 cats", "DOCTOR SMITH HAS TWO CATS"),
        ("jaconv", "ﾊﾝｶｸ　ＡＢＣ", "ハンカク ABC"),
        ("whisper_en", "[noise]", ""),
        ("whisper_en", "", ""),
    ],
)
def test_what_the_names_stand_for(cleaner: str | None, text: str, cleaned: str) -> None:
    assert clean(text, cleaner) == cleaned
    assert clean_table({"u": text}, cleaner) == {"u": cleaned}


def test_one_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--cleaner 'whisper' is not known .did you mean whisper_en?"):
        require_cleaner("whisper")
    with pytest.raises(InputError, match="cleaner vietnamese cannot be used here: Please install underthesea"):
        require_cleaner("vietnamese")
    (tmp_path / "cleaner").write_text("whisperen\n")
    with pytest.raises(InputError, match="cleaner: cleaner 'whisperen', expected one of whisper_en, "):
        read_cleaner(tmp_path)
    assert [require_cleaner(one) for one in (None, *CLEANERS[:4])] == [None, *CLEANERS[:4]]


def test_errors_are_of_cleaned_texts_and_words_of_written_ones() -> None:
    lists = [["Two cats, uh, sat.", "2 cats sit"], ["Don't!"]]
    counts = count_words(lists, ["TWO CATS SAT", "DO NOT GO"], cleaner="whisper_en")
    assert counts.errors.tolist() == [0, 1, 1]
    assert counts.hyp_words.tolist() == [4, 3, 1]
    assert counts.ref_words.tolist() == [3, 3]
    without_refs = count_words(lists, None, cleaner="whisper_en")
    assert without_refs.hyp_words.tolist() == [4, 3, 1]
    in_characters = count_words([["今天，好。"]], ["今天好"], "cer", "whisper_basic")
    assert (in_characters.errors.tolist(), in_characters.ref_words.tolist()) == ([0], [3])


def test_a_directory_keeps_it(tmp_path: Path) -> None:
    hypotheses = (Hypothesis("The cat sat.", -1.0), Hypothesis("the cat sat", -2.0))
    nbest = NbestSet((NbestList("u", hypotheses),), {"u": "THE CAT SAT"}, {"cleaner": "whisper_en"})
    write_nbest_dir(tmp_path / "cleaned", nbest)
    found = read_nbest_dir(tmp_path / "cleaned")
    assert (tmp_path / "cleaned" / "cleaner").read_text() == "whisper_en\n"
    assert found.cleaner == "whisper_en" and found.word_counts.errors.tolist() == [0, 0]
    assert ScoredLists.build(found, None).errors.tolist() == [0, 0]
    # What counts is the file, which also says that the lists are not those that they were.
    (tmp_path / "cleaned" / "cleaner").unlink()
    as_written = read_nbest_dir(tmp_path / "cleaned")
    assert as_written.cleaner is None and as_written.word_counts.errors.tolist() == [3, 3]
    assert as_written.info["checksum"] != found.info["checksum"]
    write_nbest_dir(tmp_path / "cleaned", as_written)
    assert "cleaner" not in (tmp_path / "cleaned" / "nbest.yaml").read_text()


def test_texts_that_clean_to_one_are_no_distance_apart() -> None:
    texts = ["The cat sat.", "the cat, sat", "a cat sat"]
    cleaned = pairwise_errors([clean(text, "whisper_en") for text in texts])
    assert np.array_equal(cleaned, [[0, 0, 1], [0, 0, 1], [1, 1, 0]])


def test_score_files_are_of_cleaned_texts(tmp_path: Path) -> None:
    ctm = [CtmWord("u", 0.0, 0.4, "Twenty-five", 0.9), CtmWord("u", 0.4, 0.2, "cats.", 0.8)]
    refs, hyps = {"u": "TWENTY FIVE CATS"}, {"u": "Twenty-five cats."}
    result = score_hypotheses(refs, hyps, None, tmp_path, 0.5, 0.0, {"u": "cats"}, ctm, cleaner="whisper_en")
    assert (result.counts.errors, result.counts.ref_words) == (0, 2)
    assert (tmp_path / "score_wer" / "ref.trn").read_text() == "25 cats\t(u-u)\n"
    assert (
        tmp_path / "score_ctm" / "hyp.ctm"
    ).read_text() == "u 1 0.000 0.400 25 0.9000\nu 1 0.400 0.200 cats 0.8000\n"
    assert "cleaner: whisper_en\n" in (tmp_path / "result.yaml").read_text()
    assert score_hypotheses(refs, hyps, None, tmp_path, 0.5, 0.0).counts.errors == 3
    assert "cleaner" not in (tmp_path / "result.yaml").read_text()
