"""Near-homophones: exactly the words one phone apart, the similar phones likelier."""

import math
import random
from collections import Counter
from pathlib import Path

import pytest

from lorescore.nbest import Hypothesis, NbestList, NbestSet
from lorescore.perturb import HomophoneLexicon, Perturbation, perturb
from lorescore.perturb.near import SCALE
from lorescore.perturb.phones import distance
from lorescore.pronunciation import Pronunciation

CATS = {
    "cat": "K AE T",
    "kat": "K AE T",
    "cap": "K AE P",
    "car": "K AE R",  # as one might say it, one phone from cat
    "can": "K AE N",
    "at": "AE T",
    "cast": "K AE S T",
    "cup": "K AH P",
    "dog": "D AO G",
}


@pytest.fixture
def cats() -> HomophoneLexicon:
    return HomophoneLexicon.from_entries((word, sound.split()) for word, sound in CATS.items())


def edits(one: Pronunciation, other: Pronunciation) -> int:
    """Levenshtein distance in phones."""
    row = list(range(len(other) + 1))
    for index, phone in enumerate(one, start=1):
        before, row[0] = row.copy(), index
        for column, against in enumerate(other, start=1):
            row[column] = min(row[column - 1] + 1, before[column] + 1, before[column - 1] + (phone != against))
    return row[-1]


def test_weights(cats: HomophoneLexicon) -> None:
    # Not kat, a homophone, nor cup, two phones apart.
    expected = {"at": 3, "can": 20, "cap": 6, "car": 42, "cast": 3}
    assert cats.near.weights("cat") == pytest.approx({word: math.exp(-far / SCALE) for word, far in expected.items()})
    assert cats.near.weights("dog") == cats.near.weights("unheard") == {}


def test_of_several_ways_to_a_word_the_nearest_counts() -> None:
    entries = [("cat", ["K", "AE", "T"]), ("cap", ["K", "AE", "P"]), ("cap", ["K", "AE", "R"])]
    lexicon = HomophoneLexicon.from_entries(entries)
    assert lexicon.near.weights("cat") == {"cap": math.exp(-distance("T", "P") / SCALE)}


def test_every_word_one_phone_apart_and_no_other(cmudict_lexicon: HomophoneLexicon) -> None:
    vocab = random.Random(1).sample(sorted(word for word in cmudict_lexicon.pronunciations if len(word) < 5), 250)
    lexicon = HomophoneLexicon.from_entries(cmudict_lexicon.entries(), vocab)
    found = {(word, other) for word in vocab for other in lexicon.near.weights(word)}
    sounds = lexicon.pronunciations
    expected = {
        (word, other)
        for word in vocab
        for other in vocab
        if word != other
        and not set(sounds[word]) & set(sounds[other])
        and any(edits(one, two) == 1 for one in sounds[word] for two in sounds[other])
    }
    assert found == expected
    assert len(found) > 100


def test_words_are_drawn_by_weight(cats: HomophoneLexicon) -> None:
    clean = NbestSet(
        tuple(NbestList(f"utt{utt:03d}", (Hypothesis(" ".join(["cat"] * 100), 0.0),)) for utt in range(60))
    )
    perturbed = perturb(clean, cats, Perturbation("1best", 1, 1, "near"))
    drawn = Counter(word for one in perturbed.nbest for word in one.hypotheses[0].words)
    weights = cats.near.weights("cat")
    # 6,000 draws: five standard deviations are below 5 x sqrt(1/4 / 6000) = 0.032.
    for word, weight in weights.items():
        assert drawn[word] / 6000 == pytest.approx(weight / sum(weights.values()), abs=0.032)
    assert drawn["cap"] > 5 * drawn["car"] > 0
    assert drawn.total() == sum(drawn[word] for word in weights)


def test_file(cats: HomophoneLexicon, tmp_path: Path) -> None:
    cats.near.write(tmp_path)
    lines = dict(line.split(" ", 1) for line in (tmp_path / "near.txt").read_text().splitlines())
    assert [entry.split(":")[0] for entry in lines["cat"].split()] == ["at", "cast", "cap", "can", "car"]
    assert sum(float(entry.split(":")[1]) for entry in lines["cat"].split()) == pytest.approx(1, abs=0.003)
    assert "dog" not in lines
