"""The stages on lists that are written with case and punctuation, whose errors are counted after a cleaner."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from plm_models import save_plm

from lorescore.files import read_table, read_yaml
from lorescore.nbest import read_nbest_dir
from lorescore.nprr import read_records
from lorescore.report.examples import find_examples

pytestmark = pytest.mark.skipif(
    not (shutil.which("sclite") or shutil.which("sctk")), reason="sclite is missing: apt-get install sctk"
)

Call = Callable[..., object]

UTTERANCES = {
    "s1-0": ("THE SUN SET AT TWENTY", ["The son set at 20.", "The sun set at 20.", "The sun, uh, set at 20."]),
    "s1-1": ("I CAN NOT SEE", ["Eye can't see?", "I can't see.", "I can't sea!"]),
    "s2-0": ("YES", ["Yes.", "Yes, yes."]),
    "s2-1": ("MISTER HALL", ["Mr. Haul", "Mr. Hall"]),
}
FIRST_ERRORS, ORACLE_ERRORS, REF_WORDS = 3, 0, 12
TAG = "llama_clm_as-is_none"


def write_lists(path: Path) -> Path:
    rows = (
        {"utt": utt, "ref": ref, "hyps": hyps, "scores": [-1.0 - rank for rank in range(len(hyps))]}
        for utt, (ref, hyps) in UTTERANCES.items()
    )
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


@pytest.fixture
def exp(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> Path:
    """exp/nbest/{dev,test} of one file of lists."""
    monkeypatch.chdir(tmp_path)
    lists = write_lists(tmp_path / "lists.jsonl")
    for name in ("dev", "test"):
        outcome = call("import-nbest", "--decode_dir", lists, "--cleaner", "whisper_en", "--out", f"exp/nbest/{name}")
        assert outcome.status == 0, outcome
    return tmp_path / "exp"


def score(call: Call, exp: Path, system: str, name: str) -> dict[str, object]:
    folder = exp / "rescore" / system / name
    options = ["--ref", exp / "nbest" / name / "text", "--hyp", folder / "text", "--out", folder]
    options += ["--ctm", folder / "ctm"] if (folder / "ctm").is_file() else []
    weights = folder.parent / "weights.yaml"
    options += ["--weights", weights] if weights.is_file() else []
    outcome = call("score", *options)
    assert outcome.status == 0, outcome
    return read_yaml(folder / "result.yaml")


def test_from_the_lists_to_the_report(exp: Path, call: Call, caplog: pytest.LogCaptureFixture) -> None:
    plm = ("--plm", save_plm(exp.parent / "llama", "llama"), "--plm_text", "as-is")
    assert call("fetch-plm", *plm).status == 0
    lists = ("--train", exp / "nbest" / "dev", "--dev", exp / "nbest" / "dev")
    outcome = call("train", *plm, *lists, "--lora", "none")
    assert outcome.status == 0, outcome
    outcome = call("rescore", "--tags", TAG, "--dev", "dev", "--sets", "test")
    assert outcome.status == 0, outcome
    # The texts are those of the recogniser, and their numbers those of cleaned ones.
    written = {text for _, hyps in UTTERANCES.values() for text in hyps}
    assert set(read_table(exp / "rescore" / TAG / "test" / "text").values()) <= written
    assert score(call, exp, "first_pass", "test")["errors"] == FIRST_ERRORS
    assert score(call, exp, "oracle", "test")["errors"] == ORACLE_ERRORS
    result, dev_result = (score(call, exp, TAG, name) for name in ("test", "dev"))
    assert (result["cleaner"], result["ref_words"]) == ("whisper_en", REF_WORDS)
    assert read_yaml(exp / "rescore" / TAG / "weights.yaml")["dev_wer"] == dev_result["wer"]
    assert (exp / "rescore" / TAG / "test" / "score_wer" / "ref.trn").read_text().splitlines()[0].startswith("the sun")
    assert "differ in case" not in caplog.text

    perturbation = ("--kinds", "nbest", "--rates", "1", "--seeds", "1")
    lexicon = ("--out_dir", exp / "nbest", "--lexicon_dir", exp / "lexicon")
    assert call("perturb", "--nbest_dir", exp / "nbest" / "test", *lexicon, *perturbation).status == 0
    outcome = call("nprr", "--tags", TAG, "--sets", "test", *perturbation)
    assert outcome.status == 0, outcome
    outcome = call("report", "--exp_dir", exp)
    assert outcome.status == 0, outcome
    report = (exp / "RESULTS.md").read_text()
    assert f"### test (4 utterances, {REF_WORDS} words, texts cleaned by whisper_en; so few" in report
    first_pass = next(line for line in report.splitlines() if line.startswith("| first_pass"))
    assert first_pass.split("|")[2].strip() == "25.00"
    # The page of examples marks the errors that are counted.
    examples = find_examples(exp, read_records(exp / "nprr" / f"{TAG}.json"))
    shown = [(one.ref, word.text) for one in examples for each in one.clean for word in each.words]
    assert shown and all(text == text.lower() and "." not in text for pair in shown for text in pair)


def test_other_lists_and_other_numbers(exp: Path, tmp_path: Path, call: Call, caplog: pytest.LogCaptureFixture) -> None:
    lists = ("import-nbest", "--decode_dir", tmp_path / "lists.jsonl", "--out", exp / "nbest" / "dev")
    assert f"{exp.name}/nbest/dev: up to date" in call(*lists[:-1], "exp/nbest/dev", "--cleaner", "whisper_en").out
    outcome = call(*lists)
    assert "up to date" not in outcome.out and not (exp / "nbest" / "dev" / "cleaner").exists()
    assert "differ in case" in caplog.text and "or give stage 4 a --cleaner" in caplog.text
    outcome = call("train", "--plm", "smollm2", "--train", exp / "nbest" / "dev", "--dev", exp / "nbest" / "test")
    assert "cleaner whisper_en, but none in" in outcome.error_line()
    (tmp_path / "spk").write_text("s1\n")
    subset = ("subset", "--spk_list", tmp_path / "spk", "--out", tmp_path / "subset", "--nbest_dir")
    assert call(*subset, exp / "nbest" / "test").status == 0
    assert read_nbest_dir(tmp_path / "subset").cleaner == "whisper_en"
    outcome = call("convert", exp / "nbest" / "test", tmp_path / "out.tsv")
    assert "the cleaner whisper_en (give import-nbest --cleaner whisper_en)" in outcome.out
    assert "--cleaner 'x' is not known" in call(*lists, "--cleaner", "x").error_line()


def test_scores_after_another_cleaner_are_not_reported(exp: Path, tmp_path: Path, call: Call) -> None:
    set_dir = exp / "rescore" / "first_pass" / "test"
    set_dir.mkdir(parents=True)
    shutil.copy(exp / "nbest" / "test" / "text", set_dir / "text")
    score(call, exp, "first_pass", "test")
    (exp / "nbest" / "test" / "cleaner").unlink()
    assert "scored after the cleaner whisper_en, nbest/test has none" in call("report", "--exp_dir", exp).error_line()
