"""Several rescorers as one: the sum of their scores, its files, and what can be wrong with them."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plm_models import new_rescorer
from toy_nbest import toy_nbest

from lorescore import Combination, InputError, Rescorer
from lorescore.combine import ScoredLists, Weights, best_ranks, error_count, wer
from lorescore.files import read_yaml, write_yaml
from lorescore.nbest import NbestSet, list_costs, read_nbest_dir, write_nbest_dir
from lorescore.scoring.combination import combine_rescorers, load_list_scorer
from lorescore.scoring.directories import Scoring
from lorescore.scoring.options import EXACT, ScoringOptions
from lorescore.scoring.stored import Member, stored_members
from lorescore.tuning import tune, tune_members

FIRST, SECOND, BOTH = "llama_clm_none", "bert_cls_none", "both"


@pytest.fixture
def exp(tmp_path: Path) -> Path:
    """Two rescorers and the lists `dev` and `test`."""
    for name, family, scorer in ((FIRST, "llama", "clm"), (SECOND, "bert", "cls")):
        rescorer = new_rescorer(tmp_path / "plm_base", family, scorer, plm_text="lower")
        rescorer.config |= {"trainable_parameters": 3, "total_parameters": 10}
        rescorer.save(tmp_path / "plm" / name)
    for name, seed in (("dev", 1), ("test", 2)):
        write_nbest_dir(tmp_path / "nbest" / name, toy_nbest(12, seed))
    return tmp_path


def combined(exp: Path, *tags: str, name: str = BOTH, options: ScoringOptions = EXACT) -> list[Member]:
    """Make exp/plm/<name>."""
    dev_dir = exp / "nbest" / "dev"
    dev, scoring = read_nbest_dir(dev_dir), Scoring(options)
    for tag in tags:
        scoring.score(exp / "plm" / tag, {dev_dir: dev})
    return combine_rescorers(exp / "plm" / name, [exp / "plm" / tag for tag in tags], dev_dir, dev)


def given_members(exp: Path, **weights: float) -> None:
    """Make exp/plm/both with weights of the test's own."""
    combined(exp, FIRST, SECOND)
    path = exp / "plm" / BOTH / "config.yaml"
    config = read_yaml(path)
    checksums = config["candidates"]
    config["members"] = [asdict(Member(tag, weight, checksums[tag])) for tag, weight in weights.items()]
    write_yaml(path, config)


def read_sets(nbest_dir: Path) -> dict[Path, NbestSet]:
    return {nbest_dir: read_nbest_dir(nbest_dir)}


def costs_of(exp: Path, tag: str, name: str) -> list[list[float]]:
    nbest_dir = exp / "nbest" / name
    return list_costs(nbest_dir, read_nbest_dir(nbest_dir), tag)


def test_scores_are_the_weighted_sum(exp: Path) -> None:
    """In cost files, and in memory."""
    given_members(exp, **{FIRST: 0.5, SECOND: 2.0})
    sets = read_sets(exp / "nbest" / "test")
    assert Scoring().score(exp / "plm" / BOTH, sets) > 0
    first, second, both = (np.array(costs_of(exp, tag, "test")) for tag in (FIRST, SECOND, BOTH))
    np.testing.assert_allclose(both, 0.5 * first + 2.0 * second, atol=1e-4)

    loaded = load_list_scorer(exp / "plm" / BOTH)
    assert isinstance(loaded, Combination)
    (nbest,) = sets.values()
    np.testing.assert_allclose(-np.array(loaded.score_lists(nbest)), both, atol=1e-3)
    (done,) = loaded.rescore([nbest.lists[0]], Weights(0.5, 0.0))
    expected = [score - 0.5 * cost for score, cost in zip(nbest.lists[0].scores, both[0], strict=True)]
    assert done.best.rank == 1 + int(np.argmax(expected))


def test_a_second_call_scores_nothing(exp: Path) -> None:
    given_members(exp, **{FIRST: 0.5, SECOND: 2.0})
    scoring, sets = Scoring(), read_sets(exp / "nbest" / "test")
    scoring.score(exp / "plm" / BOTH, sets)
    path = exp / "nbest" / "test" / f"lmwt.{BOTH}"
    before = path.read_bytes()
    assert scoring.score(exp / "plm" / BOTH, sets) == 0
    assert path.read_bytes() == before


def test_tuned_on_dev(exp: Path) -> None:
    """Never worse there than a member by itself, and finished work is left as it is."""
    members = combined(exp, FIRST, SECOND)
    assert members == stored_members(exp / "plm" / BOTH)
    assert all(one.weight > 0 for one in members)
    Scoring().score(exp / "plm" / BOTH, read_sets(exp / "nbest" / "dev"))
    dev = read_nbest_dir(exp / "nbest" / "dev")
    wers = {tag: tuned_wer(dev, costs_of(exp, tag, "dev")) for tag in (FIRST, SECOND, BOTH)}
    assert wers[BOTH] <= min(wers[FIRST], wers[SECOND])
    config = exp / "plm" / BOTH / "config.yaml"
    before = config.stat().st_mtime_ns
    assert combined(exp, FIRST, SECOND) == members
    assert config.stat().st_mtime_ns == before
    combined(exp, FIRST, SECOND, options=ScoringOptions(dtype="bf16"))
    assert config.stat().st_mtime_ns > before  # from other scores


