"""The verb `combine` and what the next stages make of a combination."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from plm_models import new_rescorer
from toy_nbest import toy_nbest

from lorescore.combine import read_weights
from lorescore.files import read_table, read_yaml
from lorescore.nbest import write_nbest_dir
from lorescore.scoring.stored import stored_members

Call = Callable[..., Any]

TAGS = ("llama_clm_none", "gpt2_clm_none")


@pytest.fixture
def exp(tmp_path: Path, call: Call) -> Path:
    """exp with two rescorers, the sets dev and test, and perturbed lists of test."""
    exp = tmp_path / "exp"
    for tag in TAGS:
        rescorer = new_rescorer(exp / "plm_base", tag.split("_")[0], plm_text="lower")
        rescorer.config |= {"trainable_parameters": 0, "total_parameters": 10, "objective": None, "seed": None}
        rescorer.config |= {"strategy": {"name": "none"}, "training": {}}
        rescorer.save(exp / "plm" / tag)
    for name, seed in (("dev", 1), ("test", 2)):
        write_nbest_dir(exp / "nbest" / name, toy_nbest(12, seed))
    return exp


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "../x", ".x", "oracle", "x_mbr"])
def test_what_cannot_be_a_name(exp: Path, call: Call, name: str) -> None:
    done = call("combine", "--tags", " ".join(TAGS), "--dev", "dev", "--exp_dir", exp, "--name", name)
    assert "cannot name a rescorer (give a word of its own, such as combined)" in done.error_line()
    assert sorted(path.name for path in (exp / "plm").iterdir()) == sorted(TAGS)


def test_from_dev_to_the_report(exp: Path, call: Call) -> None:
    """A combination is rescored, measured and reported as a rescorer is."""
    done = call("combine", "--tags", " ".join(TAGS), "--dev", "dev", "--exp_dir", exp)
    assert done.status == 0, done
    members = stored_members(exp / "plm" / "combined")
    assert " + ".join(f"{one.weight:g} x {one.tag}" for one in members) in done.out
    everything = "combined " + " ".join(TAGS)
    assert call("rescore", "--tags", everything, "--dev", "dev", "--sets", "test", "--exp_dir", exp).status == 0
    wers = {tag: read_yaml(exp / "rescore" / tag / "weights.yaml")["dev_wer"] for tag in everything.split()}
    assert wers["combined"] <= min(wers[tag] for tag in TAGS)
    for tag in everything.split():
        folder = exp / "rescore" / tag
        for name in ("dev", "test"):
            ref, hyp = exp / "nbest" / name / "text", folder / name / "text"
            arguments = ("--ref", ref, "--hyp", hyp, "--out", folder / name, "--weights", folder / "weights.yaml")
            assert call("score", *arguments).status == 0
    perturb = ("--nbest_dir", exp / "nbest" / "test", "--kinds", "nbest", "--rates", "0.5", "--seeds", "1")
    lexicon_dir = ("--lexicon_dir", exp / "lexicon", "--out_dir", exp / "nbest")
    assert call("perturb", *perturb, *lexicon_dir, "--vocab_from", exp / "nbest" / "test").status == 0
    sweep = ("--kinds", "nbest", "--rates", "0.5", "--seeds", "1")
    assert call("nprr", "--tags", everything, "--sets", "test", *sweep, "--exp_dir", exp).status == 0
    assert (exp / "nprr" / "combined.json").is_file()
    assert call("report", "--exp_dir", exp).status == 0
    report = (exp / "RESULTS.md").read_text()
    for member in members:
        assert re.search(rf"\| combined +\| {member.tag} +\| +{member.weight:.4g} \|", report)

    out = exp.parent / "out"
    one = ("--nbest", exp / "nbest" / "test", "--model", exp / "plm" / "combined", "--out", out)
    assert call("rescore", *one).status == 0
    assert read_table(out / "text") == read_table(exp / "rescore" / "combined" / "test" / "text")
    assert read_weights(out / "weights.yaml") == read_weights(exp / "rescore" / "combined" / "weights.yaml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tags", TAGS[0]), "expected two rescorers or more"),
        (("--tags", f"{TAGS[0]} nothing"), "no finished rescorer"),
        (("--tags", " ".join(TAGS), "--name", "oracle"), "cannot name a rescorer"),
        (("--tags", " ".join(TAGS), "--name", "a/b"), "cannot name a rescorer"),
        (
            ("--tags", " ".join(TAGS), "--name", TAGS[0]),
            "holds a rescorer (give this combination another name: --name (run.sh: --combined))",
        ),
    ],
)
def test_bad_arguments(exp: Path, call: Call, arguments: tuple[str, ...], message: str) -> None:
    error = call("combine", *arguments, "--dev", "dev", "--exp_dir", exp)
    assert error.status == 1
    assert message in error.err.splitlines()[-1]
    assert not (exp / "plm" / "combined").exists()
