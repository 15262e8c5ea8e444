"""Where stage 4 has the references from: --ref, data/<set>/text, or the lists themselves."""

import json
import subprocess
from pathlib import Path

import pytest
from toy_recipe import ROOT, make_recipe

from lorescore.files import read_table

OPTIONS = ("--stage", "4", "--stop_stage", "4", "--lora", "none", "--asr_decode", "lists")
OWN, GIVEN = {"u1": "the cat sat"}, {"u1": "the cat sits"}
NO_REFS = "without references, so no WER; weights cannot be tuned on these lists, nor a rescorer trained (--ref)"

pytestmark = pytest.mark.skipif(
    not (ROOT / ".venv/bin/python").exists(), reason="no .venv: ./run.sh --stage 0 --stop_stage 0 makes it"
)


def write_lists(path: Path, refs: dict[str, str]) -> None:
    """JSON Lines of one utterance, with its reference where there is one."""
    record = {"utt": "u1", "hyps": ["the cat sad", "the cat sat"], "scores": [-1.0, -1.5]}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record | ({"ref": refs["u1"]} if refs else {})) + "\n")


@pytest.fixture(scope="module")
def plm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A directory in which a tiny PLM is fetched, and the options that name it."""
    directory = tmp_path_factory.mktemp("recipe") / "work"
    return directory, make_recipe(directory)[:2]


def stage_4(work: tuple[Path, list[str]], *options: str) -> subprocess.CompletedProcess[str]:
    """Import the lists of dev and test; the last option of a name counts."""
    directory, plm_options = work
    return subprocess.run(
        [ROOT / "run.sh", *OPTIONS, *plm_options, *options], cwd=directory, capture_output=True, text=True, check=False
    )


def test_where_references_are_from(plm: tuple[Path, list[str]]) -> None:
    directory, _ = plm
    write_lists(directory / "lists" / "dev.jsonl", OWN)
    write_lists(directory / "lists" / "test.jsonl", {})
    of_dev, imported = directory / "data" / "dev" / "text", directory / "exp" / "nbest" / "dev" / "text"
    of_dev.parent.mkdir(parents=True)
    of_dev.write_text(f"u1 {GIVEN['u1']}\n")
    no_refs = f"{ROOT}/run.sh: {{}}: no references, neither given nor in the lists: --ref FILE, Kaldi's text, "

    done = stage_4(plm)  # nothing that needs those of test
    assert (done.returncode, read_table(imported)) == (0, GIVEN), done.stderr
    assert f"exp/nbest/test: {NO_REFS}\n" in done.stdout
    assert f"exp/nbest/dev: {NO_REFS}\n" not in done.stdout
    done = stage_4(plm, "--ref", "", "--stop_stage", "7")  # a test set is scored too
    assert (done.returncode, read_table(imported)) == (1, OWN)
    assert done.stderr.startswith(no_refs.format("test"))
    assert done.stderr.count("\n") == 1
    of_dev.unlink()
    imported.unlink()
    done = stage_4(plm, "--stop_stage", "7")
    assert (done.returncode, read_table(imported)) == (1, OWN)
    done = stage_4(plm, "--ref", "refs/{set}")
    assert done.stderr == (
        "lorescore import-nbest: refs/dev: cannot be read: No such file or directory (correct --ref)\n"
    )
    write_lists(directory / "lists" / "dev.jsonl", {})
    done = stage_4(plm, "--stop_stage", "5")
    assert (done.returncode, imported.exists()) == (1, False)
    assert done.stderr.startswith(no_refs.format("dev"))


def test_references_beside_the_lists(plm: tuple[Path, list[str]]) -> None:
    directory, _ = plm
    for name in ("dev", "test"):
        write_lists(directory / "beside" / f"{name}.jsonl", OWN)
        (directory / "beside" / f"{name}.ref").write_text(f"u1 {GIVEN['u1']}\n")
    done = stage_4(plm, "--asr_decode", "beside", "--ref", f"{directory}/beside/{{set}}.ref")
    assert (done.returncode, read_table(directory / "exp/nbest/test/text")) == (0, GIVEN), done.stderr
    (directory / "beside" / "dev.tsv").write_text("u1\t1\t-1\tthe cat sad\n")
    done = stage_4(plm, "--asr_decode", "beside", "--ref", "beside/{set}.ref")
    which = "which one is the decode of dev: beside/dev.jsonl beside/dev.tsv? Move the others away"
    assert (done.returncode, done.stderr) == (1, f"{ROOT}/run.sh: {which}\n")
