"""The lattices of a set and what stands beside them: words, and what times need: frame shift, tokens, lexicon.

    lat.J.gz, words.txt    Kaldi's archives (or .slf files: see `read_lattices`)
    frame_shift            seconds from one frame of the alignments to the next, as Kaldi's data directories have it
    tokens.txt             `token id`: the tokens of the alignments, where the acoustic model is a CTC model:
                           <eps> 0, the blank 1 and so on, or the blank 0 and so on, as icefall has them
    lexicon.txt            `word token token...`: the words in these tokens, a line for each pronunciation

A determinized lattice has its words before or after what is emitted for them; Kaldi has lattice-align-words for that.
Here the lexicon says which tokens a word is of. Without one, where the tokens are SentencePiece units, a word begins
where its first unit does.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from lorescore.choices import require_positive
from lorescore.errors import InputError
from lorescore.files import CHECK_PATH, as_number, atomic_write, behind_link, checksum, read_lines, whole_file
from lorescore.lattice.archives import WORDS_FILE, have_word_ids, read_lattices, words_beside
from lorescore.lattice.lattices import EPSILON, Lattice
from lorescore.lattice.lexicon import SPACE, Lexicon, read_lexicon
from lorescore.lattice.word_paths import AlignedPath
from lorescore.lattice.words import EPSILON_SYMBOL, WORD_BEGIN, WordTable, read_words

TOKENS_FILE, LEXICON_FILE, FRAME_SHIFT_FILE = "tokens.txt", "lexicon.txt", "frame_shift"
FOR_TIMES = (TOKENS_FILE, LEXICON_FILE, FRAME_SHIFT_FILE)
FRAME_SHIFT_S = 0.01  # of most Kaldi models; what stage 3 writes has a file that says another
BLANK = 1  # token-id of the CTC blank: the first token, as id 0 is none

Span = tuple[int, int]


@dataclass(frozen=True)
class LatticeSource:
    """The lattices that the lists of a set are of.

    Attributes:
        directory: Where they are.
        frame_shift: Seconds from one frame of their alignments to the next.
        words: Their words; empty where they have no ids (SLF).
        tokens: The tokens of their alignments, where known.
        lexicon: The words in these tokens, where known.
    """

    directory: Path
    frame_shift: float
    words: WordTable
    tokens: WordTable | None
    lexicon: Lexicon = field(default_factory=dict)

    @classmethod
    def read(cls, directory: Path, frame_shift: float | None = None, words_path: Path | None = None) -> "LatticeSource":
        """Read what stands beside the lattices; that they can be read is known before hours of scoring.

        Args:
            directory: With lattices as `read_lattices` wants them; words.txt; tokens.txt, lexicon.txt and frame_shift,
                where there are any.
            frame_shift: None: what the file says, else FRAME_SHIFT_S.
            words_path: The words of Kaldi's lattices; None: the words.txt beside them.

        Raises:
            InputError: This is no directory with lattices, Kaldi's have no words.txt, a file is not of its format, or
                the frame shift is not above 0.
        """
        tokens_path, lexicon_path = directory / TOKENS_FILE, directory / LEXICON_FILE
        if not directory.is_dir():
            message = "a file, expected the directory of the lattices" if directory.exists() else "no such directory"
            raise InputError(message, path=directory, mend=CHECK_PATH)
        if frame_shift is None and (directory / FRAME_SHIFT_FILE).is_file():
            frame_shift = read_frame_shift(directory)
        shift = FRAME_SHIFT_S if frame_shift is None else frame_shift
        require_positive("frame shift", shift, "give that of the first pass, in seconds")
        tokens = _read_tokens(tokens_path) if tokens_path.is_file() else None
        lexicon: Lexicon = {}
        if tokens is not None and lexicon_path.is_file():
            lexicon = read_lexicon(lexicon_path, {token: token for token in tokens.words.values()})
        words = WordTable({0: EPSILON_SYMBOL})
        if words_path is not None:
            words = read_words(words_path)
        elif have_word_ids(directory) or (directory / WORDS_FILE).is_file():
            words = words_beside(directory)
        return cls(directory, shift, words, tokens, lexicon)

    def copy_beside(self, directory: Path) -> None:
        """Put what times need beside other lattices with the same alignments."""
        for name in (TOKENS_FILE, LEXICON_FILE):
            if (self.directory / name).is_file():
                with whole_file(directory / name) as copied:
                    shutil.copyfile(self.directory / name, copied)
        with atomic_write(directory / FRAME_SHIFT_FILE) as file:
            file.write(f"{self.frame_shift}\n")

    def lattices(self) -> Iterator[Lattice]:
        """The lattices, one at a time; some may have no path."""
        return read_lattices(self.directory, self.words, require_path=False)

    @cached_property
    def made_from(self) -> str:
        """What identifies them; read once for all rescorers, as they may be many gigabytes."""
        files = sorted(path for path in self.directory.iterdir() if path.is_file())
        words = [self.words.path] if self.words.path and self.words.path not in files else []
        return f"{checksum([*files, *words])} {self.frame_shift}"

    def word_spans(self, path: AlignedPath) -> list[Span]:
        """First frame of each word of a path and the frame after its last; a word lasts until the next one begins.

        Where the tokens are known and spell the words, or as many of them begin words as there are words, a word begins
        with its first token, and the last one ends with its last; else the words are where their arcs are. In a lattice
        of Kaldi's lattice-align-words, which has silence on arcs of its own, they are on their own arcs alone.
        """
        words = path.word_alignments()[:-1]
        frames = [*(token for arc in path.arcs for token in arc.alignment), *path.final.alignment]
        begins = self._word_begins(frames, [arc.word for arc in path.arcs if arc.word != EPSILON])
        if words and len(begins) == len(words):
            end = 1 + max(index for index, token in enumerate(frames) if token != BLANK)
            return list(zip(begins, [*begins[1:], end], strict=True))
        if _is_word_aligned(path):
            ends = np.cumsum([0, *(len(arc.alignment) for arc in path.arcs)]).tolist()
            return [(ends[at], ends[at + 1]) for at, arc in enumerate(path.arcs) if arc.word != EPSILON]
        ends = np.cumsum([0, *map(len, words)]).tolist()
        return list(zip(ends[:-1], ends[1:], strict=True))

    def _word_begins(self, frames: Sequence[int], words: Sequence[str]) -> list[int]:
        """The frames at which CTC emits the first token of each word; none where that is not known."""
        if self.tokens is None:
            return []
        emitted = {
            index: self.tokens.words.get(token, "")
            for index, (before, token) in enumerate(zip([BLANK, *frames], frames, strict=False))
            if token not in (before, BLANK)
        }
        places = list(emitted)
        if begins := self._spelled(list(emitted.values()), words):
            return [places[begin] for begin in begins]
        return [index for index, token in emitted.items() if token.startswith(WORD_BEGIN)]

    def _spelled(self, tokens: Sequence[str], words: Sequence[str]) -> Sequence[int]:
        """Which tokens begin words, by the lexicon; none where the tokens are not pronunciations of the words.

        There may be a space before a word. If there are several ways, it is one in which the last words are longest.
        """
        begins_of: dict[int, tuple[int, ...]] = {0: ()}  # by the place where the words so far end
        for word in words:
            longer: dict[int, tuple[int, ...]] = {}
            for end, begins in sorted(begins_of.items()):
                begin = end + (tokens[end : end + 1] == [SPACE])
                for units in self.lexicon.get(word, ()):
                    if tuple(tokens[begin : begin + len(units)]) == units:
                        longer.setdefault(begin + len(units), (*begins, begin))
            begins_of = longer
        return begins_of.get(len(tokens), ())


def _is_word_aligned(path: AlignedPath) -> bool:
    """Whether silence and each word have arcs of their own. In a decoder's raw lattice an arc emits one id at most."""
    has_silence = any(arc.word == EPSILON and len(arc.alignment) > 1 for arc in path.arcs)
    return has_silence and all(arc.alignment for arc in path.arcs if arc.word != EPSILON)


def _read_tokens(path: Path) -> WordTable:
    """The tokens of alignments, where id 0 is none; in a table that gives it to the blank they are one lower.

    Raises:
        InputError: As `read_words`.
    """
    tokens = read_words(path)
    if tokens.words.get(0, EPSILON_SYMBOL) == EPSILON_SYMBOL:
        return tokens
    return replace(tokens, words={number + 1: token for number, token in tokens.words.items()})


def read_frame_shift(directory: Path) -> float:
    """Seconds from one frame to the next, as the first pass wrote them beside its posteriors or lattices.

    Raises:
        InputError: There is no such file, or no number above 0 in its first line.
    """
    path = behind_link(directory / FRAME_SHIFT_FILE)
    mend = "give --frame_shift: hop length x subsampling / sampling rate"
    said = next((line.strip() for _, line in read_lines(path, mend=mend)), "")
    if 0 < (shift := as_number(said)) < float("inf"):
        return shift
    raise InputError(f"expected seconds, found {said!r:.60}", path=path, line=1, mend=mend)
