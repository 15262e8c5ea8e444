"""report.html: the content of RESULTS.md in one file, which a browser shows without a network."""

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_up_exp import write_model, write_nprr
from matplotlib.figure import Figure

from lorescore.report import write_report
from lorescore.report.blocks import Block, Heading, Picture, Prose
from lorescore.report.example_blocks import KEY
from lorescore.report.examples import Choice, Example
from lorescore.report.marks import Replacement, marked
from lorescore.report.page import write_page
from lorescore.report.strategy_figures import STRATEGY_FIGURES
from lorescore.report.style import save_png
from lorescore.report.tables import Table
from lorescore.training.rank_history import RankHistory

VOID = ("meta", "img", "wbr", "br", "link")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PROBE = """<script>
addEventListener("load", () => {
  document.body.dataset.images = [...document.images].map((image) => image.naturalWidth).join(" ");
  document.body.dataset.widths = `${document.documentElement.scrollWidth} ${innerWidth}`;
});
</script>"""
NASTY = '<b>bold</b> & "quoted" {{ 7 * 7 }} `x`'

TABLE = Table("a title", ("<model", "WER"), (("my_model|x", "5.25"), (NASTY, "- ")))
EXAMPLE = Example(
    set="test",
    utt="utt_1",
    lists="nbest",
    rate=0.3,
    seed=1,
    ref="see the sea now",
    replacements={Replacement("see", "<sea>"): 2},
    replaced=2,
    replaceable=7,
    clean=(Choice(("all",), 1, 0, marked("see the sea now", "see the sea now")),),
    perturbed=(
        Choice(("first_pass", "my_model"), 1, 3, marked("see the sea now", "<sea> a the sea", {0})),
        Choice(("oracle",), 2, 0, marked("", "")),
    ),
)


