"""Second-pass rescoring of speech-recognition hypotheses with LoRA-adapted language models, and its robustness.

    from lorescore import Rescorer
    rescorer = Rescorer.load("exp/plm/smollm2_clm_vanilla_mwer_s1")
    best = rescorer.rescore([[("eye see", -0.5), ("i see", -0.75)]])[0].best.text

What is named here is imported when it is first used: `import lorescore` alone loads neither torch nor transformers.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lorescore.combine import Weights
    from lorescore.errors import InputError
    from lorescore.nbest import Hypothesis, NbestList
    from lorescore.perturb.expansion import Expansion
    from lorescore.rerank import RescoredHypothesis, RescoredList
    from lorescore.scoring.combination import Combination
    from lorescore.scoring.rescorer import Rescorer

__version__ = "0.1.0"
__all__ = [
    "Combination",
    "Expansion",
    "Hypothesis",
    "InputError",
    "NbestList",
    "RescoredHypothesis",
    "RescoredList",
    "Rescorer",
    "Weights",
]

_MODULES = {
    "Combination": "lorescore.scoring.combination",
    "Expansion": "lorescore.perturb.expansion",
    "Hypothesis": "lorescore.nbest",
    "InputError": "lorescore.errors",
    "NbestList": "lorescore.nbest",
    "RescoredHypothesis": "lorescore.rerank",
    "RescoredList": "lorescore.rerank",
    "Rescorer": "lorescore.scoring.rescorer",
    "Weights": "lorescore.combine",
}


def __getattr__(name: str) -> Any:
    """The library's names, each from its module."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
