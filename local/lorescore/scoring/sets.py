"""PLM costs of whole N-best directories: one `lmwt.<tag>` file each, written once for each rescorer and lists.

Clean and perturbed versions of a list are scored together: a text is scored once, however many lists have it, and
what texts have in common at the start shares its states (`lorescore.scoring.prefix_tree`). A text that was scored
before, in another set or in a run that was cut off, has its score from the cache (`lorescore.scoring.cache`).
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lorescore.files import checksum
from lorescore.nbest import NbestList, NbestSet, cost_file, write_costs
from lorescore.plm.settings import PlmSettings
from lorescore.progress import Item, Progress, silent
from lorescore.scoring.cache import ROWS_PER_TRANSACTION, ScoreCache, ScoreWriter, cache_version, writing
from lorescore.scoring.options import EXACT, ScoringOptions, default_device
from lorescore.scoring.part import WHOLE, Part
from lorescore.scoring.stored import CONFIG_FILE, WEIGHTS_FILE, read_config, require_same_plm
from lorescore.scoring.text import plm_context, plm_text
from lorescore.stamp import Stamp

if TYPE_CHECKING:  # transformers and peft take seconds to import; where all costs are there, nothing needs them
    from lorescore.scoring.rescorer import Rescorer


class _Text(NamedTuple):
    """What has one score.

    Attributes:
        text: A text as it is put to the PLM.
        context: What stands before it, put to the PLM likewise.
        scope: The list in which it has this score; empty: everywhere.
    """

    text: str
    context: str
    scope: str

    @property
    def cached(self) -> str:
        """What the cache knows it by."""
        return f"{self.context}\n{self.text}" if self.context else self.text


class _List(NamedTuple):
    """A list that texts are scored in.

    Attributes:
        name: The utterance, or where lists are scored by themselves the directory too.
        context: What stands before it (`NbestList.context`).
    """

    name: str
    context: tuple[str, ...]


def rescorer_checksum(rescorer_dir: Path) -> str:
    """SHA-256 over a rescorer's files: its weights, and config.yaml with the checksum of the PLM.

    The weights of the combined score, which may lie there too, change no PLM score.
    """
    directory = rescorer_dir.resolve()
    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    stats = {path: path.stat() for path in paths if path != directory / WEIGHTS_FILE}
    return _checksum_of(tuple((path, one.st_size, one.st_mtime_ns) for path, one in stats.items()))


@functools.cache
def _checksum_of(files: tuple[tuple[Path, int, int], ...]) -> str:
    """Read once for all sets while sizes and times of change stay: the files of a `full` rescorer are gigabytes."""
    return checksum(path for path, _, _ in files)


def score_sets(
    load: Callable[[], "Rescorer"],
    rescorer_dir: Path,
    sets: Mapping[Path, NbestSet],
    progress: Progress = silent,
    *,
    cache_path: Path | None = None,
    options: ScoringOptions = EXACT,
    part: Part = WHOLE,
) -> int:
    """Write the PLM costs of every N-best directory that lacks them.

    Args:
        load: Loads the rescorer with these options; called only where there is something to score.
        rescorer_dir: Its directory; the last part of the path is its tag.
        sets: By directory, as read from there, versions of one set (clean, perturbed): the same utterances in each.
        progress: Wraps the loop over lists.
        cache_path: The score cache; None: none.
        options: How scores are computed. With history merging a text's score depends on the other texts of its list:
            each list is scored by itself then, and the cache is not used.
        part: The lists that are scored here. Of less than the whole the scores go to the cache alone, where the call
            that writes the costs finds them.

    Returns:
        The number of texts that were scored.

    Raises:
        InputError: The lists, the rescorer or the cache file cannot be used, or a score is not a finite number.
    """
    tag = rescorer_dir.name
    config = read_config(rescorer_dir)
    require_same_plm(config, rescorer_dir)  # costs that are there already may be of the PLM as it was
    plm = PlmSettings.from_dict(config["plm"], rescorer_dir / CONFIG_FILE)
    version = cache_version(rescorer_checksum(rescorer_dir), plm.plm_text, options.describe(default_device()))
    exact = options.history is None
    stamps = {path: _stamp(path, tag, version, nbest) for path, nbest in sets.items()}
    unscored = {path: nbest for path, nbest in sets.items() if not stamps[path].is_current()}
    if not unscored:
        return 0

    def keys_of(path: Path, one: NbestList) -> list[_Text]:
        case, spaces = plm.plm_text, plm.plm_spaces
        context = plm_context(one.context, case, spaces) if plm.scorer == "clm" else ""
        scope = "" if exact else f"{path} {one.utt}"
        return [_Text(plm_text(text, case, spaces), context, scope) for text in one.texts]

    # Each text with the list that it is scored in: the first utterance's that has it, in whichever version.
    distinct: dict[_Text, tuple[_List, str]] = {}
    keys = {path: [keys_of(path, one) for one in nbest] for path, nbest in unscored.items()}
    for path, nbest in unscored.items():
        for one, of_list in zip(nbest, keys[path], strict=True):
            for key, text in zip(of_list, one.texts, strict=True):
                distinct.setdefault(key, (_List(key.scope or one.utt, one.context), text))
    if part != WHOLE:
        own = set(part.of(list(dict.fromkeys(its_list for its_list, _ in distinct.values()))))
        distinct = {key: (its_list, text) for key, (its_list, text) in distinct.items() if its_list in own}
    with ScoreCache.open(cache_path if exact else None) as cache:
        known = cache.lookup(version, [key.cached for key in distinct])
        scores = {key: known[key.cached] for key in distinct if key.cached in known}
        lists: dict[_List, dict[_Text, str]] = {}
        for key, (its_list, text) in distinct.items():
            if key not in scores:
                lists.setdefault(its_list, {})[key] = text
        if lists:
            with writing(cache, version) as writer:
                scores |= _score(load(), lists, writer, progress)
    for path, nbest in unscored.items() if part == WHOLE else ():
        keyed = [
            (nbest_key, -scores[key])
            for one, of_list in zip(nbest, keys[path], strict=True)
            for nbest_key, key in zip(one.nbest_keys(), of_list, strict=True)
        ]
        stamps[path].remove()
        write_costs(cost_file(path, tag), keyed)
        _stamp(path, tag, version, nbest).write()
    return sum(map(len, lists.values()))


def _stamp(nbest_dir: Path, tag: str, version: str, nbest: NbestSet) -> Stamp:
    """Says of which rescorer and lists the costs are that are there now, which damaged or lost ones are not."""
    costs = checksum(path for path in [cost_file(nbest_dir, tag)] if path.is_file())
    return Stamp(nbest_dir / f".lmwt.{tag}.stamp", f"{version} {nbest.info['checksum']} {costs}")


def _score(
    rescorer: "Rescorer", lists: Mapping[_List, Mapping[_Text, str]], writer: ScoreWriter, progress: Progress
) -> dict[_Text, float]:
    """Score lists of texts; the writer has what was scored even where this is cut off."""
    scores: dict[_Text, float] = {}
    keys = [list(texts) for texts in lists.values()]

    def on_scores(index: int, values: Sequence[float]) -> None:
        scores.update(zip(keys[index], values, strict=True))
        writer.add({key.cached: value for key, value in zip(keys[index], values, strict=True)})

    def stored_on_the_way(items: Sequence[Item], part: str) -> Iterator[Item]:
        for item in progress(items, part):
            yield item
            # At a step of the loop the scores of whole batches are in: a run that was cut off goes on with the batches
            # that were left, and ends with the same scores to the last bit.
            writer.flush(at_least=ROWS_PER_TRANSACTION)

    rescorer.score(
        [list(texts.values()) for texts in lists.values()],
        progress=stored_on_the_way,
        on_scores=on_scores,
        contexts=[one.context for one in lists],
    )
    return scores
