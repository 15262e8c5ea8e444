"""`--score_cache`: where the verbs that score keep what they scored."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from plm_models import new_rescorer

from lorescore.cli.cache_options import cache_path
from lorescore.scoring.rescorer import Rescorer

Call = Callable[..., object]

TAG = "tiny_clm_none"


@pytest.fixture
def exp(nbest_dir: Path, tmp_path: Path) -> Path:
    """exp with the set test and a rescorer."""
    exp = nbest_dir.parents[1]
    new_rescorer(tmp_path / "plm", "llama", plm_text="lower").save(exp / "plm" / TAG)
    return exp


def rescore(call: Call, exp: Path, *arguments: object) -> bytes:
    """The cost file that a call writes anew."""
    costs = exp / "nbest" / "test" / f"lmwt.{TAG}"
    costs.unlink(missing_ok=True)
    assert call("rescore", "--tags", TAG, "--dev", "test", "--exp_dir", exp, *arguments).status == 0
    return costs.read_bytes()


def test_scores_are_kept_beside_what_the_stages_wrote(
    exp: Path, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not list(exp.glob("score_cache*"))
    without = rescore(call, exp, "--score_cache", "")
    assert not list(exp.glob("score_cache*"))
    assert rescore(call, exp, "--score_cache", tmp_path / "elsewhere" / "cache") == without
    assert not list(exp.glob("score_cache*"))
    assert rescore(call, exp) == without
    assert (exp / "score_cache.sqlite").is_file()

    def fail(*arguments: object, **options: object) -> None:
        raise AssertionError("a rescorer is loaded, but all scores are known")

    monkeypatch.setattr(Rescorer, "load", fail)
    assert rescore(call, exp) == without
    assert rescore(call, exp, "--score_cache", tmp_path / "elsewhere" / "cache") == without


def test_jobs_leave_their_parts_in_the_cache(exp: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing else; the call after them has nothing to score."""
    without = rescore(call, exp, "--score_cache", "")
    costs = exp / "nbest" / "test" / f"lmwt.{TAG}"
    costs.unlink()
    chosen = exp / "rescore"
    shutil.rmtree(chosen)
    for part in ("2/2", "1/2"):
        assert call("rescore", "--tags", TAG, "--dev", "test", "--exp_dir", exp, "--part", part).status == 0
        assert not costs.exists() and not chosen.exists()
    monkeypatch.delattr(Rescorer, "load")
    assert rescore(call, exp) == without


def test_a_part_without_a_cache(exp: Path, call: Call) -> None:
    line = call("rescore", "--tags", TAG, "--dev", "test", "--exp_dir", exp, "--part", "1/2", "--score_cache", "").err
    expected = "--part leaves its scores in the score cache, and there is none (leave it out)"
    assert line == f"lorescore rescore: {expected}\n"


def test_a_file_that_is_no_cache(exp: Path, call: Call) -> None:
    path = exp / "nbest" / "test" / "words_text"
    line = call("rescore", "--tags", TAG, "--dev", "test", "--exp_dir", exp, "--score_cache", path).err
    assert line == (
        f"lorescore rescore: {path}: not usable as a score cache: file is not a database "
        "(delete it or name another file: --score_cache)\n"
    )


@pytest.mark.parametrize(
    ("given", "path"),
    [(None, Path("exp/score_cache.sqlite")), ("", None), ("cache", Path("cache"))],
)
def test_the_file_that_the_option_names(given: str | None, path: Path | None) -> None:
    assert cache_path(given, Path("exp")) == path
