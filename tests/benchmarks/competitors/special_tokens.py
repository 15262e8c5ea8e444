"""What stands before and after a text, for the ways that put it there themselves."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase as Tokenizer

from lorescore.plm.settings import PlmSettings


def bos_token(tokenizer: Tokenizer, plm: PlmSettings) -> str:
    """The token that stands before a text."""
    return plm.bos or tokenizer.bos_token


def token_ids(tokenizer: Tokenizer, plm: PlmSettings, texts: Sequence[str]) -> list[list[int]]:
    """bos, the text, and eos where the settings name one, [text][token]."""
    bos = [tokenizer.convert_tokens_to_ids(bos_token(tokenizer, plm))]
    eos = [tokenizer.convert_tokens_to_ids(plm.eos)] if plm.eos else []
    return [[*bos, *ids, *eos] for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"]]


def by_list(flat: Sequence[float], lists: Sequence[Sequence[str]]) -> list[list[float]]:
    """Scores of the texts one after the other -> [list][text]."""
    values = iter(flat)
    return [[next(values) for _ in texts] for texts in lists]
