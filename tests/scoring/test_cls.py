"""The scorer `cls`: one sentence state a text, whatever stands beside it in the batch."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plm_models import ENCODERS, SHORT_CONTEXT, new_rescorer

from lorescore.plm.load import first_states, sees_ahead
from lorescore.plm.settings import PlmSettings
from lorescore.scoring.rescorer import Rescorer

RescorerOf = Callable[..., Rescorer]
ENCODER_FAMILIES, DECODER_FAMILIES = list(ENCODERS), ["llama", "gpt2", "mistral", "mamba"]
FAMILIES = [*(family for family in ENCODER_FAMILIES if family != "short_bert"), *DECODER_FAMILIES]
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
    """A text's score by the definition."""
    tokenizer = rescorer.scorer.tokenizer
    return score_of(rescorer, tokenizer(text)["input_ids"] or [tokenizer.bos_token_id])


def score_of(rescorer: Rescorer, ids: list[int]) -> float:
    """The score of tokens: alone through the PLM, the first or the last state to the head."""
    scorer = rescorer.scorer
    states = scorer.model(input_ids=torch.tensor([ids])).last_hidden_state[0]
    state = states[0] if rescorer.plm.name in ENCODER_FAMILIES else states[-1]
    return (state @ scorer.head.weight[0] + scorer.head.bias[0]).item()


@pytest.mark.parametrize("family", FAMILIES)
@given(lists=LISTS, token_budget=st.sampled_from([1, 20, 2048]))
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_text_as_if_alone(rescorer_of: RescorerOf, family: str, lists: list[list[str]], token_budget: int) -> None:
    rescorer = with_head(rescorer_of(family, "cls", plm_text="lower"))
    scores = rescorer.score(lists, token_budget)
    with torch.inference_mode():
        for one, texts in zip(scores, lists, strict=True):
            assert one == pytest.approx([alone(rescorer, text) for text in texts], abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_which_token_is_the_sentence(rescorer_of: RescorerOf, family: str) -> None:
    rescorer = rescorer_of(family, "cls", plm_text="lower")
    assert rescorer.scorer.encoder == sees_ahead(first_states(rescorer.scorer.model)) == (family in ENCODER_FAMILIES)


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_the_score_depends_on_every_word(rescorer_of: RescorerOf, family: str) -> None:
    rescorer = with_head(rescorer_of(family, "cls", plm_text="lower"))
    texts = ["the cat sat", "a cat sat", "the sea sat", "the cat see"]
    scores = rescorer.score([texts])[0]
    assert min(abs(scores[0] - other) for other in scores[1:]) > 1e-2


def test_a_new_head_leaves_the_first_pass_as_it_is(tmp_path: Path) -> None:
    rescorer = new_rescorer(tmp_path, "bert", "cls", plm_text="lower")
    assert rescorer.score([["the cat", "a cat", ""]]) == [[0.0, 0.0, 0.0]]


def test_a_new_rescorer_leaves_the_callers_random_numbers_as_they_are(tmp_path: Path) -> None:
    state = torch.get_rng_state()
    new_rescorer(tmp_path, "bert", "cls")  # the tiny PLM itself is drawn
    torch.set_rng_state(state)
    Rescorer.new(tmp_path / "bert_cls", PlmSettings("bert", str(tmp_path / "source" / "bert"), "cls"))
    assert torch.equal(torch.get_rng_state(), state)


def test_scores_in_bf16_are_as_fine_as_in_float32(rescorer_of: RescorerOf) -> None:
    rescorer = with_head(rescorer_of("bert", "cls", plm_text="lower"))
    with torch.autocast("cpu", torch.bfloat16):
        scores = torch.tensor(rescorer.score([["the cat", "a cat", "see the sea"]])[0])
    assert not torch.equal(scores, scores.bfloat16().float())


def test_a_text_beyond_the_context_has_the_mean_of_its_windows(rescorer_of: RescorerOf) -> None:
    rescorer = with_head(rescorer_of("short_bert", "cls", plm_text="lower"))
    text = " ".join(["the cat sat on the mat"] * 3)
    ids = rescorer.scorer.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(ids) > 12 and SHORT_CONTEXT == 8 + 2
    starts = [*range(0, len(ids) - 8, 4), len(ids) - 8]
    with torch.inference_mode():
        parts = [score_of(rescorer, [1, *ids[start : start + 8], 2]) for start in starts]
        expected = [sum(parts) / len(parts), alone(rescorer, "the cat")]
    assert max(parts) - min(parts) > 0.1
    assert rescorer.score([[text, "the cat"]])[0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("family", ["roberta", "gpt2", "mamba"])
def test_a_text_of_a_thousand_words(rescorer_of: RescorerOf, family: str) -> None:
    rescorer = with_head(rescorer_of(family, "cls", plm_text="lower"))
    long, other = rescorer.score([[" ".join(["the"] * 1000), " ".join(["the"] * 999 + ["cat"])]])[0]
    assert long != pytest.approx(other, abs=1e-6)


def test_distinct_texts_once_and_equal_lengths_together(rescorer_of: RescorerOf) -> None:
    rescorer = rescorer_of("bert", "cls", plm_text="lower")
    scorer = rescorer.scorer
    lists = [rescorer.encode(texts) for texts in (["the cat", "a cat", "the cat"], ["the", "a cat", "the cat sat on"])]
    shapes: list[tuple[int, ...]] = []
    hook = scorer.model.register_forward_pre_hook(
        lambda module, args, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    scorer(lists)
    hook.remove()
    assert sorted(length for _, length in shapes) == sorted({length for _, length in shapes})
    assert sum(rows for rows, _ in shapes) == 4
    assert len(lists[0]) == sum(len(scorer.tokenizer(text)["input_ids"]) for text in ("the cat", "a cat"))


def test_gradients_do_not_depend_on_the_budget(tmp_path: Path) -> None:
    gradients = []
    for budget in (10_000, 5):
        rescorer = with_head(new_rescorer(tmp_path, "bert", "cls", plm_text="lower"))
        scorer = rescorer.scorer.requires_grad_(True)
        scorer.token_budget = budget
        loss = scorer([rescorer.encode(["the cat sat", "a cat", "the mat", ""])])[0] @ torch.tensor(
            [1.0, -2.0, 3.0, 1.0]
        )
        loss.backward()
        gradients.append(torch.cat([p.grad.flatten() for p in scorer.parameters() if p.grad is not None]))
    assert gradients[0].abs().max() > 0.1
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-5, atol=1e-7)
