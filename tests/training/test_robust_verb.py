"""`lorescore train --perturb_train`: a tag of its own, settings and lexicon in config.yaml, and what it refuses."""

from pathlib import Path

import pytest
from train_verb import QUICK, Train, error_line, make_exp, one_plm_while_training, training_in

from lorescore.files import read_yaml

ROBUST = ("--perturb_train", "homophone:0.5", "--consistency", "1", "--suffix", "robust")


@pytest.fixture(scope="module")
def exp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    exp_dir = tmp_path_factory.mktemp("exp")
    make_exp(exp_dir)
    (exp_dir / "words").write_text("sea\nsee\nrain\nreign\nplain\nplane\n")
    (exp_dir / "lexicon.txt").write_text("sea S IY\nsee S IY\n")
    (exp_dir / "other.txt").write_text("sea z e:\nsee z e:\n")  # German, in SAMPA
    return exp_dir


@pytest.fixture
def train(exp: Path, capsys: pytest.CaptureFixture[str]) -> Train:
    return training_in(exp, capsys, *QUICK, "--tensorboard", "false")


def test_a_robust_rescorer_beside_a_clean_one(exp: Path, train: Train) -> None:
    learning = ("--learning_rate", "0.05", "--epochs", "3", "--lists_per_step", "4")
    robust_options = (*ROBUST, "--vocab", exp / "words", *learning)
    assert train("llama", "clm", *learning)[0] == train("llama", "clm", *robust_options)[0] == 0
    tags = ("llama_clm_vanilla_mwer_s1", "llama_clm_vanilla_mwer_s1_robust")
    clean, robust = (read_yaml(exp / "plm" / tag / "config.yaml") for tag in tags)
    names = ("perturb_train", "perturb_share", "consistency", "consistency_margin")
    assert [clean["training_settings"][name] for name in names] == ["", 0.5, 0.0, 1.0]
    assert [robust["training_settings"][name] for name in names] == ["homophone:nbest:0.5", 0.5, 1.0, 1.0]
    assert clean["lexicon_checksum"] is None and robust["lexicon_checksum"]
    weights = [(exp / "plm" / tag / "adapter_model.safetensors").read_bytes() for tag in tags]
    assert weights[0] != weights[1]

    again = train("llama", "clm", *robust_options, "--perturb_train", " homophone:nbest:.5")
    assert "finished before" in again[1]
    other = error_line(train("llama", "clm", *robust_options, "--lexicon", exp / "lexicon.txt"))
    assert "another lexicon_checksum" in other and "--suffix NAME" in other
    assert "another training_settings" in error_line(train("llama", "clm", *learning, *ROBUST[:2]))


def test_a_lexicon_without_homophones_is_one_too(exp: Path, train: Train) -> None:
    """`near` does without them; with another lexicon it is another training."""
    options = ("--perturb_train", "near:0.5", "--suffix", "near")
    (exp / "near.txt").write_text("sea S IY\nthe DH AH\ncat K AE T\nmat M AE T\n")
    (exp / "far.txt").write_text("sea S IY\nthe DH AH\ncat K AE T\nsat S AE T\n")
    assert train("llama", "clm", *options, "--pronunciations", exp / "near.txt")[0] == 0
    other = error_line(train("llama", "clm", *options, "--pronunciations", exp / "far.txt"))
    assert "another lexicon_checksum" in other


def test_a_teacher_scores_the_twins(exp: Path, train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    assert train("llama", "clm", "--lora", "none", *ROBUST)[0] == 0
    teacher = exp / "plm" / "llama_clm_none"  # what is frozen has neither perturbed lists nor a suffix
    assert read_yaml(teacher / "config.yaml")["lexicon_checksum"] is None
    options = ("--objective", "mwer+distill", "--teacher", teacher, *ROBUST, "--pronunciations", exp / "lexicon.txt")
    with one_plm_while_training(monkeypatch):
        assert train("bert", "cls", *options, "--vocab", exp / "words")[0] == 0
    assert (exp / "plm" / "bert_cls_vanilla_mwer+distill_s1_robust" / "config.yaml").is_file()


def test_lists_that_stay_as_they_are_are_warned_of(train: Train, caplog: pytest.LogCaptureFixture) -> None:
    # Of the words of --train and --dev alone, no two sound alike.
    assert train("llama", "clm", "--perturb_train", "homophone:1", "--suffix", "same")[0] == 0
    messages = [one.getMessage() for one in caplog.records]
    assert any("no homophones among the 9 words of the vocabulary, 9 of which CMUdict" in one for one in messages)
    assert any("changes none of the 16 training lists" in one for one in messages)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--perturb_train", "worst:0.1"), "the perturbation worst needs a rescorer's scores"),
        (("--perturb_train", "homophone"), "expected NAME:RATE or NAME:KIND:RATE"),
        (("--perturb_train", "homophone:0.1", "--perturb_share", "0"), "--perturb_share is 0.0"),
        (("--consistency", "1"), "--consistency is of perturbed lists"),
        (("--perturb_train", "near:0.1", "--objective", "lm"), "--perturb_train perturbs neither"),
        (("--perturb_train", "near:0.1", "--vocab", "{exp}/none"), "none: cannot be read"),
        (("--perturb_train", "near:0.1", "--g2p", "espeak"), "did you mean espeak-ng"),
        (
            ("--perturb_train", "tied:1,near:1", "--lexicon", "{exp}/other.txt"),
            "other.txt: the perturbation near knows",
        ),
        (
            ("--perturb_train", "tied:1", "--lexicon", "{exp}/other.txt", "--g2p", "espeak-ng"),
            "--g2p espeak-ng pronoun",
        ),
        (("--suffix", "mbr"), "--suffix mbr is the name of a decoding"),
        (("--suffix", "a/b"), "--suffix 'a/b', expected letters, digits, dots and hyphens"),
    ],
)
def test_bad_arguments(exp: Path, train: Train, options: tuple[str, ...], message: str) -> None:
    assert message in error_line(train("llama", "clm", *(option.format(exp=exp) for option in options)))
