"""MWER training: the tree against flat rows, full fine-tuning against LoRA; each in a process of its own."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import torch
from competitors.flat_mwer import FlatList, FlatScorer
from measure import in_child, median, reset_peak, seconds
from samples import NamedLists, flat_tokens, sample, subset

from lorescore.combine import Weights
from lorescore.nbest import NbestSet, read_nbest_dir, write_nbest_dir
from lorescore.plm.strategies import adapt
from lorescore.plm.strategy import Strategy
from lorescore.scoring.rescorer import Rescorer
from lorescore.training.data import training_lists
from lorescore.training.objectives import Objective
from lorescore.training.settings import TrainingSettings
from lorescore.training.step import StepGradients
from sections import CPU, Context, Numbers, Section, Table

CONF_DIR = Path(__file__).resolve().parents[3] / "conf"
STRATEGIES = ("vanilla", "full")
TREE, FLAT = "tree", "flat"
STEPS = 2  # optimizer steps of a run
SETTINGS = TrainingSettings(precision="fp32")
WEIGHTS = Weights(lm_weight=0.5, word_bonus=4.0)  # about what dev gives SmolLM2; they do not change the cost
LOSS_TOLERANCE = 1e-3  # words by which the two ways may differ in the first step's loss


def train(nbest_dir: str, rescorer_dir: str, strategy_name: str, way: str, repeats: int) -> Numbers:
    """Train one way, after a run to warm up: seconds of each run, and the loss of the very first step."""
    rescorer = Rescorer.load(Path(rescorer_dir), CPU)
    lists = training_lists(rescorer, read_nbest_dir(Path(nbest_dir)), with_reference=True)
    flat = [FlatList(one.encoded.sequences()) for one in lists]
    strategy = Strategy.read(strategy_name, CONF_DIR / "strategy")
    adaptation = adapt(rescorer.scorer.model, strategy, rescorer.plm.targets, STEPS * (1 + repeats), SETTINGS.seed)
    rescorer.scorer.model = adaptation.model
    if way == FLAT:
        lists = [replace(one, encoded=encoded) for one, encoded in zip(lists, flat, strict=True)]
    gradients = StepGradients(
        FlatScorer(adaptation.model) if way == FLAT else rescorer.scorer,
        adaptation,
        Objective.of(SETTINGS, WEIGHTS, centred=False),
        correlation=SETTINGS.correlation,
        precision=SETTINGS.precision,
        token_budget=SETTINGS.token_budget,
    )
    parameters = [parameter for parameter in adaptation.model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=strategy.learning_rate, weight_decay=SETTINGS.weight_decay)
    losses: list[float] = []

    def run() -> None:
        for part in range(STEPS):
            losses.append(gradients.accumulate(lists[part::STEPS]))
            torch.nn.utils.clip_grad_norm_(parameters, SETTINGS.grad_clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    loaded = reset_peak()
    run()
    return {
        "seconds": [seconds(run) for _ in range(repeats)],
        "loss": losses[0],
        "loaded_mb": loaded,
        "utterances": len(lists),
        "tokens": sum(flat_tokens(one.rows) for one in flat),
        "trainable": sum(parameter.numel() for parameter in parameters),
    }


def measure(context: Context, lists: NamedLists) -> Numbers:
    """Every strategy and way on the same lists.

    Raises:
        RuntimeError: The two ways do not have the same loss.
    """
    usual = STEPS * SETTINGS.lists_per_step
    nbest = sample(_that_teach(lists.nbest), max(STEPS, context.utterances or usual))
    nbest_dir = context.work_dir / "training"
    write_nbest_dir(nbest_dir, nbest)
    results: dict[str, dict[str, Numbers]] = {}
    for strategy in STRATEGIES:
        results[strategy] = {}
        for way in (TREE, FLAT):
            context.log(f"training {lists.name}: {strategy}, {way}")
            results[strategy][way] = in_child(
                train,
                context.threads,
                nbest_dir=str(nbest_dir),
                rescorer_dir=str(context.rescorer_dir),
                strategy_name=strategy,
                way=way,
                repeats=context.repeats,
            )
        tree, flat = (results[strategy][way]["loss"] for way in (TREE, FLAT))
        if not abs(tree - flat) <= LOSS_TOLERANCE:
            raise RuntimeError(f"{strategy}: a loss of {tree} by tree, of {flat} by flat rows")
    return {"strategies": results, "training": asdict(SETTINGS)}


def _that_teach(nbest: NbestSet) -> NbestSet:
    """The lists with a reference that is not empty: MWER and the PLM's own loss take all of them."""
    return subset(nbest, [one for one in nbest if nbest.refs[one.utt]])


def table(parts: Mapping[str, Numbers]) -> Table:
    """One row a strategy and way."""
    table = Table(
        (
            *("lists", "strategy", "trained parameters", "way", "seconds", "from", "to", "utterances/s", "tokens/s"),
            *("tree is faster by", "peak MB", "of it the loaded model"),
        )
    )
    for lists, part in parts.items():
        for strategy, ways in part["strategies"].items():
            tree = median(ways[TREE]["seconds"])
            for way, one in ways.items():
                taken = median(one["seconds"])
                table.rows.append(
                    (
                        *(lists, strategy, one["trainable"], way, taken, min(one["seconds"]), max(one["seconds"])),
                        *(one["utterances"] / taken, one["tokens"] / taken, taken / tree),
                        *(round(one["peak_mb"]), round(one["loaded_mb"])),
                    )
                )
    return table


SECTION = Section(
    name="training",
    title="Training",
    about=f"MWER with the PLM's own loss on the references: forward, backward and AdamW, {STEPS} optimizer steps a "
    "run, the same code for both ways but for the scorer, each in a fresh process. `flat` scores each hypothesis of "
    "some lists as a padded row, up to the same token budget. Tokens are those of all hypotheses and references, for "
    f"both ways. The loss of the first step is the same to {LOSS_TOLERANCE:g}.",
    measure=measure,
    table=table,
    choose=lambda lists: [one for one in lists if one.nbest.refs][:1],
)
