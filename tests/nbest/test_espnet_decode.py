"""ESPnet decodes: the forms of a score, jobs and ranks. What is refused stands in tests/cli/test_bad_decodes.py."""

from pathlib import Path

import pytest

from lorescore.errors import InputError
from lorescore.nbest import Hypothesis
from lorescore.nbest.espnet import read_espnet_decode

Rank = dict[str, tuple[str, str]]  # utterance: (text, score)


def write_job(decode_dir: Path, job: str, ranks: dict[int, Rank]) -> None:
    """One output.J as ESPnet leaves it."""
    for rank, hyps in ranks.items():
        folder = decode_dir / "logdir" / job / f"{rank}best_recog"
        folder.mkdir(parents=True)
        (folder / "text").write_text("".join(f"{utt} {text}\n" for utt, (text, _) in hyps.items()), encoding="utf-8")
        (folder / "score").write_text("".join(f"{utt} {score}\n" for utt, (_, score) in hyps.items()))


@pytest.mark.parametrize(
    ("written", "score"),
    [
        ("-8.75", -8.75),
        ("-8", -8.0),
        ("-1.5e-03", -0.0015),
        ("tensor(-8.75)", -8.75),
        ("tensor(-8.)", -8.0),
        ("tensor(-1.2345e+02)", -123.45),
        ("tensor(-8.75, device='cuda:0')", -8.75),
        ("tensor(-8.75, device='cuda:0', dtype=torch.float64)", -8.75),
        ("tensor(-8.75, dtype=torch.float64)", -8.75),
        ("tensor(-8.75, grad_fn=<AddBackward0>)", -8.75),
    ],
)
def test_scores_as_espnet_writes_them(tmp_path: Path, written: str, score: float) -> None:
    write_job(tmp_path, "output.1", {1: {"u": ("a b", written)}})
    assert read_espnet_decode(tmp_path).lists[0].scores == [score]


@pytest.mark.parametrize(
    "written",
    [
        "nan",
        "tensor(nan)",
        "tensor(nan, device='cuda:0')",
        "-inf",
        "tensor(-inf)",
        "",
        "x",
        "tensor()",
        "tensor(-8.75",
        "1 2",
    ],
)
def test_what_is_no_score(tmp_path: Path, written: str) -> None:
    write_job(tmp_path, "output.1", {1: {"t": ("a", "-1"), "u": ("a b", written)}})
    path = tmp_path / "logdir" / "output.1" / "1best_recog" / "score"
    with pytest.raises(InputError) as error:
        read_espnet_decode(tmp_path)
    line = f"u {written}"
    assert str(error.value).startswith(f"{path}:2: expected `utt score` with a finite score, found {line!r} (")


def test_jobs_and_ranks_become_lists(tmp_path: Path) -> None:
    """Ranks beyond nine, fewer hypotheses for some utterances, empty ones, ids with hyphens and digits."""
    many = {rank: {"utt-1-10": (f"word {rank}", f"tensor(-{rank}.5)")} for rank in range(1, 13)}
    many[1]["utt-1"] = ("", "-0.25")
    write_job(tmp_path, "output.2", many)
    write_job(tmp_path, "output.1", {1: {"a": ("żółw", "-1")}, 2: {"a": ("", "-2")}, 3: {}})
    for where in (tmp_path, tmp_path / "logdir"):
        nbest = read_espnet_decode(where)
        assert [one.utt for one in nbest] == ["a", "utt-1", "utt-1-10"]
        assert nbest.lists[0].hypotheses == (Hypothesis("żółw", -1.0), Hypothesis("", -2.0))
        assert nbest.lists[1].hypotheses == (Hypothesis("", -0.25),)
        assert nbest.lists[2].texts == [f"word {rank}" for rank in range(1, 13)]
        assert nbest.lists[2].scores == [-rank - 0.5 for rank in range(1, 13)]
        assert nbest.info["source"] == "espnet"


def test_texts_without_tokens_for_language_and_task(tmp_path: Path) -> None:
    """As ESPnet's s2t_inference leaves a decode with OWSM."""
    write_job(
        tmp_path, "output.1", {1: {"u": ("<eng><asr><notimestamps> a b", "-1")}, 2: {"u": ("<eng><asr> a", "-2")}}
    )
    for rank, text in ((1, "a b"), (2, "a")):
        (tmp_path / "logdir" / "output.1" / f"{rank}best_recog" / "text_nospecial").write_text(f"u {text}\n")
    assert read_espnet_decode(tmp_path).lists[0].texts == ["a b", "a"]


