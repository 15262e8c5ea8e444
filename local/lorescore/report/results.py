"""`exp/RESULTS.md` and its figures.

The same results give the same bytes: there are no dates, wall times or memory in it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from matplotlib.figure import Figure

from lorescore.files import atomic_write
from lorescore.report.collect import Results, collect
from lorescore.report.figures import nprr_figure, styles_of, training_figure, wer_figure
from lorescore.report.ranks import ranks_figure
from lorescore.report.style import drawing, save_png
from lorescore.report.tables import Table, mbr_table, nprr_tables, training_table, wer_tables

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
WER_LEGEND = """\
`change %`: of the WER, relative to the first pass. `gap %`: share of the gap between the first pass (1-best) and the
oracle (the best hypothesis of each list) that is recovered. `p first pass`, `p frozen`: one-sided paired bootstrap, the
share of the resamples in which the row is not better than the first pass, or than the frozen rescorer (strategy `none`)
of the same PLM and scorer. `trainable`: parameters.
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
`dev WER`: on the dev lists, before the first step and at the step that was kept (`best step`).
"""
SUMMARY_FIGURES = ("wer.png", "nprr.png", "training.png")


@dataclass(frozen=True)
class Report:
    """What was written.

    Attributes:
        path: `RESULTS.md`.
        figures: The figures, in the order in which it shows them.
        main_tables: Tables 1 and 2 as text.
    """

    path: Path
    figures: tuple[Path, ...]
    main_tables: str


def write_report(exp_dir: Path) -> Report:
    """Write `RESULTS.md` and `figures/*.png` over everything that ran.

    Args:
        exp_dir: The recipe's `exp`.

    Raises:
        InputError: Nothing ran, a file is not what its stage writes, or a file cannot be written.
    """
    results = collect(exp_dir)
    dev_name = f"the set `{results.dev_set}`" if results.dev_set else "the dev set"
    wer = _section("Table 1: word error rate", WER_LEGEND, wer_tables(results))
    mbr = _subsection(mbr_table(results.mbr), MBR_LEGEND.format(dev_set=dev_name))
    nprr = _section("Table 2: robustness (NPRR)", NPRR_LEGEND, nprr_tables(results))
    trained = _section("Table 3: rescorers", TRAINING_LEGEND, [training_table(results.models.values())])
    figure_dir = exp_dir / "figures"
    with drawing():
        figures = _figures(results)
        for name, (_, figure) in figures.items():
            save_png(figure, figure_dir / name)
    for stale in [*(figure_dir / name for name in SUMMARY_FIGURES), *figure_dir.glob("ranks_*.png")]:
        if stale.name not in figures:  # of an earlier report: what it shows is no longer there
            stale.unlink(missing_ok=True)
    captions = {name: caption for name, (caption, _) in figures.items()}
    path = exp_dir / "RESULTS.md"
    with atomic_write(path) as file:
        file.write(f"# Results\n\n{HOW_TO_READ.format(dev_set=dev_name)}")
        file.write(wer + mbr + _embedded(captions, "wer.png"))
        file.write(nprr + _embedded(captions, "nprr.png"))
        file.write(trained + _embedded(captions, "training.png", *(name for name in captions if "ranks_" in name)))
    return Report(path, tuple(figure_dir / name for name in figures), wer + mbr + nprr)


def _figures(results: Results) -> dict[str, tuple[str, Figure]]:
    """Caption and figure by file name, of what there is data for."""
    figures: dict[str, tuple[str, Figure]] = {}
    if results.scores:
        figures["wer.png"] = ("WER by system and set", wer_figure(results))
    if any(nprr.value is not None for record in results.nprr for nprr in (record.nprr, record.first_pass)):
        figures["nprr.png"] = ("NPRR by rate, kind and set", nprr_figure(results))
    trained = [model for model in results.models.values() if model.history]
    if trained:
        figures["training.png"] = ("WER on dev during training", training_figure(trained, styles_of(results)))
    for model in results.models.values():
        if model.ranks:
            figures[f"ranks_{model.tag}.png"] = (f"Final ranks of {model.tag}", ranks_figure(model.tag, model.ranks))
    return figures


def _section(title: str, legend: str, tables: Iterable[Table]) -> str:
    """A section of the report; nothing where no table has rows."""
    filled = [table for table in tables if table.rows]
    if not filled:
        return ""
    return f"\n## {title}\n\n{legend}" + "".join(
        _subsection(table) if table.title else f"\n{table.markdown()}" for table in filled
    )


def _subsection(table: Table, legend: str = "") -> str:
    """A table with its title; nothing where it has no rows."""
    if not table.rows:
        return ""
    return f"\n### {table.title}\n\n" + (f"{legend}\n" if legend else "") + table.markdown()


def _embedded(captions: dict[str, str], *names: str) -> str:
    """Markdown that shows the figures of these names that there are."""
    return "".join(f"\n![{captions[name]}](figures/{quote(name)})\n" for name in names if name in captions)
