"""Reading what ran: order, comparison with the frozen rescorer, what is left out, and what is refused."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_exp import make_record, needs_sclite, tag_of, write_model, write_nprr, write_scores

from lorescore.errors import InputError
from lorescore.files import read_yaml, write_table, write_yaml
from lorescore.nbest.chosen import write_chosen
from lorescore.nbest.directory import content_checksum
from lorescore.nprr import WordErrors, read_records, write_records, write_word_errors
from lorescore.nprr.earlier import lists_of
from lorescore.report import collect, write_report
from lorescore.report.mbr import base_tag
from lorescore.report.models import frozen_counterpart, read_models
from lorescore.scoring.stored import scores_checksum
from lorescore.wer.resampling import Estimate

REFS = {"a-1": "one two three", "a-2": "four five", "b-1": "six"}
WRONG = {"a-1": "one two", "a-2": "four", "b-1": "seven"}


@needs_sclite
def test_order_of_sets_and_systems(exp_dir: Path) -> None:
    write_scores(exp_dir, "alpha", REFS, {"first_pass": WRONG, "unknown": REFS})
    results = collect(exp_dir)
    strategies = [tag_of(name) for name in ("first_pass", "none", "full", "vanilla", "adalora", "oracle")]
    assert list(results.scores) == ["dev", "alpha", "test"]
    assert list(results.scores["test"]) == strategies
    assert results.tags == [*strategies[:-1], "unknown", "oracle"]
    assert [record.set for record in results.nprr[::12]] == ["dev", "dev", "test", "test"]
    assert [record.tag for record in results.nprr[:4]] == strategies[1:-1]


@needs_sclite
def test_mbr_stands_after_map_and_is_compared_with_it(tmp_path: Path) -> None:
    lora, frozen = tag_of("vanilla"), tag_of("none")
    for strategy in ("none", "vanilla"):
        write_model(tmp_path, strategy)
    hyps = {
        "first_pass": WRONG,
        frozen: WRONG,
        f"{frozen}_mbr": WRONG,
        lora: WRONG,
        f"{lora}_mbr": REFS,
        "x": REFS,
        "x-2": REFS,
    }
    for name in ("dev", "test"):
        write_scores(tmp_path, name, REFS, hyps | {"x_mbr": WRONG}, **{lora: (0.5, 0.1), f"{lora}_mbr": (0.5, 0.1)})
    weights_path = tmp_path / "rescore" / f"{lora}_mbr" / "weights.yaml"
    write_yaml(weights_path, read_yaml(weights_path) | {"posterior_scale": 0.25})
    results = collect(tmp_path)
    assert results.tags == ["first_pass", frozen, f"{frozen}_mbr", lora, f"{lora}_mbr", "x", "x_mbr", "x-2"]
    assert [(one.set, one.tag, one.posterior_scale) for one in results.mbr] == [
        ("dev", lora, 0.25),
        ("test", lora, 0.25),
    ]
    (one, _) = results.mbr
    assert (one.map_wer, one.mbr_wer, one.change) == (50.0, 0.0, Estimate(-100.0, -100.0, -100.0))

    # What stage 6 left of an earlier training is not compared with the new one.
    write_scores(tmp_path, "dev", REFS, {lora: WRONG}, **{lora: (0.6, 0.1)})
    shutil.rmtree(tmp_path / "rescore" / lora / "test")
    assert collect(tmp_path).mbr == ()


def test_a_rescorer_may_be_called_mbr() -> None:
    assert base_tag("tiny_mbr", ["tiny"]) == base_tag("tiny", ["tiny"]) == "tiny"
    assert base_tag("tiny_mbr", ["other"]) == "tiny_mbr"


@needs_sclite
def test_p_against_the_frozen_rescorer(tmp_path: Path) -> None:
    for strategy in ("none", "full", "vanilla"):
        write_model(tmp_path, strategy)
    hyps = {tag_of("none"): WRONG, tag_of("full"): WRONG, tag_of("vanilla"): REFS}
    write_scores(tmp_path, "test", REFS, {"first_pass": WRONG} | hyps)
    scores = collect(tmp_path).scores["test"]
    assert scores[tag_of("none")].p_frozen is None
    assert scores[tag_of("full")].p_frozen == 1.0  # the same hypotheses are never better
    assert scores[tag_of("vanilla")].p_frozen == 0.0  # better on every utterance, so in every resample
    assert scores[tag_of("vanilla")].p_first_pass == 0.0

    (tmp_path / "nbest" / "test" / "text").unlink()
    assert collect(tmp_path).scores["test"][tag_of("vanilla")].p_frozen is None


def test_frozen_counterpart_is_of_the_same_plm_scorer_and_best_of_the_same_objective_and_seed(tmp_path: Path) -> None:
    minilm = {"name": "minilm", "scorer": "cls"}
    for name, strategy, changes in (
        ("other_plm", "none", {}),
        ("seed1", "none", {"plm": minilm}),
        ("seed2", "none", {"plm": minilm, "seed": 2}),
        ("distilled", "none", {"plm": minilm, "objective": "distill", "seed": 2}),
        ("lora", "vanilla", {"plm": minilm, "seed": 2}),
        ("lora7", "vanilla", {"plm": minilm, "seed": 7}),
        ("alone", "full", {"plm": {"name": "big", "scorer": "clm"}}),
    ):
        write_model(tmp_path, strategy, **changes).rename(tmp_path / "plm" / name)
    models = read_models(tmp_path / "plm")

    def counterpart(tag: str) -> str | None:
        frozen = frozen_counterpart(models[tag], models)
        return frozen.tag if frozen else None

    assert counterpart("lora") == "seed2"
    assert counterpart("lora7") == "seed1"
    assert counterpart("alone") is None
    assert counterpart("seed1") is None


def test_the_frozen_counterpart_reads_text_in_the_same_way(tmp_path: Path) -> None:
    tags = ["smollm2_clm_none", "smollm2_clm_upper_none", "smollm2_clm_upper_vanilla_r16_mwer_s1"]
    for tag in tags:
        strategy = "none" if tag.endswith("none") else "vanilla"
        trained = {} if strategy == "vanilla" else {"objective": None, "seed": None}
        write_model(tmp_path, strategy, tag=tag, **trained)
    models = read_models(tmp_path / "plm")
    frozen = frozen_counterpart(models[tags[2]], models)
    assert frozen and frozen.tag == tags[1]


def test_a_model(tmp_path: Path) -> None:
    models = read_models(write_model(tmp_path, "adalora").parent) | read_models(write_model(tmp_path, "full").parent)
    adalora, full = models[tag_of("adalora")], models[tag_of("full")]
    assert (adalora.plm, adalora.scorer, adalora.rank, adalora.objective) == ("smollm2", "clm", 8, "mwer")
    assert (adalora.training.steps, adalora.training.lists, len(adalora.ranks)) == (500, 2000, 120)
    assert [one.step for one in adalora.history] == [0, 100, 200, 300, 400, 500]
    assert (full.rank, full.ranks) == (None, {})


@needs_sclite
def test_what_is_unfinished_or_perturbed_is_left_out(tmp_path: Path) -> None:
    (write_model(tmp_path, "full") / "config.yaml").unlink()
    write_model(tmp_path, "none").rename(tmp_path / "plm" / ".none.partial")
    write_scores(tmp_path, "test", REFS, {"first_pass": WRONG, "lora": REFS})
    (tmp_path / "rescore" / "lora" / "test" / "result.yaml").unlink()
    write_scores(tmp_path, "test_1best_p0.1_s1", REFS, {"first_pass": WRONG})
    write_yaml(tmp_path / "nbest" / "test_1best_p0.1_s1" / "nbest.yaml", {"perturbation": {"kind": "1best"}})
    results = collect(tmp_path)
    assert results.models == {}
    assert {name: list(by_tag) for name, by_tag in results.scores.items()} == {"test": ["first_pass"]}


def test_frozen_scorer_without_objective_and_seed(tmp_path: Path) -> None:
    write_model(tmp_path, "none", objective=None, seed=None, training=None)
    (model,) = collect(tmp_path).models.values()
    assert (model.objective, model.seed, model.training.steps) == ("", None, None)


def test_robustness_alone_says_what_errors_are_of(tmp_path: Path) -> None:
    """Stage 9 needs no scores of stage 7."""
    records = [make_record("none", name, "1best", 0.1) for name in ("dev", "test")]
    write_records(tmp_path / "nprr" / f"{tag_of('none')}.json", records)
    assert (collect(tmp_path).metric, collect(tmp_path).in_characters) == ("wer", [])
    write_records(tmp_path / "nprr" / f"{tag_of('none')}.json", [replace(one, metric="cer") for one in records])
    assert (collect(tmp_path).metric, collect(tmp_path).in_characters) == ("cer", ["dev", "test"])


@needs_sclite
def test_contexts_and_approximate_scores_are_named(exp_dir: Path) -> None:
    tag, other = list(collect(exp_dir).models)[:2]
    assert (collect(exp_dir).in_context, collect(exp_dir).approximate) == ((), {})
    (exp_dir / "nbest" / "test").mkdir(parents=True, exist_ok=True)
    (exp_dir / "nbest" / "test" / "context").write_text("u1 the cat\n")
    for name, how in ((tag, "int8 history=5"), (other, "float32")):
        path = exp_dir / "rescore" / name / "weights.yaml"
        write_yaml(path, read_yaml(path) | {"plm_scores": how})
    write_report(exp_dir)
    text = " ".join((exp_dir / "RESULTS.md").read_text().split())
    assert "In `test` a PLM of the scorer `clm` reads the first pass's best of the utterances before" in text
    assert f"PLM scores are exact, in float32, but for those of `{tag}` (int8 history=5)." in text
    # Of one whose results are left out, as it was trained again since, there is nothing to be said.
    path = exp_dir / "rescore" / tag / "weights.yaml"
    write_yaml(path, read_yaml(path) | {"tuned_for": "another"})
    assert collect(exp_dir).approximate == {}


@needs_sclite
def test_expanded_lists_are_named(exp_dir: Path) -> None:
    assert collect(exp_dir).expanded == ()
    write_yaml(exp_dir / "nbest" / "test" / "nbest.yaml", {"expansion": {"versions": 8}})
    assert collect(exp_dir).expanded == ("test",)
    write_report(exp_dir)
    assert "The lists of `test` are expanded (`--expand`" in (exp_dir / "RESULTS.md").read_text()
    write_yaml(exp_dir / "nbest" / "test" / "nbest.yaml", {"expansion": {"recombine": 50}})
    found = collect(exp_dir)
    assert (found.expanded, found.recombined) == ((), ("test",))
    write_report(exp_dir)
    assert "The lists of `test` are recombined (`--recombine`" in (exp_dir / "RESULTS.md").read_text()


def test_nothing_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing to report \(stage 5 writes .* stages 6 and 7 .* stage 9 "):
        collect(tmp_path / "exp")


def _other_weights(exp_dir: Path) -> None:
    write_yaml(exp_dir / "rescore" / "lora" / "weights.yaml", {"lm_weight": 0.4, "word_bonus": 0.1, "tuned_on": "dev"})


def _other_dev_set(exp_dir: Path) -> None:
    weights = {"lm_weight": 0.0, "word_bonus": 0.0, "tuned_on": "test"}
    write_yaml(exp_dir / "rescore" / tag_of("full") / "weights.yaml", weights)


def _other_references(exp_dir: Path) -> None:
    shutil.rmtree(exp_dir / "rescore" / "lora")
    refs = {"a-1": "one two three"}
    write_scores(exp_dir, "test", refs, {"lora": refs})
    (exp_dir / "nbest" / "test" / "text").unlink()


def _new_references(exp_dir: Path) -> None:
    write_table(exp_dir / "nbest" / "test" / "text", REFS | {"a-1": "one two"})


def _new_hypotheses(exp_dir: Path) -> None:
    """Stage 6 without stage 7: the rates are of one text, and what is compared is another."""
    write_table(exp_dir / "rescore" / tag_of("none") / "test" / "text", REFS)


def _number_that_is_none(exp_dir: Path) -> None:
    path = exp_dir / "rescore" / "lora" / "test" / "result.yaml"
    write_yaml(path, read_yaml(path) | {"wer": "low"})


def _no_strategy(exp_dir: Path) -> None:
    path = exp_dir / "plm" / tag_of("full") / "config.yaml"
    write_yaml(path, {key: value for key, value in read_yaml(path).items() if key != "strategy"})


def _negative_rank(exp_dir: Path) -> None:
    write_yaml(exp_dir / "plm" / tag_of("full") / "ranks.yaml", {"layers.0.q": 4, "layers.1.q": -1})


@needs_sclite
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_other_weights, r"lora/test/result.yaml: scored with lm_weight 0\.5, .*weights.yaml has 0\.4 \(rescore"),
        (_other_dev_set, r"smollm2_clm_full_mwer_s1/weights.yaml: tuned on test, the weights of lora on dev \(rescore"),
        (_other_references, r"scored on 1 utterances with 3 reference words, first_pass on 3 with 6"),
        (_new_references, r"first_pass/test/result.yaml: of other references than .*nbest/test/text has now \(rescore"),
        (_new_hypotheses, r"none_mwer_s1/test/result.yaml: of other hypotheses than .*test/text has now \(score again"),
        (_number_that_is_none, r"wer is 'low', expected a number"),
        (_no_strategy, r"config.yaml: strategy\.name is missing, expected a string \(train it again"),
        (_negative_rank, r"layers\.1\.q has the rank -1, expected 0 or more"),
    ],
)
def test_what_is_refused(tmp_path: Path, spoil: Callable[[Path], None], message: str) -> None:
    for strategy in ("none", "full"):
        write_model(tmp_path, strategy)
    hyps = {"first_pass": WRONG, tag_of("none"): WRONG, tag_of("full"): REFS, "lora": REFS}
    write_scores(tmp_path, "test", REFS, hyps, lora=(0.5, 0.1))
    collect(tmp_path)
    spoil(tmp_path)
    with pytest.raises(InputError, match=message):
        collect(tmp_path)


@needs_sclite
def test_what_was_chosen_from_other_lists_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Another decode of the set, of which some rescorers' hypotheses are: the utterances are the same."""
    hyps = {"first_pass": WRONG, "lora": REFS}
    write_scores(tmp_path, "test", REFS, hyps, lora=(0.5, 0.1))
    nbest_dir = tmp_path / "nbest" / "test"
    for decode, of_decode in (("new", ["first_pass", "lora"]), ("newer", ["first_pass"])):
        write_yaml(nbest_dir / "nbest.yaml", {"checksum": decode})
        for tag in of_decode:
            write_chosen(tmp_path / "rescore" / tag / "test", hyps[tag], decode)
        assert list(collect(tmp_path).scores["test"]) == of_decode
    end = "left out, as chosen from other lists than nbest/test has now (rescore and score again: ./run.sh --stage 6 "
    assert caplog.messages == [f"{tmp_path}/rescore/lora/test: {end}--stop_stage 7)"]


