"""The scorer `pll`: each token's log-probability where it is masked, whatever is computed beside it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from plm_models import ENCODERS, SHORT_CONTEXT, TOKENIZERS, make_masked_tokenizer, make_tokenizer, new_rescorer
from transformers import AutoModelForMaskedLM, BertForMaskedLM

from lorescore.errors import InputError
from lorescore.plm.settings import PlmSettings
from lorescore.scoring.pll import PseudoLogLikelihoodScorer, word_ends
from lorescore.scoring.rescorer import Rescorer

RescorerOf = Callable[..., Rescorer]
FAMILIES = [family for family in ENCODERS if family != "short_bert"]
# Words of one and of several tokens, and one that no tokenizer knows.
TEXTS = st.lists(st.sampled_from(["the", "cat", "closed", "wonder", "ωω"]), max_size=5).map(" ".join)
LISTS = st.lists(st.lists(TEXTS, min_size=1, max_size=3), min_size=1, max_size=3)
CONTINUES = {  # whether a token goes on with the word of the token before it
    "wordpiece": lambda token: token.startswith("##"),
    "bpe": lambda token: not token.startswith("Ġ"),
    "unigram": lambda token: not token.startswith("▁"),
}


def masked_by_hand(rescorer: Rescorer, ids: Sequence[int], position: int, num_masked: int) -> float:
    """log p of a token of a whole input, with it and the tokens after it masked: one row, alone."""
    scorer = rescorer.scorer
    row = torch.tensor([list(ids)])
    row[0, position : position + num_masked] = scorer.tokenizer.mask_token_id
    logits = scorer.model(input_ids=row, attention_mask=torch.ones_like(row)).logits
    return logits[0, position].log_softmax(-1)[ids[position]].item()


@torch.inference_mode()
def alone(rescorer: Rescorer, text: str, l2r: bool = False) -> float:
    """A text's score by the definition."""
    encoding = rescorer.scorer.tokenizer(text, return_special_tokens_mask=True)
    ids, special = encoding["input_ids"], encoding["special_tokens_mask"]
    tokens = rescorer.scorer.tokenizer.convert_ids_to_tokens(ids)
    continues = CONTINUES[TOKENIZERS[rescorer.plm.name]]
    score = 0.0
    for position in range(len(ids)):
        if not special[position]:
            num_masked = 1
            while l2r and not special[position + num_masked] and continues(tokens[position + num_masked]):
                num_masked += 1
            score += masked_by_hand(rescorer, ids, position, num_masked)
    return score


