"""What a section of the benchmark is: something to measure on some lists, and a table of what was measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from samples import NamedLists, sample, sample_by_words

from lorescore.nbest import NbestSet
from lorescore.plm.settings import PlmSettings
from lorescore.scoring.options import EXACT, ScoringOptions
from lorescore.scoring.rescorer import Rescorer

Numbers = dict[str, Any]  # plain JSON types: what a section measured on some lists
Row = Sequence[str | float | int | None]

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Context:
    """What every section works with.

    Attributes:
        plm_dir: A fetched PLM.
        plm: How text is put to it.
        rescorer_dir: A rescorer on it, without an adapter.
        work_dir: A temporary folder.
        repeats: Runs of each way; the median counts.
        threads: Of torch.
        utterances: Utterances of a sample; None: each section's own choice.
        wer_dtype: Numbers in which history merging is scored for its WER, fp32 or bf16.
        log: Takes a line about what is going on.
    """

    plm_dir: Path
    plm: PlmSettings
    rescorer_dir: Path
    work_dir: Path
    repeats: int
    threads: int
    utterances: int | None = None
    wer_dtype: str = "fp32"
    log: Callable[[str], None] = print

    def rescorer(self, options: ScoringOptions = EXACT) -> Rescorer:
        """The rescorer on the CPU."""
        return Rescorer.load(self.rescorer_dir, CPU, options)

    def sample(self, nbest: NbestSet, words: int) -> NbestSet:
        """The sample that the user asked for, or one of about `words` distinct word prefixes."""
        return sample_by_words(nbest, words) if self.utterances is None else sample(nbest, self.utterances)

    def settings(self) -> Numbers:
        """What has to be the same for two measurements to be of the same thing."""
        return {"repeats": self.repeats, "threads": self.threads, "utterances": self.utterances}


@dataclass(frozen=True)
class Table:
    """Rows under a header.

    Attributes:
        header: Names of the columns.
        rows: As many cells each; None is an empty cell.
    """

    header: Sequence[str]
    rows: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Section:
    """One part of the benchmark.

    Attributes:
        name: What --only calls it.
        title: Its heading.
        about: What is measured and how, a paragraph.
        measure: (context, lists) -> numbers.
        table: Numbers by the name of the lists -> table.
        choose: The lists that it is for, out of those given.
    """

    name: str
    title: str
    about: str
    measure: Callable[[Context, NamedLists], Numbers]
    table: Callable[[Mapping[str, Numbers]], Table]
    choose: Callable[[Sequence[NamedLists]], list[NamedLists]] = list
