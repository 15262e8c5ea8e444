"""The library as others call it: load, rescore, JSON Lines on standard input, doctests, and what an import costs."""

import doctest
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from plm_models import new_rescorer

import lorescore
from lorescore import Expansion, Hypothesis, InputError, NbestList, Rescorer, Weights
from lorescore.__main__ import main
from lorescore.combine import ScoredLists, combined_scores, read_weights
from lorescore.espnet_adapter import RescoredSpeech2Text, rerank_results
from lorescore.files import write_yaml
from lorescore.nbest import CostParts, NbestSet, write_nbest_dir
from lorescore.nbest.formats import FORMATS, FormatOptions
from lorescore.nbest.given import as_nbest_list
from lorescore.rerank import rerank
from lorescore.scoring.list_scorer import ListScorer
from lorescore.stream import rescored_lines

ROOT = Path(__file__).resolve().parents[1]
TAG = "llama_clm_none"
TUNING = f"python3 -m lorescore convert dev.jsonl exp/nbest/dev && python3 -m lorescore rescore --tags {TAG} --dev dev"
PAIRS = [("the cat sat", -1.5), ("the cat sad", -1.0), ("a cat", -2.25), ("", -4.0)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """exp/plm/<tag> with a PLM at a relative path, as the recipe writes it, and stage 6's weights."""
    root = tmp_path_factory.mktemp("recipe")
    rescorer = new_rescorer(root / "exp" / "plm_base", "llama", plm_text="lower")
    rescorer.config["plm_dir"] = "exp/plm_base/llama_clm"
    rescorer.save(root / "exp" / "plm" / TAG)
    write_yaml(root / "exp" / "rescore" / TAG / "weights.yaml", {"lm_weight": 0.25, "word_bonus": 0.5})
    return root / "exp" / "plm" / TAG


@pytest.fixture(scope="module")
def rescorer(model: Path) -> Rescorer:
    return Rescorer.load(str(model))


def test_an_import_loads_nothing_heavy() -> None:
    program = (
        "import sys, lorescore; print(*sorted({'torch', 'transformers', 'numpy', 'yaml'} & set(sys.modules)));"
        "print(lorescore.Weights(0.5), 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT / "local")},
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("\nWeights(lm_weight=0.5, word_bonus=0.0, metric='wer') False\n", "")


def test_all_names_are_there() -> None:
    assert set(lorescore.__all__) <= set(dir(lorescore))
    assert all(getattr(lorescore, name) is not None for name in lorescore.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Rescorr'"):
        lorescore.Rescorr  # noqa: B018


def test_scores_and_order(rescorer: Rescorer) -> None:
    """The weights are stage 6's, and the combined scores those of its tuning."""
    (done,) = rescorer.rescore([PAIRS])
    (plm_scores,) = rescorer.score([[text for text, _ in PAIRS]])
    assert rescorer.weights == Weights(0.25, 0.5)
    lists = ScoredLists.build(NbestSet((as_nbest_list(PAIRS),)), [[-score for score in plm_scores]])
    combined = combined_scores(lists, Weights(0.25, 0.5)).tolist()
    by_rank = sorted(done.hypotheses, key=lambda one: one.rank)
    assert [(one.text, one.score) for one in by_rank] == PAIRS
    assert [one.plm_score for one in by_rank] == plm_scores
    assert [one.combined for one in by_rank] == pytest.approx(combined, abs=2e-9)
    assert [one.combined for one in done.hypotheses] == pytest.approx(sorted(combined, reverse=True), abs=2e-9)
    assert done.best is done.hypotheses[0]


def test_lists_of_both_kinds_in_their_order(rescorer: Rescorer) -> None:
    ours = NbestList("u1", (Hypothesis("the rain", -1.0), Hypothesis("rain", -3.0)))
    done = rescorer.rescore([ours, [], [("home", -0.5)]], Weights(0.0))
    assert [(one.utt, [hypothesis.text for hypothesis in one.hypotheses]) for one in done] == [
        ("u1", ["the rain", "rain"]),
        ("", []),
        ("", ["home"]),
    ]
    with pytest.raises(LookupError):
        _ = done[1].best


def test_equal_scores_stay_in_the_order_of_the_first_pass() -> None:
    one = as_nbest_list([("a", -1.0), ("b c", -1.5), ("d", -0.25)])
    done = rerank(one, [-2.0, -2.0, -5.0], Weights(0.25, 0.5))
    # -1 - 0.5 + 0.5; -1.5 - 0.5 + 1; -0.25 - 1.25 + 0.5
    assert [(one.text, one.rank, one.combined) for one in done.hypotheses] == [
        ("a", 1, -1.0),
        ("b c", 2, -1.0),
        ("d", 3, -1.0),
    ]
    # In floats, 0.1 + 0.2 is more than 0.3.
    done = rerank(as_nbest_list([("a", 0.3), ("b", 0.1)]), [0.0, 0.2], Weights(1.0))
    assert [(one.text, one.combined) for one in done.hypotheses] == [("a", 0.3), ("b", 0.3)]


@pytest.mark.parametrize(("score", "weights"), [(1e308, Weights(1.0, 1e308)), (-1.0, Weights(1e308))])
def test_a_combined_score_that_is_not_finite(score: float, weights: Weights) -> None:
    with pytest.raises(InputError, match="the combined score of hypothesis 1 is -?inf: .* of the PLM, 1 words or char"):
        rerank(as_nbest_list([("a", score)]), [-40.0], weights)


@pytest.mark.parametrize(
    ("hypotheses", "message"),
    [
        (["the cat"], "hypothesis 1 is 'the cat', expected (text, score)"),
        (["我们", "你们"], "hypothesis 1 is '我们', expected (text, score)"),
        ([{"text": "a", "score": -1.0}], "hypothesis 1 is {'text': 'a', 'score': -1.0}, expected (text, score)"),
        (None, "None is no list of (text, score)"),
        ([("a", -1.0), ("b",)], "hypothesis 2 is ('b',), expected (text, score)"),
        ([(-1.0, "a")], "the text of hypothesis 1 is -1.0, expected a string"),
        ([("a", "-1.0")], "the score of hypothesis 1 is '-1.0', expected a finite number"),
        ([("a", float("nan"))], "the score of hypothesis 1 is nan, expected a finite number"),
        ([("a", None)], "the score of hypothesis 1 is None, expected a finite number"),
        ([("a", -1.0), ("\ud83d", -1.0)], r"half a surrogate pair in the text of hypothesis 2, '\ud83d'"),
        (
            NbestList("u", (Hypothesis("a \ud83d", -1.0),)),
            r"half a surrogate pair in the text of hypothesis 1, 'a \ud83d'",
        ),
        (
            NbestList("u", (Hypothesis("a", float("nan")),)),
            "the score of hypothesis 1 is nan, expected a finite number",
        ),
        (NbestList("u", (Hypothesis(None, -1.0),)), "the text of hypothesis 1 is None, expected a string"),
    ],
)
def test_malformed_lists(rescorer: Rescorer, hypotheses: list[object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        rescorer.rescore([hypotheses])
    assert str(caught.value) == message
    with pytest.raises(InputError) as caught:
        rescorer.rescore([[], hypotheses])
    name = "list 2 (utterance u)" if isinstance(hypotheses, NbestList) else "list 2"
    assert str(caught.value) == f"{name}: {message}"


def test_a_list_of_the_projects_own_and_a_device_by_name(model: Path) -> None:
    rescorer = Rescorer.load(model, device="cpu")
    hypotheses = (Hypothesis("the cat", -1.0), Hypothesis("a cat", -2.0))
    weights = Weights(0.5)
    expected = rescorer.rescore([[(one.text, one.score) for one in hypotheses]], weights)[0].hypotheses
    spaced = NbestList("u", (Hypothesis("the  cat\n", -1.0), Hypothesis(" a cat", np.float64(-2.0))))
    for given in (hypotheses, NbestList("u", hypotheses), spaced):
        assert rescorer.rescore([given], weights)[0].hypotheses == expected
    with pytest.raises(InputError, match=r"weights are 0\.5, expected lorescore\.Weights"):
        rescorer.rescore([hypotheses], 0.5)


@pytest.mark.parametrize(
    "weights",
    [
        Weights(float("nan")),
        Weights(float("inf")),
        Weights(-1.0),
        Weights(0.5, float("inf")),
        Weights("0.5"),
        Weights(0.5, metric="CER"),
    ],
    ids=repr,
)
def test_weights_that_are_none(rescorer: Rescorer, weights: Weights) -> None:
    with pytest.raises(InputError) as caught:
        rescorer.rescore([PAIRS], weights)
    assert str(caught.value) == (
        f"weights are {weights}, expected finite numbers, lm_weight >= 0, metric wer or cer "
        "(give those that were tuned on a clean development set)"
    )


def test_without_weights(model: Path, tmp_path: Path) -> None:
    alone = tmp_path / TAG
    alone.mkdir()
    settings = (model / "config.yaml").read_text().replace("exp/plm_base", str(model.parents[1] / "plm_base"))
    (alone / "config.yaml").write_text(settings)
    rescorer = Rescorer.load(alone)
    with pytest.raises(InputError) as caught:
        rescorer.rescore([PAIRS])
    assert str(caught.value) == (
        "no weights.yaml for this rescorer (give weights=lorescore.Weights(lm_weight=X); or tune them on a "
        f"development set: {TUNING.replace(TAG, 'TAG')})"
    )
    assert rescorer.rescore([PAIRS], weights=lorescore.Weights(lm_weight=0.5))
    write_yaml(alone / "weights.yaml", {"lm_weight": 2})  # a rescorer that was given away with its weights
    assert Rescorer.load(alone).weights == Weights(2.0)


def test_doctests(model: Path) -> None:
    """The examples of the docstrings, the rescorer's with a tiny model."""
    modules = [lorescore.rerank, sys.modules[ListScorer.__module__]]
    results = [doctest.testmod(module, extraglobs={"directory": model}) for module in modules]
    assert [one.failed for one in results] == [0, 0]
    assert all(one.attempted >= 3 for one in results)


def json_line(utt: str, pairs: list[tuple[str, float]], **further: object) -> str:
    return json.dumps({"utt": utt, "hyps": [{"text": text, "score": score} for text, score in pairs]} | further)


def test_lists_go_out_as_they_come_in(rescorer: Rescorer) -> None:
    taken = []

    def lines() -> Iterator[str]:
        for number in range(3):
            taken.append(number)
            yield json_line(f"u{number}", PAIRS[number:])
            yield "\n"

    done = rescored_lines(lines(), rescorer)
    assert json.loads(next(done))["utt"] == "u0"
    assert taken == [0]
    assert [json.loads(line)["utt"] for line in done] == ["u1", "u2"]


@pytest.mark.parametrize("lists_at_a_time", [2, 100])
def test_results_do_not_depend_on_what_is_scored_together(rescorer: Rescorer, lists_at_a_time: int) -> None:
    lines = [json_line(f"u{number}", PAIRS[: number + 1]) for number in range(4)]
    alone = [json.loads(line) for line in rescored_lines(lines, rescorer)]
    together = [json.loads(line) for line in rescored_lines(lines, rescorer, lists_at_a_time=lists_at_a_time)]
    for one, other in zip(alone, together, strict=True):
        assert [hyp["rank"] for hyp in one["hyps"]] == [hyp["rank"] for hyp in other["hyps"]]
        assert [hyp["combined"] for hyp in one["hyps"]] == pytest.approx(
            [hyp["combined"] for hyp in other["hyps"]], abs=1e-4
        )


def test_a_line_brings_its_context(rescorer: Rescorer) -> None:
    """Which the clm reads, and which goes out with it."""
    before = ["the sun rose", "we saw it"]
    (line,) = rescored_lines([json_line("u", PAIRS, context=before)], rescorer)
    found = json.loads(line)
    one = as_nbest_list(PAIRS)
    (expected,) = rescorer.rescore([replace(one, context=tuple(before))])
    (without,) = rescorer.rescore([one])
    assert found["context"] == before
    assert [hyp["plm_score"] for hyp in found["hyps"]] == pytest.approx([hyp.plm_score for hyp in expected.hypotheses])
    assert [hyp.plm_score for hyp in without.hypotheses] != [hyp.plm_score for hyp in expected.hypotheses]


def test_lists_before_a_bad_line_are_rescored_whatever_is_scored_together(rescorer: Rescorer) -> None:
    lines = [json_line(f"u{number}", PAIRS) for number in range(3)]
    for lists_at_a_time in (1, 2, 100):
        done = rescored_lines([*lines, lines[0][:-1] + "\n"], rescorer, lists_at_a_time=lists_at_a_time)
        assert [json.loads(next(done))["utt"] for _ in lines] == ["u0", "u1", "u2"]
        with pytest.raises(InputError, match=f"input:4: not JSON: .* at character {len(lines[0])} of the line"):
            next(done)
    with pytest.raises(InputError, match="lists_at_a_time is 0, expected 1 or more"):
        list(rescored_lines(lines, rescorer, lists_at_a_time=0))


def test_half_a_surrogate_pair_that_is_passed_on(rescorer: Rescorer) -> None:
    (line,) = rescored_lines([json_line("ü", PAIRS, cut="\ud83d")], rescorer)
    assert json.loads(line.encode())["cut"] == "\ud83d"


def test_what_else_a_line_says_stays_with_it(rescorer: Rescorer) -> None:
    record = {
        "utt": "ü1",
        "hyps": [{"text": "door", "score": -1, "id": 7}, {"text": "the  cat", "score": -3.5, "id": 8}],
        "lang": ["en"],
    }
    # So high a bonus that the second hypothesis, of two words, wins.
    (line,) = rescored_lines([json.dumps(record)], rescorer, Weights(0.0, 10.0))
    done = json.loads(line)
    assert (done["utt"], done["lang"]) == ("ü1", ["en"])
    assert [{key: hyp[key] for key in ("text", "score", "id", "rank", "combined")} for hyp in done["hyps"]] == [
        {"text": "the cat", "score": -3.5, "id": 8, "rank": 2, "combined": 16.5},
        {"text": "door", "score": -1.0, "id": 7, "rank": 1, "combined": 9.0},
    ]


def test_lists_as_convert_writes_them(rescorer: Rescorer, tmp_path: Path) -> None:
    """Records of the format jsonl with costs in parts go in, and its reader takes what comes out."""
    parts = [CostParts(10.0, 1.0, 2.0), CostParts(8.0, 1.5, 4.0)]
    hypotheses = tuple(
        Hypothesis.from_parts(text, part, 0.5) for text, part in zip(("door", "the cat"), parts, strict=True)
    )
    lists = NbestSet((NbestList("u1", hypotheses),), {"u1": "the cat"}, {"acoustic_scale": 0.5})
    FORMATS["jsonl"].write(tmp_path / "in.jsonl", lists, FormatOptions())
    lines = (tmp_path / "in.jsonl").read_text().splitlines()
    (tmp_path / "out.jsonl").write_text("\n".join(rescored_lines(lines, rescorer, Weights(0.0, 10.0))))
    back = FORMATS["jsonl"].read(tmp_path / "out.jsonl", FormatOptions())
    assert back.lists == (NbestList("u1", hypotheses[::-1]),)
    assert back.refs == lists.refs


SOUNDS = Expansion({"sun": ("son",), "son": ("sun",)}, {"sun": 2}, cost=1.5)


def test_plain_lists_can_be_expanded(rescorer: Rescorer) -> None:
    made = SOUNDS.expand_list([("the son", -1.0), ("a cat", -2.0)])
    (ranked,) = rescorer.rescore([made])
    first_pass = {one.text: (one.score, one.rank) for one in ranked.hypotheses}
    assert first_pass == {"the son": (-1.0, 1), "a cat": (-2.0, 2), "the sun": (-2.5, 3)}
    assert SOUNDS.expand_list([]).hypotheses == ()
    with pytest.raises(InputError, match=r"hypothesis 1 is 'the son', expected \(text, score\)"):
        SOUNDS.expand_list(["the son"])


def test_an_expansion_is_read_from_a_path_as_text(tmp_path: Path) -> None:
    """As README writes it, and as Rescorer.load takes it."""
    write_nbest_dir(tmp_path, SOUNDS.expand(NbestSet((as_nbest_list([("the son", -1.0)]),), {})))
    SOUNDS.write(tmp_path)
    assert Expansion.read(str(tmp_path)).to_dict() == SOUNDS.to_dict()


def test_versions_in_a_stream_have_what_their_sources_have_of_costs(rescorer: Rescorer) -> None:
    record = {"utt": "u1", "hyps": ["the son", "a cat"], "scores": [-4.0, -5.5], "acoustic_scale": 0.5}
    record |= {"acoustic": [2, 3], "nolm": [1, 1], "lmonly": [2, 3]}
    lines = [json.dumps(record), json.dumps({"utt": "u2", "hyps": []})]
    done, empty = map(json.loads, rescored_lines(lines, rescorer, Weights(0.0), expansion=SOUNDS))
    assert [(hyp["text"], hyp["score"], hyp["rank"]) for hyp in done["hyps"]] == [
        ("the son", -4.0, 1),
        ("a cat", -5.5, 2),
        ("the sun", -5.5, 3),
    ]
    assert (done["acoustic"], done["nolm"], done["lmonly"]) == ([2, 3, 2], [1, 1, 2.5], [2, 3, 2])
    assert empty["hyps"] == []


def test_a_stream_is_expanded_as_the_lists_of_a_directory_are(
    model: Path, tmp_path: Path, on_standard_input: Callable[[bytes], None], capsys: pytest.CaptureFixture[str]
) -> None:
    lists = NbestSet((NbestList("u", (Hypothesis("the sun", -1.0), Hypothesis("the son", -2.0))),))
    write_nbest_dir(tmp_path / "dev", lists)
    call = ["rescore", "--nbest", "-", "--model", str(model), "--expand_as", str(tmp_path / "dev")]
    line = json.dumps({"utt": "u1", "hyps": [{"text": "a son", "score": -1.0, "id": 7}]})
    on_standard_input(line.encode())
    assert main(call) == 1
    assert (
        "dev: these lists are not expanded (expand them: stage 4 with --expand or --recombine)"
        in capsys.readouterr().err
    )
    assert main(["expand", "--nbest_dir", str(tmp_path / "dev"), "--out_dir", str(tmp_path)]) == 0
    capsys.readouterr()
    on_standard_input(line.encode())
    assert main(call) == 0
    (done,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert {hyp["text"]: (hyp["score"], hyp.get("id")) for hyp in done["hyps"]} == {
        "a son": (-1.0, 7),
        "a sun": (-2.0, None),
    }


@pytest.fixture
def on_standard_input(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    def put(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii"))

    return put


def test_the_command(
    model: Path,
    rescorer: Rescorer,
    on_standard_input: Callable[[bytes], None],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    lines = [json_line("ü", PAIRS), json_line("u2", [], ref="x"), json_line("u3", PAIRS[:1])]
    on_standard_input("\n".join(lines).encode())
    assert main(["rescore", "--nbest", "-", "--model", str(model)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines() == list(rescored_lines(lines, rescorer))
    assert json.loads(out.splitlines()[1]) == {"utt": "u2", "hyps": [], "ref": "x"}

    (tmp_path / "lists.jsonl").write_text("\n".join(lines))
    assert main(["rescore", "--nbest", str(tmp_path / "lists.jsonl"), "--model", str(model)]) == 0
    assert capsys.readouterr().out == out
    on_standard_input(b"\xef\xbb\xbf" + lines[0].encode())  # a byte-order mark
    assert main(["rescore", "--nbest", "-", "--model", str(model), "--lm_weight", "0", "--word_bonus", "-9"]) == 0
    assert json.loads(capsys.readouterr().out)["hyps"][0]["text"] == ""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "not JSON: "),
        (b"[]", "the line is [], expected an object"),
        (b"{}", "no list of hyps (write "),
        (b'{"utt": "u", "hyps": "a"}', "no list of hyps (write "),
        (b'{"utt": "u", "hyps": [{"text": "a"}]}', "the score of rank 1 of utterance 'u' is None, expected a finite"),
        (b'{"utt": "u", "hyps": [{"text": "a", "score": NaN}]}', "NaN is no JSON number"),
        (b'{"hyps": [{"text": "a", "score": 1}]}', "the columns are hyps, expected utt hyps scores"),
        (b'{"utt": "\xff"}', "byte 10 is not UTF-8"),
    ],
)
def test_a_bad_line_is_named_and_the_ones_before_it_are_done(
    model: Path,
    on_standard_input: Callable[[bytes], None],
    capsys: pytest.CaptureFixture[str],
    line: bytes,
    message: str,
) -> None:
    on_standard_input(json_line("u1", PAIRS).encode() + b"\n" + line + b"\n")
    assert main(["rescore", "--nbest", "-", "--model", str(model)]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["utt"] == "u1"
    assert captured.err.startswith(f"lorescore rescore: standard input:2: {message}")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nbest", "-"], "--nbest without --model (--model exp/plm/<tag> is the rescorer)"),
        (["--nbest", "-", "--model", "nowhere"], "nowhere: no finished rescorer: config.yaml is missing (stage 5"),
        (["--nbest", "-", "--model", "MODEL", "--lists_at_a_time", "0"], "--lists_at_a_time is 0, expected 1 or more"),
        (["--nbest", "-", "--model", "MODEL", "--lm_weight", "-1"], "--lm_weight -1.0 --word_bonus 0.0, expected"),
        (["--nbest", ".", "--model", "MODEL"], "--nbest with a directory, but no --out (--out DIR is where"),
        (["--nbest", "nowhere", "--model", "MODEL"], "nowhere: cannot be read: No such file or directory"),
        (["--nbest", ".", "--model", "MODEL", "--metric", "cer"], "--metric does not go with a directory as --nbest ("),
        (
            ["--nbest", ".", "--model", "MODEL", "--lists_at_a_time", "7"],
            "--lists_at_a_time does not go with a directory as --nbest (leave it out)",
        ),
        (
            ["--nbest", "-", "--model", "MODEL", "--lattice_dir", "x"],
            "--lattice_dir does not go with JSON Lines as --nbest (leave it out)",
        ),
        (["--dev", "dev"], "no --tags (name the rescorers, of exp/plm)"),
        ([], "no --dev (name the set to tune the weights on, or lists to rescore at once: --nbest)"),
    ],
)
def test_bad_options(model: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(["rescore", *(str(model) if word == "MODEL" else word for word in arguments)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"lorescore rescore: {message}")


@pytest.fixture
def untuned(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the recipe's directory, without weights, as the current one; and dev.jsonl."""
    shutil.copytree(model.parents[2], tmp_path / "recipe")
    shutil.rmtree(tmp_path / "recipe/exp/rescore")
    monkeypatch.chdir(tmp_path / "recipe")
    Path("dev.jsonl").write_text(f"{json_line('u1', PAIRS, ref='the cat sat')}\n{json_line('u2', PAIRS, ref='a')}\n")
    return Path("exp/plm") / TAG


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The one line of standard error with which a call of `rescore` ends; empty where it ends well."""

    def run(*arguments: object) -> str:
        capsys.readouterr()
        status, line = main(["rescore", *map(str, arguments)]), capsys.readouterr().err
        assert (status, line.count("\n")) in {(0, 0), (1, 1)}
        return line.removeprefix("lorescore rescore: ").rstrip("\n")

    return run


def follow(commands: str) -> None:
    """Do what a message says."""
    for command in commands.split(" && "):
        words = shlex.split(command)
        assert (words[:3], main(words[3:])) == (["python3", "-m", "lorescore"], 0)


def test_what_to_do_without_weights_works(untuned: Path, say: Callable[..., str]) -> None:
    stream = ("--nbest", "dev.jsonl", "--model", untuned)
    told = "no weights.yaml for this rescorer (--lm_weight X; or tune them on a development set: "
    assert say(*stream) == f"{told}{TUNING})"
    assert say(*stream, "--lm_weight", 0.5) == ""
    tune = f"--tune is for an N-best directory with references ({TUNING})"
    assert say(*stream, "--tune") == tune
    follow(TUNING)
    assert say(*stream) == ""
    assert Rescorer.load(untuned).weights == read_weights(Path("exp/rescore") / TAG / "weights.yaml")
    # Lists that are there already are not made again.
    shutil.rmtree("exp/rescore")
    assert say(*stream) == f"{told}python3 -m lorescore rescore --tags {TAG} --dev dev)"


def test_what_to_do_without_weights_works_elsewhere(
    untuned: Path, say: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From another directory, through a link, for a rescorer that was given away."""
    (tmp_path / "best").symlink_to(untuned.absolute())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.jsonl").write_text(Path("recipe/dev.jsonl").read_text())
    stream = ("--nbest", "my.jsonl", "--model", "best")
    tuning = (
        "python3 -m lorescore convert my.jsonl recipe/exp/nbest/my && "
        f"python3 -m lorescore rescore --tags {TAG} --dev my --exp_dir recipe/exp"
    )
    assert say(*stream, "--tune") == f"--tune is for an N-best directory with references ({tuning})"
    follow(tuning)
    assert say(*stream) == ""

    given = shutil.copytree(tmp_path / "recipe/exp/plm" / TAG, tmp_path / "recipe/given")
    monkeypatch.chdir(tmp_path / "recipe")
    stream = ("--nbest", "dev.jsonl", "--model", "given")
    tuning = (
        "python3 -m lorescore convert dev.jsonl exp/nbest/dev && "
        f"python3 -m lorescore rescore --nbest exp/nbest/dev --model {given} --tune --out DIR"
    )
    assert f"{tuning}; then --weights DIR/weights.yaml)" in say(*stream)
    nbest_dir = ("--nbest", "exp/nbest/dev", "--model", "given", "--out", "out")
    follow(tuning)
    assert "--lm_weight X; or tune them on a development set: --tune, whose --out then has" in say(*nbest_dir)
    for usual in (stream, nbest_dir):
        assert say(*usual, "--weights", "DIR/weights.yaml") == ""


def test_results_of_espnet(rescorer: Rescorer) -> None:
    """Tuples as Speech2Text returns them; a real one runs in tests/recipe/test_espnet_adapter.py."""
    results = [(text, text.split(), [1], SimpleNamespace(score=torch.tensor(score))) for text, score in PAIRS]
    expected = [one.rank - 1 for one in rescorer.rescore([PAIRS])[0].hypotheses]
    reranked = [results[index] for index in expected]
    assert rerank_results(rescorer, results) == reranked
    assert RescoredSpeech2Text(lambda speech: results[:speech], rescorer)(4) == reranked
    # Several speakers; outputs of an intermediate CTC.
    assert RescoredSpeech2Text(lambda _: [results, results], rescorer)(None) == [reranked, reranked]
    assert RescoredSpeech2Text(lambda _: (results, {3: ["a"]}), rescorer)(None) == (reranked, {3: ["a"]})
    assert RescoredSpeech2Text(lambda _: [], rescorer)(None) == []
    with pytest.raises(InputError, match="a result without a text"):
        rerank_results(rescorer, [(None, [], [], results[0][3])])
