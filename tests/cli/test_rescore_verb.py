"""The verb `rescore` with a real (tiny) rescorer: ctm of every system, lattices that come back, and `score --ctm`."""

import gzip
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from plm_models import new_rescorer

from lorescore.combine import read_weights
from lorescore.files import checksum, read_table, read_yaml, write_yaml
from lorescore.lattice.archives import read_lattices
from lorescore.lattice.paths import best_path
from lorescore.nbest import list_costs, read_nbest_dir, write_nbest_dir
from lorescore.scoring import stored
from lorescore.scoring.rescorer import Rescorer
from lorescore.wer.ctm import ctm_texts, read_ctm

Call = Callable[..., object]

TAG = "tiny_clm_none"
WORDS = "<eps> 0\nthe 1\ncat 2\nsat 3\nsea 4\nrain 5\n"
# `the {cat | sea | rain} sat`, and `rain {cat | sea}`; of u3 there is none.
LATTICES = """\
u1
0 1 1 0.5,5,1_1
1 2 2 1,10,2
1 2 4 1,12,3
1 2 5 2,11,3
2 3 3 0.25,5,4
3 0,0,

u2
0 1 5 1,1,1
1 2 2 1,2,2_2
1 2 4 1,1,2_2
2 0,0,

"""
REFS = {"u1": "the cat sat", "u2": "rain sea", "u3": "see spain"}

needs_sclite = pytest.mark.skipif(
    not (shutil.which("sclite") or shutil.which("sctk")), reason="sclite is missing: apt-get install sctk"
)


@pytest.fixture
def exp(tmp_path: Path, call: Call) -> Path:
    """exp with a rescorer, lists of lattices in the set dev, and lists of a beam search in the set beam."""
    exp = tmp_path / "exp"
    new_rescorer(tmp_path / "plm", "llama", plm_text="lower").save(exp / "plm" / TAG)
    (exp / "lat_dev").mkdir()
    (exp / "lat_dev" / "words.txt").write_text(WORDS)
    (exp / "lat_dev" / "lat.1.gz").write_bytes(gzip.compress(LATTICES.encode()))
    decode = tmp_path / "decode"
    for rank, (text, score) in enumerate([("see spain", -1.5), ("sea spain", -2.5)], start=1):
        folder = decode / "logdir" / "output.1" / f"{rank}best_recog"
        folder.mkdir(parents=True)
        (folder / "text").write_text(f"u3 {text}\n")
        (folder / "score").write_text(f"u3 {score}\n")
    (tmp_path / "ref").write_text("".join(f"{utt} {ref}\n" for utt, ref in REFS.items()))
    (tmp_path / "ref3").write_text(f"u3 {REFS['u3']}\n")
    for arguments in (
        (
            "--lattice_dir",
            exp / "lat_dev",
            "--ref",
            tmp_path / "ref",
            "--out",
            exp / "nbest" / "dev",
            "--fallback",
            decode,
        ),
        ("--decode_dir", decode, "--ref", tmp_path / "ref3", "--out", exp / "nbest" / "beam"),
    ):
        assert call("import-nbest", *arguments).status == 0
    return exp


def rescore(call: Call, exp: Path, *arguments: object) -> object:
    pattern = exp / "lat_{set}"
    return call(
        *("rescore", "--tags", TAG, "--dev", "dev", "--sets", "beam", "--exp_dir", exp),
        *("--lattice_dir", pattern, "--decode", "mbr", *arguments),
    )


