"""Which utterances are shown as examples, and what is said about them."""

from dataclasses import replace
from pathlib import Path

import pytest

from lorescore.files import write_table, write_yaml
from lorescore.nbest import Hypothesis, NbestList, NbestSet, read_nbest_dir, write_costs, write_nbest_dir
from lorescore.nprr import Nprr, NprrRecord
from lorescore.report.blocks import Heading
from lorescore.report.example_blocks import example_blocks
from lorescore.report.examples import Example, find_examples
from lorescore.report.markdown import markdown
from lorescore.report.marks import Replacement

NPRR = Nprr(1.0, 0.0, 2.0, (1.0, 1.0), 5.0, 5.1)
PERTURBED = "test_nbest_p0.3_s1"
# Of each utterance: the reference, the clean list, the perturbed list, and the PLM costs by which `a` and `b` choose
# in the perturbed one (in the clean one both take rank 1).
LISTS: dict[str, tuple[str, list[str], list[str], list[float], list[float]]] = {
    "both_right": ("i see", ["i see", "eye see"], ["i sea", "eye see"], [0, 5], [0, 5]),
    "differ": ("the sea", ["the sea", "the tea"], ["the see", "the tee"], [0, 5], [5, 0]),
    "gain": ("two cats", ["to cats", "two cats"], ["two cats", "to cats"], [0, 5], [0, 5]),
    "unequal": ("so it is", ["so it is", "so it as"], ["sow it is", "so it is"], [0, 5], [5, 0]),
    "untouched": ("a cat", ["a cat", "cat"], ["a cat", "cat"], [0, 5], [5, 0]),
}
WITH_COUNTS = "unequal-1 1 1 3\nunequal-2 2 1 3\n"


def record(tag: str, **changes: object) -> NprrRecord:
    return replace(NprrRecord(tag, "test", "nbest", 0.3, (1, 2), NPRR, NPRR), **changes)


def write_lists(nbest_dir: Path, version: int, tags: tuple[str, ...] = ("a", "b")) -> None:
    lists = tuple(
        NbestList(utt, tuple(Hypothesis(text, 0.0) for text in one[version])) for utt, one in sorted(LISTS.items())
    )
    write_nbest_dir(nbest_dir, NbestSet(lists, {utt: one[0] for utt, one in LISTS.items()}))
    for place, tag in enumerate(tags):
        costs = [
            (f"{utt}-{rank}", cost)
            for utt, one in LISTS.items()
            for rank, cost in enumerate(one[3 + place] if version == 2 else [0.0, 5.0], start=1)
        ]
        write_costs(nbest_dir / f"lmwt.{tag}", costs)


@pytest.fixture
def exp_dir(tmp_path: Path) -> Path:
    """A clean and a perturbed set, scored by two rescorers."""
    write_lists(tmp_path / "nbest" / "test", 1)
    write_lists(tmp_path / "nbest" / PERTURBED, 2)
    for tag in ("a", "b"):
        write_yaml(tmp_path / "rescore" / tag / "weights.yaml", {"lm_weight": 1.0, "word_bonus": 0.0})
    return tmp_path


RECORDS = [record("a"), record("b")]


def utts(examples: list[Example]) -> list[str]:
    return [example.utt for example in examples]


def test_what_is_shown_and_in_which_order_it_is_taken(exp_dir: Path) -> None:
    shown = find_examples(exp_dir, RECORDS)
    assert utts(shown) == ["both_right", "differ", "gain", "unequal"]
    # Unequal losses come first, then different choices, then the same loss or gain.
    assert utts(find_examples(exp_dir, RECORDS, max_examples=1)) == ["unequal"]
    assert utts(find_examples(exp_dir, RECORDS, max_examples=2)) == ["differ", "unequal"]
    assert len(find_examples(exp_dir, RECORDS, max_examples=3)) == 3
    assert find_examples(exp_dir, RECORDS, max_examples=0) == []


def test_the_seed_decides_between_equals(exp_dir: Path) -> None:
    thirds = {
        tuple(set(utts(find_examples(exp_dir, RECORDS, max_examples=3, seed=seed))) - {"differ", "unequal"})
        for seed in range(8)
    }
    assert thirds == {("both_right",), ("gain",)}
    assert find_examples(exp_dir, RECORDS) == find_examples(exp_dir, RECORDS)


def test_an_example(exp_dir: Path) -> None:
    (exp_dir / "nbest" / PERTURBED / "perturbed").write_text(WITH_COUNTS)
    (example,) = find_examples(exp_dir, RECORDS, max_examples=1)
    assert (example.ref, example.lists, example.rate, example.seed) == ("so it is", "nbest", 0.3, 1)
    assert example.replacements == {Replacement("so", "sow"): 1, Replacement("as", "is"): 1}
    assert (example.replaced, example.replaceable) == (2, 3)
    assert [(one.systems, one.rank, one.errors) for one in example.clean] == [(("all",), 1, 0)]
    assert [(one.systems, one.rank, one.errors) for one in example.perturbed] == [
        (("first_pass", "a"), 1, 1),
        (("b", "oracle"), 2, 0),
    ]
    first, second = ([(word.text, word.error, word.is_perturbed) for word in one.words] for one in example.perturbed)
    assert first == [("sow", "sub", True), ("it", "", False), ("is", "", False)]
    assert second == [("so", "", False), ("it", "", False), ("is", "", True)]


