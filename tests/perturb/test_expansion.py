"""Expanded lists: what is added and in what order, that perturbations see the first pass's lists, and the verb."""

import argparse
from dataclasses import replace
from pathlib import Path

import pytest

from lorescore.cli import expand as expand_verb
from lorescore.cli import perturb as perturb_verb
from lorescore.combine import oracle
from lorescore.errors import InputError
from lorescore.nbest import CostParts, Hypothesis, NbestList, NbestSet, read_nbest_dir, write_nbest_dir
from lorescore.perturb import HomophoneLexicon, Perturbation, perturb
from lorescore.perturb.expansion import Expansion, word_counts
from lorescore.perturb.replacement import sources
from lorescore.wer import edit_counts

COUNTS = {"sun": 5, "son": 2, "i": 9, "eye": 1, "read": 3, "insight": 1}


def expanded(nbest: NbestSet, lexicon: HomophoneLexicon, num_versions: int = 8) -> NbestSet:
    return Expansion(lexicon.homophones, COUNTS, num_versions).expand(nbest)


def run(verb: object, *options: object) -> None:
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)  # type: ignore[attr-defined]
    verb.run(parser.parse_args(list(map(str, options))))  # type: ignore[attr-defined]


def test_versions_with_frequent_words_come_first(lexicon: HomophoneLexicon) -> None:
    one = NbestList("u", (Hypothesis("The son Aye read", -1.0),))
    found = Expansion(lexicon.homophones, COUNTS).expand_list(one)
    assert found.texts == [
        "The son Aye read",
        "The sun I read",  # 5.5 x 9.5 x 3.5
        "The son I read",  # 2.5 x 9.5 x 3.5
        "The sun Eye read",  # 5.5 x 1.5 x 3.5
        "The sun I red",  # 5.5 x 9.5 x 0.5, and reed after red
        "The sun I reed",
        "The son Eye read",  # 2.5 x 1.5 x 3.5
        "The son I red",  # 2.5 x 9.5 x 0.5
        "The son I reed",
    ]
    upper = NbestList("u", (Hypothesis("THE SON <unk> AYE READ", -1.0),))
    assert Expansion(lexicon.homophones, COUNTS, 1).expand_list(upper).texts[1] == "THE SUN <unk> I READ"
    mixed = NbestList("u", (Hypothesis("SuN son", -1.0),))
    assert Expansion(lexicon.homophones, COUNTS).expand_list(mixed).texts == [
        "SuN son",
        "SuN sun",
        "Son sun",
        "Son son",
    ]
    few = Expansion(lexicon.homophones, COUNTS, 2).expand_list(one)
    assert few.texts == found.texts[:3]
    assert few.added == 2


def test_every_version_comes_once(lexicon: HomophoneLexicon) -> None:
    one = NbestList("u", (Hypothesis("son eye read sun", -1.0),))
    found = Expansion(lexicon.homophones, COUNTS, 1000).expand_list(one)
    assert len(set(found.texts)) == len(found.texts) == 2 * 3 * 3 * 2


def test_what_the_first_pass_has_stays(nbest: NbestSet, lexicon: HomophoneLexicon) -> None:
    made = expanded(nbest, lexicon)
    for before, after in zip(nbest, made, strict=True):
        assert after.first_pass == before
        assert after.nbest_keys()[: len(before.hypotheses)] == before.nbest_keys()
        assert len(set(after.texts)) == len(after.texts)
        assert max(after.scores) == max(before.scores)
    assert made.refs == nbest.refs
    again = expanded(made, lexicon)
    assert again == made


def test_a_version_has_the_costs_of_its_source_and_its_own(lexicon: HomophoneLexicon) -> None:
    parts = CostParts(10.0, 1.0, 2.0)
    one = NbestList("u", (Hypothesis.from_parts("sun", parts, 0.5),), context=("the cat",))
    found = Expansion(lexicon.homophones, COUNTS, cost=0.25).expand_list(one)
    assert found.hypotheses[1] == Hypothesis("son", -8.25, CostParts(10.0, 1.25, 2.0))
    assert found.context == ("the cat",)


def test_a_version_of_two_sources_has_the_better_score(lexicon: HomophoneLexicon) -> None:
    one = NbestList("u", (Hypothesis("son eye", -1.0), Hypothesis("sun eye", -1.5)))
    found = Expansion(lexicon.homophones, COUNTS, cost=1.0).expand_list(one)
    scores = dict(zip(found.texts, found.scores, strict=True))
    assert scores["sun i"] == -2.5  # one word of the second, two of the first
    assert scores["son i"] == -2.0
    assert scores["sun eye"] == -1.5


def test_the_oracle_does_not_get_worse(nbest: NbestSet, lexicon: HomophoneLexicon) -> None:
    wrong = replace(nbest, refs=nbest.refs | {"utt-c": "incite son sun sun sun sun sun sun"})
    made = expanded(wrong, lexicon, 50)
    errors = [sum(edit_counts(wrong.refs[utt], text).errors for utt, text in oracle(x).items()) for x in (wrong, made)]
    assert errors == [2, 0]


def test_an_expanded_directory_is_read_as_it_was_written(
    nbest: NbestSet, lexicon: HomophoneLexicon, tmp_path: Path
) -> None:
    made = expanded(nbest, lexicon)
    write_nbest_dir(tmp_path / "test", made)
    found = read_nbest_dir(tmp_path / "test")
    assert found.lists == made.lists
    write_nbest_dir(tmp_path / "test", nbest)
    assert read_nbest_dir(tmp_path / "test").lists == nbest.lists