def test_lists_do_not_depend_on_the_number_of_jobs(tmp_path: Path) -> None:
    first, second = {"a": ("x", "-1"), "b": ("y", "-2")}, {"a": ("z", "-3"), "b": ("", "-4")}
    write_job(tmp_path / "one", "output.1", {1: first, 2: second})
    for job, utt in (("output.1", "b"), ("output.2", "a")):
        write_job(tmp_path / "two", job, {1: {utt: first[utt]}, 2: {utt: second[utt]}})
    assert read_espnet_decode(tmp_path / "one").lists == read_espnet_decode(tmp_path / "two").lists


def test_a_left_over_of_a_finished_job_is_not_read(tmp_path: Path) -> None:
    write_job(tmp_path, "output.1", {1: {"a": ("x", "-1")}})
    before = read_espnet_decode(tmp_path)
    write_job(tmp_path, "output.1.part", {1: {"a": ("half", "-9"), "b": ("y", "")}})
    write_job(tmp_path, "output.1.old", {1: {"a": ("older", "-9")}})
    (tmp_path / "logdir" / "output.1" / "1best_recog.bak").mkdir()
    assert read_espnet_decode(tmp_path) == before


def test_a_job_that_has_not_ended_is_told(tmp_path: Path) -> None:
    write_job(tmp_path, "output.1", {1: {"a": ("x", "-1")}})
    write_job(tmp_path, "output.2.part", {1: {"b": ("y", "-1")}})
    with pytest.raises(InputError) as error:
        read_espnet_decode(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}/logdir/output.2.part: decoding job 2 has not ended (decode")


@pytest.mark.parametrize("ending", ["", ".scp"])  # local/asr_decode.py's, and asr.sh's
def test_a_job_without_output_or_with_a_part_of_it_is_no_shorter_decode(tmp_path: Path, ending: str) -> None:
    write_job(tmp_path, "output.1", {1: {"a": ("x", "-1")}})
    write_job(tmp_path, "output.3", {1: {"d": ("y", "-1")}})
    with pytest.raises(InputError, match=r"logdir: output\.2 of 3 is missing \("):
        read_espnet_decode(tmp_path)
    keys = {job: tmp_path / f"logdir/keys.{job}{ending}" for job in (2, 3, 4)}
    keys[2].write_text("b b.wav\nc c.wav\n")
    keys[3].write_text("d d.wav\n")
    write_job(tmp_path, "output.2", {1: {"b": ("x", "-1")}})
    with pytest.raises(InputError) as error:
        read_espnet_decode(tmp_path)
    assert str(error.value).startswith(f"{keys[2]}:2: utterance c is not decoded (")
    keys[2].write_text("b b.wav\n")
    keys[4].write_text("e e.wav\n")
    with pytest.raises(InputError) as error:
        read_espnet_decode(tmp_path)
    assert str(error.value).startswith(f"{keys[4]}:1: utterance e is not decoded (")
    keys[4].unlink()
    assert [one.utt for one in read_espnet_decode(tmp_path)] == ["a", "b", "d"]


def test_references_come_along(tmp_path: Path) -> None:
    write_job(tmp_path, "output.1", {1: {"a": ("x", "-1"), "b": ("y", "-1")}})
    ref = tmp_path / "ref_text"
    ref.write_text("b  y  z\na\n")
    nbest = read_espnet_decode(tmp_path, ref)
    assert nbest.refs == {"a": "", "b": "y z"}
    assert nbest.info["input_checksum"] != read_espnet_decode(tmp_path).info["input_checksum"]


def test_librispeech(librispeech_dev: Path) -> None:
    decode_dir = librispeech_dev / "dev_clean"
    nbest = read_espnet_decode(decode_dir, decode_dir / "ref_text")
    assert (len(nbest), nbest.num_hypotheses) == (2703, 27030)
    first = nbest.lists[0]
    assert (first.utt, first.scores[0]) == ("1272-128104-0000", -4.0636)
    assert first.hypotheses[0].words[:3] == ["MISTER", "QUIILTER", "IS"]
    # Beam search gives the lists best first.
    assert all(one.scores == sorted(one.scores, reverse=True) for one in nbest)
