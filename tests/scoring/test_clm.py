"""The scorer `clm`: a list by prefix tree scores as its texts do one by one, for every architecture."""

import itertools
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plm_models import CAUSAL, MAX_TOKENS, PLAIN, WHOLE_LOGITS, WINDOW, new_rescorer
from transformers import AutoModelForCausalLM

from lorescore.errors import InputError
from lorescore.plm.settings import PlmSettings
from lorescore.scoring.clm import CausalScorer
from lorescore.scoring.packing import NUM_QUERIES
from lorescore.scoring.projection import CHUNK_STATES_IN_BLOCKS, PROJECTED_POSITIONS
from lorescore.scoring.rescorer import Rescorer

RescorerOf = Callable[..., Rescorer]

# A few words, so that the texts of a list share beginnings; the longest texts are deeper than a window of WINDOW.
TEXTS = st.lists(st.sampled_from(["the", "cat", "sat", "see"]), max_size=WINDOW + 3).map(" ".join)
LISTS = st.lists(st.lists(TEXTS, min_size=1, max_size=4), min_size=1, max_size=4)


def token_ids(rescorer: Rescorer, text: str) -> list[int]:
    """bos, the text, and eos where the settings name one."""
    tokenizer = rescorer.scorer.tokenizer
    end = [tokenizer.eos_token_id] if rescorer.plm.eos else []
    return [tokenizer.bos_token_id, *tokenizer(text, add_special_tokens=False)["input_ids"], *end]


def replace_eos(rescorer: Rescorer) -> Rescorer:
    """The rescorer without an end to score."""
    return replace(rescorer, plm=replace(rescorer.plm, eos=""))


def alone(rescorer: Rescorer, text: str) -> torch.Tensor:
    """A text's log-likelihood by the definition: one row through transformers' own forward pass."""
    ids = torch.tensor([token_ids(rescorer, text)])
    log_probs = rescorer.scorer.lm(input_ids=ids).logits.log_softmax(-1)
    return log_probs[0, :-1].gather(-1, ids[0, 1:, None]).sum()


@pytest.mark.parametrize("family", CAUSAL)
@given(lists=LISTS, eos=st.booleans(), token_budget=st.sampled_from([1, 12, 40, 2048]))
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_list_scores_as_its_texts_one_by_one(
    rescorer_of: RescorerOf, family: str, lists: list[list[str]], eos: bool, token_budget: int
) -> None:
    rescorer = rescorer_of(family, plm_text="lower", eos="</s>" if eos else "")
    scores = rescorer.score(lists, token_budget)
    with torch.inference_mode():
        expected = [[alone(rescorer, text).item() for text in texts] for texts in lists]
    assert [len(one) for one in scores] == [len(one) for one in lists]
    for one, expected_one in zip(scores, expected, strict=True):
        assert one == pytest.approx(expected_one, abs=1e-4)


@pytest.mark.parametrize("eos", ["", "</s>"])
@pytest.mark.parametrize(
    "texts",
    [
        pytest.param([""], id="empty text alone"),
        pytest.param(["", "the cat"], id="empty text and another"),
        pytest.param(["the cat", "the cat"], id="duplicate"),
        pytest.param(["the cat sat", "the cat", "the"], id="prefixes"),
        pytest.param(["see"], id="one text"),
    ],
)
def test_lists_at_the_edge(rescorer_of: RescorerOf, texts: list[str], eos: str) -> None:
    rescorer = rescorer_of("llama", plm_text="lower", eos=eos)
    with torch.inference_mode():
        expected = [alone(rescorer, text).item() for text in texts]
    assert rescorer.score([texts])[0] == pytest.approx(expected, abs=1e-4)
    assert rescorer.score([[], texts, []])[1] == pytest.approx(expected, abs=1e-4)


def test_an_empty_text_is_certain_unless_its_end_is_scored(rescorer_of: RescorerOf) -> None:
    assert rescorer_of("llama", plm_text="lower").score([[""]]) == [[0.0]]
    assert rescorer_of("llama", plm_text="lower", eos="</s>").score([[""]])[0][0] < -0.1


def test_scores_do_not_depend_on_the_order_of_lists_and_texts(rescorer_of: RescorerOf) -> None:
    rescorer = rescorer_of("gpt2", plm_text="lower")
    lists = [["the cat sat", "a cat"], ["see"], ["the sea", "", "the sea is here"]]
    scores = rescorer.score(lists, token_budget=20)
    backwards = rescorer.score([texts[::-1] for texts in lists[::-1]], token_budget=30)
    for one, other in zip(scores, backwards[::-1], strict=True):
        assert one == pytest.approx(other[::-1], abs=1e-4)


