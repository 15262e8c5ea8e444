"""The verb `import-nbest` with lattices: costs apart, oracles, fallbacks, and what it does the second time."""

import gzip
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from lorescore.files import read_yaml
from lorescore.nbest import read_nbest_dir

Call = Callable[..., object]

# CompactLattice text, ids as in WORDS: `the {son 1+10 | sun 1+20} set`, and `i see` or `eye see`. 174-2-10 comes alone.
WORDS = "<eps> 0\nthe 1\nson 2\nsun 3\nset 4\ni 5\neye 6\nsee 7\nyes 8\nsea 9\n"
FIRST_JOB = """\
84-1-0
0 1 1 0.5,5,1_1
1 2 2 1,10,2
1 2 3 1,20,3
2 3 4 0.25,5,4
3 0,0,

84-1-1
0 1 6 1,1,1
0 1 5 1,2,1
1 2 9 1,1,2
1 2 7 1,3,2
2 0.5,0,

"""
SECOND_JOB = "174-2-10\n0 1 8 1,1,1\n1 0,0,\n\n"
NO_PATH = "174-2-10\n0 1 8 1,1,1\n1 2 8 1,1,1\n\n"


@pytest.fixture
def lattice_dir(tmp_path: Path) -> Path:
    """lat.1.gz with two utterances, lat.2.gz with one, words.txt."""
    lattice_dir = tmp_path / "lat"
    lattice_dir.mkdir()
    (lattice_dir / "words.txt").write_text(WORDS)
    for job, text in enumerate((FIRST_JOB, SECOND_JOB), start=1):
        (lattice_dir / f"lat.{job}.gz").write_bytes(gzip.compress(text.encode()))
    return lattice_dir


def test_directory_and_wers(lattice_dir: Path, decode: Path, tmp_path: Path, call: Call) -> None:
    out = tmp_path / "nbest"
    outcome = call(
        *("import-nbest", "--lattice_dir", lattice_dir, "--ref", decode / "ref_text", "--out", out),
        *("--num_hyps", 2, "--acoustic_scale", 0.1),
    )
    assert outcome.out.splitlines() == [
        f"{out}: 3 utterances, 5 hypotheses",
        # `son`, `eye` and `sea` are wrong; `i see` is the worst of its four paths, and so not among the two best.
        f"{out}: 1-best %WER 50.00 [ 3 / 6, 0 ins, 0 del, 3 sub ]",
        f"{out}: oracle %WER 16.67 [ 1 / 6, 0 ins, 0 del, 1 sub ]",
        f"{out}: lattice oracle %WER 0.00 [ 0 / 6, 0 ins, 0 del, 0 sub ]",
    ]
    nbest = read_nbest_dir(out)
    assert [one.texts for one in nbest] == [["yes"], ["the son set", "the sun set"], ["eye sea", "i sea"]]
    assert nbest.lists[1].scores == [-3.75, -4.75]
    assert (out / "acwt").read_text().splitlines()[1] == "84-1-0-1 20.0000"
    assert {name: (out / name).read_text().splitlines()[1] for name in ("lmwt.nolm", "lmwt.lmonly")} == {
        "lmwt.nolm": "84-1-0-1 0.0000",
        "lmwt.lmonly": "84-1-0-1 1.7500",
    }
    info = read_yaml(out / "nbest.yaml")
    assert (info["source"], info["acoustic_scale"], info["paths"]["num_hyps"]) == ("lattice", 0.1, 2)


def test_random_paths(lattice_dir: Path, tmp_path: Path, call: Call) -> None:
    """The lists of a seed are the same whatever the jobs are."""
    arguments = ("import-nbest", "--sample", "--num_hyps", 4, "--acoustic_scale", 0.1)
    for number, (where, seed) in enumerate([(lattice_dir, 3), (lattice_dir / "lat.1.gz", 3), (lattice_dir, 4)]):
        assert call(*arguments, "--lattice_dir", where, "--seed", seed, "--out", tmp_path / str(number)).status == 0
    whole, part, other = (read_nbest_dir(tmp_path / str(number)).lists for number in range(3))
    assert whole[1:] == part
    assert whole != other


def test_finished_work_is_kept_and_other_settings_are_other_work(
    lattice_dir: Path, decode: Path, tmp_path: Path, call: Call
) -> None:
    out = tmp_path / "nbest"
    arguments = ("import-nbest", "--lattice_dir", lattice_dir, "--ref", decode / "ref_text", "--out", out)
    first = call(*arguments).out
    assert call(*arguments).out == f"{out}: up to date\n{first}"
    for more in (("--num_hyps", 1), ("--num_hyps", 1, "--sample"), ("--sample", "--seed", 1), ("--fallback", decode)):
        assert "up to date" not in call(*arguments, *more).out
        assert "up to date" in call(*arguments, *more).out
        call(*arguments, "--fallback", "empty")
        assert "up to date" not in call(*arguments).out  # an option that is taken away
    (out / "lmwt.lmonly").unlink()
    assert "up to date" not in call(*arguments, "--fallback", decode).out
    (lattice_dir / "lat.2.gz").write_bytes(gzip.compress(SECOND_JOB.replace("1,1,1", "1,2,1").encode()))
    assert "up to date" not in call(*arguments, "--fallback", decode).out


