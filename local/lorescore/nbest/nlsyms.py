"""Non-linguistic symbols, such as `[noise]` or `<laugh>`: what a first pass writes and nobody has said.

ESPnet's recipes list them, one a line, in the file that is called `nlsyms_txt` there, and take them out before they
score (`espnet2.bin.tokenize_text --remove_non_linguistic_symbols true`). Here they are taken out of the lists and of
the references as these come in, so that no PLM reads them either. Hypotheses that differ in nothing else are one
then, the first of them, with its score.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import read_lines, single_spaced, split_words
from lorescore.nbest.lists import Hypothesis, NbestList, NbestSet
from lorescore.wer.units import CER


def read_nlsyms(path: Path) -> list[str]:
    """The symbols of a file, one a line.

    Raises:
        InputError: It cannot be read, a line has several words, or there are none.
    """
    symbols = []
    for number, line in read_lines(path):
        words = split_words(line)
        if len(words) > 1:
            raise InputError(f"{len(words)} words, expected one symbol a line", path=path, line=number)
        symbols += words
    if not symbols:
        raise InputError("empty, expected one symbol a line", path=path, mend="leave out --nlsyms_txt")
    return symbols


def without_nlsyms(nbest: NbestSet, symbols: Iterable[str]) -> NbestSet:
    """Lists, contexts and references without symbols: without words that are one; for `cer` wherever one stands."""
    # Of two that begin alike the longer one.
    either = "|".join(re.escape(one) for one in sorted(symbols, key=len, reverse=True))
    pattern = re.compile(either if nbest.metric == CER else rf"(?<!\S)(?:{either})(?!\S)")

    def clean(text: str) -> str:
        # Nothing is left in its place, as in ESPnet, whose score_cer counts spaces.
        return single_spaced(pattern.sub("", text)) if pattern.search(text) else text

    def of_list(one: NbestList) -> NbestList:
        by_text: dict[str, Hypothesis] = {}
        for hypothesis in one.hypotheses:
            text = clean(hypothesis.text)
            by_text.setdefault(text, replace(hypothesis, text=text))
        added = len(by_text) - len(set(map(clean, one.first_pass.texts)))
        context = tuple(filter(None, map(clean, one.context)))
        return replace(one, hypotheses=tuple(by_text.values()), added=added, context=context)

    refs = {utt: clean(ref) for utt, ref in nbest.refs.items()}
    return replace(nbest, lists=tuple(map(of_list, nbest)), refs=refs)