def test_more_prefixes_than_one_chunk_of_the_projection_holds(rescorer_of: RescorerOf) -> None:
    rescorer = rescorer_of("llama", plm_text="lower")
    words = ["the", "cat", "sat", "see", "mat", "rain", "door", "sea"]
    texts = [" ".join([first, second, *words, *words]) for first in words for second in words]
    tree = rescorer.encode(texts)
    assert len(tree) > CHUNK_STATES_IN_BLOCKS
    with torch.inference_mode():
        expected = [alone(rescorer, text).item() for text in texts]
    assert rescorer.score([texts])[0] == pytest.approx(expected, abs=1e-4)


# Of one tree with some 400 states.
FEW_WORDS = ("the", "cat", "sat", "see", "mat", "a", "on")
MANY_TEXTS = [f"{' '.join(some)} sea" for some in itertools.product(FEW_WORDS, repeat=3)]


@pytest.mark.parametrize(("family", "large"), [*((family, False) for family in CAUSAL), ("llama", True)])
def test_gradients_are_those_of_one_by_one_scoring(tmp_path: Path, family: str, large: bool) -> None:
    rescorer = new_rescorer(tmp_path, family, plm_text="lower", eos="</s>")
    lists = [
        ["the cat sat", "the cat", "the mat", "", "the cat"],
        MANY_TEXTS if large else ["see the sea", "see a sea"],
    ]
    factors = [torch.linspace(-1.0, 2.0, len(texts)) for texts in lists]
    model = rescorer.scorer.model.requires_grad_(True)

    def gradient(scores: Sequence[torch.Tensor]) -> torch.Tensor:
        model.zero_grad()
        torch.stack([(one * factor).sum() for one, factor in zip(scores, factors, strict=True)]).sum().backward()
        return torch.cat([one.grad.flatten() for one in model.parameters() if one.grad is not None])

    by_tree = gradient(rescorer.scorer([rescorer.encode(texts) for texts in lists]))
    one_by_one = gradient([torch.stack([alone(rescorer, text) for text in texts]) for texts in lists])
    assert one_by_one.abs().max() > 0.1
    torch.testing.assert_close(by_tree, one_by_one, rtol=1e-4, atol=1e-5 * one_by_one.abs().max().item())


@pytest.mark.parametrize("family", CAUSAL)
def test_a_large_tree_scores_as_its_texts_one_by_one(rescorer_of: RescorerOf, family: str) -> None:
    """It is more than one block of the attention."""
    rescorer = rescorer_of(family, plm_text="lower")
    texts = random.Random(1).sample(MANY_TEXTS, len(MANY_TEXTS))
    assert len(rescorer.encode(texts)) > 2 * NUM_QUERIES
    (scores,) = rescorer.score([texts], token_budget=2048)
    with torch.inference_mode():
        expected = [alone(rescorer, text).item() for text in texts[::16]]
    assert scores[::16] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("family", CAUSAL)
def test_families_that_can_follow_a_tree_are_scored_by_tree(rescorer_of: RescorerOf, family: str) -> None:
    limit = rescorer_of(family, plm_text="lower").scorer.tree_limit
    if family in PLAIN:
        assert limit == 0
    elif family in ("gemma2", "gemma3", "mistral", "modernbert_decoder"):
        assert limit == WINDOW  # a token sees itself and those before it in the window
    else:
        assert limit >= MAX_TOKENS


@pytest.mark.parametrize("family", sorted(WHOLE_LOGITS))
def test_where_a_plm_gives_the_logits_of_all_tokens_passes_are_small(rescorer_of: RescorerOf, family: str) -> None:
    rescorer = rescorer_of(family, plm_text="lower")
    passes = []
    hook = rescorer.scorer.lm.register_forward_hook(
        lambda _, inputs, output: passes.append(output.logits[..., 0].numel())
    )
    try:
        rescorer.score([MANY_TEXTS] * 4, token_budget=4 * PROJECTED_POSITIONS)
    finally:
        hook.remove()
    assert sum(passes) > PROJECTED_POSITIONS >= max(passes)


def test_a_family_that_cannot_follow_a_tree_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="lorescore"):
        rescorer = new_rescorer(tmp_path, "bloom", plm_text="lower")
        rescorer.score([["the cat"], ["see", "sea"]])
    messages = [record.message for record in caplog.records]
    assert messages == ["bloom cannot follow a prefix tree: each text is scored in full, slower"]


