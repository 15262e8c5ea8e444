"""N-gram language models: estimated from a Kaldi `text` file, read from and written to ARPA files, texts scored.

The estimate is an interpolated Kneser-Ney model without pruning (Chen and Goodman, "An empirical study of smoothing
techniques for language modeling", 1999), the same at each run. The discounted probabilities are those of the Python
package kaldingram, after Kaldi's utils/lang/make_kn_lm.py and SRILM's `ngram-count -ukndiscount`. That model is not
interpolated: backing off is often cheaper there than an n-gram that the model has, and a decoding graph, whose back-off
arcs are always open, would not search the model. Interpolated, no n-gram costs more than to back off from it.

Such a model knows the words of its text only. Further words share the probability of meeting a word for the first time,
which is the share of tokens whose word occurs once (Good, "The population frequencies of species", Biometrika 1953);
how these two are put together is this project's own.
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from math import isfinite, log, log10
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import atomic_write, read_lines, read_table, split_words
from lorescore.lattice.words import EPSILON_SYMBOL

BOS, EOS, UNKNOWN = "<s>", "</s>", "<unk>"
SPECIAL_WORDS = (BOS, EOS, UNKNOWN, "<UNK>")
BACKOFF = "#0"  # in graphs the symbol of back-off arcs
NO_WORDS = (*SPECIAL_WORDS, EPSILON_SYMBOL, BACKOFF)
# kaldingram's; of order 1 it has models as well, but version 0.1.2 counts the first word of each line only.
MIN_ORDER, MAX_ORDER = 2, 5
NATS = log(10.0)  # of a base-10 logarithm, which is what ARPA files have
MIN_BACKOFF = 1e-10  # of a history whose probabilities add up to one without backing off, but for rounding
ARPA_MEND = "expected an ARPA file, as SRILM, KenLM or IRSTLM write it"


@dataclass
class NgramModel:
    """A back-off n-gram model.

    Attributes:
        order: Length of its longest n-grams.
        log_probs: Base-10 log probability of each n-gram's last word after the others.
        backoffs: Base-10 log back-off weight of each n-gram that has one.
    """

    order: int
    log_probs: dict[tuple[str, ...], float] = field(default_factory=dict)
    backoffs: dict[tuple[str, ...], float] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "NgramModel":
        """Read an ARPA file.

        Raises:
            InputError: It cannot be read, or is not an ARPA file, or has other numbers of n-grams than it says.
        """
        model = cls(order=0)
        promised: Counter[int] = Counter()
        found: Counter[int] = Counter()
        for number, line, order in _sections(path):
            fields = split_words(line)
            if not fields or order < 0:
                continue
            try:
                if not order:
                    if fields[0] == "ngram":
                        name, _, count = "".join(fields[1:]).partition("=")
                        promised[int(name)] = int(count)
                    continue
                words = tuple(fields[1 : order + 1])
                if len(words) < order or len(fields) > order + 2:
                    raise ValueError
                model.log_probs[words] = _finite(fields[0])
                if len(fields) == order + 2:
                    model.backoffs[words] = _finite(fields[order + 1])
            except ValueError as error:
                raise InputError(
                    f"not a line of an ARPA file: {line!r}", path=path, line=number, mend=ARPA_MEND
                ) from error
            found[order] += 1
        if not promised or +promised != found:
            raise InputError(
                f"n-grams by order are {dict(found)}, expected {dict(promised)}", path=path, mend=ARPA_MEND
            )
        model.order = max(found)
        return model

    def write(self, path: Path) -> None:
        """Write an ARPA file, n-grams of an order in the order in which the model has them."""
        by_order: dict[int, list[tuple[str, ...]]] = {order: [] for order in range(1, self.order + 1)}
        for words in self.log_probs:
            by_order[len(words)].append(words)
        with atomic_write(path) as file:
            file.write("\n\\data\\\n")
            file.writelines(f"ngram {order}={len(ngrams)}\n" for order, ngrams in by_order.items())
            for order, ngrams in by_order.items():
                file.write(f"\n\\{order}-grams:\n")
                for words in ngrams:
                    backoff = f"\t{self.backoffs[words]:.7f}" if words in self.backoffs else ""
                    file.write(f"{self.log_probs[words]:.7f}\t{' '.join(words)}{backoff}\n")
            file.write("\n\\end\\\n")

    @property
    def words(self) -> list[str]:
        """Its words, sorted, without sentence ends and the unknown word."""
        return sorted(words[0] for words in self.log_probs if len(words) == 1 and words[0] not in SPECIAL_WORDS)

    def lm_cost(self, text: str) -> float:
        """Negative log probability of a sentence with its end, in nats.

        Args:
            text: Words separated by white space. One that the model has not counts as the unknown word.

        Raises:
            InputError: A word is not in the model, and the model has no unknown word.
        """
        history: tuple[str, ...] = (BOS,)
        cost = 0.0
        for word in [*split_words(text), EOS]:
            known = self._known(word)
            cost -= NATS * self.log_prob(history, known)
            history = (*history, known)[-(self.order - 1) :] if self.order > 1 else ()
        return cost

    def log_prob(self, history: tuple[str, ...], word: str) -> float:
        """Base-10 log probability of a word that the model has, after at most `order` - 1 words."""
        backoff = 0.0
        while (*history, word) not in self.log_probs:
            backoff += self.backoffs.get(history, 0.0)
            history = history[1:]
        return backoff + self.log_probs[(*history, word)]

    def _known(self, word: str) -> str:
        for candidate in (word, UNKNOWN, "<UNK>"):
            if (candidate,) in self.log_probs:
                return candidate
        raise InputError(f"word {word} is not in the n-gram model", mend="add it to the model's word list")


def estimate_arpa(text_path: Path, arpa_path: Path, *, order: int = 3, extra_words: Collection[str] = ()) -> None:
    """Estimate an n-gram model.

    Args:
        text_path: A Kaldi `text` file, `utt word word...`.
        arpa_path: The ARPA file to write.
        order: Length of the longest n-grams, 2 to 5.
        extra_words: Words that the model is to know besides those of the text.

    Raises:
        InputError: The text has no words or has a special word such as <s>, the order is out of range, or the
            estimation fails.
    """
    if not MIN_ORDER <= order <= MAX_ORDER:
        raise InputError(f"n-gram order {order}, expected {MIN_ORDER} to {MAX_ORDER}")
    sentences = [split_words(text) for text in read_table(text_path).values()]
    counts = Counter(word for words in sentences for word in words)
    for words, path in ((counts, text_path), (extra_words, None)):
        for word in words:
            if word in NO_WORDS or split_words(word) != [word]:
                raise InputError(f"{word!r} cannot be a word of an n-gram model", path=path, mend="take it out")
    if not counts:
        raise InputError("no words to estimate an n-gram model from", path=text_path)
    unseen = sorted(set(extra_words) - counts.keys())
    with tempfile.TemporaryDirectory() as folder:
        plain, estimate = Path(folder) / "text", Path(folder) / "arpa"
        with atomic_write(plain) as file:
            file.writelines(f"{' '.join(words)}\n" for words in sentences if words)
        _run_kaldingram(plain, estimate, order)
        discounted = NgramModel.read(estimate)
    if unseen:
        once = sum(count == 1 for count in counts.values())
        _share(discounted, unseen, max(once, 1) / (counts.total() + 1))
    _interpolated(discounted).write(arpa_path)


def _run_kaldingram(text: Path, arpa: Path, order: int) -> None:
    """Estimate in a process of its own: kaldingram writes progress bars and turns the garbage collector off."""
    command = [sys.executable, "-m", "kaldingram.cli", "train"]
    done = subprocess.run(
        [*command, "--ngram-order", str(order), "--text", str(text), "--lm", str(arpa)],
        env={**os.environ, "TQDM_DISABLE": "1"},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise InputError(f"kaldingram failed with status {done.returncode}: {last}", mend="pip install kaldingram")


def _share(model: NgramModel, unseen: list[str], mass: float) -> None:
    """Give the probability `mass` to further unigrams, in equal shares, at the cost of the others."""
    for words in model.log_probs:
        if len(words) == 1 and words != (BOS,):
            model.log_probs[words] += log10(1.0 - mass)
    model.log_probs |= {(word,): log10(mass / len(unseen)) for word in unseen}


def _interpolated(discounted: NgramModel) -> NgramModel:
    """From discounted probabilities f to p(w | h) = f(w | h) + g(h) p(w | h without its first word).

    g(h) is what the discounts left over, 1 - sum of f(w | h) over w: the back-off weight of h.
    """
    left: dict[tuple[str, ...], float] = defaultdict(lambda: 1.0)
    for words, log_prob in discounted.log_probs.items():
        left[words[:-1]] -= 10.0**log_prob
    model = NgramModel(discounted.order)
    probs: dict[tuple[str, ...], float] = {}
    for words, log_prob in sorted(discounted.log_probs.items(), key=lambda item: len(item[0])):
        probs[words] = 10.0**log_prob
        if len(words) > 1:
            probs[words] += max(left[words[:-1]], 0.0) * probs[words[1:]]
        model.log_probs[words] = log10(probs[words])
        if words in left:
            model.backoffs[words] = log10(max(left[words], MIN_BACKOFF))
    return model


def _sections(path: Path) -> Iterator[tuple[int, str, int]]:
    """The lines of an ARPA file: number, text, and the order of the section, 0 in the head; section titles as order -1.

    Raises:
        InputError: There is no end mark.
    """
    if path.suffix == ".gz":
        raise InputError("a compressed ARPA file", path=path, mend="gunzip it")
    order = 0
    for number, line in read_lines(path):
        if line.strip() == "\\end\\":
            yield number, line, -1
            return
        if line.startswith("\\"):
            order = _title_order(line.strip())
            yield number, line, -1
        else:
            yield number, line, order
    raise InputError("no \\end\\ in the file: it is cut off or is no ARPA file", path=path, mend=ARPA_MEND)


def _finite(field: str) -> float:
    """A number. Probabilities of 0 are -99 in ARPA files, which no program reads with infinities."""
    value = float(field)
    if not isfinite(value):
        raise ValueError
    return value


def _title_order(title: str) -> int:
    """3 of `\\3-grams:`; 0 of `\\data\\`."""
    digits = title.removeprefix("\\").removesuffix("-grams:")
    return int(digits) if digits.isdigit() else 0
