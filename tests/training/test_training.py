"""The training loop: it learns, it is reproducible, and it never ends worse than it began."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lorescore.combine import Weights
from lorescore.errors import InputError
from lorescore.nbest import NbestSet
from lorescore.plm.strategy import Strategy
from lorescore.scoring.rescorer import Rescorer, trainable_state
from lorescore.training.evaluation import tuned_on
from lorescore.training.loop import train_rescorer
from lorescore.training.result import TrainingResult
from lorescore.training.settings import TrainingSettings

FreshRescorer = Callable[..., Rescorer]
SETTINGS = TrainingSettings(epochs=2, lists_per_step=4, evaluations=4, score_scale=1.0, lm_loss=0.1)
FULL = Strategy("full", learning_rate=1e-2)
VANILLA = Strategy("vanilla", rank=4, alpha=8, learning_rate=5e-2)
ADALORA = Strategy("adalora", rank=2, init_rank=4, alpha=8, learning_rate=1e-1)


def dev_costs(rescorer: Rescorer, dev: NbestSet) -> list[list[float]]:
    return [[-score for score in one] for one in rescorer.score([one.texts for one in dev])]


@pytest.mark.parametrize("scorer", ["clm", "cls"])
@pytest.mark.parametrize("strategy", [FULL, VANILLA, ADALORA], ids=lambda strategy: strategy.name)
def test_it_learns(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet, strategy: Strategy, scorer: str
) -> None:
    rescorer = fresh_rescorer("llama" if scorer == "clm" else "bert", scorer)
    result = train_rescorer(rescorer, train_lists, dev_lists, strategy, SETTINGS)
    assert (result.steps, result.num_lists) == (12, 24)
    assert [one.step for one in result.evaluations] == [0, 3, 6, 9, 12]
    assert result.best.step > 0
    assert result.best.dev_wer < 0.7 * result.evaluations[0].dev_wer
    # The rescorer has the weights of the best evaluation.
    assert tuned_on(dev_lists, dev_costs(rescorer, dev_lists)) == (result.best.weights, result.best.dev_wer)


def test_none_trains_the_head_of_a_cls_alone(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet
) -> None:
    rescorer = fresh_rescorer("bert", "cls")
    before = {name: weight.clone() for name, weight in rescorer.scorer.model.state_dict().items()}
    result = train_rescorer(rescorer, train_lists, dev_lists, Strategy("none", learning_rate=0.05), SETTINGS)
    assert result.best.dev_wer < result.evaluations[0].dev_wer
    assert rescorer.scorer.head.weight.abs().max() > 0
    for name, weight in rescorer.scorer.model.state_dict().items():
        assert torch.equal(weight, before[name])


@pytest.mark.parametrize("strategy", [VANILLA, ADALORA], ids=lambda strategy: strategy.name)
def test_the_same_seed_gives_the_same_bytes(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet, tmp_path: Path, strategy: Strategy
) -> None:
    files: dict[str, dict[str, bytes]] = {}
    for name, seed in (("one", 1), ("two", 1), ("other", 2)):
        rescorer = fresh_rescorer(targets=("q_proj", "v_proj", "k_proj", "o_proj"))
        train_rescorer(rescorer, train_lists, dev_lists, strategy, replace(SETTINGS, seed=seed))
        rescorer.save(tmp_path / name)
        files[name] = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
    assert set(files["one"]) == {"adapter_config.json", "adapter_model.safetensors", "config.yaml"}
    assert files["one"] == files["two"]
    assert files["one"]["adapter_model.safetensors"] != files["other"]["adapter_model.safetensors"]
    # PEFT keeps the targets as a set, whose order differs between processes.
    assert b'"k_proj",\n    "o_proj",\n    "q_proj",\n    "v_proj"' in files["one"]["adapter_config.json"]


@pytest.mark.parametrize("strategy", [FULL, VANILLA, ADALORA], ids=lambda strategy: strategy.name)
def test_the_token_budget_does_not_change_the_weights(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet, strategy: Strategy
) -> None:
    states = []
    for token_budget in (20, 10_000):
        rescorer = fresh_rescorer()
        result = train_rescorer(
            rescorer, train_lists, dev_lists, strategy, replace(SETTINGS, token_budget=token_budget)
        )
        assert result.best.step > 0
        states.append(trainable_state(rescorer.scorer))
    # Of all weights together: Adam moves a weight whose gradient is rounding error as far as any other.
    one, other = (torch.cat([weight.flatten() for weight in state.values()]) for state in states)
    assert torch.linalg.vector_norm(one - other) < 1e-4 * torch.linalg.vector_norm(one)


@pytest.mark.parametrize(("family", "scorer"), [("gpt2", "clm"), ("bloom", "clm"), ("bert", "cls")])
def test_the_token_budget_does_not_change_the_function(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet, family: str, scorer: str
) -> None:
    # These have dropout, or biases that change no choice: their gradient is rounding error, which Adam scales up.
    scores = []
    for token_budget in (20, 10_000):
        rescorer = fresh_rescorer(family, scorer)
        result = train_rescorer(rescorer, train_lists, dev_lists, FULL, replace(SETTINGS, token_budget=token_budget))
        assert result.best.step > 0
        lists = torch.tensor(rescorer.score([one.texts for one in dev_lists]))
        scores.append(lists - lists.mean(dim=1, keepdim=True))
    for other in scores[1:]:
        torch.testing.assert_close(other, scores[0], rtol=0, atol=1e-3)


def test_a_huge_learning_rate_does_not_end_worse_than_the_start(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet
) -> None:
    rescorer = fresh_rescorer()
    start = rescorer.score([one.texts for one in dev_lists])
    settings = TrainingSettings(epochs=1, lists_per_step=24, evaluations=1)
    result = train_rescorer(rescorer, train_lists, dev_lists, replace(FULL, learning_rate=1e20), settings)
    before, after = result.evaluations
    assert after.dev_wer > before.dev_wer
    assert result.best == before
    assert rescorer.score([one.texts for one in dev_lists]) == start


def test_adalora_is_not_chosen_before_its_budget_is_met(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet
) -> None:
    # At this rate dev is best early on, and bad after the last pruning.
    strategy, settings = replace(ADALORA, learning_rate=1.0), replace(SETTINGS, evaluations=12)
    rescorer = fresh_rescorer()
    result = train_rescorer(rescorer, train_lists, dev_lists, strategy, settings)
    budget_step = 12 - round(12 * strategy.final_share)
    assert min(result.evaluations, key=lambda one: one.dev_wer).step in range(1, budget_step)
    assert result.best.step == 0 or result.best.step >= budget_step
    assert result.best.dev_wer <= result.evaluations[0].dev_wer
    assert tuned_on(dev_lists, dev_costs(rescorer, dev_lists)) == (result.best.weights, result.best.dev_wer)


@pytest.mark.parametrize("strategy", ["full", "vanilla"])
def test_a_loss_that_is_not_finite(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet, strategy: str
) -> None:
    rescorer = fresh_rescorer()
    start = rescorer.score([one.texts for one in dev_lists])
    settings = TrainingSettings(epochs=2, lists_per_step=4, evaluations=1)
    with pytest.raises(
        InputError,
        match=r"^training diverged: loss [\w.+-]+, norm of its gradient (nan|inf), at step \d "
        r"\(learning rate [\de.+]+, utterances utt\d+( utt\d+){3}\) \(lower --learning_rate",
    ):
        train_rescorer(rescorer, train_lists, dev_lists, Strategy(strategy, learning_rate=100.0), settings)
    restored = rescorer.score([one.texts for one in dev_lists])
    assert torch.allclose(torch.tensor(restored), torch.tensor(start), atol=1e-4)


def test_scores_of_dev_that_are_not_finite(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet
) -> None:
    # One step only: the loss before it is fine, and dev comes right after it.
    rescorer = fresh_rescorer("gpt2")
    start = rescorer.score([one.texts for one in dev_lists])
    settings = TrainingSettings(epochs=1, lists_per_step=24, evaluations=1)
    with pytest.raises(
        InputError, match=r"^the PLM score of '.*' is not a finite number at step 1 .*1e\+20, utterances utt"
    ):
        train_rescorer(rescorer, train_lists, dev_lists, replace(FULL, learning_rate=1e20), settings)
    assert rescorer.score([one.texts for one in dev_lists]) == start


def test_memory_that_runs_out_on_dev_is_no_divergence(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet
) -> None:
    rescorer = fresh_rescorer()
    costs = dev_costs(rescorer, dev_lists)

    def fail_without_gradients(*_: object) -> None:
        if torch.is_inference_mode_enabled():
            raise torch.OutOfMemoryError("CUDA out of memory")

    rescorer.scorer.register_forward_pre_hook(fail_without_gradients)
    with pytest.raises(
        InputError, match=r"^out of memory with 16 tokens in a forward pass \(free some memory or take a smaller PLM\)$"
    ):
        train_rescorer(rescorer, train_lists, dev_lists, VANILLA, SETTINGS, start_costs=costs)


def test_known_costs_of_dev_stand_for_the_first_evaluation(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet
) -> None:
    def trained(start_costs: list[list[float]] | None) -> TrainingResult:
        return train_rescorer(
            fresh_rescorer(), train_lists, dev_lists, VANILLA, replace(SETTINGS, epochs=1), start_costs=start_costs
        )

    known = [[round(cost, 4) for cost in one] for one in dev_costs(fresh_rescorer(), dev_lists)]
    scored, given = trained(None), trained(known)
    assert given.evaluations == scored.evaluations
    first_pass_only = trained([[0.0] * len(one) for one in known])
    assert first_pass_only.evaluations[0].weights == Weights(0.0, 0.0)
    assert first_pass_only.evaluations[0].dev_wer == pytest.approx(50.0)  # two errors in four words


def test_the_lm_loss_holds_the_likelihood_of_the_references(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet
) -> None:
    references = [[train_lists.refs[one.utt]] for one in train_lists]

    def likelihood(lm_loss: float) -> float:
        rescorer = fresh_rescorer()
        settings = replace(SETTINGS, lm_loss=lm_loss)
        train_rescorer(rescorer, train_lists, dev_lists, Strategy("full", learning_rate=3e-3), settings)
        return math.fsum(score for one in rescorer.score(references) for score in one)

    assert likelihood(2.0) > likelihood(0.0) + 10


def test_texts_raise_their_likelihood(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet
) -> None:
    texts = ["the cat sat on the sea", "a mat saw the cat"]

    def likelihood(texts_to_train_on: list[str]) -> float:
        rescorer = fresh_rescorer()
        settings = replace(SETTINGS, lm_loss=1.0, texts_per_step=2)
        strategy = Strategy("full", learning_rate=3e-3)
        train_rescorer(rescorer, train_lists, dev_lists, strategy, settings, texts=texts_to_train_on)
        return math.fsum(score for one in rescorer.score([[text] for text in texts]) for score in one)

    assert likelihood(texts) > likelihood([]) + 5


def test_texts_need_a_scorer_with_a_loss_for_them(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet
) -> None:
    with pytest.raises(InputError, match="--lm_text"):
        train_rescorer(fresh_rescorer("bert", "cls"), train_lists, dev_lists, FULL, SETTINGS, texts=["the cat"])
    with pytest.raises(InputError, match="--lm_text"):
        train_rescorer(
            fresh_rescorer(), train_lists, dev_lists, FULL, replace(SETTINGS, lm_loss=0.0), texts=["the cat"]
        )


@pytest.mark.parametrize(("family", "scorer"), [("llama", "clm"), ("bert", "cls")])
def test_gradient_checkpointing_comes_to_the_same_weights(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet, family: str, scorer: str
) -> None:
    states = []
    for enabled in (False, True):
        rescorer = fresh_rescorer(family, scorer)
        rescorer.scorer.blocks = False  # as layers that run again need it: the sums are in the same order then
        settings = replace(SETTINGS, gradient_checkpointing=enabled)
        assert train_rescorer(rescorer, train_lists, dev_lists, VANILLA, settings).best.step > 0
        states.append(trainable_state(rescorer.scorer))
    for name, weight in states[0].items():
        torch.testing.assert_close(states[1][name], weight, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("decay", "shares"), [("linear", [1, 1, 2 / 3, 1 / 3]), ("cosine", [1, 1, 0.75, 0.25])])
def test_the_learning_rate_decays_as_asked(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet, decay: str, shares: list[float]
) -> None:
    settings = replace(SETTINGS, epochs=1, lists_per_step=6, evaluations=1, decay=decay, warmup_share=0.25)
    rates = []
    train_rescorer(
        fresh_rescorer(),
        train_lists,
        dev_lists,
        VANILLA,
        settings,
        curves=lambda step, values: rates.extend(values[name] for name in values if name == "train/learning_rate"),
    )
    assert rates == pytest.approx([VANILLA.learning_rate * share for share in shares])


def test_no_gradient_is_clipped_where_the_largest_norm_is_0(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet
) -> None:
    states = {}
    for grad_clip in (0.0, 1e9, 1e-3):
        rescorer = fresh_rescorer()
        result = train_rescorer(rescorer, train_lists, dev_lists, VANILLA, replace(SETTINGS, grad_clip=grad_clip))
        states[grad_clip] = trainable_state(rescorer.scorer)
    assert result.steps == 12
    assert all(torch.equal(weight, states[1e9][name]) for name, weight in states[0.0].items())
    assert not all(torch.equal(weight, states[1e-3][name]) for name, weight in states[0.0].items())


def test_it_learns_in_bf16(fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet) -> None:
    losses: dict[str, list[float]] = {"fp32": [], "bf16": []}
    for precision, of in losses.items():
        rescorer = fresh_rescorer()
        result = train_rescorer(
            rescorer,
            train_lists,
            dev_lists,
            VANILLA,
            replace(SETTINGS, precision=precision),
            curves=lambda step, values, of=of: of.extend(values[name] for name in values if name == "train/loss"),
        )
    assert losses["fp32"][0] != losses["bf16"][0] == pytest.approx(losses["fp32"][0], rel=0.05)
    assert result.best.dev_wer < 0.7 * result.evaluations[0].dev_wer
    assert all(parameter.dtype == torch.float32 for parameter in rescorer.scorer.parameters())


@pytest.mark.parametrize("strategy", [FULL, VANILLA, ADALORA], ids=lambda strategy: strategy.name)
def test_the_parameters_that_were_trained_are_counted(
    fresh_rescorer: FreshRescorer, train_lists: NbestSet, dev_lists: NbestSet, strategy: Strategy
) -> None:
    rescorer = fresh_rescorer("bert", "cls")
    frozen = sum(parameter.numel() for parameter in rescorer.scorer.model.parameters())
    head = sum(parameter.numel() for parameter in rescorer.scorer.head.parameters())
    result = train_rescorer(rescorer, train_lists, dev_lists, strategy, SETTINGS)
    if strategy.name == "full":
        assert (result.trainable_parameters, result.total_parameters) == (frozen + head, frozen + head)
    else:  # the sides of the two layers' matrices: four of 32 x 32, one 32 x 48, one 48 x 32
        rows_and_columns = 2 * (4 * (32 + 32) + 2 * (32 + 48))
        trained = result.trainable_parameters - head
        assert result.total_parameters - trained == pytest.approx(frozen + head, abs=200)
        assert trained == pytest.approx(strategy.rank * rows_and_columns, rel=0.05)