class Parsed(HTMLParser):
    """The elements of a page with their attributes and text; it fails where one is not closed in its turn."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(path.read_text(encoding="utf-8"))
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self.texts.setdefault(tag, []).append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.texts[tag][-1] += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def values(self, name: str) -> list[str]:
        """The values of an attribute in all elements."""
        return [value for _, attributes in self.attributes if (value := attributes.get(name)) is not None]


@pytest.fixture(scope="module")
def exp_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report over rescorers and their robustness: tables and figures of every kind but WER."""
    exp_dir = tmp_path_factory.mktemp("exp")
    for strategy in ("none", "vanilla", "adalora"):
        model_dir = write_model(exp_dir, strategy)
    history = RankHistory(("layers.0.q", "layers.1.q"), {0: (4, 4), 9: (2, 3)})
    (model_dir / "rank_history.yaml").write_text(
        "layers: [layers.0.q, layers.1.q]\nranks: {0: 4 4, 9: 2 3}\n", encoding="utf-8"
    )
    assert RankHistory.read(model_dir / "rank_history.yaml") == history
    write_nprr(exp_dir, ("none", "vanilla", "adalora"), ("test",), (0.1, 0.3))
    write_report(exp_dir)
    return exp_dir


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page of every kind of block, with text that is not to become markup."""
    figure = Figure((1, 1))
    figure.subplots().plot([0, 1], [0, 1])
    save_png(figure, tmp_path / "figures" / "a b.png")
    blocks: list[Block] = [
        Heading(1, "Results"),
        Prose(f"Of `code <x>` and\nmore.\n\n{NASTY}\n"),
        *(Heading(2, NASTY) for _ in range(2)),
        TABLE,
        Picture("a b.png", NASTY),
        KEY,
        EXAMPLE,
    ]
    write_page(tmp_path / "report.html", blocks, tmp_path / "figures")
    return tmp_path / "report.html"


def test_what_is_in_it(page: Path) -> None:
    parsed = Parsed(page)
    assert parsed.texts["h2"] == [NASTY, NASTY]
    assert parsed.texts["p"] == ["Of code <x> and\nmore.", NASTY.replace("`", "")]
    assert parsed.texts["code"] == ["code <x>", "x"]
    assert parsed.rows[:3] == [["model", "WER"], ["my_model|x", "5.25"], [NASTY, "- "]]
    assert parsed.texts["figcaption"] == [NASTY]
    assert "b" not in parsed.texts and "script" not in parsed.texts
    (image,) = [attributes for tag, attributes in parsed.attributes if tag == "img"]
    assert (image["alt"], image["width"], image["height"]) == (NASTY, "150", "150")


def test_an_example(page: Path) -> None:
    parsed = Parsed(page)
    assert parsed.texts["h4"] == ["utt_1 (nbest, rate 0.3, seed 1)"]
    assert parsed.texts["dd"] == ["see the sea now", "see → <sea> (2); 2 of 7 replaceable words of the list"]
    assert parsed.rows[-3:] == [
        ["clean", "all", "1", "0", "see the sea now"],
        ["perturbed", "first_pass, my_model", "1", "3", "<sea> a the sea now"],
        ["perturbed", "oracle", "2", "0", "-"],
    ]
    # The first of each is in the key.
    assert [parsed.texts[tag][1:] for tag in ("mark", "ins", "del")] == [["<sea>"], ["a"], ["now"]]
    assert parsed.texts["em"][1:] == ["<sea>", "<sea>"]


def test_contents_lead_to_every_section(exp_dir: Path) -> None:
    parsed = Parsed(exp_dir / "report.html")
    anchors = parsed.values("id")
    assert len(set(anchors)) == len(anchors)
    assert parsed.values("href") == [f"#{anchor}" for anchor in anchors[1:]]
    assert parsed.texts["a"] == re.findall(r"^##+ (.*)$", results(exp_dir), re.MULTILINE)


def test_nothing_is_fetched(exp_dir: Path, page: Path) -> None:
    for path in (exp_dir / "report.html", page):
        parsed = Parsed(path)
        assert parsed.values("src") and all(one.startswith("data:image/png;base64,") for one in parsed.values("src"))
        assert all(one.startswith("#") for one in parsed.values("href"))
        assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in parsed.attributes}
        assert not re.search(r"url\(|@import|srcset|https?:", path.read_text(encoding="utf-8"))
        assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in parsed.values("content")


def results(exp_dir: Path) -> str:
    return (exp_dir / "RESULTS.md").read_text(encoding="utf-8")


def test_the_same_tables_and_figures_as_results_md(exp_dir: Path) -> None:
    parsed = Parsed(exp_dir / "report.html")
    lines = [line for line in results(exp_dir).splitlines() if line.startswith("|") and not line.startswith("| --")]
    expected = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len(expected) > 15
    assert parsed.rows == expected
    figures = re.findall(r"^!\[(.*)\]\(figures/(.*)\)$", results(exp_dir), re.MULTILINE)
    assert parsed.values("alt") == [Picture(name, caption).alt for caption, name in figures]
    assert len(figures) == 5


def test_every_kind_of_figure_says_what_it_shows() -> None:
    names = ["wer.png", *STRATEGY_FIGURES, "nprr.png", "nprr_map_a.png"]
    names += ["training.png", "ranks_a.png", "rank_steps_a.png"]
    texts = [Picture(name, "Caption").alt for name in names]
    assert len(set(texts)) == len(names) and all(text.startswith("Caption. ") for text in texts)
    assert Picture("mine.png", "Caption").alt == "Caption"


@pytest.fixture(scope="module")
def browser() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no browser here: apt-get install chromium")
    return found


def dump(browser: str, page: Path, folder: Path, width: int = 1280) -> tuple[str, list[str]]:
    """What a page has become when it is loaded, and what the browser's console says."""
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    command += [
        "--disable-background-networking",
        "--disable-component-update",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ]
    command += [f"--user-data-dir={folder / 'profile'}", f"--window-size={width},900", "--enable-logging=stderr"]
    command += ["--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_in_a_browser(browser: str, exp_dir: Path, tmp_path: Path) -> None:
    """Nothing on the console, where a breach of its content security policy would stand too."""
    page = exp_dir / "report.html"
    dom, console = dump(browser, page, tmp_path)
    assert console == []
    assert dom.count("<table>") == page.read_text(encoding="utf-8").count("<table>") > 0


def probed_widths(browser: str, html: str, folder: Path, width: int) -> tuple[str, int, int]:
    """The widths of a page's figures, its own and that of its window."""
    policy = re.search(r"<meta http-equiv=.*>", html)
    assert policy is not None
    probed = folder / "probed.html"
    probed.write_text(html.replace(policy[0], PROBE), encoding="utf-8")
    dom, console = dump(browser, probed, folder, width)
    images, widths = (re.search(rf'data-{name}="(.*?)"', dom) for name in ("images", "widths"))
    assert console == [] and images is not None and widths is not None
    page_width, window_width = map(int, widths[1].split())
    return images[1], page_width, window_width


@pytest.mark.parametrize("width", [1280, 500])  # a desk, and the narrowest window that Chromium has
def test_figures_load_and_the_page_is_no_wider_than_the_window(
    browser: str, exp_dir: Path, tmp_path: Path, width: int
) -> None:
    html = (exp_dir / "report.html").read_text(encoding="utf-8")
    images, page_width, window_width = probed_widths(browser, html, tmp_path, width)
    assert len(images.split()) == 5 and set(images.split()) == {"1500"}
    assert page_width <= window_width <= width


def test_the_widest_tables_are_printed_with_all_their_columns(browser: str, tmp_path: Path) -> None:
    interval, p, mapsswe = "[-40.97, -30.67]", "< 0.0001 / 0.9722", "0.044 (0.138) (0.433)"
    row = {"<strategy": "smollm2_clm_adalora_r8_mwer", "seeds": "3", "WER": "13.61", "seeds' range": "13.45 to 13.77"}
    row |= {"95 % interval": interval, "over speakers": interval, "change %": "-37.34", "95 %  interval": interval}
    row |= {"gap %": "82.9", "p vanilla": p, "MAPSSWE vanilla": mapsswe, "p full": p, "MAPSSWE full": mapsswe}
    row |= {"trainable": "916,032 (!) -2.5 %", "of all %": "0.68", "final rank": "0 to 12, mean 8.00"}
    strategies = Table("", tuple(row), (tuple(row.values()),))
    claim = "smollm2_clm_adalora_mwer_s1 degrades more than smollm2_clm_vanilla_mwer_s1 under 1-best perturbation"
    claims = Table("", ("<set", "<claim", "p", "<outcome"), (("test", claim, p, "not tested: no run of full"),))
    write_page(tmp_path / "report.html", [Heading(1, "Results"), strategies, claims], tmp_path)
    printed = (tmp_path / "report.html").read_text(encoding="utf-8").replace("@media print", "@media screen")
    _, page_width, window_width = probed_widths(browser, printed, tmp_path, 980)  # Letter, landscape, less its margins
    assert page_width <= window_width


def test_a_very_long_word_does_not_widen_the_page(browser: str, tmp_path: Path) -> None:
    word = "ha" * 300
    choice = Choice(("all",), 1, 1, marked("see", word, {0}))
    example = replace(EXAMPLE, ref=word, replacements={Replacement("see", word): 1}, clean=(choice,))
    save_png(Figure((1, 1)), tmp_path / "a.png")
    headings = [Heading(1, word), Heading(2, word), Heading(3, word)]
    blocks: list[Block] = [*headings, Prose(f"{word} `{word}`"), Picture("a.png", word), example]
    write_page(tmp_path / "report.html", blocks, tmp_path)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    for width in (1280, 500):
        _, page_width, window_width = probed_widths(browser, html, tmp_path, width)
        assert page_width <= window_width


def test_a_breach_would_stand_on_the_console(browser: str, exp_dir: Path, tmp_path: Path) -> None:
    """So that the test above can fail."""
    html = (exp_dir / "report.html").read_text(encoding="utf-8")
    breach = tmp_path / "breach.html"
    breach.write_text(html.replace("</body>", '<img src="http://localhost:9/a.png"></body>'), encoding="utf-8")
    _, console = dump(browser, breach, tmp_path)
    assert any("Content Security Policy" in line for line in console)
