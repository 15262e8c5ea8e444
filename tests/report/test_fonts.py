"""Names that matplotlib's own font cannot show: in another font where one is installed, else in ASCII; never boxes."""

import warnings
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from made_up_exp import make_record
from matplotlib import font_manager

from lorescore.report import Results, SetScore, fonts
from lorescore.report.figures import nprr_figure, wer_figure
from lorescore.report.fonts import drawable
from lorescore.report.heatmaps import nprr_map_figure
from lorescore.report.style import drawing, save_png
from lorescore.report.text_room import text_inch, wrapped

HAN = "测试"
FAMILY = "Two Characters"
WIDTH = 2000  # of a character, in thousandths of the font's size


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the fonts that are installed; none."""
    paths: list[str] = []
    monkeypatch.setattr(fonts, "_installed", lambda: paths)
    return paths


@pytest.fixture
def font(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A font with these two characters."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 700), (700, 700), (700, 0)):
        pen.lineTo(corner)
    pen.closePath()
    names = [".notdef", "one", "two"]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap(dict(zip(map(ord, HAN), names[1:], strict=True)))
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (WIDTH, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": FAMILY, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    path = tmp_path / "two.ttf"
    builder.save(path)
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [*font_manager.fontManager.ttflist])
    return str(path)


def save_figures(tmp_path: Path) -> None:
    """Every kind of place where a name stands."""
    score = SetScore(10.0, 20, 200, 20, None, 0.0, 0.0)
    records = [make_record("none", HAN, kind, 0.1) for kind in ("1best", "nbest")]
    results = Results(HAN, {}, {HAN: {"first_pass": score, f"{HAN}_clm": score}}, tuple(records))
    with drawing(), warnings.catch_warnings():
        warnings.simplefilter("error")  # as matplotlib warns where it draws a box
        for figure in (wer_figure(results), nprr_figure(results), nprr_map_figure(HAN, records)):
            save_png(figure, tmp_path / "figure.png")


def test_a_font_that_is_installed_is_used(
    tmp_path: Path, installed: list[str], font: str, caplog: pytest.LogCaptureFixture
) -> None:
    installed.append(font)
    save_figures(tmp_path)
    assert not caplog.messages
    with drawing():
        assert drawable(f"{HAN}_clm") == f"{HAN}_clm"
        assert text_inch(HAN, 36.0) == pytest.approx(2 * WIDTH / 1000 * 36 / 72, rel=0.2)
        assert wrapped(HAN * 3, text_inch(HAN)) == "\n".join([HAN] * 3)


def test_without_one_a_name_is_written_in_ascii_and_a_warning_says_so(
    tmp_path: Path, installed: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert not installed
    save_figures(tmp_path)
    (line,) = caplog.messages
    assert line.startswith(f"figures: no font here has {HAN}: 测 is written \\u6d4b (apt-get install fonts-noto-cjk")
    with drawing():
        assert drawable(f"{HAN}_clm é→") == "\\u6d4b\\u8bd5_clm é→"
        assert wrapped(HAN, text_inch("\\u6d4b")) == "\\u6d4b\n\\u8bd5"


def test_what_one_font_lacks_may_be_in_another(
    installed: list[str], font: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.ttf"
    damaged.write_bytes(b"no font")
    installed += [font, str(damaged), str(tmp_path / "gone.ttf")]
    with drawing():
        assert drawable(f"集{HAN}") == f"\\u96c6{HAN}"
    assert ["no font here has 集" in line for line in caplog.messages] == [True]
