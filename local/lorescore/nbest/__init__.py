"""N-best lists: the types, and one module for each format that they are read from or written to."""

from lorescore.nbest.costs import cost_file, list_costs, read_costs, write_costs
from lorescore.nbest.directory import read_nbest_dir, write_nbest_dir
from lorescore.nbest.lists import CostParts, Hypothesis, NbestList, NbestSet

__all__ = [
    "CostParts",
    "Hypothesis",
    "NbestList",
    "NbestSet",
    "cost_file",
    "list_costs",
    "read_costs",
    "read_nbest_dir",
    "write_costs",
    "write_nbest_dir",
]
