"""NPRR, N-best Perturbation-based Rescoring Robustness: how much of its WER a rescorer loses on perturbed lists.

From the paper (arXiv 2401.10447, of which only the abstract was at hand): the name, and the idea of comparing a
rescorer's performance on clean N-best lists with that on perturbed ones. This project's own definitions (DESIGN
section 3), which the abstract does not fix:

- `measure`: NPRR of a model for a perturbation, a kind and a rate, and its difference to that of another model;
- `area`: the area under the curve of NPRR over the rate, the single figure to rank models by;
- `losses`: what the lists lost apart from what the rescorer lost;
- `lists`: all three from rescored lists; `groups`: which perturbed lists belong together, by their `nbest.yaml`;
- `records`: what stage 9 leaves for the report; `stored`: the word errors of each utterance beside them;
- `earlier`: what of both stays when stage 9 measures something else.
"""

from lorescore.nprr.area import Curve, nprr_area, nprr_area_difference
from lorescore.nprr.lists import ListErrors, Robustness
from lorescore.nprr.losses import Losses, losses_of
from lorescore.nprr.measure import Nprr, NprrDifference, nprr, nprr_difference
from lorescore.nprr.records import AreaRecord, NprrRecord, read_areas, read_records, write_records
from lorescore.nprr.stored import WordErrors, read_word_errors, write_word_errors

__all__ = [
    "AreaRecord",
    "Curve",
    "ListErrors",
    "Losses",
    "Nprr",
    "NprrDifference",
    "NprrRecord",
    "Robustness",
    "WordErrors",
    "losses_of",
    "nprr",
    "nprr_area",
    "nprr_area_difference",
    "nprr_difference",
    "read_areas",
    "read_records",
    "read_word_errors",
    "write_records",
    "write_word_errors",
]