def test_the_end_and_the_start_are_the_tokens_that_the_settings_name(rescorer_of: RescorerOf) -> None:
    default = rescorer_of("llama", plm_text="lower")
    named = rescorer_of("llama", plm_text="lower", bos="</s>", eos="<unk>")
    tokenizer = default.scorer.tokenizer
    ids = tokenizer("the cat", add_special_tokens=False)["input_ids"]
    assert default.encode(["the cat"]).sequences() == [[tokenizer.bos_token_id, *ids]]
    assert named.encode(["the cat"]).sequences() == [[tokenizer.eos_token_id, *ids, tokenizer.unk_token_id]]


@pytest.mark.parametrize("what", ["bos", "eos"])
def test_a_token_that_is_not_in_the_vocabulary(rescorer_of: RescorerOf, what: str) -> None:
    scorer = rescorer_of("llama", plm_text="lower").scorer
    with pytest.raises(InputError, match=f"{what} '<\\|end\\|>' is not in the PLM's vocabulary"):
        CausalScorer(scorer.model, scorer.tokenizer, PlmSettings("x", "x", **{what: "<|end|>"}))


def test_an_encoder_has_no_likelihood(tmp_path: Path) -> None:
    folder = tmp_path / "source" / "bert"
    AutoModelForCausalLM.from_config(CAUSAL["bert_decoder"]).save_pretrained(folder)
    new_rescorer(tmp_path, "llama").scorer.tokenizer.save_pretrained(folder)
    (folder / "config.json").write_text((folder / "config.json").read_text().replace('"is_decoder": true', '"a": 1'))
    with pytest.raises(InputError, match=r"bert sees the words ahead.*--scorer cls"):
        new_rescorer(tmp_path, "bert")


@pytest.mark.parametrize("family", ["gpt2", "bloom"])
def test_a_text_longer_than_the_plm_takes_is_scored_in_windows(rescorer_of: RescorerOf, family: str) -> None:
    rescorer = rescorer_of(family, plm_text="lower")
    words = " ".join(["the cat sat", "see the sea", "a mat"] * 30)
    bos, *ids = token_ids(rescorer, words)
    assert len(ids) > 3 * MAX_TOKENS // 2
    expected, done = 0.0, 0
    while done < len(ids):  # by hand: what has been scored, but for the last half window, then what fits
        kept = ids[:0] if not done else ids[done - MAX_TOKENS // 2 + 1 : done]
        new = ids[done : done + MAX_TOKENS - len(kept)]
        row = torch.tensor([[bos, *kept, *new]])
        with torch.inference_mode():
            log_probs = rescorer.scorer.lm(input_ids=row[:, :-1]).logits.log_softmax(-1)
        scores = log_probs[0].gather(-1, row[0, 1:, None])
        expected += scores[len(kept) :].sum().item()
        done += len(new)
    short = "the cat"
    with torch.inference_mode():
        assert rescorer.score([[short, words]])[0] == pytest.approx([alone(rescorer, short).item(), expected], abs=1e-3)


@given(lists=LISTS, history=st.integers(1, 5))
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_merged_histories_take_the_predictions_of_the_first(
    rescorer_of: RescorerOf, lists: list[list[str]], history: int
) -> None:
    """A text's score is the sum over its tokens in the contexts of the tree, computed one by one."""
    for family in ("llama", "bloom"):  # by tree and in plain rows
        exact = rescorer_of(family, plm_text="lower").scorer
        scorer = CausalScorer(exact.model, exact.tokenizer, PlmSettings("x", "x"), history)
        for texts in lists:
            tree = scorer.encode(texts)
            log_probs = {}
            for branch in tree.branches():
                with torch.inference_mode():
                    logits = scorer.lm(input_ids=torch.from_numpy(tree.tokens[branch])[None]).logits[0]
                log_probs |= dict(zip(branch.tolist(), logits.log_softmax(-1), strict=True))
            expected = [
                sum(log_probs[int(tree.edge_states[edge])][int(tree.edge_tokens[edge])].item() for edge in path)
                for path in tree.paths
            ]
            with torch.inference_mode():
                assert scorer([tree])[0].tolist() == pytest.approx(expected, abs=1e-4)


def test_broken_weights_give_no_score(tmp_path: Path) -> None:
    rescorer = new_rescorer(tmp_path, "llama", plm_text="lower")
    next(rescorer.scorer.model.parameters()).data.fill_(torch.nan)
    with pytest.raises(InputError, match="the PLM score of 'the cat' is not a finite number"):
        rescorer.score([["the"], ["the cat"]], token_budget=1)


def test_of_a_large_tree_training_holds_no_more_than_a_pass(rescorer_of: RescorerOf) -> None:
    rescorer = rescorer_of("llama", plm_text="lower")
    model, kept = rescorer.scorer.model.requires_grad_(True), []
    for rescorer.scorer.token_budget in (4096, 64):
        held = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda one, held=held: held.append(one.numel()) or one, lambda one: one
        ):
            (scores,) = rescorer.scorer([rescorer.encode(MANY_TEXTS)])
        kept.append(sum(held))
        scores.sum().backward()
    model.requires_grad_(False).zero_grad()
    assert kept[1] < kept[0] / 10


