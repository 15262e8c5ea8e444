"""Which PLM a user names, and the settings of conf/plm."""

from pathlib import Path

import pytest
from peft import LoraConfig, get_peft_model
from plm_models import CAUSAL, CONF_FAMILIES, ENCODERS
from torch import nn
from transformers.pytorch_utils import Conv1D

from lorescore.errors import InputError
from lorescore.files import write_yaml
from lorescore.plm.adaptation import stores_transposed
from lorescore.plm.load import AUTO_CLASS
from lorescore.plm.settings import PlmSettings

CONF_DIR = Path(__file__).parents[2] / "conf" / "plm"


@pytest.mark.parametrize("path", sorted(CONF_DIR.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_files_of_conf_are_read_and_round_trip(path: Path) -> None:
    settings = PlmSettings.find(path.stem, CONF_DIR)
    assert settings.name == path.stem
    assert PlmSettings.find(str(path), Path("elsewhere")) == settings
    assert PlmSettings.from_dict(settings.to_dict()) == settings


def test_every_page_of_conf_has_its_family_in_the_tests() -> None:
    assert set(CONF_FAMILIES) == {path.stem for path in CONF_DIR.glob("*.yaml")}


@pytest.mark.parametrize("plm", CONF_FAMILIES)
def test_the_targets_of_conf_are_layers_of_the_family(plm: str) -> None:
    settings = PlmSettings.find(plm, CONF_DIR)
    model = AUTO_CLASS[settings.scorer].from_config((CAUSAL | ENCODERS)[CONF_FAMILIES[plm]])
    linear = {name for name, module in model.named_modules() if isinstance(module, nn.Linear | Conv1D)}
    config = LoraConfig(r=2, target_modules=list(settings.targets), fan_in_fan_out=stores_transposed(model))
    names = (name.removeprefix("base_model.model.") for name, _ in get_peft_model(model, config).named_parameters())
    layers = {layer for layer, lora, _ in (name.partition(".lora_A.") for name in names) if lora}
    assert all(any(layer.endswith(f".{target}") for layer in layers) for target in settings.targets)
    if settings.scorer == "clm":
        # Attention's layers, all of them, and no others.
        assert layers == {name for name in linear if "attn." in name}
    elif plm != "minilm":
        # The encoder's layers, all of them; not what stands on them.
        outside = ("cls.", "lm_head.", "head.", "decoder", "pooler.")
        assert layers == {name for name in linear if not name.startswith(outside)}


def test_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "MyModel").mkdir()
    monkeypatch.chdir(tmp_path)
    for plm in ("MyModel", "./MyModel", str(tmp_path / "MyModel")):
        settings = PlmSettings.find(plm, CONF_DIR)
        assert (settings.name, settings.model) == ("MyModel", str(tmp_path / "MyModel"))
    assert settings.targets == ("all-linear",)


def test_a_link_to_a_directory_has_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "my model").mkdir()
    (tmp_path / "mine").symlink_to("my model")
    settings = PlmSettings.find(str(tmp_path / "mine"), CONF_DIR)
    assert (settings.name, settings.model) == ("mine", str(tmp_path / "my model"))


def test_a_name_on_the_hub() -> None:
    settings = PlmSettings.find("HuggingFaceTB/SmolLM2-135M", CONF_DIR)
    assert (settings.name, settings.model) == ("smollm2-135m", "HuggingFaceTB/SmolLM2-135M")


def test_a_path_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mine\.yaml: cannot be read: No such file"):
        PlmSettings.find(str(tmp_path / "mine.yaml"), CONF_DIR)


@pytest.mark.parametrize("plm", ["smolm2", "./none", "/none/at/all"])
def test_none_of_the_three(plm: str) -> None:
    with pytest.raises(InputError, match=r"--plm .* is not known .*valid: bert-base .*minilm .*smollm2"):
        PlmSettings.find(plm, CONF_DIR)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"modell": "x"}, "setting 'modell' is not known.*did you mean model"),
        ({"scorer": "clm"}, r"model is missing \(add the line"),
        ({"model": None}, "model is None, expected a word"),
        ({"model": "x", "eos": 2}, "eos is 2, expected a word"),
        ({"model": "x", "targets": "q_proj"}, r"targets is 'q_proj', expected a list .* \(such as \[q_proj\]\)"),
        ({"model": "x", "targets": []}, r"targets is \(\), expected a list .* \(such as \[all-linear\]\)"),
        ({"model": "x", "targets": [1]}, r"targets is \(1,\), expected a list"),
        ({"model": "x", "within_word_l2r": "yes"}, "within_word_l2r 'yes', expected true or false"),
        ({"model": "x", "scorer": "clsm"}, "scorer 'clsm' is not known"),
        ({"model": "x", "plm_text": "Lower"}, "plm_text 'Lower' is not known.*did you mean lower"),
    ],
)
def test_settings_that_are_wrong(tmp_path: Path, content: dict[str, object], message: str) -> None:
    write_yaml(tmp_path / "mine.yaml", content)
    with pytest.raises(InputError, match=rf"mine\.yaml: {message}"):
        PlmSettings.find("mine", tmp_path)


def test_a_token_that_is_left_empty(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("model: x\neos:\n")
    assert not PlmSettings.find("mine", tmp_path).eos
