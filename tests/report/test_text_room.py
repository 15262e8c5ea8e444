"""Where names of any length break, and how many columns a legend has."""

import pytest
from matplotlib.figure import Figure

from lorescore.report.style import DPI, drawing
from lorescore.report.text_room import set_suptitle, shared_legend, text_inch, wrapped


def test_a_width_is_that_of_the_drawn_text() -> None:
    with drawing():
        figure = Figure((10, 1), dpi=DPI)
        text = figure.text(0, 0, "smollm2_clm, q_proj+v_proj")
        figure.draw_without_rendering()
        drawn = text.get_window_extent().width / figure.dpi
        assert text_inch(text.get_text()) == pytest.approx(drawn, rel=0.001)
        assert text_inch(text.get_text(), 20.0) == pytest.approx(2 * drawn, rel=0.02)
        assert text_inch("$x$") > text_inch("x")  # a dollar sign is no mathematics


@pytest.mark.parametrize(
    ("text", "room_for", "lines"),
    [
        ("dev, 1-best perturbation", "dev, 1-best perturbation", ["dev, 1-best perturbation"]),
        ("dev, 1-best perturbation", "1-best perturbation", ["dev, 1-best", "perturbation"]),
        ("of lora_q_proj+v_proj, here", "lora_q_proj+v_proj,", ["of", "lora_q_proj+v_proj,", "here"]),
        ("of lora_q_proj+v_proj, here", "lora_q_proj", ["of lora_q_", "proj+v_", "proj, here"]),
        ("cannot be broken", "x", ["cannot", "be", "broken"]),
        ("", "x", [""]),
    ],
)
def test_where_a_line_breaks(text: str, room_for: str, lines: list[str]) -> None:
    assert wrapped(text, text_inch(room_for) + 0.001).split("\n") == lines


def with_legend(labels: list[str], most: int) -> Figure:
    figure = Figure((10.0, 3.0), layout="constrained")
    axes = figure.subplots()
    for label in labels:
        axes.plot([0, 1], label=label)
    shared_legend(figure, [axes, axes], most)
    return figure


@pytest.mark.parametrize(
    ("labels", "most", "columns"),
    [
        (["none", "full", "vanilla"], 2, 2),
        (["none", "full", "vanilla", "adalora"], 4, 4),
        (["n" * 55, "m" * 55], 2, 1),
        (["m" * 40, "i"], 2, 2),  # only one of the columns is wide
        (["attention.output.dense.of.a.layer"] * 3, 4, 1),  # the same label once
        ([f"attention.output.dense.of.a.layer.{place}" for place in range(4)], 4, 2),
    ],
)
def test_columns_of_a_legend(labels: list[str], most: int, columns: int) -> None:
    with drawing():
        figure = with_legend(labels, most)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(dict.fromkeys(labels))
    assert min(legend._ncols, len(set(labels))) == columns
    assert figure.get_figwidth() == 10.0
    assert figure.get_figheight() == pytest.approx(3.0 + 0.22 * -(-len(set(labels)) // columns))


def test_a_figure_is_wider_for_a_label_that_is_wider_than_it() -> None:
    with drawing():
        figure = with_legend(["m" * 120], 2)
        figure.set_dpi(DPI)
        figure.draw_without_rendering()
        box = figure.legends[0].get_window_extent()
    assert figure.get_figwidth() > 10.0
    assert 0 <= box.x0 < box.x1 <= figure.bbox.x1


def test_nothing_to_name_is_no_legend() -> None:
    figure = with_legend([], 2)
    assert figure.legends == []
    assert figure.get_figheight() == 3.0


def test_a_figure_is_higher_for_a_title_of_two_lines() -> None:
    figure = Figure((4.0, 3.0))
    set_suptitle(figure, "Ranks over the training of vanilla")
    assert (figure.get_suptitle(), figure.get_figheight()) == ("Ranks over the training of vanilla", 3.0)
    set_suptitle(figure, "Ranks over the training of vanilla_mwer_s1_robust")
    assert figure.get_suptitle() == "Ranks over the training of\nvanilla_mwer_s1_robust"
    assert figure.get_figheight() == pytest.approx(3.2)
