"""Hypotheses and references in the order of a file -> a checked N-best set; every reader of a format uses it."""

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import as_number, checksum, is_encodable, read_table, single_spaced, split_words
from lorescore.nbest.checks import require_references
from lorescore.nbest.directory import BETWEEN, is_rank, ranked_list
from lorescore.nbest.formats.format import FormatOptions
from lorescore.nbest.lists import Hypothesis, NbestSet

MEND_RANKS = "number the hypotheses of an utterance from 1"


class Collector:
    """Takes hypotheses and references one by one, with the place where they stand, and gives the set."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.acoustic_scale: float | None = None
        self._ranked: dict[str, dict[int, Hypothesis]] = {}
        self._places: dict[str, tuple[Path, int]] = {}
        self._refs: dict[str, str] = {}
        self._contexts: dict[str, tuple[str, ...]] = {}

    def __contains__(self, utt: str) -> bool:
        return utt in self._ranked

    def add(
        self, utt: str, rank: int | None, hypothesis: Hypothesis, *, line: int | None = None, path: Path | None = None
    ) -> None:
        """Take a hypothesis.

        Args:
            utt: Its utterance.
            rank: Its rank, from 1; None: the one after the last of its utterance.
            hypothesis: With its words joined by single spaces (`words_of`).
            line: Where it stands.
            path: In which file, where it is not that of the collector.

        Raises:
            InputError: The id is no id, the rank is taken, or the score is not a finite number.
        """
        path = path or self.path
        if utt not in self._ranked:
            require_utt(utt, path, line)
            self._ranked[utt], self._places[utt] = {}, (path, line or 1)
        ranked = self._ranked[utt]
        if rank is None:
            rank = len(ranked) + 1
        if rank < 1:
            raise InputError(
                f"rank {rank} of utterance {utt}, expected 1 or more", path=path, line=line, mend=MEND_RANKS
            )
        if rank in ranked:
            message = f"rank {rank} of utterance {utt} for the second time"
            raise InputError(message, path=path, line=line, mend="keep one hypothesis a rank")
        if not math.isfinite(hypothesis.score):
            message = f"the score of rank {rank} of utterance {utt} is {hypothesis.score}, expected a finite number"
            raise InputError(message, path=path, line=line, mend="score it again or leave it out of the list")
        ranked[rank] = hypothesis

    def add_reference(self, utt: str, ref: str, *, line: int | None = None) -> None:
        """Take a reference; the same one may come with every hypothesis.

        Raises:
            InputError: It differs from the one before.
        """
        if self._refs.setdefault(utt, ref) != ref:
            message = f"another reference for utterance {utt}: {self._refs[utt]!r:.40} and {ref!r:.40}"
            raise InputError(message, path=self.path, line=line, mend="keep one")

    def add_context(self, utt: str, context: tuple[str, ...], *, line: int | None = None) -> None:
        """Take what stands before an utterance; the same may come with every hypothesis.

        Raises:
            InputError: It differs from what came before, or an utterance of it cannot be kept apart from the next.
        """
        if BETWEEN in (word for text in context for word in split_words(text)):
            message = f"{BETWEEN} in the context of utterance {utt}, which stands between two utterances"
            raise InputError(message, path=self.path, line=line, mend="take it out")
        if self._contexts.setdefault(utt, context) != context:
            raise InputError(f"another context for utterance {utt}", path=self.path, line=line, mend="keep one")

    def take_scale(self, scale: float, *, line: int | None = None) -> None:
        """Take the acoustic scale of costs in parts, which is that of the whole set.

        Raises:
            InputError: It differs from the one before.
        """
        if self.acoustic_scale not in (None, scale):
            message = f"acoustic_scale {scale}, but {self.acoustic_scale} before"
            raise InputError(message, path=self.path, line=line, mend="take lists that were made at one scale")
        self.acoustic_scale = scale

    def nbest_set(self, source: str, options: FormatOptions, inputs: Iterable[Path]) -> NbestSet:
        """The set, sorted by utterance.

        Args:
            source: The format's name.
            options: `ref` takes the place of the references that were collected.
            inputs: The files that were read; `ref` and `utts` are added to them.

        Raises:
            InputError: There are no hypotheses, a rank is missing, or there are references but not of the same
                utterances.
        """
        if not self._ranked:
            raise InputError("no hypotheses here", path=self.path, mend="check the path, or give the format: --format")
        ranks_mend = "complete the list, or number its hypotheses from 1"
        lists = tuple(
            replace(ranked_list(utt, self._ranked[utt], self.path, ranks_mend), context=self._contexts.get(utt, ()))
            for utt in sorted(self._ranked)
        )
        refs = self._refs
        if options.ref is not None:
            refs = read_table(options.ref, mend="correct --ref")
            if not refs:
                raise InputError("empty, expected `utt words`", path=options.ref, mend="correct --ref")
            require_references(self._places, refs, self.path, options.ref)
        elif refs and refs.keys() != self._ranked.keys():
            alone = min(refs.keys() ^ self._ranked.keys())
            has, lacks = ("reference", "hypothesis") if alone in refs else ("hypothesis", "reference")
            mend = "give all references or none, or give them with --ref"
            raise InputError(f"utterance {alone} has a {has} but no {lacks}", path=self.path, mend=mend)
        files = [*inputs, *(path for path in (options.ref, options.utts) if path is not None)]
        info: dict[str, object] = {"source": source, "input_checksum": checksum(files)}
        if self.acoustic_scale is not None:
            info["acoustic_scale"] = self.acoustic_scale
        return NbestSet(lists, refs, info)


def require_utt(utt: str, path: Path, line: int | None) -> None:
    """Check that an utterance id is one word, as in every format that it may go to.

    Raises:
        InputError: It is empty, has white space in it, or is no Unicode text.
    """
    if split_words(utt) != [utt] or words_of(utt, path, line) != utt:
        message = f"the utterance id {utt!r:.60} is empty or has white space in it"
        raise InputError(message, path=path, line=line, mend="make it one word")


def words_of(text: str, path: Path, line: int | None) -> str:
    """The words of a text joined by single spaces.

    Raises:
        InputError: The text has half a surrogate pair (`\\ud83d` alone in JSON), which is no character.
    """
    if not is_encodable(text):
        message = f"half a surrogate pair in the text {text!r:.60}"
        raise InputError(message, path=path, line=line, mend="write the character itself, in UTF-8")
    return single_spaced(text)


def parse_score(word: str, path: Path, line: int | None) -> float:
    """A finite number.

    Raises:
        InputError: It is none.
    """
    score = as_number(word)
    if not math.isfinite(score):
        message = f"the score is {word!r:.40}, expected a finite number"
        raise InputError(message, path=path, line=line, mend="score this hypothesis again or leave it out of the list")
    return score


def parse_rank(word: str, path: Path, line: int | None) -> int:
    """A rank from 1.

    Raises:
        InputError: It is none.
    """
    if not is_rank(word):
        raise InputError(f"the rank is {word!r:.40}, expected 1, 2, ...", path=path, line=line, mend=MEND_RANKS)
    return int(word)
