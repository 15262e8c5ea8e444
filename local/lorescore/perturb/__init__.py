"""Perturbed N-best lists: words replaced by words that sound alike, to measure how robust a rescorer is."""

from lorescore.perturb.draws import epoch_seed
from lorescore.perturb.g2p import G2PS
from lorescore.perturb.lexicon import HomophoneLexicon, cmudict_entries, lexicon_entries
from lorescore.perturb.replacement import PerturbationCounts, perturb_list
from lorescore.perturb.sets import Perturbed, is_up_to_date, perturb
from lorescore.perturb.settings import KINDS, PERTURBATIONS, WORST, Perturbation
from lorescore.perturb.vocabulary import nbest_vocabulary, read_vocabulary
from lorescore.perturb.worst import NUM_CANDIDATES, perturb_worst

__all__ = [
    "G2PS",
    "KINDS",
    "NUM_CANDIDATES",
    "PERTURBATIONS",
    "WORST",
    "HomophoneLexicon",
    "Perturbation",
    "PerturbationCounts",
    "Perturbed",
    "cmudict_entries",
    "epoch_seed",
    "is_up_to_date",
    "lexicon_entries",
    "nbest_vocabulary",
    "perturb",
    "perturb_list",
    "perturb_worst",
    "read_vocabulary",
]
