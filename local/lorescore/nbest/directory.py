"""The N-best directory: Kaldi's N-best archive convention, keys `<utt>-<rank>` (as in Kaldi's lmrescore_nbest.sh).

    words_text   utt-1 the cat sat     an empty hypothesis is the key alone
    acwt         utt-1 12.3456         first-pass cost, the negative log score
    lmwt.<tag>   utt-1 45.6789         a scorer's cost, the negative PLM score
    text         utt the cat sat       references, where there are any
    nbest.yaml                         source, counts, checksum, perturbation

`nbest.yaml` is written last: a directory without it is unfinished.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import checksum, read_lines, read_table, read_yaml, write_table, write_yaml
from lorescore.nbest.lists import Hypothesis, NbestList, NbestSet

MISSING_DIR = "stage 4 makes N-best directories: ./run.sh --stage 4 --stop_stage 4"


def read_nbest_dir(nbest_dir: Path) -> NbestSet:
    """Read an N-best directory.

    Raises:
        InputError: A file is missing or empty, a key is doubled, malformed or without a score, a rank is missing, a
            score is not a finite number, or an utterance has a list but no reference (or the other way round).
    """
    words_path, cost_path, ref_path = nbest_dir / "words_text", nbest_dir / "acwt", nbest_dir / "text"
    info_path = nbest_dir / "nbest.yaml"
    if not info_path.is_file():
        raise InputError("no finished N-best directory: nbest.yaml is missing", path=nbest_dir, mend=MISSING_DIR)
    texts, costs = read_table(words_path), read_costs(cost_path)
    if not texts:
        raise InputError("empty, expected `<utt>-<rank> words`", path=words_path, mend=MISSING_DIR)
    require_same_keys(texts, costs, words_path, cost_path)
    lists = tuple(_lists(texts, costs, words_path))
    refs = read_table(ref_path) if ref_path.is_file() else {}
    if refs:
        require_references([nbest.utt for nbest in lists], refs, words_path, ref_path)
    return NbestSet(lists, refs, read_yaml(info_path))


def write_nbest_dir(nbest_dir: Path, nbest: NbestSet) -> None:
    """Write an N-best directory; `nbest.info` is completed with the counts and the checksum of what was written."""
    (nbest_dir / "nbest.yaml").unlink(missing_ok=True)
    keyed = [
        (key, hypothesis) for one in nbest for key, hypothesis in zip(one.nbest_keys(), one.hypotheses, strict=True)
    ]
    write_table(nbest_dir / "words_text", [(key, hypothesis.text) for key, hypothesis in keyed])
    write_costs(nbest_dir / "acwt", [(key, -hypothesis.score) for key, hypothesis in keyed])
    written = [nbest_dir / "words_text", nbest_dir / "acwt"]
    if nbest.refs:
        write_table(nbest_dir / "text", nbest.refs)
        written.append(nbest_dir / "text")
    info = dict(nbest.info)
    info.update(
        utterances=len(nbest),
        hypotheses=nbest.num_hypotheses,
        n=max((len(one.hypotheses) for one in nbest), default=0),
        checksum=checksum(written),
    )
    write_yaml(nbest_dir / "nbest.yaml", info)


def read_costs(path: Path) -> dict[str, float]:
    """A table of costs (negative log scores; lower is better) by `<utt>-<rank>`.

    Raises:
        InputError: A key stands twice or a cost is not a finite number.
    """
    costs: dict[str, float] = {}
    for number, line in read_lines(path):
        fields = line.split()
        if len(fields) != 2:
            raise InputError(f"expected `<utt>-<rank> cost`, found {line!r:.60}", path=path, line=number)
        key, value = fields
        try:
            cost = float(value)
        except ValueError:
            cost = math.nan
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
    write_table(path, ((key, f"{cost:.4f}") for key, cost in costs))


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


def require_same_keys(texts: dict[str, str], scores: dict[str, float], text_path: Path, score_path: Path) -> None:
    """Check that every hypothesis has a score and every score a hypothesis.

    Raises:
        InputError: It names the first key that only one file has.
    """
    for number, key in enumerate(texts, start=1):
        if key not in scores:
            raise InputError(
                f"{key} has a text but no score in {score_path}",
                path=text_path,
                line=number,
                mend="decode this utterance again or delete the line",
            )
    for number, key in enumerate(scores, start=1):
        if key not in texts:
            raise InputError(
                f"{key} has a score but no text in {text_path}",
                path=score_path,
                line=number,
                mend="decode this utterance again or delete the line",
            )


def require_references(utts: Sequence[str], refs: dict[str, str], hyp_path: Path, ref_path: Path) -> None:
    """Check that the hypotheses and the references are of the same utterances.

    Raises:
        InputError: It names the first utterance that is in only one of them.
    """
    known = set(utts)
    for utt in utts:
        if utt not in refs:
            raise InputError(
                f"hypotheses for utterance {utt}, which is not in {ref_path}",
                path=hyp_path,
                mend="add its reference or decode the set that the references are of",
            )
    for number, utt in enumerate(refs, start=1):
        if utt not in known:
            raise InputError(
                f"utterance {utt} has a reference but no hypothesis in {hyp_path}",
                path=ref_path,
                line=number,
                mend="decode it or delete its reference",
            )


def _lists(texts: dict[str, str], costs: dict[str, float], path: Path) -> Iterator[NbestList]:
    """Group `<utt>-<rank>` entries by utterance, sorted by utterance."""
    by_utt: dict[str, dict[int, Hypothesis]] = {}
    for number, (key, text) in enumerate(texts.items(), start=1):
        utt, _, rank = key.rpartition("-")
        if not (utt and rank.isascii() and rank.isdigit() and int(rank) >= 1):
            raise InputError(f"key {key}, expected <utt>-<rank> with ranks from 1", path=path, line=number)
        by_utt.setdefault(utt, {})[int(rank)] = Hypothesis(text, -costs[key])
    for utt in sorted(by_utt):
        ranked = by_utt[utt]
        if max(ranked) != len(ranked):
            missing = min(set(range(1, len(ranked) + 1)) - set(ranked))
            raise InputError(f"utterance {utt} has no hypothesis of rank {missing}", path=path)
        yield NbestList(utt, tuple(ranked[rank] for rank in range(1, len(ranked) + 1)))
