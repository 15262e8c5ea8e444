"""What the tests of `lorescore train` share: an exp to train in, the call, and the one line of an error."""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from plm_models import save_plm
from torch import nn
from toy_nbest import toy_nbest

from lorescore.__main__ import main
from lorescore.nbest import write_nbest_dir
from lorescore.plm.load import fetch_plm
from lorescore.plm.settings import PlmSettings
from lorescore.progress import Progress
from lorescore.scoring.rescorer import Rescorer
from lorescore.training.result import TrainingResult
from lorescore.training.trainer import Trainer

# Exit status, standard output, standard error.
Outcome = tuple[int, str, str]
Train = Callable[..., Outcome]
QUICK = ("--epochs", "1", "--lists_per_step", "8", "--evaluations", "1")


def make_exp(exp_dir: Path) -> None:
    """Write nbest/{train,dev} and fetch two PLMs."""
    write_nbest_dir(exp_dir / "nbest" / "train", toy_nbest(16, seed=1))
    write_nbest_dir(exp_dir / "nbest" / "dev", toy_nbest(8, seed=2))
    for family, scorer in (("llama", "clm"), ("bert", "cls")):
        source = save_plm(exp_dir / "source" / family, family)
        fetch_plm(PlmSettings(family, str(source), scorer), exp_dir / "plm_base" / f"{family}_{scorer}")


def arguments(exp_dir: Path, family: str, scorer: str) -> list[str]:
    """Those of every training in an exp."""
    nbest, plm = exp_dir / "nbest", exp_dir / "source" / family
    paths = {"train": nbest / "train", "dev": nbest / "dev", "out_root": exp_dir / "plm", "plm": plm}
    options = [word for name, path in paths.items() for word in (f"--{name}", str(path))]
    return [*options, "--scorer", scorer, "--plm_root", str(exp_dir / "plm_base")]


def training_in(exp_dir: Path, capsys: pytest.CaptureFixture[str], *always: object) -> Train:
    """A function that trains a family and scorer there, with the options `always` and its own."""

    def run(family: str, scorer: str, *more: object) -> Outcome:
        capsys.readouterr()
        status = main(["train", *arguments(exp_dir, family, scorer), *map(str, always), *map(str, more)])
        return status, *capsys.readouterr()

    return run


@contextmanager
def one_plm_while_training(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Check that no other PLM than the one that is trained is in memory then."""
    plms: list[weakref.ref[nn.Module]] = []
    alive: list[int] = []
    make, begin = Rescorer.new, Trainer.train

    def remember(plm_dir: Path, plm: PlmSettings) -> Rescorer:
        rescorer = make(plm_dir, plm)
        plms.append(weakref.ref(rescorer.scorer.model))
        return rescorer

    def count(self: Trainer, progress: Progress) -> TrainingResult:
        alive.append(sum(one() is not None for one in plms))
        return begin(self, progress)

    with monkeypatch.context() as patch:
        patch.setattr(Rescorer, "new", remember)
        patch.setattr(Trainer, "train", count)
        yield
    assert len(plms) > 1  # the frozen PLM or the teacher was loaded too
    assert alive == [1]


def error_line(outcome: Outcome) -> str:
    """The one line of a mistake."""
    status, out, err = outcome
    assert (status, out, err.count("\n")) == (1, "", 1), outcome
    return err
