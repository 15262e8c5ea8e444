"""A scorer's costs of an N-best directory: files `lmwt.<tag>` with lines `<utt>-<rank> cost`, negative log scores."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import as_number, read_lines, split_words, write_table
from lorescore.nbest.lists import COST_DECIMALS, NbestSet


def read_costs(path: Path, *, mend: str = "score the set again: stage 6") -> dict[str, float]:
    """A table of costs (negative log scores; lower is better) by `<utt>-<rank>`.

    Args:
        path: The file.
        mend: What the user can do where it is missing.

    Raises:
        InputError: A key stands twice or a cost is not a finite number.
    """
    costs: dict[str, float] = {}
    for number, line in read_lines(path, mend=mend):
        fields = split_words(line)
        if len(fields) != 2:
            raise InputError(
                f"expected `<utt>-<rank> cost`, found {line!r:.60}",
                path=path,
                line=number,
                mend="score this hypothesis again or leave it out of the list",
            )
        key, value = fields
        cost = as_number(value)
        if not math.isfinite(cost):
            raise InputError(
                f"{key} has the cost {value:.20}, expected a finite number",
                path=path,
                line=number,
                mend="score this hypothesis again or leave it out of the list",
            )
        if key in costs:
            raise InputError(f"key {key} for the second time", path=path, line=number, mend="keep one line a key")
        costs[key] = cost
    return costs


def write_costs(path: Path, costs: Iterable[tuple[str, float]]) -> None:
    """Write costs with four decimals, sorted by key."""
    write_table(path, ((key, f"{cost:.{COST_DECIMALS}f}") for key, cost in costs))


def cost_file(nbest_dir: Path, tag: str) -> Path:
    """Where a scorer's costs of an N-best directory are."""
    return nbest_dir / f"lmwt.{tag}"


def list_costs(nbest_dir: Path, nbest: NbestSet, tag: str) -> list[list[float]]:
    """A scorer's costs of each list's hypotheses by rank.

    Raises:
        InputError: The file is missing or does not match the lists.
    """
    path = cost_file(nbest_dir, tag)
    return list(costs_by_list(read_costs(path), nbest, path))


def costs_by_list(costs: dict[str, float], nbest: NbestSet, path: Path) -> Iterator[list[float]]:
    """The costs of each list's hypotheses by rank, in the order of the lists.

    Raises:
        InputError: `costs` (read from `path`) lacks a hypothesis, or has one that is in no list.
    """
    if len(costs) != nbest.num_hypotheses:
        known = {key for one in nbest for key in one.nbest_keys()}
        for key in costs:
            if key not in known:
                raise InputError(f"{key} is in no list of this set", path=path, mend="score the set again: stage 6")
    for one in nbest:
        try:
            yield [costs[key] for key in one.nbest_keys()]
        except KeyError as error:
            raise InputError(f"no cost for {error.args[0]}", path=path, mend="score the set again: stage 6") from error
