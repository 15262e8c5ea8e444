"""The records of stage 9 and the word errors beside them: round trips, what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lorescore.errors import InputError
from lorescore.nprr import (
    AreaRecord,
    Losses,
    Nprr,
    NprrDifference,
    NprrRecord,
    WordErrors,
    read_areas,
    read_records,
    read_word_errors,
    write_records,
    write_word_errors,
)
from lorescore.wer.resampling import Estimate

DEFINED = Nprr(35.0, 10.0, 60.0, (20.0, 50.0), 10.0, 13.5)
UNDEFINED = Nprr(None, None, None, (None, None), 0.0, 10.0)
LOSSES = Losses(30.0, 10.0, 35.0, 15.0, 50.0, None, None, None, None, 5.0, 0.0)
FIRST = NprrRecord("smollm2_adalora", "test", "1best", 0.1, (1, 2), DEFINED, UNDEFINED)
AREA = AreaRecord("m", "test", "nbest", (0.1, 0.3), (1,), Estimate(4.0, 1.0, 7.0), Estimate(None, None, None))


def test_records_round_trip_and_are_sorted(tmp_path: Path) -> None:
    difference = NprrDifference(1.0, -1.0, 3.0, 0.4)
    second = replace(FIRST, rate=0.3, reference="r", difference=difference, losses=LOSSES, metric="cer")
    undefined = NprrDifference(None, None, None, None)
    compared = replace(AREA, reference="r", difference=undefined, perturbation="near", metric="cer")
    write_records(tmp_path / "nprr.json", [second, FIRST], [compared, AREA])
    assert read_records(tmp_path / "nprr.json") == [FIRST, second]
    assert read_areas(tmp_path / "nprr.json") == [AREA, compared]
    assert (FIRST.lists, compared.lists) == ("1best", "near nbest")
    assert '\n   "tag": "smollm2_adalora",\n' in (tmp_path / "nprr.json").read_text()


def test_records_of_earlier_versions_are_of_words(tmp_path: Path) -> None:
    write_records(tmp_path / "m.json", [FIRST], [AREA])
    content = json.loads((tmp_path / "m.json").read_text())
    for record in (*content["nprr"], *content["areas"]):
        del record["metric"]
    (tmp_path / "m.json").write_text(json.dumps(content))
    assert read_records(tmp_path / "m.json") == [FIRST]
    assert read_areas(tmp_path / "m.json") == [AREA]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[\n{,", ":2: not JSON"),
        ("{}", "expected a JSON object with a list of records under 'nprr'"),
        ('{"nprr": 1}', "expected a JSON object with a list of records under 'nprr'"),
        ("3", "expected a JSON object"),
        ("[]", "expected a JSON object"),
        ('{"nprr": [{"tag": "a"}]}', "record 1 is not an NPRR record"),
        ('{"nprr": ["a"]}', "record 1 is not an NPRR record"),
        ('{"nprr": [null]}', "record 1 is not an NPRR record"),
    ],
)
def test_bad_records(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "nprr.json").write_text(content)
    with pytest.raises(InputError, match=message):
        read_records(tmp_path / "nprr.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_records(tmp_path / "nowhere.json")


def test_a_loss_that_is_always_defined_may_not_be_null(tmp_path: Path) -> None:
    write_records(tmp_path / "m.json", [replace(FIRST, losses=LOSSES)])
    text = (tmp_path / "m.json").read_text()
    (tmp_path / "m.json").write_text(text.replace('"clean_oracle": 10.0', '"clean_oracle": null'))
    with pytest.raises(InputError, match="record 1 is not an NPRR record"):
        read_records(tmp_path / "m.json")


def test_word_errors_round_trip(tmp_path: Path) -> None:
    written = WordErrors({"test_b": np.array([0, 12]), "test": np.array([1, 2])}, {"test_b": "ab", "test": "cd"})
    write_word_errors(tmp_path / "m.errors", written)
    assert (tmp_path / "m.errors").read_text() == "test cd 1 2\ntest_b ab 0 12\n"
    found = read_word_errors(tmp_path / "m.errors")
    assert found.checksums == written.checksums
    assert found.rows(["test", "test_b"]).tolist() == [[1, 2], [0, 12]]


def test_word_errors_of_several_models_and_of_speakers() -> None:
    one = WordErrors({"test": np.array([1, 2, 4]), "dev": np.array([5])}, {"test": "cd", "dev": "ef"})
    other = WordErrors({"test": np.array([10, 20, 40])}, {"test": "cd"})

    def content(errors: WordErrors) -> dict[str, tuple[str, list[int]]]:
        return {name: (errors.checksums[name], found.tolist()) for name, found in errors.errors.items()}

    assert content(WordErrors.summed([one, other])) == {"test": ("cd", [11, 22, 44])}
    assert content(one.times(3)) == {"test": ("cd", [3, 6, 12]), "dev": ("ef", [15])}
    assert content(other.by_speaker(["b", "a", "b"])) == {"test": ("cd", [20, 50])}
    assert content(one | other) == {"test": ("cd", [10, 20, 40]), "dev": ("ef", [5])}
    assert content(one.only(["dev"])) == {"dev": ("ef", [5])}


@pytest.mark.parametrize("content", ["test\n", "test cd\n", "test cd 1 -2\n", "test cd 1 a\n", "\n", "t c 1\nt c 1\n"])
def test_bad_word_errors(tmp_path: Path, content: str) -> None:
    (tmp_path / "m.errors").write_text(content)
    with pytest.raises(InputError, match="expected `directory checksum errors...`"):
        read_word_errors(tmp_path / "m.errors")
