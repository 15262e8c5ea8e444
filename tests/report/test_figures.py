"""The figures: what is in them, and that equal input gives equal bytes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_exp import make_record, tag_of
from matplotlib.figure import Figure

from lorescore.errors import InputError
from lorescore.nprr import Nprr
from lorescore.report import Evaluation, Model, Results, SetScore, Training
from lorescore.report.figures import nprr_figure, styles_of, training_figure, wer_figure
from lorescore.report.ranks import rank_map, ranks_figure
from lorescore.report.style import drawing, line_styles, save_png
from lorescore.wer import Interval


def titles(figure: Figure) -> list[str]:
    return [axes.get_title() for axes in figure.axes]


def legend_of(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def written_in(figure: Figure) -> str:
    return " ".join(text.get_text() for axes in figure.axes for text in axes.texts)


def test_a_rank_map_of_a_decoder_and_of_an_encoder() -> None:
    names = {
        f"model.layers.{layer}.self_attn.{part}": 10 * layer + place
        for layer in (10, 2)
        for place, part in enumerate("qk")
    }
    table = rank_map(names)
    assert (table.modules, table.layers) == (("self_attn.q", "self_attn.k"), ("2", "10"))
    assert table.ranks.tolist() == [[20, 100], [21, 101]]

    table = rank_map({"encoder.layer.0.output.dense": 3, "encoder.layer.1.attention.self.query": 0, "pooler.dense": 5})
    assert table.modules == ("output.dense", "attention.self.query", "pooler.dense")
    assert table.layers == ("0", "1", "outside")
    np.testing.assert_array_equal(table.ranks, [[3, np.nan, np.nan], [np.nan, 0, np.nan], [np.nan, np.nan, 5]])


def test_layers_of_an_encoder_and_a_decoder_are_not_mixed() -> None:
    table = rank_map({"encoder.block.0.layer.0.q": 1, "decoder.block.0.layer.0.q": 2})
    assert table.modules == ("encoder.block.layer.0.q", "decoder.block.layer.0.q")
    assert table.ranks.tolist() == [[1], [2]]


def test_every_rank_stands_in_its_cell() -> None:
    figure = ranks_figure("lora", {"layers.0.q": 0, "layers.1.q": 7, "layers.0.k": 12, "layers.1.k": 5})
    assert written_in(figure) == "0 7 12 5"
    assert figure.get_suptitle() == "Final rank of each update, lora (mean 6.00)"


def test_all_ranks_zero_can_be_drawn(tmp_path: Path) -> None:
    save_png(ranks_figure("lora", {"layers.0.q": 0}), tmp_path / "ranks.png")
    assert (tmp_path / "ranks.png").read_bytes().startswith(b"\x89PNG")


def test_wer_panels() -> None:
    first, lora = (SetScore(wer, 1, 10, 2, interval, 0, 0) for wer, interval in ((5.25, None), (4.5, Interval(4, 5))))
    scores = {name: {"first_pass": first, "lora": lora} for name in ("dev", "a", "b", "c")}
    figure = wer_figure(Results("dev", {}, scores, ()))
    assert titles(figure) == ["dev (weights tuned here)", "a", "b", "c", "", ""]
    assert written_in(figure) == " ".join(["5.25 4.50"] * 4)
    assert [axes.axison for axes in figure.axes] == [True] * 4 + [False] * 2
    assert figure.axes[0].get_xlabel() == "WER (%)"


def test_nprr_panels_and_legend() -> None:
    records = tuple(
        make_record(strategy, "test", kind, rate)
        for kind in ("1best", "nbest")
        for rate in (0.1, 0.3)
        for strategy in ("none", "full")
    )
    figure = nprr_figure(Results("dev", {}, {}, records))
    assert titles(figure) == ["test, 1-best perturbation", "test, N-best perturbation"]
    assert legend_of(figure) == [tag_of("none"), tag_of("full"), "first_pass"]
    # 1-best: the first pass loses 10 % and more, the rescorers 2 %; N-best: as much as the rescorers.
    off_scale = [text.get_text() for text in figure.axes[0].texts]
    assert len(off_scale) == 1
    assert off_scale[0].startswith("first_pass, off the scale: ")
    assert not figure.axes[1].texts


def test_the_first_pass_of_worst_is_each_rescorers_own() -> None:
    """Each rescorer has other lists there, so that no one first pass stands for all."""
    records = [replace(make_record(name, "test", "nbest", 0.1), perturbation="worst") for name in ("none", "full")]
    for shown, expected in ((records, ["none", "full"]), (records[:1], ["none", "first_pass"])):
        figure = nprr_figure(Results("dev", {}, {}, tuple(shown)))
        assert legend_of(figure) == [name if name == "first_pass" else tag_of(name) for name in expected]


def test_nprr_that_is_undefined_or_was_not_run_is_no_point(tmp_path: Path) -> None:
    one = make_record("none", "test", "nbest", 0.1)
    undefined = replace(one, tag="perfect", nprr=Nprr(None, None, None, (None,), 0.0, 1.0))
    elsewhere = replace(one, set="voice", kind="1best")
    figure = nprr_figure(Results("dev", {}, {}, (one, undefined, elsewhere)))
    assert "perfect" not in legend_of(figure)
    assert [len(axes.get_legend_handles_labels()[1]) for axes in figure.axes] == [0, 2, 2, 0]
    said = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert said == [["not measured"], [], [], ["not measured"]]
    assert not figure.axes[3].lines
    # The lower one has the rates of the panel above it, with which it shares its axis.
    assert [label.get_text() for label in figure.axes[3].get_xticklabels()] == ["0.0", "0.1"]
    save_png(figure, tmp_path / "nprr.png")


def test_training_lines() -> None:
    history = (Evaluation(0, 7.0), Evaluation(50, 6.0), Evaluation(100, 6.5))
    models = [
        Model(tag, plm, "clm", "full", None, "mwer", 1, 1, 1, Training(best_step=50), {}, history)
        for tag, plm in (("a", "big"), ("b", "big"), ("c", "small"))
    ]
    results = Results("dev", {model.tag: model for model in models}, {}, ())
    figure = training_figure(models, styles_of(results))
    assert titles(figure) == ["big, scorer clm", "small, scorer clm"]
    assert legend_of(figure) == ["a", "b", "c"]
    line, ring = figure.axes[1].lines
    assert line.get_xydata().tolist() == [[0, 7.0], [50, 6.0], [100, 6.5]]
    assert ring.get_xydata().tolist() == [[50, 6.0]]


def test_styles_differ() -> None:
    styles = line_styles([f"model{index}" for index in range(210)])
    assert len(set(styles.values())) == 210


def test_bytes_depend_on_the_content_alone(tmp_path: Path) -> None:
    ranks = {"layers.0.q": 3, "layers.1.q": 4}
    for name in ("a.png", "b.png"):
        with drawing():
            save_png(ranks_figure("cost_$5_and_$6", ranks), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert b"matplotlib" not in (tmp_path / "a.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_a_figure_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "ranks.png").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        save_png(ranks_figure("lora", {"layers.0.q": 3}), tmp_path / "ranks.png")
    assert [path.name for path in tmp_path.iterdir()] == ["ranks.png"]