@needs_sclite
def test_what_is_of_another_rescorer_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One that was trained under the same tag since, without stage 6."""
    tag = tag_of("full")
    hyps = {"first_pass": WRONG, tag: REFS, f"{tag}_mbr": REFS, "lora": REFS}
    weights = {tag: (0.5, 0.1), f"{tag}_mbr": (0.5, 0.1), "lora": (0.5, 0.1)}
    write_scores(tmp_path, "test", REFS, hyps, **weights)
    model = write_model(tmp_path, "full", plm_checksum="old")
    write_records(tmp_path / "nprr" / f"{tag}.json", [make_record("full", "test", "1best", 0.1)])
    for system in (tag, f"{tag}_mbr"):
        path = tmp_path / "rescore" / system / "weights.yaml"
        write_yaml(path, read_yaml(path) | {"tuned_for": scores_checksum(model)})
    found = collect(tmp_path)
    assert list(found.scores["test"]) == ["first_pass", tag, f"{tag}_mbr", "lora"]
    assert [one.tag for one in found.nprr] == [tag]
    write_model(tmp_path, "full", plm_checksum="new")
    caplog.clear()
    found = collect(tmp_path)
    assert list(found.scores["test"]) == ["first_pass", "lora"]
    assert (found.nprr, list(found.models)) == ((), [tag])
    end = f"left out, as tuned for another rescorer than {model} holds now (rescore and score again: ./run.sh --stage 6"
    assert [line.startswith(f"{tmp_path}/rescore/{tag}") and end in line for line in caplog.messages] == [True, True]


@needs_sclite
def test_what_mends_an_mbr_decoding_of_an_earlier_run(tmp_path: Path) -> None:
    """Stages 6 and 7 alone would leave it as it is."""
    mbr = tmp_path / "rescore" / "lora_mbr"

    def refused() -> str:
        with pytest.raises(InputError) as error:
            collect(tmp_path)
        return str(error.value)

    write_scores(tmp_path, "test", REFS, {"lora": REFS, "lora_mbr": REFS}, lora=(0.5, 0.1), lora_mbr=(0.5, 0.1))
    collect(tmp_path)
    write_table(mbr / "test" / "text", WRONG)
    end = f"./run.sh --stage 7 --stop_stage 7 --decode mbr; or delete {mbr})"
    assert refused().endswith(f"test/text has now (score again: {end}")
    write_yaml(mbr / "weights.yaml", read_yaml(mbr / "weights.yaml") | {"tuned_on": "zdev"})
    message = "tuned on zdev, the weights of lora on dev (rescore and score again: ./run.sh --stage 6 --stop_stage 7"
    assert refused() == f"{mbr}/weights.yaml: {message} --decode mbr; or delete {mbr})"
    shutil.rmtree(mbr)
    collect(tmp_path)


@needs_sclite
def test_robustness_that_is_older_than_the_scores_is_said(exp_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = exp_dir / "nprr" / f"{tag_of('full')}.json"
    wer = collect(exp_dir).scores["test"][tag_of("full")].wer
    for clean_wer, said in ((wer, False), (wer + 0.5, True)):
        records = [replace(one, nprr=replace(one.nprr, clean_wer=clean_wer)) for one in read_records(path)]
        write_records(path, records)
        caplog.clear()
        collect(exp_dir)
        now = f"{tag_of('full')} on test has WER {wer:.2f} now, and had {clean_wer:.2f} when NPRR was measured"
        assert (now in caplog.text) == said


def test_robustness_on_other_lists_than_there_are_now_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as those that were expanded in an earlier run; of lists that were deleted the figures stay."""
    record, nprr_dir = make_record("none", "test", "1best", 0.1), tmp_path / "nprr"
    write_model(tmp_path, "none")
    write_records(nprr_dir / f"{record.tag}.json", [record])
    paths = {name: tmp_path / "nbest" / name for name in lists_of(record)}
    for path in paths.values():
        write_table(path / "words_text", {"u-1": "the sun"})
    checksums = {name: content_checksum(path) for name, path in paths.items()}
    errors = WordErrors({name: np.array([1]) for name in paths}, checksums)
    write_word_errors(nprr_dir / f"{record.tag}.errors", errors)
    shutil.rmtree(paths["test_1best_p0.1_s2"])
    assert [one.tag for one in collect(tmp_path).nprr] == [record.tag]
    write_table(paths["test"] / "words_text", {"u-1": "the son"})
    assert collect(tmp_path).nprr == ()
    assert f"{record.tag}.json: left out what was measured on other lists than nbest/test has now" in caplog.text


def test_robustness_on_different_lists_is_not_compared(tmp_path: Path) -> None:
    write_nprr(tmp_path, ["none"], ["test"], [0.1])
    write_records(tmp_path / "nprr" / "full.json", [make_record("full", "test", "1best", 0.1, utts=150)])
    with pytest.raises(InputError, match="different lists: the first pass has the error rates"):
        collect(tmp_path)
    write_records(tmp_path / "nprr" / "full.json", [make_record("full", "test", "1best", 0.1)])
    both = read_records(tmp_path / "nprr" / f"{tag_of('none')}.json")
    assert len(collect(tmp_path).nprr) == len(both) + 1
