"""Characters for sclite: ESPnet's `score_cer` directory, and the words of a ctm taken apart.

`score_cer` is what ESPnet's asr.sh writes, a token a character and `<space>` for a space (`espnet_characters`), scored
as `lorescore.wer.sclite` says. A character that means something to sclite is written as its number, such as `<U+003B>`:
its full-width form, which stands in for it in words, is a character that texts in these languages have themselves.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lorescore.wer.alignment import EditCounts
from lorescore.wer.ctm import CtmWord, split_ctm
from lorescore.wer.sclite import TEXT_SPECIALS, write_score_wer
from lorescore.wer.units import CER, espnet_characters, split_units

NUMBERED = {chr(code): f"<U+{code:04X}>" for code in TEXT_SPECIALS}


def write_score_cer(
    score_dir: Path, refs: Mapping[str, str], hyps: Mapping[str, str], utt2spk: Mapping[str, str]
) -> EditCounts:
    """Write ref.trn, hyp.trn and result.txt.

    Args:
        score_dir: The directory `score_cer`; it is made.
        refs: Reference text by utterance.
        hyps: Hypothesis text of each of these utterances.
        utt2spk: Speaker of each of these utterances.

    Returns:
        sclite's counts, spaces among them.

    Raises:
        InputError: As `write_score_wer`.
    """
    ref_tokens, hyp_tokens = (
        {utt: _joined(espnet_characters(text)) for utt, text in texts.items()} for texts in (refs, hyps)
    )
    return write_score_wer(score_dir, ref_tokens, hyp_tokens, utt2spk)


def character_texts(texts: Mapping[str, str]) -> dict[str, str]:
    """Texts with a space between their characters (`split_units`), for sclite."""
    return {utt: _joined(split_units(text, CER)) for utt, text in texts.items()}


def character_ctm(words: Iterable[CtmWord]) -> Iterator[CtmWord]:
    """The characters of words, in `split_ctm`'s times."""
    return split_ctm(words, lambda word: [NUMBERED.get(char, char) for char in split_units(word, CER)])


def _joined(characters: Iterable[str]) -> str:
    return " ".join(NUMBERED.get(character, character) for character in characters)
