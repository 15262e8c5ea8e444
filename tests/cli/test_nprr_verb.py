"""The verb `nprr`: stage 9 with real (tiny) rescorers, and N-best directories from anywhere."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from plm_models import new_rescorer
from toy_nbest import toy_nbest

from lorescore.files import read_yaml, write_yaml
from lorescore.nbest import NbestSet, read_nbest_dir, write_costs, write_nbest_dir
from lorescore.nprr import Curve, nprr_area_difference, nprr_difference, read_areas, read_records, read_word_errors
from lorescore.perturb import HomophoneLexicon, Perturbation, perturb
from lorescore.scoring.rescorer import Rescorer

Call = Callable[..., object]

LEXICON = HomophoneLexicon.from_entries([("sea", ["S"]), ("see", ["S"]), ("rain", ["R"]), ("reign", ["R"])])
NONE, VANILLA = "tiny_clm_none", "tiny_clm_vanilla"


OTHER_LEXICON = HomophoneLexicon.from_entries([("sea", ["S"]), ("see", ["S"])])


def perturbed_set(nbest: NbestSet, rate: float, seed: int, lexicon: HomophoneLexicon = LEXICON) -> NbestSet:
    return perturb(nbest, lexicon, Perturbation("nbest", rate, seed)).nbest


@pytest.fixture
def exp(tmp_path: Path) -> Path:
    """exp with two rescorers, their weights, the set test, and its perturbed lists at the rates 0, 0.5 and 1."""
    exp = tmp_path / "exp"
    for seed, tag in enumerate((NONE, VANILLA)):
        new_rescorer(tmp_path / f"plm{seed}", "llama", plm_text="lower").save(exp / "plm" / tag)
        config_path = exp / "plm" / tag / "config.yaml"
        write_yaml(config_path, read_yaml(config_path) | {"strategy": {"name": tag.rpartition("_")[2]}})
        write_yaml(exp / "rescore" / tag / "weights.yaml", {"lm_weight": 0.5})
    write_nbest_dir(exp / "nbest" / "test", toy_nbest(12, seed=1))
    clean = read_nbest_dir(exp / "nbest" / "test")
    for rate in (0, 0.5, 1):
        for seed in (1, 2):
            write_nbest_dir(exp / "nbest" / f"test_nbest_p{rate}_s{seed}", perturbed_set(clean, rate, seed))
    return exp


def stage(exp: Path, *options: object) -> tuple[object, ...]:
    return ("nprr", "--sets", "test", "--kinds", "nbest", "--seeds", "1 2", "--exp_dir", exp, *options)


def test_stage_9(exp: Path, call: Call) -> None:
    outcome = call(*stage(exp, "--tags", f"{VANILLA} {NONE}", "--rates", "0 0.5 1"))
    assert outcome.status == 0, outcome.err
    none, vanilla = (read_records(exp / "nprr" / f"{tag}.json") for tag in (NONE, VANILLA))
    assert [one.rate for one in vanilla] == [0, 0.5, 1]
    # At rate 0 the lists are the clean ones.
    for record in (none[0], vanilla[0]):
        for nprr in (record.nprr, record.first_pass):
            assert (nprr.value, nprr.low, nprr.high, nprr.per_seed) == (0, 0, 0, (0, 0))
        assert record.losses is not None
        assert (record.losses.first_pass_loss, record.losses.oracle_loss) == (0, 0)
        assert (record.losses.list_loss, record.losses.rescorer_loss) == (0, 0)
    # The reference is the frozen one, wherever it stands in --tags.
    assert {one.reference for one in [*none, *vanilla]} == {NONE}
    assert {one.difference for one in none} == {None}
    errors = [read_word_errors(exp / "nprr" / f"{tag}.errors") for tag in (VANILLA, NONE)]
    curves = [
        {rate: one.rows([f"test_nbest_p{rate:g}_s{seed}" for seed in (1, 2)]) for rate in (0, 0.5, 1)} for one in errors
    ]
    clean = [one.errors["test"] for one in errors]
    assert vanilla[2].difference == nprr_difference(clean[0], curves[0][1], clean[1], curves[1][1])
    (area,) = read_areas(exp / "nprr" / f"{VANILLA}.json")
    assert (area.rates, area.seeds, area.reference) == ((0, 0.5, 1), (1, 2), NONE)
    assert area.difference == nprr_area_difference(*(Curve.of(*one) for one in zip(clean, curves, strict=True)))
    assert area.area.value == pytest.approx((vanilla[1].nprr.value or 0) / 2 + (vanilla[2].nprr.value or 0) / 4)
    wer = 100 * clean[0].sum() / 48  # 12 references of 4 words
    assert vanilla[0].nprr.clean_wer == pytest.approx(wer)
    lines = outcome.out.splitlines()
    assert lines[0] == f"{NONE} test nbest 0: NPRR 0.00 % [0.00, 0.00]"  # the reference first
    assert any(line.startswith(f"{VANILLA} test nbest: area under the curve ") for line in lines)


def test_jobs_of_stage_9_score_and_measure_nothing(
    exp: Path, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = stage(exp, "--tags", f"{VANILLA} {NONE}", "--rates", "0.5 1")
    for number in (1, 2, 3):
        assert call(*options, "--part", f"{number}/3").status == 0
        assert not (exp / "nprr").exists()
    monkeypatch.delattr(Rescorer, "load")  # every score is known
    assert call(*options).status == 0
    assert len(list(exp.glob("nprr/*.json"))) == 2


def test_errors_of_characters_in_stage_9(exp: Path, call: Call) -> None:
    write_nbest_dir(exp / "nbest" / "test", replace(toy_nbest(12, seed=1), info={"metric": "cer"}))
    clean = read_nbest_dir(exp / "nbest" / "test")
    write_nbest_dir(exp / "nbest" / "test_nbest_p1_s1", perturbed_set(clean, 1, 1))
    assert call(*stage(exp, "--tags", NONE, "--rates", "1", "--seeds", "1")).status == 0
    (record,) = read_records(exp / "nprr" / f"{NONE}.json")
    (area,) = read_areas(exp / "nprr" / f"{NONE}.json")
    assert (record.metric, area.metric) == ("cer", "cer")


@pytest.mark.parametrize("metric", ["wer", "cer"])
def test_undefined_in_stage_9(exp: Path, call: Call, metric: str) -> None:
    nbest = toy_nbest(12, seed=1)
    right = tuple(replace(one, hypotheses=one.hypotheses[-1:]) for one in nbest)  # the reference alone
    write_nbest_dir(exp / "nbest" / "test", replace(nbest, lists=right, info={"metric": metric}))
    write_nbest_dir(exp / "nbest" / "test_nbest_p1_s1", perturbed_set(read_nbest_dir(exp / "nbest" / "test"), 1, 1))
    outcome = call(*stage(exp, "--tags", NONE, "--rates", "1", "--seeds", "1"))
    undefined = f"undefined (clean {metric.upper()} is 0)"
    head = f"{NONE} test nbest"
    assert outcome.out.splitlines() == [f"{head} 1: NPRR {undefined}", f"{head}: area under the curve {undefined}"]


def test_a_reference_that_was_measured_before(exp: Path, call: Call) -> None:
    call(*stage(exp, "--tags", NONE, "--rates", "1"))
    call(*stage(exp, "--tags", VANILLA, "--rates", "1"))
    (record,) = read_records(exp / "nprr" / f"{VANILLA}.json")
    assert record.reference == NONE
    call(*stage(exp, "--tags", NONE, "--rates", "1", "--reference", VANILLA))
    (back,) = read_records(exp / "nprr" / f"{NONE}.json")
    assert back.reference == VANILLA
    assert record.difference is not None
    assert back.difference is not None
    assert record.difference.value == pytest.approx(-(back.difference.value or 0))


def test_a_reference_of_other_lists_is_not_compared(exp: Path, call: Call, caplog: pytest.LogCaptureFixture) -> None:
    call(*stage(exp, "--tags", NONE, "--rates", "1"))
    call(*stage(exp, "--tags", VANILLA, "--rates", "0.5"))
    (record,) = read_records(exp / "nprr" / f"{VANILLA}.json")
    assert (record.reference, record.difference) == ("", None)
    assert f"{NONE} was not measured on test_nbest_p0.5_s1" in caplog.text
    # The same name, other lists.
    write_nbest_dir(exp / "nbest" / "test_nbest_p1_s1", replace(toy_nbest(12, seed=1), info={}))
    call(*stage(exp, "--tags", VANILLA, "--rates", "1"))
    (record,) = read_records(exp / "nprr" / f"{VANILLA}.json")
    assert record.difference is None
    assert "measured on different lists of test_nbest_p1_s1" in caplog.text


def test_worst_lists_are_each_models_own_and_compared(exp: Path, call: Call) -> None:
    clean = read_nbest_dir(exp / "nbest" / "test")
    for seed, tag in enumerate((NONE, VANILLA), start=1):
        write_nbest_dir(exp / "nbest" / f"test_worst_{tag}_nbest_p1_s1", perturbed_set(clean, 0.5, seed))
    options = ("--tags", f"{NONE} {VANILLA}", "--rates", "1", "--perturbations", "worst", "--seeds", "1")
    assert call(*stage(exp, *options)).status == 0
    (record,) = read_records(exp / "nprr" / f"{VANILLA}.json")
    assert (record.lists, record.reference) == ("worst nbest", NONE)
    assert record.difference is not None


def rates_of(exp: Path, tag: str) -> list[tuple[str, str, float]]:
    return [(one.set, one.lists, one.rate) for one in read_records(exp / "nprr" / f"{tag}.json")]


def test_what_is_not_measured_again_stays(exp: Path, call: Call) -> None:
    write_nbest_dir(exp / "nbest" / "other", clean := replace(toy_nbest(9, seed=2), info={}))
    write_nbest_dir(exp / "nbest" / "other_nbest_p1_s1", perturbed_set(clean, 1, 1))
    write_nbest_dir(
        exp / "nbest" / "test_tied_nbest_p1_s1", perturbed_set(read_nbest_dir(exp / "nbest" / "test"), 1, 3)
    )
    call(*stage(exp, "--tags", f"{NONE} {VANILLA}", "--rates", "0.5 1"))
    first = (exp / "nprr" / f"{VANILLA}.json").read_text()
    one_seed = ("--seeds", "1", "--rates", "1", "--tags", f"{NONE} {VANILLA}")
    call(*stage(exp, "--sets", "other", *one_seed))
    call(*stage(exp, "--perturbations", "tied", *one_seed))
    expected = [("other", "nbest", 1), ("test", "nbest", 0.5), ("test", "nbest", 1), ("test", "tied nbest", 1)]
    assert rates_of(exp, VANILLA) == expected
    assert [(one.set, one.lists) for one in read_areas(exp / "nprr" / f"{VANILLA}.json")] == [
        ("other", "nbest"),
        ("test", "nbest"),
        ("test", "tied nbest"),
    ]
    # The same as if all had been measured at once, differences to the reference too.
    kept = [one for one in read_records(exp / "nprr" / f"{VANILLA}.json") if (one.set, one.lists) == ("test", "nbest")]
    (exp / "first.json").write_text(first)
    assert kept == read_records(exp / "first.json")
    word_errors = read_word_errors(exp / "nprr" / f"{VANILLA}.errors")
    assert {"test", "test_nbest_p0.5_s1", "other", "other_nbest_p1_s1", "test_tied_nbest_p1_s1"} <= {
        *word_errors.errors
    }
    # A set, perturbation and kind that is measured again is measured as a whole.
    call(*stage(exp, *one_seed))
    assert rates_of(exp, VANILLA) == [expected[0], *expected[2:]]
    assert "test_nbest_p0.5_s1" not in read_word_errors(exp / "nprr" / f"{VANILLA}.errors").errors


@pytest.mark.parametrize("what", ["weights", "rescorer", "lists", "earlier version"])
def test_what_would_be_measured_otherwise_now_does_not_stay(
    exp: Path, call: Call, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_nbest_dir(exp / "nbest" / "other", clean := replace(toy_nbest(9, seed=2), info={}))
    write_nbest_dir(exp / "nbest" / "other_nbest_p1_s1", perturbed_set(clean, 1, 1))
    one_seed = ("--seeds", "1", "--rates", "1", "--tags", NONE)
    caplog.set_level("INFO")
    call(*stage(exp, *one_seed))
    if what == "weights":
        write_yaml(exp / "rescore" / NONE / "weights.yaml", {"lm_weight": 0.25})
    elif what == "rescorer":
        write_yaml(exp / "plm" / NONE / "note.yaml", {"changed": True})
    elif what == "lists":
        write_nbest_dir(exp / "nbest" / "test_nbest_p1_s1", replace(toy_nbest(12, seed=3), info={}))
    else:
        (exp / "nprr" / f".{NONE}.stamp").unlink()
    call(*stage(exp, "--sets", "other", *one_seed))
    assert rates_of(exp, NONE) == [("other", "nbest", 1)]
    assert set(read_word_errors(exp / "nprr" / f"{NONE}.errors").errors) == {"other", "other_nbest_p1_s1"}
    reason = "the lists of test_nbest_p1_s1 have changed" if what == "lists" else "nothing of it is kept"
    assert reason in caplog.text


def test_perturbed_lists_of_other_clean_lists(exp: Path, call: Call) -> None:
    """Other lists under the clean set's name, stage 6 and then stage 9: stage 8 was left out."""
    clean = exp / "nbest" / "test"
    for changed, message in (
        (replace(toy_nbest(12, seed=1), info={"metric": "cer"}), f"metric wer, but cer in {clean}"),
        (toy_nbest(13, seed=1), f"utterance utt012 is not here, unlike in {clean}"),
        (perturbed_set(toy_nbest(12, seed=1), 1, 3), f"was made from other lists than those of {clean}"),
    ):
        write_nbest_dir(
            clean, replace(changed, info={key: changed.info[key] for key in changed.info if key == "metric"})
        )
        line = call(*stage(exp, "--tags", NONE, "--rates", "0.5 1")).error_line()
        assert "/test_nbest_p0.5_s1" in line
        assert line.endswith(f": {message} (stage 8 makes them: ./run.sh --stage 8)")
        assert not (clean / f"lmwt.{NONE}").exists()


