"""The verb `perturb` with `worst` and a real (tiny) rescorer."""

from pathlib import Path

import pytest
from perturb_verb import run
from plm_models import new_rescorer

from lorescore.errors import InputError
from lorescore.nbest import read_nbest_dir
from lorescore.scoring.rescorer import Rescorer
from lorescore.scoring.sets import score_sets


def test_worst_is_chosen_by_a_rescorer_and_scored_once(
    clean_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plm = tmp_path / "plm"
    new_rescorer(tmp_path / "models", "llama", plm_text="lower").save(plm / "tiny")
    (tmp_path / "vocab").write_text("i\neye\naye\n")
    options = ["--perturbations", "worst", "--kinds", "nbest", "--rates", "1", "--seeds", "1 2", "--tags", "tiny"]
    options += ["--plm_dir", str(plm), "--vocab", str(tmp_path / "vocab")]
    run(clean_dir, *options)
    # Of three words with the same sound two are candidates for each; 16 draws of one word have both.
    run(clean_dir, *options, "--num_candidates", "16")
    made = clean_dir.with_name("test_worst_tiny_nbest_p1_s1")
    scores = Rescorer.load(plm / "tiny").score([["the sun aye read", "the sun eye read"]])[0]
    best = "the sun aye read" if scores[0] > scores[1] else "the sun eye read"
    assert read_nbest_dir(made).lists[0].texts[0] == best
    cache = tmp_path / "score_cache.sqlite"  # beside exp/plm
    sets = {made: read_nbest_dir(made)}
    assert score_sets(lambda: pytest.fail("loaded"), plm / "tiny", sets, cache_path=cache) == 0
    capsys.readouterr()
    run(clean_dir, *options, "--num_candidates", "16")
    assert [line.endswith("(was there)") for line in capsys.readouterr().out.splitlines()] == [True, True]


def test_an_unknown_rescorer(clean_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "plm" / "tiny").mkdir(parents=True)
    (tmp_path / "plm" / "tiny" / "config.yaml").touch()
    with pytest.raises(InputError, match="tinny: no finished rescorer.*did you mean tiny"):
        run(clean_dir, "--perturbations", "near worst", "--tags", "tinny", "--plm_dir", str(tmp_path / "plm"))
    assert [path.name for path in clean_dir.parent.iterdir()] == ["test"]
