"""What is written in a format reads back as far as the format can hold it, and what it cannot hold is said."""

import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from drawn_lists import nbest_sets
from hypothesis import HealthCheck, given, settings

from lorescore.errors import InputError
from lorescore.nbest import Hypothesis, NbestList, NbestSet
from lorescore.nbest.formats import FORMATS, FormatOptions, find_format
from lorescore.nbest.lists import CostParts

# Name of a file: its format.
NAMES = {
    "decode": "espnet",
    "nbest": "nbest-dir",
    "archives": "kaldi",
    "lists.json": "mlm-scoring",
    "beams.tsv": "nemo",
    "recogs.txt": "icefall",
    "lists.tsv": "tsv",
    "lists.jsonl": "jsonl",
    "table.csv": "datasets",
    "table.parquet": "datasets",
    "table.arrow": "datasets",
    "table": "datasets",
}
PACKAGES = {"table.parquet": "pyarrow", "table.arrow": "pyarrow", "table": "datasets"}


def each(nbest: NbestSet, change: Callable[[Hypothesis], Hypothesis]) -> NbestSet:
    """The set with each hypothesis changed."""
    return replace(nbest, lists=tuple(NbestList(one.utt, tuple(map(change, one.hypotheses))) for one in nbest))


def without_parts(nbest: NbestSet) -> NbestSet:
    return each(nbest, lambda one: Hypothesis(one.text, one.score))


def without_refs(nbest: NbestSet) -> NbestSet:
    return replace(nbest, refs={})


def rounded(nbest: NbestSet) -> NbestSet:
    """With costs of four decimals, as Kaldi's and this project's files have them."""

    def change(one: Hypothesis) -> Hypothesis:
        if one.parts is None:
            return Hypothesis(one.text, -float(f"{-one.score:.4f}"))
        parts = (float(f"{part:.4f}") for part in (one.parts.acoustic, one.parts.nolm, one.parts.lmonly))
        return Hypothesis.from_parts(one.text, CostParts(*parts), nbest.info["acoustic_scale"])

    return each(nbest, change)


def without_copies(nbest: NbestSet) -> NbestSet:
    """Without what repeats the last hypothesis at the end of a list."""
    lists = []
    for one in nbest:
        kept = list(one.hypotheses)
        while len(kept) > 1 and kept[-1] == kept[-2]:
            kept.pop()
        lists.append(NbestList(one.utt, tuple(kept)))
    return replace(nbest, lists=tuple(lists))


def first_best(nbest: NbestSet) -> NbestSet:
    """The 1-best, without scores."""
    return replace(nbest, lists=tuple(NbestList(one.utt, (Hypothesis(one.texts[0], 0.0),)) for one in nbest))


HELD: dict[str, Callable[[NbestSet], NbestSet]] = {
    "espnet": lambda nbest: without_refs(without_parts(nbest)),
    "nbest-dir": rounded,
    "kaldi": without_refs,
    "mlm-scoring": without_parts,
    "nemo": lambda nbest: without_copies(without_refs(without_parts(nbest))),
    "icefall": first_best,
    "tsv": lambda nbest: without_refs(without_parts(nbest)),
    "jsonl": lambda nbest: nbest,
    "datasets": lambda nbest: nbest,
}


def content(nbest: NbestSet) -> tuple[object, ...]:
    """All that two sets may differ in, except for where they come from."""
    return nbest.lists, dict(nbest.refs), nbest.info.get("acoustic_scale") if nbest.has_parts else None


def write_and_read(folder: Path, name: str, nbest: NbestSet) -> NbestSet:
    """Write a set under a name, see that its format is recognised, and read it."""
    path = folder / name
    shutil.rmtree(path, ignore_errors=True)  # some formats do not write over a directory
    utts = folder / "utts"
    utts.write_text("".join(f"{one.utt}\n" for one in nbest), encoding="utf-8")
    form = FORMATS[NAMES[name]]
    options = FormatOptions(utts=utts, acoustic_scale=nbest.info.get("acoustic_scale", 1.0))
    form.write(path, nbest, options)
    assert find_format(path)[0] is form
    return form.read(path, options)


