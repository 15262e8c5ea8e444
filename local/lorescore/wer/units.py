"""What errors are counted in: words, or characters for languages that are written without spaces.

`wer`: a word is what ASCII white space separates (`lorescore.files.split_words`).

`cer`: a character is a Unicode code point, as for Kaldi's steps/scoring/score_kaldi_cer.sh and ESPnet's `char`
tokenizer. No text is normalized: a full-width Latin letter is not the ASCII one, and a combining mark that is written
apart, as in NFD, is a character of its own; reference and hypothesis should be of one form, best NFC
(`first_decomposed`). White space, U+3000 too, separates and is not counted, so that texts that differ in nothing but
their segmentation are equal. Kaldi takes `<...>`, `[...]` and `!SIL` for one unit where a word has any of them; here
they are one unit each, wherever they stand, so that `<unk>` in a text without spaces does not swallow the sentence.
Where such words stand alone, as they do in what Kaldi writes, the two are the same.

ESPnet's `score_cer` counts otherwise: a space is the token `<space>`, and `<unk>` is five characters
(`espnet_characters`). On texts without spaces, as Mandarin and Japanese recipes have them, it comes to the same.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lorescore.errors import InputError
from lorescore.files import split_words

WER, CER = "wer", "cer"
METRICS = (WER, CER)

SPACE = "<space>"  # ESPnet's token for it
CHARACTER = re.compile(r"<[^<>\s]+>|\[[^\[\]\s]+\]|!SIL|\S")


def split_units(text: str, metric: str = WER) -> list[str]:
    """The words of a text, or its characters where the metric is `cer`.

    >>> split_units("今天 天气 <unk> ok", "cer")
    ['今', '天', '天', '气', '<unk>', 'o', 'k']
    """
    return CHARACTER.findall(text) if metric == CER else split_words(text)


def espnet_characters(text: str) -> list[str]:
    """The tokens that ESPnet's scoring makes of a text: `tokenize_text --token_type char` of what str.split() leaves.

    ESPnet's recipes may have a file of non-linguistic symbols besides, which lists come in without
    (`lorescore.nbest.nlsyms`), and a text cleaner (`lorescore.wer.cleaning`), which comes before.

    >>> espnet_characters("OK 吗")
    ['O', 'K', '<space>', '吗']
    """
    return [SPACE if char == " " else char for char in " ".join(text.split())]


def require_metric(content: Mapping[str, Any], path: Path) -> str:
    """The metric that `nbest.yaml` or `weights.yaml` names; `wer` where it names none.

    Raises:
        InputError: It is neither `wer` nor `cer`.
    """
    metric = content.get("metric", WER)
    if metric not in METRICS:
        raise InputError(f"metric is {metric!r:.40}, expected {' or '.join(METRICS)}", path=path)
    return str(metric)


def first_decomposed(texts: Iterable[str]) -> str | None:
    """The first text that is not in Unicode's normalization form C, where one is not."""
    return next((text for text in texts if not unicodedata.is_normalized("NFC", text)), None)
