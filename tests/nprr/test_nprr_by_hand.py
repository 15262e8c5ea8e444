"""NPRR, its area and the losses of ten utterances, worked out by hand: by the command, and as README has them."""

import json
import re
from pathlib import Path

import pytest

from lorescore.__main__ import main
from lorescore.nbest import read_costs, read_nbest_dir

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data" / "nprr_by_hand"
DIRS = (DATA / "test", DATA / "test_nbest_p0.1_s1", DATA / "test_nbest_p0.3_s1")
HEADING = "### NPRR by hand\n"
OPTIONS = "--clean {0} --perturbed {1} {2} --costs plm --lm_weight 1"

# Reference; clean list, list at rate 0.1 and at rate 0.3, where they are not the clean one. The rescorer's choice: **.
TABLE = """\
| u01 | the sun | the son / **the sun** | | |
| u02 | i see | eye see / **i see** | | |
| u03 | my hair | **my hair** / my hare | **my hare** / my hare | **my hare** / my hare |
| u04 | no rain | **no rain** / know rain | | |
| u05 | two hours | **too hours** / to hours | | |
| u06 | write it | **right it** / write it | | |
| u07 | a bear | **the bear** / the bare | | |
| u08 | one hour | **won hour** / one hour | | |
| u09 | the tail | **the tail** / the sail | | the tail / **the sale** |
| u10 | for us | **for us** / four us | | **four us** / four us |
"""
# Of 20 reference words the 1-best, the rescorer and the oracle get wrong
#   clean 6, 4, 2     rate 0.1 7, 5, 3     rate 0.3 8, 7, 4
# NPRR       100 x (5 - 4) / 4 = 25, 100 x (7 - 4) / 4 = 75; first pass 100 x 1 / 6 = 16.67, 100 x 2 / 6 = 33.33
# area       (0.1 x 25 / 2 + 0.2 x (25 + 75) / 2) / 0.3 = 11.25 / 0.3 = 37.5; first pass (0.8333 + 5) / 0.3 = 19.44
# shares     clean 2 / 4 = 50, rate 0.1 2 / 4 = 50, rate 0.3 1 / 4 = 25 %
# losses     rate 0.1: 1 error of 20 words (5 points) for 1-best and oracle; at 50 % the rescorer would make
#            7 - 0.5 x 4 = 5 errors, 1 more than clean, the lists' loss, and it makes 5
#            rate 0.3: 2 errors (10 points) for both; at 50 % it would make 8 - 0.5 x 4 = 6 errors, 2 more than clean,
#            and it makes 7: 1 (5 points) is its own loss
# Without the intervals, which are drawn.
OUTPUT = """\
## NPRR of plm
| lists | rate | sets | NPRR % | 95 % interval | first pass % | 95 % interval | clean WER | perturbed WER |
| nbest | 0.1 | 1 | +25.00 | [] | +16.67 | [] | 20.00 | 25.00 |
| nbest | 0.3 | 1 | +75.00 | [] | +33.33 | [] | 20.00 | 35.00 |
## Area under the NPRR curve
| lists | to rate | area % | 95 % interval | first pass % | 95 % interval |
| nbest | 0.3 | +37.50 | [] | +19.44 | [] |
## What the lists lost, and what the rescorer lost
| lists | rate | 1-best | oracle | gap clean % | gap perturbed % | change | 95 % interval | list | rescorer |
| nbest | 0.1 | +5.00 | +5.00 | 50.0 | 50.0 | +0.0 | [] | +5.00 | +0.00 |
| nbest | 0.3 | +10.00 | +10.00 | 50.0 | 25.0 | -25.0 | [] | +10.00 | +5.00 |
"""


def bare(text: str) -> str:
    """Tables without padding, rules and what stands in intervals."""
    lines = (re.sub(r" +", " ", re.sub(r"\[.*?\]", "[]", line)).strip() for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not re.fullmatch(r"[| :-]+", line))


def readme_section() -> str:
    """What follows the heading in README; empty where it is not there."""
    return (ROOT / "README.md").read_text(encoding="utf-8").partition(HEADING)[2]


def lists_of_table(column: int) -> dict[str, list[str]]:
    """The lists in a column, 0 clean, 1 and 2 perturbed; the choice with its marks."""
    lists = {}
    for line in TABLE.splitlines():
        utt, _, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        lists[utt] = (cells[column] or cells[0]).split(" / ")
    return lists


@pytest.mark.parametrize("column", [0, 1, 2])
def test_the_directories_are_the_table(column: int) -> None:
    nbest, costs = read_nbest_dir(DIRS[column]), read_costs(DIRS[column] / "lmwt.plm")
    for one, texts in zip(nbest, lists_of_table(column).values(), strict=True):
        assert one.texts == [text.strip("*") for text in texts]
        assert one.scores == [-1.0, -1.5]
        # A difference of 0.5 in the first pass's score does not outweigh one of 1 in the PLM's.
        assert [costs[key] for key in one.nbest_keys()] == [10.0 if text.startswith("*") else 11.0 for text in texts]
    refs = {cells[1].strip(): cells[2].strip() for cells in (line.split("|") for line in TABLE.splitlines())}
    assert nbest.refs == refs


def test_the_command_gives_the_numbers_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nprr", *OPTIONS.format(*DIRS).split(), "--out_dir", str(tmp_path)]) == 0
    tables, _, files = capsys.readouterr().out.rpartition("\n\n")
    assert bare(tables) == OUTPUT
    assert [Path(line).name for line in files.split()] == ["nprr.md", "nprr.json", "nprr.png"]
    assert set(bare(tables).splitlines()) < set(bare((tmp_path / "nprr.md").read_text()).splitlines())
    assert (tmp_path / "nprr.png").read_bytes().startswith(b"\x89PNG")
    content = json.loads((tmp_path / "nprr.json").read_text())
    assert [one["nprr"]["value"] for one in content["groups"]] == [25, 75]
    assert content["areas"][0]["area"]["value"] == pytest.approx(37.5)
    assert content["areas"][0]["first_pass"]["value"] == pytest.approx(100 * 7 / 36)  # (1/120 + 1/20) x 100 / 0.3
    assert [one["losses"]["rescorer_loss"] for one in content["groups"]] == pytest.approx([0, 5])
    assert (content["costs"], content["lm_weight"], content["metric"]) == ("plm", 1, "wer")


def test_readme_has_the_same_table_command_and_output() -> None:
    section = readme_section()
    rows = [line for line in section.splitlines() if re.match(r"\| u\d\d \|", line)]
    assert bare("\n".join(rows)) == bare(TABLE)
    blocks = re.findall(r"```(\w+)\n(.*?)```", section, re.DOTALL)
    assert [language for language, _ in blocks[:2]] == ["sh", "text"]
    relative = [path.relative_to(ROOT) for path in DIRS]
    command = " ".join(blocks[0][1].replace("\\\n", " ").split())
    expected = f"python -m lorescore nprr {OPTIONS.format(relative[0], relative[0], '').replace('  ', ' ')}"
    assert command == expected.replace(f"--perturbed {relative[0]}", f"--perturbed {relative[0]}_*")
    assert sorted(DATA.glob("test_*")) == list(DIRS[1:])
    assert bare(blocks[1][1]) == OUTPUT
