"""Strategies compared over seeds: numbers by hand, the tests, who is compared with whom, and what is left out."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_exp import WORDS, needs_sclite, write_model, write_scores

from lorescore.files import read_yaml, write_yaml
from lorescore.report import Model, Training, collect
from lorescore.report.comparison import Comparison, StrategyScore, compare_strategies, group_models
from lorescore.report.tables import wer_tables
from lorescore.wer import wer_interval
from lorescore.wer.speakers import resample_speakers

FROZEN = "smollm2_clm_none"
REFS = {"a-1": "one two three four", "a-2": "five six", "b-1": "seven eight", "b-2": "nine ten"}
WRONG = dict.fromkeys(REFS, "")  # 10 errors of 10 words
HALF = {"a-1": "one two", "a-2": "five", "b-1": "seven", "b-2": "nine"}  # 5 errors


def name(strategy: str, seed: int) -> str:
    return f"smollm2_clm_{strategy}_mwer_s{seed}"


def add_model(exp_dir: Path, adapted_by: str, tag: str, **changes: object) -> None:
    """A rescorer of this tag."""
    (exp_dir / "plm").mkdir(parents=True, exist_ok=True)
    write_model(exp_dir / "scratch", adapted_by, **changes).rename(exp_dir / "plm" / tag)


def add_seeds(exp_dir: Path, strategy: str, seeds: tuple[int, ...] = (1, 2), **changes: object) -> None:
    for seed in seeds:
        add_model(exp_dir, strategy, name(strategy, seed), seed=seed, **changes)


def compared(exp_dir: Path, hyps: Mapping[str, Mapping[str, str]], refs: Mapping[str, str] = REFS) -> list[Comparison]:
    write_scores(exp_dir, "test", refs, hyps)
    return list(compare_strategies(collect(exp_dir), exp_dir))


def rows(comparison: Comparison) -> dict[str, StrategyScore]:
    return {row.strategy: row for row in comparison.rows}


def drawn(refs: Mapping[str, str], rate: float, seed: int) -> dict[str, str]:
    rng = np.random.default_rng(seed)
    return {utt: " ".join("zzz" if rng.random() < rate else word for word in refs[utt].split()) for utt in refs}


@pytest.fixture
def many_refs() -> dict[str, str]:
    rng = np.random.default_rng(5)
    return {f"s{number % 4}-{number:03d}": " ".join(rng.choice(WORDS, 10)) for number in range(60)}


def test_trainings_that_differ_in_the_seed_are_a_group() -> None:
    def model(tag: str, objective: str, seed: int | None) -> Model:
        return Model(tag, "a_mwer_s1", "clm", "full", None, objective, seed, 1, 1, Training(), {}, ())

    models = [
        model("p_clm_full_mwer_s2", "mwer", 2),
        model("p_clm_none", "", None),
        model("p_clm_full_mwer_s12", "mwer", 12),
        model("p_clm_full_mwer_s1_long", "mwer", 1),
        model("p_clm_full_mwer+distill_s1", "mwer+distill", 1),
        model("p_clm_full_mwer_s1", "mwer", 1),
    ]
    groups = {group: [one.seed for one in of] for group, of in group_models(models).items()}
    assert groups == {
        "p_clm_full_mwer": [1, 2, 12],
        "p_clm_none": [None],
        "p_clm_full_mwer_long": [1],
        "p_clm_full_mwer+distill": [1],
    }


@needs_sclite
def test_mean_range_change_and_gap(tmp_path: Path) -> None:
    for strategy in ("full", "vanilla"):
        add_seeds(tmp_path, strategy)
    hyps = {"first_pass": WRONG, "oracle": REFS, name("full", 1): HALF, name("full", 2): WRONG}
    (one,) = compared(tmp_path, hyps | {name("vanilla", 1): REFS, name("vanilla", 2): REFS})
    assert (one.set, one.plm, one.scorer, one.objective) == ("test", "smollm2", "clm", "mwer")
    assert (one.first_pass, one.oracle) == (100.0, 0.0)
    full, vanilla = one.rows
    assert (full.group, full.wers, full.wer, full.gap) == ("smollm2_clm_full_mwer", (50.0, 100.0), 75.0, 25.0)
    assert full.change is not None and full.change.value == -25.0
    assert (vanilla.wer, vanilla.gap) == (0.0, 100.0)
    # vanilla has fewer errors on every utterance, so in every resample; with seed 1 by 2, 1, 1, 1 in a segment each.
    assert (vanilla.against["full"].group, vanilla.against["full"].p_bootstrap) == ("smollm2_clm_full_mwer", 0.0)
    assert full.against["vanilla"].p_bootstrap == 1.0
    tests = vanilla.against["full"].mapsswe
    assert list(tests) == [1, 2]
    assert (tests[1].segments, tests[1].mean, tests[1].z) == (4, 1.25, pytest.approx(5.0, abs=1e-3))
    assert full.against["vanilla"].mapsswe[1].mean == -1.25
    assert set(full.against) == {"vanilla"} and set(vanilla.against) == {"full"}


@needs_sclite
def test_the_interval_is_that_of_table_1(tmp_path: Path, many_refs: dict[str, str]) -> None:
    for strategy in ("full", "vanilla"):
        add_seeds(tmp_path, strategy, (1,))
    hyps = {name("full", 1): drawn(many_refs, 0.2, 1), name("vanilla", 1): drawn(many_refs, 0.1, 2)}
    (one,) = compared(tmp_path, hyps, many_refs)
    for row in one.rows:
        expected = wer_interval(many_refs, hyps[row.models[0].tag])
        assert row.interval is not None and row.change is None and row.gap is None
        assert (row.interval.low, row.interval.high) == pytest.approx((expected.low, expected.high), abs=1e-4)


@needs_sclite
def test_speakers_are_resampled_where_they_are_enough(tmp_path: Path, many_refs: dict[str, str]) -> None:
    six = {f"{number % 6}{utt}": text for number, (utt, text) in enumerate(many_refs.items())}
    hyps = {tag: drawn(six, 0.15, seed) for seed, tag in enumerate([FROZEN, name("full", 1), name("vanilla", 1)])}
    for strategy in ("full", "vanilla"):
        add_seeds(tmp_path, strategy, (1,))
    add_model(tmp_path, "none", FROZEN, seed=None, objective=None)
    (one,) = compared(tmp_path, hyps | {"first_pass": drawn(six, 0.3, 9)}, six)
    utt2spk = {utt: utt.partition("-")[0] for utt in six}
    for row in one.rows:
        tag = row.models[0].tag
        for strategy, baseline in (("full", name("full", 1)), ("vanilla", name("vanilla", 1))):
            expected = resample_speakers(six, hyps[tag], utt2spk, hyps[baseline], "wer")
            assert expected is not None
            assert (one.speakers, row.speaker_interval) == (expected.speakers, expected.interval)
            if strategy in row.against:
                assert row.against[strategy].p_speakers == expected.p_value
    # Table 1 has the same, against the first pass and the frozen one.
    (table,) = wer_tables(collect(tmp_path))
    expected = resample_speakers(six, hyps[name("full", 1)], utt2spk, hyps[FROZEN], "wer")
    assert expected is not None and expected.interval is not None
    assert "60 utterances of 12 speakers" in table.title
    (row_of_full,) = (
        dict(zip(table.columns, cells, strict=True)) for cells in table.rows if cells[0] == name("full", 1)
    )
    assert row_of_full["over speakers"] == f"[{expected.interval.low:.2f}, {expected.interval.high:.2f}]"
    assert row_of_full["p frozen"].endswith(f" / {expected.p_value:.4f}")
    assert " / " in row_of_full["p first pass"]


@needs_sclite
def test_four_speakers_are_too_few(tmp_path: Path, many_refs: dict[str, str]) -> None:
    for strategy in ("full", "vanilla"):
        add_seeds(tmp_path, strategy, (1,))
    hyps = {name(strategy, 1): drawn(many_refs, 0.1, seed) for seed, strategy in enumerate(["full", "vanilla"])}
    (one,) = compared(tmp_path, hyps, many_refs)
    assert one.speakers == 0
    assert {row.speaker_interval for row in one.rows} == {None}
    (table,) = wer_tables(collect(tmp_path))
    assert "over speakers" not in table.columns and "speakers" not in table.title


@needs_sclite
def test_two_equal_seeds_are_as_sure_as_one(tmp_path: Path, many_refs: dict[str, str]) -> None:
    better, worse = drawn(many_refs, 0.12, 1), drawn(many_refs, 0.14, 2)
    for number, seeds in enumerate([(1,), (1, 2)]):
        exp_dir = tmp_path / str(number)
        add_seeds(exp_dir, "full", (1,))
        add_seeds(exp_dir, "vanilla", seeds)
        compared(exp_dir, {name("full", 1): worse} | {name("vanilla", seed): better for seed in seeds}, many_refs)
    one, two = (rows(compare_strategies(collect(tmp_path / part), tmp_path / part)[0])["vanilla"] for part in "01")
    assert 0.0 < one.against["full"].p_bootstrap < 1.0
    assert one.against["full"].p_bootstrap == two.against["full"].p_bootstrap
    assert one.interval is not None and two.interval is not None  # drawn anew for a mean over seeds
    assert (one.interval.low, one.interval.high) == pytest.approx((two.interval.low, two.interval.high), abs=0.25)
    assert list(two.against["full"].mapsswe) == [1]  # full has no seed 2


@needs_sclite
def test_other_systems_change_nothing(tmp_path: Path, many_refs: dict[str, str]) -> None:
    hyps = {name(strategy, 1): drawn(many_refs, 0.1, seed) for seed, strategy in enumerate(["full", "vanilla"])}
    for strategy in ("full", "vanilla"):
        add_seeds(tmp_path, strategy, (1,))
    (alone,) = compared(tmp_path, hyps, many_refs)
    add_seeds(tmp_path, "adalora", (1,))
    (beside,) = compared(tmp_path, {name("adalora", 1): drawn(many_refs, 0.3, 9)}, many_refs)
    assert beside.rows[:2] == alone.rows


@needs_sclite
def test_what_is_frozen_is_tested_against_every_seed_and_in_every_objective(tmp_path: Path) -> None:
    add_model(tmp_path, "none", FROZEN, objective=None, seed=None)
    add_seeds(tmp_path, "vanilla")
    add_model(tmp_path, "full", "smollm2_clm_full_lm_s1", objective="lm")
    hyps = {FROZEN: HALF, name("vanilla", 1): REFS, name("vanilla", 2): WRONG, "smollm2_clm_full_lm_s1": HALF}
    mwer, lm = compared(tmp_path, hyps)
    assert [(one.objective, list(rows(one))) for one in (mwer, lm)] == [
        ("mwer", ["none", "vanilla"]),
        ("lm", ["none", "full"]),
    ]
    frozen = rows(mwer)["none"]
    signs = {seed: float(np.sign(test.mean)) for seed, test in frozen.against["vanilla"].mapsswe.items()}
    assert signs == {1: -1.0, 2: 1.0}
    assert rows(lm)["none"].against["full"].p_bootstrap == 1.0


@needs_sclite
def test_the_baseline_has_the_same_rank_and_parameters_are_held_against_it(tmp_path: Path) -> None:
    add_seeds(tmp_path, "vanilla", (1,))
    for strategy, trainable in (("vanilla", 2000), ("adalora", 2039), ("full", 10**6)):
        add_model(
            tmp_path,
            strategy,
            f"smollm2_clm_{strategy}_r16_mwer_s1",
            strategy={"name": strategy, "rank": 16},
            trainable_parameters=trainable,
        )
    add_model(tmp_path, "adalora", name("adalora", 1), trainable_parameters=950_000)
    tags = [path.name for path in (tmp_path / "plm").iterdir()]
    (one,) = compared(tmp_path, dict.fromkeys(tags, HALF))
    found = {row.group: row for row in one.rows}
    assert found["smollm2_clm_adalora_r16_mwer"].against["vanilla"].group == "smollm2_clm_vanilla_r16_mwer"
    assert found["smollm2_clm_adalora_mwer"].against["vanilla"].group == "smollm2_clm_vanilla_mwer"
    assert found["smollm2_clm_adalora_r16_mwer"].off_budget is None  # 1.95 %
    assert found["smollm2_clm_adalora_mwer"].off_budget == pytest.approx(100 * (950_000 / 921_600 - 1))
    assert found["smollm2_clm_full_r16_mwer"].off_budget is None
    assert found["smollm2_clm_vanilla_r16_mwer"].against.keys() == {"full"}


@needs_sclite
def test_errors_of_characters(tmp_path: Path) -> None:
    for strategy in ("full", "vanilla"):
        add_seeds(tmp_path, strategy, (1,))
    refs = {"a-1": "今天 天气", "a-2": "好"}
    hyps = {name("full", 1): {"a-1": "今天天汽", "a-2": "好"}, name("vanilla", 1): refs}
    write_scores(tmp_path, "test", refs, hyps)
    for tag in hyps:
        path = tmp_path / "rescore" / tag / "test" / "result.yaml"
        write_yaml(path, read_yaml(path) | {"metric": "cer"})
    full, _ = compare_strategies(collect(tmp_path), tmp_path)[0].rows
    assert full.wer == pytest.approx(20.0)


@needs_sclite
def test_nothing_to_compare(tmp_path: Path) -> None:
    add_seeds(tmp_path, "vanilla")
    assert compared(tmp_path, {name("vanilla", 1): REFS, name("vanilla", 2): HALF}) == []
    add_seeds(tmp_path, "full", (1,))
    assert compared(tmp_path, {}) == []  # not scored


@needs_sclite
def test_without_sctk_there_is_no_mapsswe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for strategy in ("full", "vanilla"):
        add_seeds(tmp_path, strategy, (1,))
    (with_test,) = compared(tmp_path, {name("full", 1): HALF, name("vanilla", 1): REFS})
    monkeypatch.setenv("PATH", str(tmp_path))
    (without,) = compare_strategies(collect(tmp_path), tmp_path)
    for row, other in zip(without.rows, with_test.rows, strict=True):
        ((strategy, against),) = other.against.items()
        assert row == replace(other, against={strategy: replace(against, mapsswe={})})