def test_lattices_and_ctm(exp: Path, call: Call) -> None:
    (exp / "lat_beam").mkdir()
    outcome = rescore(call, exp, "--frame_shift", 0.04)
    lines = outcome.out.splitlines()
    shared = "beam: 1 of 1 utterances are in dev too, on which the weights are tuned"
    assert lines.pop(0) == shared
    assert lines[0] == f"{exp}/lat_beam: the lists of beam are not of lattices, none come back for it"
    dev, beam = exp / "rescore" / TAG / "dev", exp / "rescore" / TAG / "beam"
    scale = lines[3].partition("posterior scale ")[2].partition(",")[0]
    assert lines[3:] == [
        f"{dev}/ctm: confidences at posterior scale {scale}, times of the alignments, 0.04 s a frame",
        f"{dev}: 3 rescored lattices, 1 of them of utterances that have none in {exp}/lat_dev; "
        "with unchanged scores 0 best paths differ",
        f"{beam}/ctm: confidences at posterior scale {scale}, times nominal, 0.3 s a word",
    ]

    # A path of the archive costs what the lists and the weights say, and the best one is what was chosen.
    nbest = read_nbest_dir(exp / "nbest" / "dev")
    weights = read_weights(exp / "rescore" / TAG / "weights.yaml")
    combined = {
        (one.utt, tuple(hypothesis.words)): -hypothesis.score
        + weights.lm_weight * plm
        - weights.word_bonus * len(hypothesis.words)
        for one, costs in zip(nbest, list_costs(exp / "nbest" / "dev", nbest, TAG), strict=True)
        for hypothesis, plm in zip(one.hypotheses, costs, strict=True)
    }
    texts = read_table(dev / "text")
    for lattice in read_lattices(dev):
        best = best_path(lattice)
        assert best.cost.graph + best.cost.acoustic == pytest.approx(combined[lattice.utt, best.words], abs=1e-3)
        assert " ".join(best.words) == texts[lattice.utt]
    for system in (TAG, f"{TAG}_mbr"):
        for name in ("dev", "beam"):
            folder = exp / "rescore" / system / name
            chosen = read_table(folder / "text")
            assert ctm_texts(read_ctm(folder / "ctm"), chosen) == chosen
    of_u2 = [(one.start, one.duration) for one in read_ctm(dev / "ctm") if one.utt == "u2"]
    assert of_u2 == [(0.0, 0.04), (0.04, 0.08)]
    assert sorted(path.name for path in beam.iterdir()) == [".text.stamp", "ctm", "rescored.yaml", "text"]


def test_what_was_chosen_from_lists_that_are_there_no_more_is_not_scored(exp: Path, call: Call) -> None:
    assert rescore(call, exp).status == 0
    nbest_dir, chosen = exp / "nbest" / "dev", exp / "rescore" / TAG / "dev" / "text"
    score = ("score", "--ref", nbest_dir / "text", "--hyp", chosen, "--out", chosen.parent)
    assert call(*score).status == 0
    lists = read_nbest_dir(nbest_dir)
    write_nbest_dir(
        nbest_dir, replace(lists, lists=tuple(replace(one, hypotheses=one.hypotheses[:1]) for one in lists))
    )
    expected = f"lorescore score: {chosen}: chosen from other lists than {nbest_dir} has now (rescore again: stage 6)"
    assert call(*score).error_line() == expected
    write_nbest_dir(nbest_dir, lists)
    assert call(*score).status == 0


