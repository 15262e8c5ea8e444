"""The verb `report`: what it writes and prints, complete and partial results, the same bytes every time."""

import argparse
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest
from made_up_exp import make_record, needs_sclite, tag_of, write_model, write_nprr
from matplotlib.figure import Figure

from lorescore.cli import report as verb
from lorescore.errors import InputError
from lorescore.files import read_yaml, write_yaml
from lorescore.nprr import write_records
from lorescore.report import write_report
from lorescore.report.style import save_png
from lorescore.training.rank_history import RankHistory


def run(exp_dir: Path) -> None:
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    verb.run(parser.parse_args(["--exp_dir", str(exp_dir)]))


def linked(text: str) -> list[str]:
    return [unquote(link) for link in re.findall(r"!\[.*?\]\((.*?)\)", text)]


@needs_sclite
def test_everything(exp_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(exp_dir)
    text = (exp_dir / "RESULTS.md").read_text(encoding="utf-8")
    printed = capsys.readouterr().out
    assert re.findall(r"^#.*", text, re.MULTILINE) == [
        "# Results",
        "## Table 1: word error rate",
        "### dev, the set on which the weights were tuned (60 utterances of 5 speakers, 900 words)",
        "### test (80 utterances of 5 speakers, 1,200 words)",
        "## Strategies compared",
        "### dev: smollm2, scorer clm, objective mwer, 5 speakers",
        "### test: smollm2, scorer clm, objective mwer, 5 speakers",
        "## Table 2: robustness (NPRR)",
        "### dev, the set on which the weights were tuned",
        "### test",
        "## Table 3: rescorers",
    ]
    adalora = tag_of("adalora")
    names = [
        "wer.png",
        "parameters.png",
        "nprr.png",
        "nprr_map_dev.png",
        "nprr_map_test.png",
        "training.png",
        f"ranks_{adalora}.png",
    ]
    assert linked(text) == [f"figures/{name}" for name in names]
    assert sorted(path.name for path in (exp_dir / "figures").iterdir()) == sorted(names)
    tables = [line for line in text.splitlines() if line.startswith("|")]
    printed_tables = [line for line in printed.splitlines() if line.startswith("|")]
    cost = [line for line in (exp_dir / "COST.md").read_text().splitlines() if line.startswith("|")]
    assert printed_tables == tables[:-6] + cost  # all but table 3
    assert str(exp_dir / "RESULTS.md") in printed.splitlines()
    result = read_yaml(exp_dir / "rescore" / adalora / "test" / "result.yaml")
    row = next(line for line in tables[9:] if adalora in line)
    assert f"| {result['wer']:.2f} | [{result['ci_low']:.2f}, {result['ci_high']:.2f}] |" in re.sub(" +", " ", row)


@pytest.fixture
def without_sctk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))


