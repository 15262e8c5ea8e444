"""A small lexicon and a small set of lists; and the whole of CMUdict, read once."""

from pathlib import Path

import pytest

from lorescore.nbest import Hypothesis, NbestList, NbestSet, write_nbest_dir
from lorescore.perturb import HomophoneLexicon, cmudict_entries

ENTRIES = [
    ("sun", ["S", "AH1", "N"]),
    ("son", ["S", "AH1", "N"]),
    ("i", ["AY1"]),
    ("eye", ["AY1"]),
    ("aye", ["AY1"]),
    ("read", ["R", "EH1", "D"]),
    ("read", ["R", "IY1", "D"]),
    ("red", ["R", "EH1", "D"]),
    ("reed", ["R", "IY1", "D"]),
    ("insight", ["IH1", "N", "S", "AY2", "T"]),
    ("incite", ["IH2", "N", "S", "AY1", "T"]),
    ("cat", ["K", "AE1", "T"]),
    ("the", ["DH", "AH0"]),
]


@pytest.fixture
def lexicon() -> HomophoneLexicon:
    return HomophoneLexicon.from_entries(ENTRIES)


@pytest.fixture
def nbest() -> NbestSet:
    lists = (
        NbestList("utt-a", (Hypothesis("the sun i read", -1.25), Hypothesis("the son eye red", -2.5))),
        NbestList("utt-b", (Hypothesis("the cat", -0.5), Hypothesis("", -3.0), Hypothesis("reed the cat", -4.0))),
        NbestList("utt-c", (Hypothesis("insight sun sun sun sun sun sun sun", -9.0),)),
    )
    refs = {"utt-a": "the sun i read", "utt-b": "the cat", "utt-c": "insight sun sun sun sun sun sun sun"}
    return NbestSet(lists, refs, {"source": "test", "checksum": "abc"})


@pytest.fixture
def clean_dir(nbest: NbestSet, tmp_path: Path) -> Path:
    write_nbest_dir(tmp_path / "nbest" / "test", nbest)
    return tmp_path / "nbest" / "test"


@pytest.fixture(scope="session")
def cmudict_lexicon() -> HomophoneLexicon:
    return HomophoneLexicon.from_entries(cmudict_entries())
