"""`perturb`: stage 8, perturbations of N-best directories.

For each clean directory `<set>`, perturbation, kind, rate and seed it writes
`<out_dir>/<set>_<perturbation>_<kind>_p<rate>_s<seed>`, homophones without their name:
`<set>_<kind>_p<rate>_s<seed>`; `worst` has the rescorer's tag after its name. The words' pronunciations, homophones
and, where asked for, near-homophones go to `<lexicon_dir>/{lexicon,homophones,near}.txt`.
"""

import argparse
import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lorescore.choices import parse_numbers, require_choice
from lorescore.cli.cache_options import add_cache_argument, cache_path
from lorescore.cli.lexicon_options import add_lexicon_arguments, read_clean, read_pronunciations
from lorescore.cli.progress import progress
from lorescore.cli.rescore import require_rescorers
from lorescore.cli.standard_output import discard_standard_output
from lorescore.errors import InputError
from lorescore.files import read_table, read_yaml
from lorescore.nbest import NbestSet, write_nbest_dir
from lorescore.nbest.directory import content_checksum, require_replaceable
from lorescore.nbest.info import INFO, begin_writing
from lorescore.perturb import (
    KINDS,
    NUM_CANDIDATES,
    PERTURBATIONS,
    WORST,
    HomophoneLexicon,
    Perturbation,
    Perturbed,
    is_up_to_date,
    perturb,
    perturb_worst,
)
from lorescore.perturb.expansion import Expansion
from lorescore.perturb.sets import COUNTS_FILE, INFO_KEY
from lorescore.perturb.settings import HOMOPHONE, NEAR, SPLIT
from lorescore.perturb.worst import require_candidates, worst_versions
from lorescore.scoring.directories import Scoring
from lorescore.scoring.sets import rescorer_checksum

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument("--nbest_dir", type=Path, nargs="+", required=True, help="clean N-best directories to perturb")
    parser.add_argument(
        "--perturbations",
        default=HOMOPHONE,
        help=f"{'; '.join(f'{name}: {what}' for name, what in PERTURBATIONS.items())} (default: %(default)s)",
    )
    parser.add_argument(
        "--kinds",
        default="1best nbest",
        help="1best: the rank-1 hypothesis alone; nbest: every hypothesis (default: '%(default)s')",
    )
    parser.add_argument(
        "--rates",
        default="0.1 0.3",
        help="chances, 0 to 1, that a replaceable word is replaced (default: '%(default)s')",
    )
    parser.add_argument("--seeds", default="1 2 3", help="one perturbation each (default: '%(default)s')")
    add_lexicon_arguments(parser, "--nbest_dir")
    parser.add_argument("--tags", default="", help="worst: the rescorers of --plm_dir to deceive, separated by spaces")
    parser.add_argument("--plm_dir", type=Path, default=Path("exp/plm"), help="worst (default: %(default)s)")
    parser.add_argument(
        "--num_candidates",
        type=int,
        default=NUM_CANDIDATES,
        help="worst: versions of a hypothesis that the rescorer chooses from (default: %(default)s)",
    )
    add_cache_argument(parser, "worst, <plm_dir>/..")
    parser.add_argument("--out_dir", type=Path, default=Path("exp/nbest"), help="(default: %(default)s)")
    parser.add_argument("--lexicon_dir", type=Path, default=Path("exp/lexicon"), help="(default: %(default)s)")


def run(args: argparse.Namespace) -> None:
    """Write every perturbed directory that is not there yet, and print one line for each.

    Raises:
        InputError: A perturbation, kind, rate, seed or rescorer that does not exist, a directory that is unfinished or
            perturbed already or would be written twice, or a lexicon or vocabulary that cannot be used.
    """
    settings = _settings(args)
    clean = read_clean(args.nbest_dir, "give the clean N-best directory")
    expansions = [Expansion.of(nbest, path) for nbest, path in zip(clean.values(), args.nbest_dir, strict=True)]
    out_dirs = _out_dirs(clean, settings, args)
    lexicon = read_pronunciations(args, clean.values(), args.perturbations.split())
    lexicon.write(args.lexicon_dir)
    if any(one.perturbation == NEAR for one in settings):
        lexicon.near.write(args.lexicon_dir)
    for (set_name, nbest), expansion in zip(clean.items(), expansions, strict=True):
        of_set = out_dirs[set_name]
        for one in (one for one in settings if one.perturbation != WORST):
            made = _finished(of_set[one], nbest, lexicon, one)
            _report(of_set[one], made or _write(of_set[one], perturb(nbest, lexicon, one), expansion), bool(made))
        for tag in dict.fromkeys(one.tag for one in settings if one.perturbation == WORST):
            group = {one: of_set[one] for one in settings if one.tag == tag}
            for out_dir, info, was_there in _make_worst(group, nbest, lexicon, expansion, args.plm_dir / tag, args):
                _report(out_dir, info, was_there)


def _settings(args: argparse.Namespace) -> list[Perturbation]:
    """Every combination, once; `worst` for each rescorer."""
    perturbations, kinds, tags = args.perturbations.split(), args.kinds.split(), args.tags.split()
    for name in perturbations:
        require_choice("--perturbations", name, PERTURBATIONS)
    if not perturbations or not kinds:
        what = f"--kinds {' or '.join(KINDS)}" if perturbations else f"--perturbations {' or '.join(PERTURBATIONS)}"
        raise InputError("nothing to perturb", mend=f"give {what}")
    if WORST in perturbations and not tags:
        raise InputError(f"--perturbations {WORST} without a rescorer", mend="give its tag: --tags")
    require_candidates(args.num_candidates)
    if WORST in perturbations:
        require_rescorers(tags, args.plm_dir)
    hows = [(name, tag) for name in perturbations for tag in (tags if name == WORST else [""])]
    numbers = parse_numbers("--rates", args.rates, float), parse_numbers("--seeds", args.seeds, int)
    combinations = itertools.product(hows, kinds, *numbers)
    return list(dict.fromkeys(Perturbation(kind, rate, seed, *how) for how, kind, rate, seed in combinations))


