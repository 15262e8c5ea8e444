"""README's commands, every fenced block of them, run as they are written in a sandbox of toy data.

What a reader fills in (`DIR`, `<tag>`, `...`) is filled in from PLACEHOLDERS. A command that takes minutes, a network
or a real corpus stands in ELSEWHERE with the file that runs it. A block with a command that is neither known to run
here nor listed there fails: add it to one of the tables.
"""

import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from readme_sandbox import DECODES, ESPNET_EXP, ESPNET_TAG, ROOT, TAG, make_sandbox, put_rescorer, run

README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
NOT_CODE = {"", "text", "yaml", "json", "bibtex"}  # languages of blocks that are only read

# What a reader fills in, in this order, as regular expressions: longer ones first.
PLACEHOLDERS = {
    r"exp/asr_train_\.\.\.": ESPNET_EXP,
    r"\bdecode_\.\.\.": ESPNET_TAG,
    r"<tag>": TAG,
    r"--model DIR\b": f"--model exp/plm/{TAG}",
    r"--plm (DIR|org/\w+)\b": "--plm smollm2",
    r"\bDIR\b": DECODES,
    r"\bFILE\b": "data/{set}/text",
    r"\bIN\b": "lists.json",
    r"\bOUT\b": "lists_out.tsv",
    r"(--train_set) A\b": r"\1 train",
    r"(--dev_set) B\b": r"\1 dev",
    r'(--test_sets) "C D"': r'\1 "test test_other"',
}
LEFT_OVER = re.compile(r"<[a-z_]+>|\.\.\.")

# Put in before what a command says, which wins: small runs.
SMALL = "--kinds nbest --rates 0.3 --perturb_seeds 1"
# A command (its last path component, or a verb) and what to do with its line; `{line}` as it stands.
COMMANDS = {
    "run.sh": "{line}",
    "lorescore": "{line}",
    "lmrescore_plm.sh": "{line}",
    "setup.sh": "{line}; cd {last}",  # "there:" go the lines after it
    **dict.fromkeys((".", "cat", "cd", "cp", "cut", "echo", "export", "grep", "head", "ls", "mkdir", "sort"), "{line}"),
}


@dataclass(frozen=True)
class Elsewhere:
    """A command that does not run here: where it runs, and what stands there to say so."""

    command: str  # regular expression
    file: str
    evidence: str


ELSEWHERE = (
    Elsewhere(r"\./run\.sh", "tests/recipe/test_demo.py", r'ROOT / "run\.sh"\), "--stage", "1"'),
    Elsewhere(r"tests/run\.sh", ".ci/run", r"^tests/run\.sh$"),
    Elsewhere(r"\./run\.sh --stop_stage 0", "tests/run.sh", r"^local/setup\.sh$"),
    Elsewhere(r"git clone .*", ".ci/run", "on a fresh clone"),
    Elsewhere(r"(python3? -m )?pip install .*", "tests/test_wheel.py", r'"install", .*wheel\)'),
    Elsewhere(r".*egs/librispeech/.*", "tests/recipe/test_librispeech_split.py", r'LOCAL / "nbest\.sh"'),
    Elsewhere(r".*RescoredSpeech2Text.*", "tests/recipe/test_espnet_adapter.py", "RescoredSpeech2Text"),
)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line of README where it begins."""

    language: str
    text: str
    line: int


BLOCKS = [
    Block(match[2], re.sub(rf"^{match[1]}", "", match[3], flags=re.MULTILINE), README[: match.start()].count("\n") + 1)
    for match in FENCE.finditer(README)
    if match[2] not in NOT_CODE
]

needs_environment = pytest.mark.skipif(
    not (ROOT / ".venv/bin/python").exists(), reason="no .venv: ./run.sh --stage 0 --stop_stage 0 makes it"
)
needs_sclite = pytest.mark.skipif(
    not (shutil.which("sclite") or shutil.which("sctk")), reason="sclite is missing: apt-get install sctk"
)


def lines_of(text: str) -> list[str]:
    """A shell block's commands, a line each, without comments."""
    joined = re.sub(r"\\\n\s*", "", text)
    return [line for line in (re.sub(r"(^|\s+)#\s.*$", "", line).strip() for line in joined.splitlines()) if line]


