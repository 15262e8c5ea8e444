"""Arguments that cannot be used: one line with the nearest valid word or the stage that makes what is missing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lorescore.choices import STRATEGIES
from lorescore.cli import check
from lorescore.files import write_table, write_yaml

Call = Callable[..., object]

RESCORE_USES = "(stage 6: --tags, --dev and --sets; lists from anywhere: --nbest and --model)"
VALID_STRATEGIES = "valid: " + " ".join(STRATEGIES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lora", "adalroa"], f"--lora 'adalroa' is not known (did you mean adalora? {VALID_STRATEGIES})"),
        (["--lora", "none vanila"], f"--lora 'vanila' is not known (did you mean vanilla? {VALID_STRATEGIES})"),
        (["--lora", "xyz"], f"--lora 'xyz' is not known ({VALID_STRATEGIES})"),
        (["--plm", "smolm2"], "--plm 'smolm2' is not known (did you mean smollm2? valid: "),
        (["--plm", "./nowhere"], "--plm './nowhere' is not known ("),
        (["--scorer", "csl"], "scorer 'csl' is not known (did you mean cls? valid: clm cls pll)"),
        (["--plm_text", "uper"], "plm_text 'uper' is not known (did you mean upper? valid: "),
        (["--objective", "mewr"], "--objective 'mewr' is not known (did you mean mwer? valid: "),
    ],
)
def test_misspelt_words_name_the_nearest(call: Call, arguments: list[str], message: str) -> None:
    assert call("tag", *arguments).error_line().removeprefix("lorescore tag: ").startswith(message)


def test_misspelt_words_of_the_real_command_line(real_call: Call) -> None:
    line = real_call("tag", "--lora", "adalroa").error_line()
    assert line == f"lorescore tag: --lora 'adalroa' is not known (did you mean adalora? {VALID_STRATEGIES})"


def test_tags(call: Call) -> None:
    outcome = call("tag", "--lora", "none vanilla", "--seed", 3)
    assert outcome.out == "smollm2_clm_none\nsmollm2_clm_vanilla_mwer_s3\n"
    assert call("tag", "--plm", "some-org/Some-Model", "--lora", "none").out == "some-model_clm_none\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lora", "adalroa"], f"--lora 'adalroa' is not known (did you mean adalora? {VALID_STRATEGIES})"),
        (["--plm", "smolm2"], "--plm 'smolm2' is not known (did you mean smollm2? valid: "),
        (["--rank", "0"], "rank 0, expected 1 or more (correct --rank)"),
        (["--epochs", "0"], "--epochs is 0, expected 1 or more"),
        (["--train", "nowhere"], "nowhere: no N-best directory: words_text is missing (stage 4 makes"),
        (["--dev", "nowhere"], "nowhere: no N-best directory: words_text is missing (stage 4 makes"),
        (
            [],
            "{tmp}/base/smollm2_clm: no fetched PLM here (plm.yaml is missing) (fetch it: python3 -m lorescore "
            "fetch-plm --plm smollm2 --scorer clm --plm_root {tmp}/base)",
        ),
    ],
)
def test_train(nbest_dir: Path, tmp_path: Path, call: Call, arguments: list[str], message: str) -> None:
    places = ("--train", nbest_dir, "--dev", nbest_dir, "--plm_root", tmp_path / "base", "--out_root", tmp_path / "plm")
    line = call("train", *places, *arguments).error_line()
    assert line.removeprefix("lorescore train: ").startswith(message.format(tmp=tmp_path))
    assert not (tmp_path / "plm").exists()


def test_train_wants_references(decode: Path, tmp_path: Path, call: Call) -> None:
    call("import-nbest", "--decode_dir", decode, "--out", tmp_path / "bare")
    line = call("train", "--train", tmp_path / "bare", "--dev", tmp_path / "bare", "--out_root", tmp_path / "plm")
    assert line.error_line().startswith(f"lorescore train: {tmp_path}/bare/text: no references, which training needs")


@pytest.fixture
def exp(nbest_dir: Path) -> Path:
    """exp with one set, a rescorer `smollm2_clm_none` that is not there in full, and its weights."""
    exp = nbest_dir.parents[1]
    write_yaml(exp / "plm" / "smollm2_clm_none" / "config.yaml", {"plm": {}})
    write_yaml(exp / "rescore" / "smollm2_clm_none" / "weights.yaml", {"lm_weight": 0.5})
    return exp


def files(exp: Path) -> set[Path]:
    return {path for path in exp.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--tags", "smollm2_clm_nnoe", "--dev", "test"],
            "{exp}/plm/smollm2_clm_nnoe: no finished rescorer: config.yaml is missing "
            "(stage 5 trains it; did you mean smollm2_clm_none? valid: smollm2_clm_none)",
        ),
        (
            ["--tags", "smollm2_clm_none", "--dev", "tset"],
            "{exp}/nbest/tset: no N-best directory: words_text is missing (stage 4 makes",
        ),
        (
            ["--tags", "smollm2_clm_none", "--dev", "test", "--sets", "x"],
            "{exp}/nbest/x: no N-best directory: words_text is missing",
        ),
        (["--dev", "test", "--lm_weight", "0"], f"--lm_weight does not go with stage 6 {RESCORE_USES}"),
        (["--dev", "test", "--metric", "cer"], f"--metric does not go with stage 6 {RESCORE_USES}"),
        (["--nbest", "-", "--model", "x", "--decode", "mbr"], f"--decode does not go with --nbest {RESCORE_USES}"),
    ],
)
def test_rescore(exp: Path, call: Call, arguments: list[str], message: str) -> None:
    before = files(exp)
    line = call("rescore", *arguments, "--exp_dir", exp).error_line()
    assert line.removeprefix("lorescore rescore: ").startswith(message.format(exp=exp))
    assert files(exp) == before


def test_rescore_tunes_on_references_only(exp: Path, decode: Path, call: Call) -> None:
    call("import-nbest", "--decode_dir", decode, "--out", exp / "nbest" / "bare")
    line = call("rescore", "--tags", "smollm2_clm_none", "--dev", "bare", "--exp_dir", exp).error_line()
    told = "no references to tune on (give stage 4 or convert --ref)"
    assert line == f"lorescore rescore: {exp}/nbest/bare/text: {told}"


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("rescore", ("--dev", "test")),
        ("ranks", ("--dev", "test", "--tags", "")),
        ("nprr", ("--sets", "test", "--tags", " ", "--kinds", "1best", "--rates", "0.1", "--seeds", "1")),
    ],
)
def test_rescorers_have_to_be_named(exp: Path, call: Call, verb: str, arguments: tuple[str, ...]) -> None:
    line = call(verb, *arguments, "--exp_dir", exp).error_line()
    assert line == f"lorescore {verb}: no --tags (name the rescorers, of exp/plm)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tags", "x"], "{exp}/plm/x: no finished rescorer: config.yaml is missing (stage 5 trains it; valid: smol"),
        (["--kinds", "1bst"], "unknown kind of perturbation '1bst', expected 1best or nbest (did you mean 1best?)"),
        (["--kinds", ""], "--kinds is empty (give 1best or nbest)"),
        (["--rates", "0.1,0.3"], "--rates '0.1,0.3' is not a number (separate numbers by spaces)"),
        (["--rates", "30"], "perturbation rate 30, expected a number from 0 to 1 (for 30 % give 0.3)"),
        (["--seeds", "1.5"], "--seeds '1.5' is not a whole number (separate numbers by spaces)"),
        (["--seeds", ""], "--seeds is empty (give at least one number)"),
        ([], "{exp}/nbest/test_1best_p0.1_s1: no perturbed lists (stage 8 makes them: ./run.sh --stage 8)"),
    ],
)
def test_nprr(exp: Path, call: Call, arguments: list[str], message: str) -> None:
    before = files(exp)
    options = ("--tags", "smollm2_clm_none", "--sets", "test", "--exp_dir", exp)
    line = call("nprr", *options, *arguments).error_line()
    assert line.removeprefix("lorescore nprr: ").startswith(message.format(exp=exp))
    assert files(exp) == before


def test_nprr_wants_weights_before_it_scores(exp: Path, call: Call) -> None:
    (exp / "rescore" / "smollm2_clm_none" / "weights.yaml").unlink()
    line = call("nprr", "--tags", "smollm2_clm_none", "--sets", "test", "--exp_dir", exp).error_line()
    weights = exp / "rescore" / "smollm2_clm_none" / "weights.yaml"
    assert line == f"lorescore nprr: {weights}: no weights (stage 6 tunes them on dev: ./run.sh --stage 6)"


@pytest.mark.parametrize(
    ("hyps", "message"),
    [
        (
            {"84-1-0": "the sun"},
            "{tmp}/decode/ref_text:2: utterance 84-1-1 has a reference but no hypothesis in {tmp}/hyp (",
        ),
        (
            {"84-1-0": "", "84-1-1": "", "174-2-10": "", "x": ""},
            "{tmp}/hyp:4: a hypothesis for utterance x, which is not in {tmp}/decode/ref_text (",
        ),
        (None, "{tmp}/hyp: cannot be read: No such file or directory ("),
    ],
)
def test_score(decode: Path, tmp_path: Path, call: Call, hyps: dict[str, str] | None, message: str) -> None:
    if hyps is not None:
        write_table(tmp_path / "hyp", hyps)
    line = call(
        "score", "--ref", decode / "ref_text", "--hyp", tmp_path / "hyp", "--out", tmp_path / "out"
    ).error_line()
    assert line.removeprefix("lorescore score: ").startswith(message.format(tmp=tmp_path))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "content", "message"),
    [
        ("--ref", "", "{file}: no reference words, expected `utt words` (correct --ref)"),
        ("--ref", "84-1-0\n", "{file}: no reference words, expected `utt words` (correct --ref)"),
        ("--baseline", "84-1-0 the\n", "{decode}/ref_text:2: utterance 84-1-1 has a reference but no hypothesis in "),
        ("--utt2spk", "84-1-0 ann\n", "{file}: utterance 174-2-10 has no speaker (add it)"),
        ("--utt2spk", "84-1-0 ann\n84-1-1\n", "{file}:2: expected `utt spk`, found '84-1-1 ' (give each utterance one"),
        (
            "--utt2spk",
            "84-1-0 the sun\n",
            "{file}:1: expected `utt spk`, found '84-1-0 the sun' (give each utterance one",
        ),
    ],
)
def test_score_names_the_file(
    decode: Path, tmp_path: Path, call: Call, option: str, content: str, message: str
) -> None:
    (tmp_path / "file").write_text(content)
    files = {"--ref": decode / "ref_text", "--hyp": decode / "ref_text", option: tmp_path / "file"}
    line = call("score", "--out", tmp_path / "out", *(part for pair in files.items() for part in pair)).error_line()
    expected = message.format(decode=decode, file=tmp_path / "file")
    assert line.removeprefix("lorescore score: ").startswith(expected)
    assert not (tmp_path / "out").exists()


def test_import_refuses_options_of_its_other_use(decode: Path, tmp_path: Path, call: Call) -> None:
    for use, option, told_by in (
        (("--decode_dir", decode), ("--num_hyps", 3), "--decode_dir"),
        (("--decode_dir", decode), ("--lm_arpa", "nope"), "--decode_dir"),
        (("--decode_dir", decode), ("--sample",), "--decode_dir"),
        (("--decode_dir", decode), ("--fallback", "nope"), "--decode_dir"),
        (("--decode_dir", decode), ("--acoustic_scale", 0.1), "lists of espnet"),
        (("--lattice_dir", decode), ("--utts", "nope"), "--lattice_dir"),
        (("--lattice_dir", decode), ("--format", "foo"), "--lattice_dir"),
    ):
        line = call("import-nbest", *use, *option, "--out", tmp_path / "out").error_line()
        assert line == f"lorescore import-nbest: {option[0]} does not go with {told_by} (leave it out)"
    # Kaldi's archives, mistyped: the path is what is wrong.
    typo = call("import-nbest", "--decode_dir", "typo", "--acoustic_scale", 0.1, "--out", tmp_path / "out").error_line()
    assert typo.startswith("lorescore import-nbest: typo: no N-best lists here")
    assert not (tmp_path / "out").exists()


def test_check_names_everything_that_is_missing(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With what does not work without it and how to get it; no error, as other stages work, but where asked."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(check, "WORDNET", tmp_path / "data.noun")
    outcome = call("check")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines()[-3:] == [
        "espeak-ng MISSING (for the demo's speech and --g2p espeak-ng: apt-get install espeak-ng)",
        "wordnet-base MISSING (for the demo's sentences: apt-get install wordnet-base)",
        "sclite MISSING (for score_wer of stage 7 and MAPSSWE of stage 10: put ESPnet's or Kaldi's tools/sctk/bin on "
        "the PATH, or apt-get install sctk)",
    ]
    strict = call("check", "--strict")
    assert (strict.status, strict.out) == (1, outcome.out)
    mend = "./run.sh --stage 0 --stop_stage 0 installs them"
    assert strict.err == f"lorescore check: missing: espeak-ng, wordnet-base, sclite ({mend})\n"


def test_a_missing_package_is_an_error(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(check, "PACKAGES", {"torch": ("no_such_module", "everything")})
    outcome = call("check")
    assert (outcome.status, outcome.out.splitlines()[1]) == (1, "torch MISSING (for everything)")
    assert outcome.err == "lorescore check: missing: torch (./run.sh --stage 0 --stop_stage 0 installs them)\n"


def test_check_gives_the_version_of_tools(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for tool, text in (
        ("espeak-ng", "eSpeak NG text-to-speech: 1.51  Data at: x"),
        ("sclite", "sclite Version: 2.10, 1.3"),
    ):
        (tmp_path / tool).write_text(f"#!/bin/sh\necho '{text}'\n")
        (tmp_path / tool).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "data.noun").write_text("  1 This software and database\n  2 WordNet 3.0 Copyright 2006\n" + "x" * 5000)
    monkeypatch.setattr(check, "WORDNET", tmp_path / "data.noun")
    outcome = call("check", "--strict")
    assert (outcome.status, outcome.out.splitlines()[-3:]) == (0, ["espeak-ng 1.51", "wordnet-base 3.0", "sclite 2.10"])