def test_perturbed_lists_of_two_vocabularies(exp: Path, call: Call) -> None:
    made = [exp / "nbest" / f"test_nbest_p{rate}_s1" for rate in ("0.5", "1")]
    write_nbest_dir(made[1], perturbed_set(read_nbest_dir(exp / "nbest" / "test"), 1, 1, OTHER_LEXICON))
    line = call(*stage(exp, "--tags", NONE, "--rates", "0.5 1")).error_line()
    expected = f"{made[1]}: made with other pronunciations or another vocabulary than {made[0]} (stage 8 makes them: "
    assert expected in line
    assert call(*stage(exp, "--tags", NONE, "--rates", "0.5")).status == 0


def test_perturbed_lists_without_references_have_those_of_the_clean_ones(exp: Path, call: Call) -> None:
    expected = call(*stage(exp, "--tags", NONE, "--rates", "0.5")).out
    (exp / "nbest" / "test_nbest_p0.5_s1" / "text").unlink()
    assert call(*stage(exp, "--tags", NONE, "--rates", "0.5")).out == expected != ""


def test_an_unknown_reference(exp: Path, call: Call) -> None:
    line = call(*stage(exp, "--tags", VANILLA, "--reference", "tiny")).error_line()
    assert line.endswith("--reference tiny was not measured (name it in --tags too, or measure it first)")


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    """A clean set, two of its perturbed versions with an nbest.yaml that says so, and one without."""
    write_nbest_dir(tmp_path / "clean", toy_nbest(12, seed=1))
    clean = read_nbest_dir(tmp_path / "clean")
    for name, nbest in (
        ("p1", perturbed_set(clean, 0.5, 1)),
        ("p2", perturbed_set(clean, 0.5, 2)),
        ("mine", replace(perturbed_set(clean, 1, 1), info={})),
    ):
        write_nbest_dir(tmp_path / name, nbest)
    for name in ("clean", "p1", "p2", "mine"):
        keys = [key for one in read_nbest_dir(tmp_path / name) for key in one.nbest_keys()]
        write_costs(tmp_path / name / "lmwt.lm", [(key, float(len(key) + rank)) for rank, key in enumerate(keys)])
    return tmp_path


