"""`lorescore train`: from N-best directories to a rescorer on disk, with every objective's needs checked first."""

import os
from pathlib import Path

import pytest
import torch
from train_verb import QUICK, Train, arguments, error_line, make_exp, one_plm_while_training, training_in

from lorescore.__main__ import main
from lorescore.cli.train_options import read_training_settings
from lorescore.files import read_yaml, write_yaml
from lorescore.scoring.rescorer import Rescorer
from lorescore.training.rank_history import RankHistory
from lorescore.training.settings import TrainingSettings


@pytest.fixture(scope="module")
def exp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """exp with nbest/{train,dev}, two PLMs, and the frozen clm that is the teacher."""
    exp_dir = tmp_path_factory.mktemp("exp")
    make_exp(exp_dir)
    assert main(["train", *arguments(exp_dir, "llama", "clm"), "--lora", "none"]) == 0
    return exp_dir


@pytest.fixture
def train(exp: Path, capsys: pytest.CaptureFixture[str]) -> Train:
    return training_in(exp, capsys)


def test_a_frozen_clm_has_no_training(exp: Path) -> None:
    config = read_yaml(exp / "plm" / "llama_clm_none" / "config.yaml")
    assert config["trainable_parameters"] == 0
    assert (config["objective"], config["seed"], config["training_settings"], config["teacher"]) == (None,) * 4
    assert not (exp / "tensorboard").exists()


@pytest.mark.parametrize(("option", "value"), [("plm_text", "upper"), ("plm_spaces", "keep")])
def test_how_text_is_put_to_the_plm(exp: Path, train: Train, option: str, value: str) -> None:
    assert train("llama", "clm", "--lora", "none", f"--{option}", value)[0] == 0
    (rescorer_dir,) = exp.glob(f"plm/llama_clm_*{value}_none")
    assert read_yaml(rescorer_dir / "config.yaml")["plm"][option] == value


def test_a_frozen_clm_needs_no_lists(exp: Path, train: Train, tmp_path: Path) -> None:
    nowhere = ("--train", tmp_path / "train", "--dev", tmp_path / "dev")
    assert train("llama", "clm", "--lora", "none", "--out_root", tmp_path / "plm", *nowhere)[0] == 0
    config = "llama_clm_none/config.yaml"
    assert (tmp_path / "plm" / config).read_bytes() == (exp / "plm" / config).read_bytes()


def test_a_cls_learns_from_a_clm(exp: Path, train: Train) -> None:
    teacher = exp / "plm" / "llama_clm_none"
    options = ("--objective", "distill", "--teacher", teacher, "--learning_rate", "0.05", "--max_hyps", "3", *QUICK)
    status, out, _ = train("bert", "cls", *options)
    rescorer_dir = exp / "plm" / "bert_cls_vanilla_distill_s1"
    assert status == 0 and f"{rescorer_dir}: dev WER " in out
    config = read_yaml(rescorer_dir / "config.yaml")
    assert config["teacher"]["tag"] == "llama_clm_none"
    assert config["training_settings"]["max_hyps"] == 3
    assert (config["training"]["steps"], config["training"]["lists"]) == (2, 16)
    assert config["trainable_parameters"] < config["total_parameters"]
    assert {path.name for path in rescorer_dir.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "config.yaml",
        "head.safetensors",
        "history.yaml",
    }
    assert (exp / "nbest" / "train" / "lmwt.llama_clm_none").is_file()
    assert list((exp / "tensorboard" / rescorer_dir.name).iterdir())
    assert not list((exp / "plm").glob(".*"))  # no checkpoint is left
    assert len(Rescorer.load(rescorer_dir).score([["the cat", "a cat"]])[0]) == 2

    assert train("bert", "cls", *options) == (0, f"{rescorer_dir}: finished before, left as it is\n", "")
    other = train("bert", "cls", *options, "--teacher_norm", "set")
    assert "holds a rescorer trained with another training_settings.teacher_norm (" in error_line(other)


