"""Options of the recipe's scripts: --help, misspelt names and words, values that cannot be (local/parse_options.sh)."""

import fcntl
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "run.sh"
SCRIPTS = [
    path
    for path in (
        RUN,
        *sorted(ROOT.glob("local/*.sh")),
        *sorted(ROOT.glob("egs/*/*/local/*.sh")),
        *sorted(ROOT.glob("egs/*/*/*.sh")),
    )
    if path.name != "parse_options.sh" and "parse_options.sh" in path.read_text(encoding="utf-8")
]
ASSIGNMENT = re.compile(r"^([a-z_][a-z0-9_]*)=(\S*|\"[^\"]*\") +# (.+)$", re.MULTILINE)

needs_environment = pytest.mark.skipif(
    not (ROOT / ".venv/bin/python").exists(), reason="no .venv: ./run.sh --stage 0 --stop_stage 0 makes it"
)


def call(directory: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(argument) for argument in arguments], cwd=directory, capture_output=True, text=True, check=False
    )


def error_line(directory: Path, *arguments: str | Path) -> str:
    """The one line of an error: status 1, nothing on standard output."""
    done = call(directory, *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done
    return done.stderr.rstrip("\n")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_help_lists_every_option_with_its_default(tmp_path: Path, script: Path) -> None:
    done = call(tmp_path, script, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    text, _, options = done.stdout.partition("\nOptions (with defaults):\n")
    assert text.startswith(script.read_text(encoding="utf-8").splitlines()[1].removeprefix("# "))
    listed = {line.split()[0]: line for line in options.splitlines()}
    assigned = ASSIGNMENT.findall(script.read_text(encoding="utf-8"))
    assert assigned
    assert list(listed) == [f"--{name}" for name, _, _ in assigned]
    for name, default, meaning in assigned:
        assert re.fullmatch(rf"  --{name} {re.escape(default)} *# {re.escape(meaning)}", listed[f"--{name}"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["run.sh", "local/lmrescore_plm.sh", "egs/librispeech/rescore1/compare.sh"])
def test_an_update_does_not_change_what_is_running(name: str) -> None:
    """Bash reads a script while it runs it, but for a group of commands, which it reads as a whole."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    commands = [line for line in lines if line and not line.startswith("#")]
    assert commands[0] == "set -euo pipefail" and commands[1].startswith("{  # ") and commands[-2:] == ["exit", "}"]
    assert [line for line in lines if line == "}"][-1:] == lines[-1:]


def test_help_of_a_recipe_is_that_of_the_top_level() -> None:
    expected = call(ROOT, RUN, "--help").stdout
    for recipe in sorted(ROOT.glob("egs/*/*/run.sh")):
        assert call(ROOT, recipe, "--help").stdout == expected


@pytest.mark.parametrize(
    ("option", "nearest"),
    [
        ("--stge", "stage"),
        ("--stop-stge", "stop_stage"),
        ("--lroa", "lora"),
        ("--test_set", "test_sets"),
        ("--stage=5", "stage"),
    ],
)
def test_a_misspelt_option_names_the_nearest(tmp_path: Path, option: str, nearest: str) -> None:
    line = error_line(tmp_path, RUN, option, "5")
    assert line.startswith(f"{RUN}: {option}: no such option (did you mean --{nearest}? options: stage stop_stage nj ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--xyzzy", "1"], "--xyzzy: no such option (options: stage stop_stage "),
        (["--stage"], "--stage needs a value"),
        (["--stage", "five"], "--stage is 'five', expected a whole number"),
        (["--seed", "1.5"], "--seed is '1.5', expected a whole number"),
        (["--train_asr", "yes"], "--train_asr is 'yes', expected true or false"),
        (["stage", "5"], "stage: not an option, expected --name value (--help lists the options)"),
        (["--stage", "5", "adalora"], "adalora: not an option, expected --name value (--help lists the options)"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, arguments: list[str], message: str) -> None:
    assert error_line(tmp_path, RUN, *arguments).startswith(f"{RUN}: {message}")
    assert list(tmp_path.iterdir()) == []


def test_values_reach_the_script_as_they_are(tmp_path: Path) -> None:
    """Spaces, quotes, globs, an empty value, hyphens for underscores, the last of two; whatever the type before was."""
    script = tmp_path / "script.sh"
    script.write_text(
        "#!/usr/bin/env bash\n# A script.\nset -euo pipefail\n"
        'test_sets="a b"  # sets\nseeds="1 2"  # seeds\nnj=4  # jobs\nrank=  # rank\nref="x"  # references\n'
        f'. "{ROOT}/local/parse_options.sh"\n'
        'printf "<%s>" "${test_sets}" "${seeds}" "${nj}" "${rank}" "${ref}"\n'
    )
    options = [
        "--test-sets",
        "c  'd' \"e\" $(x) *",
        "--seeds",
        "1",
        "--seeds",
        "3 4",
        "--nj",
        "-1",
        "--rank",
        "8",
        "--rank",
        "",
    ]
    done = call(tmp_path, "bash", script, *options)
    assert (done.stdout, done.stderr) == ("<c  'd' \"e\" $(x) *><3 4><-1><><x>", "")


@needs_environment
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lora", "none adalroa"], "--lora 'adalroa' is not known (did you mean adalora? valid: none "),
        (["--plm", "smolm2"], "--plm 'smolm2' is not known (did you mean smollm2? valid: "),
        (["--seeds", "1 two"], "--seeds 'two' is not a whole number (separate numbers by spaces)"),
        (["--objective", "mvver"], "--objective 'mvver' is not known (did you mean mwer? valid: "),
        (["--rank", "0"], "rank 0, expected 1 or more (correct --rank)"),
        (["--seeds", "1 -1"], "seed -1, expected 0 to 9223372036854775807 (correct --seed or --seeds)"),
        (["--plm", "my plm"], "--plm: 'my plm' cannot be part of a name (rename the directory, or link to it)"),
    ],
)
def test_a_misspelt_word_ends_the_recipe_before_anything_long(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "my plm").mkdir()
    assert error_line(tmp_path, RUN, "--stage", "1", *arguments).startswith(f"lorescore tag: {message}")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "exp" / "run.log"]


@needs_environment
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--test_sets", ""], "--test_sets is empty: stages 8 and 9 need one"),
        (["--dev_set", ""], "--dev_set is empty: which set are the weights tuned on?"),
        (["--dev_set", "", "--asr_dir", "asr1"], "--asr_exp exp/asr_train_...: which model of the ESPnet recipe?"),
        (["--test_sets", "one two one"], "one stands twice in --test_sets"),
        (["--objective", "distill"], "--objective distill needs a teacher, a clm or pll rescorer: --teacher"),
    ],
)
def test_what_a_later_stage_would_refuse_ends_the_recipe_before_anything_long(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    assert error_line(tmp_path, RUN, "--stage", "1", *arguments).startswith(f"{RUN}: {message}")


@needs_environment
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--perturbations", "homophone near"], "the perturbation near knows how far apart CMUdict's phones are"),
        (["--stop_stage", "7", "--train_config", "train.yaml"], "the perturbation near knows how far apart CMUdict's"),
        (["--g2p", "espeak-ng"], "--g2p espeak-ng pronounces words in CMUdict's phones, and this lexicon has others"),
    ],
)
def test_a_lexicon_that_will_not_do_ends_the_recipe_before_anything_long(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "lexicon.txt").write_text("他 t a1\n她 t a1\n", encoding="utf-8")
    (tmp_path / "train.yaml").write_text("perturb_train: near:0.1\n")
    line = error_line(tmp_path, RUN, "--stage", "1", "--pronunciations", "lexicon.txt", *arguments)
    assert line.startswith(f"lorescore tag: lexicon.txt: {message}")


@needs_environment
@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("2", "nowhere: no ESPnet model here (config.yaml is missing)"),
        ("3", "data/train/wav.scp is missing or empty: stage 1 makes it"),
        ("4", "exp/asr/decode_train: no N-best lists here, expected logdir/output.J/Nbest_recog/{text,score} ("),
        ("8", "exp/nbest/test: no N-best directory: words_text is missing (stage 4 makes"),
    ],
)
def test_a_stage_names_what_is_missing(tmp_path: Path, stage: str, message: str) -> None:
    done = call(tmp_path, RUN, "--stage", stage, "--stop_stage", stage, "--asr_model_dir", "nowhere")
    assert done.returncode == 1
    assert f": {message}" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Done" not in done.stdout


@needs_environment
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nj", "abc"], "--nj is 'abc', expected 1 or more"),
        (["--nj", "x[$(touch PWNED)]", "--rescorer_nj", "2"], "--nj is 'x[$(touch PWNED)]', expected 1 or more"),
        (["--train_nj", "0"], "--train_nj is '0', expected 1 or more"),
        (["--nlsyms_txt", "x", "--nbest_source", "lattice"], "--nlsyms_txt is for lists of a beam search"),
        (["--nbest_sh", "x", "--cleaner", "tacotron"], "--cleaner tacotron: x makes the lists, give it to"),
        (["--rescorer_nj", "08"], "--rescorer_nj is '08', expected a whole number"),
        (
            ["--stage", "7", "--stop_stage", "5"],
            "nothing to do between --stage 7 and --stop_stage 5: ",
        ),
        (["--stage", "11"], "nothing to do between --stage 11 and --stop_stage 10: stages are 0 to 10"),
        (["--lora", " "], "--lora is empty, expected strategies"),
        (
            ["--stage", "6", "--test_sets", "test dev"],
            "dev is the dev set and a test set: what",
        ),
        (
            ["--stage", "6", "--test_sets", "train"],
            "train is the training set and a test set: what",
        ),
    ],
)
def test_what_cannot_be(tmp_path: Path, arguments: list[str], message: str) -> None:
    assert error_line(tmp_path, RUN, *arguments).startswith(f"{RUN}: {message}")
    assert {path.name for path in tmp_path.iterdir()} <= {"exp"}


@needs_environment
@pytest.mark.parametrize("train_asr", ["false", "true"])
def test_a_first_pass_is_not_overwritten(tmp_path: Path, train_asr: str) -> None:
    """Neither a trained one by the recipe's, nor is the recipe's trained on."""
    config = tmp_path / "exp" / "asr" / "config.yaml"
    config.parent.mkdir(parents=True)
    own = (ROOT / "egs/demo/rescore1/asr/config.yaml").read_bytes() if train_asr == "true" else b"my: own\n"
    config.write_bytes(own)
    done = call(tmp_path, RUN, "--stage", "2", "--stop_stage", "2", "--train_asr", train_asr)
    assert done.returncode == 1
    assert "move it away" in done.stderr and done.stderr.count("\n") == 1
    assert config.read_bytes() == own and [path.name for path in config.parent.iterdir()] == ["config.yaml"]


@needs_environment
def test_one_call_at_a_time_makes_the_lists(tmp_path: Path) -> None:
    log = tmp_path / "exp" / "run.log"
    log.parent.mkdir()
    with log.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        line = error_line(tmp_path, RUN, "--stage", "4")
        assert line.startswith(f"{RUN}: another run.sh is at stages 0 to 4 in {tmp_path}/exp")
        assert "nothing to report" in call(tmp_path, RUN, "--stage", "10").stderr  # later stages go side by side


@needs_environment
def test_a_set_that_is_called_as_the_checkpoints_are(tmp_path: Path) -> None:
    """exp/asr/valid.acc.ave.pth is no decode of the set `valid`, where there is one."""
    for name in ("valid.acc.ave.pth", "valid.acc.best.pth"):
        (tmp_path / name).write_text("")
    (tmp_path / "decode_valid").mkdir()
    done = call(tmp_path, RUN, "--stage", "4", "--lora", "none", "--asr_decode", tmp_path, "--dev_set", "valid")
    assert done.returncode == 1
    assert f"{tmp_path}/decode_valid: no N-best lists here" in done.stderr


@needs_environment
def test_what_a_script_for_the_lists_is_told(tmp_path: Path) -> None:
    script = tmp_path / "nbest.sh"
    script.write_text('#!/usr/bin/env bash\necho "$@" > told\nexit 1\n')
    script.chmod(0o755)
    options = ["--stage", "4", "--lora", "none", "--asr_decode", "d", "--ref", "r", "--nbest_sh", str(script)]
    assert call(tmp_path, RUN, *options, "--context", "0").returncode == 1
    assert (tmp_path / "told").read_text() == "--asr_decode d --ref r --context 0\n"
    assert call(tmp_path, RUN, *options).returncode == 1
    assert (tmp_path / "told").read_text() == "--asr_decode d --ref r\n"
    assert "--nbest_source lattice: " in error_line(tmp_path, RUN, *options, "--nbest_source", "lattice")


@needs_environment
def test_two_files_that_may_be_the_decode(tmp_path: Path) -> None:
    for name in ("dev.tsv", "dev.bak.tsv"):
        (tmp_path / name).write_text("")
    done = call(tmp_path, RUN, "--stage", "4", "--lora", "none", "--asr_decode", tmp_path)
    assert done.returncode == 1
    assert "which one is the decode of dev: " in done.stderr


@needs_environment
def test_a_link_to_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "link.sh").symlink_to(RUN)
    assert "nothing to report" in call(tmp_path, tmp_path / "link.sh", "--stage", "10").stderr


@needs_environment
def test_data_and_exp_are_made_where_the_recipe_is_called(tmp_path: Path) -> None:
    done = subprocess.run(
        [RUN, "--stage", "10"], cwd=tmp_path, env=os.environ | {"LC_ALL": "C"}, capture_output=True, text=True
    )
    assert done.stderr.startswith("lorescore report: exp: nothing to report")
    assert [path.name for path in tmp_path.iterdir()] == ["exp"]
    assert re.fullmatch(rf"\S+ \S+ {RUN} --stage 10\n", (tmp_path / "exp" / "run.log").read_text())
