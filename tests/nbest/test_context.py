"""What stands before an utterance: found by id or segments; kept by files, subsets and perturbation."""

from dataclasses import replace
from pathlib import Path

import pytest

from lorescore.__main__ import main
from lorescore.errors import InputError
from lorescore.nbest import Hypothesis, NbestList, NbestSet, read_nbest_dir, write_nbest_dir
from lorescore.nbest.context import num_recordings, read_segments, with_context
from lorescore.perturb import HomophoneLexicon, Perturbation, perturb

UTTS = {
    "1-10-0001": "one",
    "1-10-0002": "two",
    "1-10-0003": "",
    "1-10-0004": "four",
    "1-11-0001": "other",
    "alone": "x",
}
LISTS = NbestSet(
    tuple(NbestList(utt, (Hypothesis(text, -1.0), Hypothesis("second", -2.0))) for utt, text in UTTS.items())
)


def contexts(nbest: NbestSet) -> dict[str, tuple[str, ...]]:
    return {one.utt: one.context for one in nbest}


def test_the_utterances_before_it_in_its_recording() -> None:
    assert contexts(with_context(LISTS, 2)) == {
        "1-10-0001": (),
        "1-10-0002": ("one",),
        "1-10-0003": ("one", "two"),
        "1-10-0004": ("one", "two"),
        "1-11-0001": (),
        "alone": (),
    }
    assert contexts(with_context(LISTS, 1))["1-10-0004"] == ("two",)
    assert with_context(LISTS, 0) == LISTS
    assert with_context(with_context(LISTS, 2), 0) == LISTS
    with pytest.raises(InputError, match="a context of -1 utterances"):
        with_context(LISTS, -1)


def test_segments_say_what_is_before_what(tmp_path: Path) -> None:
    segments = tmp_path / "segments"
    starts = dict(zip(UTTS, (30.0, 20.0, 15.0, 0.0, 1.0, 40.0), strict=True))
    segments.write_text(
        "".join(f"{utt} {'b' if utt.startswith('1-11') else 'a'} {at} {at + 5}\n" for utt, at in starts.items())
    )
    found = contexts(with_context(LISTS, 9, read_segments(segments)))
    assert found["alone"] == ("four", "two", "one")
    assert found["1-10-0004"] == found["1-11-0001"] == ()
    with pytest.raises(InputError, match="utterance alone is not in segments"):
        with_context(LISTS, 2, {utt: ("a", 0.0) for utt in UTTS if utt != "alone"})
    for line in ("utt a 1.0", "utt a nan 2.0", "utt a one 2.0"):
        segments.write_text(f"{line}\n")
        with pytest.raises(InputError, match="segments:1: expected `<utt> <recording> <start> <end>`"):
            read_segments(segments)


def test_numbers_are_in_their_order() -> None:
    lists = tuple(NbestList(f"rec-{number}", (Hypothesis(f"text {number}", 0.0),)) for number in (1, 2, 10, 11))
    nbest = NbestSet(tuple(sorted(lists, key=lambda one: one.utt)))  # rec-1 rec-10 rec-11 rec-2
    assert contexts(with_context(nbest, 1))["rec-10"] == ("text 2",)
    assert contexts(with_context(nbest, 1))["rec-2"] == ("text 1",)
    assert num_recordings(nbest) == 1


def test_what_there_is_of_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    for name, utts in (("libri", ["1-10-1", "1-10-2", "2-5-1"]), ("tedlium", ["A_2009-10-20", "A_2009-20-30"])):
        path = tmp_path / f"{name}.tsv"
        path.write_text("".join(f"{utt}\t{rank}\t-{rank}\ta {rank}\n" for utt in utts for rank in (1, 2)))
        options = ["--decode_dir", str(path), "--out", str(tmp_path / name)]
        assert main(["import-nbest", *options, "--context", "2"]) == 0
    assert main(["import-nbest", *options, "--context_chosen", "1"]) == 0
    assert f"{tmp_path / 'libri'}: 1 of 3 utterances have a context, in 2 recordings" in capsys.readouterr().out
    for given in ("--context 2", "--context_chosen 1"):
        assert f"{given} does nothing: 0 of 2 utterances have a context, in 2 recordings by their ids" in caplog.text


