"""Which PLM a user names, and the settings of conf/plm."""

from pathlib import Path

import pytest
from peft import LoraConfig, get_peft_model
from plm_models import CAUSAL, ENCODERS
from torch import nn

from lorescore.errors import InputError
from lorescore.files import write_yaml
from lorescore.plm.load import AUTO_CLASS
from lorescore.plm.settings import PlmSettings

CONF_DIR = Path(__file__).parents[2] / "conf" / "plm"


@pytest.mark.parametrize("path", sorted(CONF_DIR.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_files_of_conf_are_read_and_round_trip(path: Path) -> None:
    settings = PlmSettings.find(path.stem, CONF_DIR)
    assert settings.name == path.stem
    assert PlmSettings.from_dict(settings.to_dict()) == settings


@pytest.mark.parametrize(
    ("plm", "family"),
    [("bert-base", "bert"), ("roberta-base", "roberta"), ("modernbert-base", "modernbert")]
    + [("deberta-v3-base", "deberta_v2"), ("minilm", "bert"), ("smollm2", "llama")],
)
def test_the_targets_of_conf_are_layers_of_the_family(plm: str, family: str) -> None:
    settings = PlmSettings.find(plm, CONF_DIR)
    model = AUTO_CLASS[settings.scorer].from_config((CAUSAL | ENCODERS)[family])
    linear = {name for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=list(settings.targets)))
    names = (name.removeprefix("base_model.model.") for name, _ in adapted.named_parameters())
    layers = {layer for layer, lora, _ in (name.partition(".lora_A.") for name in names) if lora}
    assert all(any(layer.endswith(f".{target}") for layer in layers) for target in settings.targets)
    if plm in ("bert-base", "roberta-base", "modernbert-base", "deberta-v3-base"):
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


def test_a_name_on_the_hub() -> None:
    settings = PlmSettings.find("HuggingFaceTB/SmolLM2-135M", CONF_DIR)
    assert (settings.name, settings.model) == ("smollm2-135m", "HuggingFaceTB/SmolLM2-135M")


@pytest.mark.parametrize("plm", ["smolm2", "./none", "/none/at/all"])
def test_none_of_the_three(plm: str) -> None:
    with pytest.raises(InputError, match=r"--plm .* is not known .*valid: bert-base .*minilm .*smollm2"):
        PlmSettings.find(plm, CONF_DIR)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"modell": "x"}, "setting 'modell' is not known.*did you mean model"),
        ({"scorer": "pl"}, "incomplete PLM settings.*model"),
        ({"model": "x", "within_word_l2r": "yes"}, "within_word_l2r 'yes', expected true or false"),
        ({"model": "x", "scorer": "clsm"}, "scorer 'clsm' is not known"),
        ({"model": "x", "plm_text": "Lower"}, "plm_text 'Lower' is not known.*did you mean lower"),
    ],
)
def test_settings_that_are_wrong(tmp_path: Path, content: dict[str, str], message: str) -> None:
    write_yaml(tmp_path / "mine.yaml", content)
    with pytest.raises(InputError, match=message):
        PlmSettings.find("mine", tmp_path)