def test_directories_of_the_first_pass_alone(lists: Path, call: Call) -> None:
    out = lists / "out"
    perturbed = [lists / name for name in ("mine", "p2", "p1")]
    outcome = call("nprr", "--clean", lists / "clean", "--perturbed", *perturbed, "--out_dir", out)
    assert outcome.status == 0, outcome.err
    content = json.loads((out / "nprr.json").read_text())
    assert [(one["lists"], one["rate"], one["seeds"]) for one in content["groups"]] == [
        ("nbest", 0.5, [1, 2]),
        ("mine", None, []),
    ]
    assert content["costs"] is None
    assert [one["lists"] for one in content["areas"]] == ["nbest"]
    assert all(one["nprr"] == one["first_pass"] for one in content["groups"])
    assert "rescorer" not in outcome.out
    assert (out / "nprr.png").read_bytes().startswith(b"\x89PNG")


def test_rate_0_alone_has_no_area(lists: Path, call: Call) -> None:
    write_nbest_dir(lists / "p0", perturbed_set(read_nbest_dir(lists / "clean"), 0, 1))
    outcome = call("nprr", "--clean", lists / "clean", "--perturbed", lists / "p0", "--out_dir", lists / "out")
    assert outcome.status == 0, outcome.err
    content = json.loads((lists / "out" / "nprr.json").read_text())
    assert ([one["nprr"]["value"] for one in content["groups"]], content["areas"]) == ([0], [])


