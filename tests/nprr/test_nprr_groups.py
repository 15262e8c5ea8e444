"""Which perturbed directories belong together, and what is refused: by `nbest.yaml`, name, utterances and so on."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lorescore.errors import InputError
from lorescore.nbest import Hypothesis, NbestList, NbestSet
from lorescore.nprr.groups import Group, group_dirs, require_one_curve, require_versions

LISTS = tuple(NbestList(utt, (Hypothesis("the sun", -1.0),)) for utt in ("a", "b"))
CLEAN = NbestSet(LISTS, {"a": "the sun", "b": "the son"}, {"checksum": "c1ea"})


def info(**changes: Any) -> dict[str, Any]:
    return {"perturbation": {"kind": "nbest", "rate": 0.3, "seed": 1, "perturbation": "homophone"} | changes}


def test_those_that_differ_in_their_seed_alone_are_together() -> None:
    infos = {
        Path("exp/x"): {"source": "elsewhere"},
        Path("c"): info(seed=2),
        Path("b"): info(),
        Path("a"): info(rate=0.1),
        Path("d"): info(perturbation="near", kind="1best"),
        Path("e"): info(perturbation="worst", tag="m1"),
        Path("f"): info(perturbation="worst", tag="m2"),
    }
    assert group_dirs(infos, Path("clean")) == [
        Group("nbest", 0.1, (1,), (Path("a"),), "homophone", "nbest"),
        Group("nbest", 0.3, (1, 2), (Path("b"), Path("c")), "homophone", "nbest"),
        Group("near 1best", 0.3, (1,), (Path("d"),), "near", "1best"),
        Group("worst nbest of m1", 0.3, (1,), (Path("e"),), "worst of m1", "nbest"),
        Group("worst nbest of m2", 0.3, (1,), (Path("f"),), "worst of m2", "nbest"),
        Group("x", None, (), (Path("exp/x"),)),
    ]


def test_a_number_that_yaml_reads_as_a_text() -> None:
    infos = {Path("a"): info(rate="1e-1", seed="2"), Path("b"): info(rate=0.1)}
    (group,) = group_dirs(infos, Path("clean"))
    assert (group.rate, group.seeds) == (0.1, (1, 2))


def test_a_name_says_it_where_nothing_else_does() -> None:
    """It begins with that of the clean directory; what nbest.yaml says counts more."""
    infos = {
        Path("x/dev_a_nbest_p0.1_s2"): {},
        Path("y/dev_a_nbest_p0.1_s1"): {"metric": "wer"},
        Path("dev_a_near_1best_p0.5_s1"): {},
        Path("dev_a_worst_m_clm_nbest_p1_s1"): {},
        Path("dev_a_nbest_p0.2_s1"): info(rate=0.3),
        Path("dev_a_nbest_p7_s1"): {},
        Path("dev_nbest_p0.1_s3"): {},
        Path("nbest_p0.1_s4"): {},
    }
    both = (Path("y/dev_a_nbest_p0.1_s1"), Path("x/dev_a_nbest_p0.1_s2"))
    assert group_dirs(infos, Path("sets/dev_a/")) == [
        Group("nbest", 0.1, (1, 2), both, "homophone", "nbest"),
        Group("nbest", 0.3, (1,), (Path("dev_a_nbest_p0.2_s1"),), "homophone", "nbest"),
        Group("near 1best", 0.5, (1,), (Path("dev_a_near_1best_p0.5_s1"),), "near", "1best"),
        Group("worst nbest of m_clm", 1.0, (1,), (Path("dev_a_worst_m_clm_nbest_p1_s1"),), "worst of m_clm", "nbest"),
        Group("dev_a_nbest_p7_s1", None, (), (Path("dev_a_nbest_p7_s1"),)),
        Group("dev_nbest_p0.1_s3", None, (), (Path("dev_nbest_p0.1_s3"),)),
        Group("nbest_p0.1_s4", None, (), (Path("nbest_p0.1_s4"),)),
    ]


@pytest.mark.parametrize(
    ("infos", "message"),
    [
        ({"a": info(), "b": info()}, "b: is nbest_p0.3_s1, and so is a .give each perturbation once"),
        ({"a": {"perturbation": "near"}}, "a/nbest.yaml: perturbation is 'near', expected a mapping"),
        ({"a": {"perturbation": {"kind": "nbest"}}}, "lacks a kind, a rate or a seed"),
        ({"a": info(rate=None)}, "lacks a kind, a rate or a seed"),
        ({"a": info(rate=True)}, "a/nbest.yaml: perturbation has the rate True, expected a number"),
        ({"a": info(rate="0,1")}, "a/nbest.yaml: perturbation has the rate '0,1', expected a number"),
        ({"a": info(seed=1.5)}, "a/nbest.yaml: perturbation has the seed 1.5, expected a whole number"),
        ({"a": info(rate="nan")}, "a/nbest.yaml: perturbation rate nan, expected a number from 0 to 1"),
        ({"a": info(rate=3)}, "a/nbest.yaml: perturbation rate 3, expected a number from 0 to 1"),
        ({"a": info(kind="2best")}, "a/nbest.yaml: unknown kind of perturbation '2best'"),
    ],
)
def test_bad_groups(infos: Mapping[str, Mapping[str, Any]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        group_dirs({Path(name): one for name, one in infos.items()}, Path("clean"))


def test_versions_of_one_set() -> None:
    made_from_it = replace(CLEAN, refs={}, info=info(source_checksum="c1ea"))
    require_versions(CLEAN, Path("clean"), {Path("p"): made_from_it, Path("q"): replace(CLEAN, info={})})


def test_references_that_were_corrected_since() -> None:
    """Those of the clean set are taken; what was made from its lists says so."""
    corrected = replace(CLEAN, refs={"a": "the sun", "b": "the moon"}, info={"checksum": "5afe"})
    made_from_it = replace(CLEAN, info=info(source_checksum=CLEAN.lists_checksum))
    require_versions(corrected, Path("clean"), {Path("p"): made_from_it})


@pytest.mark.parametrize(
    ("perturbed", "message"),
    [
        (replace(CLEAN, lists=LISTS[:1], refs={}), "p: utterance b is not here, unlike in clean"),
        (replace(CLEAN, lists=(), refs={}), "p: utterance a is not here, unlike in clean"),
        (replace(CLEAN, lists=(*LISTS, replace(LISTS[0], utt="c")), refs={}), "p: utterance c is here, unlike in"),
        (replace(CLEAN, refs={"a": "the sun", "b": "x"}), "p/text: the reference of b is not that of clean/text"),
        (replace(CLEAN, info={"metric": "cer"}), "p/nbest.yaml: metric cer, but wer in clean"),
        (replace(CLEAN, info=info(source_checksum="beef")), "p: was made from other lists than those of clean"),
    ],
)
def test_other_lists_are_no_versions(perturbed: NbestSet, message: str) -> None:
    with pytest.raises(InputError, match=message):
        require_versions(CLEAN, Path("clean"), {Path("p"): perturbed})


@pytest.mark.parametrize(
    ("clean", "message"),
    [
        (replace(CLEAN, refs={}), "clean/text: no references"),
        (replace(CLEAN, info=info()), "clean: is perturbed .--clean is the directory"),
    ],
)
def test_a_clean_set_is_clean_and_has_references(clean: NbestSet, message: str) -> None:
    with pytest.raises(InputError, match=message):
        require_versions(clean, Path("clean"), {})


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("lexicon_checksum", "b: made with other pronunciations or another vocabulary than a .perturb both again"),
        ("num_candidates", "b: made with another number of candidates than a"),
        ("rescorer_checksum", "b: made with another version of the rescorer than a"),
    ],
)
def test_a_curve_is_of_one_vocabulary_and_one_rescorer(key: str, message: str) -> None:
    unknown = {Path("x"): info(), Path("y"): {}}
    require_one_curve({**unknown, Path("a"): info(**{key: 4}), Path("b"): info(**{key: 4}, seed=2)})
    with pytest.raises(InputError, match=message):
        require_one_curve({**unknown, Path("a"): info(**{key: 4}), Path("b"): info(**{key: 5}, seed=2)})
