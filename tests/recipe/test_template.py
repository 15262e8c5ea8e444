"""A recipe beside an ESPnet recipe: its directory, what it finds there, and where its results go."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from plm_models import save_plm
from toy_recipe import path_without, root_without_sctk

from lorescore.__main__ import main
from lorescore.errors import InputError
from lorescore.files import read_table, read_yaml, write_table
from lorescore.nbest.espnet import read_espnet_decode
from lorescore.nbest.espnet_recipe import EspnetRecipe, nbest_config

ROOT = Path(__file__).resolve().parents[2]
SETUP = ROOT / "egs" / "TEMPLATE" / "rescore1" / "setup.sh"
MODEL, TAG = "exp/asr_train_raw_bpe30", "decode_asr_asr_model_valid.acc.best"
# Reference, and hypotheses by rank with their scores.
UTTERANCES = {
    "dev": {
        "d-1": ("the cat sat", [("the cat sad", -1.0), ("the cat sat", -1.25), ("a cat", -3.0)]),
        "d-2": ("see the sea", [("see the see", -2.0), ("see the sea", -2.5), ("sea", -4.0)]),
    },
    "test": {
        "t-1": ("i see", [("eye see", -0.5), ("i see", -0.75), ("i sea", -1.0)]),
        "t-2": ("the rain", [("the rain", -1.5), ("rain", -2.0), ("", -5.0)]),
        "t-3": ("home", [("home", -0.25), ("dome", -1.25), ("he", -9.0)]),
    },
}

# In the place of espnet2.bin.asr_inference: two hypotheses an utterance, and what it was called with.
STAND_IN = """
import os, sys
from pathlib import Path
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
with open(os.environ["CALLS"], "a") as calls:
    for name in ("--asr_train_config", "--asr_model_file", "--data_path_and_name_and_type"):
        calls.write(os.path.relpath(options[name].partition(",")[0]) + "\\n")
    calls.write("".join(Path(options["--config"]).read_text().split()) + "\\n")
for utt in Path(options["--key_file"]).read_text().split():
    for rank in (1, 2):
        folder = Path(options["--output_dir"]) / f"{rank}best_recog"
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in (("text", f"word {rank}"), ("score", -rank)):
            with (folder / name).open("a") as file:
                file.write(f"{utt} {value}\\n")
