"""Seconds and memory of a large set: from an N-best directory and given PLM scores to Kaldi's score files.

    python tests/benchmarks/large_set.py [--utts 100000] [--n 10] [--seed 0] [--dir DIR]

A synthetic set is drawn (LibriSpeech-like utterance ids, references of 5 to 30 words whose frequencies follow Zipf's
law, hypotheses with substitutions, insertions and deletions), written by the project's own writers, and then taken
through the library as stages 6 and 7 do, each step in a process of its own. The bar is on the steps `rescore` and
`score` together. `verb` is the whole of `lorescore score`, which also compares with a baseline and runs sclite.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

LOCAL = Path(__file__).resolve().parents[2] / "local"
sys.path.append(str(LOCAL))  # PYTHONPATH goes first: the same benchmark runs on another checkout

BAR_SECONDS, BAR_MB = 60.0, 2000.0
TAG = "synthetic"
VOCABULARY = 20_000
MIN_WORDS, MAX_WORDS = 5, 30
UTTS_OF_CHAPTER, CHAPTERS_OF_SPEAKER = 40, 5
COMMON_ERROR_RATE = 0.04  # share of the words that all hypotheses of a list have wrong
KIND_SHARES = {"substitution": 0.75, "deletion": 0.13, "insertion": 0.12}
MAX_EXTRA_ERRORS = 3  # of a hypothesis, beside those that its list has in common
SYLLABLES = [f"{onset}{vowel}" for onset in "BDFGHKLMNPRSTVW" for vowel in "AEIOU"]


@dataclass(frozen=True)
class Nats:
    """What the cost of a drawn hypothesis is made of, in nats."""

    per_word: float
    per_error: float
    noise: float


FIRST_PASS, PLM = Nats(0.8, 1.0, 1.5), Nats(6.0, 2.5, 4.0)


@dataclass(frozen=True)
class Phase:
    """What a part of a step took.

    Attributes:
        name: What was done.
        wall_s: Wall-clock seconds.
        cpu_s: CPU seconds of the process; on a machine that others use too, the steadier number.
        in_bar: Whether the bar counts it.
    """

    name: str
    wall_s: float
    cpu_s: float
    in_bar: bool


@dataclass(frozen=True)
class Measured:
    """A step: its phases in order and its peak resident memory."""

    phases: tuple[Phase, ...]
    peak_mb: float


class Stopwatch:
    """Times the phases of a step."""

    def __init__(self) -> None:
        self.phases: list[Phase] = []

    @contextmanager
    def __call__(self, name: str, *, in_bar: bool = True) -> Iterator[None]:
        """Time what is done inside."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.phases.append(Phase(name, time.perf_counter() - wall, time.process_time() - cpu, in_bar))


# ---------------------------------------------------------------------------------------------------------------------
# The set


def vocabulary(size: int) -> list[str]:
    """Distinct pronounceable words, the shorter ones first: frequent words are short."""
    words = [""]
    for word in words:
        if len(words) > size:
            break
        words.extend(word + syllable for syllable in SYLLABLES)
    return words[1 : size + 1]


def utterance_ids(count: int) -> list[str]:
    """Ids such as 1272-128104-0000, sorted."""
    ids = []
    for index in range(count):
        chapter = index // UTTS_OF_CHAPTER
        speaker = 1000 + chapter // CHAPTERS_OF_SPEAKER
        ids.append(f"{speaker}-{100_000 + chapter}-{index % UTTS_OF_CHAPTER:04d}")
    return ids


