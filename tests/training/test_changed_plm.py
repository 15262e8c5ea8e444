"""A PLM that was fetched anew under its name: no rescorers and no scores of the old one are taken for the new one's."""

import shutil
from pathlib import Path

import pytest
from plm_models import save_plm
from train_verb import QUICK, Train, arguments, error_line, make_exp, training_in

from lorescore.__main__ import main
from lorescore.errors import InputError
from lorescore.files import read_yaml
from lorescore.nbest import read_nbest_dir
from lorescore.plm.load import fetch_plm
from lorescore.plm.settings import PlmSettings
from lorescore.scoring.directories import Scoring
from lorescore.scoring.rescorer import Rescorer

NONE, VANILLA = "llama_clm_none", "llama_clm_vanilla_mwer_s1"


@pytest.fixture(scope="module")
def exp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """exp with rescorers and costs of a PLM, in whose place there is another one now."""
    exp_dir = tmp_path_factory.mktemp("exp")
    make_exp(exp_dir)
    always = [*arguments(exp_dir, "llama", "clm"), "--tensorboard", "false"]
    assert main(["train", *always, "--lora", "none"]) == 0
    assert main(["train", *always, *QUICK]) == 0
    shutil.rmtree(exp_dir / "plm_base" / "llama_clm")
    source = save_plm(exp_dir / "source" / "llama", "llama", seed=7)
    fetch_plm(PlmSettings("llama", str(source), "clm"), exp_dir / "plm_base" / "llama_clm")
    return exp_dir


@pytest.fixture
def train(exp: Path, capsys: pytest.CaptureFixture[str]) -> Train:
    return training_in(exp, capsys, "--tensorboard", "false")


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize(("tag", "options"), [(NONE, ("--lora", "none")), (VANILLA, QUICK)])
def test_a_rescorer_of_the_old_plm_is_not_the_one_that_is_asked_for(
    exp: Path, train: Train, tag: str, options: tuple[str, ...]
) -> None:
    rescorer_dir = exp / "plm" / tag
    before = contents(rescorer_dir)
    assert error_line(train("llama", "clm", *options)) == (
        f"lorescore train: {rescorer_dir}: holds a rescorer trained with another plm_checksum (the PLM was fetched "
        f"anew since: move {rescorer_dir} away, or give the new PLM another name: --plm)\n"
    )
    assert contents(rescorer_dir) == before


def test_the_first_scores_are_the_new_plms(exp: Path, train: Train) -> None:
    """Those of the old one, which are there, would be taken for them otherwise."""
    assert train("llama", "clm", *QUICK, "--suffix", "beside")[0] == 0
    (exp / "plm" / NONE).rename(exp / "away")
    assert train("llama", "clm", *QUICK, "--suffix", "alone")[0] == 0
    (exp / "away").rename(exp / "plm" / NONE)
    first = {
        tag: read_yaml(exp / "plm" / tag / "history.yaml")["evaluations"][0]
        for tag in (VANILLA, f"{VANILLA}_beside", f"{VANILLA}_alone")
    }
    assert first[f"{VANILLA}_beside"] == first[f"{VANILLA}_alone"] != first[VANILLA]


@pytest.mark.parametrize("tag", [NONE, VANILLA])
def test_stored_costs_are_not_taken_for_the_new_plms(exp: Path, tag: str) -> None:
    dev = exp / "nbest" / "dev"
    rescorer_dir, base = exp / "plm" / tag, exp / "plm_base" / "llama_clm"
    expected = rf"{tag}: was trained on another version of {base} \(move it away and train it again: stage 5\)"
    with pytest.raises(InputError, match=expected):
        Scoring().score(rescorer_dir, {dev: read_nbest_dir(dev)})
    with pytest.raises(InputError, match=expected):
        Rescorer.load(rescorer_dir)


def test_stored_costs_need_no_plm(exp: Path, train: Train) -> None:
    base, dev = exp / "plm_base" / "llama_clm", exp / "nbest" / "dev"
    base.rename(exp / "plm_away")
    try:
        assert Scoring().score(exp / "plm" / NONE, {dev: read_nbest_dir(dev)}) == 0
        assert "finished before" in train("llama", "clm", "--lora", "none")[1]
        assert "finished before" in train("llama", "clm", *QUICK)[1]
        assert "no fetched PLM here" in error_line(train("llama", "clm", *QUICK, "--suffix", "other"))
    finally:
        (exp / "plm_away").rename(base)
