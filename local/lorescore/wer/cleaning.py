"""Text cleaners: what is done to references and hypotheses before their errors are counted.

Recognisers such as Whisper write letter case, punctuation and digits, which a PLM reads with profit, and their error
rates are nevertheless those of normalised texts. So lists keep the texts that the recogniser wrote, the PLM scores
these, and the cleaner that the file `cleaner` of an N-best directory names is applied to both sides wherever errors are
counted: in tuning, training, scoring, NPRR and the report. What `word_bonus` counts are the words as they are written.

`whisper_en` and `whisper_basic` are Whisper's text normalisers (Radford et al., 2022, appendix C) as PyPI's
whisper-normalizer has them; the others are ESPnet's own (`espnet2.text.cleaner`), by the names that its recipes know.
"""

import warnings
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from pathlib import Path

from lorescore.choices import require_choice
from lorescore.errors import InputError
from lorescore.files import read_lines, single_spaced

WHISPER_EN, WHISPER_BASIC = "whisper_en", "whisper_basic"
OF_ESPNET = ("tacotron", "jaconv", "korean_cleaner", "vietnamese")
CLEANERS = (WHISPER_EN, WHISPER_BASIC, *OF_ESPNET)
INFO_KEY = "cleaner"  # the file of an N-best directory, and in `nbest.yaml` and `result.yaml`, where there is one
REMEMBERED = 1 << 18  # texts: perturbed versions of a list share most of theirs


def clean(text: str, cleaner: str | None) -> str:
    """A text as its errors are counted; None leaves it as it is.

    >>> clean("Mr. Smith paid twenty dollars, didn't he?", "whisper_en")
    'mister smith paid $20 did not he'
    """
    return text if cleaner is None else _cleaned(text, cleaner)


@lru_cache(REMEMBERED)
def _cleaned(text: str, cleaner: str) -> str:
    return single_spaced(_cleaner(cleaner)(text))


def clean_table(texts: Mapping[str, str], cleaner: str | None) -> dict[str, str]:
    """The texts of utterances as their errors are counted."""
    return {utt: clean(text, cleaner) for utt, text in texts.items()}


def require_cleaner(name: str | None) -> str | None:
    """A cleaner that can be used here; None for none.

    Raises:
        InputError: There is no such cleaner, or what it needs is not installed.
    """
    if name is not None:
        _cleaner(require_choice("--cleaner", name, CLEANERS))
    return name


def read_cleaner(nbest_dir: Path) -> str | None:
    """The cleaner that the file `cleaner` of an N-best directory names; None where there is none.

    Raises:
        InputError: It names none that there is.
    """
    path = nbest_dir / INFO_KEY
    if not path.is_file():
        return None
    name = " ".join(line for _, line in read_lines(path)).strip()
    if name not in CLEANERS:
        raise InputError(f"cleaner {name!r:.40}, expected one of {', '.join(CLEANERS)}", path=path)
    return name


@cache
def _cleaner(name: str) -> Callable[[str], str]:
    """The cleaner of a name; its library is slow to import.

    Raises:
        InputError: What it needs is not installed.
    """
    try:
        with warnings.catch_warnings():  # of the libraries' own syntax
            warnings.simplefilter("ignore")
            if name == WHISPER_EN:
                from whisper_normalizer.english import EnglishTextNormalizer

                return EnglishTextNormalizer()
            if name == WHISPER_BASIC:
                from whisper_normalizer.basic import BasicTextNormalizer

                return BasicTextNormalizer()
            from espnet2.text.cleaner import TextCleaner
        cleaner: Callable[[str], str] = TextCleaner(name)
        cleaner("")  # says what is missing
        return cleaner
    except (ImportError, RuntimeError) as error:
        raise InputError(f"cleaner {name} cannot be used here: {error}", mend="install what it needs") from error