def test_the_frozen_plm_is_let_go_of_before_the_training(
    exp: Path, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stored in exp.glob("nbest/dev/*lmwt.*"):
        stored.unlink()
    with one_plm_while_training(monkeypatch):
        assert train("llama", "clm", "--seed", "9", "--score_cache", "", *QUICK)[0] == 0
    assert (exp / "nbest" / "dev" / "lmwt.llama_clm_none").is_file()


def test_domain_adaptation_on_text_alone(exp: Path, train: Train) -> None:
    text = exp / "text"
    text.write_text("the cat sat on the sea\n\na mat saw the cat\n")
    options = ("--objective", "lm", "--lm_references", "false", "--lm_text", text, "--tensorboard", "false")
    status, _, _ = train("llama", "clm", *options, "--train", exp / "not_there", *QUICK)
    assert status == 0
    config = read_yaml(exp / "plm" / "llama_clm_vanilla_lm_s1" / "config.yaml")
    assert (config["training"]["steps"], config["training"]["lists"]) == (1, 0)
    assert config["train_checksum"] is None
    assert not (exp / "tensorboard" / "llama_clm_vanilla_lm_s1").exists()


def test_text_from_a_pipe_is_refused(exp: Path, train: Train, tmp_path: Path) -> None:
    """It cannot be read a second time, for the checksum by which a training is known again."""
    os.mkfifo(tmp_path / "pipe")
    outcome = train("llama", "clm", "--lm_text", tmp_path / "pipe", *QUICK)
    assert "pipe: a pipe, expected a file" in error_line(outcome)


def test_a_rescorer_of_before_a_setting_existed_is_finished(exp: Path, train: Train) -> None:
    options = ("--seed", "7", *QUICK)
    assert train("llama", "clm", *options)[0] == 0
    path = exp / "plm" / "llama_clm_vanilla_mwer_s7" / "config.yaml"
    config = read_yaml(path)
    for name in ("patience", "decay", "teacher_norm"):
        del config["training_settings"][name]
    del config["strategy"]["warmup_share"], config["plm"]["within_word_l2r"], config["teacher"]
    write_yaml(path, config)
    assert "finished before" in train("llama", "clm", *options)[1]
    assert "another training_settings" in error_line(train("llama", "clm", *options, "--patience", "1"))


def test_settings_come_from_a_file_and_options_override_it(exp: Path, train: Train, tmp_path: Path) -> None:
    write_yaml(tmp_path / "train.yaml", {"epochs": 2, "lists_per_step": 16, "evaluations": 1, "decay": "cosine"})
    assert train("llama", "clm", "--seed", "8", "--train_config", tmp_path / "train.yaml", "--epochs", "1")[0] == 0
    settings = read_yaml(exp / "plm" / "llama_clm_vanilla_mwer_s8" / "config.yaml")["training_settings"]
    assert (settings["epochs"], settings["lists_per_step"], settings["decay"]) == (1, 16, "cosine")


@pytest.mark.skipif(torch.cuda.is_available(), reason="auto is another precision on a GPU")
@pytest.mark.parametrize(("precision", "used"), [("auto", "float32"), ("bf16", "bfloat16 products")])
def test_the_precision_that_was_used_is_kept(exp: Path, train: Train, precision: str, used: str) -> None:
    options = ("--precision", precision, "--suffix", precision, *QUICK)
    assert train("llama", "clm", *options)[0] == 0
    config = read_yaml(exp / "plm" / f"llama_clm_vanilla_mwer_s1_{precision}" / "config.yaml")
    assert (config["training_settings"]["precision"], config["training"]["precision"]) == (precision, used)
    assert "finished before" in train("llama", "clm", *options)[1]


@pytest.mark.parametrize(("name", "value"), [("objective", "lm"), ("objective", "nonsense"), ("seed", 7)])
def test_what_names_a_rescorer_is_no_setting_of_a_file(train: Train, tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / "train.yaml"
    write_yaml(path, {"epochs": 1, name: value})
    line = error_line(train("llama", "clm", "--train_config", path))
    assert line == f"lorescore train: {path}: {name} names the rescorer too, not only its training (give --{name})\n"


def test_the_recipes_files_of_settings_are_read() -> None:
    root = Path(__file__).resolve().parents[2]
    assert read_training_settings(root / "conf" / "train.yaml") == TrainingSettings()
    paths = [*root.glob("egs/librispeech/rescore1/conf/*.yaml"), *root.glob("egs/demo/adapt1/conf/*.yaml")]
    assert len(paths) == 4
    assert all(read_training_settings(path) != TrainingSettings() for path in paths)


def test_adalora_keeps_its_ranks(exp: Path, train: Train) -> None:
    assert train("llama", "clm", "--lora", "adalora", "--rank", "2", "--epochs", "2", *QUICK[2:])[0] == 0
    directory = exp / "plm" / "llama_clm_adalora_r2_mwer_s1"
    ranks = read_yaml(directory / "ranks.yaml")
    assert len(ranks) == 14 and all(0 <= rank <= 3 for rank in ranks.values())
    history = RankHistory.read(directory / "rank_history.yaml")
    assert dict(zip(history.layers, list(history.changes.values())[-1], strict=True)) == ranks
    config = read_yaml(directory / "config.yaml")
    assert 0 < config["trainable_parameters"] < config["total_parameters"]


def test_ranks_do_not_collide_and_mean_nothing_to_what_has_none(exp: Path, train: Train) -> None:
    frozen = (exp / "plm" / "llama_clm_none" / "config.yaml").read_bytes()
    for options in (("--rank", "2"), ("--rank", "3", "--alpha", "5", "--targets", "q_proj", "--learning_rate", "0.1")):
        assert train("llama", "clm", *options, *QUICK)[0] == 0
        assert "finished before" in train("llama", "clm", "--lora", "none", *options)[1]
    assert (exp / "plm" / "llama_clm_none" / "config.yaml").read_bytes() == frozen
    small, large = (
        read_yaml(exp / "plm" / f"llama_clm_vanilla_{part}_mwer_s1" / "config.yaml") for part in ("r2", "r3_a5_q_proj")
    )
    assert (small["strategy"]["rank"], large["strategy"]["rank"], large["strategy"]["alpha"]) == (2, 3, 5)
    assert large["plm"]["targets"] == ["q_proj"] != small["plm"]["targets"]
    assert large["trainable_parameters"] == 3 * 2 * (32 + 32)  # two layers' A and B
    options = ("--lora", "full", "--rank", "5", "--alpha", "3", "--targets", "q_proj", *QUICK)
    assert train("llama", "clm", *options)[0] == 0
    full = read_yaml(exp / "plm" / "llama_clm_full_mwer_s1" / "config.yaml")
    assert (full["strategy"]["rank"], full["plm"]["targets"]) == (8, ["all-linear"])
    assert "finished before" in train("llama", "clm", "--lora", "full", *QUICK)[1]


@pytest.mark.parametrize(
    ("family", "scorer", "options", "message"),
    [
        ("bert", "cls", ("--objective", "distill"), "--objective distill needs a teacher"),
        ("bert", "cls", ("--objective", "lm"), "--objective lm is for clm and pll"),
        ("llama", "clm", ("--teacher", "{exp}/plm/llama_clm_none"), "no use for a teacher"),
        ("bert", "cls", ("--objective", "distill", "--teacher", "{exp}/plm/none"), "no finished rescorer"),
        ("llama", "clm", ("--patience", "-1"), "--patience is -1, expected 0 or more"),
        ("llama", "clm", ("--precision", "bf"), "--precision 'bf' is not known (did you mean bf16?"),
        ("llama", "clm", ("--train_config", "{exp}/no.yaml"), "no.yaml: cannot be read"),
    ],
)
def test_bad_arguments(
    exp: Path, train: Train, family: str, scorer: str, options: tuple[str, ...], message: str
) -> None:
    assert message in error_line(train(family, scorer, *(option.format(exp=exp) for option in options)))


def test_a_cls_is_no_teacher(exp: Path, train: Train) -> None:
    assert train("bert", "cls", "--lora", "none", *QUICK)[0] == 0
    options = ("--objective", "distill", "--teacher", exp / "plm" / "bert_cls_none_mwer_s1")
    assert "a cls rescorer, but a teacher is a clm or a pll" in error_line(train("bert", "cls", *options))


def test_values_that_are_neither_true_nor_false(train: Train) -> None:
    with pytest.raises(SystemExit):
        train("llama", "clm", "--gradient_checkpointing", "yes")
