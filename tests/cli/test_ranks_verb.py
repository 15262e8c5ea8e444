"""The verb `ranks`: one adapter of mixed-rank training at each of its ranks, done once, gone on with, refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from plm_models import new_rescorer
from toy_nbest import toy_nbest

from lorescore.combine import ScoredLists, wer
from lorescore.errors import InputError
from lorescore.nbest import read_nbest_dir, write_nbest_dir
from lorescore.plm.adaptation import ADAPTER, lora_layers
from lorescore.plm.strategies import adapt
from lorescore.plm.strategy import Strategy
from lorescore.scoring.ranks import read_ranks
from lorescore.scoring.rescorer import Rescorer
from lorescore.tuning import tune

Call = Callable[..., Any]

RANK = 3
TAG = "llama_clm_mixed_mwer_s1"


def save_adapted(folder: Path, exp: Path, tag: str, strategy: Strategy) -> None:
    """A rescorer whose adapter has drawn weights, large enough to change what is chosen."""
    rescorer = new_rescorer(folder, "llama", plm_text="lower")
    rescorer.scorer.model = adapt(rescorer.scorer.model, strategy, ("q_proj", "v_proj"), 10, 1).model
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for layer in lora_layers(rescorer.scorer.model).values():
            weight = layer.lora_B[ADAPTER].weight
            weight += 0.5 * torch.randn(weight.shape, generator=generator)
    rescorer.config["strategy"] = strategy.to_dict()
    rescorer.save(exp / "plm" / tag)


@pytest.fixture
def exp(tmp_path: Path) -> Path:
    """exp with nbest/{dev,test}, a mixed rescorer and a vanilla one."""
    exp_dir = tmp_path / "exp"
    write_nbest_dir(exp_dir / "nbest" / "dev", toy_nbest(12, seed=1))
    write_nbest_dir(exp_dir / "nbest" / "test", toy_nbest(10, seed=2))
    for tag, name in ((TAG, "mixed"), ("llama_clm_vanilla_mwer_s1", "vanilla")):
        save_adapted(tmp_path / "models", exp_dir, tag, Strategy(name, rank=RANK, alpha=6))
    return exp_dir


def arguments(exp: Path, *more: str) -> tuple[object, ...]:
    return "ranks", "--exp_dir", exp, "--tags", TAG, "--dev", "dev", "--sets", "test", *more


def test_every_rank_once(exp: Path, call: Call) -> None:
    path = exp / "rescore" / TAG / "ranks.json"
    outcome = call(*arguments(exp))
    assert (outcome.status, len(outcome.out.splitlines())) == (0, RANK)
    curve = read_ranks(path)
    assert curve.dev_set == "dev"
    assert [one.rank for one in curve.scores] == [1, 2, 3]
    # At full rank it is the rescorer itself.
    rescorer = Rescorer.load(exp / "plm" / TAG)
    lists = {}
    for name in ("dev", "test"):
        nbest = read_nbest_dir(exp / "nbest" / name)
        scores = rescorer.score([one.texts for one in nbest])
        lists[name] = ScoredLists.build(nbest, [[-score for score in of] for of in scores])
    weights = tune(lists["dev"])
    full = curve.scores[-1]
    assert full.weights == weights
    assert full.wers == {name: pytest.approx(wer(one, weights), abs=1e-4) for name, one in lists.items()}
    assert not (exp / "score_cache.sqlite").exists()
    assert not list((exp / "nbest" / "dev").glob("lmwt.*"))

    before = path.read_bytes()
    assert call(*arguments(exp)).out == outcome.out
    assert path.read_bytes() == before


def test_a_rank_is_the_truncated_adapter(exp: Path) -> None:
    texts = [["the cat sat", "a cat sat", "the sea"]]
    by_rank = [Rescorer.load(exp / "plm" / TAG, rank=rank).score(texts)[0] for rank in (1, 2, 3)]
    assert by_rank[-1] == Rescorer.load(exp / "plm" / TAG).score(texts)[0]
    assert len({round(scores[0], 2) for scores in by_rank}) == 3


def test_only_nested_ranks_are_loaded(exp: Path) -> None:
    with pytest.raises(InputError, match="trained with vanilla, whose ranks are not nested"):
        Rescorer.load(exp / "plm" / "llama_clm_vanilla_mwer_s1", rank=1)


def test_it_goes_on_with_the_ranks_that_are_missing(exp: Path, call: Call) -> None:
    path = exp / "rescore" / TAG / "ranks.json"
    assert call(*arguments(exp, "--ranks", "3 1")).status == 0
    content = json.loads(path.read_text())
    assert [one["rank"] for one in content["ranks"]] == [1, 3]
    content["ranks"][0]["wer"]["test"] = 12.5  # shows that it is not scored again
    path.write_text(json.dumps(content))
    assert call(*arguments(exp)).status == 0
    scores = read_ranks(path).scores
    assert [one.rank for one in scores] == [1, 2, 3]
    assert scores[0].wers["test"] == 12.5

    write_nbest_dir(exp / "nbest" / "test", toy_nbest(10, seed=3))  # other lists: all anew
    assert call(*arguments(exp, "--ranks", "1")).status == 0
    (one,) = read_ranks(path).scores
    assert one.wers["test"] != 12.5


def test_a_set_without_references_is_left_out(exp: Path, call: Call) -> None:
    lists = toy_nbest(4, seed=5)
    write_nbest_dir(exp / "nbest" / "blind", type(lists)(lists.lists))
    outcome = call(*arguments(exp, "--ranks", "2", "--sets", "blind"))
    assert outcome.status == 0
    assert outcome.out.startswith("blind: left out, there are no references to score with\n")
    assert list(read_ranks(exp / "rescore" / TAG / "ranks.json").scores[0].wers) == ["dev"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--tags", "llama_clm_vanilla_mwer_s1"), "trained with vanilla, whose ranks are not nested (--lora mixed)"),
        (("--tags", "llama_clm_mixed_mwer_s2"), "no finished rescorer: config.yaml is missing"),
        (("--ranks", "4"), "--ranks 4, expected 1 to 3"),
        (("--ranks", "two"), "--ranks 'two' is not a whole number"),
    ],
)
def test_what_cannot_be_is_refused(exp: Path, call: Call, more: tuple[str, ...], message: str) -> None:
    assert message in call(*arguments(exp, *more)).error_line()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"dev_set": "dev", "stamp": "x"}', '{"dev_set": 1, "stamp": 2, "ranks": [3]}']
)
def test_a_file_that_is_not_of_ranks(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ranks.json"
    path.write_text(text)
    with pytest.raises(InputError, match="not the file of ranks that stage 6 writes"):
        read_ranks(path)