@pytest.mark.parametrize("second_job", [None, NO_PATH])
def test_fallback(
    lattice_dir: Path, decode: Path, nbest_dir: Path, tmp_path: Path, call: Call, second_job: str | None
) -> None:
    """A lattice that is missing or has no path: an error that names the utterance, or the first pass's best."""
    (lattice_dir / "lat.2.gz").unlink()
    if second_job:
        (lattice_dir / "lat.2.gz").write_bytes(gzip.compress(second_job.encode()))
    problem = "the lattice of utterance 174-2-10 has no path" if second_job else "no lattice for utterance 174-2-10"
    arguments = ("import-nbest", "--lattice_dir", lattice_dir, "--ref", decode / "ref_text", "--out", tmp_path / "out")
    line = call(*arguments).error_line()
    assert line.startswith(f"lorescore import-nbest: {problem} (decode this utterance again")
    assert not (tmp_path / "out").exists()
    for first_pass in (decode, nbest_dir):
        outcome = call(*arguments, "--fallback", first_pass)
        assert outcome.out.splitlines()[1] == (
            f"{tmp_path / 'out'}: 1 of them without a lattice, with the first pass's best alone"
        )
        (one, *_) = read_nbest_dir(tmp_path / "out").lists
        assert (one.utt, one.texts, one.scores) == ("174-2-10", [""], [-3.25])
    assert "up to date" not in call(*arguments, "--fallback", "empty").out
    outcome = call(*arguments, "--fallback", "empty")
    assert outcome.out.startswith(f"{tmp_path / 'out'}: up to date\n")
    assert f"{tmp_path / 'out'}: 1 of them without a lattice, with an empty hypothesis alone\n" in outcome.out
    (one, *_) = read_nbest_dir(tmp_path / "out").lists
    assert (one.utt, one.texts, one.scores) == ("174-2-10", [""], [0.0])


def test_one_path_is_refused_where_more_were_asked_for(lattice_dir: Path, tmp_path: Path, call: Call) -> None:
    arguments = ("import-nbest", "--lattice_dir", lattice_dir / "lat.2.gz", "--out", tmp_path / "out")
    assert call(*arguments).error_line() == (
        f"lorescore import-nbest: {lattice_dir}/lat.2.gz: no utterance has two different hypotheses: there is nothing "
        "to rescore (make lattices with a wider beam; --num_hyps 1 takes the best alone)"
    )
    assert not (tmp_path / "out").exists()
    outcome = call(*arguments, "--num_hyps", 1)
    assert outcome.out.startswith(f"{tmp_path}/out: 1 utterances, 1 hypotheses\n")


def test_bad_arguments(lattice_dir: Path, tmp_path: Path, call: Call) -> None:
    out = tmp_path / "out"
    arguments = ("import-nbest", "--lattice_dir", lattice_dir, "--out", out)
    for more, message in (
        (("--num_hyps", 0), "num_hyps 0, expected 1 or more"),
        (("--acoustic_scale", "nan"), "acoustic_scale nan, expected a finite number above 0"),
        (("--ref", tmp_path / "nowhere"), f"{tmp_path}/nowhere: cannot be read: No such file"),
        (("--fallback", tmp_path), f"{tmp_path}: no N-best lists here"),
        (("--words", tmp_path / "nowhere"), f"{tmp_path}/nowhere: cannot be read: No such file"),
    ):
        assert call(*arguments, *more).error_line().startswith(f"lorescore import-nbest: {message}")
    (tmp_path / "empty").write_text("")
    line = call(*arguments, "--ref", tmp_path / "empty").error_line()
    assert line == f"lorescore import-nbest: {tmp_path}/empty: empty, expected `utt words` (correct --ref)"
    assert (
        call("import-nbest", "--lattice_dir", tmp_path / "nowhere", "--out", out)
        .error_line()
        .startswith(f"lorescore import-nbest: {tmp_path}/nowhere: cannot be read: No such file")
    )
    assert not out.exists()
    for sources in ((), ("--decode_dir", lattice_dir, "--lattice_dir", lattice_dir)):
        with pytest.raises(SystemExit) as end:
            call("import-nbest", *sources, "--out", out)
        assert end.value.code == 1


def test_an_arpa_file_tells_the_lm_cost_from_the_rest_of_the_graph_cost(
    lattice_dir: Path, decode: Path, tmp_path: Path, call: Call
) -> None:
    arpa, out = tmp_path / "lm.arpa", tmp_path / "nbest"
    words = ["</s>", "the", "son", "sun", "set", "i", "eye", "see", "yes", "sea"]
    unigrams = "".join(f"-1.0\t{word}\n" for word in words)
    arpa.write_text(f"\\data\\\nngram 1={len(words) + 1}\n\n\\1-grams:\n-99\t<s>\n{unigrams}\n\\end\\\n")
    call("import-nbest", "--lattice_dir", lattice_dir, "--ref", decode / "ref_text", "--out", out, "--lm_arpa", arpa)
    (hypothesis,) = (one for one in read_nbest_dir(out).lists[1].hypotheses if one.text == "the son set")
    assert hypothesis.parts is not None
    # Three words and the end of the sentence, each of probability 0.1; the graph cost of the path is 1.75.
    lm_cost = 4 * math.log(10)
    assert hypothesis.parts.lmonly == pytest.approx(lm_cost, abs=1e-4)
    assert hypothesis.parts.nolm == pytest.approx(1.75 - lm_cost, abs=1e-4)
    assert hypothesis.parts.acoustic == 20.0
