"""What goes back to the user of lattices: the rescored lattices of a set, and its words with times and confidences.

    rescore/<tag>/<set>/lat.1.gz, words.txt    rescored lattices for Kaldi's lattice-* programs (`lattice.rescored`),
                                               and beside them what the times of their words need (`LatticeSource`)
    rescore/<system>/<set>/ctm                 words that the system chose; <system> is <tag> or <tag>_mbr
    rescore/<tag>/<set>/rescored.yaml          how they were made, and the check; written last: without it unfinished

The words of the table that the source lattices have keep their ids; what the lists have besides (the first pass's best
where a lattice is missing) is added at its end. One pass makes all, with one source lattice in memory at a time.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lorescore.combine import ScoredLists, Weights
from lorescore.errors import InputError
from lorescore.files import read_yaml, split_words, write_yaml
from lorescore.lattice.archives import WORDS_FILE, write_lattices
from lorescore.lattice.confidence import Calibration, Posteriors, word_posteriors
from lorescore.lattice.lattices import Lattice
from lorescore.lattice.rescored import (
    first_pass_acoustic_scale,
    lists_with_lattices,
    nbest_paths,
    reproduces,
    rescored_lattice,
)
from lorescore.lattice.source import FOR_TIMES, LatticeSource
from lorescore.lattice.word_paths import WordPaths
from lorescore.lattice.words import write_words
from lorescore.nbest.lists import NbestSet
from lorescore.wer.ctm import CtmWord, timed_words, write_ctm

ARCHIVE, CTM, RECORD = "lat.1.gz", "ctm", "rescored.yaml"
EDITION = 3  # of the files: what an earlier one wrote (no frame_shift beside the lattices) is made again


@dataclass(frozen=True)
class Chosen:
    """What goes back of a set.

    Attributes:
        nbest: The lists.
        lists: The same with the rescorer's scores.
        weights: Of the combined score.
        calibration: Makes the words' confidences.
        hyps: The text of each utterance, by the directory of the system that chose it.
        posteriors: Of the words of hypotheses, at the calibration's scale, as far as they are known.
    """

    nbest: NbestSet
    lists: ScoredLists
    weights: Weights
    calibration: Calibration
    hyps: Mapping[Path, Mapping[str, str]]
    posteriors: Posteriors = field(default_factory=dict)

    def made_from(self, source: LatticeSource | None) -> str:
        """Checksum of all that the files depend on."""
        digest = hashlib.sha256(self.lists.plm.tobytes())
        inputs = (self.nbest.info["checksum"], self.weights, self.calibration, source and source.made_from)
        for part in (*inputs, EDITION):
            digest.update(f"{part}\n".encode())
        for directory, texts in self.hyps.items():
            digest.update(f"{directory} {sorted(texts.items())}\n".encode())
        return digest.hexdigest()


def write_back(set_dir: Path, chosen: Chosen, source: LatticeSource | None) -> dict[str, Any]:
    """Write the rescored lattices and a ctm for each system; what is up to date stays.

    Args:
        set_dir: Where the lattices go: rescore/<tag>/<set>.
        chosen: What goes back.
        source: The lattices of the lists; None: there are none. Then there are no rescored lattices either, the
            confidences are those of the lists, and the words have nominal times.

    Returns:
        What rescored.yaml says: `lattices` (where they come from), `acoustic_scale` (at which a path's cost is minus
        its combined score), `utterances`, `without_lattice`, `without_alignment` (lattices that have none, so that the
        words have nominal times), `differing` (the check: utterances whose best path or its costs are not the
        original's with unchanged scores), `frame_shift`, and what makes the confidences (`Calibration`).

    Raises:
        InputError: A list is not of its lattice, a lattice cannot be read, a file cannot be written, or the lattices
            themselves are in `set_dir`.
    """
    record_path, archive, words_path = (set_dir / name for name in (RECORD, ARCHIVE, WORDS_FILE))
    ctm_paths = [directory / CTM for directory in chosen.hyps]
    made_from = chosen.made_from(source)
    wanted = [record_path, *ctm_paths, *([] if source is None else [archive, words_path])]
    if all(path.is_file() for path in wanted):
        record = read_yaml(record_path)
        if record.get("made_from") == made_from:
            return record
    if source is not None and source.directory.resolve() == set_dir.resolve():
        raise InputError("lattices cannot be rescored into their own directory", path=set_dir, mend="choose another")
    if record_path.is_file():  # else what lies here under these names is somebody else's, or unfinished
        for path in (archive, words_path, *(set_dir / name for name in FOR_TIMES), *ctm_paths, record_path):
            path.unlink(missing_ok=True)
    done = _Pass(chosen, source)
    if source is not None:
        table = source.words.extended(word for one in chosen.nbest for hyp in one.hypotheses for word in hyp.words)
        write_words(words_path, table)
        write_lattices(archive, done.lattices(), table)
        source.copy_beside(set_dir)
    else:
        for _ in done.lattices():
            pass
    for path, words in zip(ctm_paths, done.ctm.values(), strict=True):
        write_ctm(path, words)
    record = {
        "lattices": str(source.directory) if source else None,
        "acoustic_scale": done.acoustic_scale,
        "utterances": len(chosen.nbest),
        "without_lattice": done.without_lattice,
        "without_alignment": len(done.unaligned),
        "differing": done.differing,
        **chosen.calibration.to_dict(),
        "frame_shift": source.frame_shift if source else None,
        "made_from": made_from,
    }
    write_yaml(record_path, record)
    return record


class _Pass:
    """One pass over the lists of a set and their lattices.

    Attributes:
        acoustic_scale: The first pass's.
        ctm: Words by the directory of their system.
        without_lattice: How many lists have no lattice.
        unaligned: Utterances whose lattice has no alignment.
        differing: Utterances that unchanged scores do not reproduce.
    """

    def __init__(self, chosen: Chosen, source: LatticeSource | None) -> None:
        self._chosen, self._source = chosen, source
        self.acoustic_scale = first_pass_acoustic_scale(chosen.nbest)
        self.ctm: dict[Path, list[CtmWord]] = {directory: [] for directory in chosen.hyps}
        self.without_lattice = 0
        self.unaligned: set[str] = set()
        self.differing: list[str] = []

    def lattices(self) -> Iterator[Lattice]:
        """The rescored lattices; what else there is to know of an utterance is kept when its lattice is made."""
        chosen, scale = self._chosen, self.acoustic_scale
        sources = self._source.lattices() if self._source else None
        for one, original in lists_with_lattices(chosen.nbest, sources):
            paths = nbest_paths(one, chosen.lists.plm_costs[one.utt])
            source_paths = WordPaths(original, scale) if original is not None else None
            lattice = rescored_lattice(one.utt, paths, chosen.weights, source=source_paths, acoustic_scale=scale)
            if original is not None:
                unchanged = rescored_lattice(one.utt, paths, Weights(), acoustic_scale=scale)
                if not reproduces(original, unchanged, acoustic_scale=scale):
                    self.differing.append(one.utt)
            else:
                self.without_lattice += 1
            timed: dict[str, list[CtmWord]] = {}  # systems mostly choose the same
            for directory, texts in chosen.hyps.items():
                text = texts[one.utt]
                timed[text] = timed.get(text) or self._words(text, lattice, source_paths)
                self.ctm[directory] += timed[text]
            yield lattice

    def _words(self, text: str, lattice: Lattice, original: WordPaths | None) -> list[CtmWord]:
        """A hypothesis with confidences from the rescored lattice, and times from the original one, if it has any."""
        words, calibration = split_words(text), self._chosen.calibration
        posteriors = self._chosen.posteriors.get((lattice.utt, text))
        if posteriors is None:
            posteriors = word_posteriors(lattice, words, calibration.scale, self.acoustic_scale)
        confidences = calibration.confidences(posteriors)
        path = original.find(words) if original is not None else None
        if path is not None and not path.is_aligned:
            self.unaligned.add(lattice.utt)
        if path is None or self._source is None or not path.is_aligned:
            return timed_words(lattice.utt, words, confidences=confidences)
        spans = self._source.word_spans(path)
        return timed_words(
            lattice.utt, words, confidences=confidences, spans=spans, frame_shift=self._source.frame_shift
        )
