"""`rescore`: PLM scores of every set, weights tuned on dev alone, and the hypotheses that they choose."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from lorescore.choices import nearest_hint
from lorescore.cli.progress import progress
from lorescore.combine import (
    FIRST_PASS,
    ORACLE,
    ScoredLists,
    Weights,
    best_ranks,
    first_pass,
    oracle,
    select,
    tune,
    wer,
)
from lorescore.errors import InputError
from lorescore.files import write_table, write_yaml
from lorescore.nbest import NbestSet, read_nbest_dir
from lorescore.scoring.rescorer import Rescorer
from lorescore.scoring.sets import list_costs, score_nbest_dirs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("--tags", default="", help="rescorers of exp/plm, separated by spaces")
    parser.add_argument("--dev", required=True, help="set of exp/nbest to tune the weights on")
    parser.add_argument("--sets", default="", help="further sets of exp/nbest, separated by spaces")
    parser.add_argument("--exp_dir", type=Path, default=Path("exp"), help="what the stages wrote")


def run(args: argparse.Namespace) -> None:
    """First pass and oracle, then one rescorer after the other."""
    tags = args.tags.split()
    require_rescorers(tags, args.exp_dir / "plm")
    names = [args.dev, *(name for name in args.sets.split() if name != args.dev)]
    nbest_dirs = {name: args.exp_dir / "nbest" / name for name in names}
    sets = {name: read_nbest_dir(path) for name, path in nbest_dirs.items()}
    if not sets[args.dev].refs:
        raise InputError("no references to tune on", path=nbest_dirs[args.dev] / "text", mend="give stage 4 --ref")
    for name, nbest in sets.items():
        _write(args.exp_dir / "rescore" / FIRST_PASS / name, first_pass(nbest))
        if nbest.refs:
            _write(args.exp_dir / "rescore" / ORACLE / name, oracle(nbest))
    for tag in tags:
        _rescore(tag, args.dev, sets, args.exp_dir)


def require_rescorers(tags: Iterable[str], plm_root: Path) -> None:
    """Check that every rescorer is there, before any scoring begins.

    Raises:
        InputError: One is not; the error names the nearest of those that are.
    """
    finished = sorted(path.parent.name for path in plm_root.glob("[!.]*/config.yaml"))
    for tag in tags:
        if tag not in finished:
            hint = f"; {nearest_hint(tag, finished)}" if finished else ""
            raise InputError(
                "no finished rescorer: config.yaml is missing", path=plm_root / tag, mend=f"stage 5 trains it{hint}"
            )


def _rescore(tag: str, dev: str, sets: dict[str, NbestSet], exp_dir: Path) -> None:
    """Score, tune on dev, choose in every set."""
    rescorer_dir, out_dir = exp_dir / "plm" / tag, exp_dir / "rescore" / tag
    loaded: list[Rescorer] = []

    def load() -> Rescorer:
        if not loaded:
            loaded.append(Rescorer.load(rescorer_dir))
        return loaded[0]

    lists = {}
    for name, nbest in sets.items():
        nbest_dir = exp_dir / "nbest" / name
        score_nbest_dirs(load, rescorer_dir, [nbest_dir], progress(f"{tag} {name}"))
        lists[name] = ScoredLists.build(nbest, list_costs(nbest_dir, nbest, tag))
    weights = tune(lists[dev])
    dev_wer = wer(lists[dev], weights)
    write_yaml(
        out_dir / "weights.yaml",
        {
            "lm_weight": weights.lm_weight,
            "word_bonus": weights.word_bonus,
            "tuned_on": dev,
            "dev_wer": round(dev_wer, 4),
        },
    )
    print(f"{out_dir}: weights tuned on {dev}: {_describe(weights)}, WER {dev_wer:.2f}")
    for name, nbest in sets.items():
        _write(out_dir / name, select(nbest, best_ranks(lists[name], weights)))


def _write(set_dir: Path, hyps: dict[str, str]) -> None:
    write_table(set_dir / "text", hyps)


def _describe(weights: Weights) -> str:
    return f"lm_weight {weights.lm_weight:g}, word_bonus {weights.word_bonus:g}"