class TextSource:
    """Draws words by Zipf's law, and texts with errors."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.words = vocabulary(VOCABULARY)
        self.cumulative = np.cumsum(1.0 / np.arange(1, VOCABULARY + 1))
        self.pool: Iterator[str] = iter(())

    def word(self) -> str:
        """The next word."""
        for word in self.pool:
            return word
        drawn = np.searchsorted(self.cumulative, self.rng.random(1 << 16) * self.cumulative[-1])
        self.pool = iter([self.words[index] for index in drawn])
        return self.word()

    def with_errors(self, words: list[str], count: int) -> list[str]:
        """The words with errors in `count` places, drawn at random."""
        words = list(words)
        kinds = self.rng.choice(list(KIND_SHARES), size=count, p=list(KIND_SHARES.values())).tolist() if count else []
        for kind, where in zip(kinds, self.rng.random(count).tolist(), strict=True):
            place = int(where * len(words))
            if kind == "insertion" or not words:
                words.insert(place, self.word())
            elif kind == "deletion":
                del words[place]
            else:
                words[place] = self.word()
        return words

    def nbest_texts(self, ref: list[str], size: int) -> list[str]:
        """Distinct hypotheses of one reference."""
        common = self.with_errors(ref, int(self.rng.binomial(len(ref), COMMON_ERROR_RATE)))
        texts = {" ".join(common): None}
        while len(texts) < size:
            extra = 1 + len(texts) * MAX_EXTRA_ERRORS // size
            texts.setdefault(" ".join(self.with_errors(common, extra)))
        return list(texts)


def generate(work: Path, utts: int, size: int, seed: int, timed: Stopwatch) -> None:
    """Draw the set and write its N-best directory, and PLM costs. Either cost is noisy, and grows with the errors."""
    from lorescore.nbest import Hypothesis, NbestList, NbestSet, write_costs, write_nbest_dir
    from lorescore.wer import edit_counts

    rng = np.random.default_rng(seed)
    source = TextSource(rng)
    with timed("draw"):
        refs: dict[str, str] = {}
        lists: list[NbestList] = []
        costs: list[tuple[str, float]] = []
        for utt in utterance_ids(utts):
            ref = [source.word() for _ in range(int(rng.integers(MIN_WORDS, MAX_WORDS + 1)))]
            refs[utt] = " ".join(ref)
            texts = source.nbest_texts(ref, size)
            words = np.array([1 + text.count(" ") for text in texts])
            errors = np.array([edit_counts(refs[utt], text).errors for text in texts])
            first_pass, plm = (
                nats.per_word * words + nats.per_error * errors + nats.noise * rng.standard_normal(size)
                for nats in (FIRST_PASS, PLM)
            )
            ranked = np.argsort(first_pass, kind="stable")
            hypotheses = (Hypothesis(texts[index], -float(first_pass[index])) for index in ranked)
            one = NbestList(utt, tuple(hypotheses))
            lists.append(one)
            costs.extend(zip(one.nbest_keys(), plm[ranked].tolist(), strict=True))
    with timed("write"):
        nbest_dir = work / "nbest"
        write_nbest_dir(nbest_dir, NbestSet(tuple(lists), refs, {"source": "synthetic", "seed": seed}))
        write_costs(nbest_dir / f"lmwt.{TAG}", costs)


# ---------------------------------------------------------------------------------------------------------------------
# The steps


def rescore(work: Path, timed: Stopwatch) -> None:
    """Stage 6 with given PLM scores: weights, and the hypotheses that they choose."""
    with timed("import"):
        from lorescore.combine import ScoredLists, best_ranks, first_pass, select
        from lorescore.files import write_table, write_yaml
        from lorescore.nbest import list_costs, read_nbest_dir
        from lorescore.tuning import tune
    with timed("read_nbest_dir"):
        nbest = read_nbest_dir(work / "nbest")
    with timed("list_costs"):
        costs = list_costs(work / "nbest", nbest, TAG)
    with timed("ScoredLists.build"):
        lists = ScoredLists.build(nbest, costs)
    with timed("tune"):
        weights = tune(lists)
    with timed("select and write"):
        write_table(work / "first_pass" / "text", first_pass(nbest))
        write_table(work / "rescored" / "text", select(nbest, best_ranks(lists, weights)))
        record = {"lm_weight": weights.lm_weight, "word_bonus": weights.word_bonus}
        write_yaml(work / "rescored" / "weights.yaml", record)
    with timed("ScoredLists.build again, for a second rescorer", in_bar=False):
        ScoredLists.build(nbest, costs)


def score(work: Path, timed: Stopwatch) -> None:
    """Stage 7's Kaldi files."""
    with timed("import"):
        from lorescore.combine import read_weights
        from lorescore.files import read_table
        from lorescore.wer import wer_interval, write_scoring_kaldi
        from lorescore.wer.speakers import default_speaker
    with timed("read tables"):
        refs, hyps = read_table(work / "nbest" / "text"), read_table(work / "rescored" / "text")
        weights = read_weights(work / "rescored" / "weights.yaml")
    with timed("confidence interval"):
        interval = wer_interval(refs, hyps)
    with timed("write_scoring_kaldi"):
        write_scoring_kaldi(
            work / "scoring_kaldi",
            refs,
            hyps,
            {utt: default_speaker(utt) for utt in refs},
            interval,
            lm_weight=weights.lm_weight,
            word_bonus=weights.word_bonus,
        )


