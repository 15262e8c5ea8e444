"""The verb `tag`: what stands in the name of a rescorer, and trainings with several seeds."""

from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., object]


def tags(call: Call, *options: str) -> list[str]:
    outcome = call("tag", *options)
    assert (outcome.status, outcome.err) == (0, "")
    return outcome.out.splitlines()


@pytest.mark.parametrize(
    ("options", "tag"),
    [
        ((), "smollm2_clm_vanilla_mwer_s1"),
        (("--lora", "none"), "smollm2_clm_none"),
        (("--plm", "minilm", "--lora", "none"), "minilm_cls_none_mwer_s1"),
        (("--seed", "7", "--objective", "lm"), "smollm2_clm_vanilla_lm_s7"),
        (("--rank", "16"), "smollm2_clm_vanilla_r16_mwer_s1"),
        (("--rank", "8", "--alpha", "32"), "smollm2_clm_vanilla_r8_a32_mwer_s1"),
        (("--targets", "q_proj,v_proj", "--suffix", "long"), "smollm2_clm_vanilla_q_proj+v_proj_mwer_s1_long"),
        (("--plm_text", "lower", "--lora", "none"), "smollm2_clm_lower_none"),
        (("--plm", "bert-base", "--within_word_l2r", "true", "--lora", "none"), "bert-base_pll_l2r_none"),
        (("--plm", "bert-base", "--within_word_l2r", "false"), "bert-base_pll_nol2r_vanilla_mwer_s1"),
    ],
)
def test_what_a_user_chose_stands_in_the_tag(call: Call, options: tuple[str, ...], tag: str) -> None:
    scorer = ("--scorer", "pll") if "bert-base" in options else ()
    assert tags(call, *options, *scorer) == [tag]


@pytest.mark.parametrize("lora", ["none", "full", "bitfit"])
def test_what_means_nothing_to_a_strategy_is_left_out(call: Call, lora: str) -> None:
    without = tags(call, "--lora", lora)
    assert tags(call, "--lora", lora, "--rank", "16", "--alpha", "8", "--targets", "q_proj") == without


def test_a_tag_for_each_strategy_and_seed(call: Call) -> None:
    assert tags(call, "--lora", "none full vanilla", "--seeds", "2  1", "--rank", "4") == [
        "smollm2_clm_none",
        "smollm2_clm_full_mwer_s2",
        "smollm2_clm_full_mwer_s1",
        "smollm2_clm_vanilla_r4_mwer_s2",
        "smollm2_clm_vanilla_r4_mwer_s1",
    ]
    assert tags(call, "--lora", "full", "--seeds", "", "--seed", "3") == ["smollm2_clm_full_mwer_s3"]


def test_trainings_with_strategy_and_seed(call: Call) -> None:
    assert tags(call, "--lora", "none mixed mixed", "--seeds", "1 2", "--trainings") == [
        "smollm2_clm_none\tnone\t-",
        "smollm2_clm_mixed_mwer_s1\tmixed\t1",
        "smollm2_clm_mixed_mwer_s2\tmixed\t2",
    ]


@pytest.fixture
def mandarin(tmp_path: Path) -> Path:
    (tmp_path / "lexicon.txt").write_text("他 t a1\n她 t a1\n", encoding="utf-8")
    return tmp_path / "lexicon.txt"


@pytest.mark.parametrize(
    "options",
    [
        ("--perturbations", "homophone split", "--perturb_train", "tied:0.1"),
        ("--lora", "none", "--perturb_train", "near:0.1"),  # a frozen PLM is not trained
        ("--train_config", "{folder}/train.yaml", "--perturb_train", "tied:0.1"),
        ("--g2p", "espeak-ng"),  # nothing is perturbed
    ],
)
def test_a_lexicon_that_will_do(call: Call, mandarin: Path, options: tuple[str, ...]) -> None:
    (mandarin.parent / "train.yaml").write_text("perturb_train: near:0.1\n")
    given = [option.format(folder=mandarin.parent) for option in options]
    assert len(tags(call, "--pronunciations", str(mandarin), *given)) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--perturbations", "homophone near"), "the perturbation near knows how far apart CMUdict's phones are"),
        (("--perturb_train", "homophone:0.1,near:0.1"), "the perturbation near knows"),
        (("--train_config", "{folder}/train.yaml"), "the perturbation near knows"),
        (("--perturbations", "homophone", "--g2p", "espeak-ng"), "--g2p espeak-ng pronounces words in CMUdict's"),
    ],
)
def test_a_lexicon_that_will_not_do(call: Call, mandarin: Path, options: tuple[str, ...], message: str) -> None:
    (mandarin.parent / "train.yaml").write_text("perturb_train: near:0.1\n")
    given = [option.format(folder=mandarin.parent) for option in options]
    line = call("tag", "--pronunciations", mandarin, *given).error_line()
    assert line.startswith(f"lorescore tag: {mandarin}: {message}")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--seeds", "1 x"), "--seeds 'x' is not a whole number"),
        (("--suffix", "a/b"), "--suffix 'a/b', expected letters"),
        (("--suffix", "mbr"), "--suffix mbr is the name of a decoding"),
        (("--targets", "q_proj v_proj"), "--targets 'q_proj v_proj', expected names of layers"),
        (("--targets", "../x"), "--targets '../x', expected names of layers"),
        (("--within_word_l2r", "true"), "--within_word_l2r is for pll, the scorer is clm (leave it out)"),
    ],
)
def test_words_that_cannot_be(call: Call, options: tuple[str, ...], message: str) -> None:
    assert message in call("tag", *options).error_line()
