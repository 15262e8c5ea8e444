"""Mandarin from lists in segmented text to NPRR in characters: the verbs `import-nbest`, `perturb` and `nprr`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lorescore.files import read_table, write_table
from lorescore.nbest import read_nbest_dir

Call = Callable[..., object]

# 11 characters. The first pass has one wrong: 汽.
REFS = {"u1": "今天 天气 很 好", "u2": "他 在 公园 里"}
HYPS = {"u1": ["今天 天汽 很 好", "今天 天气 很 好"], "u2": ["他 在 公园 里", "他 再 公元 里"]}
LEXICON = """\
!SIL sil
今天 j in1 t ian1
天气 t ian1 q i4
天汽 t ian1 q i4
很 h en3
好 h ao3
他 t a1
她 t a1
在 z ai4
再 z ai4
公园 g ong1 y uan2
公元 g ong1 y uan2
里 l i3
"""
# At rate 1 every word that has a homophone in the lists becomes that one: 他 has none there.
PERTURBED = {
    "u1-1": "今天 天气 很 好",
    "u1-2": "今天 天汽 很 好",
    "u2-1": "他 再 公元 里",
    "u2-2": "他 在 公园 里",
}


@pytest.fixture
def lists(tmp_path: Path, call: Call) -> Path:
    """The N-best directory nbest/test, and lexicon.txt beside its folder."""
    with (tmp_path / "lists.jsonl").open("w", encoding="utf-8") as file:
        for utt, ref in REFS.items():
            one = {"utt": utt, "ref": ref, "hyps": HYPS[utt], "scores": [-1.0, -1.5]}
            file.write(json.dumps(one, ensure_ascii=False) + "\n")
    (tmp_path / "lexicon.txt").write_text(LEXICON, encoding="utf-8")
    out = tmp_path / "nbest" / "test"
    outcome = call("import-nbest", "--decode_dir", tmp_path / "lists.jsonl", "--metric", "cer", "--out", out)
    assert outcome.status == 0, outcome
    return out


def perturb(call: Call, lists: Path, *options: object) -> object:
    folder = lists.parents[1]
    places = ("--nbest_dir", lists, "--out_dir", lists.parent, "--lexicon_dir", folder / "lexicon")
    settings = ("--pronunciations", folder / "lexicon.txt", "--kinds", "nbest", "--rates", "1", "--seeds", "1")
    return call("perturb", *places, *settings, *options)


def test_from_the_lists_to_nprr(lists: Path, call: Call) -> None:
    outcome = perturb(call, lists)
    assert outcome.status == 0, outcome
    perturbed = lists.with_name("test_nbest_p1_s1")
    # 天气, 天汽, and in both hypotheses of u2 在 or 再 and 公园 or 公元.
    assert outcome.out == f"{perturbed}: 16 words, 37.5 % replaceable, 37.5 % replaced, 4 of 4 hypotheses changed\n"
    assert read_nbest_dir(perturbed).metric == "cer"
    assert read_table(perturbed / "words_text") == PERTURBED
    lexicon = lists.parents[1] / "lexicon"
    assert "他 t a1\n" in (lexicon / "lexicon.txt").read_text(encoding="utf-8")
    pairs = [("公元", "公园"), ("再", "在"), ("天气", "天汽")]
    assert read_table(lexicon / "homophones.txt") == dict([*pairs, *((other, word) for word, other in pairs)])

    # Of the clean lists both take the first hypotheses, one wrong character. Of the perturbed ones the first pass takes
    # the first ones again, two wrong (再, 元), and the scorer the second one of u1, three wrong (汽).
    write_table(lists / "lmwt.hand", {"u1-1": "0", "u1-2": "9", "u2-1": "0", "u2-2": "9"})
    write_table(perturbed / "lmwt.hand", {"u1-1": "9", "u1-2": "0", "u2-1": "0", "u2-2": "9"})
    options = ("--costs", "hand", "--lm_weight", 1, "--out_dir", lists.parents[1] / "out")
    outcome = call("nprr", "--clean", lists, "--perturbed", perturbed, *options)
    assert outcome.status == 0, outcome
    row = next(line for line in outcome.out.splitlines() if line.startswith("| nbest |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:4] == ["1", "1", "+200.00"]
    assert cells[5] == "+100.00"
    assert cells[7:] == ["9.09", "27.27"]  # 1 and 3 of 11 characters


def test_near_says_what_to_take_instead(lists: Path, call: Call) -> None:
    line = perturb(call, lists, "--perturbations", "homophone near").error_line()
    assert line == (
        f"lorescore perturb: {lists.parents[1]}/lexicon.txt: the perturbation near knows how far apart CMUdict's "
        "phones are, and this lexicon has others, such as 'a1' (take homophone, split, tied or insert, which need no "
        "distances)"
    )
    assert [path.name for path in lists.parent.iterdir()] == ["test"]