def test_states_of_a_context_are_not_projected(rescorer_of: RescorerOf) -> None:
    rescorer = rescorer_of("llama", plm_text="lower")
    tree = rescorer.encode(["the cat sat", "the mat"], ["a cat has seen the sea"])
    projected = []
    projection = rescorer.scorer.lm.get_output_embeddings()
    hook = projection.register_forward_pre_hook(lambda _, inputs: projected.append(len(inputs[0])))
    with torch.inference_mode():
        rescorer.scorer([tree])
    hook.remove()
    assert sum(projected) == len(set(tree.edge_states.tolist())) < len(tree)


@pytest.mark.parametrize("family", CAUSAL)
@pytest.mark.parametrize("eos", ["", "</s>"])
def test_a_context_is_read_and_not_scored(rescorer_of: RescorerOf, family: str, eos: str) -> None:
    rescorer = rescorer_of(family, plm_text="lower", eos=eos)
    texts, context = ["the cat sat", "the cat", "", "see the cat"], ["a cat has seen", "the sea"]
    with torch.inference_mode():
        joint = [alone(rescorer, " ".join([*context, text]).strip()).item() for text in texts]
        ids = torch.tensor([token_ids(replace_eos(rescorer), " ".join(context))])
        log_probs = rescorer.scorer.lm(input_ids=ids).logits.log_softmax(-1)
        before = log_probs[0, :-1].gather(-1, ids[0, 1:, None]).sum().item()
    expected = [score - before for score in joint]
    for token_budget in (1, 2048):
        (scores, plain) = rescorer.score([texts, texts], token_budget, contexts=[context, ()])
        assert scores == pytest.approx(expected, abs=1e-4)
        assert plain == pytest.approx(rescorer.score([texts])[0], abs=1e-4)


def test_of_a_long_context_the_end_is_read(rescorer_of: RescorerOf) -> None:
    rescorer = rescorer_of("llama", plm_text="lower")
    half = ["see"] * (MAX_TOKENS // 2)
    contexts = [["cat"] * MAX_TOKENS + half, ["the"] * MAX_TOKENS + half, ["cat"] * MAX_TOKENS + half[4:]]
    scores = rescorer.score([["the cat"]] * 3, contexts=contexts)
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    assert scores[0] != pytest.approx(scores[2], abs=1e-5)
    with pytest.raises(InputError, match="3 contexts for 2 lists"):
        rescorer.score([["the cat"]] * 2, contexts=contexts)


def test_a_list_of_a_thousand_hypotheses(rescorer_of: RescorerOf) -> None:
    words = ["the", "cat", "sat", "see"]
    texts = [" ".join(words[number // 4**place % 4] for place in range(5)) for number in range(1000)]
    rescorer = rescorer_of("llama", plm_text="lower")
    (scores,) = rescorer.score([texts])
    few = [0, 1, 500, 999]
    with torch.inference_mode():
        expected = [alone(rescorer, texts[index]).item() for index in few]
    assert [scores[index] for index in few] == pytest.approx(expected, abs=1e-4)
    assert len(rescorer.encode(texts)) < 4**5 / 2, "each distinct prefix once, the last word's predictions are edges"


def test_a_hypothesis_of_five_thousand_words(rescorer_of: RescorerOf) -> None:
    rescorer = rescorer_of("llama", plm_text="lower")
    words = random.Random(1).choices(["the", "cat", "sat", "see"], k=4999) + ["see"]
    whole, shorter, other = (" ".join(one) for one in (words, words[:-1], [*words[:-1], "cat"]))
    ((of_whole, of_shorter, of_other),) = rescorer.score([[whole, shorter, other]])
    assert rescorer.encode([whole]).num_tokens(0) == 5000
    assert of_whole < of_shorter < 0
    assert of_other != pytest.approx(of_whole, abs=1e-3), "the last word counts"
