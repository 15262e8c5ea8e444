"""The paper's claims as tests: confirmed, refuted, neither and not tested, from drawn errors of known rates."""

import html
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_exp import tag_of, write_model

from lorescore.errors import InputError
from lorescore.files import write_table
from lorescore.nprr import (
    AreaRecord,
    Curve,
    Nprr,
    NprrDifference,
    NprrRecord,
    WordErrors,
    nprr,
    nprr_area,
    read_areas,
    read_records,
    read_word_errors,
    write_records,
    write_word_errors,
)
from lorescore.report import write_report
from lorescore.report.claims import Claim, check_claims, claims_table
from lorescore.report.models import read_models
from lorescore.report.robustness import area_table
from lorescore.report.word_errors import MeasuredErrors

ADALORA, FULL, VANILLA = (tag_of(strategy) for strategy in ("adalora", "full", "vanilla"))
UTTS, WORDS = 400, np.full(400, 15)
RATES = (0.1, 0.3)
FIRST_PASS = Nprr(5.0, 2.0, 8.0, (5.0,), 10.0, 10.5)  # every model has the same lists
CLEAN = np.random.default_rng(7).poisson(1.0, UTTS)


def write_measured(
    exp: Path,
    strategy: str,
    losses: Mapping[str, float],
    checksum: str = "c",
    rank: int = 8,
    set_name: str = "test",
    seed: int = 1,
) -> None:
    """What stages 5 and 9 leave; by kind, the errors that are added to each utterance at rate 1, on average."""
    tag = tag_of(strategy) if rank == 8 else tag_of(f"{strategy}_r{rank}")
    tag = tag.replace("_s1", f"_s{seed}")
    write_model(exp, strategy, tag=tag, strategy={"name": strategy, "rank": rank}, seed=seed)
    errors = {set_name: CLEAN}
    records, areas = [], []
    for kind, loss in losses.items():
        curve = {}
        for rate in RATES:
            # The same utterances lose in every model: the smaller loss is part of the larger one.
            draws = np.random.default_rng([*kind.encode(), round(10 * rate)]).random(UTTS)
            changed = draws < abs(loss) * rate
            perturbed = CLEAN + changed if loss > 0 else np.maximum(0, CLEAN - changed)
            errors[f"{set_name}_{kind}_p{rate}_s1"] = perturbed
            curve[rate] = perturbed[None]
            value = nprr(CLEAN, perturbed[None], WORDS)
            records.append(NprrRecord(tag, set_name, kind, rate, (1,), value, FIRST_PASS))
        area = nprr_area(Curve.of(CLEAN, curve))
        areas.append(AreaRecord(tag, set_name, kind, RATES, (1,), area, area))
    write_records(exp / "nprr" / f"{tag}.json", records, areas)
    write_word_errors(exp / "nprr" / f"{tag}.errors", WordErrors(errors, dict.fromkeys(errors, checksum)))


def areas_of(exp: Path) -> list[AreaRecord]:
    return [area for path in sorted(exp.glob("nprr/*.json")) for area in read_areas(path)]


def measured_of(exp: Path) -> MeasuredErrors:
    return MeasuredErrors.read(exp, areas_of(exp), read_models(exp / "plm"))


def claims_of(exp: Path) -> dict[tuple[str, str], Claim]:
    """The claims by number and other model."""
    claims = check_claims(areas_of(exp), read_models(exp / "plm"), measured_of(exp))
    assert {claim.set for claim in claims} == {"test"}
    return {(claim.number, re.sub(r".* than (\S+) .*|.*", r"\1", claim.text)): claim for claim in claims}


def test_all_confirmed(tmp_path: Path) -> None:
    write_measured(tmp_path, "adalora", {"1best": 0.6, "nbest": 0.3})
    write_measured(tmp_path, "full", {"1best": 0.2, "nbest": 0.8})
    write_measured(tmp_path, "vanilla", {"1best": 0.2, "nbest": 0.8})
    claims = claims_of(tmp_path)
    assert list(claims) == [
        ("2a", ""),
        ("2a'", FULL),
        ("2a'", VANILLA),
        ("2b", FULL),
        ("2b", VANILLA),
    ]
    assert {claim.outcome for claim in claims.values()} == {"confirmed"}
    assert claims["2b", FULL].text == f"{ADALORA} degrades less than {FULL} under N-best perturbation"
    assert (claims["2b", FULL].value or 0) < 0 < (claims["2a'", FULL].value or 0)
    assert (claims["2a", ""].low or 0) > 0
    assert claims["2a", ""].p is None