def test_lists_keep_those_that_they_bring(tmp_path: Path) -> None:
    path = tmp_path / "lists.jsonl"
    line = '{{"utt": "1-1-{}", "hyps": ["a {}", "a"], "scores": [-1, -2], "context": ["before"]}}\n'
    path.write_text(line.format(1, "cat") + line.format(2, "dog"))
    for options, expected in (((), ("before",)), (("--context", "1"), ("a cat",))):
        out = tmp_path / f"nbest{len(options)}"
        assert main(["import-nbest", "--decode_dir", str(path), "--out", str(out), *options]) == 0
        assert contexts(read_nbest_dir(out))["1-1-2"] == expected


def test_it_is_kept(tmp_path: Path) -> None:
    nbest = with_context(replace(LISTS, refs=dict.fromkeys(UTTS, "ref")), 2)
    write_nbest_dir(tmp_path / "nbest", nbest)
    assert (tmp_path / "nbest/context").read_text().splitlines() == [
        "1-10-0002 one",
        "1-10-0003 one <s> two",
        "1-10-0004 one <s> two",
    ]
    read = read_nbest_dir(tmp_path / "nbest")
    assert contexts(read) == contexts(nbest)
    (tmp_path / "spk").write_text("1\n")
    options = ["--nbest_dir", str(tmp_path / "nbest"), "--spk_list", str(tmp_path / "spk"), "--max_utts", "2"]
    assert main(["subset", *options, "--out", str(tmp_path / "some")]) == 0
    some = read_nbest_dir(tmp_path / "some")
    assert contexts(some) == {one.utt: contexts(nbest)[one.utt] for one in some}
    assert any(contexts(some).values())
    lexicon = HomophoneLexicon.from_entries((word, ["W", "AH", "N"]) for word in ("one", "won"))
    for perturbation in ("homophone", "insert"):
        made = perturb(read, lexicon, Perturbation("nbest", 1.0, 1, perturbation)).nbest
        assert made.lists[0].texts != read.lists[0].texts
        assert contexts(made) == contexts(nbest)
    # Other contexts are other lists, and none leave no file behind.
    write_nbest_dir(tmp_path / "nbest", with_context(nbest, 1))
    assert read_nbest_dir(tmp_path / "nbest").info["checksum"] != read.info["checksum"]
    write_nbest_dir(tmp_path / "nbest", LISTS)
    assert not (tmp_path / "nbest/context").exists()


def test_a_context_of_no_list_is_named(tmp_path: Path) -> None:
    write_nbest_dir(tmp_path / "nbest", with_context(LISTS, 1))
    (tmp_path / "nbest/context").write_text("1-10-0002 one\nother two\n")
    with pytest.raises(InputError, match="context:2: utterance other has no list"):
        read_nbest_dir(tmp_path / "nbest")


def test_chosen_utterances_have_the_words_on_which_hypotheses_differ() -> None:
    texts = {
        "a-1": ["the boat of marilla", "the boat"],
        "a-2": ["he sat there"],
        "a-3": ["so it was"],
        "a-4": ["she is marilla", "she is gorilla", "she was marilla"],
        "a-5": ["the end was near"],
        "b-1": ["anne", "marilla"],
    }
    lists = tuple(
        NbestList(utt, tuple(Hypothesis(text, -float(rank)) for rank, text in enumerate(hyps)))
        for utt, hyps in texts.items()
    )
    nbest = NbestSet(lists)
    one, two = ({each.utt: each.context for each in with_context(nbest, 1, chosen=count)} for count in (1, 2))
    # `marilla` is as rare as `was`: of equals the later comes. Another recording is not asked.
    assert one["a-4"] == ("the end was near", "so it was")
    assert two["a-4"] == ("the boat of marilla", "the end was near", "so it was")
    assert one["b-1"] == () and one["a-1"] == ("she is marilla",)  # which comes after it
    assert one["a-2"] == ("the boat of marilla",)
    with pytest.raises(InputError, match="a context of -1 utterances"):
        with_context(nbest, 1, chosen=-1)