def test_in_markdown(exp_dir: Path) -> None:
    (exp_dir / "nbest" / PERTURBED / "perturbed").write_text(WITH_COUNTS)
    text = markdown(example_blocks(find_examples(exp_dir, RECORDS, max_examples=1)), top_level=2)
    assert text.startswith("# Examples\n")
    assert text.endswith("""\
## test

### unequal (nbest, rate 0.3, seed 1)

- reference: so it is
- replaced: so → sow (1), as → is (1); 2 of 3 replaceable words of the list

| lists     | chosen by     | rank | errors | hypothesis      |
| --------- | ------------- | ---: | -----: | --------------- |
| clean     | all           |    1 |      0 | so it is        |
| perturbed | first_pass, a |    1 |      1 | **_sow_** it is |
| perturbed | b, oracle     |    2 |      0 | so it _is_      |
""")


def test_words_that_look_like_marks_are_escaped(exp_dir: Path) -> None:
    path = exp_dir / "nbest" / "test" / "text"
    refs = {utt: one[0] for utt, one in LISTS.items()} | {"unequal": "_so_ *it* <is> a_b | c"}
    for name in ("test", PERTURBED):
        write_table(exp_dir / "nbest" / name / path.name, refs)
    text = markdown(example_blocks(find_examples(exp_dir, RECORDS, max_examples=1)))
    assert r"- reference: \_so\_ \*it\* \<is\> a_b | c" in text


def test_perturbations_take_turns_and_show_no_utterance_twice(exp_dir: Path) -> None:
    near = "test_near_1best_p0.3_s1"
    write_lists(exp_dir / "nbest" / near, 2)
    records = RECORDS + [record(tag, perturbation="near", kind="1best") for tag in ("a", "b")]
    shown = find_examples(exp_dir, records, max_examples=2)
    assert sorted(example.lists for example in shown) == ["nbest", "near 1best"]
    assert len(set(utts(shown))) == 2
    everything = find_examples(exp_dir, records)
    assert sorted(utts(everything)) == ["both_right", "differ", "gain", "unequal"]
    assert [example.lists for example in everything] == ["nbest", "nbest", "near 1best", "near 1best"]


def test_the_highest_rate_and_the_lowest_seed(exp_dir: Path) -> None:
    records = [record("a", rate=0.1), record("a", seeds=(3, 1)), record("b")]
    assert {(one.rate, one.seed) for one in find_examples(exp_dir, records)} == {(0.3, 1)}


def test_the_worst_lists_are_shown_for_their_own_rescorer(exp_dir: Path) -> None:
    write_lists(exp_dir / "nbest" / "test_worst_b_nbest_p0.3_s1", 2)
    records = [record("b", perturbation="worst"), record("a", perturbation="tied")]
    shown = find_examples(exp_dir, records)
    assert utts(shown) == ["both_right", "differ", "gain"]  # those in which b's choice has other errors
    assert {example.lists for example in shown} == {"worst nbest"}
    assert {name for one in shown[1].perturbed for name in one.systems} == {"first_pass", "b", "oracle"}


def test_what_is_no_longer_there_is_not_shown(exp_dir: Path) -> None:
    assert find_examples(exp_dir, [record("a", set="other")]) == []
    (exp_dir / "nbest" / PERTURBED / "lmwt.b").unlink()
    (exp_dir / "rescore" / "a" / "weights.yaml").unlink()
    assert find_examples(exp_dir, RECORDS) == []
    assert example_blocks([]) == []


def test_lists_that_were_not_made_from_the_clean_ones_are_left_out(
    exp_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of other utterances, or, as their nbest.yaml says, of lists that stood under this name before."""
    clean, nbest_dir = read_nbest_dir(exp_dir / "nbest" / "test"), exp_dir / "nbest" / PERTURBED
    perturbed = read_nbest_dir(nbest_dir)
    other = NbestSet((NbestList("utt", (Hypothesis("a", 0.0),)),), {"utt": "a"})
    longer = tuple(replace(one, hypotheses=(*one.hypotheses, Hypothesis("a", 0.0))) for one in perturbed)
    for nbest, source, reason in (
        (perturbed, clean.info["checksum"], ""),
        (other, "", "utterance both_right is not here, unlike in {0}"),
        (perturbed, "0", "was made from other lists than those of {0}"),
        (replace(perturbed, lists=longer), "0", "was made from other lists than those of {0}"),
    ):
        write_nbest_dir(nbest_dir, replace(nbest, info={"perturbation": {"source_checksum": source} if source else {}}))
        caplog.clear()
        assert bool(find_examples(exp_dir, RECORDS)) == (not reason)
        end = ": no examples of them; stages 8 and 9 perturb and measure again"
        expected = [f"{nbest_dir}: {reason.format(exp_dir / 'nbest' / 'test')}{end}"] if reason else []
        assert caplog.messages == expected


def test_each_set_has_its_own_part(exp_dir: Path) -> None:
    for name in ("test", PERTURBED):
        (exp_dir / "nbest" / name).rename(exp_dir / "nbest" / name.replace("test", "voice"))
    write_lists(exp_dir / "nbest" / "test", 1)
    write_lists(exp_dir / "nbest" / PERTURBED, 2)
    records = [record(tag, set=name) for name in ("voice", "test") for tag in "ab"]
    blocks = example_blocks(find_examples(exp_dir, records))
    assert [block.text for block in blocks if isinstance(block, Heading)] == ["Examples", "voice", "test"]