def test_all_refuted(tmp_path: Path) -> None:
    write_measured(tmp_path, "adalora", {"1best": -0.6, "nbest": 0.8})
    write_measured(tmp_path, "full", {"1best": 0.3, "nbest": 0.2})
    write_measured(tmp_path, "vanilla", {"1best": 0.3, "nbest": 0.2})
    assert {claim.outcome for claim in claims_of(tmp_path).values()} == {"refuted"}


def test_equal_models_decide_nothing(tmp_path: Path) -> None:
    for strategy in ("adalora", "full"):
        write_measured(tmp_path, strategy, {"1best": 0.3, "nbest": 0.3})
    claims = claims_of(tmp_path)
    assert claims["2a", ""].outcome == "confirmed"
    for number in ("2a'", "2b"):
        assert (claims[number, FULL].value, claims[number, FULL].p) == (0, 1)
        assert claims[number, FULL].outcome == "neither confirmed nor refuted"
        lists = "1best" if number == "2a'" else "nbest"
        assert claims[number, "vanilla"].outcome == f"not tested: no run of vanilla on {lists} lists"


def test_what_was_not_run_is_not_tested(tmp_path: Path) -> None:
    write_measured(tmp_path, "full", {"1best": 0.3, "nbest": 0.3})
    claims = claims_of(tmp_path)
    for (number, _), claim in claims.items():
        assert claim.outcome == f"not tested: no run of adalora on {'nbest' if number == '2b' else '1best'} lists"


def test_only_the_same_lists_are_compared(tmp_path: Path) -> None:
    write_measured(tmp_path, "adalora", {"1best": 0.3, "nbest": 0.3})
    write_measured(tmp_path, "full", {"1best": 0.3, "nbest": 0.3}, checksum="other")
    write_measured(tmp_path, "vanilla", {"1best": 0.3, "nbest": 0.3})
    (tmp_path / "nprr" / f"{VANILLA}.errors").unlink()
    claims = claims_of(tmp_path)
    assert claims["2b", FULL].outcome == f"not tested: {ADALORA} and {FULL} were measured on different lists of test"
    assert claims["2b", VANILLA].outcome == f"not tested: no word errors of {VANILLA}: run stage 9 again"


def test_trainings_that_differ_in_the_seed_are_one(tmp_path: Path) -> None:
    """Each seed's own luck points another way; together they are even."""
    write_measured(tmp_path, "full", {"1best": 0.4, "nbest": 0.4})
    write_measured(tmp_path, "adalora", {"1best": 0.4, "nbest": 0.2}, seed=1)
    alone = claims_of(tmp_path)["2b", FULL]
    assert (alone.outcome, alone.text.split()[0]) == ("confirmed", ADALORA)
    write_measured(tmp_path, "adalora", {"1best": 0.4, "nbest": 0.6}, seed=2)
    together = claims_of(tmp_path)["2b", FULL]
    assert together.outcome == "neither confirmed nor refuted"
    group = ADALORA.removesuffix("_s1")
    assert together.text == f"{group} (2 seeds) degrades less than {FULL} under N-best perturbation"
    # The clean errors are the same, and so the mean of the two areas is that of the sum.
    found = [one.area.value or 0 for one in areas_of(tmp_path) if one.tag.startswith(group) and one.kind == "nbest"]
    other = next(one.area.value or 0 for one in areas_of(tmp_path) if one.tag == FULL and one.kind == "nbest")
    assert together.value == pytest.approx(np.mean(found) - other)


def test_a_handful_of_utterances_decides_nothing(tmp_path: Path) -> None:
    for strategy, loss in (("adalora", 0.1), ("full", 0.9)):
        write_measured(tmp_path, strategy, {"1best": 0.9, "nbest": loss})
        path = tmp_path / "nprr" / f"{tag_of(strategy)}.errors"
        stored = read_word_errors(path)
        write_word_errors(path, WordErrors({name: one[:49] for name, one in stored.errors.items()}, stored.checksums))
    claims = claims_of(tmp_path)
    assert {claims["2a", ""].outcome, claims["2b", FULL].outcome} == {"not tested: fewer than 50 utterances"}


def test_the_report_compares_with_the_reference_as_it_is_now(tmp_path: Path) -> None:
    write_measured(tmp_path, "vanilla", {"1best": 0.3})
    write_measured(tmp_path, "full", {"1best": 0.6})
    path, errors = tmp_path / "nprr" / f"{VANILLA}.json", tmp_path / "nprr" / f"{FULL}.errors"
    old = NprrDifference(77.0, 70.0, 80.0, 0.5)
    write_records(
        path,
        [replace(one, reference=FULL, difference=old) for one in read_records(path)],
        [replace(one, reference=FULL, difference=old) for one in read_areas(path)],
    )
    vanilla, full = (next(one for one in areas_of(tmp_path) if one.tag == tag) for tag in (VANILLA, FULL))
    text = write_report(tmp_path).path.read_text(encoding="utf-8")
    assert "+77.00" not in text
    assert f" {(vanilla.area.value or 0) - (full.area.value or 0):+.2f} " in text
    # Without the reference's errors what stage 9 wrote stands.
    kept = errors.read_bytes()
    errors.unlink()
    assert "+77.00" in write_report(tmp_path).path.read_text(encoding="utf-8")
    # Of other lists there is no table at all.
    errors.write_bytes(kept.replace(b" c ", b" d "))
    with pytest.raises(InputError, match="is of different lists of test"):
        write_report(tmp_path)