"""

needs_environment = pytest.mark.skipif(
    not (ROOT / ".venv/bin/python").exists(), reason="no .venv: ./run.sh --stage 0 --stop_stage 0 makes it"
)


def write_data(data_dir: Path, name: str) -> None:
    data_dir.mkdir(parents=True)
    utterances = UTTERANCES[name]
    (data_dir / "text").write_text("".join(f"{utt} {ref}\n" for utt, (ref, _) in utterances.items()))
    (data_dir / "utt2spk").write_text("".join(f"{utt} {utt[0]}\n" for utt in utterances))
    (data_dir / "wav.scp").write_text("".join(f"{utt} {utt}.flac\n" for utt in utterances))


def write_decode(decode_dir: Path, name: str, nbest: int = 3) -> None:
    """What asr_inference leaves, an utterance a job."""
    for job, (utt, (_, hypotheses)) in enumerate(UTTERANCES[name].items(), start=1):
        for rank, (text, score) in enumerate(hypotheses[:nbest], start=1):
            folder = decode_dir / "logdir" / f"output.{job}" / f"{rank}best_recog"
            folder.mkdir(parents=True)
            (folder / "text").write_text(f"{utt} {text}\n")
            (folder / "score").write_text(f"{utt} tensor({score})\n")


@pytest.fixture
def asr1(tmp_path: Path) -> Path:
    """egs2/mini/asr1 after asr.sh: the validation set filtered in dump/raw, whole and decoded in dump/raw/org."""
    asr1 = tmp_path / "egs2" / "mini" / "asr1"
    for place, name in (
        ("data/dev", "dev"),
        ("dump/raw/org/dev", "dev"),
        ("data/test", "test"),
        ("dump/raw/test", "test"),
    ):
        write_data(asr1 / place, name)
    (asr1 / "dump/raw/dev").mkdir()
    (asr1 / "dump/raw/dev/text").write_text("d-1 the cat sat\n")
    (asr1 / MODEL).mkdir(parents=True)
    (asr1 / MODEL / "config.yaml").write_text("token_type: bpe\n")
    write_decode(asr1 / MODEL / TAG / "org/dev", "dev")
    write_decode(asr1 / MODEL / TAG / "test", "test")
    (asr1 / "conf").mkdir()
    for stem in ("decode", "decode_asr", "decode_asr2", "train"):
        (asr1 / "conf" / f"{stem}.yaml").write_text("beam_size: 4\nctc_weight: 0.3\n")
    return asr1


@pytest.fixture
def recipe(asr1: Path) -> EspnetRecipe:
    return EspnetRecipe.find(Path(MODEL), TAG, asr1)


def test_what_is_found(asr1: Path, recipe: EspnetRecipe) -> None:
    assert recipe == EspnetRecipe.find(asr1 / MODEL, TAG)
    assert recipe.decoded() == {"dev": "org/dev", "test": "test"}
    dev, test = recipe.find_set("dev"), recipe.find_set("test")
    assert (dev.name, dev.place, dev.decode_dir) == ("dev", "org/dev", asr1 / MODEL / TAG / "org/dev")
    assert (dev.data_dir, test.data_dir) == (asr1 / "dump/raw/org/dev", asr1 / "dump/raw/test")
    assert recipe.likely_dev_set() == "dev"
    assert recipe.decode_config() == asr1 / "conf/decode_asr.yaml"
    assert recipe.asr_model() == "valid.acc.best.pth"


def test_references_are_those_of_the_decoded_utterances(asr1: Path, recipe: EspnetRecipe) -> None:
    shutil.rmtree(asr1 / "dump/raw/org")
    assert recipe.find_set("dev").data_dir == asr1 / "data/dev"
    shutil.rmtree(asr1 / "dump/raw/dev")
    shutil.rmtree(asr1 / "data/dev")
    with pytest.raises(
        InputError, match=r"no references of the set dev, expected \{dump/raw/org,dump/raw,data\}/dev/text"
    ):
        recipe.find_set("dev")


@pytest.mark.parametrize(
    ("decoded", "likely"),
    [(["test", "dev_clean"], "dev_clean"), (["valid", "eval"], "valid"), (["org/tr_cv", "dev1", "dev2"], "tr_cv")],
)
def test_the_likely_dev_set(asr1: Path, recipe: EspnetRecipe, decoded: list[str], likely: str) -> None:
    shutil.rmtree(recipe.decode_dir)
    for place in decoded:
        (recipe.decode_dir / place / "logdir").mkdir(parents=True)
    assert recipe.likely_dev_set() == likely


def test_two_dev_sets_are_the_users_choice(recipe: EspnetRecipe) -> None:
    shutil.rmtree(recipe.decode_dir / "org")
    for place in ("dev_clean", "dev_other"):
        (recipe.decode_dir / place / "logdir").mkdir(parents=True)
    with pytest.raises(InputError, match=r"tuned on\? \(--dev_set, one of: dev_clean dev_other test\)"):
        recipe.likely_dev_set()


def test_a_configuration_for_lists(asr1: Path) -> None:
    assert nbest_config(asr1 / "conf/decode.yaml", 10) == {"beam_size": 10, "ctc_weight": 0.3, "nbest": 10}
    assert nbest_config(asr1 / "conf/decode.yaml", 3) == {"beam_size": 4, "ctc_weight": 0.3, "nbest": 3}


@pytest.fixture
def verb(asr1: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Call espnet-sets; status, standard output, standard error."""

    def call(*arguments: str) -> tuple[int, str, str]:
        places = (
            "--asr_exp",
            MODEL,
            "--inference_tag",
            TAG,
            "--asr_dir",
            str(asr1),
            "--again_dir",
            str(tmp_path / "again"),
        )
        status = main(["espnet-sets", *places, *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def test_a_training_set_is_not_reported(asr1: Path, verb: Callable[..., tuple[int, str, str]]) -> None:
    """Under whatever name."""
    for name in ("test", "org/test"):
        assert verb("--train_set", name)[0] == 1  # no other is left to report


def test_lines_for_the_shell(asr1: Path, verb: Callable[..., tuple[int, str, str]]) -> None:
    decode_dir = asr1 / MODEL / TAG
    for arguments in ((), ("--dev_set", "org/dev"), ("--test_sets", "dev test test")):
        status, out, err = verb(*arguments)
        assert [line.split("\t") for line in out.splitlines()] == [
            ["exp", str(asr1 / MODEL), "valid.acc.best.pth"],
            ["roles", "dev", "test", ""],
            ["set", "dev", f"{decode_dir}/org/dev", f"{asr1}/dump/raw/org/dev", "org/dev"],
            ["set", "test", f"{decode_dir}/test", f"{asr1}/dump/raw/test", "test"],
        ]
        assert status == 0
        assert err == (
            "" if "--dev_set" in arguments else f"{decode_dir}: weights are tuned on dev (--dev_set names another)\n"
        )


def test_a_decode_without_lists(asr1: Path, tmp_path: Path, verb: Callable[..., tuple[int, str, str]]) -> None:
    """One clear line; once stage 3 was asked for, every set comes from its decodes."""
    shutil.rmtree(asr1 / MODEL / TAG / "test")
    write_decode(asr1 / MODEL / TAG / "test", "test", nbest=1)
    status, out, err = verb("--dev_set", "dev")
    assert (status, out) == (1, "")
    assert err == (
        f"lorescore espnet-sets: {asr1}/{MODEL}/{TAG}/test: the decode has the best hypothesis alone (decode with "
        "nbest above 1: asr.sh --stage 12 --inference_args '--nbest 10', or here: --stage 3)\n"
    )
    status, out, err = verb("--dev_set", "dev", "--decode_again", "--num_hyps", "7")
    assert status == 0
    assert read_yaml(tmp_path / "again/decode.yaml") == {"beam_size": 7, "ctc_weight": 0.3, "nbest": 7}
    assert f"\t{tmp_path}/again/dev\t" in out
    assert f"\t{tmp_path}/again/test\t" in out
    assert verb("--dev_set", "dev")[:2] == (0, out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--asr_exp", "exp/asr_train_raw"], "exp/asr_train_raw: no such directory (correct --asr_exp or --asr_dir"),
        (
            ["--inference_tag", "decode_asr_model"],
            f"decode_asr_model: no such decode (correct --inference_tag; did you mean {TAG}? valid: {TAG})",
        ),
        (["--inference_tag", ""], ": no such decode (correct --inference_tag; valid: decode_asr"),
        (["--test_sets", "tst"], "no decode of the set tst (did you mean test? valid: dev test)"),
        (["--dev_set", "test", "--test_sets", "test"], "no set to report besides test (name some: --test_sets)"),
        (["--train_set", "train"], "no decode of the set train (valid: dev test)"),
    ],
)
def test_what_is_not_there(verb: Callable[..., tuple[int, str, str]], arguments: list[str], message: str) -> None:
    status, out, err = verb(*arguments)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert message in err


@pytest.mark.parametrize(
    ("tag", "wav", "message"),
    [
        (f"decode_asr_lm_lm_train_{TAG}", "", "a language model took part in this decode (decode with asr.sh"),
        ("inference", "", "asr1: no conf/*.yaml for inference (name it: --decode_config)"),
        (
            TAG,
            "t-1 flac -dc a.flac |\n",
            "dump/raw/test/wav.scp:1: audio from a pipe or a Kaldi archive, expected a file",
        ),
        (TAG, "t-1 a.wav\nt-2 x/data.ark:17\n", "dump/raw/test/wav.scp:2: audio from a pipe or a Kaldi archive"),
    ],
)
def test_what_stage_3_cannot_decode_again(
    asr1: Path, verb: Callable[..., tuple[int, str, str]], tag: str, wav: str, message: str
) -> None:
    if tag != TAG:
        (asr1 / MODEL / TAG).rename(asr1 / MODEL / tag)
    if wav:
        (asr1 / "dump/raw/test/wav.scp").write_text(wav)
    status, _, err = verb("--inference_tag", tag, "--decode_again")
    assert (status, err.count("\n")) == (1, 1)
    assert message in err


def setup(directory: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SETUP, *arguments], cwd=directory, capture_output=True, text=True, check=False)


def test_setup(asr1: Path) -> None:
    done = setup(asr1.parent, "rescore1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith(
        f"{SETUP}: made rescore1: cd rescore1 && ./run.sh --asr_exp exp/asr_train_"
    )
    made = asr1.parent / "rescore1"
    links = {path.relative_to(made): path.resolve() for path in made.rglob("*") if path.is_symlink()}
    assert links == {
        Path("path.sh"): ROOT / "path.sh",
        Path("conf"): ROOT / "conf",
        Path("local/lorescore"): ROOT / "local/lorescore",
    }
    assert not (made / "run.sh").is_symlink()
    # The recipe's own path.sh serves as the repository's does.
    printed = subprocess.run(
        ["bash", "-c", '. ./path.sh && echo "${LORESCORE_ROOT}"'], cwd=made, capture_output=True, text=True, check=True
    )
    assert printed.stdout == f"{ROOT}\n"
    (made / "run.sh").write_text("edited")
    assert setup(asr1.parent, made).stdout.startswith(f"{SETUP}: {made}/run.sh is left as it is\n")
    assert (made / "run.sh").read_text() == "edited"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 2, "setup.sh <dir>"),
        (("--help",), 2, "setup.sh <dir>"),
        (("nowhere/rescore1",), 1, "nowhere: no such directory, expected egs2/<corpus> of ESPnet"),
    ],
)
def test_setup_of_what_cannot_be(tmp_path: Path, arguments: tuple[str, ...], status: int, message: str) -> None:
    done = setup(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("own", ["path.sh", "conf"])  # ESPnet's recipes have path.sh as a file or as a link
def test_setup_leaves_the_recipe_itself_alone(asr1: Path, own: str) -> None:
    if own == "path.sh":
        (asr1 / "path.sh").write_text("# the recipe's\n")
    else:
        (asr1 / "path.sh").symlink_to("../../TEMPLATE/asr1/path.sh")
    before = sorted((path, path.is_symlink()) for path in asr1.rglob("*"))
    done = setup(asr1.parent, "asr1")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"asr1 has a {own} of its own: name a directory beside asr1, ./rescore1\n" in done.stderr
    assert sorted((path, path.is_symlink()) for path in asr1.rglob("*")) == before


def shown(asr_exp: Path) -> dict[str, list[float]]:
    """The rows that ESPnet's scripts/utils/show_asr_result.sh makes: */*/score_wer/result.txt, the lines with Avg."""
    rows = {}
    for expdir in [asr_exp, *(path for path in sorted(asr_exp.rglob("*")) if path.is_dir())]:
        for path in sorted(expdir.glob("*/*/score_wer/result.txt")):
            (line,) = [line for line in path.read_text().splitlines() if "Avg" in line]
            dataset = path.relative_to(asr_exp).parents[1].as_posix()
            rows[dataset] = [float(word) for word in re.sub(r"Sum/Avg|\|", " ", line).split()]
    return rows


@pytest.mark.slow
@needs_environment
@pytest.mark.skipif(
    not (shutil.which("sclite") or shutil.which("sctk")), reason="sclite is missing: apt-get install sctk"
)
def test_results_stand_beside_the_recipes_own(asr1: Path, tmp_path: Path) -> None:
    plm = save_plm(tmp_path / "tiny", "llama")
    setup(asr1.parent, "rescore1")
    made = asr1.parent / "rescore1"
    command = ["./run.sh", "--asr_exp", MODEL, "--inference_tag", TAG, "--test_sets", "test", "--plm", str(plm)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=made, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    before = {path for path in (asr1 / MODEL / TAG).rglob("*") if path.is_file() and "logdir" not in path.parts}
    assert before == set()  # nothing in their own decode

    tag = "tiny_clm_none"
    chosen = read_table(asr1 / MODEL / f"{TAG}_{tag}" / "test" / "text")
    assert chosen == read_table(made / "exp/rescore" / tag / "test/text")
    assert all(chosen[utt] in [text for text, _ in hyps] for utt, (_, hyps) in UTTERANCES["test"].items())
    rows = shown(asr1 / MODEL)
    assert rows.keys() == {f"{TAG}_{tag}/org/dev", f"{TAG}_{tag}/test"}
    wrong = sum(chosen[utt] != ref for utt, (ref, _) in UTTERANCES["test"].items())
    # Snt, Wrd, ..., S.Err
    assert rows[f"{TAG}_{tag}/test"][:2] == [3, 5]
    assert rows[f"{TAG}_{tag}/test"][-1] == pytest.approx(100 * wrong / 3, abs=0.05)
    assert read_yaml(made / "exp/rescore" / tag / "weights.yaml")["tuned_on"] == "dev"


@needs_environment
def test_without_sclite_the_texts_alone_stand_there(asr1: Path, tmp_path: Path) -> None:
    """Nothing of an earlier scoring, which would be of other texts."""
    root, environment = root_without_sctk(tmp_path)
    setup(asr1.parent, "rescore1")
    made, tag = asr1.parent / "rescore1", "smollm2_clm_none"
    for name in ("dev", "test"):
        refs = {utt: ref for utt, (ref, _) in UTTERANCES[name].items()}
        write_table(made / "exp/nbest" / name / "text", refs)
        (made / "exp/nbest/decode").write_text(f"{asr1 / MODEL / TAG}\n")
        for system in ("first_pass", "oracle", tag):
            write_table(made / "exp/rescore" / system / name / "text", refs)
    beside = asr1 / MODEL / f"{TAG}_{tag}" / "test"
    (beside / "score_wer").mkdir(parents=True)
    (beside / "score_wer/result.txt").write_text("of an earlier run")
    command = [root / "run.sh", "--stage", "7", "--stop_stage", "7", "--asr_dir", "../asr1", "--asr_exp", MODEL]
    named = f"{TAG}/"  # the slash, as shells complete a directory's name, does not move them into the decode
    options = ["--inference_tag", named, "--dev_set", "", "--test_sets", "test", "--train_set", "", "--lora", "none"]
    done = subprocess.run([*command, *options], cwd=made, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "exp/rescore/smollm2_clm_none/test: scoring_kaldi alone, no score_wer: sclite not found" in done.stderr
    assert [path.name for path in beside.iterdir()] == ["text"]
    assert "result.txt" not in done.stdout


@needs_environment
def test_results_do_not_go_beside_a_decode_whose_lists_are_not_there(asr1: Path) -> None:
    setup(asr1.parent, "rescore1")
    made = asr1.parent / "rescore1"
    command = ["./run.sh", "--stage", "7", "--asr_exp", MODEL, "--inference_tag", TAG, "--lora", "none"]
    for listed in (None, asr1 / MODEL / "decode_other"):
        if listed:
            (made / "exp/nbest").mkdir(parents=True)
            (made / "exp/nbest/decode").write_text(f"{listed}\n")
        done = subprocess.run(command, cwd=made, capture_output=True, text=True, check=False)
        told = f"exp/nbest does not have the lists of ../asr1/{MODEL}/{TAG}: --stage 4 takes them"
        assert done.returncode == 1 and done.stderr.endswith(f"run.sh: {told}\n")


@needs_environment
def test_espnets_own_sclite_is_found(tmp_path: Path) -> None:
    """tools/sctk/bin of the ESPnet that the recipe is in, after all others."""
    recipe = tmp_path / "espnet/egs2/mini/rescore1"
    recipe.mkdir(parents=True)
    shutil.copy2(SETUP.parent / "run.sh", recipe)
    (recipe / "path.sh").write_text(f"LORESCORE_ROOT={tmp_path}\n")
    (tmp_path / "run.sh").write_text("#!/usr/bin/env bash\ncommand -v sclite sc_stats\n")
    for path in (tmp_path / "espnet/tools/sctk/bin/sc_stats", tmp_path / "own/sclite", tmp_path / "run.sh"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        path.chmod(0o755)
    (tmp_path / "espnet/tools/sctk/bin/sclite").symlink_to("sc_stats")
    environment = os.environ | {"PATH": f"{path_without(tmp_path / 'places', 'sclite', 'sc_stats')}:{tmp_path / 'own'}"}
    done = subprocess.run([recipe / "run.sh"], env=environment, capture_output=True, text=True, check=False)
    found = [Path(line).resolve() for line in done.stdout.splitlines()]
    assert found == [tmp_path / "own/sclite", tmp_path / "espnet/tools/sctk/bin/sc_stats"], done.stderr


@needs_environment
def test_stage_3_decodes_again_as_the_recipe_did(asr1: Path, tmp_path: Path) -> None:
    """In the recipe, as paths in config.yaml are seen from there, with its configuration and checkpoint."""
    shutil.rmtree(asr1 / MODEL / TAG)
    for place, name in (("org/dev", "dev"), ("test", "test")):
        write_decode(asr1 / MODEL / TAG / place, name, nbest=1)
    (asr1 / MODEL / "valid.acc.best.pth").write_text("weights")
    for utt in UTTERANCES["dev"] | UTTERANCES["test"]:
        soundfile.write(asr1 / f"{utt}.flac", np.zeros(300), 16000)
    package = tmp_path / "stand_in" / "espnet2" / "bin"
    package.mkdir(parents=True)
    (package / "asr_inference.py").write_text(STAND_IN)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    setup(asr1.parent, "rescore1")
    made = asr1.parent / "rescore1"
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "stand_in"), "CALLS": str(tmp_path / "calls")}
    arguments = ("--stage", "3", "--stop_stage", "3", "--asr_exp", MODEL, "--inference_tag", TAG, "--nj", "1")
    done = subprocess.run(
        ["./run.sh", *arguments, "--num_hyps", "2"],
        cwd=made,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    called = (tmp_path / "calls").read_text().splitlines()
    config = "beam_size:4ctc_weight:0.3nbest:2"
    assert called == [
        *(f"{MODEL}/config.yaml", f"{MODEL}/valid.acc.best.pth", "dump/raw/org/dev/wav.scp", config),
        *(f"{MODEL}/config.yaml", f"{MODEL}/valid.acc.best.pth", "dump/raw/test/wav.scp", config),
    ]
    again = made / "exp/decode_again" / Path(MODEL).name / TAG
    assert [one.utt for one in read_espnet_decode(again / "test", asr1 / "dump/raw/test/text")] == list(
        UTTERANCES["test"]
    )


@needs_environment
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--asr_exp exp/asr_train_...: which model of the ESPnet recipe?"),
        (["--asr_exp", MODEL, "--inference_tag", "x"], "../asr1/exp/asr_train_raw_bpe30/x: no such decode ("),
        (
            ["--asr_exp", MODEL, "--inference_tag", TAG, "--lora", "vanilla"],
            "--train_set is empty, but smollm2_clm_vanilla_mwer_s1 has to be trained on lists of a decoded set",
        ),
    ],
)
def test_the_recipe_says_what_is_missing(asr1: Path, arguments: list[str], message: str) -> None:
    setup(asr1.parent, "rescore1")
    made = asr1.parent / "rescore1"
    done = subprocess.run(["./run.sh", *arguments], cwd=made, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr.splitlines()[-1]
