"""The verb `perturb`: directories, what is skipped and what is redone, and its messages."""

from pathlib import Path

import pytest
from perturb_verb import run

from lorescore.cli import perturb as verb
from lorescore.errors import InputError
from lorescore.files import read_yaml, write_yaml
from lorescore.nbest import NbestSet, read_nbest_dir, write_nbest_dir


def test_writes_a_directory_for_each_kind_rate_and_seed(clean_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(clean_dir, "--kinds", "1best nbest", "--rates", "0.5 1", "--seeds", "1 2")
    names = {path.name for path in clean_dir.parent.iterdir()}
    assert names == {"test"} | {
        f"test_{kind}_p{rate}_s{seed}" for kind in ("1best", "nbest") for rate in ("0.5", "1") for seed in (1, 2)
    }
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8
    # Of 14 rank-1 words, `the SUN I READ`, `the cat`, `insight SUN x 7`, 10 are replaceable: the set has no `incite`.
    assert lines[2].endswith("14 words, 71.4 % replaceable, 71.4 % replaced, 2 of 3 hypotheses changed")
    homophones = (clean_dir.parent.parent / "lexicon" / "homophones.txt").read_text().splitlines()
    assert "sun son" in homophones
    assert "insight incite" not in homophones  # incite is not a word of the set


def test_other_perturbations_have_their_name_in_front(clean_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = "homophone near split tied insert"
    run(clean_dir, "--perturbations", names, "--kinds", "nbest", "--rates", "1", "--seeds", "1")
    made = {path.name for path in clean_dir.parent.iterdir()} - {"test"}
    assert made == {f"test_{name}nbest_p1_s1" for name in ("", "near_", "split_", "tied_", "insert_")}
    assert len(capsys.readouterr().out.splitlines()) == 5
    # `the SUN I READ`, `the SON EYE RED`; the capitals are replaceable.
    counts = (clean_dir.with_name("test_insert_nbest_p1_s1") / "perturbed").read_text().splitlines()
    assert counts[:2] == ["utt-a-1 3 3 4", "utt-a-2 3 3 4"]
    added = read_nbest_dir(clean_dir.with_name("test_insert_nbest_p1_s1"))
    assert added.lists[1].texts[:3] == ["the cat", "", "reed the cat"]
    assert added.lists[1].texts[3:] == ["read the cat"]
    near = (clean_dir.parent.parent / "lexicon" / "near.txt").read_text()
    assert near == "red reed:1.000\nreed red:1.000\n"  # read is a homophone of both


def test_a_lexicon_of_ones_own(clean_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "lexicon.txt").write_text("sun S AH N\ncat S AH N\n")
    options = ("--kinds", "1best", "--rates", "1", "--seeds", "1", "--lexicon", str(tmp_path / "lexicon.txt"))
    run(clean_dir, *options)
    assert read_nbest_dir(clean_dir.with_name("test_1best_p1_s1")).lists[1].texts[0] == "the sun"
    written = tmp_path / "lexicon" / "lexicon.txt"
    assert written.read_text() == "cat S AH N\nsun S AH N\n"


def test_a_lexicon_in_another_phone_set(clean_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    lexicon = tmp_path / "lexicon.txt"
    lexicon.write_text("sun z 9 n @\ncat z 9 n @\n")
    options = ("--kinds", "1best", "--rates", "1", "--seeds", "1", "--lexicon", str(lexicon))
    made = clean_dir.with_name("test_1best_p1_s1")
    run(clean_dir, *options)
    assert read_nbest_dir(made).lists[1].texts[0] == "the sun"
    assert (tmp_path / "lexicon" / "lexicon.txt").read_text() == "cat z 9 n @\nsun z 9 n @\n"
    assert f"{lexicon}: phones of another set than CMUdict's, such as 9: taken as they are" in caplog.text
    lexicon.write_text("sun z 9 n @\ncat Z 9 n @\n")
    run(clean_dir, *options)
    assert read_nbest_dir(made).lists[1].texts[0] == "the cat"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--perturbations", "homophone near"), "lexicon.txt: the perturbation near knows how far apart CMUdict's"),
        (("--g2p", "espeak-ng"), "lexicon.txt: --g2p espeak-ng pronounces words in CMUdict's phones"),
    ],
)
def test_what_needs_cmudicts_phones_writes_nothing(
    clean_dir: Path, tmp_path: Path, options: tuple[str, str], message: str
) -> None:
    (tmp_path / "lexicon.txt").write_text("sun z 9 n @\ncat z 9 n @\n")
    with pytest.raises(InputError, match=message):
        run(clean_dir, "--lexicon", str(tmp_path / "lexicon.txt"), *options)
    assert [path.name for path in clean_dir.parent.iterdir()] == ["test"]
    assert not (tmp_path / "lexicon").exists()


def test_skips_what_is_finished_and_redoes_what_is_not(clean_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--kinds", "nbest", "--rates", "1", "--seeds", "1 2")
    run(clean_dir, *options)
    first, second = (clean_dir.with_name(f"test_nbest_p1_s{seed}") / "words_text" for seed in (1, 2))
    expected, written = first.read_text(), second.stat().st_mtime_ns
    first.write_text("damaged")
    (first.parent / "lmwt.stale").write_text("utt-a-1 1.0\n")
    capsys.readouterr()
    run(clean_dir, *options)
    assert first.read_text() == expected
    assert not (first.parent / "lmwt.stale").exists()
    assert second.stat().st_mtime_ns == written
    assert [line.endswith("(was there)") for line in capsys.readouterr().out.splitlines()] == [False, True]


def test_what_was_cut_off_is_redone_and_not_taken_for_lists_from_elsewhere(
    clean_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--kinds", "nbest", "--rates", "1", "--seeds", "1")
    run(clean_dir, *options)
    made, lexicon = clean_dir.with_name("test_nbest_p1_s1"), clean_dir.parent.parent / "vocab"
    lexicon.write_text("sun\nson\n")
    before = (made / "words_text").read_text()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(verb, "write_nbest_dir", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        run(clean_dir, *options, "--vocab", str(lexicon))
    assert (made / "words_text").read_text() == before  # beside the new file `perturbed`
    with pytest.raises(InputError, match="no finished N-best directory"):
        read_nbest_dir(made)
    run(clean_dir, *options, "--vocab", str(lexicon))
    assert read_nbest_dir(made).info["perturbation"]["replaced"] == 9  # of 14 with all homophones
    assert (made / "words_text").read_text() != before


def test_redoes_what_another_clean_set_or_vocabulary_gave(clean_dir: Path, tmp_path: Path) -> None:
    options = ("--kinds", "nbest", "--rates", "1", "--seeds", "1")
    made = clean_dir.with_name("test_nbest_p1_s1") / "words_text"
    run(clean_dir, *options)
    (tmp_path / "vocab").write_text("sun\nson\n")
    run(clean_dir, *options, "--vocab", str(tmp_path / "vocab"))
    assert "utt-a-1 the son i read\n" in made.read_text()
    words = clean_dir / "words_text"
    words.write_text(words.read_text().replace("utt-a-1 the sun", "utt-a-1 that sun"))
    run(clean_dir, *options, "--vocab", str(tmp_path / "vocab"))
    assert "utt-a-1 that son i read\n" in made.read_text()


@pytest.mark.parametrize("earlier", [False, True])
def test_corrected_references_come_into_the_perturbed_lists_and_costs_stay(clean_dir: Path, earlier: bool) -> None:
    (clean_dir / "text").unlink()
    options = ("--kinds", "nbest", "--rates", "1", "--seeds", "1")
    run(clean_dir, *options)
    made = clean_dir.with_name("test_nbest_p1_s1")
    if earlier:  # its record is of the references too
        info = read_yaml(made / "nbest.yaml")
        info["perturbation"]["source_checksum"] = read_nbest_dir(clean_dir).info["checksum"]
        write_yaml(made / "nbest.yaml", info)
    (made / "lmwt.mine").write_text("utt-a-1 1.0\n")
    (clean_dir / "text").write_text("utt-a the sun\nutt-b cat\nutt-c insight\n")
    run(clean_dir, *options)
    assert (made / "text").read_text() == (clean_dir / "text").read_text()
    assert (made / "lmwt.mine").is_file()


def test_costs_of_other_texts_do_not_stay(clean_dir: Path, tmp_path: Path) -> None:
    options = ("--kinds", "nbest", "--rates", "1", "--seeds", "1")
    run(clean_dir, *options)
    made = clean_dir.with_name("test_nbest_p1_s1")
    (made / "lmwt.mine").write_text("utt-a-1 1.0\n")
    (tmp_path / "vocab").write_text("sun\nson\n")
    run(clean_dir, *options, "--vocab", str(tmp_path / "vocab"))
    assert not (made / "lmwt.mine").exists()


def test_redoes_what_has_the_metric_that_the_clean_set_had(clean_dir: Path) -> None:
    options = ("--kinds", "nbest", "--rates", "1", "--seeds", "1")
    run(clean_dir, *options)
    write_yaml(clean_dir / "nbest.yaml", read_yaml(clean_dir / "nbest.yaml") | {"metric": "cer"})
    run(clean_dir, *options)
    assert read_nbest_dir(clean_dir.with_name("test_nbest_p1_s1")).metric == "cer"


def test_vocabulary_from_other_lists(clean_dir: Path, nbest: NbestSet, tmp_path: Path) -> None:
    write_nbest_dir(tmp_path / "train", NbestSet(nbest.lists[2:], {"utt-c": "incite"}))
    run(clean_dir, "--kinds", "1best", "--rates", "1", "--seeds", "1", "--vocab_from", str(tmp_path / "train"))
    assert (tmp_path / "lexicon" / "homophones.txt").read_text() == "incite insight\ninsight incite\n"
    made = read_nbest_dir(clean_dir.with_name("test_1best_p1_s1"))
    assert made.lists[2].texts == ["incite sun sun sun sun sun sun sun"]


def test_warns_of_a_vocabulary_without_homophones(
    clean_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "vocab").write_text("moon\ncat\nzzz\n")
    run(clean_dir, "--kinds", "nbest", "--rates", "1", "--seeds", "1", "--vocab", str(tmp_path / "vocab"))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "no homophones among the 3 words of the vocabulary, 2 of which" in caplog.text
    made = clean_dir.with_name("test_nbest_p1_s1") / "words_text"
    assert made.read_bytes() == (clean_dir / "words_text").read_bytes()


@pytest.mark.parametrize("name", ["near", "split"])
def test_warns_where_nothing_can_be_replaced(
    clean_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    (tmp_path / "vocab").write_text("moon\nelephant\n")
    options = ("--kinds", "nbest", "--rates", "1", "--seeds", "1", "--vocab", str(tmp_path / "vocab"))
    run(clean_dir, "--perturbations", name, *options)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"test_{name}_nbest_p1_s1: none of the 21 words can be replaced" in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--kinds", "1bst"), "did you mean 1best"),
        (("--perturbations", "homophones"), "did you mean homophone"),
        (("--perturbations", ""), "nothing to perturb"),
        (("--perturbations", "near worst"), "without a rescorer .give its tag"),
        (("--num_candidates", "0"), "0 candidates"),
        (("--g2p", "espeak"), "did you mean espeak-ng"),
        (("--lexicon", "nowhere"), "nowhere: cannot be read"),
        (("--rates", "0.1 1.5"), "rate 1.5, expected a number from 0 to 1"),
        (("--rates", "0,1"), "--rates '0,1' is not a number"),
        (("--seeds", "1 a"), "--seeds 'a' is not a whole number"),
        (("--seeds", ""), "--seeds is empty"),
        (("--vocab", "nowhere"), "nowhere: cannot be read"),
    ],
)
def test_bad_options_write_nothing(clean_dir: Path, options: tuple[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(clean_dir, *options)
    assert [path.name for path in clean_dir.parent.iterdir()] == ["test"]


@pytest.mark.parametrize(
    ("name", "options", "both"),
    [
        ("test_near", ("--perturbations", "near homophone"), "near_nbest_p1_s1 of test and nbest_p1_s1 of test_near"),
        ("test_near_nbest_p1_s1", ("--perturbations", "near"), "a clean set and near_nbest_p1_s1 of test"),
    ],
)
def test_two_sets_that_would_write_to_one_directory_are_refused(
    clean_dir: Path, nbest: NbestSet, name: str, options: tuple[str, str], both: str
) -> None:
    other = clean_dir.with_name(name)
    write_nbest_dir(other, nbest)
    with pytest.raises(InputError, match=f"/test_near_nbest_p1_s1: would hold both {both} .call one of the sets"):
        run(clean_dir, "--nbest_dir", str(clean_dir), str(other), "--kinds", "nbest", "--rates", "1", *options)
    assert {path.name for path in clean_dir.parent.iterdir()} == {"test", name}
    assert not (clean_dir.parent.parent / "lexicon").exists()


def test_words_that_espeak_would_pronounce(clean_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vocab").write_text("sun\ncatte\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError) as caught:
        run(clean_dir, "--g2p", "espeak-ng", "--vocab", str(tmp_path / "vocab"))
    assert str(caught.value) == "espeak-ng not found on the PATH (apt-get install espeak-ng, or --g2p none)"
    assert [path.name for path in clean_dir.parent.iterdir()] == ["test"]


def test_refuses_to_perturb_twice(clean_dir: Path) -> None:
    options = ("--kinds", "nbest", "--rates", "1", "--seeds", "1")
    run(clean_dir, *options)
    with pytest.raises(InputError, match="perturbed already"):
        run(clean_dir.with_name("test_nbest_p1_s1"), *options)


def test_lists_from_elsewhere_are_not_written_over(clean_dir: Path) -> None:
    own = clean_dir.with_name("test_1best_p1_s1")
    own.mkdir()
    (own / "words_text").write_text("utt-a-1 a son\n")
    with pytest.raises(InputError, match="is there already and holds lists from elsewhere"):
        run(clean_dir, "--kinds", "1best", "--rates", "1", "--seeds", "1")
    assert [path.name for path in own.iterdir()] == ["words_text"]
