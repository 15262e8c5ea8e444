"""Options of the recipe's scripts: --help, misspelt names and words, values that cannot be (local/parse_options.sh)."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "run.sh"
SCRIPTS = [
    path
    for path in (RUN, *sorted(ROOT.glob("local/*.sh")), *sorted(ROOT.glob("egs/*/*/local/*.sh")))
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
    assert list(listed) == [f"--{name}" for name, _, _ in assigned]
    for name, default, meaning in assigned:
        assert re.fullmatch(rf"  --{name} {re.escape(default)} *# {re.escape(meaning)}", listed[f"--{name}"])
    assert list(tmp_path.iterdir()) == []


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
    ],
)
def test_a_misspelt_word_ends_the_recipe_before_anything_long(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    assert error_line(tmp_path, RUN, "--stage", "1", *arguments).startswith(f"lorescore tag: {message}")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "exp" / "run.log"]


@needs_environment
@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("2", "nowhere: no ESPnet model here (config.yaml is missing)"),
        ("3", "data/train/wav.scp is missing or empty: stage 1 makes it"),
        ("4", "exp/asr/decode_train: no N-best lists here, expected logdir/output.J/Nbest_recog/{text,score} ("),
        ("8", "exp/nbest/test: no finished N-best directory: nbest.yaml is missing (stage 4 makes"),
    ],
)
def test_a_stage_names_what_is_missing(tmp_path: Path, stage: str, message: str) -> None:
    done = call(tmp_path, RUN, "--stage", stage, "--stop_stage", stage, "--asr_model_dir", "nowhere")
    assert done.returncode == 1
    assert f": {message}" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Done" not in done.stdout


@needs_environment
def test_data_and_exp_are_made_where_the_recipe_is_called(tmp_path: Path) -> None:
    done = subprocess.run(
        [RUN, "--stage", "99"], cwd=tmp_path, env=os.environ | {"LC_ALL": "C"}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["exp"]
    assert re.fullmatch(rf"\S+ \S+ {RUN} --stage 99\n", (tmp_path / "exp" / "run.log").read_text())
