"""The scorer `cls`: one sentence state a text, whatever stands beside it in the batch."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plm_models import MAX_TOKENS, new_rescorer

from lorescore.errors import InputError
from lorescore.plm.load import is_encoder
from lorescore.scoring.rescorer import Rescorer

RescorerOf = Callable[..., Rescorer]
ENCODER_FAMILIES, DECODER_FAMILIES = ["bert", "roberta"], ["llama", "gpt2", "mistral", "mamba"]
TEXTS = st.lists(st.sampled_from(["the", "cat", "sat", "rain"]), max_size=8).map(" ".join)
LISTS = st.lists(st.lists(TEXTS, min_size=1, max_size=4), min_size=1, max_size=4)


def with_head(rescorer: Rescorer) -> Rescorer:
    """The same with a head that is not all 0, in float64, so that rounding cannot hide a leak."""
    torch.manual_seed(3)
    torch.nn.init.normal_(rescorer.scorer.head.weight)
    torch.nn.init.constant_(rescorer.scorer.head.bias, 0.5)
    rescorer.scorer.double()
    return rescorer


def alone(rescorer: Rescorer, text: str) -> float:
    """A text's score by the definition: its tokens alone through the PLM, the first or the last state to the head."""
    scorer = rescorer.scorer
    ids = scorer.tokenizer(text)["input_ids"] or [scorer.tokenizer.bos_token_id]
    states = scorer.model(input_ids=torch.tensor([ids])).last_hidden_state[0]
    state = states[0] if rescorer.plm.name in ENCODER_FAMILIES else states[-1]
    return (state @ scorer.head.weight[0] + scorer.head.bias[0]).item()


@pytest.mark.parametrize("family", ENCODER_FAMILIES + DECODER_FAMILIES)
@given(lists=LISTS, token_budget=st.sampled_from([1, 20, 2048]))
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_padding_does_not_leak(rescorer_of: RescorerOf, family: str, lists: list[list[str]], token_budget: int) -> None:
    rescorer = with_head(rescorer_of(family, "cls", plm_text="lower"))
    scores = rescorer.score(lists, token_budget)
    with torch.inference_mode():
        for one, texts in zip(scores, lists, strict=True):
            assert one == pytest.approx([alone(rescorer, text) for text in texts], abs=1e-5)


@pytest.mark.parametrize("family", ENCODER_FAMILIES + DECODER_FAMILIES)
def test_which_token_is_the_sentence(rescorer_of: RescorerOf, family: str) -> None:
    rescorer = rescorer_of(family, "cls", plm_text="lower")
    assert rescorer.scorer.encoder == is_encoder(rescorer.scorer.model) == (family in ENCODER_FAMILIES)


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_the_score_depends_on_every_word(rescorer_of: RescorerOf, family: str) -> None:
    rescorer = with_head(rescorer_of(family, "cls", plm_text="lower"))
    texts = ["the cat sat", "a cat sat", "the sea sat", "the cat see"]
    scores = rescorer.score([texts])[0]
    assert min(abs(scores[0] - other) for other in scores[1:]) > 1e-2


def test_a_new_head_leaves_the_first_pass_as_it_is(tmp_path: Path) -> None:
    rescorer = new_rescorer(tmp_path, "bert", "cls", plm_text="lower")
    assert rescorer.score([["the cat", "a cat", ""]]) == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize("family", ["roberta", "gpt2"])
def test_a_text_longer_than_the_plm_takes_is_an_error(rescorer_of: RescorerOf, family: str) -> None:
    rescorer = rescorer_of(family, "cls", plm_text="lower")
    words = MAX_TOKENS - (2 if family == "roberta" else 0)
    rescorer.score([[" ".join(["the"] * words)]])
    with pytest.raises(InputError, match=f"a text of {MAX_TOKENS + 1} tokens, but the PLM takes {MAX_TOKENS}"):
        rescorer.score([[" ".join(["the"] * (words + 1))]])