@pytest.mark.parametrize("name", NAMES)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    if name in PACKAGES and importlib.util.find_spec(PACKAGES[name]) is None:
        pytest.skip(f"{PACKAGES[name]} is not installed")
    folder = tmp_path_factory.mktemp("round_trip")
    form = FORMATS[NAMES[name]]
    few = 30 if "." in name else 10  # a directory is a score of files

    @settings(deadline=None, max_examples=few, suppress_health_check=[HealthCheck.too_slow])
    @given(nbest_sets())
    def holds(nbest: NbestSet) -> None:
        read = write_and_read(folder, name, nbest)
        assert content(read) == content(HELD[form.name](nbest))
        if form.name not in ("nemo", "kaldi"):  # these always lose ids or scales, which options give back
            assert (form.drops(nbest) == []) == (content(read) == content(nbest))

    holds()


SET = NbestSet(
    (
        NbestList("u1", (Hypothesis("the cat", -1.123456789), Hypothesis("", -2.5), Hypothesis("a cat", -2.5))),
        NbestList("u2", (Hypothesis('say "hi"', -0.1),)),
    ),
    {"u1": "the cat", "u2": "say hi"},
    {"source": "test"},
)
PARTS = NbestSet(
    (NbestList("u1", (Hypothesis.from_parts("the cat", CostParts(10.0, 1.0, 2.5), 0.5),)),),
    {"u1": "the cat"},
    {"acoustic_scale": 0.5, "perturbation": {"rate": 0.3}},
)
REFERENCES = "the references (keep the file for --ref)"
SUM = "the parts of the costs (their weighted sum is kept)"
RECORD = "the record of the perturbation in nbest.yaml"
IDS = "the utterance ids (keep them in the order of the lists for --utts)"
LENGTH = "the length of 1 lists (filled with copies of their last hypothesis)"


@pytest.mark.parametrize(
    ("name", "of_set", "of_parts"),
    [
        ("espnet", [REFERENCES], [REFERENCES, SUM, RECORD]),
        ("nbest-dir", ["decimals of the costs beyond the fourth"], []),
        ("kaldi", [REFERENCES], ["the acoustic scale (read back with --acoustic_scale 0.5)", REFERENCES, RECORD]),
        ("mlm-scoring", [], [SUM, RECORD]),
        ("nemo", [IDS, LENGTH, REFERENCES], [IDS, REFERENCES, SUM, RECORD]),
        ("icefall", ["ranks beyond 1 (2 hypotheses)", "the scores"], ["the scores", SUM, RECORD]),
        ("tsv", [REFERENCES], [REFERENCES, SUM, RECORD]),
        ("jsonl", [], [RECORD]),
        ("datasets", [], [RECORD]),
    ],
)
def test_what_is_lost_is_said(name: str, of_set: list[str], of_parts: list[str]) -> None:
    assert FORMATS[name].drops(SET) == of_set
    assert FORMATS[name].drops(PARTS) == of_parts


@pytest.mark.parametrize("name", NAMES)
def test_contexts_come_back_or_are_said_to_be_lost(tmp_path: Path, name: str) -> None:
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name])
    before = {"u1": ("a dog", "it sat"), "u2": ()}
    lists = tuple(replace(one, context=before[one.utt]) for one in SET)
    read = write_and_read(tmp_path, name, replace(SET, lists=lists))
    lost = "the contexts of the utterances" in FORMATS[NAMES[name]].drops(replace(SET, lists=lists))
    assert {one.utt: one.context for one in read} == (before if not lost else {one.utt: () for one in read})
    assert lost == (NAMES[name] not in ("nbest-dir", "jsonl", "datasets"))


def test_every_format_is_tried() -> None:
    assert set(NAMES.values()) == set(HELD) == set(FORMATS)


def test_copies_at_the_end_of_a_list_are_said_to_be_lost_in_nemo() -> None:
    twice = NbestSet((NbestList("u", (Hypothesis("a", -1.0), Hypothesis("a", -1.0))),))
    assert FORMATS["nemo"].drops(twice)[1:] == ["1 copies of the last hypothesis of a list (reading takes them off)"]


@pytest.mark.parametrize("name", ["decode", "archives"])
def test_a_directory_is_not_written_over(tmp_path: Path, name: str) -> None:
    form = FORMATS[NAMES[name]]
    (tmp_path / name).mkdir()
    form.write(tmp_path / name, SET, FormatOptions())  # an empty directory is none
    with pytest.raises(InputError, match="is there already \\(choose another name or delete it\\)"):
        form.write(tmp_path / name, SET, FormatOptions())
    assert [path.name for path in tmp_path.iterdir()] == [name]
