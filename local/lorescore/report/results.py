"""`exp/RESULTS.md` with its figures, `exp/examples.md`, and both in one page, `exp/report.html`.

The same results give the same bytes: there are no dates, wall times or memory in it. What the trainings cost, which is
another number each time, is in `exp/COST.md`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from matplotlib.figure import Figure

from lorescore.files import atomic_write
from lorescore.report.blocks import Block, Heading, Picture, Prose
from lorescore.report.claims import LEGEND as CLAIMS_LEGEND
from lorescore.report.claims import check_claims, claims_table
from lorescore.report.collect import Results, collect
from lorescore.report.comparison import compare_strategies
from lorescore.report.example_blocks import example_blocks, pointer_blocks
from lorescore.report.examples import find_examples
from lorescore.report.figures import nprr_figure, styles_of, training_figure, wer_figure
from lorescore.report.heatmaps import nprr_map_figure
from lorescore.report.markdown import markdown
from lorescore.report.page import write_page
from lorescore.report.rank_steps import rank_steps_figure
from lorescore.report.ranks import ranks_figure
from lorescore.report.robustness import AREA_LEGEND, LOSSES_LEGEND, area_table, difference_legend, losses_table
from lorescore.report.strategy_figures import STRATEGY_FIGURES, strategy_figures
from lorescore.report.strategy_tables import COST_LEGEND, STRATEGIES_LEGEND, comparison_tables, cost_table
from lorescore.report.style import drawing, save_png
from lorescore.report.tables import Table, combination_table, mbr_table, nprr_tables, training_table, wer_tables
from lorescore.report.word_errors import MeasuredErrors
from lorescore.training.rank_history import RankHistory
from lorescore.wer.speakers import MIN_SPEAKERS

HOW_TO_READ = """\
WER is Kaldi's word error rate in percent (unit-cost Levenshtein). From the paper, arXiv 2401.10447 (of which this
project had only the abstract), are the question, the comparison of frozen, fully fine-tuned, LoRA and AdaLoRA
rescorers, and the name and idea of NPRR, N-best Perturbation-based Rescoring Robustness. The exact definitions are this
project's own: words are replaced by homophones, in the rank-1 hypothesis alone (`1best`) or in every hypothesis
(`nbest`), each replaceable word with the chance `rate`; NPRR = 100 x (WER on perturbed lists - WER on clean lists) /
WER on clean lists, the mean over the seeds of the perturbation, lower is more robust; the gap is the errors of the
first pass that the oracle does not make. Intervals are 95 % bootstrap intervals over utterances (for NPRR paired: clean
and perturbed lists of the same utterances). The weights of the combined score, first-pass score + `lm_weight` x PLM
score + `word_bonus` x number of words, were tuned on {dev_set} only and used unchanged everywhere else, on perturbed
lists too; WER on {dev_set} itself is therefore optimistic. `-` is what was not run or does not apply.
"""
IN_CHARACTERS = """\
Errors of {sets} are those of characters: there WER is the character error rate (CER), and words are characters. A
character is a Unicode code point, and spaces are not counted.
"""
EXPANDED = """\
The lists of {sets} are expanded (`--expand`, this project's own): besides the first pass's hypotheses they hold
versions of them with words replaced by homophones, at their first-pass scores less a cost. Rescorers and oracle choose
among all of them; what is perturbed is the first pass's, and the perturbed lists are then expanded as the clean ones
are.
"""
RECOMBINED = """\
The lists of {sets} are recombined (`--recombine`, this project's own): besides the first pass's hypotheses they hold
combinations of what these differ in, at scores that are fitted to theirs. Rescorers and oracle choose among all of
them; perturbed lists are perturbed first, and then recombined.
"""
IN_CONTEXT = """\
In {sets} a PLM of the scorer `clm` reads the first pass's best of the utterances before each one too (`--context`).
"""
APPROXIMATE = """\
PLM scores are exact, in float32, but for those of {tags}.
"""
WER_LEGEND = """\
`change %`: of the WER, relative to the first pass. `gap %`: share of the gap between the first pass (1-best) and the
oracle (the best hypothesis of each list) that is recovered. `p first pass`, `p frozen`: one-sided paired bootstrap, the
share of the resamples in which the row is not better than the first pass, or than the frozen rescorer (strategy `none`)
of the same PLM and scorer. `trainable`: parameters. `over speakers`, and p behind the stroke: how sure it is of
other speakers. The interval is by bootstrap over the speakers, each with all utterances (Liu and Peng, arXiv
1912.09508), widened for their number; p is by exchanging the two systems' errors speaker by speaker, so that with n
speakers it is at least 2^-n. A set of fewer than {min_speakers} speakers has none.
"""
MBR_LEGEND = """\
MAP chooses the hypothesis with the highest combined score, MBR (minimum Bayes risk, the system `<model>_mbr`) the one
with the fewest expected word errors, in posteriors that are a softmax of posterior scale x combined score. The scale
was chosen on {dev_set}; `inf`: no finite one was better there than MAP. `change %`: of the WER, from MAP to MBR, with a
paired bootstrap interval. Left out is what was chosen with other weights than MAP's.
"""
NPRR_LEGEND = """\
`lists`: the hypotheses that were perturbed, with homophones; with another perturbation its name stands first.
`first pass %`: the degradation of the first pass's own rank-1 hypotheses on the same lists. `perturbed WER`: mean over
the seeds.
"""
TRAINING_LEGEND = """\
`dev WER`: on the dev lists, before the first step, the lowest afterwards (`trained`), and at the step that was kept
(`best step`; 0 where training made nothing better, and for AdaLoRA the ranks have to be final).
"""
COMBINATIONS_LEGEND = """\
The PLM score of a combination is the weighted sum of its members' scores; the weights were tuned together on
{dev_set}.
"""
SUMMARY_FIGURES = ("wer.png", "nprr.png", "training.png", *STRATEGY_FIGURES)
EACH_FIGURES = ("nprr_map_*.png", "ranks_*.png", "rank_steps_*.png")  # one a set or a rescorer


@dataclass(frozen=True)
class Report:
    """What was written.

    Attributes:
        path: `RESULTS.md`.
        page: `report.html`, all of it in one file.
        examples: `examples.md`; None where no perturbed lists are left to show.
        figures: The figures, in the order in which it shows them.
        main_tables: Tables 1 and 2 and the comparison of strategies as text.
        cost: `COST.md`; None where nothing was trained.
        cost_table: What it says.
    """

    path: Path
    page: Path
    examples: Path | None
    figures: tuple[Path, ...]
    main_tables: str
    cost: Path | None
    cost_table: str


def write_report(exp_dir: Path) -> Report:
    """Write `RESULTS.md`, `figures/*.png`, `COST.md`, `examples.md` and `report.html` over everything that ran.

    Args:
        exp_dir: The recipe's `exp`.

    Raises:
        InputError: Nothing ran, a file is not what its stage writes, or a file cannot be written.
    """
    results = collect(exp_dir)
    measured = MeasuredErrors.read(exp_dir, results.nprr, results.models)
    measured.require_same_lists()
    results = replace(
        results,
        nprr=tuple(map(measured.compared, results.nprr)),
        areas=tuple(map(measured.compared, results.areas)),
    )
    dev_name = f"the set `{results.dev_set}`" if results.dev_set else "the dev set"
    wer = _section("Table 1: word error rate", WER_LEGEND.format(min_speakers=MIN_SPEAKERS), wer_tables(results))
    mbr = _subsection(mbr_table(results.mbr), MBR_LEGEND.format(dev_set=dev_name))
    comparisons = compare_strategies(results, exp_dir)
    strategies = _section("Strategies compared", STRATEGIES_LEGEND, comparison_tables(comparisons))
    cost = _section("Cost of the trainings", COST_LEGEND, [cost_table(results.models)])
    nprr = _section("Table 2: robustness (NPRR)", NPRR_LEGEND + difference_legend(results.nprr), nprr_tables(results))
    nprr += _subsection(area_table(results.areas, measured), AREA_LEGEND + difference_legend(results.areas))
    nprr += _subsection(losses_table(results.nprr), LOSSES_LEGEND)
    checked = check_claims(results.areas, results.models, measured)
    claims = _section("The paper's claims", CLAIMS_LEGEND, [claims_table(checked)])
    trained = _section("Table 3: rescorers", TRAINING_LEGEND, [training_table(results.models.values())])
    trained += _subsection(combination_table(results.models.values()), COMBINATIONS_LEGEND.format(dev_set=dev_name))
    figure_dir = exp_dir / "figures"
    with drawing():
        figures = _figures(results, exp_dir) | strategy_figures(comparisons, results.models, exp_dir, results.metric)
        for name, (_, figure) in figures.items():
            save_png(figure, figure_dir / name)
    stale_figures = [path for pattern in EACH_FIGURES for path in sorted(figure_dir.glob(pattern))]
    for stale in [*(figure_dir / name for name in SUMMARY_FIGURES), *stale_figures]:
        if stale.name not in figures:  # of an earlier report: what it shows is no longer there
            stale.unlink(missing_ok=True)
    captions = {name: caption for name, (caption, _) in figures.items()}
    blocks: list[Block] = [Heading(1, "Results"), Prose(HOW_TO_READ.format(dev_set=dev_name) + _of_lists(results))]
    blocks += wer + mbr + _embedded(captions, "wer.png")
    blocks += strategies + _embedded(captions, *STRATEGY_FIGURES)
    blocks += nprr + _embedded(captions, *(name for name in captions if name.startswith("nprr"))) + claims
    blocks += trained + _embedded(captions, *(name for name in captions if name.startswith(("training", "rank"))))
    examples = find_examples(exp_dir, results.nprr)
    _write_markdown(exp_dir / "RESULTS.md", blocks + pointer_blocks(examples))
    _write_markdown(exp_dir / "COST.md", cost, top_level=2)
    _write_markdown(exp_dir / "examples.md", example_blocks(examples), top_level=2)
    write_page(exp_dir / "report.html", blocks + example_blocks(examples), figure_dir)
    return Report(
        path=exp_dir / "RESULTS.md",
        page=exp_dir / "report.html",
        examples=exp_dir / "examples.md" if examples else None,
        figures=tuple(figure_dir / name for name in figures),
        main_tables=markdown(wer + mbr + strategies + nprr + claims),
        cost=exp_dir / "COST.md" if cost else None,
        cost_table=markdown(cost),
    )


def _write_markdown(path: Path, blocks: Sequence[Block], top_level: int = 1) -> None:
    """Write a file; where it has nothing to say, that of an earlier report goes."""
    if not blocks:
        path.unlink(missing_ok=True)
        return
    with atomic_write(path) as file:
        file.write(markdown(blocks, top_level))


def _figures(results: Results, exp_dir: Path) -> dict[str, tuple[str, Figure]]:
    """Caption and figure by file name, of what there is data for."""
    figures: dict[str, tuple[str, Figure]] = {}
    error_rate = results.metric.upper()
    if results.scores:
        figures["wer.png"] = (f"{error_rate} by system and set", wer_figure(results))
    if any(nprr.value is not None for record in results.nprr for nprr in (record.nprr, record.first_pass)):
        figures["nprr.png"] = ("NPRR by rate, kind and set", nprr_figure(results))
    for set_name in dict.fromkeys(record.set for record in results.nprr):
        records = [record for record in results.nprr if record.set == set_name]
        figures[f"nprr_map_{set_name}.png"] = (
            f"NPRR on {set_name} by model and rate",
            nprr_map_figure(set_name, records, results.metric),
        )
    trained = [model for model in results.models.values() if model.history]
    if trained:
        figure = training_figure(trained, styles_of(results), results.metric)
        figures["training.png"] = (f"{error_rate} on dev during training", figure)
    for model in results.models.values():
        if model.ranks:
            figures[f"ranks_{model.tag}.png"] = (f"Final ranks of {model.tag}", ranks_figure(model.tag, model.ranks))
        history_path = exp_dir / "plm" / model.tag / "rank_history.yaml"
        if history_path.is_file():
            history = RankHistory.read(history_path)
            figures[f"rank_steps_{model.tag}.png"] = (
                f"Ranks over the training of {model.tag}",
                rank_steps_figure(model.tag, history, model.training.steps),
            )
    return figures


def _of_lists(results: Results) -> str:
    """What is to be said of sets and systems that are unlike the usual ones."""
    said = (
        (IN_CHARACTERS, results.in_characters),
        (EXPANDED, results.expanded),
        (RECOMBINED, results.recombined),
        (IN_CONTEXT, results.in_context),
    )
    notes = [text.format(sets=", ".join(f"`{name}`" for name in names)) for text, names in said if names]
    if results.approximate:
        notes.append(APPROXIMATE.format(tags=", ".join(f"`{tag}` ({how})" for tag, how in results.approximate.items())))
    return "".join(notes)


def _section(title: str, legend: str, tables: Iterable[Table]) -> list[Block]:
    """A section of the report; nothing where no table has rows."""
    filled = [table for table in tables if table.rows]
    if not filled:
        return []
    blocks: list[Block] = [Heading(2, title), Prose(legend)]
    return blocks + [block for table in filled for block in _subsection(table)]


def _subsection(table: Table, legend: str = "") -> list[Block]:
    """A table with its title and legend, where it has them; nothing where it has no rows."""
    if not table.rows:
        return []
    title: list[Block] = [Heading(3, table.title)] if table.title else []
    return [*title, *([Prose(legend)] if legend else []), table]


def _embedded(captions: Mapping[str, str], *names: str) -> list[Block]:
    """The figures of these names that there are."""
    return [Picture(name, captions[name]) for name in names if name in captions]
