"""Lists whose metric is `cer`: the bonus is one a character, and errors are of characters, wherever they count."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorescore.combine import ScoredLists, Weights, best_ranks, combined_scores, oracle, read_weights, wer
from lorescore.decode import pairwise_errors
from lorescore.errors import InputError
from lorescore.files import write_yaml
from lorescore.lattice.rescored import combined_graph_cost, nbest_paths
from lorescore.nbest import CostParts, Hypothesis, NbestList, NbestSet, read_nbest_dir, write_nbest_dir
from lorescore.rerank import rerank
from lorescore.tuning import tune

NBEST = NbestSet(
    lists=(
        NbestList("u1", (Hypothesis("今天 天气", -1.0), Hypothesis("今天 天 汽 好", -1.5), Hypothesis("今", -2.0))),
        NbestList("u2", (Hypothesis("", -1.0), Hypothesis("ok 吗", -1.25))),
    ),
    refs={"u1": "今天天气好", "u2": "ok吗"},
    info={"metric": "cer"},
)
PLM_COSTS = [[4.0, 3.0, 1.0], [0.5, 2.0]]
texts = st.text("今天 气a", max_size=6).map(lambda text: " ".join(text.split()))


def test_counts() -> None:
    lists = ScoredLists.build(NBEST, PLM_COSTS)
    assert lists.metric == "cer"
    assert lists.num_words.tolist() == [4, 5, 1, 0, 3]
    assert lists.errors.tolist() == [1, 1, 4, 3, 0]
    assert lists.ref_words.tolist() == [5, 3]
    assert oracle(NBEST) == {"u1": "今天 天气", "u2": "ok 吗"}
    in_words = ScoredLists.build(replace(NBEST, info={}), PLM_COSTS)
    assert in_words.num_words.tolist() == [2, 4, 1, 0, 2]
    assert in_words.errors.tolist() == [2, 4, 1, 1, 2]


def test_the_bonus_is_one_a_character() -> None:
    lists = ScoredLists.build(NBEST, PLM_COSTS)
    weights = Weights(0.5, 0.25, "cer")
    assert combined_scores(lists, weights).tolist() == [-2.0, -1.75, -2.25, -1.25, -1.5]
    assert best_ranks(lists, weights).tolist() == [1, 0]


def test_tuned_weights_know_what_they_are_of(tmp_path: Path) -> None:
    lists = ScoredLists.build(NBEST, PLM_COSTS)
    weights = tune(lists)
    assert weights.metric == "cer"
    assert wer(lists, weights) == 12.5  # one of 8: the oracle
    write_yaml(tmp_path / "weights.yaml", {"lm_weight": 0.5, "word_bonus": 0.25, "metric": "cer"})
    assert read_weights(tmp_path / "weights.yaml") == Weights(0.5, 0.25, "cer")
    for metric in ("per", None, ["cer"]):
        write_yaml(tmp_path / "weights.yaml", {"lm_weight": 0.5, "metric": metric})
        with pytest.raises(InputError, match=r"weights\.yaml: metric is .*, expected wer or cer"):
            read_weights(tmp_path / "weights.yaml")


def test_a_bonus_a_word_is_none_a_character() -> None:
    lists = ScoredLists.build(NBEST, PLM_COSTS)
    with pytest.raises(InputError, match="tuned for the metric wer, the metric of these lists is cer"):
        combined_scores(lists, Weights(0.5, 0.25))
    assert combined_scores(lists, Weights(0.5)).tolist() == combined_scores(lists, Weights(0.5, 0.0, "cer")).tolist()


@given(
    st.lists(st.tuples(texts, st.integers(-9, 0), st.integers(0, 9)), min_size=1, max_size=4),
    st.sampled_from(["wer", "cer"]),
)
def test_lists_in_memory_and_lattices_have_the_same_scores(hyps: list[tuple[str, int, int]], metric: str) -> None:
    parts = [CostParts(-score, 0.0, 0.0) for _, score, _ in hyps]
    one = NbestList(
        "u", tuple(Hypothesis.from_parts(text, part, 1.0) for (text, _, _), part in zip(hyps, parts, strict=True))
    )
    costs = [float(cost) for _, _, cost in hyps]
    weights = Weights(0.5, 0.75, metric)
    expected = combined_scores(ScoredLists.build(NbestSet((one,), {}, {"metric": metric}), [costs]), weights)
    reranked = rerank(one, [-cost for cost in costs], weights)
    assert sorted(hypothesis.combined for hypothesis in reranked.hypotheses) == sorted(expected.tolist())
    paths = nbest_paths(one, costs)
    assert [-(path.parts.acoustic + combined_graph_cost(path, weights)) for path in paths] == expected.tolist()


def test_distances_of_hypotheses() -> None:
    hyps = ["今天 天气", "今 天天气", "今天"]
    assert pairwise_errors(hyps, "cer").tolist() == [[0, 0, 2], [0, 0, 2], [2, 2, 0]]
    assert pairwise_errors(hyps).tolist() == [[0, 2, 1], [2, 0, 2], [1, 2, 0]]


def test_on_disk(tmp_path: Path) -> None:
    write_nbest_dir(tmp_path, NBEST)
    again = read_nbest_dir(tmp_path)
    assert (again.metric, again.lists, again.refs) == ("cer", NBEST.lists, NBEST.refs)
    info = (tmp_path / "nbest.yaml").read_text()
    (tmp_path / "nbest.yaml").write_text(info.replace("metric: cer", "metric: mer"))
    with pytest.raises(InputError, match=r"nbest\.yaml: metric is 'mer', expected wer or cer"):
        read_nbest_dir(tmp_path)
