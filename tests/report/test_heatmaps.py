"""The heat maps of NPRR, and the ranks over the steps."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_exp import make_record, tag_of
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from lorescore.nprr import Nprr
from lorescore.report.heatmaps import nprr_map_figure
from lorescore.report.rank_steps import rank_steps_figure
from lorescore.report.style import drawing, save_png
from lorescore.training.rank_history import RankHistory


def maps(figure: Figure) -> dict[str, np.ndarray]:
    """The values of each panel by its title, NaN where there is none."""
    return {axes.get_title(): np.ma.filled(axes.images[0].get_array(), np.nan) for axes in figure.axes if axes.images}


def test_a_panel_a_perturbation_and_kind() -> None:
    records = [
        replace(make_record(strategy, "test", kind, rate), perturbation=perturbation)
        for perturbation in ("homophone", "near")
        for kind in ("1best", "nbest")
        for rate in (0.1, 0.3)
        for strategy in ("none", "full")
    ]
    figure = nprr_map_figure("test", records)
    panels = maps(figure)
    assert list(panels) == [
        "homophone, 1-best perturbation",
        "homophone, N-best perturbation",
        "near, 1-best perturbation",
        "near, N-best perturbation",
    ]
    expected = [[one.nprr.value for one in records if one.tag == tag_of(name)][:2] for name in ("none", "full")]
    np.testing.assert_allclose(panels["homophone, 1-best perturbation"][:2], expected)
    np.testing.assert_allclose(
        panels["homophone, 1-best perturbation"][2], [one.first_pass.value for one in records[:4:2]]
    )
    first = figure.axes[0]
    assert [label.get_text() for label in first.get_yticklabels()] == [tag_of("none"), tag_of("full"), "first_pass"]
    assert [label.get_text() for label in figure.axes[2].get_xticklabels()] == ["0.1", "0.3"]
    one = records[0].nprr
    assert first.texts[0].get_text() == f"{one.value:+.1f}"
    assert first.texts[1].get_text() == f"[{one.low:.1f}, {one.high:.1f}]"


def test_the_scale_is_that_of_the_rescorers() -> None:
    small = Nprr(2.0, 1.0, 3.0, (2.0,), 5.0, 5.1)
    record = replace(make_record("none", "test", "nbest", 0.1), nprr=small, first_pass=replace(small, value=50.0))
    other = replace(record, tag="other", nprr=replace(small, value=-4.0))
    (image,) = nprr_map_figure("test", [record, other]).axes[0].images
    assert image.get_clim() == (-4.0, 4.0)


def test_undefined_and_not_measured(tmp_path: Path) -> None:
    undefined = Nprr(None, None, None, (None,), 0.0, 1.0)
    record = make_record("none", "test", "nbest", 0.1)
    figure = nprr_map_figure("test", [record, replace(record, tag="perfect", rate=0.3, nprr=undefined)])
    (table,) = maps(figure).values()
    assert np.isnan(table).tolist() == [[False, True], [True, True], [False, False]]
    assert [text.get_text() for text in figure.axes[0].texts].count("undefined") == 1
    save_png(figure, tmp_path / "map.png")


@pytest.mark.parametrize("rates", [(0.1,), (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)])
def test_intervals_stand_where_there_is_room(rates: tuple[float, ...]) -> None:
    records = [make_record("none", "test", kind, rate) for kind in ("1best", "nbest") for rate in rates]
    written = [text.get_text() for text in nprr_map_figure("test", records).axes[0].texts]
    assert any(text.startswith("[") for text in written) == (len(rates) == 1)


def test_ranks_over_the_steps() -> None:
    layers = tuple(f"model.layers.{layer}.attn.{module}" for layer in (0, 1) for module in "qk")
    history = RankHistory(layers, {0: (4, 4, 4, 4), 10: (4, 2, 4, 0), 16: (1, 2, 3, 0)})
    figure = rank_steps_figure("lora", history, steps=20)
    above, below = figure.axes[:2]
    mesh = next(one for one in above.collections if isinstance(one, QuadMesh))
    # [layer][from step]: the mean over q and k
    assert np.asarray(mesh.get_array()).reshape(2, 3).tolist() == [[4, 3, 1.5], [4, 2, 1.5]]
    assert mesh.get_coordinates()[0, :, 0].tolist() == [0, 10, 16, 20]
    lines = {line.get_label(): line.get_ydata().tolist() for line in below.lines}
    assert lines == {"attn.q": [4, 4, 2, 2], "attn.k": [4, 1, 1, 1], "all": [4, 2.5, 1.5, 1.5]}
    assert below.get_xlim() == (0, 20)


def test_a_module_outside_the_layers_and_a_change_at_the_last_step(tmp_path: Path) -> None:
    history = RankHistory(("layers.0.q", "pooler"), {0: (4, 4), 8: (0, 0)})
    for steps in (8, None):
        figure = rank_steps_figure("cost_$5", history, steps)
        assert figure.axes[1].get_xlim() == (0, 9)
        with drawing():
            save_png(figure, tmp_path / "steps.png")