def test_weights_that_were_tuned_for_another_rescorer(
    exp: Path, tmp_path: Path, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    """One that was trained under the same tag since, without stage 6; whatever the training of the same one took."""
    assert rescore(call, exp).status == 0
    rescorer_dir, weights = exp / "plm" / TAG, exp / "rescore" / TAG / "weights.yaml"
    config = read_yaml(rescorer_dir / "config.yaml")
    write_yaml(rescorer_dir / "config.yaml", config | {"training": {"seconds": 2.5}})
    scores = {
        system: ("score", "--ref", exp / "nbest" / "dev" / "text", "--hyp", folder / "text", "--out", folder)
        for system in (TAG, f"{TAG}_mbr")
        for folder in (exp / "rescore" / system / "dev",)
    }
    assert [call(*score).status for score in scores.values()] == [0, 0]
    assert Rescorer.load(rescorer_dir).weights == read_weights(weights)

    shutil.rmtree(rescorer_dir)
    new_rescorer(tmp_path / "other", "qwen2", plm_text="lower").save(rescorer_dir)
    refused = f"tuned for another rescorer than {rescorer_dir} holds"
    for system, score in scores.items():
        path = exp / "rescore" / system / "weights.yaml"
        assert call(*score).error_line() == f"lorescore score: {path}: {refused} now (rescore again: stage 6)"
    nprr = ("nprr", "--tags", TAG, "--sets", "beam", "--exp_dir", exp)
    assert call(*nprr).error_line() == f"lorescore nprr: {weights}: {refused} now (rescore again: stage 6)"
    assert Rescorer.load(rescorer_dir).weights is None
    lines = tmp_path / "lists.jsonl"
    lines.write_text('{"utt": "u1", "hyps": ["the son", "the sun"], "scores": [-1.0, -1.5]}\n')
    for lists in (exp / "nbest" / "dev", lines):  # given, they are taken all the same
        out = ("--out", tmp_path / "out") if lists.is_dir() else ()
        caplog.clear()
        assert call("rescore", "--nbest", lists, "--model", rescorer_dir, "--weights", weights, *out).status == 0
        assert f"{weights}: tuned for another rescorer than {rescorer_dir}" in caplog.text
    write_yaml(weights, {"lm_weight": 0.5})  # by hand, or by a version that did not say what they are for
    assert Rescorer.load(rescorer_dir).weights == read_weights(weights)
    assert call(*scores[TAG]).status == 0


def test_a_rescorer_is_read_once_to_tell_whose_weights_they_are(
    exp: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And again where its files look otherwise; a `full` one has gigabytes, and stage 7 asks for each set."""
    content = b"weights"
    file = exp / "plm" / TAG / "of_the_rescorer.json"
    file.write_bytes(content)
    assert rescore(call, exp).status == 0
    read: list[list[Path]] = []

    def counted(paths: Iterable[Path]) -> str:
        read.append(list(paths))
        return checksum(read[-1])

    monkeypatch.setattr(stored, "checksum", counted)

    def scored(name: str) -> str:
        folder = exp / "rescore" / TAG / name
        done = call("score", "--ref", exp / "nbest" / name / "text", "--hyp", folder / "text", "--out", folder)
        return done.error_line() if done.status else ""

    assert [scored(name) for name in ("dev", "beam", "dev")] == [""] * 3
    assert len(read) == 1 and file in read[0]
    file.write_bytes(b"others!")  # as long as before
    assert "tuned for another rescorer" in scored("dev")
    file.write_bytes(content)
    assert [scored(name) for name in ("dev", "beam")] == [""] * 2
    assert len(read) == 3


def test_times_without_alignments_are_said_to_be_nominal(exp: Path, tmp_path: Path, call: Call) -> None:
    one = ("rescore", "--nbest", exp / "nbest" / "dev", "--model", exp / "plm" / TAG, "--lm_weight", "0.5")
    some = LATTICES.replace("2_2", "").replace("1,1,1\n", "1,1,\n")
    bare = "".join(f"{re.sub(',[0-9_]+$', ',', line)}\n" for line in LATTICES.splitlines())
    for name, text, said in (
        ("some", some, "of the alignments, 0.01 s a frame; nominal, 0.3 s a word, in 1 of 2 lattices, which have none"),
        ("none", bare, "nominal, 0.3 s a word: the lattices have no alignments"),
    ):
        (exp / "lat_dev" / "lat.1.gz").write_bytes(gzip.compress(text.encode()))
        out = tmp_path / name
        outcome = call(*one, "--lattice_dir", exp / "lat_dev", "--out", out)
        assert outcome.out.splitlines()[-1] == f"{out}/ctm: times {said}"
        times = [(one.utt, one.start, one.duration) for one in read_ctm(out / "ctm")]
        assert times[3:5] == [("u2", 0.0, 0.3), ("u2", 0.3, 0.3)]
    assert times[:3] == [("u1", 0.0, 0.3), ("u1", 0.3, 0.3), ("u1", 0.6, 0.3)]


def test_confidences_are_those_of_the_file_that_the_weights_are_of(exp: Path, tmp_path: Path, call: Call) -> None:
    """Found beside the rescorer or named by --weights: the same scale, which decides the confidences."""
    path = exp / "rescore" / TAG / "weights.yaml"
    write_yaml(path, {"lm_weight": 0.5, "word_bonus": 0.25, "confidence_scale": 1.5})
    by_hand = ("--lm_weight", 0.5, "--word_bonus", 0.25)
    for name, options, scale, of in (
        ("found", (), 1.5, f"of {path}"),
        ("named", ("--weights", path), 1.5, f"of {path}"),
        ("given", by_hand, 1.0, "given"),
    ):
        out = tmp_path / name
        one = ("rescore", "--nbest", exp / "nbest" / "dev", "--model", exp / "plm" / TAG, "--out", out)
        outcome = call(*one, *options)
        assert outcome.out.startswith(f"{out}: lm_weight 0.5, word_bonus 0.25 ({of}), WER ")
        assert read_yaml(out / "weights.yaml")["confidence_scale"] == scale
    found, named, given = ((tmp_path / name / "ctm").read_bytes() for name in ("found", "named", "given"))
    assert found == named != given

    # Weights that go with the rescorer come before stage 6's.
    own = exp / "plm" / TAG / "weights.yaml"
    write_yaml(own, {"lm_weight": 0.5})
    assert f"word_bonus 0 (of {own})" in call(*one).out
    assert read_yaml(out / "weights.yaml")["confidence_scale"] == 1.0


def test_stage_6_records_the_scale_of_its_confidences(exp: Path, tmp_path: Path, call: Call) -> None:
    """So that other sets get confidences at the same scale."""
    said = rescore(call, exp).out.partition("posterior scale ")[2].partition(",")[0]
    of_systems = [read_yaml(exp / "rescore" / name / "weights.yaml") for name in (TAG, f"{TAG}_mbr")]
    assert [f"{one['confidence_scale']:g}" for one in of_systems] == [said, said]
    assert (
        call(
            "rescore", "--nbest", exp / "nbest" / "dev", "--model", exp / "plm" / TAG, "--out", tmp_path / "out"
        ).status
        == 0
    )
    ctm = (exp / "rescore" / TAG / "dev" / "ctm").read_text()
    assert [line.split()[4:] for line in (tmp_path / "out" / "ctm").read_text().splitlines()] == [
        line.split()[4:] for line in ctm.splitlines()
    ]


def test_weights_are_for_one_acoustic_scale(exp: Path, tmp_path: Path, call: Call) -> None:
    """Lists of the same lattices at another one have other first-pass scores."""
    assert rescore(call, exp, "--history", 2).status == 0
    weights = exp / "rescore" / TAG / "weights.yaml"
    dev = exp / "nbest" / "dev"
    assert read_yaml(weights)["acoustic_scale"] == 1.0
    assert read_yaml(weights)["plm_scores"] == "float32 history=2"
    one = ("rescore", "--model", exp / "plm" / TAG)
    assert call(*one, "--nbest", dev, "--tune", "--history", 2, "--out", tmp_path / "tuned").status == 0
    of_stage, of_lists = read_yaml(weights), read_yaml(tmp_path / "tuned" / "weights.yaml")
    assert of_lists == of_stage | {"tuned_on": str(dev)}
    other = exp / "nbest" / "other"
    arguments = ("--lattice_dir", exp / "lat_dev", "--acoustic_scale", 0.5, "--out", other)
    assert call("import-nbest", *arguments).status == 0
    expected = f"{other / 'nbest.yaml'}: acoustic_scale 0.5, but the weights are tuned at 1.0 in "
    for where in (weights, tmp_path / "tuned" / "weights.yaml"):
        line = call(*one, "--nbest", other, "--weights", where, "--out", tmp_path / "out").error_line()
        assert f"{expected}{where} (make both lists with one --acoustic_scale" in line
    assert f"{expected}dev (" in rescore(call, exp, "--sets", "other").error_line()
    assert call(*one, "--nbest", other, "--lm_weight", 0.5, "--out", tmp_path / "out").status == 0


def test_a_set_without_lattices_is_left_out(exp: Path, call: Call) -> None:
    shutil.rmtree(exp / "lat_dev")
    lines = rescore(call, exp).out.splitlines()
    assert lines[1:3] == [f"{exp}/lat_{name}: no lattices here, none come back for {name}" for name in ("dev", "beam")]
    assert not list(exp.glob("rescore/*/*/lat.1.gz"))
    assert len(list(exp.glob("rescore/*/*/ctm"))) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lattice_dir", "lat"], "--lattice_dir 'lat' has no {set} (write {set} for the name of the set)"),
        (["--frame_shift", "0"], "frame shift 0, expected a finite number above 0 ("),
    ],
)
def test_bad_arguments_stop_before_the_scoring(exp: Path, call: Call, arguments: list[str], message: str) -> None:
    (exp / "lat_beam").mkdir()
    line = rescore(call, exp, *arguments).err
    assert line.startswith(f"lorescore rescore: {message}")
    assert not (exp / "rescore").exists()


def test_nothing_of_others_is_lost(exp: Path, tmp_path: Path, call: Call) -> None:
    dev, lattices, out = exp / "nbest" / "dev", exp / "lat_dev", tmp_path / "out"
    one = ("rescore", "--nbest", dev, "--model", exp / "plm" / TAG, "--lm_weight", "0.5")
    text, archive = (dev / "text").read_bytes(), (lattices / "lat.1.gz").read_bytes()
    line = call(*one, "--out", dev).error_line()
    assert f"{dev}: --out is an N-best directory, whose references would be lost" in line
    out.mkdir()
    for name in ("text", "lat.2.gz"):  # a data directory, a decode
        (out / name).write_bytes(b"somebody's")
        refused = f"{out}: is there already and no rescored directory: its text or lattices would be lost (name another"
        assert refused in call(*one, "--out", out).error_line()
        assert [path.name for path in out.iterdir()] == [name]
        assert (out / name).read_bytes() == b"somebody's"
        (out / name).unlink()
    assert not (dev / f"lmwt.{TAG}").exists()  # nothing was scored before
    assert "is there already" in call(*one, "--out", lattices, "--lattice_dir", lattices).error_line()
    again = (*one, "--out", out, "--lattice_dir", lattices)
    assert [call(*again).status for _ in range(2)] == [0, 0]
    rescored = (out / "lat.1.gz").read_bytes()
    line = call(*one, "--out", out, "--lattice_dir", out).err
    assert f"{out}: lattices cannot be rescored into their own directory" in line
    assert (out / "lat.1.gz").read_bytes() == rescored
    assert ((dev / "text").read_bytes(), (lattices / "lat.1.gz").read_bytes()) == (text, archive)
    (tmp_path / "lists.jsonl").write_text("{}\n")
    lines = ("rescore", "--nbest", tmp_path / "lists.jsonl", "--model", exp / "plm" / TAG, "--lm_weight", "0.5")
    assert "--out is for an N-best directory" in call(*lines, "--out", out).error_line()


def test_scores_of_other_hypotheses_do_not_stay(exp: Path, tmp_path: Path, call: Call) -> None:
    """A later scoring may have no references to replace them with."""
    out = tmp_path / "out"
    one = ("rescore", "--nbest", exp / "nbest" / "dev", "--model", exp / "plm" / TAG, "--out", out)
    call(*one, "--lm_weight", "0")
    scoring = ("score", "--ref", tmp_path / "ref", "--hyp", out / "text", "--out", out, "--ctm", out / "ctm")
    assert call(*scoring).status == 0
    scores = sorted(out.rglob("*"))
    text = (out / "text").read_text()
    call(*one, "--lm_weight", "0")
    assert sorted(out.rglob("*")) == scores
    call(*one, "--lm_weight", "1000")
    assert (out / "text").read_text() != text
    left = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert left == ["ctm", "rescored.yaml", "score_cache.sqlite", "scoring_kaldi/utt2spk", "text", "weights.yaml"]
    (out / "scoring_kaldi" / "best_wer").write_text("somebody's")
    call(*one, "--lm_weight", "0")
    assert (out / "scoring_kaldi" / "best_wer").read_text() == "somebody's"


def test_words_that_lie_elsewhere(exp: Path, tmp_path: Path, call: Call) -> None:
    """As README's `import-nbest --words graph/words.txt`: named again, or missed before the scoring."""
    words = tmp_path / "graph_words.txt"
    (exp / "lat_dev" / "words.txt").rename(words)
    one = ("rescore", "--nbest", exp / "nbest" / "dev", "--model", exp / "plm" / TAG, "--lattice_dir", exp / "lat_dev")
    missed = f"{exp}/lat_dev: lattices have word ids, and there is no words.txt beside them (give the words.txt of "
    for outcome in (call(*one, "--tune", "--out", tmp_path / "out"), rescore(call, exp)):
        assert missed in outcome.err
    assert not (tmp_path / "out").exists()
    assert not (exp / "rescore").exists()
    assert not list((exp / "nbest" / "dev").glob(f"lmwt.{TAG}"))
    assert call(*one, "--tune", "--out", tmp_path / "out", "--words", words).status == 0
    assert rescore(call, exp, "--words", words).status == 0
    tables = [(path / "words.txt").read_text() for path in (tmp_path / "out", exp / "rescore" / TAG / "dev")]
    assert all(table.startswith(WORDS) for table in tables)


def test_tuned_weights_outlast_a_failure_after_the_scoring(exp: Path, tmp_path: Path, call: Call) -> None:
    (exp / "lat_dev" / "lat.1.gz").write_bytes(gzip.compress(LATTICES.replace("1 2 5 2", "1 2 3 2").encode()))
    one = ("rescore", "--nbest", exp / "nbest" / "dev", "--model", exp / "plm" / TAG, "--tune", "--out", tmp_path / "o")
    assert "is not in its lattice" in call(*one, "--lattice_dir", exp / "lat_dev").err
    assert read_yaml(tmp_path / "o" / "weights.yaml")["tuned_on"] == str(exp / "nbest" / "dev")


def test_lattices_of_other_lists(exp: Path, call: Call) -> None:
    (exp / "lat_dev" / "lat.1.gz").write_bytes(gzip.compress(LATTICES.replace("1 2 5 2", "1 2 3 2").encode()))
    outcome = rescore(call, exp)
    assert (outcome.status, outcome.err) == (
        1,
        "lorescore rescore: hypothesis `the rain sat` of utterance u1 is not in its lattice "
        "(give the lattices that the lists were made of, or none)\n",
    )
    assert not list(exp.glob("rescore/*/*/lat.1.gz"))


@needs_sclite
def test_the_ctm_is_scored(exp: Path, tmp_path: Path, call: Call) -> None:
    rescore(call, exp)
    folder = exp / "rescore" / TAG / "dev"
    arguments = ("score", "--ref", tmp_path / "ref", "--hyp", folder / "text", "--out", folder, "--ctm", folder / "ctm")
    assert call(*arguments).status == 0
    assert "NCE" in (folder / "score_ctm" / "result.txt").read_text()
    (folder / "text").write_text("u1 the cat\nu2 rain sea\nu3 see spain\n")
    line = call(*arguments).error_line()
    assert line == (
        "lorescore score: utterance u1 has other words in the ctm than in the hypotheses (write both again: stage 6)"
    )