def test_directories_of_two_vocabularies_are_no_curve(lists: Path, call: Call) -> None:
    """Other perturbations have curves of their own."""
    clean = read_nbest_dir(lists / "clean")
    write_nbest_dir(lists / "tied", perturb(clean, OTHER_LEXICON, Perturbation("nbest", 0.5, 1, "tied")).nbest)
    write_nbest_dir(lists / "p3", perturbed_set(clean, 1, 3, OTHER_LEXICON))
    options = ("nprr", "--clean", lists / "clean", "--perturbed", lists / "p1", lists / "mine", lists / "tied")
    assert call(*options).status == 0
    line = call(*options, lists / "p3").error_line()
    expected = f"{lists}/p3: made with other pronunciations or another vocabulary than {lists}/p1 (perturb both again "
    assert expected in line


def test_nothing_is_written_without_out_dir(lists: Path, call: Call) -> None:
    before = set(lists.rglob("*"))
    options = ("--costs", "lm", "--lm_weight", "0.5", "--word_bonus", "1")
    outcome = call("nprr", "--clean", lists / "clean", "--perturbed", lists / "p1", *options)
    assert outcome.out.startswith("## NPRR of lm\n")
    assert set(lists.rglob("*")) == before
    write_yaml(lists / "weights.yaml", {"lm_weight": 0.5, "word_bonus": 1})
    by_file = ("--costs", "lm", "--weights", lists / "weights.yaml")
    assert call("nprr", "--clean", lists / "clean", "--perturbed", lists / "p1", *by_file).out == outcome.out


