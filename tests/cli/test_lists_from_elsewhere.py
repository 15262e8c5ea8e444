"""N-best directories that were made by hand, without nbest.yaml: NPRR, `convert`, `import-nbest`, `rescore --nbest`."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from plm_models import new_rescorer

from lorescore.files import read_yaml
from lorescore.nbest import read_nbest_dir

Call = Callable[..., object]

BY_HAND = Path(__file__).resolve().parents[1] / "data" / "nprr_by_hand"
NPRR = ("--costs", "plm", "--lm_weight", "1")


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """test and its two perturbed versions, which have words_text, acwt, text and lmwt.plm alone."""
    shutil.copytree(BY_HAND, tmp_path / "sets")
    for path in (tmp_path / "sets").glob("*/nbest.yaml"):
        path.unlink()
    return tmp_path / "sets"


def nprr(call: Call, sets: Path, *names: str) -> str:
    """What is printed for perturbed versions of test."""
    outcome = call("nprr", "--clean", sets / "test", "--perturbed", *(sets / name for name in names), *NPRR)
    assert outcome.status == 0, outcome.err
    return str(outcome.out)


def test_nprr_of_directories_that_are_called_as_the_recipes(sets: Path, call: Call) -> None:
    names = ("test_nbest_p0.1_s1", "test_nbest_p0.3_s1")
    printed = nprr(call, sets, *names)
    assert "No rate is known" not in printed
    assert printed == nprr(call, BY_HAND, *names)


def test_nprr_says_how_other_directories_come_into_a_curve(sets: Path, call: Call) -> None:
    (sets / "test_nbest_p0.1_s1").rename(sets / "mine")
    (sets / "test_nbest_p0.3_s1").rename(sets / "yours")
    printed = nprr(call, sets, "mine", "yours")
    assert "## Area" not in printed
    assert printed.splitlines()[-1] == (
        "No rate is known of `mine` and 1 more: for an area under the curve call a directory "
        "`test_<kind>_p<rate>_s<seed>` (kind 1best or nbest), or put the line "
        "`perturbation: {kind: nbest, rate: 0.1, seed: 1}` into its `nbest.yaml`."
    )
    line = printed.splitlines()[-1].split("`")[5]
    (sets / "mine" / "nbest.yaml").write_text(f"{line}\n")
    (sets / "yours").rename(sets / "test_nbest_p0.3_s1")
    assert nprr(call, sets, "mine", "test_nbest_p0.3_s1") == nprr(
        call, BY_HAND, "test_nbest_p0.1_s1", "test_nbest_p0.3_s1"
    )


def test_import_and_convert(sets: Path, tmp_path: Path, call: Call) -> None:
    clean, out, table = sets / "test", tmp_path / "exp" / "nbest" / "test", tmp_path / "lists.json"
    read_as = f"{clean}: read as nbest-dir (words_text and acwt): 10 utterances, 20 hypotheses, with references"
    arguments = ("import-nbest", "--decode_dir", clean, "--out", out)
    first = call(*arguments).out
    assert first.startswith(read_as)
    assert f"{out}: 1-best %WER 30.00 [ 6 / 20, " in first
    assert read_yaml(out / "nbest.yaml")["source"] == "nbest-dir"
    assert read_nbest_dir(out).lists == read_nbest_dir(BY_HAND / "test").lists
    assert f"{out}: up to date" in call(*arguments).out
    assert call("convert", clean, table).out.startswith(read_as)


def test_they_are_not_written_over(sets: Path, call: Call) -> None:
    test, other = sets / "test", sets / "test_nbest_p0.1_s1"
    before = {path: path.read_bytes() for path in test.iterdir()}
    for arguments in ("convert", other, test), ("import-nbest", "--decode_dir", other, "--out", test):
        line = call(*arguments).error_line()
        assert line.endswith(
            "sets/test: is there already and holds lists from elsewhere (choose another name or delete it)"
        )
    for out, where in (test, "is"), (sets / "other" / ".." / "test" / "nbest", "lies in"):
        line = call("import-nbest", "--decode_dir", test, "--out", out).error_line()
        assert line == f"lorescore import-nbest: {out}: --out {where} --decode_dir (name another: exp/nbest/<set>)"
    assert {path: path.read_bytes() for path in test.iterdir()} == before


def test_lattices_are_not_written_into(tmp_path: Path, call: Call) -> None:
    line = call("import-nbest", "--lattice_dir", tmp_path, "--out", tmp_path / "nbest").error_line()
    assert "--out lies in --lattice_dir" in line
    assert list(tmp_path.iterdir()) == []


def test_rescore(sets: Path, tmp_path: Path, call: Call) -> None:
    """Their references are not written over by what is chosen."""
    model = tmp_path / "exp" / "plm" / "tiny"
    new_rescorer(tmp_path / "plm", "llama", plm_text="lower").save(model)
    arguments = ("rescore", "--nbest", sets / "test", "--model", model, "--lm_weight", "0", "--out")
    assert call(*arguments, tmp_path / "out").out == f"{tmp_path}/out: lm_weight 0, word_bonus 0 (given), WER 30.00\n"
    assert (sets / "test" / "lmwt.tiny").is_file()
    line = call(*arguments, sets / "test").error_line()
    assert "--out is an N-best directory, whose references would be lost" in line