@pytest.mark.parametrize("count", ["4", "-1", "x"])
def test_more_added_than_a_list_can_hold(nbest: NbestSet, count: str, tmp_path: Path) -> None:
    write_nbest_dir(tmp_path / "test", nbest)
    (tmp_path / "test" / "added").write_text(f"utt-b {count}\n")
    with pytest.raises(InputError, match=r"added:1: .* hypotheses of utt-b were added.*expand the lists again"):
        read_nbest_dir(tmp_path / "test")


def test_perturbations_are_of_the_first_passs_hypotheses(nbest: NbestSet, lexicon: HomophoneLexicon) -> None:
    settings = Perturbation("nbest", 1, 1)
    made = perturb(expanded(nbest, lexicon), lexicon, settings)
    plain = perturb(nbest, lexicon, settings)
    assert made.nbest.lists == plain.nbest.lists
    assert made.by_hypothesis == plain.by_hypothesis


def test_sources_leave_out_what_was_added(nbest: NbestSet, lexicon: HomophoneLexicon) -> None:
    settings = Perturbation("nbest", 1, 1, "insert")
    expansion = Expansion(lexicon.homophones, COUNTS)
    for before, after in zip(nbest, perturb(nbest, lexicon, settings).nbest, strict=True):
        assert sources(expansion.expand_list(before), expansion.expand_list(after)) == sources(before, after)


def test_the_verbs_expand_and_perturb(nbest: NbestSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Perturbed lists are expanded as the clean ones are: at rate 0 they are the clean ones."""
    write_nbest_dir(tmp_path / "lists" / "test", nbest)
    out, clean = tmp_path / "nbest", tmp_path / "nbest" / "test"
    run(expand_verb, "--nbest_dir", tmp_path / "lists" / "test", "--out_dir", out)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{clean}: 3 utterances, 6 hypotheses and 18 added ones"
    assert lines[2] == f"{clean}: oracle %WER 0.00 [ 0 / 14, 0 ins, 0 del, 0 sub ]"
    options = ("--nbest_dir", clean, "--out_dir", out, "--lexicon_dir", tmp_path, "--kinds", "nbest", "--seeds", 1)
    run(perturb_verb, *options, "--rates", "0 1")
    for name in ("words_text", "acwt", "added"):
        assert (out / "test_nbest_p0_s1" / name).read_bytes() == (clean / name).read_bytes()
    perturbed = read_nbest_dir(out / "test_nbest_p1_s1")
    assert perturbed.lists[0].texts[0] != "the sun i read"
    assert "the sun i read" in perturbed.lists[0].texts  # it is a version of what stands in its place
    # In place, with other settings: what was made from the lists before is made again.
    run(expand_verb, "--nbest_dir", clean, "--out_dir", out, "--versions", 1)
    assert read_nbest_dir(clean).info["expansion"]["versions"] == 1
    capsys.readouterr()
    run(perturb_verb, *options, "--rates", "1")
    assert "(was there)" not in capsys.readouterr().out
    assert read_nbest_dir(out / "test_nbest_p1_s1").num_hypotheses < perturbed.num_hypotheses


def test_the_homophones_are_not_taken_from_references(nbest: NbestSet, tmp_path: Path) -> None:
    lists = tuple(one for one in nbest if one.utt == "utt-b")
    write_nbest_dir(tmp_path / "lists" / "test", NbestSet(lists, {"utt-b": "red the cat"}))
    run(expand_verb, "--nbest_dir", tmp_path / "lists" / "test", "--out_dir", tmp_path)
    assert read_nbest_dir(tmp_path / "test").num_hypotheses == 3


def test_homophones_of_other_lists(nbest: NbestSet, lexicon: HomophoneLexicon, tmp_path: Path) -> None:
    write_nbest_dir(tmp_path / "test", nbest)
    run(expand_verb, "--nbest_dir", tmp_path / "test", "--out_dir", tmp_path)
    (tmp_path / "test" / "homophones").write_text("sun son\n")
    with pytest.raises(InputError, match="homophones: not the homophones that these lists were expanded by"):
        run(perturb_verb, "--nbest_dir", tmp_path / "test", "--out_dir", tmp_path, "--lexicon_dir", tmp_path)
    (tmp_path / "test" / "homophones").unlink()
    with pytest.raises(InputError, match="stage 4 with --expand"):
        run(perturb_verb, "--nbest_dir", tmp_path / "test", "--out_dir", tmp_path, "--lexicon_dir", tmp_path)


def test_perturbed_lists_are_not_expanded(nbest: NbestSet, lexicon: HomophoneLexicon, tmp_path: Path) -> None:
    write_nbest_dir(tmp_path / "perturbed", perturb(nbest, lexicon, Perturbation("nbest", 1, 1)).nbest)
    with pytest.raises(InputError, match="is perturbed already .expand the clean lists"):
        run(expand_verb, "--nbest_dir", tmp_path / "perturbed", "--out_dir", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_words_are_counted_in_the_1best_and_in_lower_case() -> None:
    lists = (
        NbestList("u1", (Hypothesis("The THE the sun", -1.0), Hypothesis("son", -2.0))),
        NbestList("u2", (Hypothesis("Sun", -1.0),)),
    )
    assert word_counts([NbestSet(lists[:1]), NbestSet(lists[1:])]) == {"the": 3, "sun": 2}


def test_settings_that_do_not_exist(lexicon: HomophoneLexicon) -> None:
    with pytest.raises(InputError, match="0 homophone versions of a hypothesis, expected at least 1"):
        Expansion(lexicon.homophones, COUNTS, 0)
    with pytest.raises(InputError, match="cost of a replaced word is -1, expected a finite number, at least 0"):
        Expansion(lexicon.homophones, COUNTS, cost=-1.0)
    assert Expansion(lexicon.homophones, COUNTS, cost=0.0).cost == 0