@pytest.mark.parametrize("metric", ["wer", "cer"])
def test_undefined_is_said_and_never_nan(lists: Path, call: Call, metric: str) -> None:
    """A clean set without errors; a directory's name stays what it is."""
    clean = toy_nbest(12, seed=1)
    right = tuple(replace(one, hypotheses=one.hypotheses[-1:]) for one in clean)  # the reference alone
    write_nbest_dir(lists / "right", replace(clean, lists=right, info={"metric": metric}))
    (lists / "mine").rename(lists / "WER")
    for name in ("p1", "WER"):
        info = read_yaml(lists / name / "nbest.yaml") | {"metric": metric}
        info.get("perturbation", {}).pop("source_checksum", None)
        write_yaml(lists / name / "nbest.yaml", info)
    outcome = call(
        *("nprr", "--clean", lists / "right", "--perturbed", lists / "p1", lists / "WER", "--out_dir", lists / "out")
    )
    assert outcome.status == 0, outcome.err
    assert outcome.out.count(f"undefined (clean {metric.upper()} is 0)") == 3  # two groups and an area
    assert outcome.out.count("| WER ") == 2
    assert "nan" not in outcome.out.lower()
    assert "NaN" not in (lists / "out" / "nprr.json").read_text()


def test_errors_of_characters_where_the_lists_are_scored_so(lists: Path, call: Call) -> None:
    for name in ("clean", "mine"):
        nbest = read_nbest_dir(lists / name)
        write_nbest_dir(lists / name, replace(nbest, info={"metric": "cer"}))
    options = ("--costs", "lm", "--lm_weight", "0.5", "--word_bonus", "1", "--out_dir", lists / "out")
    outcome = call("nprr", "--clean", lists / "clean", "--perturbed", lists / "mine", *options)
    assert outcome.status == 0, outcome.err
    assert "| clean CER | perturbed CER |" in outcome.out
    assert json.loads((lists / "out" / "nprr.json").read_text())["metric"] == "cer"


