"""Which perturbed N-best directories belong together: those that differ in the seed of the perturbation alone.

What a directory was made with stands in its `nbest.yaml`, or, where that says nothing, in its name, as stage 8 has it.
One from elsewhere, without both, is a group of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from lorescore.errors import InputError
from lorescore.nbest import NbestSet
from lorescore.nbest.checks import require_refs, require_same_metric
from lorescore.nbest.info import INFO
from lorescore.nprr.records import lists_in_words
from lorescore.perturb.sets import INFO_KEY, SOURCE_KEY, was_made_from
from lorescore.perturb.settings import HOMOPHONE, Perturbation

Number = TypeVar("Number", int, float)

FOR_NPRR = "to measure NPRR with"
MEND_INFO = "correct it, or delete the section `perturbation`: the directory is a group of its own then"

# What a perturbed set records of how it was made besides its settings, and what another value means.
MADE_WITH = {
    "lexicon_checksum": "other pronunciations or another vocabulary",
    "num_candidates": "another number of candidates",
    "rescorer_checksum": "another version of the rescorer",
}


@dataclass(frozen=True)
class Group:
    """Perturbed lists of one perturbation, kind and rate.

    Attributes:
        lists: In words: `nbest`, `near 1best`; the directory's name where nothing is known.
        rate: None where nothing is known.
        seeds: In the order of `dirs`; none where nothing is known.
        dirs: The N-best directories, by seed.
        perturbation: `near`; `worst of <tag>`, where each rescorer has its own. Empty where nothing is known.
        kind: `1best` or `nbest`; empty where nothing is known.
    """

    lists: str
    rate: float | None
    seeds: tuple[int, ...]
    dirs: tuple[Path, ...]
    perturbation: str = ""
    kind: str = ""


def group_dirs(infos: Mapping[Path, Mapping[str, Any]], clean_dir: Path) -> list[Group]:
    """Group N-best directories.

    Args:
        infos: What their `nbest.yaml` say.
        clean_dir: What they were made from, whose name theirs may begin with.

    Returns:
        The groups by lists and rate, then those of which nothing is known, by name.

    Raises:
        InputError: A `perturbation` is not one, or the same one stands in two directories.
    """
    known: dict[tuple[str, float, str, str], dict[int, Path]] = {}
    unknown = []
    clean_name = clean_dir.resolve().name
    for path, info in infos.items():
        settings = _settings(info, path) or _settings_by_name(path.resolve().name, clean_name)
        if settings is None:
            unknown.append(Group(path.resolve().name, None, (), (path,)))
            continue
        of_tag = f" of {settings.tag}" if settings.tag else ""
        lists = lists_in_words(settings.perturbation, settings.kind) + of_tag
        by_seed = known.setdefault((lists, settings.rate, settings.perturbation + of_tag, settings.kind), {})
        if settings.seed in by_seed:
            message = f"is {settings.name}, and so is {by_seed[settings.seed]}"
            raise InputError(message, path=path, mend="give each perturbation once")
        by_seed[settings.seed] = path
    groups = [
        Group(lists, rate, tuple(sorted(by_seed)), tuple(by_seed[seed] for seed in sorted(by_seed)), perturbation, kind)
        for (lists, rate, perturbation, kind), by_seed in sorted(known.items())
    ]
    return [*groups, *sorted(unknown, key=lambda group: group.lists)]


def require_versions(clean: NbestSet, clean_dir: Path, perturbed: Mapping[Path, NbestSet]) -> None:
    """Check that the directories are a clean set with references and perturbed versions of it.

    Raises:
        InputError: The clean set is a perturbed one or has no references, or another one has other utterances or
            another metric, says that it was made from other lists, or has other references and does not say from what
            it was made.
    """
    if INFO_KEY in clean.info:
        raise InputError("is perturbed", path=clean_dir, mend="--clean is the directory that it was made from")
    require_refs(clean, clean_dir, FOR_NPRR)
    utts = [one.utt for one in clean]
    for path, nbest in perturbed.items():
        others = [one.utt for one in nbest]
        if others != utts:
            utt = min(set(utts) ^ set(others))
            message = f"utterance {utt} is {'not here' if utt in set(utts) else 'here'}, unlike in {clean_dir}"
            raise InputError(message, path=path, mend="NPRR compares versions of the same utterances")
        require_same_metric(nbest, path / INFO, clean, clean_dir)
        recorded = nbest.info.get(INFO_KEY)
        if not isinstance(recorded, Mapping) or recorded.get(SOURCE_KEY) is None:
            _require_same_refs(clean, clean_dir, nbest, path)
        elif not was_made_from(recorded, clean):
            message = f"was made from other lists than those of {clean_dir}"
            raise InputError(message, path=path, mend="perturb the clean lists again: python -m lorescore perturb")


def require_one_curve(infos: Mapping[Path, Mapping[str, Any]]) -> None:
    """Check that directories whose settings differ in rate and seed alone were made with the same of all else.

    One from elsewhere, which does not say, is taken as it is.

    Args:
        infos: What their `nbest.yaml` say.

    Raises:
        InputError: One was made with another vocabulary or other pronunciations; of `worst`, with another rescorer or
            number of candidates.
    """
    seen: dict[str, tuple[object, Path]] = {}
    for path, info in infos.items():
        recorded = info.get(INFO_KEY)
        for key, what in MADE_WITH.items():
            value = recorded.get(key) if isinstance(recorded, Mapping) else None
            if value is None:
                continue
            other, other_path = seen.setdefault(key, (value, path))
            if value != other:
                message = f"made with {what} than {other_path}"
                mend = "perturb both again in one call, or with one --vocab"
                raise InputError(message, path=path, mend=mend)


def _require_same_refs(clean: NbestSet, clean_dir: Path, nbest: NbestSet, path: Path) -> None:
    for utt, ref in nbest.refs.items():
        if ref != clean.refs[utt]:
            message = f"the reference of {utt} is not that of {clean_dir / 'text'}"
            raise InputError(message, path=path / "text", mend="a perturbation leaves references as they are")


def _settings(info: Mapping[str, Any], path: Path) -> Perturbation | None:
    """What `nbest.yaml` says about the perturbation; None where it says nothing."""
    recorded = info.get(INFO_KEY)
    if recorded is None:
        return None
    if not isinstance(recorded, Mapping):
        raise InputError(f"perturbation is {recorded!r:.60}, expected a mapping", path=path / INFO, mend=MEND_INFO)
    rate, seed = _number(recorded, "rate", float, path), _number(recorded, "seed", int, path)
    kind, name, tag = recorded.get("kind"), recorded.get("perturbation", HOMOPHONE), recorded.get("tag", "")
    if rate is None or seed is None or not all(isinstance(word, str) for word in (kind, name, tag)):
        message = f"perturbation {dict(recorded)!r:.80} lacks a kind, a rate or a seed"
        raise InputError(message, path=path / INFO, mend=MEND_INFO)
    try:
        return Perturbation(str(kind), rate, seed, name, tag)
    except InputError as error:
        raise InputError(error.message, path=path / INFO, mend=error.mend or MEND_INFO) from error


def _number(recorded: Mapping[str, Any], key: str, parse: type[Number], path: Path) -> Number | None:
    """A number of the section `perturbation`, None where it is missing; YAML reads `1e-1` as a text."""
    value = recorded.get(key)
    if value is None:
        return None
    try:
        return parse(str(value))  # as a text, True is no number and 1.5 no whole one
    except ValueError as error:
        message = f"perturbation has the {key} {value!r:.40}, expected a {'whole ' if parse is int else ''}number"
        raise InputError(message, path=path / INFO, mend=MEND_INFO) from error


def _settings_by_name(name: str, clean_name: str) -> Perturbation | None:
    """The perturbation of a directory called `<clean_name>_<perturbation>`; None where it is called something else."""
    prefix = f"{clean_name}_"
    return Perturbation.from_name(name.removeprefix(prefix)) if name.startswith(prefix) else None