def tuned_wer(dev: NbestSet, costs: Sequence[Sequence[float]]) -> float:
    lists = ScoredLists.build(dev, costs)
    return wer(lists, tune(lists))


def test_a_member_that_was_trained_again_is_noticed(exp: Path) -> None:
    given_members(exp, **{FIRST: 1.0, SECOND: 1.0})
    config = read_yaml(exp / "plm" / SECOND / "config.yaml")
    write_yaml(exp / "plm" / SECOND / "config.yaml", config | {"seed": 2})
    for call in (lambda: Combination.load(exp / "plm" / BOTH), lambda: Scoring().score(exp / "plm" / BOTH, {})):
        with pytest.raises(InputError, match=f"{SECOND} is missing or was trained again .*combine the rescorers again"):
            call()
    shutil.rmtree(exp / "plm" / SECOND)
    with pytest.raises(InputError, match="is missing or was trained again"):
        Combination.load(exp / "plm" / BOTH)


def test_what_is_no_combination(exp: Path) -> None:
    given_members(exp, **{FIRST: 1.0, SECOND: 1.0})
    with pytest.raises(InputError, match=r"a rescorer, no combination.*lorescore\.Rescorer"):
        Combination.load(exp / "plm" / FIRST)
    with pytest.raises(InputError, match=r"combination of several rescorers.*lorescore\.Combination"):
        Rescorer.load(exp / "plm" / BOTH)
    dev_dir = exp / "nbest" / "dev"
    with pytest.raises(InputError, match="name its members instead"):
        combine_rescorers(exp / "plm" / "more", [exp / "plm" / BOTH], dev_dir, read_nbest_dir(dev_dir))
    with pytest.raises(InputError, match="holds a rescorer"):
        combine_rescorers(exp / "plm" / FIRST, [exp / "plm" / SECOND], dev_dir, read_nbest_dir(dev_dir))
    combined(exp, FIRST, SECOND, name="two")
    with pytest.raises(InputError, match=f"a combination of {FIRST}, {SECOND}.*--combined"):
        combined(exp, FIRST, name="two")
    write_yaml(exp / "plm" / BOTH / "config.yaml", {"members": [{"tag": FIRST}]})
    with pytest.raises(InputError, match="members are not of the form"):
        stored_members(exp / "plm" / BOTH)
    with pytest.raises(InputError, match="no finished rescorer"):
        stored_members(exp / "plm" / "nothing")


def lists_with(plm: Sequence[float], errors: Sequence[int]) -> ScoredLists:
    """Lists of two hypotheses each, which the first pass cannot tell apart."""
    count = len(plm) // 2
    return ScoredLists(
        utts=tuple(f"u{number}" for number in range(count)),
        offsets=np.arange(0, len(plm) + 1, 2),
        first_pass=np.zeros(len(plm)),
        plm=np.array(plm, dtype=np.float64),
        num_words=np.ones(len(plm)),
        errors=np.array(errors),
        ref_words=np.full(count, 3),
    )


def test_two_members_know_what_neither_knows_alone() -> None:
    """Each is right about one list by a wide margin and wrong about the other by a narrow one."""
    errors = [1, 0, 1, 0]
    members = [lists_with([0, 5, 1, 0], errors), lists_with([1, 0, 0, 5], errors)]
    alone = [error_count(one, best_ranks(one, tune(one))) for one in members]
    weights, bonus = tune_members(members)
    together = replace(members[0], plm=weights[0] * members[0].plm + weights[1] * members[1].plm)
    assert alone == [1, 1]
    assert error_count(together, best_ranks(together, Weights(1.0, bonus))) == 0
    assert min(weights) > 0


@given(st.lists(st.integers(-9, 0), min_size=12, max_size=12), st.lists(st.integers(0, 4), min_size=6, max_size=6))
def test_a_sum_is_never_worse_than_its_members(plm: list[int], errors: list[int]) -> None:
    members = [lists_with(plm[:6], errors), lists_with(plm[6:], errors)]
    weights, bonus = tune_members(members)
    together = replace(members[0], plm=weights[0] * members[0].plm + weights[1] * members[1].plm)
    counts = [error_count(one, best_ranks(one, tune(one))) for one in members]
    assert error_count(together, best_ranks(together, Weights(1.0, bonus))) <= min(counts)
    assert min(weights) >= 0