def test_the_nearest_rescorer_that_was_measured_there_is_compared(tmp_path: Path) -> None:
    write_measured(tmp_path, "adalora", {"1best": 0.3, "nbest": 0.3}, rank=16)
    write_measured(tmp_path, "vanilla", {"1best": 0.3}, rank=16)
    write_measured(tmp_path, "vanilla", {"1best": 0.3, "nbest": 0.3})
    write_measured(tmp_path, "full", {"1best": 0.3, "nbest": 0.3}, set_name="other")
    claims = check_claims(areas_of(tmp_path), read_models(tmp_path / "plm"), measured_of(tmp_path))
    of_test = {(one.number, one.text.split(" than ")[-1].split()[0]) for one in claims if one.set == "test"}
    assert {("2a'", tag_of("vanilla_r16")), ("2b", VANILLA), ("2b", "full")} < of_test


def test_other_plms_are_not_compared(tmp_path: Path) -> None:
    write_measured(tmp_path, "adalora", {"1best": 0.3, "nbest": 0.3})
    write_measured(tmp_path, "full", {"1best": 0.3, "nbest": 0.3})
    write_model(tmp_path, "full", plm={"name": "other", "scorer": "clm"})
    assert claims_of(tmp_path)["2b", "full"].outcome == "not tested: no run of full on nbest lists"


def test_the_report_has_them_below_the_tables_of_nprr(tmp_path: Path) -> None:
    for strategy, loss in (("adalora", 0.3), ("vanilla", 0.8)):
        write_measured(tmp_path, strategy, {"1best": 0.3, "nbest": loss})
    report = write_report(tmp_path)
    text = report.path.read_text(encoding="utf-8")
    headings = re.findall(r"^##.*", text, re.MULTILINE)
    begin = headings.index("## Table 2: robustness (NPRR)")
    assert headings[begin + 1 : begin + 4] == ["### test", "### Area under the NPRR curve", "## The paper's claims"]
    assert "| confirmed" in text
    assert "not tested: no run of full" in report.main_tables
    assert "The paper's claims" in html.unescape(report.page.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("p", "text"), [(None, "-"), (0.04, "0.0400")])
def test_rows(p: float | None, text: str) -> None:
    (row,) = claims_table([Claim("test", "2b", "a claim", -1.5, -2.0, -1.0, 0.5, "confirmed", p)]).rows
    assert row == ("test", "2b", "a claim", "-1.50", "[-2.00, -1.00]", "0.5000", text, "confirmed")


def test_p_over_speakers(tmp_path: Path) -> None:
    """A loss on one speaker of forty is sure of these utterances, and not of other speakers."""
    write_measured(tmp_path, "adalora", {"1best": 0.6})
    write_measured(tmp_path, "full", {"1best": 0.6})
    full = read_word_errors(tmp_path / "nprr" / f"{FULL}.errors")
    more = {name: errors.copy() for name, errors in full.errors.items()}
    more["test_1best_p0.3_s1"][:10] += 5
    write_word_errors(tmp_path / "nprr" / f"{ADALORA}.errors", WordErrors(more, full.checksums))
    assert claims_of(tmp_path)["2a'", FULL].p_speakers is None  # nobody knows the speakers
    path = tmp_path / "rescore" / ADALORA / "test" / "scoring_kaldi" / "utt2spk"
    write_table(path, {f"u{utt:03d}": f"s{utt // 10}" for utt in range(UTTS)})
    claim = claims_of(tmp_path)["2a'", FULL]
    assert claim.p is not None and claim.p < 0.01
    assert claim.p_speakers == 1  # exchanged or not, the one speaker's errors make the same difference
    # The table of areas says the same of the same two.
    areas = [
        replace(one, reference=FULL, difference=NprrDifference(1.0, 0.5, 1.5, 0.001)) for one in areas_of(tmp_path)
    ]
    (row,) = (row for row in area_table(areas, measured_of(tmp_path)).rows if row[4] == ADALORA)
    assert f"0.0010 / {claim.p_speakers:.4f}" in row
    write_table(path, {f"u{utt:03d}": f"s{utt // 10}" for utt in range(UTTS - 1)})  # of another decode
    assert claims_of(tmp_path)["2a'", FULL].p_speakers is None