def elsewhere(command: str) -> Elsewhere | None:
    return next((one for one in ELSEWHERE if re.fullmatch(one.command, command, re.DOTALL)), None)


def filled_in(text: str) -> str:
    """The text with every placeholder replaced."""
    for pattern, value in PLACEHOLDERS.items():
        text = re.sub(pattern, value, text, flags=re.MULTILINE)
    left = LEFT_OVER.search(text)
    assert left is None, f"{left and left[0]!r} is to be filled in: add it to PLACEHOLDERS\n{text}"
    return text


def runnable(line: str) -> str:
    """A line of a shell block as it runs in the sandbox."""
    template = "{line}"
    words = shlex.split(line)
    operators = list(shlex.shlex(line, posix=True, punctuation_chars=True))
    for name in _command_names(operators):
        assert name in COMMANDS, f"{name!r} is not known to run here: add it to COMMANDS or ELSEWHERE\n{line}"
        template = COMMANDS[name] if COMMANDS[name] != "{line}" else template
    if re.match(r"\S*run\.sh\b", line) and "--help" not in words:
        first = words[words.index("--stage") + 1] if "--stage" in words else "4" if "--asr_exp" in words else "0"
        assert int(first) >= 4, f"has no audio here: add it to ELSEWHERE\n{line}"
        line = re.sub(r"^\S+", rf"\g<0> {SMALL}", line)
    return template.format(line=line, last=words[-1])


def _command_names(tokens: list[str]) -> list[str]:
    """The program of each command of a line: `python -m lorescore VERB` is lorescore."""
    names, is_first = [], True
    for index, token in enumerate(tokens):
        if token in ("|", "&&", "||", ";", "("):
            is_first = True
        elif is_first and not re.match(r"\w+=", token):
            is_module = re.fullmatch(r"python3?", token) and tokens[index + 1 : index + 3] == ["-m", "lorescore"]
            names.append("lorescore" if is_module else token.rpartition("/")[2])
            is_first = False
    return names


def program_of(block: Block) -> str:
    """What of a block runs in the sandbox; empty where all of it runs elsewhere."""
    if block.language == "python":
        return "" if elsewhere(block.text) else filled_in(block.text)
    return "\n".join(runnable(filled_in(line)) for line in lines_of(block.text) if not elsewhere(line))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_sandbox(tmp_path_factory.mktemp("readme"))
    put_rescorer(folder)
    return folder


def test_there_are_blocks() -> None:
    assert {"sh", "python"} <= {block.language for block in BLOCKS} <= {"sh", "bash", "python"}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"line-{block.line}")
def test_every_command_of_a_block_is_known(block: Block) -> None:
    program_of(block)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("tensorboard --logdir exp", "'tensorboard' is not known to run here"),
        ("cat lists.jsonl | NJ=2 bin/rescore -", "'rescore' is not known to run here"),
        ("python tool.py", "'python' is not known to run here"),
        ("./run.sh --stage 3 --lora none", "has no audio here"),
        ("cat exp/<file>", "'<file>' is to be filled in"),
        ("cat exp/...", "'...' is to be filled in"),
    ],
)
def test_what_is_not_known_fails(line: str, message: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(message)):
        runnable(filled_in(line))


@pytest.mark.parametrize("one", ELSEWHERE, ids=lambda one: one.command)
def test_what_runs_elsewhere_runs_there(one: Elsewhere) -> None:
    assert re.search(one.evidence, (ROOT / one.file).read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.slow
@needs_environment
@needs_sclite
@pytest.mark.parametrize("block", list(filter(program_of, BLOCKS)), ids=lambda block: f"line-{block.line}")
def test_a_block_runs_as_it_is_written(template: Path, tmp_path: Path, block: Block) -> None:
    run(shutil.copytree(template, tmp_path / "lorescore", symlinks=True), program_of(block), block.language)