def verb(work: Path, timed: Stopwatch) -> None:
    """The verb `score` with everything that it writes, where sclite is installed."""
    from lorescore.__main__ import main as lorescore

    if not (shutil.which("sclite") or shutil.which("sctk")):
        return
    options = {"ref": "nbest/text", "hyp": "rescored/text", "baseline": "first_pass/text", "out": "scored"}
    arguments = [part for name, path in options.items() for part in (f"--{name}", str(work / path))]
    with timed("lorescore score"):
        status = lorescore(["score", *arguments, "--weights", str(work / "rescored" / "weights.yaml")])
    if status:
        raise SystemExit(status)


STEPS: dict[str, Callable[[Path, Stopwatch], None]] = {"rescore": rescore, "score": score, "verb": verb}
BAR_STEPS = ("rescore", "score")


# ---------------------------------------------------------------------------------------------------------------------
# The command


def measure(arguments: list[str]) -> Measured:
    """Run a step in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, __file__, *arguments], env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} failed with status {done.returncode}")
    record = json.loads(done.stdout.splitlines()[-1])
    return Measured(tuple(Phase(**phase) for phase in record["phases"]), record["peak_mb"])


def report(results: dict[str, Measured]) -> Iterator[str]:
    """The lines of a Markdown table, and the sums that the bar is on."""
    yield "| step | phase | seconds | CPU seconds | peak MB |"
    yield "|---|---|---:|---:|---:|"
    for step, result in results.items():
        for one in result.phases:
            yield f"| {step} | {one.name} | {one.wall_s:.1f} | {one.cpu_s:.1f} | |"
        yield f"| {step} | peak | | | {result.peak_mb:.0f} |"
    if not set(BAR_STEPS) <= set(results):
        return
    in_bar = [results[step] for step in BAR_STEPS]
    counted = [one for result in in_bar for one in result.phases if one.in_bar]
    wall, cpu = sum(one.wall_s for one in counted), sum(one.cpu_s for one in counted)
    peak_mb = max(result.peak_mb for result in in_bar)
    verdict = "met" if wall < BAR_SECONDS and peak_mb < BAR_MB else "missed"
    yield ""
    yield f"{' + '.join(BAR_STEPS)}: {wall:.1f} s ({cpu:.1f} s CPU), peak {peak_mb:.0f} MB"
    yield f"bar: {BAR_SECONDS:.0f} s and {BAR_MB:.0f} MB: {verdict}"


def main() -> None:
    """Draw the set, run the steps, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utts", type=int, default=100_000, help="utterances")
    parser.add_argument("--n", type=int, default=10, help="hypotheses of an utterance")
    parser.add_argument("--seed", type=int, default=0, help="seed of the set")
    parser.add_argument("--dir", type=Path, help="keep the files here, and use the set that is there already")
    parser.add_argument("--steps", default=" ".join(STEPS), help="which steps to run, separated by spaces")
    parser.add_argument("--step", choices=["generate", *STEPS], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        run_step(args)
        return
    from lorescore.files import read_yaml

    with tempfile.TemporaryDirectory(prefix="large_set_") as temporary:
        work = args.dir or Path(temporary)
        common = ["--dir", str(work), "--utts", str(args.utts), "--n", str(args.n), "--seed", str(args.seed)]
        steps = args.steps.split()
        if not (work / "nbest" / "nbest.yaml").is_file():
            steps = ["generate", *steps]
        results = {step: measure([*common, "--step", step]) for step in steps}
        info = read_yaml(work / "nbest" / "nbest.yaml")
    print(f"{info['utterances']} utterances x {info['n']}, seed {info['seed']}, one thread, {platform.platform()}\n")
    print("\n".join(report(results)))


def run_step(args: argparse.Namespace) -> None:
    """Run one step in this process; print its numbers as a line of JSON."""
    timed = Stopwatch()
    if args.step == "generate":
        generate(args.dir, args.utts, args.n, args.seed, timed)
    else:
        STEPS[args.step](args.dir, timed)
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"phases": [asdict(one) for one in timed.phases], "peak_mb": peak_kib * 1024 / 1e6}))


if __name__ == "__main__":
    main()