@contextmanager
def shapes_of_forwards(rescorer: Rescorer) -> Iterator[list[tuple[int, int]]]:
    """Notes (rows, length) of each forward pass through the PLM."""
    shapes: list[tuple[int, int]] = []
    hook = rescorer.scorer.model.register_forward_pre_hook(
        lambda module, args, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    yield shapes
    hook.remove()


@pytest.mark.parametrize("family", FAMILIES)
@given(lists=LISTS, token_budget=st.sampled_from([1, 40, 4096]))
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_token_at_a_time(rescorer_of: RescorerOf, family: str, lists: list[list[str]], token_budget: int) -> None:
    rescorer = rescorer_of(family, "pll", plm_text="lower")
    assert not rescorer.scorer.whole_logits
    rescorer.scorer.token_budget = token_budget
    with torch.inference_mode():
        found = rescorer.scorer([rescorer.encode(texts) for texts in lists])
    assert [len(one) for one in found] == [len(texts) for texts in lists]
    for one, texts in zip(found, lists, strict=True):
        assert one.dtype == torch.float32
        assert one.tolist() == pytest.approx([alone(rescorer, text) for text in texts], abs=1e-4)


@pytest.mark.parametrize("family", ["bert", "roberta", "deberta_v2"])
@given(texts=st.lists(TEXTS.map(lambda text: text.replace("ω", "a")), min_size=1, max_size=3))
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_within_a_word_from_left_to_right(rescorer_of: RescorerOf, family: str, texts: list[str]) -> None:
    rescorer = rescorer_of(family, "pll", plm_text="lower", within_word_l2r=True)
    assert rescorer.score([texts])[0] == pytest.approx([alone(rescorer, text, l2r=True) for text in texts], abs=1e-4)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram"])
def test_a_word_stands_between_spaces(kind: str) -> None:
    text = "i'll see the closed door"
    offsets = make_masked_tokenizer(kind)(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    ends = word_ends(text, offsets)
    bounds = [0, *sorted(set(ends))]
    words = [text[offsets[start][0] : offsets[end - 1][1]].strip() for start, end in pairwise(bounds)]
    assert words == text.split()
    assert ends == [end for start, end in pairwise(bounds) for _ in range(start, end)]


@pytest.mark.parametrize(
    ("text", "offsets", "ends"),
    [
        ("", [], []),
        ("abc de", [(0, 2), (2, 3), (4, 6)], [2, 2, 3]),
        ("abc de", [(0, 3), (3, 4), (4, 6)], [1, 3, 3]),  # a token that is only the space is of the next word
        ("abc de", [(0, 3), (3, 5), (5, 6)], [1, 3, 3]),
        ("a a", [(0, 1), (2, 3), (3, 3)], [1, 3, 3]),
        ("é", [(0, 1), (0, 1)], [2, 2]),  # two bytes of one character
    ],
)
def test_the_ends_of_words(text: str, offsets: list[tuple[int, int]], ends: list[int]) -> None:
    assert word_ends(text, offsets) == ends


def test_l2r_only_changes_words_of_several_tokens(rescorer_of: RescorerOf) -> None:
    texts = ["the the", "the closed the"]
    plain, l2r = (
        rescorer_of("bert", "pll", plm_text="lower", within_word_l2r=flag).score([texts])[0] for flag in (False, True)
    )
    assert plain[0] == pytest.approx(l2r[0], abs=1e-4)
    assert abs(plain[1] - l2r[1]) > 0.1


def test_an_empty_text_scores_0(rescorer_of: RescorerOf) -> None:
    rescorer = rescorer_of("bert", "pll", plm_text="lower")
    assert len(rescorer.encode([""])) == 0
    assert [rescorer.encode(["", "the cat"]).num_tokens(index) for index in (0, 1)] == [0, 2]
    assert rescorer.score([[""], ["", "the cat", ""]])[0] == [0.0]
    scores = rescorer.score([["", "the cat", ""]])[0]
    assert (scores[0], scores[2]) == (0.0, 0.0) and scores[1] < -1.0


def test_the_order_of_lists_and_texts_does_not_matter(rescorer_of: RescorerOf) -> None:
    rescorer = rescorer_of("roberta", "pll", plm_text="lower")
    texts = ["the cat closed", "a cat", "the wonder", "a cat has seen"]
    together = dict(zip(texts, rescorer.score([texts])[0], strict=True))
    for text, (score,) in zip(texts[::-1], rescorer.score([[text] for text in texts[::-1]]), strict=True):
        assert score == pytest.approx(together[text], abs=1e-4)


def test_what_is_the_same_is_computed_once(rescorer_of: RescorerOf) -> None:
    rescorer = rescorer_of("bert", "pll", plm_text="lower")
    ids = rescorer.scorer.tokenizer(["the cat", "the on", "closed"], add_special_tokens=False)["input_ids"]
    assert [len(one) for one in ids] == [2, 2, 5]
    lists = [rescorer.encode(texts) for texts in (["closed", "the cat", "closed"], ["the cat", "the on"])]
    assert [len(one) for one in lists] == [5 * 7 + 2 * 4, 2 * 2 * 4]
    with shapes_of_forwards(rescorer) as shapes:
        rescorer.scorer(lists)
    # "the cat" and "the on" share the copy in which their second word is masked.
    assert shapes == [(5, 7), (3, 4)]


def test_a_forward_pass_holds_the_budget(rescorer_of: RescorerOf) -> None:
    rescorer = rescorer_of("bert", "pll", plm_text="lower")
    encoded = rescorer.encode(["the closed cat", "a cat"])
    for budget in (1, 20, 50):
        rescorer.scorer.token_budget = budget
        with shapes_of_forwards(rescorer) as shapes:
            rescorer.scorer([encoded])
        assert sum(rows * length for rows, length in shapes) == len(encoded)
        assert all(rows == 1 or rows * length <= budget for rows, length in shapes)
    rescorer.scorer.token_budget = None


@pytest.mark.parametrize("l2r", [False, True])
def test_a_text_beyond_the_context_is_seen_in_windows(rescorer_of: RescorerOf, l2r: bool) -> None:
    rescorer = rescorer_of("short_bert", "pll", plm_text="lower", within_word_l2r=l2r)
    text = "the closed on the wonder"
    ids = rescorer.scorer.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(ids) == 14 and SHORT_CONTEXT == 8 + 2
    ends = [1, *[6] * 5, 7, 8, *[14] * 6] if l2r else range(1, 15)
    # Windows of 8 tokens from 0, 4 and 6; the middles of the overlaps 4..7 and 6..11 are after 5 and 8.
    seen = [*[(0, 8)] * 6, *[(4, 12)] * 3, *[(6, 14)] * 5]
    expected = 0.0
    with torch.inference_mode():
        for i, ((start, stop), end) in enumerate(zip(seen, ends, strict=True)):
            whole = [1, *ids[start:stop], 2]
            expected += masked_by_hand(rescorer, whole, 1 + i - start, min(end, stop) - i)
    assert rescorer.score([[text]])[0][0] == pytest.approx(expected, abs=1e-4)


def test_a_text_that_just_fits_is_seen_whole(rescorer_of: RescorerOf) -> None:
    rescorer = rescorer_of("short_bert", "pll", plm_text="lower")
    text = " ".join(["the"] * (SHORT_CONTEXT - 2))
    assert rescorer.score([[text]])[0][0] == pytest.approx(alone(rescorer, text), abs=1e-4)
    much = rescorer.score([[" ".join(["the cat"] * 200)]])[0][0]
    assert -20 * 600 < much < -100


@pytest.mark.parametrize("lora", [True, False])
def test_gradients(tmp_path: Path, lora: bool) -> None:
    gradients = []
    texts = ["the closed cat", "a cat", "", "a cat"]
    weights = torch.tensor([1.0, -2.0, 3.0, 0.5])
    for budget in (10_000, 16, None):
        rescorer = new_rescorer(tmp_path, "bert", "pll", plm_text="lower")
        scorer = rescorer.scorer.double().requires_grad_(not lora)
        model = scorer.model
        if lora:
            torch.manual_seed(1)
            config = LoraConfig(r=2, target_modules=["query", "output.dense"], init_lora_weights=False)
            scorer.model = get_peft_model(model, config)
        if budget is None:  # the definition, a row at a time
            loss = torch.zeros(())
            for text, weight in zip(texts, weights, strict=True):
                ids = scorer.tokenizer(text)["input_ids"]
                for position in range(1, len(ids) - 1):
                    row = torch.tensor([ids])
                    row[0, position] = scorer.mask
                    loss = loss + weight * model(input_ids=row).logits[0, position].log_softmax(-1)[ids[position]]
        else:
            scorer.token_budget = budget
            loss = scorer([rescorer.encode(texts)])[0] @ weights
        loss.backward()
        trained = [parameter.grad for parameter in scorer.parameters() if parameter.requires_grad]
        gradients.append(torch.cat([one.flatten() for one in trained if one is not None]))
    assert gradients[0].abs().max() > 0.1
    for one in gradients[:2]:
        torch.testing.assert_close(one, gradients[2], rtol=1e-4, atol=1e-5)


class MixingHead(BertForMaskedLM):
    """A masked LM whose output layer looks at other positions."""

    def forward(self, **inputs: torch.Tensor) -> object:
        output = super().forward(**inputs)
        output.logits = output.logits + output.logits.mean(1, keepdim=True)
        return output


def test_a_head_that_needs_all_positions(rescorer_of: RescorerOf, caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(1)
    plain = rescorer_of("bert", "pll", plm_text="lower")
    mixing = MixingHead(ENCODERS["bert"]).eval()
    scorer = PseudoLogLikelihoodScorer(mixing, plain.scorer.tokenizer, plain.plm)
    assert scorer.whole_logits and "needs the logits of all positions" in caplog.text
    rescorer = Rescorer(scorer, plain.plm, {})
    texts = ["the closed cat", "a cat"]
    assert rescorer.score([texts])[0] == pytest.approx([alone(rescorer, text) for text in texts], abs=1e-4)


def test_a_tokenizer_without_a_mask_token(rescorer_of: RescorerOf) -> None:
    model = AutoModelForMaskedLM.from_config(ENCODERS["bert"])
    with pytest.raises(InputError, match=r"mine is no masked LM: its tokenizer has no mask token \(use --scorer cls"):
        PseudoLogLikelihoodScorer(model, make_tokenizer(sentence_tokens=True), PlmSettings("mine", "x", "pll"))
