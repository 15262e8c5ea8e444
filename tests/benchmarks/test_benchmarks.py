"""The benchmark's ways of scoring give the same scores, and its parts make a report, on a tiny random PLM.

Run by itself: python -m pytest tests/benchmarks; all of it with the extra `bench`.
"""

from importlib.util import find_spec
from pathlib import Path

import pytest
from competitors import REQUIRED, load_competitors
from competitors.flat_mwer import FlatList, FlatScorer
from plm_models import SENTENCES, save_plm
from results import Results
from samples import NamedLists, cased_texts, context_lengths, flat_tokens, sample_by_words
from sections import Context, history, quantize, rate, scoring, sweep

from lorescore.nbest import Hypothesis, NbestList, NbestSet
from lorescore.plm import onednn
from lorescore.plm.load import fetch_plm
from lorescore.plm.settings import PlmSettings
from lorescore.scoring.rescorer import Rescorer

needs_competitors = pytest.mark.skipif(
    any(find_spec(package) is None for package in REQUIRED),
    reason=f"the benchmark is against {' and '.join(REQUIRED)}: pip install '.[bench]'",
)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """A tiny Llama whose tokenizer pads with a token of its own, as SmolLM2's does with eos."""
    folder = tmp_path_factory.mktemp("benchmark")
    plm = PlmSettings(name="tiny", model=str(save_plm(folder / "source", "llama")), plm_text="lower", eos="</s>")
    fetch_plm(plm, folder / "plm")
    rescorer_dir = folder / "rescorer"
    Rescorer.new(folder / "plm", plm).save(rescorer_dir)
    return Context(folder / "plm", plm, rescorer_dir, folder / "work", repeats=1, threads=1, log=lambda line: None)


@pytest.fixture(scope="module")
def lists() -> NamedLists:
    """Lists of different lengths whose hypotheses share beginnings; the last words have homophones (see, sea)."""
    made = []
    for number, sentence in enumerate(SENTENCES):
        texts = [sentence, f"{sentence} see", sentence.rpartition(" ")[0], "the sea"][: 1 + number % 4]
        made.append(NbestList(f"utt{number}", tuple(Hypothesis(text, -float(rank)) for rank, text in enumerate(texts))))
    return NamedLists("tiny", NbestSet(tuple(made), {one.utt: one.texts[0] for one in made}, {"checksum": "0"}))


@needs_competitors
def test_all_ways_of_scoring_agree(context: Context, lists: NamedLists) -> None:
    texts = cased_texts(lists.nbest, context.plm)
    ways = load_competitors(context.plm_dir, context.plm, context.rescorer(), context.work_dir)
    assert len({way.name for way in ways}) == 5 + onednn.is_faster()
    one_by_one = ways[-1].score(texts, 1)
    for way in ways:
        for batch_size in way.batch_sizes:
            for values, expected in zip(way.score(texts, batch_size), one_by_one, strict=True):
                assert values == pytest.approx(expected, abs=1e-3), way.name


@needs_competitors
def test_a_way_that_scores_something_else_is_refused(context: Context, lists: NamedLists) -> None:
    class Wrong:
        name, batch_sizes = "wrong", (1,)

        def score(self, lists: list[list[str]], batch_size: int) -> list[list[float]]:
            return [[0.0] * len(texts) for texts in lists]

    texts = cased_texts(lists.nbest, context.plm)
    definition = load_competitors(context.plm_dir, context.plm, context.rescorer(), context.work_dir)[-1]
    with pytest.raises(RuntimeError, match="wrong: a score differs by"):
        scoring.require_agreement([Wrong(), definition], texts)


def test_flat_training_scores_are_the_trees(context: Context, lists: NamedLists) -> None:
    rescorer = context.rescorer()
    trees = [rescorer.encode(one.texts) for one in lists.nbest]
    flat = FlatScorer(rescorer.scorer.model)([FlatList(tree.sequences()) for tree in trees])
    for one, expected in zip(flat, rescorer.scorer(trees), strict=True):
        assert one.tolist() == pytest.approx(expected.tolist(), abs=1e-4)


@needs_competitors
def test_sections_make_a_report_that_grows(context: Context, lists: NamedLists, tmp_path: Path) -> None:
    results = Results(tmp_path / "results.json")
    conditions = {"plm": "tiny", "threads": 1, "repeats": 1, "processor": "x", "instructions": "y", "cores": 1}
    conditions |= {"load": 0.0, "versions": {}}
    parts = [module.SECTION for module in (scoring, sweep, rate)]
    for section in parts:
        results.add(section.name, lists.name, section.measure(context, lists), conditions)
        results = Results(tmp_path / "results.json")  # as a command that measures one section at a time
    text = results.markdown(parts)
    assert all(f"## {section.title}" in text for section in parts)
    assert results.has("sweep", "tiny", {"threads": 1}) and not results.has("sweep", "tiny", {"threads": 2})
    assert not results.has("sweep", "other", {"threads": 1})
    swept = results.parts["sweep"]["tiny"]["numbers"]
    assert swept["clean"] < swept["shared"] < swept["anew"] < swept["flat_tokens"]


def test_what_approximations_cost(context: Context, lists: NamedLists) -> None:
    for section in (history.SECTION, quantize.SECTION):
        part = section.measure(context, lists)
        exact = part["rows"]["exact"]
        assert exact["change"] == [0.0, 0.0] and exact["difference"] == 0.0
        for row in part["rows"].values():
            assert row["change"][0] <= row["wer"] - exact["wer"] <= row["change"][1]
        assert len(section.table({"tiny": part}).rows) == len(part["rows"])


def test_what_there_is_to_compute() -> None:
    sequences = [[0, 1, 2, 3], [0, 1, 4], [0, 1, 2, 3]]
    assert sorted(context_lengths(sequences)) == [1, 2, 3]  # of 0, 0 1, 0 1 2: nothing is predicted after the last
    assert flat_tokens(sequences) == 8
    arithmetic = rate.Arithmetic(layers=[(2, 3)], projection=(2, 5), attention=7)
    assert arithmetic.products() == {f"{rate.ROWS}x2x3": 12, f"{rate.PROJECTION_ROWS}x2x5": 20}
    assert arithmetic.operations([1, 2, 3]) == 3 * 2 * (6 + 10) + 7 * 6


def test_samples_are_the_same_each_time(lists: NamedLists) -> None:
    few = sample_by_words(lists.nbest, 1)
    assert len(few) == 2
    assert few == sample_by_words(lists.nbest, 1)
    assert set(few.refs) == {one.utt for one in few}