def _out_dirs(
    names: Iterable[str], settings: Sequence[Perturbation], args: argparse.Namespace
) -> dict[str, dict[Perturbation, Path]]:
    """Where each perturbation of each set goes.

    Raises:
        InputError: Two would go to one directory: `near` of dev, and homophones of a set that is called dev_near.
    """
    taken = {path.resolve(): "a clean set" for path in args.nbest_dir}
    out_dirs = {name: {one: args.out_dir / f"{name}_{one.name}" for one in settings} for name in names}
    for name, of_set in out_dirs.items():
        for one, path in of_set.items():
            what = f"{one.name} of {name}"
            if (other := taken.setdefault(path.resolve(), what)) != what:
                message = f"would hold both {other} and {what}"
                raise InputError(message, path=path, mend="call one of the sets something else")
    return out_dirs


def _make_worst(
    out_dirs: Mapping[Perturbation, Path],
    nbest: NbestSet,
    lexicon: HomophoneLexicon,
    expansion: Expansion | None,
    rescorer_dir: Path,
    args: argparse.Namespace,
) -> Iterator[tuple[Path, Mapping[str, Any], bool]]:
    """The worst versions of a set for one rescorer: directory, what its `nbest.yaml` says, whether it was there.

    The rescorer scores the distinct candidates of all that are missing together.
    """
    versions = {"rescorer_checksum": rescorer_checksum(rescorer_dir)}
    wanted = worst_versions(args.num_candidates, versions)
    found = {one: _finished(path, nbest, lexicon, one, wanted) for one, path in out_dirs.items()}
    yield from ((out_dirs[one], info, True) for one, info in found.items() if info)
    missing = [one for one, info in found.items() if not info]
    if missing:
        cache = cache_path(args.score_cache, args.plm_dir.parent)
        scoring = Scoring(cache_path=cache, progress=progress)
        score = partial(scoring.score_texts, rescorer_dir, what=WORST)
        worst = perturb_worst(nbest, lexicon, missing, score, args.num_candidates, versions)
        for one, made in zip(missing, worst, strict=True):
            yield out_dirs[one], _write(out_dirs[one], made, expansion), False


def _finished(
    out_dir: Path,
    nbest: NbestSet,
    lexicon: HomophoneLexicon,
    settings: Perturbation,
    versions: Mapping[str, Any] | None = None,
) -> dict[str, Any] | None:
    """What `nbest.yaml` says where the directory is complete and is what would be written, else None."""
    if not (out_dir / INFO).is_file() or not (out_dir / COUNTS_FILE).is_file():
        return None
    info = read_yaml(out_dir / INFO)
    if info.get("checksum") != content_checksum(out_dir) or _table(out_dir / "text") != nbest.refs:
        return None
    return info if is_up_to_date(info, nbest, lexicon, settings, versions) else None


def _write(out_dir: Path, made: Perturbed, expansion: Expansion | None) -> Mapping[str, Any]:
    """Write the directory, expanded where the clean lists are, and give back what `nbest.yaml` says.

    Raises:
        InputError: Somebody else's files are there, or it cannot be written.
    """
    require_replaceable(out_dir)
    if expansion is not None:
        made = made.expanded(expansion)
    # Scores of other texts, somebody's own too; write_nbest_dir removes the rest of what stood there before.
    texts = {key: text for one in made.nbest for key, text in zip(one.nbest_keys(), one.texts, strict=True)}
    if _table(out_dir / "words_text") != texts:
        for stale in out_dir.glob("lmwt.*"):
            stale.unlink(missing_ok=True)
    begin_writing(out_dir)  # the file `perturbed` never stands beside lists that it is not of
    made.write_counts(out_dir)
    write_nbest_dir(out_dir, made.nbest)
    return made.nbest.info


def _table(path: Path) -> Mapping[str, str]:
    """What stands in a file; nothing where there is none, or it is damaged."""
    try:
        return read_table(path)
    except InputError:
        return {}


def _report(out_dir: Path, info: Mapping[str, Any], was_there: bool) -> None:
    """One line for a directory, and a warning where nothing could be replaced there."""
    counts = info[INFO_KEY]
    try:
        print(f"{out_dir}: {_summary(counts)}{' (was there)' if was_there else ''}", flush=True)
    except BrokenPipeError:  # who reads has enough; the directories are made all the same
        discard_standard_output()
    if counts["words"] and not counts["replaceable"] and counts["perturbation"] in (NEAR, SPLIT):
        logger.warning("%s: none of the %d words can be replaced: these are the clean lists", out_dir, counts["words"])


def _summary(counts: Mapping[str, Any]) -> str:
    """The shares replaceable and replaced, in words."""
    replaceable = 100 * counts["replaceable"] / max(1, counts["words"])
    replaced = 100 * counts["replaced"] / max(1, counts["words"])
    return (
        f"{counts['words']} words, {replaceable:.1f} % replaceable, {replaced:.1f} % replaced, "
        f"{counts['hypotheses_changed']} of {counts['hypotheses']} hypotheses changed"
    )