def test_what_was_scored_without_sctk_is_reported(
    without_sctk: None, exp_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The same tables, but for the test that is sctk's."""
    assert not list(exp_dir.rglob("score_wer"))
    text = write_report(exp_dir).path.read_text(encoding="utf-8")
    mapsswe = [message for message in caplog.messages if "MAPSSWE" in message]
    assert [message.partition(" (")[0] for message in mapsswe] == ["no MAPSSWE test: sc_stats not found"]
    rows = [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if line.startswith("|")]
    heads = [place for place, row in enumerate(rows) if "MAPSSWE vanilla" in row]
    assert len(heads) == 2
    for place in heads:
        column = rows[place].index("MAPSSWE vanilla")
        assert [row[column] for row in rows[place + 2 : place + 8]] == ["-"] * 6
    result = read_yaml(exp_dir / "rescore" / tag_of("adalora") / "test" / "result.yaml")
    wers = [row[2] for row in rows if row[1] == tag_of("adalora")]
    assert f"{result['wer']:.2f}" == wers[1]  # after dev's


@needs_sclite
def test_same_bytes_again_and_after_another_machine_time(exp_dir: Path) -> None:
    def written() -> dict[str, bytes]:
        report = write_report(exp_dir)
        return {path.name: path.read_bytes() for path in (report.path, report.page, *report.figures)}

    before = written()
    path = exp_dir / "plm" / tag_of("full") / "config.yaml"
    config = read_yaml(path)
    config["training"] |= {"seconds": 999.0, "peak_memory_mb": 4321}
    write_yaml(path, config)
    assert written() == before


@needs_sclite
def test_axes_of_sets_in_characters(exp_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in exp_dir.glob("rescore/*/*/result.yaml"):
        write_yaml(path, read_yaml(path) | {"metric": "cer"})
    figures: dict[str, Figure] = {}

    def keep(figure: Figure, path: Path) -> None:
        figures[path.name] = figure
        save_png(figure, path)

    monkeypatch.setattr("lorescore.report.results.save_png", keep)
    report = write_report(exp_dir)
    captions = re.findall(r"<figcaption>(.*?)<", report.page.read_text(encoding="utf-8"))
    for caption in ("CER by system and set", "CER on dev during training", "CER and trainable parameters"):
        assert caption in captions
    assert not [caption for caption in captions if "WER" in caption]
    labels = {name: figure.axes[0].get_ylabel() for name, figure in figures.items()}
    assert labels["nprr.png"] == "NPRR (% of the clean CER)"
    assert labels["training.png"] == "CER on dev (%)"
    assert labels["parameters.png"] == "CER (%)"
    assert figures["nprr_map_test.png"].get_suptitle() == "NPRR on test in % of the clean CER (lower is more robust)"


@needs_sclite
def test_mbr_is_below_table_1(exp_dir: Path) -> None:
    tag = tag_of("vanilla")
    shutil.copytree(exp_dir / "rescore" / tag, exp_dir / "rescore" / f"{tag}_mbr")
    report = write_report(exp_dir)
    text = report.path.read_text(encoding="utf-8")
    headings = re.findall(r"^#.*", text, re.MULTILINE)
    assert headings[4:6] == ["### MBR against MAP", "## Strategies compared"]
    assert "The scale\nwas chosen on the set `dev`" in text
    rows = [line.split()[1:6:2] for line in report.main_tables.splitlines() if re.match(r"\| (dev|test) +\|", line)]
    assert [row[:2] for row in rows] == [["dev", tag], ["test", tag]]
    assert text.index(f"| {tag}_mbr ") > text.index(f"| {tag} ")


def test_only_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_model(tmp_path, "none", training=None)
    run(tmp_path)
    text = (tmp_path / "RESULTS.md").read_text()
    assert re.findall(r"^## .*", text, re.MULTILINE) == ["## Table 3: rescorers"]
    assert linked(text) == []
    assert capsys.readouterr().out.split() == [str(tmp_path / name) for name in ("RESULTS.md", "report.html")]


def test_only_robustness_and_the_name_of_the_dev_set(tmp_path: Path) -> None:
    write_nprr(tmp_path, ["none"], ["dev_clean", "a_test"], [0.1])
    write_yaml(
        tmp_path / "rescore" / "x" / "weights.yaml", {"lm_weight": 0.0, "word_bonus": 0.0, "tuned_on": "dev_clean"}
    )
    run(tmp_path)
    text = (tmp_path / "RESULTS.md").read_text()
    assert re.findall(r"^### .*", text, re.MULTILINE) == [
        "### dev_clean, the set on which the weights were tuned",
        "### a_test",
    ]
    assert "tuned on the set `dev_clean` only" in text
    assert linked(text) == ["figures/nprr.png", "figures/nprr_map_dev_clean.png", "figures/nprr_map_a_test.png"]


def test_figures_of_an_earlier_report_go(tmp_path: Path) -> None:
    model_dir = write_model(tmp_path, "adalora")
    write_records(tmp_path / "nprr" / "x.json", [make_record("adalora", "test", "nbest", 0.1)])
    run(tmp_path)
    (tmp_path / "figures" / "mine.png").write_bytes(b"")
    write_yaml(model_dir / "rank_history.yaml", RankHistory(("layers.0.q",), {0: (4,), 9: (2,)}).to_dict())
    run(tmp_path)
    assert (tmp_path / "figures" / f"rank_steps_{model_dir.name}.png").is_file()
    shutil.rmtree(model_dir)
    write_records(tmp_path / "nprr" / "x.json", [make_record("adalora", "other", "nbest", 0.1)])
    run(tmp_path)
    left = ["mine.png", "nprr.png", "nprr_map_other.png"]
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == left


def test_a_tag_with_a_space_is_linked(tmp_path: Path) -> None:
    write_model(tmp_path, "adalora").rename(tmp_path / "plm" / "my (best) model")
    run(tmp_path)
    links = linked((tmp_path / "RESULTS.md").read_text())
    assert "figures/ranks_my (best) model.png" in links
    assert all((tmp_path / link).is_file() for link in links)


def test_nothing_to_report_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to report"):
        run(tmp_path / "exp")
    assert not (tmp_path / "exp").exists()
