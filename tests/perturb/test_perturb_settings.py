"""Names and limits of a perturbation's settings, and the vocabulary."""

import math
from pathlib import Path

import pytest

from lorescore.errors import InputError
from lorescore.nbest import NbestSet
from lorescore.perturb import Perturbation, nbest_vocabulary, read_vocabulary


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (Perturbation("1best", 0.1, 1), "1best_p0.1_s1"),
        (Perturbation("nbest", 1, 23), "nbest_p1_s23"),
        (Perturbation("nbest", 0.0, 0), "nbest_p0_s0"),
        (Perturbation("nbest", -0.0, 0), "nbest_p0_s0"),
        (Perturbation("nbest", 1e-7, 0), "nbest_p0.0000001_s0"),
        (Perturbation("nbest", 0.1234567, 0), "nbest_p0.1234567_s0"),
        (Perturbation("nbest", 0.1, 1, "homophone"), "nbest_p0.1_s1"),
        (Perturbation("nbest", 0.1, 1, "near"), "near_nbest_p0.1_s1"),
        (Perturbation("1best", 0.1, 1, "worst", "gpt2_clm_none"), "worst_gpt2_clm_none_1best_p0.1_s1"),
    ],
)
def test_name(settings: Perturbation, name: str) -> None:
    assert settings.name == name


@pytest.mark.parametrize(
    "settings",
    [
        Perturbation("1best", 0.1, 1),
        Perturbation("nbest", 1, 2**64 - 1),
        Perturbation("nbest", 1e-7, 0, "near"),
        Perturbation("1best", 0.1, 1, "worst", "near_nbest_p1_s1_1best"),
    ],
)
def test_a_name_is_read_back(settings: Perturbation) -> None:
    assert Perturbation.from_name(settings.name) == settings


@pytest.mark.parametrize(
    "name",
    [
        "",
        "2best_p0.1_s1",
        "nbest_p0.1",
        "nbest_p3_s1",
        "nbest_p0.1_s1_x",
        "typos_nbest_p0.1_s1",
        "near_typos_nbest_p0.1_s1",
        "worst_nbest_p0.1_s1",
        f"nbest_p0.1_s{2**64}",
        "nbest_p.1_s1",
        "nbest_p0.1_s١",
    ],
)
def test_a_name_of_no_perturbation(name: str) -> None:
    assert Perturbation.from_name(name) is None


@pytest.mark.parametrize(("kind", "nearest"), [("1bst", "1best"), ("n-best", "nbest"), ("NBEST", "nbest")])
def test_unknown_kind_names_the_nearest(kind: str, nearest: str) -> None:
    with pytest.raises(InputError, match=f"{kind}.*did you mean {nearest}"):
        Perturbation(kind, 0.1)


@pytest.mark.parametrize(
    ("perturbation", "tag", "message"),
    [
        ("homophon", "", "perturbation 'homophon' is not known.*did you mean homophone"),
        ("worst", "", "worst needs a rescorer's tag"),
        ("near", "tiny", "near has no use for the tag tiny"),
    ],
)
def test_unknown_perturbation_or_tag(perturbation: str, tag: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Perturbation("nbest", 0.1, 1, perturbation, tag)


@pytest.mark.parametrize("rate", [-0.1, 1.0001, math.nan, math.inf])
def test_rate_outside_0_to_1(rate: float) -> None:
    with pytest.raises(InputError, match="from 0 to 1"):
        Perturbation("1best", rate)


def test_a_rate_in_percent_is_recognised() -> None:
    with pytest.raises(InputError, match=r"for 10 % give 0\.1"):
        Perturbation("1best", 10)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seed_out_of_range(seed: int) -> None:
    with pytest.raises(InputError, match=f"seed {seed}"):
        Perturbation("1best", 0.1, seed)


def test_vocabulary_of_lists_has_hypotheses_and_references(nbest: NbestSet) -> None:
    only_in_ref = NbestSet(nbest.lists, {**nbest.refs, "utt-b": "the CAT sat"})
    expected = {"the", "sun", "i", "read", "son", "eye", "red", "cat", "reed", "insight"}
    assert nbest_vocabulary([nbest]) == expected
    assert nbest_vocabulary([nbest, only_in_ref]) == expected | {"CAT", "sat"}


def test_vocabulary_file(tmp_path: Path) -> None:
    plain, kaldi = tmp_path / "vocab", tmp_path / "words.txt"
    plain.write_text("sun\nson\n")
    kaldi.write_text("<eps> 0\nsun 1\nson 2\n")
    assert read_vocabulary(plain) == {"sun", "son"}
    assert read_vocabulary(kaldi) == {"<eps>", "sun", "son"}


@pytest.mark.parametrize(
    ("content", "message"), [("", "empty"), ("sun\n\n", ":2: "), ("sun S\n", ":1: "), ("sun 1 2\n", ":1: ")]
)
def test_bad_vocabulary_file(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "vocab").write_text(content)
    with pytest.raises(InputError, match=message):
        read_vocabulary(tmp_path / "vocab")