USES = "(stage 9: --tags and --sets; any N-best directories: --clean and --perturbed)"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), f"nothing to measure {USES}"),
        (("--tags", "x"), f"--tags without --sets {USES}"),
        (("--clean", "{0}/clean"), f"--clean without --perturbed {USES}"),
        (("--perturbed", "{0}/p1"), f"--perturbed without --clean {USES}"),
        (("--clean", "{0}/clean", "--tags", "x"), f"--tags and --clean do not go together {USES}"),
        (("--tags", "x", "--sets", "y", "--costs", "lm"), f"--costs does not go with --tags {USES}"),
        (
            ("--clean", "{0}/clean", "--perturbed", "{0}/p1", "--reference", "x"),
            f"--reference does not go with --clean {USES}",
        ),
        (
            ("--clean", "{0}/clean", "--perturbed", "{0}/p1", "--rates", "0.2"),
            f"--rates does not go with --clean {USES}",
        ),
        (("--tags", "x", "--sets", "y", "--lm_weight", "0"), f"--lm_weight does not go with --tags {USES}"),
        (
            ("--clean", "{0}/clean", "--perturbed", "{0}/p1", "--costs", "lm", "--word_bonus", "1"),
            "--word_bonus without --lm_weight (",
        ),
        (("--clean", "{0}/clean", "--perturbed", "{0}/p1", "--lm_weight", "1"), "weights without --costs ("),
        (("--clean", "{0}/clean", "--perturbed", "{0}/p1", "--costs", "lm"), "--costs without weights ("),
        (
            ("--clean", "{0}/clean", "--perturbed", "{0}/p1", "--costs", "lm", "--lm_weight", "-1"),
            "--lm_weight -1.0 --word_bonus 0.0, expected finite numbers",
        ),
        (
            ("--clean", "{0}/clean", "--perturbed", "{0}/p1", "--costs", "ml", "--lm_weight", "1"),
            "{0}/clean/lmwt.ml: cannot be read: No such file or directory (the scorer's costs",
        ),
        (("--clean", "{0}/clean", "--perturbed", "{0}/p1", "{0}/p1/"), "{0}/p1: is given twice"),
        (("--clean", "{0}/p1", "--perturbed", "{0}/p2"), "{0}/p1: is perturbed (--clean is the directory"),
        (("--clean", "{0}/clean", "--perturbed", "{0}/no"), "{0}/no: no N-best directory: words_text is missing"),
    ],
)
def test_bad_options(lists: Path, call: Call, options: tuple[str, ...], message: str) -> None:
    line = call("nprr", *(option.format(lists) for option in options)).error_line()
    assert line.removeprefix("lorescore nprr: ").startswith(message.format(lists))
