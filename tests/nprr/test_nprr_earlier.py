"""What stays of a rescorer's earlier measurements: that of the same lists, which is not measured again."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy_nbest import toy_nbest

from lorescore.nbest import write_nbest_dir
from lorescore.nbest.directory import content_checksum
from lorescore.nprr import AreaRecord, Nprr, NprrRecord, WordErrors, write_records, write_word_errors
from lorescore.nprr.conditions import Condition, condition_of
from lorescore.nprr.earlier import Earlier, read_earlier
from lorescore.wer.resampling import Estimate

CONDITIONS = [Condition(name, "homophone", "nbest", (0.1, 0.3), (1,)) for name in ("dev", "test")]
NPRR, AREA = Nprr(1.0, 0.0, 2.0, (1.0,), 10.0, 10.1), Estimate(1.0, 0.0, 2.0)
RECORDS = [
    NprrRecord("tiny", one.set, one.kind, rate, one.seeds, NPRR, NPRR) for one in CONDITIONS for rate in one.rates
]
AREAS = [AreaRecord("tiny", one.set, one.kind, one.rates, one.seeds, AREA, AREA) for one in CONDITIONS]


@pytest.fixture
def exp(tmp_path: Path) -> Path:
    """Lists of two sets, and what was measured on them."""
    names = [name for one in CONDITIONS for name in (one.set, *sum(one.names("tiny").values(), []))]
    for seed, name in enumerate(names):
        write_nbest_dir(tmp_path / "nbest" / name, toy_nbest(3, seed))
    errors = WordErrors(
        {name: np.arange(3) for name in names}, {name: content_checksum(tmp_path / "nbest" / name) for name in names}
    )
    write_records(tmp_path / "nprr" / "tiny.json", RECORDS, AREAS)
    write_word_errors(tmp_path / "nprr" / "tiny.errors", errors)
    return tmp_path


def read(exp: Path, *measured: Condition, same_model: bool = True) -> Earlier:
    return read_earlier(exp / "nprr", "tiny", same_model, measured, exp / "nbest")


def of_sets(earlier: Earlier) -> tuple[list[tuple[str, float]], list[str], list[str]]:
    """Set and rate of the records, sets of the areas, and the directories of the word errors."""
    records = [(one.set, one.rate) for one in earlier.records]
    return records, [one.set for one in earlier.areas], sorted(earlier.word_errors.errors)


DEV = ([("dev", 0.1), ("dev", 0.3)], ["dev"], ["dev", "dev_nbest_p0.1_s1", "dev_nbest_p0.3_s1"])


def test_all_stays_where_nothing_changed(exp: Path) -> None:
    assert (read(exp).records, read(exp).areas) == (RECORDS, AREAS)
    assert len(read(exp).word_errors.errors) == 6
    other_kind = replace(condition_of(AREAS[1]), kind="1best")
    assert read(exp, other_kind).records == RECORDS


def test_what_is_measured_again_does_not_stay_whatever_its_rates(exp: Path) -> None:
    assert of_sets(read(exp, replace(CONDITIONS[1], rates=(0.5,)))) == DEV


def test_what_was_measured_on_other_lists_does_not_stay(exp: Path) -> None:
    write_nbest_dir(exp / "nbest" / "test", toy_nbest(3, seed=99))
    assert of_sets(read(exp)) == DEV


def test_an_area_needs_the_lists_of_all_rates(exp: Path) -> None:
    shutil.rmtree(exp / "nbest" / "test_nbest_p0.3_s1")
    records, areas, directories = DEV
    assert of_sets(read(exp)) == ([*records, ("test", 0.1)], areas, [*directories, "test", "test_nbest_p0.1_s1"])


def test_nothing_stays_of_another_model_or_of_what_was_cut_off(exp: Path) -> None:
    assert read(exp, same_model=False) == Earlier()
    (exp / "nprr" / "tiny.errors").rename(exp / "nprr" / "other.errors")
    assert read(exp) == Earlier()
    (exp / "nprr" / "tiny.json").unlink()
    (exp / "nprr" / "other.errors").rename(exp / "nprr" / "tiny.errors")
    assert read(exp) == Earlier()
