"""Perturbed N-best lists: words replaced by words that sound alike, to measure how robust a rescorer is."""

from lorescore.perturb.lexicon import HomophoneLexicon
from lorescore.perturb.replacement import PerturbationCounts, is_up_to_date, perturb, provenance
from lorescore.perturb.settings import KINDS, Perturbation
from lorescore.perturb.vocabulary import nbest_vocabulary, read_vocabulary

__all__ = [
    "KINDS",
    "HomophoneLexicon",
    "Perturbation",
    "PerturbationCounts",
    "is_up_to_date",
    "nbest_vocabulary",
    "perturb",
    "provenance",
    "read_vocabulary",
]
